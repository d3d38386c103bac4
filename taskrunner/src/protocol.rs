//! Versions of the control protocol between a client and a running ApplicationMaster, which may be of
//! different releases of heddle.
//!
//! New messages and fields need no new version, because each side ignores those that it does not know. A new
//! version is needed only for a change that an older side would misunderstand. A release keeps the older
//! versions for as long as clusters that use them may run.

use std::fmt;

use crate::control::{Arrive, Welcome};

/// The release of heddle, for messages.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The versions that this release speaks.
pub const SPOKEN: Versions = Versions { oldest: 1, newest: 1 };

/// The versions that one side speaks, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The oldest version.
    pub oldest: u32,
    /// The newest version; never less than `oldest`.
    pub newest: u32,
}

impl Versions {
    /// The newest version that both sides speak.
    pub fn common(self, other: Self) -> Option<u32> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }

    /// The versions that a client says it speaks. The first releases send only one number, `protocol`.
    pub fn of_client(arrive: &Arrive) -> Self {
        Self { oldest: arrive.protocol, newest: arrive.newest.max(arrive.protocol) }
    }

    /// The first message of a client that speaks these versions. An ApplicationMaster of the first releases
    /// reads only `protocol`, and accepts only 1, so this field has the oldest version.
    pub fn arrive(self) -> Arrive {
        Arrive { protocol: self.oldest, newest: self.newest, release: RELEASE.to_owned() }
    }

    /// Whether the version that an ApplicationMaster has chosen is one of these. The first releases do not
    /// send it, which means version 1.
    pub fn accept(self, welcome: &Welcome) -> bool {
        (self.oldest..=self.newest).contains(&welcome.protocol.max(1))
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.oldest == self.newest {
            write!(f, "version {}", self.oldest)
        } else {
            write!(f, "versions {} to {}", self.oldest, self.newest)
        }
    }
}

/// The reason, in words, for which an ApplicationMaster that speaks `ours` refuses this client.
pub fn mismatch(ours: Versions, arrive: &Arrive) -> String {
    let client = if arrive.release.is_empty() {
        "the client"
    } else {
        &format!("heddle {}, the client,", arrive.release)
    };
    format!(
        "{client} speaks {} of the control protocol, the ApplicationMaster is of heddle {RELEASE} and speaks {ours}",
        Versions::of_client(arrive)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(oldest: u32, newest: u32) -> Versions {
        Versions { oldest, newest }
    }

    #[test]
    fn the_newest_that_both_speak() {
        for (ours, theirs, common) in [
            ((1, 1), (1, 1), Some(1)),
            ((1, 3), (2, 5), Some(3)),
            ((2, 5), (1, 3), Some(3)),
            ((1, 9), (4, 4), Some(4)),
            ((1, 2), (3, 4), None),
            ((3, 4), (1, 2), None),
        ] {
            assert_eq!(
                versions(ours.0, ours.1).common(versions(theirs.0, theirs.1)),
                common,
                "{ours:?} {theirs:?}"
            );
        }
    }

    #[test]
    fn the_first_releases_are_understood() {
        // The first releases sent only `protocol`, and accepted only 1 there.
        let first = Arrive { protocol: 1, ..Default::default() };
        assert_eq!(Versions::of_client(&first), versions(1, 1));
        assert_eq!(versions(1, 7).arrive().protocol, 1);
        // They answered with an empty welcome.
        assert!(versions(1, 7).accept(&Welcome::default()));
        assert!(!versions(2, 7).accept(&Welcome::default()));
    }

    #[test]
    fn what_a_person_reads() {
        assert_eq!(
            mismatch(versions(1, 2), &Arrive { protocol: 3, newest: 4, release: "0.9.0".into() }),
            format!(
                "heddle 0.9.0, the client, speaks versions 3 to 4 of the control protocol, the ApplicationMaster is of heddle {RELEASE} \
                 and speaks versions 1 to 2"
            )
        );
        let nameless = mismatch(SPOKEN, &Arrive { protocol: 9, ..Default::default() });
        assert!(nameless.starts_with("the client speaks version 9 of"), "{nameless}");
    }
}
