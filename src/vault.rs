//! Secrets at rest: sealed before they reach the database, opened only where they are used.
//!
//! Input is a secret and its place (`enterprise_wechat_config/shop/secret`); the master keys come from
//! `WECOMD_MASTER_KEY`, a key file, or systemd's credentials. What a secret is for is not known here.
//!
//! A sealed value is `1 | key id u32 | nonce 12 | wrapped data key 48 | nonce 12 | text and tag`, AES-256-GCM both
//! times. Each value has a data key of its own, wrapped by the master key. Version, key id and place are
//! authenticated, so a value that is copied to another row or column does not open.

use aes_gcm::{
    Aes256Gcm, Key, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use base64::{
    Engine,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    env, fmt, fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The master keys. The one with the highest id seals; all of them open.
pub struct Vault {
    current: u32,
    keys: BTreeMap<u32, SecretBox<[u8; KEY_BYTES]>>,
}

/// Why a secret cannot be opened or sealed, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No master key was given.
    #[error(
        "no master key: set WECOMD_MASTER_KEY, or master_key_file in the configuration, or systemd's \
         `LoadCredential=master.key:…`; `openssl rand -base64 32` makes a key"
    )]
    NoKey,
    /// The key file cannot be read or written.
    #[error("the master key file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Other accounts may read or change the key file.
    #[error("the master key file {path} is open to others (mode {mode:o}): run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A line is not a key.
    #[error("{origin}, key {number}: expected `id:base64` with {KEY_BYTES} bytes, each id once")]
    BadKey {
        /// The source of the keys.
        origin: String,
        /// The number of the wrong key, from 1.
        number: usize,
    },
    /// The value was sealed with a key that is missing.
    #[error("sealed with master key {needed}, which is missing (there is {present:?}): add it to the master keys")]
    UnknownKey {
        /// The id of the key it needs.
        needed: u32,
        /// The ids of the keys we have.
        present: Vec<u32>,
    },
    /// The key of that id is a different one, or the value was changed or moved.
    #[error(
        "does not open with master key {key}: give the key that had this id when it was sealed; \
         if it is the right one, the value was altered or moved from another row"
    )]
    Refused {
        /// The id of the key it needs.
        key: u32,
    },
    /// The bytes are not a sealed value.
    #[error("not a sealed value")]
    Format,
}

/// A new token for the admin API, at the only time its secret is known.
#[derive(Debug)]
pub struct ApiToken {
    /// The secret, shown to its owner once.
    pub secret: SecretString,
    /// The stored hash. 192 random bits need no slow hash.
    pub hash: [u8; 32],
    /// The prefix in lists, so that people can tell tokens apart.
    pub prefix: String,
}

impl Vault {
    /// Reads the master keys from `WECOMD_MASTER_KEY`, else from `file`, else from systemd's credential `master.key`.
    ///
    /// Each source holds one key (with id 1), or several `id:base64` separated by commas or line breaks.
    pub fn from_env_or_file(file: Option<&Path>) -> Result<Vault, VaultError> {
        let variable = env::var("WECOMD_MASTER_KEY").ok().filter(|text| !text.trim().is_empty());
        let credentials = env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Self::find(variable.map(Zeroizing::new), file, credentials)
    }

    /// Generates a key and writes it to a new file that only its owner can read.
    pub fn generate(path: &Path) -> Result<Vault, VaultError> {
        let key = Zeroizing::new(rand::random::<[u8; KEY_BYTES]>());
        let line = Zeroizing::new(format!("1:{}\n", BASE64.encode(*key)));
        let write = || {
            let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|source| VaultError::File { path: path.to_owned(), source })?;
        Ok(Self::of(1, *key))
    }

    /// Generates a key that exists only in this process.
    pub fn random() -> Vault {
        Self::of(1, rand::random())
    }

    /// Seals `plain` for the place `row`; it opens only there.
    pub fn seal(&self, row: &str, plain: &SecretString) -> Result<Vec<u8>, VaultError> {
        let key = Zeroizing::new(rand::random::<[u8; KEY_BYTES]>());
        let (key_nonce, text_nonce): ([u8; NONCE_BYTES], [u8; NONCE_BYTES]) = (rand::random(), rand::random());
        let head = [&[VERSION][..], &self.current.to_be_bytes()].concat();
        let aad = [&head[..], row.as_bytes()].concat();
        let refused = |_| VaultError::Refused { key: self.current };

        let wrapped = self
            .cipher(self.current)?
            .encrypt(&Nonce::from(key_nonce), Payload { msg: &*key, aad: &aad })
            .map_err(refused)?;
        let text = cipher(&key)
            .encrypt(&Nonce::from(text_nonce), Payload { msg: plain.expose_secret().as_bytes(), aad: &aad })
            .map_err(refused)?;
        Ok([&head[..], &key_nonce, &wrapped, &text_nonce, &text].concat())
    }

