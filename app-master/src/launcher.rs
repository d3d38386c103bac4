//! What a TaskManager's container is started with: YARN's launch context, and the launch command for its
//! taskrunner.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use artifact_store::{BadResource, local_resources};
use flink_model::flink_variables;
use flink_model::spec::AmSpec;
use hadoop_rpc::TokenSource;
use taskrunner::control::{File, JvmRecords, Launch};
use taskrunner::keys::{ControlKeys, KeyError};
use yarn_api::records::{AccessType, Container, ContainerLaunchContext, NodeId, UnknownName};
use yarn_api::{NodeError, NodeErrorKind, NodeManagerClients};

use crate::ledger::types::TaskManagerArguments;
use crate::tokens;

/// Environment variable with the control server's address, for taskrunners.
const CONTROL_VARIABLE: &str = "HEDDLE_CONTROL";
/// Environment variable with the time, in milliseconds, for which a taskrunner waits for an
/// ApplicationMaster.
const GRACE_VARIABLE: &str = "HEDDLE_CONTROL_GRACE_MS";
/// User on whose behalf Hadoop's client acts on a cluster without Kerberos.
pub(crate) const USER_VARIABLE: &str = "HADOOP_USER_NAME";
/// How many TaskManagers record their classes: more than one, because one may end before it has.
const RECORDINGS: u32 = 2;
/// How often the start of a container is tried, and the wait before the second try, which doubles each time.
const START_TRIES: u32 = 6;
const START_DELAY: Duration = Duration::from_millis(300);

