//! Settings on the command line: which command reads which.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, error::ErrorKind, parser::ValueSource};
use secrecy::SecretString;

use super::{Cli, Command};
use crate::config::Config;

/// Settings of several commands. Each can also be set in wecomd.toml and in the environment; the command line wins.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct Settings {
    /// The configuration file [default: wecomd.toml, if there is one]
    #[arg(long, global = true, env = "WECOMD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// PostgreSQL's URL; without one, a private PostgreSQL is started in the data folder [env: DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<SecretString>,

    /// The folder for data outside PostgreSQL, and for the private PostgreSQL
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,

    /// The file with the master keys, mode 600 [env: WECOMD_MASTER_KEY holds the key itself]
    #[arg(long, global = true, value_name = "FILE")]
    master_key_file: Option<PathBuf>,

    /// The address of the callback listener [default: 0.0.0.0:8080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    public_listen: Option<SocketAddr>,

    /// The address of the listener for administrators, probes and Prometheus [default: 127.0.0.1:8081]
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
}

/// The settings, by the ids that clap gives them.
const ALL: &[&str] = &["config", "database_url", "data_dir", "master_key_file", "public_listen", "admin_listen"];

/// The settings of commands that use the database.
const DATABASE: &[&str] = &["config", "database_url", "data_dir"];

/// The settings of commands that also open or seal secrets.
const DATABASE_AND_KEY: &[&str] = &["config", "database_url", "data_dir", "master_key_file"];

/// The settings of commands that need no database.
const FILES_AND_KEY: &[&str] = &["config", "data_dir", "master_key_file"];

/// The settings that a command reads. The others are not in its help, and are refused if given.
fn read_by(command: &str) -> &'static [&'static str] {
    match command {
        "serve" | "check" => ALL,
        // Its backups, if they are configured, go to the data folder.
        "demo" => &["config", "data_dir", "public_listen", "admin_listen"],
        "config" | "sync" | "backup" | "restore" | "key" | "archive" => DATABASE_AND_KEY,
        "spool" => FILES_AND_KEY,
        "migrate" | "token" | "console-user" | "audit" | "inbox" | "reporting" | "docs" | "retention" => DATABASE,
        _ => &[],
    }
}

/// Parses the command line and, for commands that use it, the configuration. A wrong command line ends the program
/// with an error message; `--help` and `--version` end it with their output.
pub(super) fn parse() -> (Command, anyhow::Result<Config>) {
    let mut shown = command();
    let matches = shown.get_matches_mut();
    let parsed = refuse_unread(&mut shown, &matches).and_then(|()| Cli::from_arg_matches(&matches));
    let cli = parsed.unwrap_or_else(|error| error.exit());
    let reads = matches.subcommand_name().map_or(ALL, read_by);
    let config = if reads.is_empty() { Ok(Config::default()) } else { cli.settings.load() };
    (cli.command, config)
}

/// The command line's definition, in which each command shows only the settings that it reads.
pub(super) fn command() -> clap::Command {
    let whole = Cli::command();
    let settings: Vec<_> = whole.get_arguments().filter(|it| ALL.contains(&it.get_id().as_str())).cloned().collect();
    whole.mut_subcommands(|command| {
        let reads = read_by(command.get_name());
        // clap passes a global argument down unless the command has one of that name: a hidden one prevents it.
        let unread = settings.iter().filter(|it| !reads.contains(&it.get_id().as_str()));
        let hidden: Vec<_> = unread.map(|it| it.clone().hide(true)).collect();
        command.args(hidden)
    })
}

/// Refuses a given setting that the command does not read, because it would have no effect.
fn refuse_unread(command: &mut clap::Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some((name, below)) = matches.subcommand() else { return Ok(()) };
    let reads = read_by(name);
    let given =
        |id: &&&str| below.try_contains_id(id).is_ok() && below.value_source(id) == Some(ValueSource::CommandLine);
    match ALL.iter().filter(|id| !reads.contains(id)).find(given) {
        None => Ok(()),
        Some(id) => {
            let words = format!("`wecomd {name}` does not read --{}: leave it out", id.replace('_', "-"));
            Err(command.error(ErrorKind::UnknownArgument, words))
        }
    }
}

impl Settings {
    fn load(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref(), crate::config::environment())?;
        if let Some(url) = &self.database_url {
            config.database_url = url.clone();
        }
        if let Some(folder) = &self.data_dir {
            config.data_dir =
                std::path::absolute(folder).with_context(|| format!("--data-dir {}", folder.display()))?;
        }
        if let Some(file) = &self.master_key_file {
            config.master_key_file.clone_from(file);
        }
        if let Some(address) = self.public_listen {
            config.public_listen = address;
        }
        if let Some(address) = self.admin_listen {
            config.admin_listen = address;
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_show_exactly_the_settings_they_read() {
        let mut whole = command();
        whole.build();
        for id in ALL {
            assert!(whole.get_arguments().any(|it| it.get_id() == id && it.is_global_set()), "{id}");
        }
        let global: Vec<_> = whole.get_arguments().filter(|it| it.is_global_set()).map(|it| it.get_id()).collect();
        assert_eq!(global.len(), ALL.len(), "{global:?}");
        for it in whole.get_subcommands() {
            let shown = it.get_arguments().filter(|it| ALL.contains(&it.get_id().as_str()) && !it.is_hide_set());
            assert_eq!(shown.count(), read_by(it.get_name()).len(), "{}", it.get_name());
        }
    }
}