    /// Opens a value that was sealed for the place `row`.
    pub fn open(&self, row: &str, blob: &[u8]) -> Result<SecretString, VaultError> {
        let (head, rest) = blob.split_first_chunk::<HEAD_BYTES>().ok_or(VaultError::Format)?;
        let [VERSION, id @ ..] = *head else { return Err(VaultError::Format) };
        let (key_nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Format)?;
        let (wrapped, rest) = rest.split_first_chunk::<WRAPPED_BYTES>().ok_or(VaultError::Format)?;
        let (text_nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Format)?;
        let id = u32::from_be_bytes(id);
        let aad = [&head[..], row.as_bytes()].concat();
        let refused = |_| VaultError::Refused { key: id };

        let key = self
            .cipher(id)?
            .decrypt(&Nonce::from(*key_nonce), Payload { msg: wrapped, aad: &aad })
            .map(Zeroizing::new)
            .map_err(refused)?;
        let key: &[u8; KEY_BYTES] = key.as_slice().try_into().map_err(|_| VaultError::Format)?;
        let plain =
            cipher(key).decrypt(&Nonce::from(*text_nonce), Payload { msg: text, aad: &aad }).map_err(refused)?;
        Ok(String::from_utf8(plain).map_err(|_| VaultError::Format)?.into())
    }

    /// The id of the key that seals.
    pub fn current(&self) -> u32 {
        self.current
    }

    /// The ids of all keys.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        self.keys.keys().copied()
    }

    /// Derives a key for another purpose; it opens nothing else and reveals nothing about the master key `id`.
    pub fn derived(&self, id: u32, context: &str, salt: &[u8]) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultError> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let expanded = Hkdf::<Sha256>::new(Some(salt), self.key(id)?).expand(context.as_bytes(), &mut *key);
        expanded.map_err(|_| VaultError::Refused { key: id })?;
        Ok(key)
    }

    fn of(id: u32, key: [u8; KEY_BYTES]) -> Vault {
        Vault { current: id, keys: BTreeMap::from([(id, SecretBox::new(Box::new(key)))]) }
    }

    fn find(
        variable: Option<Zeroizing<String>>,
        file: Option<&Path>,
        credentials: Option<PathBuf>,
    ) -> Result<Vault, VaultError> {
        if let Some(text) = variable {
            return Self::parse("WECOMD_MASTER_KEY", &text);
        }
        if let Some(path) = file {
            let metadata = fs::metadata(path).map_err(|source| VaultError::File { path: path.to_owned(), source })?;
            let mode = metadata.mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(VaultError::Exposed { path: path.to_owned(), mode });
            }
            return Self::read(path);
        }
        // systemd protects its credentials by access lists, which make the file mode look wider than it is.
        let credential = credentials.map(|folder| folder.join("master.key")).filter(|path| path.exists());
        Self::read(&credential.ok_or(VaultError::NoKey)?)
    }

    fn read(path: &Path) -> Result<Vault, VaultError> {
        let text = fs::read_to_string(path).map_err(|source| VaultError::File { path: path.to_owned(), source })?;
        Self::parse(&path.display().to_string(), &Zeroizing::new(text))
    }

    fn parse(origin: &str, text: &str) -> Result<Vault, VaultError> {
        let mut keys = BTreeMap::new();
        let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        for (index, entry) in entries.enumerate() {
            let bad = || VaultError::BadKey { origin: origin.to_owned(), number: index + 1 };
            let (id, key) = entry.split_once(':').unwrap_or(("1", entry));
            let id: u32 = id.trim().parse().map_err(|_| bad())?;
            let key = Zeroizing::new(BASE64.decode(key.trim()).map_err(|_| bad())?);
            let key: [u8; KEY_BYTES] = key.as_slice().try_into().map_err(|_| bad())?;
            if keys.insert(id, SecretBox::new(Box::new(key))).is_some() {
                return Err(bad());
            }
        }
        let current = *keys.keys().next_back().ok_or(VaultError::NoKey)?;
        Ok(Vault { current, keys })
    }

    fn cipher(&self, id: u32) -> Result<Aes256Gcm, VaultError> {
        Ok(cipher(self.key(id)?))
    }

    fn key(&self, id: u32) -> Result<&[u8; KEY_BYTES], VaultError> {
        let unknown = || VaultError::UnknownKey { needed: id, present: self.ids().collect() };
        Ok(self.keys.get(&id).ok_or_else(unknown)?.expose_secret())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault([REDACTED])")
    }
}

