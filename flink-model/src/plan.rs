//! Makes the parts of an [`AmSpec`](crate::spec::AmSpec) that say how the JVMs are started, from the
//! configuration and the files of the containers.

use std::collections::BTreeMap;
use std::fmt;

use crate::class_path::{ContainerFiles, flink_class_path, hadoop_class_path};
use crate::cluster_spec::ClusterSpec;
use crate::config::{Configuration, Origin, ValueError, is_sensitive, shown_all};
use crate::flink_variables;
use crate::jvm_options::{JvmOptionsError, Logging, user_options};
use crate::memory::Role;
use crate::options::{self, HadoopClassPath};
use crate::release::Release;
use crate::spec::{ClusterMode, JvmTemplate};
use crate::start_template::{StartTemplate, TemplateError};

/// The main class of a TaskManager.
pub const TASK_MANAGER_MAIN: &str = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner";

/// The name of the file that describes the program of an application:
/// `{"mainClass": string or null, "args": [string...]}`.
pub const PROGRAM_FILE: &str = "heddle-program.json";

/// Why the JVMs cannot be planned. Another try does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A value is not of its type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// JVM options cannot be split into words.
    #[error(transparent)]
    JvmOptions(#[from] JvmOptionsError),
    /// A secret value cannot be written to the configuration file. Only the command line could carry it,
    /// where everybody on the node would see it.
    #[error(
        "{key} ({origin}) cannot be written to flink-conf.yaml because its value is empty or holds '#', a line break or blanks at an end"
    )]
    Secret {
        /// The key of the secret.
        key: String,
        /// Where the key is set.
        origin: Origin,
    },
    /// There is no flink-dist jar among the files.
    #[error("no flink-dist jar is among the files for the containers")]
    NoDist,
    /// The value of `yarn.container-start-command-template` cannot be used.
    #[error("yarn.container-start-command-template cannot be used: {0}")]
    StartTemplate(#[from] TemplateError),
}

/// What a container has besides its JVM.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The local resources of the container.
    pub files: ContainerFiles,
    /// Which logging configuration is among the files.
    pub logging: Logging,
    /// `yarn.application.classpath` in Hadoop's configuration, if it is set there.
    pub yarn_class_path: Option<String>,
    /// Whether `krb5.conf` is among the files.
    pub krb5: bool,
}

/// The configuration file that the containers get.
#[derive(Clone, PartialEq)]
pub struct ShippedConfiguration {
    /// The name of the file, `config.yaml` or `flink-conf.yaml`.
    pub file_name: &'static str,
    /// The content of the file.
    pub text: String,
    /// The configuration in the file, from which the templates are made.
    pub configuration: Configuration,
    /// Keys and values that `flink-conf.yaml` cannot hold. [`job_manager_template`] passes them as arguments.
    pub not_carried: Vec<(String, String)>,
}

impl fmt::Debug for ShippedConfiguration {
    /// Leaves secrets out. The text says the same as the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not_carried = shown_all(self.not_carried.iter().map(|(key, value)| (key, value)));
        f.debug_struct("ShippedConfiguration")
            .field("file_name", &self.file_name)
            .field("configuration", &self.configuration)
            .field("not_carried", &not_carried)
            .finish_non_exhaustive()
    }
}

/// The effective configuration for the containers, without what cannot be right on another host.
/// `cluster_id`, the application's id, becomes the name of the cluster in the high availability store, unless
/// the user has set one.
pub fn shipped_configuration(
    conf: &Configuration,
    release: Release,
    cluster_id: Option<&str>,
) -> Result<ShippedConfiguration, PlanError> {
    let mut configuration = conf.clone();
    for option in [&options::JM_BIND_HOST, &options::TM_BIND_HOST] {
        // The configuration file in Flink's distribution sets `localhost` here. With that, other hosts could
        // not reach the cluster.
        if conf.text(option.key).as_deref() == Some("localhost") {
            configuration.remove(option.key);
        }
    }
    for key in std::iter::once(&options::TM_HOST.key).chain(options::TM_HOST.deprecated) {
        configuration.remove(key);
    }
    if let Some(id) = cluster_id
        && !conf.contains(&options::CLUSTER_ID)
    {
        configuration.set(
            options::CLUSTER_ID.key,
            id,
            Origin::Derived("from the application's id".to_owned()),
        );
    }
    if release.traits().log_env {
        for (key, variable) in
            [(options::LOG_LEVEL.key, "ROOT_LOG_LEVEL"), (options::LOG_MAX.key, "MAX_LOG_FILE_NUMBER")]
        {
            let Some(value) = conf.text(key) else { continue };
            for prefix in [options::MASTER_ENV, options::TASK_MANAGER_ENV] {
                configuration.set(
                    format!("{prefix}{variable}"),
                    value.clone(),
                    Origin::Derived(format!("from {key}")),
                );
            }
        }
    }
    let rendered = configuration.render();
    if let Some((key, _)) = rendered.not_carried.iter().find(|(key, _)| is_sensitive(key)) {
        let origin = configuration.entry(key).map_or(Origin::Default, |entry| entry.origin.clone());
        return Err(PlanError::Secret { key: key.clone(), origin });
    }
    Ok(ShippedConfiguration {
        file_name: configuration.format().file_name(),
        text: rendered.text,
        configuration,
        not_carried: rendered.not_carried,
    })
}

