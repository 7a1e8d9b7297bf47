//! A made-up company whose apps are saved in a database, and the master key that its processes share.

use std::{fs, net::SocketAddr, time::Duration};

use chrono::TimeDelta;
use secrecy::SecretString;
use sqlx::{PgConnection, PgPool};
use wecomd::{
    app_config::{NewConfig, save},
    sandbox::{Corp, Patience, Sender},
    vault::Vault,
};

use super::folder::Folder;

/// As WeCom, but it goes on for as long as a service may take to be started again.
const PATIENCE: Patience = Patience {
    answer_limit: Duration::from_secs(5),
    verify_limit: Duration::from_secs(5),
    retries: 40,
    pause: Duration::from_millis(5),
};

/// A company, and what opens its secrets.
pub(crate) struct Company {
    pub(crate) corp: Corp,
    pub(crate) vault: Vault,
    /// What goes into `WECOMD_MASTER_KEY`.
    pub(crate) key: String,
}

impl Company {
    pub(crate) fn new() -> Self {
        let folder = Folder::new("key");
        let file = folder.path().join("master.key");
        let vault = Vault::generate(&file).expect("a key");
        let key = fs::read_to_string(&file).expect("the key").trim().to_owned();
        Self { corp: Corp::from_seed(1), vault, key }
    }

    /// Saves its apps, as an administrator would.
    pub(crate) async fn save(&self, pool: &PgPool) {
        let mut conn = pool.acquire().await.expect("connects");
        enlist(&mut conn, &self.vault, &self.corp).await;
    }

    /// Saves its apps' secrets, so that WeCom can be asked.
    pub(crate) async fn entrust(&self, pool: &PgPool) {
        let mut conn = pool.acquire().await.expect("connects");
        entrust(&mut conn, &self.vault, &self.corp).await;
    }

    /// A pretend WeCom that delivers its callbacks to this address.
    pub(crate) fn sender(&self, address: SocketAddr) -> Sender {
        Sender::new(&format!("http://{address}"), &self.corp, PATIENCE).expect("an address")
    }
}

/// Saves a company's apps, sealed with this vault. They have no secrets, so that nothing calls WeCom by accident.
pub(crate) async fn enlist(conn: &mut PgConnection, vault: &Vault, corp: &Corp) {
    for it in &corp.apps {
        let new = NewConfig {
            name: it.name.clone(),
            corpid: Some(corp.corpid.0.clone()),
            agentid: Some(it.agentid.clone()),
            secret: Some(SecretString::from("")),
            token: Some(it.token.clone().into()),
            encoding_aes_key: Some(it.encoding_aes_key.clone().into()),
            ..NewConfig::default()
        };
        save(conn, vault, TimeDelta::hours(24), new).await.expect("the app is saved");
    }
}

/// Saves the secrets of a company's apps.
pub(crate) async fn entrust(conn: &mut PgConnection, vault: &Vault, corp: &Corp) {
    for it in &corp.apps {
        let secret = Some(it.secret.clone().into());
        let new = NewConfig { name: it.name.clone(), secret, ..NewConfig::default() };
        save(conn, vault, TimeDelta::hours(24), new).await.expect("the secret is saved");
    }
}
