//! The operator's settings: `wecomd.toml`, overridden by the environment.
//!
//! `texts.rs` and `wecomd.example.toml` explain each setting. A variable is a setting's name in capitals after
//! `WECOMD_`, with two underscores for a section: `WECOMD_HTTP__BODY_BYTES_MAX`. An unknown key or variable is an
//! error, because a typing error must not silently mean the default. What the settings do, beyond their sensible
//! range, is not known here.

mod archive;

mod backup;

mod callback;

mod described;

mod environment;

mod media;

mod proxies;

mod texts;

mod retention;

mod orders;

mod handover;

mod kf;

mod wecom;

pub use archive::{Archive, READER};
pub use backup::Backup;
pub use callback::{Callback, Spool};
pub use described::{Setting, VARIABLES, ValueKind, Variable, settings};
pub use environment::environment;
pub use handover::Handover;
pub use kf::Kf;
pub use media::Media;
pub use orders::{Assignment, Matching};
pub use retention::Retention;
pub use wecom::{Sync, Tasks, Wecom};

use environment::overlay;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};
use toml::Table;

/// Every setting, checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// PostgreSQL's URL; empty for a private server. It holds a password.
    #[serde(serialize_with = "withheld", deserialize_with = "secret")]
    pub database_url: SecretString,
    /// The folder for all data outside PostgreSQL.
    pub data_dir: PathBuf,
    /// The file with the master keys; empty if they come from elsewhere.
    pub master_key_file: PathBuf,
    /// The address of the callback listener.
    #[serde(deserialize_with = "address")]
    pub public_listen: SocketAddr,
    /// The address of the admin listener.
    #[serde(deserialize_with = "address")]
    pub admin_listen: SocketAddr,
    /// The log filter.
    pub log: String,
    /// Whether log lines are JSON objects.
    pub log_json: bool,
    /// Limits of both listeners.
    pub http: Http,
    /// Recording of accepted callbacks.
    pub worker: Worker,
    /// Accepting of callbacks.
    pub callback: Callback,
    /// Keeping of callbacks while the database is away.
    pub spool: Spool,
    /// Connections to PostgreSQL.
    pub database: Database,
    /// The client for WeCom.
    pub wecom: Wecom,
    /// The store of pictures, voice messages and videos.
    pub media: Media,
    /// The message archive.
    pub archive: Archive,
    /// The executors of tasks.
    pub tasks: Tasks,
    /// The assignment of work orders.
    pub assignment: Assignment,
    /// The matching of contacts to customers.
    pub matching: Matching,
    /// Handovers.
    pub handover: Handover,
    /// 微信客服.
    pub kf: Kf,
    /// Reconciling with WeCom.
    pub sync: Sync,
    /// Backups.
    pub backup: Backup,
    /// Retention periods.
    pub retention: Retention,
}

/// Limits of both listeners.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// The longest accepted body, in bytes.
    pub body_bytes_max: usize,
    /// How many connections may be open at once.
    pub connections_max: usize,
    /// How long a request's head may take and a connection may idle, in milliseconds.
    pub header_timeout_ms: u64,
    /// How long a request's body may take, in milliseconds.
    pub body_timeout_ms: u64,
    /// The proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<String>,
}

/// Recording of accepted callbacks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Worker {
    /// Whether this process records.
    pub enabled: bool,
    /// How many deliveries are recorded in one transaction.
    pub batch_max: u32,
    /// How many batches are recorded at once.
    pub workers: u32,
    /// How often a delivery is tried before it is parked.
    pub attempts_max: u32,
}

/// Connections to PostgreSQL.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// How many connections the admin API and the configuration share; accepting, listening and each worker have
    /// their own.
    pub pool_max: u32,
}

