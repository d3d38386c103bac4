//! YARN's enumerations, with their numbers on the wire and their names as Hadoop prints them. One macro
//! defines them all, so that conversions from and to numbers and names cannot differ from each other.

use std::fmt;
use std::str::FromStr;

/// A text that is not the name of a value of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{value}' is not a valid {what} (known: {known})")]
pub struct UnknownName {
    /// The enumeration.
    pub what: &'static str,
    /// What was given.
    pub value: String,
    /// The names that exist, separated by commas.
    pub known: String,
}

/// Defines an enumeration of YARN. It keeps numbers that it does not know, because a newer Hadoop may have
/// added some.
macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $number:literal $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`")] $(#[doc = ""] #[$vdoc])* $variant,)+
            /// A number that this version does not know.
            Other(i32),
        }

        impl $name {
            /// Every value that has a name.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The value with this number on the wire.
            pub fn from_number(number: i32) -> Self {
                match number { $($number => Self::$variant,)+ other => Self::Other(other) }
            }

            /// The number on the wire.
            pub fn number(self) -> i32 {
                match self { $(Self::$variant => $number,)+ Self::Other(other) => other }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.pad($text),)+
                    Self::Other(number) => f.pad(&format!("UNKNOWN_{number}")),
                }
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            /// Reads the name as Hadoop prints it, in any case.
            fn from_str(text: &str) -> Result<Self, UnknownName> {
                $(if text.eq_ignore_ascii_case($text) { return Ok(Self::$variant); })+
                Err(UnknownName {
                    what: stringify!($name),
                    value: text.to_owned(),
                    known: [$($text),+].join(", "),
                })
            }
        }
    };
}

wire_enum! {
    /// The state of an application (`YarnApplicationState`).
    ApplicationState {
        New = 1 "NEW", NewSaving = 2 "NEW_SAVING", Submitted = 3 "SUBMITTED", Accepted = 4 "ACCEPTED",
        Running = 5 "RUNNING", Finished = 6 "FINISHED", Failed = 7 "FAILED", Killed = 8 "KILLED",
    }
}

impl ApplicationState {
    /// Whether the application has ended, in whatever way.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }
}

wire_enum! {
    /// The state of an application attempt (`YarnApplicationAttemptState`).
    AttemptState {
        New = 1 "NEW", Submitted = 2 "SUBMITTED", Scheduled = 3 "SCHEDULED", AllocatedSaving = 4 "ALLOCATED_SAVING",
        Allocated = 5 "ALLOCATED", Launched = 6 "LAUNCHED", Failed = 7 "FAILED", Running = 8 "RUNNING",
        Finishing = 9 "FINISHING", Finished = 10 "FINISHED", Killed = 11 "KILLED",
    }
}

wire_enum! {
    /// The outcome that an ApplicationMaster reports when it unregisters.
    FinalStatus {
        Undefined = 0 "UNDEFINED", Succeeded = 1 "SUCCEEDED", Failed = 2 "FAILED", Killed = 3 "KILLED", Ended = 4 "ENDED",
    }
}

wire_enum! {
    /// The state of a container.
    ContainerState { New = 1 "NEW", Running = 2 "RUNNING", Complete = 3 "COMPLETE", Scheduled = 4 "SCHEDULED", }
}

wire_enum! {
    /// The state of a NodeManager as the ResourceManager sees it.
    NodeState {
        New = 1 "NEW", Running = 2 "RUNNING", Unhealthy = 3 "UNHEALTHY", Decommissioned = 4 "DECOMMISSIONED",
        Lost = 5 "LOST", Rebooted = 6 "REBOOTED", Decommissioning = 7 "DECOMMISSIONING", Shutdown = 8 "SHUTDOWN",
    }
}

impl NodeState {
    /// Whether containers on such a node are lost or cannot be counted on.
    pub fn is_unusable(self) -> bool {
        matches!(self, Self::Unhealthy | Self::Decommissioned | Self::Lost | Self::Shutdown)
    }
}

wire_enum! {
    /// Whether a queue accepts applications.
    QueueState { Stopped = 1 "STOPPED", Running = 2 "RUNNING", Draining = 3 "DRAINING", }
}

wire_enum! {
    /// What a user may do in a queue.
    QueueAcl { SubmitApplications = 1 "SUBMIT_APPLICATIONS", AdministerQueue = 2 "ADMINISTER_QUEUE", }
}

wire_enum! {
    /// What an access list of an application grants.
    AccessType { View = 1 "VIEW_APP", Modify = 2 "MODIFY_APP", }
}

wire_enum! {
    /// What the NodeManager does with a localized file.
    LocalResourceType {
        /// It is unpacked into a directory of the resource's name.
        Archive = 1 "ARCHIVE",
        /// It is linked as it is.
        File = 2 "FILE",
        /// It is an archive, of which only entries that match the pattern are unpacked. The archive itself is
        /// linked, too.
        Pattern = 3 "PATTERN",
    }
}

wire_enum! {
    /// Who shares a localized file.
    Visibility {
        /// All users of the node. Everybody must be allowed to enter every directory above the file and to
        /// read the file.
        Public = 1 "PUBLIC",
        /// All applications of the user.
        Private = 2 "PRIVATE",
        /// This application.
        Application = 3 "APPLICATION",
    }
}

wire_enum! {
    /// How far the collection of an application's logs is.
    LogAggregationStatus {
        Disabled = 1 "DISABLED", NotStart = 2 "NOT_START", Running = 3 "RUNNING", Succeeded = 4 "SUCCEEDED",
        Failed = 5 "FAILED", TimeOut = 6 "TIME_OUT", RunningWithFailure = 7 "RUNNING_WITH_FAILURE",
    }
}

wire_enum! {
    /// What the ResourceManager commands an ApplicationMaster to do.
    AmCommand {
        /// The ApplicationMaster has to register again and to request everything again.
        Resync = 1 "AM_RESYNC",
        /// The ApplicationMaster has to end, and must not request anything else.
        Shutdown = 2 "AM_SHUTDOWN",
    }
}
