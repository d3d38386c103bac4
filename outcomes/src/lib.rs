//! The record that `heddle-am` leaves of an application in the user's home directory, so that commands can
//! tell afterwards how the application and its containers have ended. `docs/outcomes.md` describes the files.
//!
//! Nothing here opens a file or a connection, or reads a clock: `heddle-am` writes what this crate makes, and
//! clients hand over what they have read.
//!
//! ```
//! use diagnosis::facts::{ContainerEnd, Facts, Source};
//! use outcomes::{Entry, Left, Record, record_json};
//!
//! let record = Record { application: "application_1_0001".into(), ended: Some(9), ..Record::default() };
//! let end = ContainerEnd { signal: Some(9), ..ContainerEnd::default() };
//! let line = Entry { at: 5, attempt: 1, started: None, end }.line();
//! let left = Left::parse(Some(&record_json(&record)), Some(line.as_bytes()));
//! assert_eq!((left.entries.len(), left.broken), (1, 0));
//! let mut facts = Facts::default();
//! left.add_to(&mut facts, Source::Outcome);
//! assert_eq!(facts.ends[0].fact.signal, Some(9));
//! ```

mod account;
mod entry;
mod left;
mod lenient;
mod place;
mod record;

pub use account::Account;
pub use entry::Entry;
pub use left::Left;
pub use place::{CONTAINERS_FILE, OUTCOMES, PLACE, RECORD_FILE, directory};
pub use record::{AVOIDED, JobManagerState, NodeNote, Record, Running, SCHEMA, record_json};
