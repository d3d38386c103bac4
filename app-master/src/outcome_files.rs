//! The files in which an application leaves its record, on the file system of its own directory: in the
//! user's home directory, because the application's directory is removed at its end.

use std::sync::Arc;
use std::time::Duration;

use artifact_store::{below, check_private};
use hadoop_fs::{FsError, FsErrorKind, Storage};
use outcomes::{CONTAINERS_FILE, Left, PLACE, RECORD_FILE, directory};

use crate::environment::Environment;
use crate::staging::{patient, write_private};

/// For the NameNode to answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// The directory above, which holds the stores as well, so that others may pass.
const ABOVE: (&str, u16) = (".heddle", 0o755);
/// Mode of a directory into which only the user can look.
const PRIVATE: u16 = 0o700;
/// Most bytes of the two files that an earlier attempt has left. Ours are much smaller.
const LARGEST: (u64, u64) = (4 << 20, 16 << 20);

/// Why nothing can be written or read.
#[derive(Debug)]
pub(crate) struct NotKept {
    /// Another try does not help.
    pub(crate) for_good: bool,
    /// For people.
    pub(crate) why: String,
}

impl From<FsError> for NotKept {
    fn from(error: FsError) -> Self {
        let for_good = matches!(
            error.kind(),
            FsErrorKind::PermissionDenied
                | FsErrorKind::NotADirectory
                | FsErrorKind::IsADirectory
                | FsErrorKind::QuotaExceeded
                | FsErrorKind::InvalidArgument
                | FsErrorKind::Configuration
                | FsErrorKind::Unsupported
                | FsErrorKind::EncryptionZone
        );
        Self { for_good, why: error.to_string() }
    }
}

/// See the module's text.
pub(crate) struct OutcomeFiles {
    environment: Arc<Environment>,
    /// URL of the application's own directory.
    staging: String,
}

impl OutcomeFiles {
    /// Those of this application; none if the user wants none, or if the application has no directory.
    pub(crate) fn new(environment: &Arc<Environment>) -> Option<Self> {
        let application = &environment.spec.application;
        let staging = application.staging_dir.clone().filter(|_| application.outcomes)?;
        Some(Self { environment: environment.clone(), staging })
    }

    /// Makes the directories that are missing.
    pub(crate) async fn prepare(&self) -> Result<(), NotKept> {
        let storage = self.storage()?;
        let home = storage.home_dir();
        if storage.find(home).await?.is_none() {
            let why = format!("there is no directory {home} on {}", storage.root());
            return Err(NotKept { for_good: true, why });
        }
        let place = below(home, PLACE);
        storage.mkdirs(&below(home, ABOVE.0), Some(ABOVE.1)).await?;
        storage.mkdirs(&place, Some(PRIVATE)).await?;
        if storage.has_owners() {
            let found = storage.status(&place).await?;
            let distrusted = |why: artifact_store::Distrust| NotKept { for_good: true, why: why.to_string() };
            check_private(&found, storage.user()).map_err(distrusted)?;
        }
        storage.mkdirs(&self.directory(&storage), Some(PRIVATE)).await?;
        Ok(())
    }

    /// What earlier attempts have left.
    pub(crate) async fn read(&self) -> Result<Left, NotKept> {
        let storage = self.storage()?;
        let record = self.read_file(&storage, RECORD_FILE, LARGEST.0).await?;
        let containers = self.read_file(&storage, CONTAINERS_FILE, LARGEST.1).await?;
        Ok(Left::parse(record.as_deref(), containers.as_deref()))
    }

    async fn read_file(
        &self,
        storage: &Storage,
        name: &str,
        largest: u64,
    ) -> Result<Option<Vec<u8>>, NotKept> {
        let path = below(&self.directory(storage), name);
        match storage.find(&path).await? {
            // A larger one is not ours. It is replaced, as one that cannot be understood is.
            Some(found) if found.len <= largest => Ok(Some(storage.read(&path, largest).await?)),
            _ => Ok(None),
        }
    }

    /// Writes a file of this name, in place of an older one.
    pub(crate) async fn write(&self, name: &str, content: Vec<u8>) -> Result<(), NotKept> {
        let storage = self.storage()?;
        let path = below(&self.directory(&storage), name);
        write_private(&storage, &path, content).await.map_err(NotKept::from)
    }

    fn storage(&self) -> Result<Storage, FsError> {
        patient(&self.environment, &self.staging, DEADLINE)
    }

    fn directory(&self, storage: &Storage) -> String {
        directory(storage.home_dir(), &self.environment.container.application_id().to_string())
    }
}
