//! Checks that the savepoint is there from which a program's job starts. Otherwise only the JobManager would
//! find out, long after the upload.

use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::paths::is_remote;

/// The file that makes a directory a savepoint or checkpoint.
const METADATA: &str = "_metadata";

/// Refuses a savepoint on HDFS that is not there. What lies elsewhere only the nodes can see.
pub(crate) async fn check(hadoop: &Hadoop, path: Option<&str>) -> Result<(), Failure> {
    let Some(path) = path.filter(|path| is_remote(path) && path.starts_with("hdfs:")) else { return Ok(()) };
    let storage = hadoop.storage(Some(path))?;
    let fs = |e| Failure::fs(&e);
    let Some(found) = storage.find(path).await.map_err(fs)? else {
        return Err(Failure::new(format!("the savepoint {path} does not exist (-s)"))
            .hint("`flink savepoint` and `flink stop` say where they have put one"));
    };
    if !found.is_dir || storage.find(&format!("{}/{METADATA}", found.path)).await.map_err(fs)?.is_some() {
        return Ok(());
    }
    Err(Failure::new(format!("{path} is no savepoint (-s): the directory holds no file {METADATA}"))
        .hint("name the directory whose name begins with savepoint- or chk-, and not the one above it"))
}
