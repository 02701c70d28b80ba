//! A group that is one user's own, as many systems make one with each account, and let it write what he makes.

use std::fs;

/// Whether `group` is that of `user` alone, by the files of this machine. What is not in them is nobody's own.
pub(super) fn is_of(user: u32, group: u32) -> bool {
    let read =
        |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    is_own(user, group, &read("/etc/passwd"), &read("/etc/group"))
}

/// It is his first, has his name, and nobody else is in it. By passwd(5) and group(5).
fn is_own(user: u32, group: u32, passwd: &str, groups: &str) -> bool {
    let (user, group) = (user.to_string(), group.to_string());
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let is_of_this_group = |account: &Vec<String>| account.get(3) == Some(&group);
    let accounts: Vec<_> = passwd.lines().map(fields).filter(is_of_this_group).collect();
    let groups: Vec<_> = groups.lines().map(fields).filter(|fields| fields.get(2) == Some(&group)).collect();
    let Some(name) = accounts.first().map(|account| &account[0]) else { return false };
    let is_his = |fields: &Vec<String>| {
        let members = fields.get(3).map_or("", String::as_str);
        fields[0] == *name && members.split(',').all(|member| member.is_empty() || member == name)
    };
    accounts.iter().all(|account| account[2] == user) && !groups.is_empty() && groups.iter().all(is_his)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_if_it_is_his_first_has_his_name_and_nobody_else_is_in_it() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:A:/home/alice:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n";
        let groups = "root:x:0:\nalice:x:1000:\nbob:x:1001:bob\nstaff:x:50:alice\n";
        for (user, group, more_users, more_groups, expected) in [
            (1000, 1000, "", "", true),
            (1001, 1001, "", "", true),
            (0, 0, "", "", true),
            (1000, 1001, "", "", false),
            (1000, 50, "", "", false),
            (1000, 7, "", "", false),
            (7, 7, "", "", false),
            (1000, 1000, "eve:x:1002:1000::/:/bin/sh\n", "", false),
            (1000, 1000, "", "alice:x:1000:eve\n", false),
            (1000, 1000, "", "all:x:1000:\n", false),
            (1002, 1002, "eve:x:1002:1002::/:/bin/sh\n", "users:x:1002:\n", false),
            (1002, 1002, "eve:x:1002:1002::/:/bin/sh\n", "eve:x:1002:alice,eve\n", false),
            (1002, 1002, "eve:x:1002:1002::/:/bin/sh\n", "", false),
            (1002, 1002, "eve:x:1002:1002\nodd\n:\n", "eve:x:1002\nodd\n", true),
        ] {
            let (passwd, groups) = (format!("{passwd}{more_users}"), format!("{groups}{more_groups}"));
            assert_eq!(is_own(user, group, &passwd, &groups), expected, "{user} {group}\n{passwd}{groups}");
        }
    }
}
