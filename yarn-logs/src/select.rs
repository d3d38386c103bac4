//! Which containers of an application are meant, and which of their log files.

use std::collections::BTreeSet;

use yarn_api::records::ContainerId;

/// Which containers are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Those of the ApplicationMaster, in which the JobManager runs: one for each attempt.
    JobManager,
    /// The TaskManager with this number, from 1.
    TaskManager(u32),
    /// The container with this id.
    Container(ContainerId),
}

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It is the ApplicationMaster's, in which the JobManager runs.
    JobManager,
    /// It is another one. Nearly always a TaskManager runs in it, and they are numbered from 1, in the order
    /// of the ids of the containers.
    TaskManager(u32),
}

/// The role of each container, in the order of the ids. Those in `masters` are of the ApplicationMaster; so
/// is the first one of an attempt of which that list has none, because YARN gives it out first.
pub fn roles(
    containers: &BTreeSet<ContainerId>,
    masters: &BTreeSet<ContainerId>,
) -> Vec<(ContainerId, Role)> {
    let is_master = |id: &ContainerId| {
        masters.contains(id)
            || id.sequence() == 1 && !masters.iter().any(|master| master.attempt_id == id.attempt_id)
    };
    let mut number = 0;
    let role = |id: &ContainerId| {
        if is_master(id) {
            return (*id, Role::JobManager);
        }
        number += 1;
        (*id, Role::TaskManager(number))
    };
    containers.iter().map(role).collect()
}

/// Whether a container is one of those that are meant. With `attempt`, it has to be of the attempt with this
/// number, too.
pub fn is_meant(which: Which, attempt: Option<u32>, id: ContainerId, role: Role) -> bool {
    let of_kind = match which {
        Which::All => true,
        Which::JobManager => role == Role::JobManager,
        Which::TaskManager(number) => role == Role::TaskManager(number),
        Which::Container(wanted) => id == wanted,
    };
    of_kind && attempt.is_none_or(|attempt| id.attempt_id.attempt == attempt)
}

/// What the names of recordings of the JDK's Flight Recorder end with.
const RECORDING: &str = ".jfr";
/// Files that YARN writes beside the logs of each container: how it was started. They are left out unless
/// they are asked for.
const OF_YARN: [&str; 5] =
    ["launch_container.sh", "directory.info", "prelaunch.out", "prelaunch.err", "container-localizer-syslog"];

/// Whether a log file is one of those that are meant: one that a pattern fits or, if there is no pattern, one
/// that is not of YARN, and no recording of the JDK's Flight Recorder, which is no text. In a pattern `*`
/// stands for any characters.
pub fn is_file_meant(patterns: &[String], name: &str) -> bool {
    if patterns.is_empty() {
        return !OF_YARN.contains(&name) && !name.ends_with(RECORDING);
    }
    patterns.iter().any(|pattern| fits(pattern, name))
}

fn fits(pattern: &str, name: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(begin) else { return false };
    let mut parts = rest.split('*');
    // There is at least one part, and the last one has to be the end of the name.
    let end = parts.next_back().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(attempt: u32, number: u64) -> ContainerId {
        format!("container_1_0001_{attempt:02}_{number:06}").parse().unwrap()
    }

    #[test]
    fn numbers_follow_the_order_of_the_ids() {
        let all: BTreeSet<ContainerId> = [id(2, 1), id(1, 3), id(1, 1), id(1, 2), id(2, 2), id(2, 7)].into();
        let found = roles(&all, &[id(1, 1), id(2, 2)].into());
        assert_eq!(
            found,
            [
                (id(1, 1), Role::JobManager),
                (id(1, 2), Role::TaskManager(1)),
                (id(1, 3), Role::TaskManager(2)),
                (id(2, 1), Role::TaskManager(3)),
                (id(2, 2), Role::JobManager),
                (id(2, 7), Role::TaskManager(4)),
            ]
        );
        assert_eq!(roles(&all, &BTreeSet::new())[3], (id(2, 1), Role::JobManager));
    }

    #[test]
    fn containers() {
        let is = |which, attempt, role| is_meant(which, attempt, id(2, 5), role);
        assert!(is(Which::All, None, Role::TaskManager(3)));
        assert!(is(Which::TaskManager(3), Some(2), Role::TaskManager(3)));
        assert!(!is(Which::TaskManager(3), Some(1), Role::TaskManager(3)));
        assert!(!is(Which::TaskManager(2), None, Role::TaskManager(3)));
        assert!(is(Which::JobManager, None, Role::JobManager));
        assert!(is(Which::Container(id(2, 5)), None, Role::JobManager));
        assert!(!is(Which::Container(id(1, 5)), None, Role::JobManager));
    }

    #[test]
    fn files() {
        let is = |patterns: &[&str], name: &str| {
            is_file_meant(&patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>(), name)
        };
        assert!(is(&[], "taskmanager.log") && is(&[], "taskmanager.log.1") && !is(&[], "prelaunch.out"));
        assert!(!is(&[], "taskmanager-2026.jfr") && is(&["*.jfr"], "taskmanager-2026.jfr"));
        assert!(is(&["prelaunch.out"], "prelaunch.out"));
        for (pattern, name, fits) in [
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("*.log*", "a.log.1", true),
            ("task*.log", "taskmanager.log", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*", "", true),
            ("", "", true),
        ] {
            assert_eq!(is(&[pattern], name), fits, "{pattern} {name}");
        }
        assert!(is(&["x", "a*"], "abc"));
    }

    proptest! {
        #[test]
        fn a_pattern_of_a_name_fits_it(name in "\\PC{0,12}", cut in any::<prop::sample::Index>(), other in "\\PC{0,8}") {
            let cuts: Vec<usize> = name.char_indices().map(|(at, _)| at).chain([name.len()]).collect();
            let cut = cuts[cut.index(cuts.len())];
            let pattern = format!("{}*{}", &name[..cut], &name[cut..]);
            prop_assert!(fits(&pattern, &name));
            let _ = fits(&other, &name);
        }
    }
}
