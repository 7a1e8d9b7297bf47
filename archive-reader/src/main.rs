//! `wecomd-archive`: calls WeCom's closed message archive library (会话内容存档) for wecomd, which starts it as a child.
//!
//! The library may crash, hang or take more and more memory, so it lives in this process alone, and wecomd replaces the
//! process. Requests come from standard input and answers go to standard output, as `frame` and `protocol` say. The
//! corp's secret comes with the first request, so neither the arguments nor the environment hold it. No private key
//! ever comes here: wecomd decrypts each message's short key and passes on the result. The process ends when its
//! standard input ends, also while the library is busy.

mod frame;

mod protocol;

mod sdk;

mod work;

use std::{
    fs::File,
    io::{self, BufReader},
    os::fd::AsFd,
    process::ExitCode,
    sync::mpsc,
    thread,
};

use frame::Frame;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many requests may wait. wecomd sends one at a time.
const WAITING_MAX: usize = 1;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wecomd-archive: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    if let Err(error) = keep_private() {
        eprintln!("wecomd-archive: a crash may leave a dump of the memory: {error}");
    }
    let answers = own_stdout()?;
    let (send, requests) = mpsc::sync_channel(WAITING_MAX);
    thread::spawn(move || read_all(&send));
    work::serve(&requests, answers)
}

/// Reads requests until standard input ends, and ends the process then: nobody waits for what it still does.
fn read_all(send: &mpsc::SyncSender<Frame>) {
    let mut input = BufReader::new(io::stdin());
    loop {
        match frame::read(&mut input) {
            Ok(Some(frame)) => {
                if send.send(frame).is_err() {
                    // The other thread has ended, and says why.
                    return;
                }
            }
            Ok(None) => std::process::exit(0),
            Err(error) => {
                eprintln!("wecomd-archive: {error}");
                std::process::exit(1);
            }
        }
    }
}

/// Keeps standard output for the answers. Whatever the library prints goes to standard error.
fn own_stdout() -> io::Result<File> {
    let answers = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(answers))
}

/// Disables memory dumps: a crash would write the secret and customers' messages to a file.
fn keep_private() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