/// How to start the JobManager: with the memory options, the user's options and the options for logging. The
/// arguments are `--configDir .` and, as `-D key=value`, the memory sizes that were decided here.
pub fn job_manager_template(
    shipped: &ShippedConfiguration,
    release: Release,
    mode: ClusterMode,
    cluster: &ClusterSpec,
    around: &Surroundings,
) -> Result<JvmTemplate, PlanError> {
    let conf = &shipped.configuration;
    let mut template = template(conf, release, Role::JobManager, around)?;
    template.jvm_args.splice(0..0, cluster.job_manager.jvm_args());
    template.main_class = match mode {
        // In a per-job cluster, main() runs on the client, so the JobManager is that of a session. The
        // ApplicationMaster ends the cluster when main() and all jobs have ended.
        ClusterMode::Session | ClusterMode::PerJob => release.traits().session_entrypoint,
        ClusterMode::Application => release.traits().application_entrypoint,
    }
    .to_owned();
    let mut args = vec!["--configDir".to_owned(), ".".to_owned()];
    if mode == ClusterMode::Application {
        args.extend(["--program".to_owned(), PROGRAM_FILE.to_owned()]);
    }
    for (key, value) in shipped.not_carried.iter().chain(&cluster.job_manager.dynamic_properties()) {
        args.extend(["-D".to_owned(), format!("{key}={value}")]);
    }
    args.append(&mut template.args);
    template.args = args;
    // Flink finds the directories of its distribution by these variables.
    template.env.insert("FLINK_LIB_DIR".to_owned(), "./lib".to_owned());
    template.env.insert("FLINK_OPT_DIR".to_owned(), "./opt".to_owned());
    Ok(template)
}

/// How to start a TaskManager. Flink's request for a TaskManager adds memory options and arguments.
pub fn task_manager_template(
    shipped: &ShippedConfiguration,
    release: Release,
    around: &Surroundings,
) -> Result<JvmTemplate, PlanError> {
    let mut template = template(&shipped.configuration, release, Role::TaskManager, around)?;
    template.main_class = TASK_MANAGER_MAIN.to_owned();
    // Flink's own entry point for YARN sets this, too, whatever the configuration says. A TaskManager whose
    // process has ended is replaced, but one that hangs is not.
    template.args.extend(["-D".to_owned(), format!("{}=true", release.traits().exit_on_fatal_error)]);
    Ok(template)
}

