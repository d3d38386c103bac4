//! Opening the archives of heddle's store for the ApplicationMaster.

use std::time::Duration;

use artifact_store::Repository;
use flink_model::class_data::ClassDataSpec;
use hadoop_fs::Storage;
use hadoop_rpc::{HadoopConf, Login};

/// For each step of a transfer.
const DEADLINE: Duration = Duration::from_secs(30);

/// The directory of the store that holds the archives of one role, JobManager or TaskManager.
pub(super) fn open<'a>(
    conf: &HadoopConf,
    login: &Login,
    class_data: &'a ClassDataSpec,
) -> Result<Repository<'a>, String> {
    Ok(Repository::new(storage(conf, login, &class_data.store)?, class_data))
}

/// The file system that a URL is on.
pub(super) fn storage(conf: &HadoopConf, login: &Login, url: &str) -> Result<Storage, String> {
    Ok(Storage::open(conf, login, Some(url)).map_err(|error| error.to_string())?.with_deadline(DEADLINE))
}
