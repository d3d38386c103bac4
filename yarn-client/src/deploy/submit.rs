//! From the checked order and the staged files to what YARN and the ApplicationMaster get. Pure but for the
//! upload of the application's own files.

use std::collections::BTreeMap;
use std::time::Duration;

use artifact_store::LocalFile;
use bytes::Bytes;
use flink_model::config::{Configuration, FromValue};
use flink_model::container::{AM, BRIDGE, TASKRUNNER};
use flink_model::local_resource::{self, LocalResourceKind, Visibility as SpecVisibility};
use flink_model::options::{self, Opt};
use flink_model::plan::{self, ShippedConfiguration, Surroundings};
use flink_model::spec::{AmSpec, CONTROL_SECRET_ALIAS, INLINE_FILE_PREFIX, JvmTemplate, SPEC_VERSION};
use futures::stream::{self, StreamExt, TryStreamExt};
use hadoop_fs::Source;
use hadoop_rpc::Credentials;
use rand::Rng;
use taskrunner::links;
use yarn_api::records::{
    self, AccessType, ContainerLaunchContext, LocalResource, LocalResourceType, LogAggregation, Priority,
    SubmissionContext, Visibility,
};

use super::ground::{Ground, Placed, container_files};
use super::prepare::Prepared;
use super::prewarm::prewarm;
use crate::configuration::{bad_value, text};
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::staging::ApplicationDir;

/// The command of the ApplicationMaster's container: fixed words, nothing of the user's.
const COMMAND: &str = "./heddle-am 1><LOG_DIR>/heddle-am.out 2><LOG_DIR>/heddle-am.log";

/// `io.tmp.dirs` and its older name.
const TMP_DIRS: [&str; 2] = ["io.tmp.dirs", "taskmanager.tmp.dirs"];

/// Uploads at the same time.
const PARALLEL: usize = 8;

/// Most bytes that travel in the credentials of the ApplicationMaster. The ResourceManager keeps them in its
/// state store, and in ZooKeeper nothing may be larger than 1 MiB.
const INLINE_LIMIT: usize = 256 * 1024;

/// Files of the application's own directory by their keys.
pub(crate) type OwnFiles = Vec<(String, Source)>;

/// Small files with their names, for the credentials of the ApplicationMaster.
pub(crate) type InlineFiles = Vec<(String, Bytes)>;

/// What Flink and its logging are configured with.
pub(crate) fn configuration_files(
    prepared: &Prepared,
    shipped: &ShippedConfiguration,
) -> Result<InlineFiles, Failure> {
    let mut files = vec![(shipped.file_name.to_owned(), shipped.text.clone().into_bytes().into())];
    if let Some(LocalFile { key, path, .. }) = &prepared.names.logging.1 {
        let text = std::fs::read(path)
            .map_err(|e| Failure::because(format!("cannot read {}", path.display()), e))?;
        files.push((key.clone(), text.into()));
    }
    if let Some(program) = &prepared.program {
        let text = serde_json::json!({ "mainClass": program.main_class, "args": program.args });
        files.push((plan::PROGRAM_FILE.to_owned(), text.to_string().into_bytes().into()));
    }
    Ok(files)
}

/// Whether these files, and `order`, are small enough to travel in the credentials.
pub(crate) fn fit_inline(files: &InlineFiles, order: &[u8]) -> bool {
    files.iter().map(|(_, content)| content.len()).sum::<usize>() + order.len() <= INLINE_LIMIT
}

/// Uploads files, several at a time; gives them in their order.
pub(crate) async fn put_all(
    directory: &ApplicationDir,
    files: OwnFiles,
) -> Result<Vec<local_resource::LocalResource>, Failure> {
    // Made before they run: the whole must be a future that any thread can run.
    let uploads: Vec<_> = files.iter().map(|(key, source)| directory.put(key, source)).collect();
    stream::iter(uploads).buffered(PARALLEL).try_collect().await
}