fn template(
    conf: &Configuration,
    release: Release,
    role: Role,
    around: &Surroundings,
) -> Result<JvmTemplate, PlanError> {
    if !around.files.shipped.iter().any(|key| crate::class_path::is_dist_jar(key)) {
        return Err(PlanError::NoDist);
    }
    let mut jvm_args = user_options(conf, release, role)?;
    if around.krb5 {
        jvm_args.push("-Djava.security.krb5.conf=krb5.conf".to_owned());
    }
    jvm_args.extend(around.logging.jvm_args(role));
    let inclusion = conf.require(&options::INCLUDE_USER_JAR)?;
    let mut class_path = match role {
        Role::JobManager => flink_class_path(&around.files, inclusion),
        Role::TaskManager => {
            flink_class_path(&ContainerFiles { bridge: None, ..around.files.clone() }, inclusion)
        }
    };
    let mut env = environment(conf, release, role);
    env.insert(flink_variables::CLASS_PATH.to_owned(), class_path.join(":"));
    if conf.require(&options::HADOOP_CLASSPATH)? == HadoopClassPath::Yarn {
        class_path.extend(hadoop_class_path(around.yarn_class_path.as_deref()));
    }
    if let Some(plugins) = plugins_elsewhere(&around.files) {
        env.entry("FLINK_PLUGINS_DIR".to_owned()).or_insert(plugins);
    }
    let start = match conf.text(options::START_COMMAND_TEMPLATE.key) {
        Some(text) => StartTemplate::parse(&text)?,
        None => StartTemplate::default(),
    };
    jvm_args.splice(0..0, start.first_options);
    jvm_args.extend(start.last_options);
    let args = start.first_args.into_iter().chain(start.last_args).collect();
    Ok(JvmTemplate {
        launcher: start.launcher,
        java_home: java_home(conf, release, role),
        jvm_args,
        class_path,
        args,
        env,
        ..JvmTemplate::default()
    })
}

/// The directory of the Java that the configuration names for the containers of a role.
pub fn java_home(conf: &Configuration, release: Release, role: Role) -> Option<String> {
    let everywhere = if release.traits().java_home { conf.text(options::JAVA_HOME.key) } else { None };
    everywhere.or_else(|| environment(conf, release, role).remove("JAVA_HOME"))
}

/// The directory of Flink's plugins, if it is not `./plugins`. If `yarn.provided.lib.dirs` names a whole
/// distribution, `plugins` is one directory deeper.
fn plugins_elsewhere(files: &ContainerFiles) -> Option<String> {
    let keys = || files.shipped.iter().map(String::as_str);
    if keys().any(|key| key.starts_with("plugins/")) {
        return None;
    }
    keys().find_map(|key| {
        let (root, rest) = key.split_once('/')?;
        rest.starts_with("plugins/").then(|| format!("./{root}/plugins"))
    })
}

