//! The way to the database, which a test can cut or silence while the database itself goes on.

use std::{net::Ipv4Addr, path::PathBuf};

use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::AbortHandle,
};

use super::TestDb;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// It arrives.
    Through,
    /// Connections are closed, and new ones at once again.
    Cut,
    /// Nothing arrives and nothing is closed, as when a cable is pulled.
    Silent,
}

/// A port that leads to a test's database.
pub(crate) struct Link {
    pub(crate) url: SecretString,
    flow: watch::Sender<Flow>,
    listener: AbortHandle,
}

impl Link {
    /// Opens the way.
    pub(crate) async fn to(db: &TestDb) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let options = db.options();
        let (user, name) = (options.get_username(), options.get_database().expect("a name"));
        let url = format!("postgres://{user}@127.0.0.1:{port}/{name}").into();
        let (flow, flows) = watch::channel(Flow::Through);
        let listener = tokio::spawn(lead(listener, options, flows)).abort_handle();
        Self { url, flow, listener }
    }

    pub(crate) fn cut(&self) {
        self.flow.send_replace(Flow::Cut);
    }

    pub(crate) fn silence(&self) {
        self.flow.send_replace(Flow::Silent);
    }

    /// From now on connections go through again; those that were cut or silenced stay lost.
    pub(crate) fn mend(&self) {
        self.flow.send_replace(Flow::Through);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn lead(listener: TcpListener, options: PgConnectOptions, flow: watch::Receiver<Flow>) {
    loop {
        let (outer, _) = listener.accept().await.expect("a connection");
        let (options, flow) = (options.clone(), flow.clone());
        tokio::spawn(async move {
            match socket(&options) {
                Some(path) => carry(outer, UnixStream::connect(path).await.expect("the database"), flow).await,
                None => {
                    let address = (options.get_host(), options.get_port());
                    carry(outer, TcpStream::connect(address).await.expect("the database"), flow).await;
                }
            }
        });
    }
}

/// Carries bytes both ways until the way is cut; once silenced, it never speaks again.
async fn carry<S: AsyncRead + AsyncWrite + Unpin>(mut outer: TcpStream, mut inner: S, mut flow: watch::Receiver<Flow>) {
    let now = *flow.borrow_and_update();
    if now == Flow::Through {
        tokio::select! {
            _ = copy_bidirectional(&mut outer, &mut inner) => return,
            _ = flow.changed() => {}
        }
    }
    // The socket stays open for as long as the silence lasts.
    let _ = flow.wait_for(|it| *it != Flow::Silent).await;
}

fn socket(options: &PgConnectOptions) -> Option<PathBuf> {
    let at_host = Some(options.get_host()).filter(|it| it.starts_with('/')).map(Into::into);
    let folder: PathBuf = options.get_socket().cloned().or(at_host)?;
    Some(folder.join(format!(".s.PGSQL.{}", options.get_port())))
}
