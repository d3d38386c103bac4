//! The environment variables that Flink's own client for YARN sets in the containers, as far as programs read
//! them. They have the same names and values here, so that such a program finds them.
//!
//! Flink sets more, which its ApplicationMaster alone reads: `_FLINK_DIST_JAR` and `_CLIENT_SHIP_FILES` (the
//! local resources of TaskManagers), and `_LOCAL_KEYTAB_PATH` and the like (where a keytab is). heddle-am
//! reads the same from a file of its own, and no other process needs to know where a keytab is.

use std::collections::BTreeMap;

/// The id of the YARN application. As with Flink's own client, only the JobManager's container has it:
/// programs tell by it in which of the two they run.
pub const APPLICATION_ID: &str = "_APP_ID";
/// The staging directory, the user's home directory if no other is configured, as a URL. Only the
/// JobManager's container has it.
pub const STAGING_DIRECTORY: &str = "_CLIENT_HOME_DIR";
/// The application's own directory in the staging directory, as a URL. Only the JobManager's container has
/// it.
pub const APPLICATION_DIRECTORY: &str = "_FLINK_YARN_FILES";
/// The class path without Hadoop's part. JobManager and TaskManagers have it.
pub const CLASS_PATH: &str = "_FLINK_CLASSPATH";
/// The name of the node's host. Only a TaskManager's container has it.
pub const NODE: &str = "_FLINK_NODE_ID";

/// What stands between the staging directory and the id of the application in the path of an application's
/// own directory.
const APPLICATIONS: &str = ".flink";

/// The variables of the JobManager that follow from the URL of the application's own directory.
pub fn of_application(directory: &str) -> BTreeMap<String, String> {
    let directory = directory.trim_end_matches('/');
    let mut variables = BTreeMap::from([(APPLICATION_DIRECTORY.to_owned(), directory.to_owned())]);
    if let Some((applications, id)) = directory.rsplit_once('/') {
        variables.insert(APPLICATION_ID.to_owned(), id.to_owned());
        if let Some(staging) = applications.strip_suffix(APPLICATIONS) {
            variables.insert(STAGING_DIRECTORY.to_owned(), staging.trim_end_matches('/').to_owned());
        }
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_tells_the_application_and_its_place() {
        let variables = of_application("hdfs://nn:8020/user/ann/.flink/application_1_0002");
        let of = |name: &str| variables.get(name).map(String::as_str);
        assert_eq!(of(APPLICATION_ID), Some("application_1_0002"));
        assert_eq!(of(STAGING_DIRECTORY), Some("hdfs://nn:8020/user/ann"));
        assert_eq!(of(APPLICATION_DIRECTORY), Some("hdfs://nn:8020/user/ann/.flink/application_1_0002"));
        assert_eq!(variables.len(), 3);
    }
}
