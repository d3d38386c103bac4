//! The configuration keys that heddle reads. Each key is described once, for reading its value, for checks
//! and for the documentation.

use std::collections::BTreeMap;

use crate::config::{Configuration, FileFormat, FromValue, Port, PortList, Value, Warning};
use crate::flink_keys;
use crate::units::{Duration, MemorySize};

pub use crate::config::Opt;

/// A key in the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionInfo {
    /// The name of the key.
    pub key: &'static str,
    /// The older names of the key.
    pub deprecated: &'static [&'static str],
    /// The value that counts if the key is not set.
    pub default: Option<&'static str>,
    /// What values the key accepts, with an article, such as "a memory size".
    pub expected: &'static str,
    /// What the key does, in one line.
    pub doc: &'static str,
}

macro_rules! options {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ty = $key:literal $([$($old:literal),+])? $(= $default:literal)?;)+) => {
        $($(#[doc = $doc])+ pub const $name: Opt<$kind> = Opt::new($key, &[$($($old),+)?], options!(@ $($default)?));)+

        /// The descriptions of all keys, for the documentation and for checks.
        pub const ALL: &[OptionInfo] = &[$(OptionInfo {
            key: $name.key,
            deprecated: $name.deprecated,
            default: $name.default,
            expected: <$kind as FromValue>::EXPECTED,
            doc: concat!($($doc),+),
        }),+];
    };
    (@) => { None };
    (@ $default:literal) => { Some($default) };
}

options! {
    // YARN.
    /// vcores of the ApplicationMaster's container.
    APP_MASTER_VCORES: i32 = "yarn.appmaster.vcores" = "1";
    /// vcores of a TaskManager's container; not positive: as many as it has slots.
    CONTAINER_VCORES: i32 = "yarn.containers.vcores" = "-1";
    /// Where user jars stand on the class path: ORDER, FIRST, LAST or DISABLED.
    INCLUDE_USER_JAR: UserJarInclusion = "yarn.classpath.include-user-jar" ["yarn.per-job-cluster.include-user-jar"] = "ORDER";
    /// Attempts YARN makes at the ApplicationMaster; default 1, with high availability 2.
    APPLICATION_ATTEMPTS: i32 = "yarn.application-attempts";
    /// Failures longer ago than this many milliseconds do not count as attempts; -1: all count.
    ATTEMPT_FAILURES_VALIDITY: i64 = "yarn.application-attempt-failures-validity-interval" = "10000";
    /// Seconds between heartbeats to the ResourceManager while nothing is asked for.
    HEARTBEAT_IDLE: i32 = "yarn.heartbeat.interval" ["yarn.heartbeat-delay"] = "5";
    /// Milliseconds between heartbeats while containers are asked for.
    HEARTBEAT_BUSY: i32 = "yarn.heartbeat.container-request-interval" = "500";
    /// Directory of the file that remembers the latest session.
    PROPERTIES_FILE_LOCATION: String = "yarn.properties-file.location";
    /// Port, range or list of ports of the JobManager's RPC.
    APPLICATION_MASTER_PORT: PortList = "yarn.application-master.port" = "0";
    /// Priority of the YARN application; negative: the cluster's default.
    APPLICATION_PRIORITY: i32 = "yarn.application.priority" = "-1";
    /// Replication of uploaded files; not positive: the file system's own.
    FILE_REPLICATION: i32 = "yarn.file-replication" = "-1";
    /// Comma-separated tags of the YARN application.
    APPLICATION_TAGS: String = "yarn.tags" = "";
    /// Who may view the application's containers and logs.
    VIEW_ACLS: String = "yarn.view.acls";
    /// Who may kill or change the application.
    MODIFY_ACLS: String = "yarn.modify.acls";
    /// Root of the per-application directories; default the user's home directory.
    STAGING_DIRECTORY: String = "yarn.staging-directory";
    /// Files and directories to ship, local or remote.
    SHIP_FILES: Vec<String> = "yarn.ship-files" ["yarn.ship-directories"];
    /// Archives to ship and unpack.
    SHIP_ARCHIVES: Vec<String> = "yarn.ship-archives";
    /// The flink-dist jar.
    FLINK_DIST_JAR: String = "yarn.flink-dist-jar";
    /// Id of the running application on which a job is submitted, listed, cancelled or stopped.
    APPLICATION_ID: String = "yarn.application.id";
    /// Queue of the YARN application.
    APPLICATION_QUEUE: String = "yarn.application.queue";
    /// Name of the YARN application.
    APPLICATION_NAME: String = "yarn.application.name";
    /// Type of the YARN application; default Apache Flink.
    APPLICATION_TYPE: String = "yarn.application.type";
    /// Node label of the application.
    APPLICATION_NODE_LABEL: String = "yarn.application.node-label";
    /// Node label of TaskManager containers.
    TASK_MANAGER_NODE_LABEL: String = "yarn.taskmanager.node-label";
    /// Whether the keytab is uploaded for the application; else each node has it already, where
    /// yarn.security.kerberos.localized-keytab-path says.
    SHIP_LOCAL_KEYTAB: bool = "yarn.security.kerberos.ship-local-keytab" = "true";
    /// Name of the uploaded keytab in the containers, or the path of the one that each node has already.
    LOCALIZED_KEYTAB_PATH: String = "yarn.security.kerberos.localized-keytab-path" = "krb5.keytab";
    /// Services whose delegation tokens the ApplicationMaster gets when it is started.
    APP_MASTER_TOKEN_SERVICES: Vec<String> = "yarn.security.appmaster.delegation.token.services" = "hadoopfs";
    /// Remote directories with Flink's files, used instead of uploading them.
    PROVIDED_LIB_DIRS: Vec<String> = "yarn.provided.lib.dirs";
    /// Remote directory usrlib with user jars.
    PROVIDED_USRLIB_DIR: String = "yarn.provided.usrlib.dir";
    /// Order of the parts of a JVM's command line (heddle starts JVMs without a shell and keeps its own
    /// order).
    START_COMMAND_TEMPLATE: String = "yarn.container-start-command-template";
    /// Container log files to aggregate while the application runs.
    ROLLED_LOGS_INCLUDE: String = "yarn.rolled-logs.include-pattern";
    /// Container log files that are not aggregated while the application runs, although
    /// `yarn.rolled-logs.include-pattern` names them.
    ROLLED_LOGS_EXCLUDE: String = "yarn.rolled-logs.exclude-pattern";

    // heddle.
    /// Name of the session that commands on jobs use: a running application of the user's own in YARN. Then
    /// the properties file is not read.
    SESSION: String = "heddle.session";
    /// Directory of the shared store of uploaded files; default .heddle/store in the user's home directory.
    STORE_DIR: String = "heddle.store.dir";
    /// Port or range of the ApplicationMaster's control server; 0: any.
    CONTROL_PORT: PortList = "heddle.control.port" = "0";
    /// Hadoop's jars behind Flink's on the class path: yarn (yarn.application.classpath) or none.
    HADOOP_CLASSPATH: HadoopClassPath = "heddle.hadoop-classpath" = "yarn";
    /// Jars with Hadoop's classes for a main() on this machine, where HADOOP_CLASSPATH is not set: jars and
    /// directories, local or remote; none: no jars; default: those that yarn.provided.lib.dirs has.
    HADOOP_JARS: Vec<String> = "heddle.hadoop.jars";
    /// Whether heddle does what only makes a start quicker: class data archives, TaskManagers that are asked
    /// for before Flink requests them, registration with YARN before the JobManager is ready.
    FAST_START: bool = "heddle.fast-start" = "true";
    /// Whether YARN may be asked for a container in which class data archives are made, where the
    /// ApplicationMaster's own container has too little memory or address space for that.
    ARCHIVE_CONTAINER: bool = "heddle.archive.container" = "true";
    /// Whether heddle makes a key for the application, with which JobManager and TaskManagers speak TLS to
    /// each other (RPC, blobs, data).
    INTERNAL_SSL: bool = "heddle.security.internal-ssl" = "false";
    /// TaskManagers asked for while the JobManager starts; default: what the parallelism needs, and none for
    /// a session.
    PREWARM: i32 = "heddle.prewarm";
    /// Whether the ApplicationMaster leaves a record of how the application and its containers have ended, in
    /// .heddle/outcomes in the user's home directory.
    OUTCOMES: bool = "heddle.outcomes" = "true";
    /// Port or range of the ApplicationMaster's metrics for Prometheus; 0: any; default: none are served.
    METRICS_SERVER_PORT: PortList = "heddle.metrics.port";
    /// Whether the JVMs of JobManager and TaskManagers write an error file when they crash, and a log of the
    /// collections of garbage, into the containers' logs.
    JVM_RECORDS: bool = "heddle.jvm-records" = "true";
    /// Whether the JDK's Flight Recorder records the last minutes of these JVMs, into the containers' logs.
    JFR: bool = "heddle.jfr" = "false";
    /// Whether such a JVM dumps its heap the first time that it is full, and the dump is uploaded for the
    /// user alone.
    HEAP_DUMP: bool = "heddle.heap-dump" = "false";
    /// Directory for these dumps, in which each application makes its own; default .heddle/heap-dumps in the
    /// user's home directory.
    HEAP_DUMP_DIR: String = "heddle.heap-dump.dir";

    // Deployment.
    /// Parallelism of a job that does not say it itself.
    PARALLELISM: i32 = "parallelism.default" = "1";
    /// Slots that a cluster always has.
    MIN_SLOTS: i32 = "slotmanager.number-of-slots.min";
    /// Slots that a cluster has at most.
    MAX_SLOTS: i32 = "slotmanager.number-of-slots.max";
    /// Whether workers of other sizes than the configured one are asked for.
    FINE_GRAINED: bool = "cluster.fine-grained-resource-management.enabled" = "false";
    /// Keytab with which to log in, here and in the cluster; goes with security.kerberos.login.principal.
    KERBEROS_KEYTAB: String = "security.kerberos.login.keytab" ["security.keytab"];
    /// Principal as which to log in with security.kerberos.login.keytab.
    KERBEROS_PRINCIPAL: String = "security.kerberos.login.principal" ["security.principal"];
    /// Login contexts of the JVMs (such as Client, for ZooKeeper, and KafkaClient) that get the Kerberos
    /// credentials.
    KERBEROS_CONTEXTS: String = "security.kerberos.login.contexts";
    /// Whether the tickets of kinit are used where no keytab is configured.
    KERBEROS_TICKET_CACHE: bool = "security.kerberos.login.use-ticket-cache" = "true";
    /// Kerberos configuration (krb5.conf), which is uploaded for the cluster. Commands read it, too, unless
    /// KRB5_CONFIG is set.
    KERBEROS_CONF: String = "security.kerberos.krb5-conf.path";
    /// More file systems of Hadoop, besides the default one, for which delegation tokens are fetched.
    KERBEROS_FILE_SYSTEMS: Vec<String> = "security.kerberos.access.hadoopFileSystems" ["yarn.security.kerberos.additionalFileSystems"];
    /// Whether delegation tokens are fetched for the cluster, with which it needs no ticket of its own.
    DELEGATION_TOKENS: bool = "security.delegation.tokens.enabled" ["security.kerberos.fetch.delegation-token"] = "true";
    /// Whether these include the tokens of HDFS.
    HADOOP_FS_TOKENS: bool = "security.delegation.token.provider.hadoopfs.enabled" ["security.kerberos.token.provider.hadoopfs.enabled"] = "true";
    /// Principal that may renew the cluster's tokens of HDFS; default that of the ResourceManager
    /// (yarn.resourcemanager.principal).
    TOKEN_RENEWER: String = "security.kerberos.token.provider.hadoopfs.renewer";
    /// Whether the REST interface speaks TLS.
    SSL_REST: bool = "security.ssl.rest.enabled" ["security.ssl.enabled"] = "false";
    /// Whether the REST interface demands a certificate of its clients.
    SSL_REST_AUTHENTICATION: bool = "security.ssl.rest.authentication-enabled" = "false";
    /// File (JKS or PKCS12) with key and certificate of the REST interface, and of a client that has to prove
    /// who it is; default security.ssl.keystore.
    SSL_REST_KEYSTORE: String = "security.ssl.rest.keystore";
    /// Password of that file; default security.ssl.keystore-password.
    SSL_REST_KEYSTORE_PASSWORD: String = "security.ssl.rest.keystore-password";
    /// Password of the key in that file; default security.ssl.key-password.
    SSL_REST_KEY_PASSWORD: String = "security.ssl.rest.key-password";
    /// Type of that file, JKS or PKCS12; heddle sees it by the content.
    SSL_REST_KEYSTORE_TYPE: String = "security.ssl.rest.keystore-type";
    /// File (JKS or PKCS12) with the certificates that clients of the REST interface trust; default
    /// security.ssl.truststore, then the certificates of this machine.
    SSL_REST_TRUSTSTORE: String = "security.ssl.rest.truststore";
    /// Password of that file; default security.ssl.truststore-password.
    SSL_REST_TRUSTSTORE_PASSWORD: String = "security.ssl.rest.truststore-password";
    /// Type of that file, JKS or PKCS12; heddle sees it by the content.
    SSL_REST_TRUSTSTORE_TYPE: String = "security.ssl.rest.truststore-type";
    /// SHA-1 of the one certificate that clients of the REST interface accept, in hexadecimal digits; with it
    /// the truststore does not count.
    SSL_REST_FINGERPRINT: String = "security.ssl.rest.cert.fingerprint";
    /// Whether clients of the REST interface check the host name in its certificate, too (2.3 on).
    SSL_REST_VERIFY_HOSTNAME: bool = "security.ssl.rest.verify-hostname" = "false";
    /// As security.ssl.rest.keystore, which wins.
    SSL_KEYSTORE: String = "security.ssl.keystore";
    /// As security.ssl.rest.keystore-password, which wins.
    SSL_KEYSTORE_PASSWORD: String = "security.ssl.keystore-password";
    /// As security.ssl.rest.key-password, which wins.
    SSL_KEY_PASSWORD: String = "security.ssl.key-password";
    /// As security.ssl.rest.truststore, which wins.
    SSL_TRUSTSTORE: String = "security.ssl.truststore";
    /// As security.ssl.rest.truststore-password, which wins.
    SSL_TRUSTSTORE_PASSWORD: String = "security.ssl.truststore-password";
    /// Versions of TLS; Flink's default is TLSv1.2, and heddle's commands speak TLSv1.3, too, unless this is
    /// set.
    SSL_PROTOCOL: String = "security.ssl.protocol";
    /// Cipher suites of TLS in Java's names; default those of Flink's release and, where heddle starts the
    /// cluster, suites that its commands know.
    SSL_ALGORITHMS: String = "security.ssl.algorithms";
    /// Ports of the REST interface.
    REST_BIND_PORT: PortList = "rest.bind-port";
    /// Port of the JobManager's RPC at which TaskManagers connect.
    JM_RPC_PORT: Port = "jobmanager.rpc.port" = "6123";
    /// Port that the JobManager's RPC binds to.
    JM_RPC_BIND_PORT: Port = "jobmanager.rpc.bind-port";
    /// Ports of the JobManager's RPC with high availability.
    HIGH_AVAILABILITY_PORT: PortList = "high-availability.jobmanager.port" ["recovery.jobmanager.port"] = "0";
    /// Ports of a TaskManager's RPC.
    TM_RPC_PORT: PortList = "taskmanager.rpc.port" = "0";
    /// Port that a TaskManager's RPC binds to.
    TM_RPC_BIND_PORT: Port = "taskmanager.rpc.bind-port";
    /// Port of the data between TaskManagers.
    TM_DATA_PORT: Port = "taskmanager.data.port" = "0";
    /// Ports that the data between TaskManagers binds to.
    TM_DATA_BIND_PORT: PortList = "taskmanager.data.bind-port";
    /// Port at which a TaskManager gives results to a client.
    TM_COLLECT_PORT: Port = "taskmanager.collect-sink.port" = "0";
    /// Ports of the service for jars and large messages.
    BLOB_PORT: PortList = "blob.server.port" = "0";
    /// Ports of Flink's own metric service.
    METRICS_PORT: PortList = "metrics.internal.query-service.port" = "0";
    /// Ports of the proxy for queryable state (to 1.20).
    STATE_PROXY_PORTS: PortList = "queryable-state.proxy.ports" ["query.proxy.ports"] = "9069";
    /// Ports of the server for queryable state (to 1.20).
    STATE_SERVER_PORTS: PortList = "queryable-state.server.ports" ["query.server.ports"] = "9067";
    /// Kind of cluster to deploy to.
    EXECUTION_TARGET: String = "execution.target";
    /// Whether the client waits for the job.
    EXECUTION_ATTACHED: bool = "execution.attached" = "false";
    /// High availability service: NONE, ZOOKEEPER, KUBERNETES or a factory's class.
    HIGH_AVAILABILITY: String = "high-availability.type" ["high-availability", "recovery.mode"] = "NONE";
    /// Name of the cluster in the high availability store; default the application id.
    CLUSTER_ID: String = "high-availability.cluster-id" ["high-availability.zookeeper.path.namespace", "recovery.zookeeper.path.namespace"];
    /// Jars of the program.
    PIPELINE_JARS: Vec<String> = "pipeline.jars";
    /// Address of the history server.
    HISTORY_SERVER_ADDRESS: String = "historyserver.web.address";
    /// Port of the history server.
    HISTORY_SERVER_PORT: i32 = "historyserver.web.port" = "8082";
    /// Java of the containers (2.0 on).
    JAVA_HOME: String = "env.java.home";
    /// JVM options for every process; those of `env.java.opts.all` come after them and win (1.19 on).
    JAVA_DEFAULT_OPTS_ALL: String = "env.java.default-opts.all";
    /// JVM options for the JobManager; those of `env.java.opts.jobmanager` come after them and win (1.19 on).
    JAVA_DEFAULT_OPTS_JM: String = "env.java.default-opts.jobmanager";
    /// JVM options for TaskManagers; those of `env.java.opts.taskmanager` come after them and win (1.19 on).
    JAVA_DEFAULT_OPTS_TM: String = "env.java.default-opts.taskmanager";
    /// JVM options for every process.
    JAVA_OPTS_ALL: String = "env.java.opts.all" ["env.java.opts"];
    /// JVM options for the JobManager.
    JAVA_OPTS_JM: String = "env.java.opts.jobmanager";
    /// JVM options for TaskManagers.
    JAVA_OPTS_TM: String = "env.java.opts.taskmanager";
    /// JVM options for Flink's own client, which runs main() on this machine.
    JAVA_OPTS_CLIENT: String = "env.java.opts.client";
    /// Directory of the log of `main()` on this machine; default log in FLINK_HOME, or in the user's state
    /// directory where that cannot be written to.
    LOG_DIR: String = "env.log.dir";
    /// Directory of Hadoop's configuration, where HADOOP_CONF_DIR is not set.
    HADOOP_CONF_DIR: String = "env.hadoop.conf.dir";
    /// Directory of YARN's configuration, where YARN_CONF_DIR is not set.
    YARN_CONF_DIR: String = "env.yarn.conf.dir";
    /// One more directory of Hadoop's configuration, on top of the others.
    HDFS_CONF_DIR: String = "fs.hdfs.hadoopconf";
    /// Log level of the root logger (1.19 on).
    LOG_LEVEL: String = "env.log.level";
    /// Old log files to keep.
    LOG_MAX: i32 = "env.log.max";
    /// Host of the JobManager's REST interface, for the target remote; default jobmanager.rpc.address, then
    /// localhost.
    REST_ADDRESS: String = "rest.address";
    /// Port of the JobManager's REST interface, for the target remote.
    REST_PORT: Port = "rest.port" = "8081";
    /// Address the JobManager binds to; localhost does not count in containers.
    JM_BIND_HOST: String = "jobmanager.bind-host";
    /// Address a TaskManager binds to; localhost does not count in containers.
    TM_BIND_HOST: String = "taskmanager.bind-host";
    /// Address of a TaskManager; always the node's in containers.
    TM_HOST: String = "taskmanager.host" ["taskmanager.hostname"];

    // JobManager memory.
    /// All memory of the JobManager's process.
    JM_PROCESS_SIZE: MemorySize = "jobmanager.memory.process.size";
    /// Memory of the JobManager without metaspace and overhead.
    JM_FLINK_SIZE: MemorySize = "jobmanager.memory.flink.size";
    /// Heap of the JobManager.
    JM_HEAP_SIZE: MemorySize = "jobmanager.memory.heap.size";
    /// Off-heap memory of the JobManager.
    JM_OFF_HEAP_SIZE: MemorySize = "jobmanager.memory.off-heap.size" = "128m";
    /// Whether the JobManager's direct memory is limited to its off-heap memory.
    JM_DIRECT_LIMIT: bool = "jobmanager.memory.enable-jvm-direct-memory-limit" = "false";
    /// Metaspace of the JobManager.
    JM_METASPACE: MemorySize = "jobmanager.memory.jvm-metaspace.size" = "256m";
    /// Least overhead of the JobManager's JVM.
    JM_OVERHEAD_MIN: MemorySize = "jobmanager.memory.jvm-overhead.min" = "192m";
    /// Most overhead of the JobManager's JVM.
    JM_OVERHEAD_MAX: MemorySize = "jobmanager.memory.jvm-overhead.max" = "1g";
    /// Overhead of the JobManager's JVM as a part of its process memory.
    JM_OVERHEAD_FRACTION: f32 = "jobmanager.memory.jvm-overhead.fraction" = "0.1";
    /// Old name of the JobManager's memory (to 1.20).
    JM_LEGACY_HEAP: MemorySize = "jobmanager.heap.size";
    /// Older name of the JobManager's memory, in MiB (to 1.20).
    JM_LEGACY_HEAP_MB: i32 = "jobmanager.heap.mb";

    // TaskManager memory.
    /// All memory of a TaskManager's process.
    TM_PROCESS_SIZE: MemorySize = "taskmanager.memory.process.size";
    /// Memory of a TaskManager without metaspace and overhead.
    TM_FLINK_SIZE: MemorySize = "taskmanager.memory.flink.size";
    /// Heap kept for Flink itself.
    TM_FRAMEWORK_HEAP: MemorySize = "taskmanager.memory.framework.heap.size" = "128m";
    /// Off-heap memory kept for Flink itself.
    TM_FRAMEWORK_OFF_HEAP: MemorySize = "taskmanager.memory.framework.off-heap.size" = "128m";
    /// Heap of tasks.
    TM_TASK_HEAP: MemorySize = "taskmanager.memory.task.heap.size";
    /// Off-heap memory of tasks.
    TM_TASK_OFF_HEAP: MemorySize = "taskmanager.memory.task.off-heap.size" = "0";
    /// Managed memory.
    TM_MANAGED_SIZE: MemorySize = "taskmanager.memory.managed.size" ["taskmanager.memory.size"];
    /// Managed memory as a part of Flink's memory.
    TM_MANAGED_FRACTION: f32 = "taskmanager.memory.managed.fraction" = "0.4";
    /// Least network memory.
    TM_NETWORK_MIN: MemorySize = "taskmanager.memory.network.min" ["taskmanager.network.memory.min"] = "64m";
    /// Most network memory; default no limit, to 1.16 1 GiB.
    TM_NETWORK_MAX: MemorySize = "taskmanager.memory.network.max" ["taskmanager.network.memory.max"];
    /// Network memory as a part of Flink's memory.
    TM_NETWORK_FRACTION: f32 = "taskmanager.memory.network.fraction" ["taskmanager.network.memory.fraction"] = "0.1";
    /// Old way to set network memory: a number of segments (to 1.20).
    TM_NETWORK_BUFFERS: i32 = "taskmanager.network.numberOfBuffers";
    /// Size of a memory segment.
    TM_SEGMENT_SIZE: MemorySize = "taskmanager.memory.segment-size" = "32kb";
    /// Metaspace of a TaskManager.
    TM_METASPACE: MemorySize = "taskmanager.memory.jvm-metaspace.size" = "256m";
    /// Least overhead of a TaskManager's JVM.
    TM_OVERHEAD_MIN: MemorySize = "taskmanager.memory.jvm-overhead.min" = "192m";
    /// Most overhead of a TaskManager's JVM.
    TM_OVERHEAD_MAX: MemorySize = "taskmanager.memory.jvm-overhead.max" = "1g";
    /// Overhead of a TaskManager's JVM as a part of its process memory.
    TM_OVERHEAD_FRACTION: f32 = "taskmanager.memory.jvm-overhead.fraction" = "0.1";
    /// Old name of a TaskManager's memory (to 1.20).
    TM_LEGACY_HEAP: MemorySize = "taskmanager.heap.size";
    /// Older name of a TaskManager's memory, in MiB (to 1.20).
    TM_LEGACY_HEAP_MB: i32 = "taskmanager.heap.mb";
    /// CPU cores of a TaskManager.
    TM_CPU_CORES: f64 = "taskmanager.cpu.cores";
    /// Slots of a TaskManager.
    TM_SLOTS: i32 = "taskmanager.numberOfTaskSlots" = "1";
    /// Names of external resources; `none` or nothing: there are none.
    EXTERNAL_RESOURCES: Vec<String> = "external-resources";
    /// How long an idle TaskManager is kept.
    TM_IDLE_TIMEOUT: Duration = "resourcemanager.taskmanager-timeout" = "30 s";
}

macro_rules! prefixes {
    ($(#[doc = $doc:literal] $name:ident = $prefix:literal;)+) => {
        $(#[doc = $doc] pub const $name: &str = $prefix;)+

        /// The prefixes of keys whose remaining part the user chooses, each with a description for the
        /// documentation.
        pub const PREFIXES: &[(&str, &str)] = &[$(($name, $doc)),+];
    };
}

prefixes! {
    /// An environment variable of the ApplicationMaster's container and its JobManager.
    MASTER_ENV = "containerized.master.env.";
    /// An environment variable of the TaskManagers' containers.
    TASK_MANAGER_ENV = "containerized.taskmanager.env.";
    /// Older name of containerized.master.env.; no effect.
    MASTER_ENV_OLD = "yarn.application-master.env.";
    /// Older name of containerized.taskmanager.env. (to 1.20).
    TASK_MANAGER_ENV_OLD = "yarn.taskmanager.env.";
    /// A key of Hadoop's configuration, on top of its files.
    HADOOP_PREFIX = "flink.hadoop.";
    /// A key of YARN's configuration without its yarn., on top of its files.
    YARN_PREFIX = "flink.yarn.";
}

macro_rules! choice {
    ($(#[doc = $doc:literal])+ $name:ident, $expected:literal { $($(#[doc = $vdoc:literal])+ $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $vdoc])+ $variant),+ }

        impl FromValue for $name {
            const EXPECTED: &'static str = $expected;

            fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
                let text = value.text();
                $(if text.eq_ignore_ascii_case($text) { return Ok(Self::$variant); })+
                Err(String::new())
            }
        }
    };
}

choice! {
    /// Where the user's jars stand on the class path.
    UserJarInclusion, "one of ORDER, FIRST, LAST, DISABLED" {
        /// Among Flink's own jars, all sorted by name.
        Order = "ORDER",
        /// Before Flink's own jars.
        First = "FIRST",
        /// At the end.
        Last = "LAST",
        /// Not on the class path. The jars are in `usrlib`, and the class loader of the user's code loads
        /// them.
        Disabled = "DISABLED",
    }
}

choice! {
    /// Whether Hadoop's jars are on the class path.
    HadoopClassPath, "one of yarn, none" {
        /// Hadoop's jars are on the class path, as `yarn.application.classpath` says.
        Yarn = "yarn",
        /// Hadoop's jars are left out.
        None = "none",
    }
}

/// Warns of deprecated names, of keys that begin with `yarn.` or `heddle.` and that nothing reads, and of
/// keys that look like misspelt keys of Flink.
pub fn check_keys(configuration: &Configuration) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let known: BTreeMap<&str, &OptionInfo> = ALL
        .iter()
        .flat_map(|o| std::iter::once(o.key).chain(o.deprecated.iter().copied()).map(move |k| (k, o)))
        .collect();
    for (key, entry) in configuration.iter() {
        let ours = key.starts_with("yarn.") || key.starts_with("heddle.");
        let message = match known.get(key) {
            Some(option) if option.key != key => format!("{key} is deprecated; its name is {}", option.key),
            None if ours && !PREFIXES.iter().any(|(prefix, _)| key.starts_with(prefix)) => {
                let nearest = nearest(key).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
                format!("{key} is not known and has no effect{nearest}")
            }
            // Users may invent keys that are neither Flink's nor heddle's. So a warning is given only if a
            // key looks like a misspelt key of Flink.
            None if !ours && !PREFIXES.iter().any(|(prefix, _)| key.starts_with(prefix)) => {
                match flink_keys::misspelt(key) {
                    Some(meant) => format!("{key} is not a key that Flink knows; did you mean {meant}?"),
                    None => continue,
                }
            }
            _ => continue,
        };
        warnings.push(Warning { origin: entry.origin.clone(), message });
    }
    warnings
}

/// The known key that is most like `key`, if one is similar enough.
pub fn nearest(key: &str) -> Option<&'static str> {
    let near = |name: &'static str| (strsim::jaro_winkler(key, name), name);
    let best = ALL.iter().map(|option| near(option.key)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.9 && strsim::damerau_levenshtein(key, best.1) <= 1 + key.len() / 4).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_of_its_type() {
        let conf = Configuration::new(FileFormat::Standard);
        assert_eq!(conf.get(&INCLUDE_USER_JAR), Ok(Some(UserJarInclusion::Order)));
        assert_eq!(conf.get(&HADOOP_CLASSPATH), Ok(Some(HadoopClassPath::Yarn)));
        for option in ALL {
            let Some(default) = option.default else { continue };
            let value = Value::from(default);
            let readable = match option.expected {
                MemorySize::EXPECTED => MemorySize::from_value(&value, FileFormat::Legacy).is_ok(),
                i32::EXPECTED => i64::from_value(&value, FileFormat::Legacy).is_ok(),
                f32::EXPECTED => f64::from_value(&value, FileFormat::Legacy).is_ok(),
                bool::EXPECTED => bool::from_value(&value, FileFormat::Legacy).is_ok(),
                Duration::EXPECTED => Duration::from_value(&value, FileFormat::Legacy).is_ok(),
                _ => true,
            };
            assert!(readable, "{} = {default}", option.key);
            assert!(!option.doc.is_empty() && option.doc.trim_start().len() < 240, "{}", option.key);
        }
    }

    #[test]
    fn unknown_and_old_keys_are_said() {
        let mut conf = Configuration::new(FileFormat::Standard);
        for key in [
            "yarn.aplication.queue",
            "yarn.heartbeat-delay",
            "yarn.nothing-like-it-at-all",
            "heddle.store-dir",
            "yarn.taskmanager.env.X",
            "rest.port",
            "taskmanager.memroy.process.size",
        ] {
            conf.set_dynamic(key, "x");
        }
        let messages: Vec<_> = check_keys(&conf).into_iter().map(|w| w.message).collect();
        assert_eq!(
            messages,
            [
                "heddle.store-dir is not known and has no effect; did you mean heddle.store.dir?",
                "taskmanager.memroy.process.size is not a key that Flink knows; did you mean taskmanager.memory.process.size?",
                "yarn.aplication.queue is not known and has no effect; did you mean yarn.application.queue?",
                "yarn.heartbeat-delay is deprecated; its name is yarn.heartbeat.interval",
                "yarn.nothing-like-it-at-all is not known and has no effect",
            ]
        );
    }
}