/// What the client has specified (`heddle-am.json`) cannot be used for TaskManagers. A retry does not help.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    /// A local resource.
    #[error("heddle-am.json: {0}")]
    Resource(#[from] BadResource),
    /// An access list.
    #[error("heddle-am.json: access lists: {0}")]
    Acl(#[from] UnknownName),
    /// The keys of the control server.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A file that TaskManagers get.
    #[error("cannot read {} for the TaskManagers: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Makes the launch contexts of TaskManagers' containers and the launch commands for their taskrunners. All
/// files are read and checked when it is created.
#[derive(Debug)]
pub struct Launcher {
    /// Without the credentials, which differ from container to container.
    context: ContainerLaunchContext,
    /// The ApplicationMaster's own. They may be replaced, so each container gets those of the moment.
    tokens: TokenSource,
    keys: Arc<ControlKeys>,
    template: Launch,
    /// How many TaskManagers may still record their classes for an archive.
    recordings: AtomicU32,
}

/// How long a taskrunner whose ApplicationMaster is gone waits for the next one, with high availability. It
/// is long, because a TaskManager works without the taskrunner's link. Flink itself ends one that has had no
/// JobManager for five minutes (`taskmanager.registration.timeout`), and with it the taskrunner ends.
const GRACE_MS: u64 = 60 * 60 * 1000;
/// Environment variable of a taskrunner that is to listen for the ApplicationMaster of a later attempt.
const FOLLOW_VARIABLE: &str = "HEDDLE_FOLLOW_ATTEMPTS";

fn control_variables(spec: &AmSpec, control: &str) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([(CONTROL_VARIABLE.to_owned(), control.to_owned())]);
    if spec.application.high_availability {
        variables.insert(GRACE_VARIABLE.to_owned(), GRACE_MS.to_string());
        variables.insert(FOLLOW_VARIABLE.to_owned(), "true".to_owned());
    }
    variables
}

impl Launcher {
    /// From the client's specification. `dir` is the ApplicationMaster's working directory, `control` the
    /// `host:port` of the control server, whose keys are `keys`. `user` is the user's name for Hadoop's
    /// client in the TaskManagers, which get those of the `tokens` that concern them. `records`: what their
    /// JVMs leave in files.
    pub fn new(
        spec: &AmSpec,
        dir: &Path,
        control: &str,
        user: Option<&str>,
        tokens: TokenSource,
        keys: Arc<ControlKeys>,
        records: JvmRecords,
    ) -> Result<Self, LauncherError> {
        let runner = &spec.task_managers.taskrunner_key;
        let context = ContainerLaunchContext {
            local_resources: local_resources(
                &spec.resources.task_manager_resources,
                spec.application.fast_start,
            )?,
            environment: control_variables(spec, control),
            commands: vec![format!(
                "./{runner} 1><LOG_DIR>/heddle-taskrunner.out 2><LOG_DIR>/heddle-taskrunner.log"
            )],
            tokens: Vec::new(),
            acls: acls(spec)?,
            service_data: BTreeMap::new(),
        };
        let read = |name: &String| {
            let path = dir.join(name);
            match std::fs::read(&path) {
                Ok(content) => Ok(File { name: name.clone(), content }),
                Err(source) => Err(LauncherError::File { path, source }),
            }
        };
        let jvm = &spec.task_managers.jvm;
        let mut env = jvm.env.clone();
        if let Some(user) = user {
            env.entry(USER_VARIABLE.to_owned()).or_insert_with(|| user.to_owned());
        }
        let archive = spec.task_managers.class_data.as_ref();
        let metrics = spec.application_master.metrics.as_ref();
        let template = Launch {
            env: env.into_iter().collect(),
            files: spec.task_managers.files.iter().map(read).collect::<Result<_, _>>()?,
            log_name: "taskmanager".to_owned(),
            flink_version: spec.application.flink_version.clone(),
            archives: archive.map(|archive| archive.found.clone()).unwrap_or_default(),
            reporter_ports: metrics.map(|metrics| metrics.reporters.clone()).unwrap_or_default(),
            records: Some(records),
            ..Launch::from(jvm)
        };
        Ok(Self { context, tokens, keys, template, recordings: AtomicU32::new(0) })
    }

    /// Lets TaskManagers record their classes for an archive, if the client has told where it belongs.
    pub fn record_classes(&self) {
        self.recordings.store(RECORDINGS, Ordering::Relaxed);
    }

    /// The launch command for the taskrunner in `container`.
    pub fn launch(&self, container: &Container, arguments: TaskManagerArguments) -> Launch {
        let mut launch = self.template.clone();
        let options = std::mem::replace(&mut launch.jvm_args, arguments.jvm_args);
        launch.jvm_args.extend(options);
        launch.args.extend(arguments.args);
        launch.container_mb = container.resource.memory_mb;
        let count = |left: u32| left.checked_sub(1);
        launch.record_classes =
            self.recordings.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok();
        let NodeId { host, .. } = &container.node;
        launch.env.insert(flink_variables::NODE.to_owned(), host.clone());
        for (key, value) in [
            ("taskmanager.resource-id", container.id.to_string()),
            ("internal.taskmanager.resource-id.metadata", container.node.to_string()),
            ("taskmanager.host", host.clone()),
            ("internal.taskmanager.node-id", host.clone()),
        ] {
            launch.args.extend(["-D".to_owned(), format!("{key}={value}")]);
        }
        launch
    }

    /// Starts the taskrunner. After an error that may pass it tries again, for some seconds. The error is for
    /// people.
    pub async fn start(&self, nodes: &NodeManagerClients, container: &Container) -> Result<(), String> {
        let context = self.context(&container.id.to_string()).map_err(|error| error.to_string())?;
        start_container(nodes, container, &context).await.map_err(|error| error.to_string())
    }

    /// The launch context of a container, with the key of its taskrunner.
    fn context(&self, container: &str) -> Result<ContainerLaunchContext, KeyError> {
        let mut credentials = tokens::for_others(&self.tokens.get());
        self.keys.put_worker(container, &mut credentials)?;
        Ok(ContainerLaunchContext { tokens: credentials.to_writable_bytes(), ..self.context.clone() })
    }
}

/// Starts a container with this launch context. After an error that may pass it tries again, for some
/// seconds.
pub(crate) async fn start_container(
    nodes: &NodeManagerClients,
    container: &Container,
    context: &ContainerLaunchContext,
) -> Result<(), NodeError> {
    let mut delay = START_DELAY;
    for _ in 1..START_TRIES {
        match nodes.start_container(container, context).await {
            Ok(_) => return Ok(()),
            Err(error) if error.kind == NodeErrorKind::AlreadyStarted => return Ok(()),
            Err(error) if error.is_transient() => {
                tracing::warn!(container = %container.id, %error, "trying again in {} ms", delay.as_millis());
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(delay).await;
        delay *= 2;
    }
    match nodes.start_container(container, context).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind == NodeErrorKind::AlreadyStarted => Ok(()),
        Err(error) => Err(error),
    }
}

/// Who may view and change the containers.
pub(crate) fn acls(spec: &AmSpec) -> Result<BTreeMap<AccessType, String>, UnknownName> {
    spec.application.acls.iter().map(|(access, acl)| Ok((access.parse()?, acl.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use flink_model::spec::{
        CONTROL_PIN_ALIAS, CONTROL_PRIVATE_KEY_ALIAS, CONTROL_ROOT_ALIAS, CONTROL_WORKER_KEY_ALIAS,
        INLINE_FILE_PREFIX,
    };
    use hadoop_rpc::{Credentials, Token};
    use taskrunner::keys::LENGTH;

    use super::*;

    fn launcher(tokens: TokenSource, keys: Arc<ControlKeys>) -> Launcher {
        let context = ContainerLaunchContext::default();
        Launcher { context, tokens, keys, template: Launch::default(), recordings: AtomicU32::new(0) }
    }

    #[test]
    fn a_taskmanager_gets_nothing_by_which_it_could_be_another_one() {
        let keys = Arc::new(ControlKeys::generate([7; LENGTH]).unwrap());
        let mut credentials = Credentials::default();
        keys.put(&mut credentials);
        credentials.secrets.insert(format!("{INLINE_FILE_PREFIX}config.yaml"), b"a: b".to_vec());
        credentials.secrets.insert("someone.elses".to_owned(), b"theirs".to_vec());
        assert!(credentials.secrets.contains_key(CONTROL_ROOT_ALIAS));
        assert!(credentials.secrets.contains_key(CONTROL_PRIVATE_KEY_ALIAS));
        let launcher = launcher(TokenSource::new(credentials), keys);
        let of = |container| {
            let tokens = launcher.context(container).unwrap().tokens;
            Credentials::from_bytes(&tokens).unwrap().secrets
        };
        let (one, two) = (of("container_1"), of("container_2"));
        let aliases: Vec<&str> = one.keys().map(String::as_str).collect();
        assert_eq!(aliases, [CONTROL_PIN_ALIAS, CONTROL_WORKER_KEY_ALIAS, "someone.elses"]);
        assert_ne!(one[CONTROL_WORKER_KEY_ALIAS], two[CONTROL_WORKER_KEY_ALIAS]);
    }

    #[test]
    fn a_taskmanager_gets_the_tokens_of_the_moment_that_are_for_it() {
        let keys = Arc::new(ControlKeys::generate([7; LENGTH]).unwrap());
        let token = |kind: &str, password: &[u8]| Token {
            kind: kind.into(),
            service: format!("service of {kind}"),
            password: password.into(),
            ..Token::default()
        };
        let tokens = TokenSource::default();
        for kind in [yarn_api::AMRM_TOKEN, yarn_api::RM_DELEGATION_TOKEN, "HDFS_DELEGATION_TOKEN"] {
            tokens.update(|held| held.add_token(token(kind, b"old")));
        }
        let launcher = launcher(tokens.clone(), keys);
        for password in [b"old", b"new"] {
            tokens.update(|held| held.add_token(token("HDFS_DELEGATION_TOKEN", password)));
            let written = Credentials::from_bytes(&launcher.context("container_1").unwrap().tokens).unwrap();
            let found: Vec<&Token> = written.tokens.values().collect();
            assert_eq!(found, [&token("HDFS_DELEGATION_TOKEN", password)]);
            assert_eq!(found[0].password, password);
        }
    }
}
