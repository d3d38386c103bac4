//! YARN local resources, as the client describes them to the ApplicationMaster.

use serde::{Deserialize, Serialize};

/// Who may read a localized file on a node, and how long the node keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Visibility {
    /// Fetched once per node for all users.
    Public,
    /// Fetched once per node and user.
    Private,
    /// Fetched once per node and application.
    Application,
}

/// How the NodeManager treats a localized file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LocalResourceKind {
    /// As it is.
    File,
    /// Unpacked into a directory of the key's name.
    Archive,
}

/// A YARN local resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalResource {
    /// Path in the container's working directory, relative.
    pub key: String,
    /// Absolute URL of the file, with scheme and authority.
    pub url: String,
    /// Size in bytes as the file system reports it after the write.
    pub size: u64,
    /// Modification time in milliseconds since the epoch, as the file system reports it after the write.
    pub modification_time: i64,
    /// Visibility on the node.
    pub visibility: Visibility,
    /// File or archive.
    pub kind: LocalResourceKind,
}
