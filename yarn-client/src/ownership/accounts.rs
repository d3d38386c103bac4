//! What the files of this machine say of users and groups.

use std::fs::read_to_string;
use std::os::unix::fs::MetadataExt;

/// The id to which the files of a user seem to belong whom this process's user namespace does not know,
/// unless the system says another one.
const UNKNOWN: u32 = 65534;
/// Programs that accounts have in place of a shell with which nobody can log in.
const NO_SHELLS: [&str; 5] = ["nologin", "false", "sync", "halt", "shutdown"];

/// Whether this is the id of root in the eyes of this process. Some containers know no user but their own.
/// There root's files seem to belong to the same id as those of all others who are unknown.
pub(super) fn is_root(uid: u32) -> bool {
    uid == 0
        || read_to_string("/proc/self/uid_map").is_ok_and(|map| {
            let unknown = read_to_string("/proc/sys/kernel/overflowuid").ok();
            let unknown = unknown.and_then(|text| text.trim().parse().ok()).unwrap_or(UNKNOWN);
            let top = std::fs::metadata("/").ok().map(|root| root.uid());
            uid == unknown && top == Some(unknown) && !knows_all(&map)
        })
}

/// Whether a map of user ids has all ids. Each line has the first id inside, the first id in the namespace
/// above and the number of ids. The namespace above may have a map of its own, so no line that has only some
/// ids tells whether root of the machine is among them.
fn knows_all(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
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
///
/// An account that cannot log in does not count where the group is its own: Red Hat's distributions have
/// some in root's group. It counts as a further member, because services are made members on purpose.
fn has_nobody_else(passwd: &str, groups: &str, uid: u32, gid: u32) -> bool {
    // A line with a plus stands for users or groups of NIS.
    if passwd.lines().chain(groups.lines()).any(|line| line.starts_with('+')) {
        return false;
    }
    let accounts: Vec<(&str, u32, u32, bool)> = passwd.lines().filter_map(account).collect();
    let ours = |id: u32| id == uid || id == 0;
    let is_ours = |name: &str| accounts.iter().any(|(known, id, ..)| *known == name && ours(*id));
    let is_owner =
        |name: &str| accounts.iter().any(|(known, id, own, _)| *known == name && ours(*id) && *own == gid);
    let mut lines = groups.lines().filter_map(group).filter(|(_, id, _)| *id == gid).peekable();
    lines.peek().is_some()
        && accounts.iter().all(|(_, id, own, logs_in)| *own != gid || ours(*id) || !logs_in)
        && lines.all(|(name, _, members)| {
            is_owner(name) && members.split(',').filter(|member| !member.is_empty()).all(is_ours)
        })
}

/// The name, the id and the group of a user, and whether the user can log in.
fn account(line: &str) -> Option<(&str, u32, u32, bool)> {
    let mut fields = line.split(':');
    let (name, _) = (fields.next()?, fields.next()?);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let shell = fields.nth(2).unwrap_or_default().trim();
    let program = shell.rsplit('/').next().unwrap_or_default();
    Some((name, uid, gid, !NO_SHELLS.contains(&program)))
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
    fn accounts_that_cannot_log_in() {
        let red_hat = "root:x:0:0:root:/root:/bin/bash\nsync:x:5:0:sync:/sbin:/bin/sync\n\
            shutdown:x:6:0:shutdown:/sbin:/sbin/shutdown\nhalt:x:7:0:halt:/sbin:/sbin/halt\n\
            operator:x:11:0:operator:/root:/sbin/nologin\nx:x:12:0:::/usr/bin/false\n";
        let groups = "root:x:0:";
        assert!(has_nobody_else(red_hat, groups, 1_000_670_000, 0));
        // Without a shell it is /bin/sh.
        for shell in ["/bin/sh", "", "/opt/nologin2"] {
            let other = format!("{red_hat}other:x:13:0::/:{shell}\n");
            assert!(!has_nobody_else(&other, groups, 1000, 0), "{shell}");
        }
        assert!(!has_nobody_else(&format!("{red_hat}other:x:13:0\n"), groups, 1000, 0));
        // A service that was made a member.
        let service = format!("{PASSWD}www-data:x:33:33::/:/usr/sbin/nologin\n");
        assert!(!has_nobody_else(&service, "ann:x:1000:www-data", 1000, 1000));
    }

    #[test]
    fn which_maps_know_all_ids() {
        for (map, known) in [
            ("         0          0 4294967295\n", true),
            ("0 100000 65536\n", false),
            ("      1000       1000          1\n", false),
            ("0 1000 1\n1 100000 65536\n", false),
            // Within a namespace that has itself some ids, the 0 above is not the machine's.
            ("0 0 65536\n", false),
            ("1000 0 1\n", false),
            ("", false),
        ] {
            assert_eq!(knows_all(map), known, "{map}");
        }
        assert!(is_root(0));
        assert!(!is_root(1000));
    }
}
