//! Processes by who started them, or adopted them since.

use rustix::process::Pid;
pub use system::process::children;

/// Children, their children, and so on; each behind its parent.
pub fn descendants(of: Pid) -> Vec<Pid> {
    let mut found = children(of);
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children(pid));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use rustix::process::getpid;

    use super::*;

    #[test]
    fn a_childs_child_is_a_descendant() {
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", "sh -c 'echo $$; read -r end'; :"]);
        let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = [0; 16];
        let length = child.stdout.take().unwrap().read(&mut told).unwrap();
        let grandchild = std::str::from_utf8(&told[..length]).unwrap().trim().parse().unwrap();
        let grandchild = Pid::from_raw(grandchild).unwrap();
        let found = descendants(getpid());
        assert!(found.contains(&grandchild) && found.contains(&Pid::from_child(&child)));
        child.stdin.take().unwrap().write_all(b"end\n").unwrap();
        child.wait().unwrap();
    }
}
