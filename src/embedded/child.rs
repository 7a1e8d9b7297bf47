//! Starting other programs: the one place where a child process begins.
//!
//! Whoever can ask a child, such as a database's superuser, can read its environment. So every child starts with an empty
//! one: the master key and the store's credentials, which stand in ours, are nobody else's.

use std::{env, path::Path, process::Command};

/// What programs need to find their libraries, folders and the time zone. None of it is secret.
const PASSED: [&str; 5] = ["PATH", "HOME", "TMPDIR", "TZ", "LD_LIBRARY_PATH"];

/// A program that is still to be started. It sees what [`PASSED`] names and what its caller adds, and speaks English:
/// our errors quote it.
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
