//! The API as a service meets it: over a real socket, with a token of its own.

mod receiver;

mod token;

mod contact;

mod contact_way;

mod transfer;

mod group;

mod welcome;

mod message;

mod media;

mod fault;

mod shape;

mod control;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::*;
use crate::ids::{ExternalUserId, UserId};
use crate::sandbox::corp::Corp;
use crate::sandbox::push::AppKind;
use crate::sandbox::world::{Size, World};

/// A small company.
const SMALL: Size = Size { members: 12, customers: 60, departments: 6 };

/// What was answered.
struct Answered {
    status: u16,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("JSON")
    }

    fn errcode(&self) -> i64 {
        self.json().get("errcode").and_then(Value::as_i64).expect("an errcode")
    }

    fn header(&self, name: header::HeaderName) -> &[u8] {
        self.headers.get(name).map(|value| value.as_bytes()).unwrap_or_default()
    }
}

/// A running pretend WeCom and a token for its app.
struct Service {
    platform: Platform,
    token: String,
}

impl Service {
    async fn start() -> Self {
        Self::of(SMALL).await
    }

    async fn of(size: Size) -> Self {
        let world = World::of(&corp(), size, 1);
        let platform = Platform::start(world, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.expect("a free port");
        let mut service = Self { platform, token: String::new() };
        service.token = service.new_token(AppKind::App).await;
        service
    }

    /// Asks for a token as the app of this kind.
    async fn gettoken(&self, kind: AppKind) -> Value {
        let corp = corp();
        let app = corp.app(kind).expect("an app");
        let query = format!("corpid={}&corpsecret={}", corp.corpid, app.secret);
        self.ask(Method::GET, &format!("gettoken?{query}"), &[], Bytes::new()).await.expect("answered").json()
    }

    async fn new_token(&self, kind: AppKind) -> String {
        self.gettoken(kind).await["access_token"].as_str().expect("a token").to_owned()
    }

    /// A GET with the app's token; `path` may hold a query.
    async fn get(&self, path: &str) -> Answered {
        self.get_with(&self.token, path).await
    }

    async fn get_with(&self, token: &str, path: &str) -> Answered {
        self.ask(Method::GET, &with_token(path, token), &[], Bytes::new()).await.expect("answered")
    }

    /// A POST with the app's token.
    async fn post(&self, path: &str, body: Value) -> Answered {
        self.try_post(path, body).await.expect("answered")
    }

    /// The same where no answer may come.
    async fn try_post(&self, path: &str, body: Value) -> Option<Answered> {
        let body = Bytes::from(body.to_string());
        self.ask(Method::POST, &with_token(path, &self.token), &[], body).await
    }

    /// A request to the API, on a connection of its own; none if the connection broke.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(header::HeaderName, &str)],
        body: Bytes,
    ) -> Option<Answered> {
        request(self.platform.address(), method, &format!("/cgi-bin/{path}"), headers, body).await
    }

    /// The world's clock is put forward, and the token that ended meanwhile is replaced.
    async fn later(&mut self, by: Duration) {
        self.platform.advance(by);
        self.token = self.new_token(AppKind::App).await;
    }

    /// A member whom customers may add.
    fn serving(&self) -> UserId {
        self.platform.with(|world| {
            let mut serving =
                world.members().filter(|it| it.customer_contact && !world.customers_of(&it.userid).is_empty());
            serving.next().expect("somebody serves").userid.clone()
        })
    }

    /// A member and one of their customers.
    fn pair(&self) -> (UserId, ExternalUserId) {
        let member = self.serving();
        let customer = self.platform.with(|world| world.customers_of(&member).remove(0));
        (member, customer)
    }
}

fn corp() -> Corp {
    Corp::from_seed(1)
}

fn with_token(path: &str, token: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}access_token={token}")
}

async fn request(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(header::HeaderName, &str)],
    body: Bytes,
) -> Option<Answered> {
    let stream = TcpStream::connect(address).await.expect("it listens");
    let (mut requests, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    let mut driver = JoinSet::new();
    driver.spawn(async { drop(connection.await) });
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().expect("a path");
    request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("sandbox"));
    for (name, value) in headers {
        request.headers_mut().insert(name, value.parse().expect("a header"));
    }
    let response = requests.send_request(request).await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.into_body().collect().await.ok()?.to_bytes();
    Some(Answered { status, headers, bytes })
}
