//! Processes: how one is known to have ended, who ends with whom, and what nobody else is to read.

pub use crate::own::process::{
    Handle, Other, TextFile, adopt_orphans, children, errand, itself, keep_memory_private, name_this_process,
    tie_to_parent,
};

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::MetadataExt;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags};
    use rustix::process::{Pid, Signal, getpid};

    use super::*;
    use crate::wait::wait_for;

    /// A shell that has begun, and ends when it is told to or nobody holds its input.
    fn shell(script: &str) -> (Child, Handle) {
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let handle = Handle::of(Pid::from_child(&child)).unwrap();
        (child, handle)
    }

    fn has_ended(handle: &Handle, within: Duration) -> bool {
        let mut descriptors = [PollFd::new(handle, PollFlags::IN)];
        wait_for(&mut descriptors, Some(within)).unwrap();
        !descriptors[0].revents().is_empty()
    }

    #[test]
    fn a_childs_end_is_heard_before_and_after_it_was_waited_for() {
        let (mut child, handle) = shell("echo; read end");
        assert!(!has_ended(&handle, Duration::ZERO));
        child.stdin.take().unwrap().write_all(b"end\n").unwrap();
        assert!(has_ended(&handle, Duration::from_secs(10)));
        child.wait().unwrap();
        assert!(has_ended(&handle, Duration::ZERO));
        assert!(handle.signal(Signal::TERM).is_err(), "nobody else gets it");
    }

    #[test]
    fn a_child_is_seen_to_stop_and_to_go_on() {
        use rustix::process::{WaitIdOptions, waitid};
        let (mut child, handle) = shell("echo; read end");
        let seen = |options| waitid(handle.wait_id(), options).unwrap().unwrap();
        handle.signal(Signal::STOP).unwrap();
        assert!(seen(WaitIdOptions::STOPPED).stopped());
        handle.signal(Signal::CONT).unwrap();
        assert!(seen(WaitIdOptions::CONTINUED).continued());
        handle.signal(Signal::KILL).unwrap();
        assert!(has_ended(&handle, Duration::from_secs(10)));
        child.wait().unwrap();
    }

    #[test]
    fn of_a_process_that_is_no_child_it_is_known_whether_it_has_ended() {
        let (mut child, _handle) = shell("echo; read end");
        let other = Other::of(Pid::from_child(&child)).unwrap();
        assert!(!other.has_ended());
        other.signal(Signal::TERM).unwrap();
        child.wait().unwrap();
        assert!(other.has_ended() && other.signal(Signal::TERM).is_err());
        assert!(Other::of(Pid::from_child(&child)).is_err());
    }

    #[test]
    fn children_are_found() {
        let (mut child, _handle) = shell("echo; read end");
        assert!(children(getpid()).contains(&Pid::from_child(&child)));
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn a_text_can_be_read_by_its_path_and_is_then_gone() {
        let file = TextFile::new("Host *\n").unwrap();
        let path = file.path();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "Host *\n");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o077, 0, "others read it");
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn this_program_is_found() {
        assert_eq!(std::fs::canonicalize(itself()).unwrap(), std::env::current_exe().unwrap());
    }
}
