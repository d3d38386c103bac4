//! Identifiers, printed and read exactly as Hadoop does. Users pass them to commands of heddle and of YARN
//! alike, so the texts must be the same.

use std::fmt;
use std::str::FromStr;

use super::wire::{MissingField, required, to_i32, to_i64, to_u32, to_u64};
use crate::proto::yarn as pb;

/// A text that is no identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{value}' is not a valid {what} (expected {form})")]
pub struct ParseIdError {
    what: &'static str,
    form: &'static str,
    value: String,
}

/// Reads one part of an identifier, which must consist of digits. A sign and an empty part are not allowed.
fn number<T: FromStr>(part: Option<&str>) -> Option<T> {
    part.filter(|p| p.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

/// The id of an application, which is printed as `application_<cluster timestamp>_<number>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationId {
    /// When the ResourceManager that gave the id started, in ms since 1970.
    pub cluster_timestamp: u64,
    /// The number of the application, from 1.
    pub id: u32,
}

impl fmt::Display for ApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("application_{}_{:04}", self.cluster_timestamp, self.id))
    }
}

impl FromStr for ApplicationId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let parse = || {
            let mut parts = text.trim().strip_prefix("application_")?.split('_');
            let id = Self { cluster_timestamp: number(parts.next())?, id: number(parts.next())? };
            parts.next().is_none().then_some(id)
        };
        parse().ok_or_else(|| ParseIdError {
            what: "application id",
            form: "application_<timestamp>_<number>",
            value: text.to_owned(),
        })
    }
}

impl ApplicationId {
    pub(crate) fn to_proto(self) -> pb::ApplicationId {
        pb::ApplicationId {
            id: Some(to_i32(self.id)),
            cluster_timestamp: Some(to_i64(self.cluster_timestamp)),
        }
    }

    pub(crate) fn from_proto(p: Option<pb::ApplicationId>) -> Result<Self, MissingField> {
        let p = required(p, "application id")?;
        Ok(Self { cluster_timestamp: to_u64(p.cluster_timestamp()), id: to_u32(p.id()) })
    }
}

/// The id of an attempt, which is printed as `appattempt_<cluster timestamp>_<application>_<attempt>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApplicationAttemptId {
    /// The application.
    pub application_id: ApplicationId,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

impl fmt::Display for ApplicationAttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let app = self.application_id;
        f.pad(&format!("appattempt_{}_{:04}_{:06}", app.cluster_timestamp, app.id, self.attempt))
    }
}

impl FromStr for ApplicationAttemptId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let parse = || {
            let mut parts = text.trim().strip_prefix("appattempt_")?.split('_');
            let application_id =
                ApplicationId { cluster_timestamp: number(parts.next())?, id: number(parts.next())? };
            let id = Self { application_id, attempt: number(parts.next())? };
            parts.next().is_none().then_some(id)
        };
        parse().ok_or_else(|| ParseIdError {
            what: "application attempt id",
            form: "appattempt_<timestamp>_<application>_<attempt>",
            value: text.to_owned(),
        })
    }
}

impl ApplicationAttemptId {
    pub(crate) fn to_proto(self) -> pb::ApplicationAttemptId {
        pb::ApplicationAttemptId {
            application_id: Some(self.application_id.to_proto()),
            attempt_id: Some(to_i32(self.attempt)),
        }
    }

    pub(crate) fn from_proto(p: Option<pb::ApplicationAttemptId>) -> Result<Self, MissingField> {
        let p = required(p, "application attempt id")?;
        let attempt = to_u32(p.attempt_id());
        Ok(Self { application_id: ApplicationId::from_proto(p.application_id)?, attempt })
    }
}

/// The number of bits of [`ContainerId::id`] that count containers. The bits above them are the epoch.
const SEQUENCE_BITS: u32 = 40;
const SEQUENCE_MASK: u64 = (1 << SEQUENCE_BITS) - 1;
/// The id is a Java long that is not negative, so 23 bits are left for the epoch.
const MAX_EPOCH: u64 = i64::MAX as u64 >> SEQUENCE_BITS;

/// The id of a container, which is printed as `container_[e<epoch>_]<cluster
/// timestamp>_<application>_<attempt>_<number>`.
///
/// The epoch counts the restarts of a ResourceManager that keeps its state. It is printed only if it is above
/// 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerId {
    /// The attempt that the container was given to.
    pub attempt_id: ApplicationAttemptId,
    /// Epoch (the upper 24 bits) and number (the lower 40 bits) together, as YARN has it.
    pub id: u64,
}

impl ContainerId {
    /// How often the ResourceManager had been restarted before the container was allocated.
    pub fn epoch(&self) -> u64 {
        self.id >> SEQUENCE_BITS
    }

    /// The container's number within its epoch; the ApplicationMaster's own is usually 1.
    pub fn sequence(&self) -> u64 {
        self.id & SEQUENCE_MASK
    }

    /// The application that the container belongs to.
    pub fn application_id(&self) -> ApplicationId {
        self.attempt_id.application_id
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let app = self.attempt_id.application_id;
        let epoch = if self.epoch() > 0 { format!("e{:02}_", self.epoch()) } else { String::new() };
        f.pad(&format!(
            "container_{epoch}{}_{:04}_{:02}_{:06}",
            app.cluster_timestamp,
            app.id,
            self.attempt_id.attempt,
            self.sequence()
        ))
    }
}

