//! The users of a host.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::command::PATH;
use crate::terminal;

/// Who has sessions in the lab, on every host.
pub const USER: &str = "alice";
pub(crate) const USER_ID: u32 = 1000;
pub(crate) const USER_HOME: &str = "/home/alice";

/// A line of the passwd file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
    pub(crate) shell: String,
}

impl Account {
    /// As the host knows it: to be called inside.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let passwd = fs::read_to_string("/etc/passwd")?;
        passwd
            .lines()
            .filter_map(Self::parse)
            .find(|account| account.name == name)
            .with_context(|| format!("this host has no user {name}"))
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
        Some(Self {
            name: name.to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            home: home.to_owned(),
            shell: shell.to_owned(),
        })
    }

    /// As after a fresh login.
    pub(crate) fn environment(&self) -> BTreeMap<&'static str, String> {
        let mut environment = BTreeMap::from([
            ("HOME", self.home.clone()),
            ("LANG", "C.UTF-8".to_owned()),
            ("LOGNAME", self.name.clone()),
            ("PATH", PATH.to_owned()),
            ("SHELL", self.shell.clone()),
            ("TERM", terminal::TYPE.to_owned()),
            ("USER", self.name.clone()),
        ]);
        let runtime_directory = runtime_directory(self.uid);
        if Path::new(&runtime_directory).is_dir() {
            environment.insert("XDG_RUNTIME_DIR", runtime_directory);
        }
        environment
    }
}

pub(crate) fn runtime_directory(uid: u32) -> String {
    format!("/run/user/{uid}")
}

/// The machine's accounts with the lab's user in place of any who has that name or number.
pub(crate) fn with_user(accounts: &str, entry: &str) -> String {
    let taken = |line: &str| {
        let mut fields = line.split(':');
        fields.next() == Some(USER) || fields.nth(1) == Some("1000")
    };
    let kept = accounts.lines().filter(|line| !taken(line));
    kept.chain([entry]).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_name_and_number_are_freed_first() {
        let accounts = "root:x:0:0::/root:/bin/sh\nalice:x:1007:7:::\nbob:x:1000:1000:::\n";
        assert_eq!(with_user(accounts, "alice:new"), "root:x:0:0::/root:/bin/sh\nalice:new\n");
    }

    #[test]
    fn a_broken_line_is_no_account() {
        assert_eq!(Account::parse("root:x:zero:0:root:/root:/bin/bash"), None);
        assert_eq!(Account::parse(""), None);
    }
}
