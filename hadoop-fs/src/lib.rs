//! The file system operations that staging and clean-up need. HDFS is used through the library hdfs-native.
//! With the cargo feature `hdrs`, other file systems are used through Hadoop's own client, which finds its
//! classes, and the configuration files beside them, by the environment variable `CLASSPATH`.
//!
//! On HDFS, [`Storage`] sees to it that hdfs-native does the same as Hadoop's own client: a URL without a
//! port gets the default port, permissions, replication and block size are always stated, and all settings
//! come from the given [`HadoopConf`](hadoop_rpc::HadoopConf), not from the environment or from other
//! configuration files. Every call has a deadline.
//!
//! In a cluster with Kerberos, hdfs-native uses delegation tokens only. They are those of the
//! [`Login`](hadoop_rpc::Login), or are fetched with its Kerberos tickets. The functions for tokens are there
//! for those who hand them to others.

#[cfg(feature = "hdrs")]
mod attributes;
mod clock;
mod defaults;
mod delegation;
mod error;
mod file_system;
mod glob;
mod hdfs;
mod hdfs_client;
mod hdfs_error;
#[cfg(feature = "hdrs")]
mod libhdfs;
mod location;
mod name_node_rpc;
mod name_nodes;
mod storage;
mod token_identity;
mod tokens;
mod types;
mod upload;

pub use clock::now_ms;
pub use delegation::{cancel_own_tokens, cancel_token, fetch_token, renew_token};
pub use error::{FsError, FsErrorKind};
pub use glob::is_glob;
pub use name_node_rpc::HDFS_TOKEN;
pub use storage::{OpenFile, Reading, Storage};
pub use token_identity::TokenIdentity;
pub use types::{FileStatus, OnAbsence, Patience, Progress, Source, WriteOptions};
