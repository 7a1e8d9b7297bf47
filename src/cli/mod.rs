//! The command line: prepares what each command needs, and runs it.

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

mod spool;

mod sync;

mod reporting;

mod backup;

mod restore;

mod key;

mod archive;

mod memory;

mod line;

mod terminal;

mod settings;

mod retention;

mod docs;

use std::{process::ExitCode, time::Duration};

use clap::{CommandFactory, Parser, Subcommand};

use self::terminal::{complain, field, say, say_as_it_is};
use crate::{
    app::api::{self, Language},
    config::Config,
    telemetry,
};

/// The exit code for a wrong command line or configuration.
const WRONG_USAGE: u8 = 2;

/// After this many polls of other tasks a busy thread checks its sockets. With tokio's 61, a commit's answer waits
/// while requests for the next commit are read; 16 stores some 8 % more callbacks per second.
const EVENT_INTERVAL: u32 = 16;

/// How long blocking threads may take at the end, such as writing a file.
const THREADS_STOP_LIMIT: Duration = Duration::from_secs(1);

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
    settings: settings::Settings,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon until SIGTERM or Ctrl-C
    Serve(serve::Arguments),
    /// Play one working day: a private PostgreSQL, the daemon, and a pretend WeCom
    Demo(demo::Arguments),
    /// Run a pretend WeCom for a running wecomd, or for any other receiver
    Sandbox(Box<sandbox::Arguments>),
    /// Migrate the database to this program's schema
    Migrate,
    /// Check whether everything is in place, and say what to do if not
    Check,
    /// Add, list and disable apps
    Config(config::Arguments),
    /// Make, list and revoke tokens for the admin API
    Token(token::Arguments),
    /// Let members log in to the console, and list them
    ConsoleUser(console_user::Arguments),
    /// Verify that the access log was not changed
    Audit(audit::Arguments),
    /// List, show and replay deliveries
    Inbox(inbox::Arguments),
    /// Show and verify the callbacks on disk that wait for the database
    Spool(spool::Arguments),
    /// Reconcile with WeCom: read members, customers and leavers, and report the differences
    Sync(sync::Arguments),
    /// Let analysts read the reporting views, and list them
    Reporting(reporting::Arguments),
    /// Make a backup now, or list those that were made
    Backup(backup::Arguments),
    /// Verify a backup, or restore it
    Restore(restore::Arguments),
    /// Show which master keys are in use, and replace the old ones
    Key(key::Arguments),
    /// Make and add the keys of the message archive, and show how far it is read
    Archive(archive::Arguments),
    /// Print the admin API's description, an OpenAPI 3.1 document
    Openapi {
        /// In Chinese
        #[arg(long)]
        chinese: bool,
    },
    /// Write the reference: settings, routes, problems, metrics, commands, tables and WeCom's permissions, as Markdown
    Docs(docs::Arguments),
    /// Delete data that is older than the retention periods, or show what would be deleted
    Retention(retention::Arguments),
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Runs the program. Exit codes: 0 success, 1 failure, 2 wrong command line or configuration.
pub fn main() -> ExitCode {
    memory::keep_private();
    memory::keep_files_private();
    let (command, config) = settings::parse();
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            complain(&format!("{error:#}"));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().event_interval(EVENT_INTERVAL).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(command, config));
    // A blocking thread, for example one that waits for a hanging PostgreSQL, does not keep the process alive.
    runtime.shutdown_timeout(THREADS_STOP_LIMIT);
    telemetry::tell_the_rest();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
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
        Command::Spool(arguments) => spool::run(&config, &arguments),
        Command::Sync(arguments) => Box::pin(sync::run(&config, arguments)).await,
        Command::Reporting(arguments) => reporting::run(&config, arguments).await,
        Command::Backup(arguments) => Box::pin(backup::run(&config, arguments)).await,
        Command::Restore(arguments) => Box::pin(restore::run(&config, arguments)).await,
        Command::Key(arguments) => key::run(&config, arguments).await,
        Command::Archive(arguments) => archive::run(&config, arguments).await,
        Command::Openapi { chinese } => {
            let language = if chinese { Language::Chinese } else { Language::English };
            say_as_it_is(&serde_json::to_string_pretty(&api::document(language))?);
            Ok(())
        }
        Command::Docs(arguments) => docs::run(&config, arguments).await,
        Command::Retention(arguments) => retention::run(&config, arguments).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "wecomd", &mut std::io::stdout());
            Ok(())
        }
    }
}
