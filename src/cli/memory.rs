//! Protects this process's memory and files from other users: a memory dump would hold secrets and customers' data,
//! as would one of its child processes, and as do most of its files.

use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, getrlimit, setrlimit, umask},
};

/// Disables core dumps of this process and its children, and access to its memory by other processes of this user.
pub(super) fn keep_private() {
    let none = Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum };
    let limited = setrlimit(Resource::Core, none);
    if let Err(error) = limited.and_then(|()| close_memory()) {
        eprintln!("wecomd: a crash may leave a dump of the memory: {error}");
    }
}

/// Makes every file and folder created from now on accessible to this user only, unless its creator sets a mode.
pub(super) fn keep_files_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// A dump through a program (`core_pattern`) ignores the size limit, but not this flag.
#[cfg(target_os = "linux")]
fn close_memory() -> rustix::io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

#[cfg(not(target_os = "linux"))]
fn close_memory() -> rustix::io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn core_dumps_and_memory_access_by_others_are_disabled() {
        keep_private();
        assert_eq!(rustix::process::dumpable_behavior(), Ok(rustix::process::DumpableBehavior::NotDumpable));
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
    }

    #[test]
    fn files_and_folders_are_created_private_to_the_user_by_default() {
        use std::os::unix::fs::MetadataExt;
        keep_files_private();
        let folder = std::env::temp_dir().join(format!("wecomd-mode-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("file"), "").expect("written");
        let modes =
            [folder.join("file"), folder.clone()].map(|it| std::fs::metadata(it).expect("there").mode() & 0o777);
        std::fs::remove_dir_all(&folder).expect("removed");
        assert_eq!(modes, [0o600, 0o700]);
    }
}
