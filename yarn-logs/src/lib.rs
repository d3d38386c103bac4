//! Reads the logs of YARN's containers: the files in which NodeManagers collect them on a file system
//! ("log aggregation"), and the answers of NodeManagers that still have them.
//!
//! The crate knows formats and rules, and has no policy: it opens no connection, and bytes come to it from
//! an implementation of [`ReadAt`]. What the files hold is written by others, so each length in them is
//! checked before it is used, and no input makes a function panic. The text of a log is handed on in pieces
//! and is never in memory as a whole.
//!
//! The formats are those of Hadoop 2.10 to 3.5. They are described in the modules, with the classes of
//! Hadoop that define them.

mod codec;
mod error;
pub mod ifile;
mod input;
mod java_object;
pub mod layout;
pub mod live;
#[cfg(any(test, fuzzing))]
pub mod memory;
mod modified_utf;
mod read_at;
#[cfg(test)]
mod samples;
pub mod select;
mod slice;
pub mod tfile;
mod vint;

pub use codec::Codec;
pub use error::LogsError;
pub use input::Content;
pub use read_at::{Pieces, ReadAt, read_at};
