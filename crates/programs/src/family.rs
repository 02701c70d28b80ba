//! Processes by who started them, or adopted them since.

use std::fs;

use rustix::process::Pid;

pub fn descendants(of: Pid) -> Vec<Pid> {
    let mut found = children(of);
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children(pid));
        next += 1;
    }
    found
}

/// proc_pid_task_children(5).
pub fn children(of: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| numbers(&list)).collect()
}

fn numbers(text: &str) -> Vec<Pid> {
    text.split_whitespace().filter_map(|word| word.parse().ok().and_then(Pid::from_raw)).collect()
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
        let grandchild = numbers(std::str::from_utf8(&told[..length]).unwrap())[0];
        let found = descendants(getpid());
        assert!(found.contains(&grandchild) && found.contains(&Pid::from_child(&child)));
        child.stdin.take().unwrap().write_all(b"end\n").unwrap();
        child.wait().unwrap();
    }
}