/// The environment variables that the configuration sets for a role.
fn environment(conf: &Configuration, release: Release, role: Role) -> BTreeMap<String, String> {
    let (current, deprecated) = match role {
        Role::JobManager => (options::MASTER_ENV, options::MASTER_ENV_OLD),
        Role::TaskManager => (options::TASK_MANAGER_ENV, options::TASK_MANAGER_ENV_OLD),
    };
    let mut env = BTreeMap::new();
    if role == Role::TaskManager && release.traits().upstream_per_job {
        // In Flink, the JobManager translates the old prefixes, so they have an effect only for TaskManagers.
        env.extend(conf.with_prefix(deprecated));
    }
    env.extend(conf.with_prefix(current));
    env
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FileFormat;

    fn conf(format: FileFormat, more: &[(&str, &str)]) -> Configuration {
        let mut conf = Configuration::new(format);
        for (key, value) in [
            ("jobmanager.memory.process.size", "1600m"),
            ("taskmanager.memory.process.size", "1728m"),
            ("jobmanager.bind-host", "localhost"),
            ("taskmanager.bind-host", "0.0.0.0"),
            ("taskmanager.host", "localhost"),
        ]
        .iter()
        .chain(more)
        {
            conf.set_dynamic(*key, *value);
        }
        conf
    }

    fn around() -> Surroundings {
        Surroundings {
            files: ContainerFiles {
                shipped: vec![
                    "lib/flink-dist-1.20.1.jar".into(),
                    "lib/a.jar".into(),
                    "log4j.properties".into(),
                ],
                user: Vec::new(),
                bridge: Some("heddle/flink-bridge.jar".into()),
            },
            logging: Logging::Log4j,
            yarn_class_path: Some("/etc/hadoop".into()),
            krb5: false,
        }
    }

    fn release() -> Release {
        "1.20.1".parse().unwrap()
    }

    #[test]
    fn a_session_on_1_20() {
        let conf = conf(
            FileFormat::Standard,
            &[
                ("env.log.level", "DEBUG"),
                ("containerized.master.env.A", "b c"),
                ("env.java.opts.all", "-Dx=1"),
            ],
        );
        let shipped = shipped_configuration(&conf, release(), Some("application_1_0001")).unwrap();
        assert_eq!(shipped.file_name, "config.yaml");
        for key in ["jobmanager.bind-host", "taskmanager.host"] {
            assert_eq!(shipped.configuration.text(key), None);
        }
        assert_eq!(shipped.configuration.text("taskmanager.bind-host").as_deref(), Some("0.0.0.0"));
        assert!(shipped.text.contains("high-availability.cluster-id: application_1_0001\n"));

        let cluster = ClusterSpec::from(&shipped.configuration, release()).unwrap();
        let jm =
            job_manager_template(&shipped, release(), ClusterMode::Session, &cluster, &around()).unwrap();
        assert_eq!(jm.main_class, "dev.heddle.bridge.SessionEntrypoint");
        assert_eq!(
            jm.jvm_args,
            [
                "-Xmx1073741824",
                "-Xms1073741824",
                "-XX:MaxMetaspaceSize=268435456",
                "-Dx=1",
                "-XX:+IgnoreUnrecognizedVMOptions",
                "-Dlog.file=<LOG_DIR>/jobmanager.log",
                "-Dlog4j.configuration=file:log4j.properties",
                "-Dlog4j.configurationFile=file:log4j.properties",
            ]
        );
        assert_eq!(jm.args[..4], ["--configDir", ".", "-D", "jobmanager.memory.heap.size=1073741824b"]);
        assert_eq!(
            jm.class_path,
            [".", "lib/a.jar", "lib/flink-dist-1.20.1.jar", "heddle/flink-bridge.jar", "/etc/hadoop"]
        );
        assert_eq!(jm.env["A"], "b c");
        assert_eq!(jm.env["ROOT_LOG_LEVEL"], "DEBUG");
        assert_eq!(jm.env["FLINK_LIB_DIR"], "./lib");

        let tm = task_manager_template(&shipped, release(), &around()).unwrap();
        assert_eq!(tm.class_path, [".", "lib/a.jar", "lib/flink-dist-1.20.1.jar", "/etc/hadoop"]);
        assert_eq!(tm.args, ["-D", "pekko.jvm-exit-on-fatal-error=true"]);
        let before_pekko = task_manager_template(&shipped, "1.17.2".parse().unwrap(), &around()).unwrap();
        assert_eq!(before_pekko.args, ["-D", "akka.jvm-exit-on-fatal-error=true"]);
        assert_eq!(tm.env["ROOT_LOG_LEVEL"], "DEBUG");
        assert_eq!(tm.env["_FLINK_CLASSPATH"], ".:lib/a.jar:lib/flink-dist-1.20.1.jar");
        assert_eq!(tm.env.len(), 2);
    }

    #[test]
    fn the_old_format_sends_the_rest_as_arguments_but_no_secrets() {
        let with = |key, value| {
            let conf = conf(FileFormat::Legacy, &[(key, value)]);
            shipped_configuration(&conf, release(), None)
        };
        let shipped = with("a", "x # y").unwrap();
        let cluster = ClusterSpec::from(&shipped.configuration, release()).unwrap();
        let jm =
            job_manager_template(&shipped, release(), ClusterMode::Session, &cluster, &around()).unwrap();
        assert_eq!(jm.args[2..4], ["-D", "a=x # y"]);
        let refused = with("security.ssl.rest.key-password", "x#y").unwrap_err().to_string();
        assert!(refused.contains("key-password (-D)") && !refused.contains("x#y"));
    }

    #[test]
    fn java_home_and_hadoop() {
        let conf = conf(
            FileFormat::Standard,
            &[
                ("env.java.home", "/opt/a"),
                ("containerized.master.env.JAVA_HOME", "/opt/b"),
                ("heddle.hadoop-classpath", "none"),
            ],
        );
        let home = |version: &str, role| {
            let release = version.parse().unwrap();
            template(&conf, release, role, &around()).unwrap().java_home
        };
        assert_eq!(home("1.20.1", Role::JobManager).as_deref(), Some("/opt/b"));
        assert_eq!(home("1.20.1", Role::TaskManager), None);
        assert_eq!(home("2.0.0", Role::JobManager).as_deref(), Some("/opt/a"));
        assert_eq!(home("2.0.0", Role::TaskManager).as_deref(), Some("/opt/a"));
        let class_path = template(&conf, release(), Role::JobManager, &around()).unwrap().class_path;
        assert_eq!(class_path.last().map(String::as_str), Some("heddle/flink-bridge.jar"));
    }
}
