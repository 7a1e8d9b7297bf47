//! The command line: what each command needs, put together and run.

mod database;

mod serve;

mod demo;

mod sandbox;

mod check;

mod config;

mod token;

mod console_user;

mod audit;

mod inbox;

mod sync;

mod reporting;

mod backup;

mod restore;

mod key;

mod memory;

mod line;

mod retention;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, CommandFactory, Parser, Subcommand};
use secrecy::SecretString;

use crate::{
    admin::openapi::{self, Language},
    config::Config,
    telemetry,
};

/// What the program answers when the command line or the configuration makes no sense.
const WRONG_USAGE: u8 = 2;

/// After so many turns of other tasks a busy thread looks at its sockets. Tokio's 61 lets a commit's answer lie there
/// while requests that wait for the next commit are read; 16 stores some 8 % more callbacks per second.
const EVENT_INTERVAL: u32 = 16;

const EXAMPLES: &str = "\
Examples:
  wecomd demo                                  a working day of a repair company, before your eyes
  wecomd serve                                 the daemon, with a PostgreSQL of its own
  DATABASE_URL=postgres://… wecomd serve       the daemon, with yours
  wecomd token create --role admin --name me   a token for the admin API
  wecomd inbox list --state parked             what a person must look at";

/// Receives WeCom (企业微信) callbacks, stores each before answering, and keeps contacts, messages and handovers in
/// PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "wecomd", version, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    settings: Settings,

    #[command(subcommand)]
    command: Command,
}

/// Settings that any command takes; each is also in wecomd.toml and in the environment, and wins over both.
#[derive(Debug, Args)]
struct Settings {
    /// The configuration file [default: wecomd.toml, if there is one]
    #[arg(long, global = true, env = "WECOMD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// PostgreSQL's URL; without one, a private PostgreSQL is started in the data folder [env: DATABASE_URL]
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<SecretString>,

    /// Where what is kept outside PostgreSQL goes, and the private PostgreSQL
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,

    /// The file with the master keys, mode 600 [env: WECOMD_MASTER_KEY holds the key itself]
    #[arg(long, global = true, value_name = "FILE")]
    master_key_file: Option<PathBuf>,

    /// Where WeCom's callbacks arrive [default: 0.0.0.0:8080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    public_listen: Option<SocketAddr>,

    /// Where administrators, probes and Prometheus arrive [default: 127.0.0.1:8081]
    #[arg(long, global = true, value_name = "ADDRESS")]
    admin_listen: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon until SIGTERM or Ctrl-C
    Serve(serve::Arguments),
    /// Watch one working day: a private PostgreSQL, the daemon, and a pretend WeCom
    Demo(demo::Arguments),
    /// Be a pretend WeCom for a running wecomd, or for any other receiver
    Sandbox(Box<sandbox::Arguments>),
    /// Bring the database to this program's schema
    Migrate,
    /// Look whether everything is in place, and say what to do where it is not
    Check,
    /// Add, list and disable apps
    Config(config::Arguments),
    /// Make, list and revoke tokens for the admin API
    Token(token::Arguments),
    /// Let members log in to the console, and list them
    ConsoleUser(console_user::Arguments),
    /// Look whether the access log is as it was written
    Audit(audit::Arguments),
    /// List, show and replay deliveries
    Inbox(inbox::Arguments),
    /// Reconcile with WeCom: read members, customers and leavers, and report what was otherwise
    Sync(sync::Arguments),
    /// Let analysts read the reporting views, and list them
    Reporting(reporting::Arguments),
    /// Make a backup now, or list those that were made
    Backup(backup::Arguments),
    /// See whether a backup can be trusted, or bring it back
    Restore(restore::Arguments),
    /// See which master keys are in use, and replace the old ones
    Key(key::Arguments),
    /// Print the admin API's description, an OpenAPI 3.1 document
    Openapi {
        /// In Chinese
        #[arg(long)]
        chinese: bool,
    },
    /// Drop what is older than the configuration says, or see what would go
    Retention(retention::Arguments),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

/// Runs the program: 0 all is well, 1 something failed, 2 the command line or the configuration is wrong.
pub fn main() -> ExitCode {
    memory::keep_private();
    let cli = Cli::parse();
    let settings = match cli.settings.load() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("wecomd: {error:#}");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().event_interval(EVENT_INTERVAL).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("wecomd: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(run(cli.command, settings));
    telemetry::tell_the_rest();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wecomd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command, config: Config) -> anyhow::Result<()> {
    match command {
        Command::Serve(arguments) => serve::run(config, arguments).await,
        Command::Demo(arguments) => Box::pin(demo::run(config, arguments)).await,
        Command::Sandbox(arguments) => sandbox::run(*arguments).await,
        Command::Migrate => database::migrate(&config).await,
        Command::Check => check::run(&config).await,
        Command::Config(arguments) => config::run(&config, arguments).await,
        Command::Token(arguments) => token::run(&config, arguments).await,
        Command::ConsoleUser(arguments) => console_user::run(&config, arguments).await,
        Command::Audit(arguments) => audit::run(&config, arguments).await,
        Command::Inbox(arguments) => inbox::run(&config, arguments).await,
        Command::Sync(arguments) => Box::pin(sync::run(&config, arguments)).await,
        Command::Reporting(arguments) => reporting::run(&config, arguments).await,
        Command::Backup(arguments) => Box::pin(backup::run(&config, arguments)).await,
        Command::Restore(arguments) => Box::pin(restore::run(&config, arguments)).await,
        Command::Key(arguments) => key::run(&config, arguments).await,
        Command::Openapi { chinese } => {
            let language = if chinese { Language::Chinese } else { Language::English };
            say(&serde_json::to_string_pretty(&openapi::document(language))?);
            Ok(())
        }
        Command::Retention(arguments) => retention::run(&config, arguments).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "wecomd", &mut std::io::stdout());
            Ok(())
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

/// Prints a line for people; a pipe that was closed early is not our failure.
fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}
