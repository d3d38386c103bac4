//! Removes the per-application directory.

use std::time::Duration;

use hadoop_fs::Storage;
use hadoop_rpc::{HadoopConf, Login};

/// For the NameNode to answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// Removes it with all that is in it; one that is gone already is no error. The error is a whole sentence.
pub async fn remove(conf: &HadoopConf, login: &Login, url: &str) -> Result<(), String> {
    let failed = |error| format!("cannot remove {url}: {error}");
    let storage = Storage::open(conf, login, Some(url)).map_err(failed)?.with_deadline(DEADLINE);
    storage.delete(url, true).await.map(drop).map_err(failed)
}