/// The order to the ApplicationMaster.
pub(crate) fn spec(
    prepared: &Prepared,
    ground: &Ground,
    shipped: &ShippedConfiguration,
    placed: &[Placed],
) -> Result<AmSpec, Failure> {
    let hadoop = &ground.hadoop;
    let conf = &prepared.configuration;
    let cannot = |e: plan::PlanError| Failure::because("cannot plan the containers", e);
    let around = Surroundings {
        files: container_files(placed),
        logging: prepared.names.logging.0,
        yarn_class_path: hadoop
            .conf
            .get("yarn.application.classpath")
            .map_err(|e| Failure::new(e.to_string()))?,
        krb5: false,
    };
    // As Flink on YARN does: a TaskManager's temporary files go to the node's own directories.
    let configured = TMP_DIRS.iter().any(|key| conf.entry(key).is_some());
    let local_dirs = (!configured).then(|| ("io.tmp.dirs".to_owned(), "LOCAL_DIRS".to_owned()));
    let job_manager =
        plan::job_manager_template(shipped, prepared.release, prepared.mode, &prepared.cluster, &around);
    let task_manager = plan::task_manager_template(shipped, prepared.release, &around);
    // What the ApplicationMaster hands on itself, by the control protocol.
    let sent = std::iter::once(shipped.file_name.to_owned());
    let sent = sent.chain(prepared.names.logging.1.iter().map(|file| file.key.clone())).collect();
    let (own, worker): (Vec<_>, Vec<_>) =
        placed.iter().map(|p| p.resource.clone()).partition(|r| r.key == AM || r.key == BRIDGE);
    let history = text(conf, &options::HISTORY_SERVER_ADDRESS).map(|host| {
        let port = text(conf, &options::HISTORY_SERVER_PORT).unwrap_or_else(|| "8082".into());
        format!("http://{host}:{port}")
    });
    Ok(AmSpec {
        version: SPEC_VERSION,
        application_name: prepared.name.clone(),
        flink_version: prepared.release.to_string(),
        mode: prepared.mode,
        job_manager: job_manager.map_err(cannot)?,
        task_manager: JvmTemplate {
            args_from_env: local_dirs.into_iter().collect(),
            ..task_manager.map_err(cannot)?
        },
        task_manager_resources: worker,
        application_master_resources: own,
        task_manager_files: sent,
        taskrunner_key: TASKRUNNER.to_owned(),
        staging_dir: Some(ground.directory.url()?),
        hadoop: hadoop_settings(hadoop)?,
        hadoop_overrides: overrides(conf),
        heartbeat_idle_ms: positive(conf, &options::HEARTBEAT_IDLE)?.saturating_mul(1000),
        heartbeat_busy_ms: positive(conf, &options::HEARTBEAT_BUSY)?,
        task_manager_node_label: text(conf, &options::TASK_MANAGER_NODE_LABEL),
        acls: acls(conf).into_iter().map(|(access, acl)| (access.to_string(), acl)).collect(),
        history_url: history,
        control_port: text(conf, &options::CONTROL_PORT).unwrap_or_else(|| "0".into()),
        max_attempts: attempts(conf)?,
        fast_start: prepared.fast_start,
        prewarm: prewarm(conf, prepared.mode, &prepared.cluster)?,
        rest_ports: text(conf, &options::REST_BIND_PORT),
        job_manager_archive: None,
        task_manager_archive: None,
        memory_mb: prepared.cluster.am_memory_mb(),
        archive_container: conf.require(&options::ARCHIVE_CONTAINER).map_err(bad_value)?,
        largest_container_mb: ground.facts.application.max_capability.memory_mb,
    })
}

/// What is submitted to the ResourceManager.
pub(crate) fn submission(
    prepared: &Prepared,
    ground: &Ground,
    spec: &AmSpec,
    resources: &[local_resource::LocalResource],
) -> Result<SubmissionContext, Failure> {
    let (hadoop, facts) = (&ground.hadoop, &ground.facts);
    let conf = &prepared.configuration;
    let local_resources: BTreeMap<String, LocalResource> = resources
        .iter()
        .filter(|r| r.key != TASKRUNNER)
        .map(|r| Ok((links::name(&r.key, prepared.fast_start), local_resource(r)?)))
        .collect::<Result<_, Failure>>()?;
    let capability =
        records::Resource::new(prepared.cluster.am_memory_mb(), prepared.cluster.am_vcores.unsigned_abs());
    let mut context = SubmissionContext::new(facts.application.id, prepared.name.clone(), capability);
    context.am_container = ContainerLaunchContext {
        local_resources,
        // Without Kerberos Hadoop believes this name; the container itself runs as whoever runs the
        // NodeManager.
        environment: [("HADOOP_USER_NAME".to_owned(), hadoop.login.user().effective.clone())].into(),
        commands: vec![COMMAND.to_owned()],
        acls: acls(conf),
        ..ContainerLaunchContext::default()
    };
    if let Some(queue) = text(conf, &options::APPLICATION_QUEUE) {
        context.queue = queue;
    }
    context.application_type =
        text(conf, &options::APPLICATION_TYPE).unwrap_or_else(|| "Apache Flink".into());
    context.tags = prepared.tags.clone();
    let priority = get(conf, &options::APPLICATION_PRIORITY)?;
    context.priority = priority.filter(|p| *p >= 0).map(Priority);
    context.node_label = text(conf, &options::APPLICATION_NODE_LABEL);
    context.max_attempts = Some(spec.max_attempts);
    if high_availability(conf) {
        context.keep_containers = true;
        let validity = get(conf, &options::ATTEMPT_FAILURES_VALIDITY)?.and_then(|ms| u64::try_from(ms).ok());
        context.attempt_failures_validity = validity.map(Duration::from_millis);
    }
    let rolled = |option| prepared.release.traits().rolled_logs.then(|| text(conf, option)).flatten();
    let (include, exclude) = (rolled(&options::ROLLED_LOGS_INCLUDE), rolled(&options::ROLLED_LOGS_EXCLUDE));
    if include.is_some() || exclude.is_some() {
        context.log_aggregation = Some(LogAggregation {
            rolled_include: include,
            rolled_exclude: exclude,
            ..LogAggregation::default()
        });
    }
    Ok(context)
}