impl ApiToken {
    /// Generates a token.
    #[expect(clippy::new_without_default, reason = "a default that is different each time would surprise")]
    pub fn new() -> ApiToken {
        let random = URL_SAFE_NO_PAD.encode(rand::random::<[u8; TOKEN_BYTES]>());
        let secret = format!("wcd_{random}");
        let prefix = secret.chars().take(PREFIX_CHARS).collect();
        ApiToken { hash: token_hash(&secret), prefix, secret: secret.into() }
    }
}

/// The stored hash of an API token, by which it is looked up.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Whether a text has the form of an API token; others need no look-up.
pub fn is_token(text: &str) -> bool {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    text.strip_prefix("wcd_").is_some_and(|it| it.len() == TOKEN_CHARS && it.bytes().all(allowed))
}

/// The layout's version. A new layout gets a new number; old values stay readable.
const VERSION: u8 = 1;

/// AES-256, for master keys and data keys alike.
const KEY_BYTES: usize = 32;

/// GCM's nonce. It is random: a data key seals one value, and a master key far fewer than 2³² of them.
const NONCE_BYTES: usize = 12;

/// Version and key id.
const HEAD_BYTES: usize = 5;

/// A data key and its tag.
const WRAPPED_BYTES: usize = KEY_BYTES + 16;

/// The random bytes of an API token.
const TOKEN_BYTES: usize = 24;

/// Their length in base64.
const TOKEN_CHARS: usize = TOKEN_BYTES / 3 * 4;

/// The length of a token's prefix in lists: `wcd_` and six characters, which leaves 156 bits unknown.
const PREFIX_CHARS: usize = 10;

