//! Versions of the control protocol between a client and a running ApplicationMaster, which may be of
//! different releases of heddle.
//!
//! New messages and fields need no new version: each side ignores those that it does not know. A version is
//! for what an older side would get wrong. A release goes on speaking the older ones for as long as clusters
//! that it served may run.

use std::fmt;

use crate::control::{Arrive, Welcome};

/// The release of heddle, for messages.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// What this release speaks.
pub const SPOKEN: Versions = Versions { oldest: 1, newest: 1 };

/// The versions that one side speaks, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// From this one.
    pub oldest: u32,
    /// To this one; never less than `oldest`.
    pub newest: u32,
}

impl Versions {
    /// The newest version that both sides speak.
    pub fn common(self, other: Self) -> Option<u32> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }

    /// What a client says that it speaks. The first releases said only one number.
    pub fn of_client(arrive: &Arrive) -> Self {
        Self { oldest: arrive.protocol, newest: arrive.newest.max(arrive.protocol) }
    }

    /// The first event of a client that speaks these. An ApplicationMaster of the first releases reads
    /// `protocol` alone and takes no other than 1, hence the oldest stands there.
    pub fn arrive(self) -> Arrive {
        Arrive { protocol: self.oldest, newest: self.newest, release: RELEASE.to_owned() }
    }

    /// Whether these hold what an ApplicationMaster has chosen. The first releases choose without a word.
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

/// Why an ApplicationMaster that speaks `ours` does not take this client.
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
        // They sent `protocol` alone, and took nothing but 1 there.
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