impl FromStr for ContainerId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let parse = || {
            let rest = text.trim().strip_prefix("container_")?;
            let (epoch, rest): (u64, &str) = match rest.strip_prefix('e') {
                Some(with_epoch) => {
                    let (epoch, rest) = with_epoch.split_once('_')?;
                    (number(Some(epoch))?, rest)
                }
                None => (0, rest),
            };
            let mut parts = rest.split('_');
            let application_id =
                ApplicationId { cluster_timestamp: number(parts.next())?, id: number(parts.next())? };
            let attempt_id = ApplicationAttemptId { application_id, attempt: number(parts.next())? };
            let sequence: u64 = number(parts.next())?;
            let complete = parts.next().is_none() && epoch <= MAX_EPOCH && sequence <= SEQUENCE_MASK;
            complete.then_some(Self { attempt_id, id: epoch << SEQUENCE_BITS | sequence })
        };
        parse().ok_or_else(|| ParseIdError {
            what: "container id",
            form: "container_[e<epoch>_]<timestamp>_<application>_<attempt>_<number>",
            value: text.to_owned(),
        })
    }
}

impl ContainerId {
    pub(crate) fn to_proto(self) -> pb::ContainerId {
        pb::ContainerId { app_attempt_id: Some(self.attempt_id.to_proto()), id: Some(to_i64(self.id)) }
    }

    pub(crate) fn from_proto(p: Option<pb::ContainerId>) -> Result<Self, MissingField> {
        let p = required(p, "container id")?;
        let id = to_u64(p.id());
        Ok(Self { attempt_id: ApplicationAttemptId::from_proto(p.app_attempt_id)?, id })
    }
}

/// The id of a NodeManager: the host and port of its ContainerManagementProtocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// The host name that the NodeManager has registered.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}", self.host, self.port))
    }
}

impl FromStr for NodeId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let parse = || {
            let (host, port) = text.trim().rsplit_once(':')?;
            (!host.is_empty()).then_some(Self { host: host.to_owned(), port: number(Some(port))? })
        };
        parse().ok_or_else(|| ParseIdError { what: "node id", form: "<host>:<port>", value: text.to_owned() })
    }
}

impl NodeId {
    pub(crate) fn from_proto(p: Option<pb::NodeId>) -> Result<Self, MissingField> {
        let p = required(p, "node id")?;
        Ok(Self { port: u16::try_from(p.port()).unwrap_or_default(), host: p.host.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_as_hadoop_does() {
        let application_id = ApplicationId { cluster_timestamp: 1_700_000_000_000, id: 7 };
        let attempt_id = ApplicationAttemptId { application_id, attempt: 2 };
        assert_eq!(application_id.to_string(), "application_1700000000000_0007");
        assert_eq!(attempt_id.to_string(), "appattempt_1700000000000_0007_000002");
        assert_eq!(ContainerId { attempt_id, id: 3 }.to_string(), "container_1700000000000_0007_02_000003");
        let restarted = ContainerId { attempt_id, id: 17 << 40 | 3 };
        assert_eq!(restarted.to_string(), "container_e17_1700000000000_0007_02_000003");
        let early = ContainerId { attempt_id, id: 3 << 40 | 12_345_678 };
        assert_eq!(early.to_string(), "container_e03_1700000000000_0007_02_12345678");
        let long = ApplicationId { cluster_timestamp: 1, id: 123_456 };
        assert_eq!(long.to_string(), "application_1_123456");
    }

    #[test]
    fn refuses_what_is_no_id() {
        for text in [
            "",
            "application",
            "application_",
            "application_1",
            "application_1_",
            "application_1_2_3",
            "application_-1_2",
            "application_+1_2",
            "application_1_99999999999",
            "job_1_2",
            "application_1_x",
            "application_1_2 3",
        ] {
            assert!(text.parse::<ApplicationId>().is_err(), "{text}");
        }
        for text in [
            "container_1_2_3",
            "container_e_1_2_3_4",
            "container_e1_1_2_3",
            "container_1_2_3_4_5",
            "container_1_2_3_1099511627776",
            "container_e8388608_1_2_3_4",
        ] {
            assert!(text.parse::<ContainerId>().is_err(), "{text}");
        }
        for text in ["host", ":8041", "host:", "host:70000", "host:-1"] {
            assert!(text.parse::<NodeId>().is_err(), "{text}");
        }
        assert_eq!(" application_1_2 ".parse(), Ok(ApplicationId { cluster_timestamp: 1, id: 2 }));
    }

    prop_compose! {
        fn any_container()(ts in 0..=i64::MAX as u64, app in 0..=i32::MAX as u32, attempt in 0..=i32::MAX as u32, id in 0..=i64::MAX as u64)
            -> ContainerId {
            let application_id = ApplicationId { cluster_timestamp: ts, id: app };
            ContainerId { attempt_id: ApplicationAttemptId { application_id, attempt }, id }
        }
    }

    proptest! {
        #[test]
        fn ids_survive_text_and_wire(id in any_container()) {
            prop_assert_eq!(id.to_string().parse::<ContainerId>(), Ok(id));
            prop_assert_eq!(id.attempt_id.to_string().parse(), Ok(id.attempt_id));
            prop_assert_eq!(id.application_id().to_string().parse(), Ok(id.application_id()));
            prop_assert_eq!(ContainerId::from_proto(Some(id.to_proto())), Ok(id));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}", tail in "[0-9_e:]{0,30}") {
            for text in [text.clone(), format!("container_{tail}"), format!("application_{tail}"), format!("{text}{tail}")] {
                let _ = text.parse::<ContainerId>();
                let _ = text.parse::<ApplicationId>();
                let _ = text.parse::<ApplicationAttemptId>();
                let _ = text.parse::<NodeId>();
            }
        }
    }
}