/// Accepts keys with and without padding, since tools print both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn cipher(key: &[u8; KEY_BYTES]) -> Aes256Gcm {
    Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, sample::Index};

    const ROW: &str = "enterprise_wechat_config/shop/secret";

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_sealed_value_opens_only_in_the_place_it_was_sealed_for(plain in ".{0,80}", row in ".{0,20}", other in ".{0,20}") {
            let vault = Vault::random();
            let blob = vault.seal(&row, &plain.clone().into()).expect("sealed");
            let opened = vault.open(&row, &blob).expect("opened");
            prop_assert_eq!(opened.expose_secret(), &plain);
            if row != other {
                let elsewhere = vault.open(&other, &blob);
                prop_assert!(matches!(elsewhere, Err(VaultError::Refused { .. })), "{:?}", elsewhere);
            }
        }

        #[test]
        fn a_value_with_one_bit_changed_or_its_end_cut_does_not_open(at in any::<Index>(), bit in 0..8u8) {
            let vault = Vault::random();
            let blob = vault.seal(ROW, &"s3cret".to_owned().into()).expect("sealed");
            let at = at.index(blob.len());
            let mut changed = blob.clone();
            changed[at] ^= 1 << bit;
            prop_assert!(vault.open(ROW, &changed).is_err());
            prop_assert!(vault.open(ROW, &blob[..at]).is_err());
        }
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_still_opens() {
        let (old, new) = (BASE64.encode([1; 32]), BASE64.encode([2; 32]));
        let before = Vault::parse("test", &old).expect("a bare key has id 1");
        let after = Vault::parse("test", &format!("1:{old}, 2:{new}\n")).expect("two keys");

        let sealed_before = before.seal(ROW, &"a".to_owned().into()).expect("sealed");
        assert_eq!(after.open(ROW, &sealed_before).expect("opened").expose_secret(), "a");
        let sealed_after = after.seal(ROW, &"b".to_owned().into()).expect("sealed");
        let error = before.open(ROW, &sealed_after).expect_err("it has no key 2");
        assert!(error.to_string().starts_with("sealed with master key 2, which is missing (there is [1])"), "{error}");
    }

    #[test]
    fn a_derived_key_differs_with_its_context_its_salt_and_its_master_key() {
        let vault = Vault::parse("test", &format!("1:{},2:{}", BASE64.encode([1; 32]), BASE64.encode([2; 32])));
        let vault = vault.expect("two keys");
        let derived = |id, context, salt: &[u8]| *vault.derived(id, context, salt).expect("a key");
        let first = derived(1, "backup", b"salt");
        assert_eq!(first, derived(1, "backup", b"salt"));
        let others =
            [derived(2, "backup", b"salt"), derived(1, "other", b"salt"), derived(1, "backup", b"other"), [1; 32]];
        assert!(others.iter().all(|it| *it != first));
        assert!(matches!(vault.derived(3, "backup", b""), Err(VaultError::UnknownKey { needed: 3, .. })));
    }

    #[test]
    fn a_value_sealed_with_another_key_is_refused_with_the_key_id() {
        let blob = Vault::random().seal(ROW, &"a".to_owned().into()).expect("sealed");
        let error = Vault::random().open(ROW, &blob).expect_err("the key is another");
        assert!(error.to_string().starts_with("does not open with master key 1"), "{error}");
    }

    #[test]
    fn malformed_master_keys_are_refused_by_their_number() {
        let good = BASE64.encode([7; 32]);
        for (text, number) in [("c2hvcnQ=", 1), (&format!("{good},1:{good}"), 2), (&format!("{good}\nx:{good}"), 2)] {
            let error = Vault::parse("WECOMD_MASTER_KEY", text).expect_err("refused").to_string();
            assert!(error.starts_with(&format!("WECOMD_MASTER_KEY, key {number}:")), "{error}");
            assert!(!error.contains(&good), "an error shows no key");
        }
        assert!(matches!(Vault::parse("test", " \n"), Err(VaultError::NoKey)));
        assert!(Vault::parse("test", good.trim_end_matches('=')).is_ok(), "padding is optional");
    }

    #[test]
    fn the_key_variable_precedes_the_file_and_the_file_the_credential() {
        let folder = Folder::new("order");
        let (file, credential) = (folder.0.join("key"), folder.0.join("master.key"));
        let made = Vault::generate(&file).expect("a new file");
        Vault::generate(&credential).expect("a new file");
        let blob = made.seal(ROW, &"a".to_owned().into()).expect("sealed");

        let opens = |vault: Result<Vault, VaultError>| vault.expect("found").open(ROW, &blob).is_ok();
        let variable = || Some(Zeroizing::new(BASE64.encode([9; 32])));
        assert!(!opens(Vault::find(variable(), Some(&file), None)));
        assert!(opens(Vault::find(None, Some(&file), Some(folder.0.clone()))));
        assert!(!opens(Vault::find(None, None, Some(folder.0.clone()))));
        assert!(matches!(Vault::find(None, None, None), Err(VaultError::NoKey)));
        assert!(matches!(Vault::generate(&file), Err(VaultError::File { .. })), "a key is never overwritten");
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let folder = Folder::new("mode");
        let file = folder.0.join("key");
        Vault::generate(&file).expect("a new file");
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o640)).expect("chmod");
        let error = Vault::find(None, Some(&file), None).expect_err("open to its group");
        assert!(error.to_string().ends_with(&format!("(mode 640): run `chmod 600 {}`", file.display())), "{error}");
    }

    #[test]
    fn debug_output_shows_no_key_and_no_token() {
        assert_eq!(format!("{:?}", Vault::parse("test", &BASE64.encode([7; 32]))), "Ok(Vault([REDACTED]))");
        let token = ApiToken::new();
        assert!(!format!("{token:?}").contains(token.secret.expose_secret()));
    }

    #[test]
    fn a_token_is_found_by_its_hash_and_shown_by_its_prefix() {
        let (token, other) = (ApiToken::new(), ApiToken::new());
        let secret = token.secret.expose_secret();
        assert_eq!(secret.len(), 36);
        assert!(secret.starts_with(&token.prefix) && token.prefix.len() == 10, "{}", token.prefix);
        assert_eq!(token_hash(secret), token.hash);
        assert!(is_token(secret) && !is_token(&secret[1..]) && !is_token(&format!("{secret}x")) && !is_token("wcd_"));
        assert_ne!(token.hash, other.hash);
    }

    /// A folder that is deleted with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = env::temp_dir().join(format!("wecomd-vault-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
