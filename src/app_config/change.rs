//! Applies a change to an app's row: pure, except for sealing and opening secrets.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{
    SaveError,
    input::{NewConfig, check_keys},
};
use crate::{
    ids::CorpId,
    tables::apps::enterprise_wechat_config::{Row, sealed_at},
    vault::{Vault, VaultError},
};

/// The circumstances of a change.
pub(super) struct Change<'a> {
    /// Seals and opens the secrets.
    pub(super) vault: &'a Vault,
    /// When the change is made.
    pub(super) now: DateTime<Utc>,
    /// How long callback keys stay valid after they were replaced.
    pub(super) key_overlap: TimeDelta,
}

impl Change<'_> {
    /// Writes the given fields into the row; the others stay.
    pub(super) fn apply(&self, row: &mut Row, new: NewConfig) -> Result<(), SaveError> {
        let status = new.status()?;
        self.rotate(row, new.token, new.encoding_aes_key)?;
        if let Some(secret) = new.secret {
            self.replace(row, &secret)?;
        }
        if let Some(corpid) = new.corpid {
            row.corpid = CorpId(corpid);
        }
        if let Some(agentid) = new.agentid {
            row.agentid = agentid;
        }
        if let Some(text) = new.welcome_message {
            row.welcome_message = text;
        }
        if let Some(rules) = new.welcome {
            row.welcome = serde_json::to_value(rules)?;
        }
        if let Some(ids) = new.receive_ids {
            row.receive_ids = ids;
        }
        if let Some(rules) = new.auto_reply {
            row.auto_reply = serde_json::to_value(rules)?;
        }
        if let Some(status) = status {
            row.status = status;
        }
        row.updated_at = self.now;
        Ok(())
    }

    /// Replaces the secret; an empty one removes it.
    fn replace(&self, row: &mut Row, secret: &SecretString) -> Result<(), SaveError> {
        let current = match &row.secret {
            Some(sealed) => self.open(row, "secret", sealed)?,
            None => SecretString::default(),
        };
        if !same(secret, &current) {
            let empty = secret.expose_secret().is_empty();
            row.secret = if empty { None } else { Some(self.seal(row, "secret", secret)?) };
            row.secret_rotated_at = Some(self.now);
        }
        Ok(())
    }

    /// Replaces the callback keys. The old ones stay valid for a while, because nobody knows the moment at which
    /// WeCom switches over. Giving the current keys again changes nothing.
    fn rotate(&self, row: &mut Row, token: Option<SecretString>, key: Option<SecretString>) -> Result<(), SaveError> {
        if token.is_none() && key.is_none() {
            return Ok(());
        }
        let current_token = self.open(row, "token", &row.token)?;
        let current_key = self.open(row, "encoding_aes_key", &row.encoding_aes_key)?;
        let token = token.unwrap_or_else(|| current_token.clone());
        let key = key.unwrap_or_else(|| current_key.clone());
        check_keys(&token, &key)?;
        if same(&token, &current_token) && same(&key, &current_key) {
            return Ok(());
        }
        row.token = self.seal(row, "token", &token)?;
        row.encoding_aes_key = self.seal(row, "encoding_aes_key", &key)?;
        row.keys_rotated_at = self.now;
        // A sealed value opens only in its own column, so the old secrets are sealed again for their new columns.
        row.previous_token = Some(self.seal(row, "previous_token", &current_token)?);
        row.previous_encoding_aes_key = Some(self.seal(row, "previous_encoding_aes_key", &current_key)?);
        row.previous_until = self.now.checked_add_signed(self.key_overlap);
        Ok(())
    }

    fn seal(&self, row: &Row, column: &str, plain: &SecretString) -> Result<Vec<u8>, VaultError> {
        self.vault.seal(&sealed_at(&row.name, column), plain)
    }

    fn open(&self, row: &Row, column: &str, sealed: &[u8]) -> Result<SecretString, VaultError> {
        self.vault.open(&sealed_at(&row.name, column), sealed)
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::AppStatus;

    const KEYS: [&str; 2] =
        ["jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "kWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"];

    fn secret(text: &str) -> Option<SecretString> {
        Some(text.to_owned().into())
    }

    fn row(vault: &Vault) -> Row {
        let sealed = |column, plain: &str| vault.seal(&sealed_at("shop", column), &plain.to_owned().into());
        Row {
            id: 1,
            name: "shop".to_owned(),
            corpid: "ww1".into(),
            agentid: "1000002".to_owned(),
            secret: Some(sealed("secret", "s3cret").expect("sealed")),
            token: sealed("token", "tokenA").expect("sealed"),
            encoding_aes_key: sealed("encoding_aes_key", KEYS[0]).expect("sealed"),
            previous_token: None,
            previous_encoding_aes_key: None,
            previous_until: None,
            previous_deliveries: 0,
            previous_last_at: None,
            receive_ids: None,
            welcome_message: Some("hello".to_owned()),
            welcome: serde_json::json!({}),
            auto_reply: serde_json::json!([]),
            status: AppStatus::Enabled,
            secret_rotated_at: None,
            keys_rotated_at: DateTime::UNIX_EPOCH,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    fn change(vault: &Vault) -> Change<'_> {
        Change { vault, now: DateTime::UNIX_EPOCH + TimeDelta::hours(1), key_overlap: TimeDelta::hours(24) }
    }

    /// All four callback secrets, each opened in its own column.
    fn keys(vault: &Vault, row: &Row) -> String {
        let open = |column: &str, sealed: Option<&Vec<u8>>| match sealed {
            Some(sealed) => {
                vault.open(&sealed_at("shop", column), sealed).expect("opens").expose_secret()[..6].to_owned()
            }
            None => "-".to_owned(),
        };
        [
            open("token", Some(&row.token)),
            open("encoding_aes_key", Some(&row.encoding_aes_key)),
            open("previous_token", row.previous_token.as_ref()),
            open("previous_encoding_aes_key", row.previous_encoding_aes_key.as_ref()),
        ]
        .join(" ")
    }

    #[test]
    fn replaced_callback_keys_stay_valid_for_the_overlap() {
        let vault = Vault::random();
        let mut row = row(&vault);
        change(&vault).apply(&mut row, NewConfig { token: secret("tokenB"), ..Default::default() }).expect("rotated");
        assert_eq!(keys(&vault, &row), "tokenB jWmYm7 tokenA jWmYm7");
        assert_eq!(row.previous_until, Some(DateTime::UNIX_EPOCH + TimeDelta::hours(25)));
        assert_eq!(row.keys_rotated_at, DateTime::UNIX_EPOCH + TimeDelta::hours(1));

        let both = NewConfig { token: secret("tokenC"), encoding_aes_key: secret(KEYS[1]), ..Default::default() };
        change(&vault).apply(&mut row, both).expect("rotated again");
        assert_eq!(keys(&vault, &row), "tokenC kWmYm7 tokenB jWmYm7");
    }

    #[test]
    fn the_same_secrets_again_rotate_nothing() {
        let vault = Vault::random();
        let mut row = row(&vault);
        let before = row.clone();
        let again = NewConfig {
            secret: secret("s3cret"),
            token: secret("tokenA"),
            encoding_aes_key: secret(KEYS[0]),
            ..Default::default()
        };
        change(&vault).apply(&mut row, again).expect("nothing to do");
        assert_eq!(format!("{row:?}"), format!("{:?}", Row { updated_at: row.updated_at, ..before }));
    }

    #[test]
    fn new_callback_keys_are_checked_together_with_those_that_stay() {
        let vault = Vault::random();
        let new = NewConfig { encoding_aes_key: secret("short"), ..Default::default() };
        let problem = change(&vault).apply(&mut row(&vault), new).expect_err("too short");
        assert!(matches!(problem, SaveError::Invalid(it) if it.field == "encoding_aes_key"));
    }

    #[test]
    fn missing_fields_are_kept_and_cleared_fields_are_removed() {
        let vault = Vault::random();
        let mut row = row(&vault);
        let (before, now) = (row.clone(), change(&vault).now);
        change(&vault).apply(&mut row, NewConfig::default()).expect("nothing given");
        assert_eq!(format!("{row:?}"), format!("{:?}", Row { updated_at: now, ..before }));

        let clear = NewConfig { secret: secret(""), welcome_message: Some(None), ..Default::default() };
        change(&vault).apply(&mut row, clear).expect("cleared");
        assert_eq!((row.secret, row.secret_rotated_at, row.welcome_message), (None, Some(now), None));
    }

    #[test]
    fn keys_sealed_with_another_master_key_are_an_error_and_not_discarded() {
        let mut row = row(&Vault::random());
        let new = NewConfig { token: secret("tokenB"), ..Default::default() };
        let problem = change(&Vault::random()).apply(&mut row, new).expect_err("sealed by another");
        assert!(matches!(problem, SaveError::Vault(_)), "{problem}");
    }
}
