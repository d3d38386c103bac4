//! Keeps the files that containers need in a store, a directory on a file system of the cluster. The path of
//! a file in the store contains the hash of its content, so a file that many deployments use is uploaded only
//! once.
//!
//! The same directory holds the class data archives that clients and ApplicationMasters share.

mod archives;
mod completion;
mod contents;
mod division;
mod error;
#[cfg(test)]
mod fixture;
mod hashes;
mod launch;
mod layout;
mod listing;
mod store;
mod tree;
mod trust;
mod unfinished;
mod visibility;

pub use archives::{Archives, Repository};
pub use completion::{Completion, Lost};
pub use contents::Entry;
pub use division::{Division, Refused};
pub use error::StoreError;
pub use hadoop_fs::now_ms;
pub use hashes::{Content, Hashes};
pub use launch::{BadResource, local_resource, local_resources};
pub use layout::{INCOMING, PRIVATE_STORE, SHARED_STORE, below, idle, is_incoming};
pub use listing::{Listing, list_all};
pub use store::{Artifact, Concurrency, Inventory, Store, Uploaded};
pub use tree::{LocalFile, files_below};
pub use trust::{Distrust, Remedy, RootOwner, check_own, check_private, is_common};
pub use unfinished::Unfinished;
pub use visibility::{ancestors, visibility};
