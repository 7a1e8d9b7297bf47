//! The company that the callbacks are about, and its apps with their callback keys.
//!
//! A [`Corp`] is either made up from a seed or filled in from a real configuration; in both cases it holds the values
//! that an administrator enters in WeCom's console. Printing it shows no secret.

use std::fmt;

use super::chance::{ALPHANUMERIC, Chance, HEX};
use super::push::AppKind;
use crate::crypto::{CallbackKeys, KeyError};
use crate::ids::CorpId;

/// WeCom's console offers Tokens and keys of these lengths.
const TOKEN_CHARS: usize = 32;
const ENCODING_AES_KEY_CHARS: usize = 43;
const SECRET_CHARS: usize = 43;

/// The archive's number, the same in every company.
const ARCHIVE_AGENTID: &str = "2000004";

/// A company with its apps.
#[derive(Debug, Clone)]
pub struct Corp {
    /// The company's id.
    pub corpid: CorpId,
    /// Its apps; the first of a kind is the one that is pushed to.
    pub apps: Vec<App>,
}

/// One app that has a callback URL.
#[derive(Clone)]
pub struct App {
    /// What it is for.
    pub kind: AppKind,
    /// Its name in the callback URL.
    pub name: String,
    /// The signature's secret.
    pub token: String,
    /// The cipher's key, as the console shows it.
    pub encoding_aes_key: String,
    /// The app's number, empty for a system tool such as directory sync.
    pub agentid: String,
    /// The receiveid at the end of each frame: the corp id, except for suites and robots.
    pub receive_id: String,
    /// The app's secret, for requesting access tokens.
    pub secret: String,
}

impl Corp {
    /// Makes up a company with one app for customers and messages and one for the directory.
    pub fn from_seed(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "corp");
        let corpid = format!("ww{}", chance.text(HEX, 16));
        let mut app = |kind, name: &str, agentid: &str| App {
            kind,
            name: name.to_owned(),
            token: chance.text(ALPHANUMERIC, TOKEN_CHARS),
            encoding_aes_key: chance.text(ALPHANUMERIC, ENCODING_AES_KEY_CHARS),
            agentid: agentid.to_owned(),
            receive_id: corpid.clone(),
            secret: App::secret_from_seed(seed, name),
        };
        let apps = vec![app(AppKind::App, "service", "1000002"), app(AppKind::Directory, "directory", "")];
        Self { corpid: CorpId(corpid), apps }
    }

    /// Adds the message archive, which counts as an app.
    pub fn with_archive(mut self, seed: u64) -> Self {
        let mut chance = Chance::new(seed, "archive");
        self.apps.push(App {
            kind: AppKind::Archive,
            name: "archive".to_owned(),
            token: chance.text(ALPHANUMERIC, TOKEN_CHARS),
            encoding_aes_key: chance.text(ALPHANUMERIC, ENCODING_AES_KEY_CHARS),
            agentid: ARCHIVE_AGENTID.to_owned(),
            receive_id: self.corpid.0.clone(),
            secret: App::secret_from_seed(seed, "archive"),
        });
        self
    }

    /// The app that gets pushes of this kind. A company without a directory app has them sent to its only app.
    pub fn app(&self, kind: AppKind) -> Option<&App> {
        self.apps.iter().find(|app| app.kind == kind).or_else(|| self.apps.first())
    }
}

impl App {
    /// Makes up the secret of the app with this name.
    pub fn secret_from_seed(seed: u64, name: &str) -> String {
        Chance::new(seed, &format!("secret of {name}")).text(ALPHANUMERIC, SECRET_CHARS)
    }

    /// The keys, checked.
    pub fn keys(&self) -> Result<CallbackKeys, KeyError> {
        CallbackKeys::new(&self.token, &self.encoding_aes_key)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .field("agentid", &self.agentid)
            .field("receive_id", &self.receive_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_makes_the_same_company_with_valid_keys() {
        let (one, same, other) = (Corp::from_seed(1), Corp::from_seed(1), Corp::from_seed(2));
        assert_eq!(one.corpid, same.corpid);
        assert_ne!(one.corpid, other.corpid);
        for (app, twin) in one.apps.iter().zip(&same.apps) {
            assert!(app.keys().is_ok());
            assert_eq!((&app.token, &app.encoding_aes_key), (&twin.token, &twin.encoding_aes_key));
            assert_eq!(app.secret, twin.secret);
        }
        assert_ne!(one.apps[0].secret, one.apps[1].secret);
        assert_ne!(one.apps[0].secret, other.apps[0].secret);
        assert_ne!(one.apps[0].token, one.apps[1].token);
    }

    #[test]
    fn printing_a_company_shows_no_secret() {
        let corp = Corp::from_seed(1);
        let shown = format!("{corp:?}");
        for app in &corp.apps {
            for secret in [&app.token, &app.encoding_aes_key, &app.secret] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }

    #[test]
    fn a_company_with_one_app_sends_everything_there() {
        let mut corp = Corp::from_seed(1);
        assert_eq!(corp.app(AppKind::Directory).map(|app| app.name.as_str()), Some("directory"));
        corp.apps.truncate(1);
        assert_eq!(corp.app(AppKind::Directory).map(|app| app.name.as_str()), Some("service"));
    }
}
