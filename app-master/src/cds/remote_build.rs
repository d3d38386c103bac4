//! A class data archive that is made in a container of its own: what the ApplicationMaster starts there, and
//! what then runs there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flink_model::class_data::{ClassDataSpec, ClassList};
use flink_model::container::AM as PROGRAM;
use flink_model::local_resource::{LocalResource, LocalResourceKind, Visibility};
use flink_model::spec::AmSpec;
use hadoop_fs::{Source, WriteOptions};
use hadoop_rpc::Credentials;
use serde::{Deserialize, Serialize};
use taskrunner::archive;
use taskrunner::node_jars::NodeJars;
use taskrunner::spawn::SpawnThread;
use yarn_api::NodeManagerClients;
use yarn_api::records::{Container, ContainerLaunchContext};

use super::build_container::BuildContainer;
use super::builder::{self, ArchiveInput};
use super::memory_budget::container_limits;
use super::repository;
use crate::environment::{Environment, hadoop_conf, login};
use crate::launcher::{self, USER_VARIABLE};
use crate::tokens;

/// The argument by which heddle-am knows that it is to make an archive.
pub const SUBCOMMAND: &str = "make-archive";
/// Key of the [`BuildJob`].
const JOB_FILE: &str = "archive.json";
/// The log files' stem, in the container's log directory.
pub(super) const LOG_NAME: &str = "heddle-archive";

/// What heddle-am reads in the container. There is no `Debug`, because variables and settings may be secrets.
#[derive(Serialize, Deserialize)]
struct BuildJob {
    class_data: ClassDataSpec,
    java: PathBuf,
    /// What archives know that Java by.
    java_id: String,
    wide: bool,
    /// The role's class path and environment, for the node's jars on it.
    class_path: Vec<String>,
    env: BTreeMap<String, String>,
    class_list: String,
    /// Memory of the container, MiB.
    memory_mb: u64,
    staging_dir: String,
    hadoop: BTreeMap<String, String>,
    hadoop_overrides: BTreeMap<String, String>,
}

/// Starts heddle-am in the container, with all that it needs.
pub(super) async fn start(
    environment: &Environment,
    nodes: &NodeManagerClients,
    container: &Container,
    input: &ArchiveInput<'_>,
) -> Result<(), String> {
    let spec = &environment.spec;
    let is_master = spec
        .job_manager
        .class_data
        .as_ref()
        .is_some_and(|class_data| class_data.directory == input.class_data.directory);
    let jvm = if is_master { &spec.job_manager.jvm } else { &spec.task_managers.jvm };
    let staging_dir = spec.application.staging_dir.as_deref().ok_or("the application has no directory")?;
    let mut files = files(spec, input.class_data)?;
    let job = BuildJob {
        class_data: input.class_data.clone(),
        java: input.java.clone(),
        java_id: input.id.text.clone(),
        wide: input.wide,
        class_path: jvm.class_path.clone(),
        env: jvm.env.clone(),
        class_list: input.list.text().to_owned(),
        memory_mb: container.resource.memory_mb,
        staging_dir: staging_dir.to_owned(),
        hadoop: spec.hadoop.client.clone(),
        hadoop_overrides: spec.hadoop.overrides.clone(),
    };
    files.push(upload(environment, input.class_data, staging_dir, &job).await?);
    let context = ContainerLaunchContext {
        local_resources: artifact_store::local_resources(&files, spec.application.fast_start)
            .map_err(|e| e.to_string())?,
        // It is for heddle-am, which has nothing else that names the user.
        environment: BTreeMap::from([(USER_VARIABLE.to_owned(), environment.login.user().effective.clone())]),
        commands: vec![format!(
            "./{PROGRAM} {SUBCOMMAND} 1><LOG_DIR>/{LOG_NAME}.out 2><LOG_DIR>/{LOG_NAME}.log"
        )],
        // The container only reads and writes the store: it gets no key of the control server.
        tokens: tokens::for_others(&environment.login.tokens().get()).to_writable_bytes(),
        acls: launcher::acls(spec).map_err(|e| e.to_string())?,
        service_data: BTreeMap::new(),
    };
    launcher::start_container(nodes, container, &context).await.map_err(|e| e.to_string())
}

