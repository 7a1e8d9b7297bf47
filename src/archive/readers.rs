//! The readers of a process: started when they are needed, asked one thing at a time, replaced when they fail or grow.
//!
//! Which corp is read, and with which secret, comes from the caller. What the messages say is not known here.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};

use super::{
    page::Page,
    protocol::{Item, Request, Said},
    reader::Reader,
    trouble::Trouble,
};
use crate::{ids::CorpId, vault::Vault};

/// How the archive is read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The reader's program.
    pub program: PathBuf,
    /// WeCom's library.
    pub library: PathBuf,
    /// A proxy such as `socks5://user:password@proxy:1080`; none for a direct connection.
    pub proxy: Option<SecretString>,
    /// How long the library may wait for WeCom.
    pub timeout: Duration,
    /// How long after that a reader that does not answer is killed.
    pub patience: Duration,
    /// After this many calls a reader is replaced.
    pub calls_max: u32,
    /// A reader with more memory in use, in bytes, is replaced.
    pub memory_max: u64,
    /// Whether talks among members are kept as well.
    pub internal_chats: bool,
    /// Whether pictures and other files are fetched.
    pub media: bool,
    /// The time between two looks that nothing asked for.
    pub poll: Duration,
}

/// A corp whose archive is read.
#[derive(Debug, Clone)]
pub struct Corp {
    /// The corp.
    pub corpid: CorpId,
    /// The archive's secret.
    pub secret: SecretString,
}

/// A piece of a file.
#[derive(Debug)]
pub struct Piece {
    /// Its bytes.
    pub bytes: Bytes,
    /// Where the next piece begins.
    pub next: String,
    /// Whether it is the last.
    pub is_last: bool,
}

/// The readers of this process. Cheap to clone.
#[derive(Clone)]
pub struct Archive(Arc<Inner>);

struct Inner {
    settings: Settings,
    vault: Arc<Vault>,
    slots: Mutex<HashMap<(CorpId, Purpose), Slot>>,
}

/// Each corp has a reader for pages and one for files: a large file delays no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Purpose {
    Pages,
    Media,
}

/// A place for one reader. Whoever holds the lock uses it.
type Slot = Arc<tokio::sync::Mutex<Option<Open>>>;

/// A reader that is open for a corp.
struct Open {
    reader: Reader,
    secret: SecretString,
    calls: u32,
}

