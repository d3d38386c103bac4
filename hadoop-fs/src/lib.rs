//! The few file system operations that staging and clean-up need: on HDFS by hdfs-native; with the feature
//! `hdrs` on other file systems by Hadoop's own client, which reads its classes, and what configuration files
//! lie beside them, from `CLASSPATH`.
//!
//! [`Storage`] guards against what the HDFS client beneath does otherwise than Hadoop's: every call has a
//! deadline, a URL without a port gets one, permissions, replication and block size are always stated, and
//! nothing is read from the environment or from configuration files that the given
//! [`HadoopConf`](hadoop_rpc::HadoopConf) was not made of.

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
mod storage;
mod types;
mod upload;

pub use clock::now_ms;
pub use error::{FsError, FsErrorKind};
pub use glob::is_glob;
pub use storage::{Reading, Storage};
pub use types::{FileStatus, OnAbsence, Patience, Progress, Source, WriteOptions};
