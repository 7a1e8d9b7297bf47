//! The two servers that ours is measured against, on the same hyper, tokio and sqlx.
//!
//! One only reads the body and answers: the floor of what HTTP costs. The other does what most receivers do, one
//! INSERT for each request; it gets every advantage that costs us something: it verifies and decrypts nothing, its
//! pool does not ping before use, its statement is prepared once, its table has one index that grows at its end.

use std::{net::SocketAddr, process::Command, str::FromStr, sync::Arc};

use anyhow::Context;
use bytes::Bytes;
use chrono::Utc;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::net::TcpListener;

use super::process::{Process, free_address};

/// The argument that makes the benchmark's own program a rival.
const ARGUMENT: &str = "--rival";

/// How many connections its pool has.
const POOL: u32 = 16;

/// The shape of our inbox, with the same unique key.
pub(crate) const TABLE: &str = "
    create table rival (
        event_at    timestamptz not null,
        received_at timestamptz not null default now(),
        app_id      integer not null,
        hash        bytea not null,
        plaintext   bytea not null,
        constraint rival_key primary key (event_at, hash, app_id)
    )";

/// Base64 and the envelope make a body longer than the plaintext inside. The rival stores as many bytes as we do.
const ENVELOPE_BYTES: usize = 150;

/// Starts a rival in a process of its own. With a URL it stores.
pub(crate) async fn start(url: Option<&str>) -> anyhow::Result<Process> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args([ARGUMENT, &address.to_string(), url.unwrap_or_default()]);
    Process::start(command, address).await
}

/// If this process was started to be a rival: serves until it is killed. `false` if it was not.
pub(crate) fn serve_if_asked() -> anyhow::Result<bool> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(ARGUMENT) {
        return Ok(false);
    }
    let address = arguments.next().context("an address")?.parse()?;
    let url = arguments.next().filter(|url| !url.is_empty());
    tokio::runtime::Runtime::new()?.block_on(serve(address, url))?;
    Ok(true)
}

async fn serve(address: SocketAddr, url: Option<String>) -> anyhow::Result<()> {
    let pool = match url {
        None => None,
        Some(url) => {
            let options = PgPoolOptions::new().min_connections(POOL).max_connections(POOL).test_before_acquire(false);
            Some(options.connect_with(PgConnectOptions::from_str(&url)?).await?)
        }
    };
    let (listener, pool) = (TcpListener::bind(address).await?, Arc::new(pool));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pool = pool.clone();
        let service = service_fn(move |request| answer(request, pool.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(request: Request<Incoming>, pool: Arc<Option<PgPool>>) -> anyhow::Result<Response<Full<Bytes>>> {
    let body = request.into_body().collect().await?.to_bytes();
    if let Some(pool) = pool.as_ref() {
        store(pool, &body).await?;
    }
    Ok(Response::new(Full::new(Bytes::new())))
}

async fn store(pool: &PgPool, body: &Bytes) -> anyhow::Result<()> {
    let hash: [u8; 32] = Sha256::digest(body).into();
    let stored = body.len().saturating_sub(ENVELOPE_BYTES) * 3 / 4;
    sqlx::query("insert into rival (event_at, app_id, hash, plaintext) values ($1, 1, $2, $3) on conflict do nothing")
        .bind(Utc::now())
        .bind(&hash[..])
        .bind(body.get(..stored).unwrap_or_default())
        .execute(pool)
        .await?;
    Ok(())
}
