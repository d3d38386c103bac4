//! Checks that the savepoint exists from which a program's job starts. Without this check only the JobManager
//! would notice that it is missing, long after the upload.

use crate::error::{CauseClass, Failure};
use crate::hadoop::Hadoop;
use crate::paths::is_remote;

/// The file that every directory of a savepoint or checkpoint holds.
const METADATA: &str = "_metadata";

/// Refuses a savepoint in HDFS that does not exist. Savepoints on other file systems are not checked, because
/// possibly only the nodes can read them.
pub(crate) async fn check(hadoop: &Hadoop, path: Option<&str>) -> Result<(), Failure> {
    let Some(path) = path.filter(|path| is_remote(path) && path.starts_with("hdfs:")) else { return Ok(()) };
    let storage = hadoop.storage(Some(path))?;
    let fs = |e| Failure::fs(&e);
    let Some(found) = storage.find(path).await.map_err(fs)? else {
        return Err(Failure::new(format!("the savepoint {path} does not exist (-s)"))
            .of_class(CauseClass::NotFound)
            .hint("`flink savepoint` and `flink stop` say where they have put one"));
    };
    if !found.is_dir || storage.find(&format!("{}/{METADATA}", found.path)).await.map_err(fs)?.is_some() {
        return Ok(());
    }
    Err(Failure::new(format!("{path} is no savepoint (-s): the directory holds no file {METADATA}"))
        .of_class(CauseClass::NotFound)
        .hint("name the directory whose name begins with savepoint- or chk-, and not the one above it"))
}
