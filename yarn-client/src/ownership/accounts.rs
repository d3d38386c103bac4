//! What the files of this machine say of users and groups.

use std::fs::read_to_string;

/// The id to which the files of a user seem to belong whom this process's user namespace does not know,
/// unless the system says another one.
const UNKNOWN: u32 = 65534;

/// Whether this is the id of root in the eyes of this process. Some containers know no user but their own.
/// There root's files seem to belong to the same id as those of all others who are unknown.
pub(super) fn is_root(uid: u32) -> bool {
    let unknown = || {
        let text = read_to_string("/proc/sys/kernel/overflowuid").ok();
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(UNKNOWN)
    };
    uid == 0 || (read_to_string("/proc/self/uid_map").is_ok_and(|map| !knows_root(&map)) && uid == unknown())
}

/// Whether a map of user ids has an id for the root of the machine. Each line has the first id inside, the
/// first id outside and the number of ids.
fn knows_root(map: &str) -> bool {
    map.lines().any(|line| line.split_whitespace().nth(1) == Some("0"))
}

/// Whether nobody but this user and root is in a group, as far as `/etc/passwd` and `/etc/group` tell. Many
/// distributions make such a group for each user, and let it write to all that the user makes (umask 002).
pub(super) fn is_private(uid: u32, gid: u32) -> bool {
    match (read_to_string("/etc/passwd"), read_to_string("/etc/group")) {
        (Ok(passwd), Ok(groups)) => has_nobody_else(&passwd, &groups, uid, gid),
        _ => false,
    }
}

/// As [`is_private`], by the content of the two files. The group must have the name of this user or of root,
/// whose own group it is: other groups may have members of whom other sources know, such as LDAP.
fn has_nobody_else(passwd: &str, groups: &str, uid: u32, gid: u32) -> bool {
    // A line with a plus stands for users or groups of NIS.
    if passwd.lines().chain(groups.lines()).any(|line| line.starts_with('+')) {
        return false;
    }
    let accounts: Vec<(&str, u32, u32)> = passwd.lines().filter_map(account).collect();
    let ours = |id: u32| id == uid || id == 0;
    let is_ours = |name: &str| accounts.iter().any(|(known, id, _)| *known == name && ours(*id));
    let is_owner = |name: &str| accounts.contains(&(name, uid, gid)) || accounts.contains(&(name, 0, gid));
    let mut lines = groups.lines().filter_map(group).filter(|(_, id, _)| *id == gid).peekable();
    lines.peek().is_some()
        && accounts.iter().all(|(_, id, own)| *own != gid || ours(*id))
        && lines.all(|(name, _, members)| {
            is_owner(name) && members.split(',').filter(|member| !member.is_empty()).all(is_ours)
        })
}

/// The name, the id and the group of a user.
fn account(line: &str) -> Option<(&str, u32, u32)> {
    let mut fields = line.split(':');
    let (name, _) = (fields.next()?, fields.next()?);
    Some((name, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The name, the id and the further members of a group.
fn group(line: &str) -> Option<(&str, u32, &str)> {
    let mut fields = line.split(':');
    let (name, _) = (fields.next()?, fields.next()?);
    Some((name, fields.next()?.parse().ok()?, fields.next()?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/false\n\
        ann:x:1000:1000:Ann:/home/ann:/bin/bash\nbob:x:1001:1001::/home/bob:/bin/bash\n\
        cem:x:1002:100::/home/cem:/bin/bash\neve:x:1003:1003::/home/eve:/bin/bash\n";

    #[test]
    fn a_group_of_ones_own_has_nobody_else() {
        let judged = |groups: &str, uid, gid| has_nobody_else(PASSWD, groups, uid, gid);
        for groups in ["ann:x:1000:", "ann:x:1000:ann", "ann:x:1000:ann,root\nstaff:x:50:bob"] {
            assert!(judged(groups, 1000, 1000), "{groups}");
            assert!(!judged(groups, 1001, 1000), "{groups}: the group of another user");
        }
        for groups in [
            // Another member.
            "ann:x:1000:bob",
            "ann:x:1000:ann,bob",
            "ann:x:1000:\nann:x:1000:eve",
            // A member of whom another source may know.
            "ann:x:1000:ldap-user",
            "ann:x:1000:\n+",
            // Another name: a group such as `users` may have members anywhere.
            "team:x:1000:",
            "ann:x:1000:\nteam:x:1000:",
            // No such group, and no line that can be read.
            "",
            "bob:x:1001:",
            "ann:x:1000",
            "ann:x:none:",
        ] {
            assert!(!judged(groups, 1000, 1000), "{groups}");
        }
        // It has her name, but is not her own group.
        assert!(!judged("ann:x:1005:", 1000, 1005));
        assert!(!judged("cem:x:1002:", 1002, 1002));
        // Nobody knows this user.
        assert!(!judged("ann:x:1000:", 4000, 4000));
    }

    #[test]
    fn others_who_have_the_group_by_their_account_count() {
        let groups = "ann:x:1000:\nroot:x:0:";
        let other = format!("{PASSWD}eve:x:1003:1000::/:/bin/sh\n");
        assert!(!has_nobody_else(&other, groups, 1000, 1000));
        // The same user by another name.
        let alias = format!("{PASSWD}anna:x:1000:1000::/:/bin/sh\n");
        assert!(has_nobody_else(&alias, groups, 1000, 1000));
        assert!(!has_nobody_else(&format!("{PASSWD}+@all::::::\n"), groups, 1000, 1000));
    }

    #[test]
    fn the_group_of_root() {
        let groups = "root:x:0:\nann:x:1000:";
        // As in containers whose user has no name, and the group of root.
        for uid in [0, 1000, 1_000_670_000] {
            assert!(has_nobody_else(PASSWD, groups, uid, 0), "{uid}");
        }
        assert!(!has_nobody_else(PASSWD, "root:x:0:bob", 1000, 0));
        let operator = format!("{PASSWD}operator:x:11:0::/:/bin/sh\n");
        assert!(!has_nobody_else(&operator, groups, 1000, 0));
        assert!(has_nobody_else(&operator, groups, 11, 0));
    }

    #[test]
    fn which_maps_know_root() {
        for (map, known) in [
            ("         0          0 4294967295\n", true),
            ("0 100000 65536\n", false),
            ("      1000       1000          1\n", false),
            ("0 1000 1\n1 100000 65536\n", false),
            ("", false),
        ] {
            assert_eq!(knows_root(map), known, "{map}");
        }
        assert!(is_root(0));
        assert!(!is_root(1000));
    }
}
