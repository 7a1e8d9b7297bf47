//! What a crash leaves behind: nothing. A dump of this process's memory would hold secrets and customers' words, and so
//! would one of the programs that it starts.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Has the system write no dump of this process, nor of those that it starts, and let no other process of this user look
/// into its memory.
pub(super) fn keep_private() {
    let none = Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum };
    let limited = setrlimit(Resource::Core, none);
    if let Err(error) = limited.and_then(|()| close_memory()) {
        eprintln!("wecomd: a crash may leave a dump of the memory: {error}");
    }
}

/// A dump by way of a program (`core_pattern`) has no regard for the limit, but for this.
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
    fn no_dump_of_the_memory_is_written_and_nobody_looks_into_it() {
        keep_private();
        assert_eq!(rustix::process::dumpable_behavior(), Ok(rustix::process::DumpableBehavior::NotDumpable));
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
    }
}