/// Our program and the jars of the class path, as the containers of the role have them.
fn files(spec: &AmSpec, class_data: &ClassDataSpec) -> Result<Vec<LocalResource>, String> {
    let all =
        spec.resources.task_manager_resources.iter().chain(&spec.resources.application_master_resources);
    let keys = std::iter::once(PROGRAM).chain(class_data.class_path.iter().map(String::as_str));
    keys.map(|key| {
        let found = all.clone().find(|resource| resource.key == key);
        found.cloned().ok_or_else(|| format!("heddle-am.json does not say where {key} is"))
    })
    .collect()
}

/// The job, in the application's directory.
async fn upload(
    environment: &Environment,
    class_data: &ClassDataSpec,
    staging_dir: &str,
    job: &BuildJob,
) -> Result<LocalResource, String> {
    let role = class_data.directory.rsplit('/').next().unwrap_or_default();
    let url = format!("{}/{role}.json", staging_dir.trim_end_matches('/'));
    let content = serde_json::to_vec(job).map_err(|e| e.to_string())?;
    let storage = repository::storage(&environment.conf, &environment.login, staging_dir)?;
    let options =
        WriteOptions { mode: Some(0o600), overwrite: true, fitted: true, ..WriteOptions::default() };
    let written = storage.write_file(&url, &Source::Bytes(content.into()), &options).await;
    let written = written.map_err(|e| e.to_string())?;
    Ok(LocalResource {
        key: JOB_FILE.to_owned(),
        url,
        size: written.len,
        modification_time: i64::try_from(written.modified_ms).map_err(|e| e.to_string())?,
        visibility: Visibility::Application,
        kind: LocalResourceKind::File,
    })
}

/// What runs in the container: makes the archive and adds it to the store; gives a sentence that says which.
pub async fn run() -> Result<String, String> {
    let env = |name: &str| std::env::var(name).ok();
    let dir = std::env::current_dir().map_err(|e| format!("cannot tell the working directory: {e}"))?;
    let text = std::fs::read(dir.join(JOB_FILE)).map_err(|e| format!("cannot read {JOB_FILE}: {e}"))?;
    let job: BuildJob = serde_json::from_slice(&text).map_err(|e| format!("{JOB_FILE}: {e}"))?;
    let conf = hadoop_conf(&env, &job.hadoop, &job.hadoop_overrides).map_err(|e| e.to_string())?;
    let credentials = match env(tokens::FILE_VARIABLE) {
        Some(path) => Credentials::read_file(path.as_ref()).map_err(|e| e.to_string())?,
        None => Credentials::default(),
    };
    let lookup = |name: &str| job.env.get(name).cloned().or_else(|| env(name));
    let node_jars = NodeJars::find_in(&job.class_path, &lookup);
    let here = archive::id(&job.java, job.wide, node_jars.as_ref()).filter(|id| id.text == job.java_id);
    let id = here.ok_or_else(|| {
        format!("{} is not Java {} on this node, or its Hadoop is another", job.java.display(), job.java_id)
    })?;
    let container = BuildContainer {
        self_exe: std::env::current_exe()
            .map_err(|e| format!("cannot tell the path of this program: {e}"))?,
        login: login(&env).map_err(|e| e.to_string())?.with_credentials(credentials),
        id: env("CONTAINER_ID").unwrap_or_default(),
        staging_dir: Some(job.staging_dir),
        limits: container_limits(&conf, job.memory_mb, std::process::id()),
        other_process: None,
        thread: SpawnThread::start().map_err(|e| format!("cannot start a thread: {e}"))?,
        dir,
        conf,
    };
    let (class_data, list) = (&job.class_data, ClassList::received(job.class_list));
    let input = ArchiveInput { class_data, java: job.java, id, wide: job.wide, node_jars, list };
    builder::build(&container, &input).await
}
