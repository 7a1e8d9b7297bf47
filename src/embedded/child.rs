//! Starts other programs: the one place where a child process begins.
//!
//! A child may reveal its environment, as PostgreSQL does to its superuser. So every child starts with an empty
//! environment, without the master key and the store's credentials, which ours may hold.

use std::{env, path::Path, process::Command};

/// The variables that programs need for libraries, folders and the time zone. None of them is secret.
const PASSED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH"];

/// A program to be started. It gets the variables in [`PASSED`] and those that its caller adds, and its messages are
/// in English, because our errors quote them.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(PASSED.iter().filter_map(|name| Some((name, env::var_os(name)?)))).env("LC_ALL", "C");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_process_gets_only_the_environment_it_is_given() {
        let output = command(Path::new("/usr/bin/env")).env("GIVEN", "1").output().expect("it runs");
        let said = String::from_utf8(output.stdout).expect("text");
        let mut names: Vec<_> = said.lines().filter_map(|it| Some(it.split_once('=')?.0)).collect();
        names.retain(|it| !PASSED.contains(it));
        names.sort_unstable();
        assert_eq!(names, ["GIVEN", "LC_ALL"]);
    }
}