/// Why the configuration is refused. The message names the place to correct.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not TOML, or a setting in it is unknown or of the wrong type.
    #[error("{path}:{line}:{column}: {problem}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such setting.
    #[error("the environment variable {name} is no setting; did you mean {nearest}?")]
    UnknownVariable {
        /// The given name.
        name: String,
        /// The most similar known name.
        nearest: String,
    },
    /// A variable's value is of the wrong type.
    #[error("the environment variable {name} is not {wanted}")]
    Variable {
        /// The variable.
        name: String,
        /// The expected type.
        wanted: &'static str,
    },
    /// A value is invalid.
    #[error("{key}: {problem}")]
    Setting {
        /// The setting.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Config {
    /// Reads the file at `path` (or `./wecomd.toml`, if there is one), then the environment, and checks the result.
    pub fn load(path: Option<&Path>, env: impl Iterator<Item = (String, String)>) -> Result<Config, ConfigError> {
        let env: BTreeMap<String, String> = env.filter(|(_, value)| !value.is_empty()).collect();
        let standard = Path::new("wecomd.toml");
        let mut settings = match path.or_else(|| standard.exists().then_some(standard)) {
            Some(path) => read(path)?,
            None => Table::new(),
        };
        overlay(&mut settings, &env)?;
        let mut config: Config = serde_path_to_error::deserialize(settings)
            .map_err(|error| setting(&error.path().to_string(), error.inner().message()))?;
        if config.data_dir.as_os_str().is_empty() {
            config.data_dir = default_data_dir(&env)?;
        }
        config.check()?;
        Ok(config)
    }

    /// PostgreSQL's URL; none for a private server.
    pub fn database_url(&self) -> Option<&SecretString> {
        Some(&self.database_url).filter(|url| !url.expose_secret().is_empty())
    }

    /// The file with the master keys, if one is configured.
    pub fn master_key_file(&self) -> Option<&Path> {
        Some(self.master_key_file.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    fn check(&self) -> Result<(), ConfigError> {
        let http = &self.http;
        within("http.body_bytes_max", http.body_bytes_max as u64, 1_024..=64 << 20)?;
        within("http.connections_max", http.connections_max as u64, 1..=1_000_000)?;
        within("http.header_timeout_ms", http.header_timeout_ms, 100..=60_000)?;
        within("http.body_timeout_ms", http.body_timeout_ms, 100..=60_000)?;
        http.trusted_networks()?;
        within("worker.batch_max", self.worker.batch_max.into(), 1..=5_000)?;
        within("worker.workers", self.worker.workers.into(), 1..=64)?;
        within("worker.attempts_max", self.worker.attempts_max.into(), 1..=100)?;
        within("callback.key_overlap_hours", self.callback.key_overlap_hours.into(), 0..=720)?;
        self.spool.check()?;
        within("database.pool_max", self.database.pool_max.into(), 2..=1_000)?;
        self.wecom.check()?;
        self.tasks.check()?;
        self.sync.check()?;
        self.media.check()?;
        self.archive.check()?;
        self.assignment.check()?;
        self.matching.check()?;
        self.handover.check()?;
        self.kf.check()?;
        self.backup.check()?;
        self.retention.check()?;
        if self.public_listen == self.admin_listen && self.public_listen.port() != 0 {
            return Err(setting(
                "admin_listen",
                "must differ from public_listen: administrators have a listener of their own",
            ));
        }
        crate::telemetry::parse_filter(&self.log).map_err(|error| setting("log", &error.to_string()))?;
        let url = self.database_url.expose_secret();
        if !url.is_empty() && !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(setting("database_url", "must begin with postgres://"));
        }
        Ok(())
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database_url: SecretString::default(),
            data_dir: PathBuf::new(),
            master_key_file: PathBuf::new(),
            public_listen: ([0, 0, 0, 0], 8080).into(),
            admin_listen: ([127, 0, 0, 1], 8081).into(),
            log: "info".to_owned(),
            log_json: false,
            http: Http::default(),
            worker: Worker::default(),
            callback: Callback::default(),
            spool: Spool::default(),
            database: Database::default(),
            wecom: Wecom::default(),
            media: Media::default(),
            archive: Archive::default(),
            tasks: Tasks::default(),
            assignment: Assignment::default(),
            matching: Matching::default(),
            handover: Handover::default(),
            kf: Kf::default(),
            sync: Sync::default(),
            backup: Backup::default(),
            retention: Retention::default(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            connections_max: 10_000,
            header_timeout_ms: 5_000,
            body_timeout_ms: 5_000,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self { enabled: true, batch_max: 500, workers: 2, attempts_max: 10 }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { pool_max: 16 }
    }
}

/// Parses the file by itself first, because line numbers are lost afterwards.
fn read(path: &Path) -> Result<Table, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
    let parsed = toml::from_str::<Config>(&text).and_then(|_| toml::from_str::<Table>(&text));
    parsed.map_err(|error| {
        // Only the message: toml would also quote the line, which may hold a password.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        ConfigError::Line { path: path.to_owned(), line, column, problem: error.message().to_owned() }
    })
}

fn default_data_dir(env: &BTreeMap<String, String>) -> Result<PathBuf, ConfigError> {
    if crate::embedded::is_root() {
        return Ok("/var/lib/wecomd".into());
    }
    let share = env.get("XDG_DATA_HOME").map(PathBuf::from);
    let share = share.or_else(|| Some(Path::new(env.get("HOME")?).join(".local/share")));
    share.map(|it| it.join("wecomd")).ok_or_else(|| setting("data_dir", "must be set, because there is no HOME"))
}

fn within(key: &str, value: u64, range: RangeInclusive<u64>) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(setting(key, &format!("is {value}, but must be between {} and {}", range.start(), range.end())))
}

