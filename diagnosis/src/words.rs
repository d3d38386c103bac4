//! Words of Flink and of the JVM by which several parts of heddle recognize the same failure.

pub(crate) const NO_RESOURCE: &str = "NoResourceAvailableException";
pub(crate) const TOO_FEW_RESOURCES: &str = "Could not acquire the minimum required resources";
pub(crate) const NO_SLOT: &str = "Slot request bulk is not fulfillable";
pub(crate) const SLOT_TIMEOUT: &str = "Pending slot request timed out";

/// The words with which Flink says that a job did not get its slots in time.
pub const OF_MISSING_SLOTS: [&str; 4] = [NO_RESOURCE, TOO_FEW_RESOURCES, NO_SLOT, SLOT_TIMEOUT];

/// The words with which HotSpot says that the system gives it no more memory: when it ends itself, and to
/// code that takes memory by itself.
pub const OF_NO_NATIVE_MEMORY: [&str; 2] =
    ["insufficient memory for the Java Runtime Environment", "OutOfMemoryError: Unable to allocate "];

/// How HotSpot says that it cannot even start, because the system has no room for the heap. Its own words,
/// which tell how large that is, are better than those for a kind of memory.
pub const NO_ROOM_FOR_HEAP: &str = "Could not reserve enough space for ";

/// heddle's own words for native memory that ran out.
pub const NO_NATIVE_MEMORY: &str = "the system gave the JVM no more native memory";
