//! A bucket that speaks S3, of somebody else's making, in front of which a test can stand in the way.

use std::{
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use hyper::{Request, body::Incoming, server::conn::http1};
use hyper_util::rt::TokioIo;
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use s3s_fs::FileSystem;
use tokio::{net::TcpListener, task::AbortHandle};

use super::folder::Folder;

/// The bucket's name.
const NAME: &str = "pictures";

const KEY: &str = "a-key";

const SECRET: &str = "a-secret-of-the-bucket";

/// Which requests get no answer: those for which this says yes, by method and target.
type Cut = fn(&str, &str) -> bool;

/// A bucket, and what was asked of it.
pub(crate) struct Bucket {
    folder: Folder,
    endpoint: String,
    stand: Arc<Mutex<Stand>>,
    listener: AbortHandle,
}

struct Stand {
    cut: Cut,
    asked: Vec<String>,
}

impl Bucket {
    /// An empty one, which answers everybody who knows its secret.
    pub(crate) async fn open() -> Self {
        let folder = Folder::new("bucket");
        fs::create_dir(folder.path().join(NAME)).expect("a folder");
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a folder"));
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let stand = Arc::new(Mutex::new(Stand { cut: |_, _| false, asked: Vec::new() }));
        let listener = tokio::spawn(answer(listener, service.build(), stand.clone())).abort_handle();
        Self { folder, endpoint, stand, listener }
    }

    /// Where media go, as a setting, and what the environment says about S3.
    pub(crate) fn settings(&self) -> [(&str, &str); 6] {
        [
            ("WECOMD_MEDIA__LOCATION", "s3://pictures/of/customers"),
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ]
    }

    /// From now on the connection breaks at these requests, and at no others.
    pub(crate) fn cut(&self, cut: Cut) {
        self.stand.lock().expect("nobody panicked").cut = cut;
    }

    /// Every request so far: its method and target.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.stand.lock().expect("nobody panicked").asked.clone()
    }

    /// The names and lengths of what it holds, in order.
    pub(crate) fn held(&self) -> Vec<(String, u64)> {
        let root = self.folder.path().join(NAME);
        let (mut found, mut left) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = left.pop() {
            for entry in fs::read_dir(folder).expect("a folder").map(|it| it.expect("an entry")) {
                let path: PathBuf = entry.path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    let name = path.strip_prefix(&root).expect("below it").to_str().expect("UTF-8").to_owned();
                    found.push((name, entry.metadata().expect("a file").len()));
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn answer(listener: TcpListener, service: S3Service, stand: Arc<Mutex<Stand>>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (service, stand) = (service.clone(), stand.clone());
        let asked = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (method, target) = (request.method().to_string(), request.uri().to_string());
            let cut = {
                let mut stand = stand.lock().expect("nobody panicked");
                stand.asked.push(format!("{method} {target}"));
                (stand.cut)(&method, &target)
            };
            let service = service.clone();
            async move {
                // An error of the service closes the connection without an answer.
                if cut {
                    return Err(std::io::Error::other("cut"));
                }
                service.call(request.map(s3s::Body::from)).await.map_err(|_| std::io::Error::other("no answer"))
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), asked));
    }
}
