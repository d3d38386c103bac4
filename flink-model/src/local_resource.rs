//! YARN's local resources, as the client describes them to the ApplicationMaster.

use serde::{Deserialize, Serialize};

/// Who shares a node's copy of a file, which also decides for how long the node keeps the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Visibility {
    /// A node copies the file once for all users.
    Public,
    /// A node copies the file once for each user.
    Private,
    /// A node copies the file once for each application.
    Application,
}

/// What the NodeManager does with its copy of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LocalResourceKind {
    /// The file stays as it is.
    File,
    /// The file is unpacked into a directory with the name of the key.
    Archive,
}

/// A local resource of YARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalResource {
    /// The path in the container's working directory.
    pub key: String,
    /// The absolute URL of the file, with scheme and authority.
    pub url: String,
    /// The size in bytes, as the file system reports it.
    pub size: u64,
    /// The modification time in milliseconds since 1970, as the file system reports it. YARN refuses a file
    /// with another time.
    pub modification_time: i64,
    /// Who shares a node's copy.
    pub visibility: Visibility,
    /// Whether the node unpacks the file.
    pub kind: LocalResourceKind,
}
