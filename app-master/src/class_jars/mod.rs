//! Finds out which jars hold the classes that exceptions name, and which of these jars wins. The working
//! directory has all jars of the application but those that jobs bring to a session.
//!
//! [`listed`] lists the jars in the order in which a JVM looks into them, [`search`] reads their directories,
//! and [`service`] does that beside everything else, and only when an exception asks for it.

mod listed;
mod search;
mod service;

pub(crate) use service::ClassSearch;