impl Archive {
    /// Readers with these settings; none is started yet. The vault opens the private keys.
    pub fn new(settings: Settings, vault: Arc<Vault>) -> Self {
        Self(Arc::new(Inner { settings, vault, slots: Mutex::default() }))
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The vault that opens the private keys.
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// The messages that follow `seq`, still sealed.
    pub async fn pull(&self, corp: &Corp, seq: u64, limit: u32) -> Result<Page, Trouble> {
        let request = Request::Pull { seq, limit, timeout_s: self.timeout_s() };
        let (_, bytes) = self.ask(corp, Purpose::Pages, &request).await?;
        match Page::read(&bytes)? {
            page if page.errcode == 0 => Ok(page),
            page => Err(Trouble::Refused(page.errcode)),
        }
    }

    /// Decrypts messages with their short keys: each one's text, or the library's code.
    pub async fn decrypt(&self, corp: &Corp, items: &[Item]) -> Result<Vec<Result<String, i32>>, Trouble> {
        let (said, _) = self.ask(corp, Purpose::Pages, &Request::Decrypt { items }).await?;
        if said.items.len() != items.len() {
            return Err(Trouble::Odd(format!("{} of {} messages were answered", said.items.len(), items.len())));
        }
        Ok(said.items.into_iter().map(|it| if it.code == 0 { Ok(it.text) } else { Err(it.code) }).collect())
    }

    /// The piece of a file that begins at `index`, which is empty for the first one. None if another file of the corp
    /// is being read.
    pub async fn media(&self, corp: &Corp, index: &str, file: &str) -> Result<Option<Piece>, Trouble> {
        if self.slot(corp, Purpose::Media).try_lock().is_err() {
            return Ok(None);
        }
        let request = Request::Media { index, file, timeout_s: self.timeout_s() };
        let (said, bytes) = self.ask(corp, Purpose::Media, &request).await?;
        let next = said.index.unwrap_or_default();
        Ok(Some(Piece { bytes: bytes.into(), next, is_last: said.finish.unwrap_or(false) }))
    }

    /// The process ids of the readers that run, for tests that look into their memory.
    pub async fn readers(&self) -> Vec<u32> {
        let slots: Vec<_> = self.slots().values().cloned().collect();
        let mut found = Vec::new();
        for slot in slots {
            found.extend(slot.lock().await.as_ref().and_then(|it| it.reader.id()));
        }
        found
    }

    /// Asks the corp's reader. If it does not answer, it is gone afterwards.
    async fn ask(&self, corp: &Corp, purpose: Purpose, request: &Request<'_>) -> Result<(Said, Vec<u8>), Trouble> {
        let slot = self.slot(corp, purpose);
        let mut place = slot.lock().await;
        // Taken out meanwhile: a call that is cut off leaves a reader in the middle of an answer, and drops it.
        let held = place.take().filter(|it| it.secret.expose_secret() == corp.secret.expose_secret());
        let mut open = match held {
            Some(open) => open,
            None => self.open(corp).await?,
        };
        let (said, bytes) = open.reader.ask(request, self.limit()).await.inspect_err(|_| restarted("failed"))?;
        open.calls += 1;
        if said.rss > self.0.settings.memory_max {
            restarted("memory");
        } else if open.calls >= self.0.settings.calls_max {
            restarted("calls");
        } else {
            *place = Some(open);
        }
        match (said.trouble.clone(), said.code) {
            (Some(trouble), _) => Err(Trouble::Library(trouble)),
            (None, 0) => Ok((said, bytes)),
            (None, code) => Err(Trouble::Refused(code)),
        }
    }

    /// Starts a reader and lets it load the library.
    async fn open(&self, corp: &Corp) -> Result<Open, Trouble> {
        let settings = &self.0.settings;
        let mut reader = Reader::start(&settings.program)?;
        let (proxy, passwd) = settings.proxy.as_ref().map(proxy_parts).unwrap_or_default();
        let request = Request::Open {
            lib: &settings.library.to_string_lossy(),
            corpid: corp.corpid.as_str(),
            secret: corp.secret.expose_secret(),
            proxy: proxy.expose_secret(),
            passwd: passwd.expose_secret(),
        };
        let (said, _) = reader.ask(&request, self.limit()).await?;
        match (said.trouble, said.code) {
            (_, code) if code != 0 => Err(Trouble::Refused(code)),
            (Some(trouble), _) => Err(Trouble::Library(trouble)),
            (None, _) => Ok(Open { reader, secret: corp.secret.clone(), calls: 0 }),
        }
    }

    fn slot(&self, corp: &Corp, purpose: Purpose) -> Slot {
        self.slots().entry((corp.corpid.clone(), purpose)).or_default().clone()
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<(CorpId, Purpose), Slot>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn timeout_s(&self) -> i32 {
        i32::try_from(self.0.settings.timeout.as_secs()).unwrap_or(i32::MAX)
    }

    fn limit(&self) -> Duration {
        self.0.settings.timeout + self.0.settings.patience
    }
}

fn restarted(why: &'static str) {
    metrics::counter!("wecomd_archive_reader_restarts_total", "cause" => why).increment(1);
}

/// The library takes a proxy's address and its login separately.
fn proxy_parts(proxy: &SecretString) -> (SecretString, SecretString) {
    let whole = proxy.expose_secret();
    let parts = whole.split_once("://").and_then(|(scheme, rest)| {
        let (login, host) = rest.rsplit_once('@')?;
        Some((format!("{scheme}://{host}"), login.to_owned()))
    });
    let (address, login) = parts.unwrap_or_else(|| (whole.to_owned(), String::new()));
    (address.trim_end_matches('/').into(), login.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_s_login_is_passed_beside_its_address() {
        let parts = |it: &str| {
            let (address, login) = proxy_parts(&it.into());
            (address.expose_secret().to_owned(), login.expose_secret().to_owned())
        };
        let named = |address: &str, login: &str| (address.to_owned(), login.to_owned());
        assert_eq!(parts("socks5://u:p@s@proxy:1080"), named("socks5://proxy:1080", "u:p@s"));
        assert_eq!(parts("http://proxy:3128/"), named("http://proxy:3128", ""));
    }
}
