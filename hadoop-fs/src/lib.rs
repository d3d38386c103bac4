//! The file system operations that staging and clean-up need. HDFS is used through the library hdfs-native.
//! With the cargo feature `hdrs`, other file systems are used through Hadoop's own client, which finds its
//! classes, and the configuration files beside them, by the environment variable `CLASSPATH`.
//!
//! On HDFS, [`Storage`] sees to it that hdfs-native does the same as Hadoop's own client: a URL without a
//! port gets the default port, permissions, replication and block size are always stated, and all settings
//! come from the given [`HadoopConf`](hadoop_rpc::HadoopConf), not from the environment or from other
//! configuration files. Every call has a deadline.

#[cfg(feature = "hdrs")]
mod attributes;
mod clock;
mod defaults;
mod error;
mod file_system;
mod glob;
mod hdfs;
mod hdfs_client;
#[cfg(feature = "hdrs")]
mod libhdfs;
mod location;
mod name_nodes;
mod storage;
mod types;
mod upload;

pub use clock::now_ms;
pub use error::{FsError, FsErrorKind};
pub use glob::is_glob;
pub use storage::{Reading, Storage};
pub use types::{FileStatus, OnAbsence, Patience, Progress, Source, WriteOptions};
