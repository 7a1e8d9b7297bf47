//! Runs PostgreSQL's own programs: chooses a version that fits the server, and passes the connection.
//!
//! The connection's parameters go through the programs' environment, so that no password is in the list of processes,
//! and nothing else of our environment is passed. A program is never older than the server: an older pg_dump refuses
//! with an unhelpful message.

use std::{env, path::Path, process::Stdio};

use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

use super::BackupError;
use crate::embedded::{child, last_lines, programs};

/// A server and database as environment variables for PostgreSQL's programs.
#[derive(Clone)]
pub(super) struct Target {
    variables: Vec<(&'static str, SecretString)>,
}

impl Target {
    /// Reads a URL such as `postgres://user:password@host:5432/database?host=/run/postgresql`.
    pub(super) fn of_url(url: &SecretString) -> Result<Self, BackupError> {
        let url = url.expose_secret();
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or(BackupError::Url)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (place, ""),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');

        let mut variables: Vec<(&'static str, SecretString)> = Vec::new();
        let mut add = |name: &'static str, value: String| {
            if !value.is_empty() {
                variables.retain(|(known, _)| *known != name);
                variables.push((name, value.into()));
            }
        };
        let parts = [("PGUSER", user), ("PGPASSWORD", password), ("PGHOST", host), ("PGPORT", port)];
        for (name, value) in parts.into_iter().chain([("PGDATABASE", database)]) {
            add(name, decoded(value));
        }
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if let Some((_, name)) = PARAMETERS.iter().find(|(known, _)| *known == key) {
                add(name, value.into_owned());
            }
        }
        Ok(Self { variables })
    }

    /// Another database of the same server.
    pub(super) fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.variables.retain(|(known, _)| *known != "PGDATABASE");
        other.variables.push(("PGDATABASE", name.into()));
        other
    }
}

/// One of PostgreSQL's programs, of the first version that is not older than `needed`, ready to connect to `target`;
/// and that version. `folder` is searched first. The program ends with this process.
///
/// A much newer version would work, but its output may be too new for the server.
pub(super) async fn program(
    name: &'static str,
    folder: Option<&Path>,
    needed: u32,
    target: &Target,
) -> Result<(Command, u32), BackupError> {
    let told = folder.map(|folder| folder.join(name)).filter(|it| it.is_file());
    let mut found = Vec::new();
    for path in told.into_iter().chain(programs(name)) {
        let Some(version) = version(&path).await else { continue };
        if version >= needed {
            return Ok((ready(&path, target), version));
        }
        found.push(version.to_string());
    }
    found.dedup();
    let found = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    Err(BackupError::NoProgram { name, needed, found })
}

/// Runs a program to its end.
pub(super) async fn run(name: &'static str, mut command: Command) -> Result<(), BackupError> {
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output().await;
    let output = output.map_err(|error| failed(name, error.to_string().as_bytes()))?;
    if output.status.success() { Ok(()) } else { Err(failed(name, &output.stderr)) }
}

/// The error of a program that failed with this output.
pub(super) fn failed(name: &'static str, words: &[u8]) -> BackupError {
    let words = last_lines(words);
    BackupError::Program { name, words: if words.is_empty() { "it said nothing".to_owned() } else { words } }
}

/// The parameters of a URL's query, and the variables for them.
const PARAMETERS: &[(&str, &str)] = &[
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("options", "PGOPTIONS"),
    ("sslmode", "PGSSLMODE"),
    ("ssl-mode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("ssl-root-cert", "PGSSLROOTCERT"),
    ("ssl-ca", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("ssl-cert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("ssl-key", "PGSSLKEY"),
];

/// Variables that our own connections also use if the URL does not set the parameter.
const CONNECTING: &[&str] = &[
    "PGHOST",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGOPTIONS",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
];

/// The major version of a program, from its `--version`.
async fn version(path: &Path) -> Option<u32> {
    let mut command = Command::from(child::command(path));
    let output = command.arg("--version").stdin(Stdio::null()).kill_on_drop(true).output().await.ok()?;
    version_in(&String::from_utf8_lossy(&output.stdout))
}

/// The 15 of `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version_in(words: &str) -> Option<u32> {
    let number = words.split_once(") ")?.1;
    number.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
}

fn ready(path: &Path, target: &Target) -> Command {
    let mut command = Command::from(child::command(path));
    command.envs(CONNECTING.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    command.env("PGAPPNAME", "wecomd backup").kill_on_drop(true);
    command.envs(target.variables.iter().map(|(name, value)| (name, value.expose_secret())));
    command
}

/// Percent-decodes a part of a URL. A plus stays a plus.
fn decoded(part: &str) -> String {
    let part = part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(part.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(url: &str) -> Vec<(&'static str, String)> {
        let target = Target::of_url(&url.into()).expect("a URL");
        let mut variables: Vec<_> =
            target.variables.iter().map(|(name, value)| (*name, value.expose_secret().to_owned())).collect();
        variables.sort();
        variables
    }

    #[test]
    fn a_database_url_becomes_the_matching_pg_variables() {
        let found =
            variables("postgres://li:p%40s+s@db.example.com:6432/shop?sslmode=require&statement-cache-capacity=9");
        let expected = [
            ("PGDATABASE", "shop"),
            ("PGHOST", "db.example.com"),
            ("PGPASSWORD", "p@s+s"),
            ("PGPORT", "6432"),
            ("PGSSLMODE", "require"),
            ("PGUSER", "li"),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name, value.to_owned())));
        let private = variables("postgres://wecomd@localhost:5432/wecomd?host=%2Fvar%2Flib%2Fpg");
        assert!(private.contains(&("PGHOST", "/var/lib/pg".to_owned())), "{private:?}");
        assert!(variables("postgresql://[::1]:5433/a").contains(&("PGHOST", "::1".to_owned())));
        assert!(matches!(Target::of_url(&"mysql://a".into()), Err(BackupError::Url)));
    }

    #[tokio::test]
    async fn a_program_older_than_the_server_is_refused_and_the_error_lists_versions_found() {
        let target = Target::of_url(&"postgres://localhost/a".into()).expect("a URL");
        assert!(program("pg_dump", None, 15, &target).await.is_ok(), "tests need PostgreSQL's programs");
        let error = program("pg_dump", None, 999, &target).await.expect_err("from the future").to_string();
        assert!(error.starts_with("no pg_dump of PostgreSQL 999 or newer is installed (found: 1"), "{error}");
    }

    #[test]
    fn the_version_of_a_program_is_the_number_after_its_name() {
        assert_eq!(version_in("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(version_in("pg_restore (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(version_in("hello"), None);
    }
}