pub(crate) fn local_resource(resource: &local_resource::LocalResource) -> Result<LocalResource, Failure> {
    let url = resource.url.parse();
    let url =
        url.map_err(|e| Failure::because(format!("cannot hand {} to the containers", resource.key), e))?;
    Ok(LocalResource {
        url,
        size: resource.size,
        timestamp: u64::try_from(resource.modification_time).unwrap_or_default(),
        kind: match resource.kind {
            LocalResourceKind::File => LocalResourceType::File,
            LocalResourceKind::Archive => LocalResourceType::Archive,
        },
        visibility: match resource.visibility {
            SpecVisibility::Public => Visibility::Public,
            SpecVisibility::Private => Visibility::Private,
            SpecVisibility::Application => Visibility::Application,
        },
        pattern: None,
    })
}

/// A secret with which the application's processes know each other, made anew for each application.
pub(crate) fn new_secret() -> Vec<u8> {
    let mut secret = vec![0u8; 32];
    rand::rng().fill_bytes(&mut secret);
    secret
}

/// The application's secret and the small files, which may hold secrets too: on the node only the container's
/// user can read the credentials.
pub(crate) fn credentials(secret: &[u8], inline: &InlineFiles) -> Credentials {
    let mut credentials = Credentials::default();
    credentials.secrets.insert(CONTROL_SECRET_ALIAS.to_owned(), secret.to_vec());
    let files =
        inline.iter().map(|(name, content)| (format!("{INLINE_FILE_PREFIX}{name}"), content.to_vec()));
    credentials.secrets.extend(files);
    credentials
}

/// The client's Hadoop settings, for what a node's own configuration does not say. Without secrets, which
/// such files can hold.
fn hadoop_settings(hadoop: &Hadoop) -> Result<BTreeMap<String, String>, Failure> {
    let mut settings = BTreeMap::new();
    for (key, _, origin) in hadoop.conf.iter() {
        if matches!(origin, hadoop_rpc::Origin::Default) || flink_model::config::is_sensitive(key) {
            continue;
        }
        if let Some(value) = hadoop.conf.get(key).map_err(|e| Failure::new(e.to_string()))? {
            settings.insert(key.to_owned(), value);
        }
    }
    Ok(settings)
}

/// `flink.hadoop.*` and `flink.yarn.*`, which win over a node's own settings.
fn overrides(conf: &Configuration) -> BTreeMap<String, String> {
    let yarn =
        conf.with_prefix(options::YARN_PREFIX).into_iter().map(|(key, value)| (format!("yarn.{key}"), value));
    conf.with_prefix(options::HADOOP_PREFIX).into_iter().chain(yarn).collect()
}

fn acls(conf: &Configuration) -> BTreeMap<AccessType, String> {
    let list = [(AccessType::View, &options::VIEW_ACLS), (AccessType::Modify, &options::MODIFY_ACLS)];
    list.into_iter().filter_map(|(access, option)| Some((access, text(conf, option)?))).collect()
}

fn high_availability(conf: &Configuration) -> bool {
    text(conf, &options::HIGH_AVAILABILITY).is_some_and(|kind| !kind.eq_ignore_ascii_case("none"))
}

/// `yarn.application-attempts`; without it 1, with high availability 2.
fn attempts(conf: &Configuration) -> Result<u32, Failure> {
    let default = if high_availability(conf) { 2 } else { 1 };
    Ok(get(conf, &options::APPLICATION_ATTEMPTS)?
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| *n > 0)
        .unwrap_or(default))
}

fn get<T: FromValue>(conf: &Configuration, option: &Opt<T>) -> Result<Option<T>, Failure> {
    conf.get(option).map_err(bad_value)
}

fn positive(conf: &Configuration, option: &Opt<i32>) -> Result<u64, Failure> {
    let value = get(conf, option)?.unwrap_or_default();
    u64::try_from(value).ok().filter(|v| *v > 0).ok_or_else(|| {
        Failure::new(format!("{} must be a whole number of at least 1, and is {value}", option.key))
    })
}