fn setting(key: &str, problem: &str) -> ConfigError {
    ConfigError::Setting { key: key.to_owned(), problem: problem.to_owned() }
}

fn address<'de, D: Deserializer<'de>>(input: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(input)?;
    text.parse().map_err(|_| de::Error::custom(format!("`{text}` is no address and port, such as 127.0.0.1:8080")))
}

fn secret<'de, D: Deserializer<'de>>(input: D) -> Result<SecretString, D::Error> {
    String::deserialize(input).map(SecretString::from)
}

/// Settings are serialized only to learn their names and types; a secret is left out.
fn withheld<S: Serializer>(_: &SecretString, output: S) -> Result<S::Ok, S::Error> {
    output.serialize_str("")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../wecomd.example.toml");

    #[test]
    fn the_example_names_every_setting_with_its_default() {
        let is_setting = |line: &str| line.strip_prefix('#').is_some_and(|it| it.starts_with(char::is_lowercase));
        let uncommented: Vec<&str> =
            EXAMPLE.lines().map(|line| if is_setting(line) { line.trim_start_matches('#') } else { line }).collect();
        let example: Table = uncommented.join("\n").parse().expect("TOML");
        assert_eq!(example, Table::try_from(Config::default()).expect("TOML"));
        toml::from_str::<Config>(EXAMPLE).expect("the example is a valid configuration");
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = File::new("wins", "log = 'warn'\n[http]\nbody_bytes_max = 2048\nconnections_max = 7\n");
        let config = file.load(&[
            ("WECOMD_HTTP__BODY_BYTES_MAX", "4096"),
            ("WECOMD_LOG_JSON", "true"),
            ("WECOMD_PUBLIC_LISTEN", "[::1]:9000"),
            ("DATABASE_URL", "postgres://one"),
            ("WECOMD_DATABASE_URL", "postgres://two"),
            ("WECOMD_DATA_DIR", "/data"),
            ("WECOMD_MASTER_KEY_FILE", ""),
        ]);
        let config = config.expect("a configuration");
        assert_eq!((config.http.body_bytes_max, config.http.connections_max), (4096, 7));
        assert_eq!((config.log.as_str(), config.log_json), ("warn", true));
        assert_eq!(config.public_listen.to_string(), "[::1]:9000");
        assert_eq!(config.database_url().map(ExposeSecret::expose_secret), Some("postgres://two"));
        assert_eq!((config.data_dir.as_path(), config.master_key_file()), (Path::new("/data"), None));
    }

    #[test]
    fn an_empty_file_and_an_empty_environment_leave_the_defaults() {
        let config = File::new("empty", "").load(&[]).expect("a configuration");
        assert!(["/var/lib/wecomd", "/home/li/.local/share/wecomd"].map(PathBuf::from).contains(&config.data_dir));
        assert!(config.database_url().is_none() && config.master_key_file().is_none());
        let [mut loaded, standard] = [&config, &Config::default()].map(|it| Table::try_from(it).expect("TOML"));
        loaded.insert("data_dir".to_owned(), "".into());
        assert_eq!(loaded, standard);
    }

    #[test]
    fn a_file_that_was_named_must_exist() {
        let error = Config::load(Some(Path::new("/nowhere/wecomd.toml")), std::iter::empty()).expect_err("missing");
        assert!(error.to_string().starts_with("/nowhere/wecomd.toml: No such file"), "{error}");
    }

    #[test]
    fn an_error_in_the_file_names_its_line_and_shows_no_value() {
        let problem = |text: &str| {
            let file = File::new("line", text);
            file.load(&[]).expect_err("refused").to_string().replace(&file.0.display().to_string(), "FILE")
        };
        assert!(problem("log = 'info'\n[http]\nbody_byte_max = 1\n").starts_with("FILE:3:1: unknown field"));
        assert!(problem("[worker]\nworkers = 'many'\n").starts_with("FILE:2:11: invalid type"));
        assert!(problem("\nadmin_listen = 'localhost'\n").contains("FILE:2:16: `localhost` is no address and port"));
        let broken = problem("database_url = 'postgres://u:hunter2@h\n");
        assert!(broken.starts_with("FILE:1:") && !broken.contains("hunter2"), "{broken}");
    }

    #[test]
    fn an_unknown_variable_is_named_with_the_known_one_it_resembles() {
        let file = File::new("unknown", "");
        let problem = |name: &str, value: &str| file.load(&[(name, value)]).expect_err("refused").to_string();
        assert_eq!(
            problem("WECOMD_HTTP__BODY_BYTES", "1"),
            "the environment variable WECOMD_HTTP__BODY_BYTES is no setting; did you mean WECOMD_HTTP__BODY_BYTES_MAX?"
        );
        assert!(problem("WECOMD_MASTERKEY", "1").ends_with("did you mean WECOMD_MASTER_KEY?"));
        assert!(problem("WECOMD_WORKER__ENABLED", "yes").ends_with("is not `true` or `false`"));
        assert!(problem("WECOMD_WORKER__WORKERS", "2.5").ends_with("WORKER__WORKERS is not a whole number"));
        for skipped in
            ["WECOMD_CONFIG", "WECOMD_PG_BIN", "WECOMD_TEST_DATABASE_URL", "WECOMD_PORT_80_TCP", "HTTP_PROXY"]
        {
            file.load(&[(skipped, "anything")]).expect("none of our settings");
        }
    }

    #[test]
    fn an_invalid_value_is_refused_by_the_name_of_its_setting() {
        let file = File::new("range", "");
        for (name, value, expected) in [
            ("WECOMD_WORKER__BATCH_MAX", "0", "worker.batch_max: is 0, but must be between 1 and 5000"),
            ("WECOMD_WORKER__WORKERS", "65", "worker.workers: is 65, but must be between 1 and 64"),
            ("WECOMD_WORKER__WORKERS", "-1", "worker.workers: invalid value"),
            ("WECOMD_PUBLIC_LISTEN", "8080", "public_listen: `8080` is no address and port"),
            ("WECOMD_ADMIN_LISTEN", "0.0.0.0:8080", "admin_listen: must differ from public_listen"),
            ("WECOMD_MATCHING__ORDER", "mobile, state", "matching.order: must begin with state"),
            ("WECOMD_LOG", "wecomd=loud", "log: not a log filter"),
            ("DATABASE_URL", "mysql://root@db", "database_url: must begin with postgres://"),
        ] {
            let error = file.load(&[(name, value)]).expect_err("refused").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn debug_does_not_show_the_database_password() {
        let file = File::new("debug", "database_url = 'postgres://u:hunter2@h/db'");
        let shown = format!("{:?}", file.load(&[]).expect("a configuration"));
        assert!(shown.contains("pool_max") && !shown.contains("hunter2"), "{shown}");
    }

    /// A settings file that is deleted with the test.
    struct File(PathBuf);

    impl File {
        fn new(name: &str, text: &str) -> Self {
            let path = std::env::temp_dir().join(format!("wecomd-config-{name}-{}.toml", std::process::id()));
            fs::write(&path, text).expect("a file");
            Self(path)
        }

        fn load(&self, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
            let home = [("HOME", "/home/li")];
            let env = home.iter().chain(env).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Config::load(Some(&self.0), env)
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }
}
