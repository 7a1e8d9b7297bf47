//! WeCom as ten corps meet it at once: one is served by a pretend WeCom, the others are stuck in ways that a test chooses.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, OnceLock},
};

use chrono::TimeDelta;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, Uri, body::Bytes, body::Incoming, client, header::HOST, server::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::json;
use sqlx::PgPool;
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use wecomd::{
    app_config::{NewConfig, save},
    vault::Vault,
};

/// How many corps are stuck.
pub(crate) const STUCK: usize = 9;

/// How their calls end. Tokens are made, unless nothing is answered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Nothing ever comes back.
    Silent,
    /// WeCom is busy: -1.
    Busy,
    /// They were called too often: 45009.
    Limited,
}

/// The way in. Dropping it closes it.
pub(crate) struct Crowd {
    pub(crate) base_url: String,
    shared: Arc<Shared>,
    listener: AbortHandle,
}

struct Shared {
    ends: Ends,
    /// Who serves the one corp that is not stuck.
    served_by: OnceLock<SocketAddr>,
    /// What everybody gets instead of an answer: a status and a page.
    page: Mutex<Option<(u16, &'static str)>>,
    /// How often a stuck corp was heard of.
    calls: Mutex<HashMap<String, usize>>,
}

impl Crowd {
    pub(crate) async fn start(ends: Ends) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let base_url = format!("http://{}", listener.local_addr().expect("an address"));
        let shared =
            Arc::new(Shared { ends, served_by: OnceLock::new(), page: Mutex::default(), calls: Mutex::default() });
        let listener = tokio::spawn(listen(listener, shared.clone())).abort_handle();
        Self { base_url, shared, listener }
    }

    /// The corp that is not stuck is served there.
    pub(crate) fn lead_to(&self, address: SocketAddr) {
        self.shared.served_by.set(address).expect("once");
    }

    /// From now on everybody gets this page.
    pub(crate) fn page(&self, status: u16, page: &'static str) {
        *self.shared.page.lock().expect("nobody panicked") = Some((status, page));
    }

    /// Saves an app of each stuck corp; returns the corps.
    pub(crate) async fn enlist(&self, pool: &PgPool, vault: &Vault) -> Vec<String> {
        let mut conn = pool.acquire().await.expect("connects");
        let corps: Vec<_> = (1..=STUCK).map(|number| format!("wwstuck{number}")).collect();
        for corpid in &corps {
            let new = NewConfig {
                name: format!("app-{corpid}"),
                corpid: Some(corpid.clone()),
                agentid: Some("1000002".to_owned()),
                secret: Some(format!("secret-{corpid}").into()),
                token: Some("token".to_owned().into()),
                welcome_message: Some(Some("您好".to_owned())),
                encoding_aes_key: Some("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C".to_owned().into()),
                ..NewConfig::default()
            };
            save(&mut conn, vault, TimeDelta::zero(), new).await.expect("the app is saved");
        }
        corps
    }

    /// How often each stuck corp called, tokens included.
    pub(crate) fn calls(&self) -> HashMap<String, usize> {
        self.shared.calls.lock().expect("nobody panicked").clone()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let shared = shared.clone();
        let service = hyper::service::service_fn(move |request| {
            let shared = shared.clone();
            async move { Ok::<_, Infallible>(shared.answer(request).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let page = *self.page.lock().expect("nobody panicked");
        if let Some((status, page)) = page {
            return Response::builder().status(status).body(Full::from(page)).expect("a page");
        }
        let query: HashMap<_, _> =
            form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
        let corp = query.get("corpid").or_else(|| query.get("access_token")).filter(|it| it.starts_with("wwstuck"));
        let Some(corp) = corp.cloned() else {
            let address = *self.served_by.get().expect("the test says who serves it");
            return forward(address, request).await.expect("the pretend WeCom answers");
        };
        *self.calls.lock().expect("nobody panicked").entry(corp.clone()).or_default() += 1;
        let answer = match self.ends {
            Ends::Silent => std::future::pending().await,
            // The corp's name is its token.
            _ if query.contains_key("corpid") => {
                json!({ "errcode": 0, "errmsg": "ok", "access_token": corp, "expires_in": 7_200 })
            }
            Ends::Busy => json!({ "errcode": -1, "errmsg": "system busy" }),
            Ends::Limited => json!({ "errcode": 45009, "errmsg": "api freq out of limit" }),
        };
        Response::new(Full::from(answer.to_string()))
    }
}

async fn forward(address: SocketAddr, mut request: Request<Incoming>) -> std::io::Result<Response<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    let (mut ask, connection) =
        client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    let target = request.uri().path_and_query().expect("a target").as_str().parse::<Uri>().expect("a target");
    *request.uri_mut() = target;
    request.headers_mut().insert(HOST, address.to_string().parse().expect("a host"));
    let (head, body) = ask.send_request(request).await.map_err(std::io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    Ok(Response::from_parts(head, Full::from(body)))
}
