//! Decides which settings of a session count for later commands, which read them in the properties file.
//!
//! Most of them are harmless and wanted, such as `parallelism.default`. But the properties file is a file in
//! `/tmp`, and nobody looks into it. So no setting is taken from there that makes the client run a program,
//! load code, read or write other files, or speak to other services. Whoever wants such a setting writes it
//! into Flink's configuration, or on the command line.

use flink_model::config::is_sensitive;

/// The beginnings of keys that are not taken.
const BEGINNINGS: [&str; 31] = [
    // Programs, their options and directories on this machine, and where Hadoop's configuration is.
    "env.",
    // Hadoop's configuration, and with it which cluster is spoken to, and as whom.
    "flink.",
    "fs.",
    "hadoop.",
    "hdfs.",
    "dfs.",
    "s3",
    "presto.",
    "gs.",
    "oss.",
    "table.catalog-store.",
    "sql-gateway.",
    // Directories for files, and code that is loaded.
    "process.",
    "blob.storage.",
    "plugin.",
    // What Flink tells itself.
    "$internal.",
    // Files for the containers, their environment and how they are started; where all of that is put.
    "yarn.",
    "containerized.",
    "heddle.",
    "kubernetes.",
    // Where the JobManager is looked for.
    "execution.target",
    "rest.address",
    "rest.port",
    "rest.bind-",
    "web.",
    "jobmanager.rpc.",
    "jobmanager.web.",
    "high-availability",
    "recovery.",
    // Credentials, and whom the client trusts.
    "security.",
    // Interpreters and files of Python programs.
    "python.",
];

/// Keys that are not taken, and are not known by their beginnings.
const KEYS: [&str; 8] = [
    "io.tmp.dirs",
    "taskmanager.tmp.dirs",
    "pipeline.jars",
    "pipeline.classpaths",
    "pipeline.cached-files",
    "pipeline.default-kryo-serializers",
    "table.resources.download-dir",
    "execution.job-status-changed-listeners",
];

/// Parts of keys that are not taken, whatever stands before and behind them.
const PARTS: [&str; 9] = [
    "java",
    ".env.",
    "command",
    ".script",
    "-script",
    "executable",
    "interpreter",
    "classpath",
    "class-path",
];

/// Whether a command takes this setting from the properties file.
pub(crate) fn is_taken(key: &str) -> bool {
    let key = key.trim().to_lowercase();
    let refused = BEGINNINGS.iter().any(|start| key.starts_with(start))
        || KEYS.contains(&&*key)
        || PARTS.iter().any(|part| key.contains(part));
    !refused
}

/// Whether a setting is written to the properties file: those that no command takes are of no use there, and
/// secrets do not belong into a file that other programs read, too.
pub(crate) fn is_written(key: &str) -> bool {
    is_taken(key) && !is_sensitive(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_programs_or_moves_the_cluster_is_not_taken() {
        for key in [
            "env.java.home",
            "env.java.opts.client",
            "ENV.JAVA.HOME",
            " env.java.home",
            "env.hadoop.conf.dir",
            "env.log.dir",
            "flink.hadoop.fs.defaultFS",
            "flink.yarn.resourcemanager.address",
            "fs.hdfs.hadoopconf",
            "fs.default-scheme",
            "s3.endpoint",
            "yarn.container-start-command-template",
            "yarn.provided.lib.dirs",
            "yarn.provided.usrlib.dir",
            "yarn.flink-dist-jar",
            "yarn.ship-files",
            "yarn.staging-directory",
            "yarn.properties-file.location",
            "yarn.application.id",
            "containerized.master.env.LD_PRELOAD",
            "heddle.store.dir",
            "kubernetes.config.file",
            "execution.target",
            "rest.address",
            "rest.port",
            "rest.bind-port",
            "web.port",
            "jobmanager.rpc.address",
            "jobmanager.web.port",
            "high-availability",
            "high-availability.type",
            "high-availability.zookeeper.quorum",
            "recovery.zookeeper.quorum",
            "security.kerberos.login.keytab",
            "security.ssl.rest.truststore",
            "python.client.executable",
            "python.files",
            "pipeline.jars",
            "pipeline.classpaths",
            "io.tmp.dirs",
            "taskmanager.env.PATH",
            "external-resource.gpu.param.discovery-script.path",
            "jobmanager.java.opts",
        ] {
            assert!(!is_taken(key), "{key}");
            assert!(!is_written(key), "{key}");
        }
    }

    #[test]
    fn what_jobs_are_run_with_is_taken() {
        for key in [
            "parallelism.default",
            "taskmanager.numberOfTaskSlots",
            "jobmanager.memory.process.size",
            "taskmanager.memory.process.size",
            "state.savepoints.dir",
            "execution.checkpointing.interval",
            "execution.runtime-mode",
            "pipeline.name",
            "pipeline.job-description",
            "pipeline.object-reuse",
            "table.exec.mini-batch.enabled",
            "restart-strategy.type",
            "client.timeout",
            "rest.connection-timeout",
            "classloader.resolve-order",
            "a",
        ] {
            assert!(is_taken(key) && is_written(key), "{key}");
        }
    }

    #[test]
    fn secrets_are_not_written() {
        for key in ["metrics.reporter.x.apikey", "my.password", "some.token"] {
            assert!(is_taken(key) && !is_written(key), "{key}");
        }
    }
}
