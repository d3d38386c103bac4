//! Words of Flink and of the JVM by which several parts of heddle recognize the same failure.

pub(crate) const NO_RESOURCE: &str = "NoResourceAvailableException";
pub(crate) const TOO_FEW_RESOURCES: &str = "Could not acquire the minimum required resources";
pub(crate) const NO_SLOT: &str = "Slot request bulk is not fulfillable";
pub(crate) const SLOT_TIMEOUT: &str = "Pending slot request timed out";

/// The words with which Flink says that a job did not get its slots in time.
pub const OF_MISSING_SLOTS: [&str; 4] = [NO_RESOURCE, TOO_FEW_RESOURCES, NO_SLOT, SLOT_TIMEOUT];

/// The words with which HotSpot says that the system gives it no more memory: when it ends itself, when it
/// cannot start, and to code that takes memory by itself.
pub const OF_NO_NATIVE_MEMORY: [&str; 3] = [
    "insufficient memory for the Java Runtime Environment",
    "Could not reserve enough space for ",
    "OutOfMemoryError: Unable to allocate ",
];

/// heddle's own words for any of them.
pub const NO_NATIVE_MEMORY: &str = "the system gave the JVM no more native memory";
