//! What the ApplicationMaster is told to do, as far as it follows from what was derived and from what the
//! cluster has answered. Pure.

use std::collections::BTreeMap;

use flink_model::class_path::ContainerFiles;
use flink_model::config::{Configuration, FromValue};
use flink_model::container::{INTERNAL_KEY, TASKRUNNER};
use flink_model::flink_variables;
use flink_model::options::{self, Opt};
use flink_model::plan::{self, ShippedConfiguration, Surroundings};
use flink_model::spec::{
    AmSpec, ApplicationMasterSpec, ApplicationSpec, ArchiveMaking, ContainerResources, HadoopSettings,
    JobManagerSpec, JvmTemplate, MetricsSpec, SPEC_VERSION, TMP_DIRS_ENV, TaskManagersSpec,
};
use flink_model::{reporters, ssl};
use hadoop_rpc::HadoopConf;
use yarn_api::records::AccessType;

use super::derived::Derived;
use super::internal_ssl;
use super::prewarm::prewarm;
use super::records::records;
use crate::configuration::{bad_value, text};
use crate::error::Failure;
use crate::hadoop;

/// `io.tmp.dirs` and its older name.
const TMP_DIRS: [&str; 2] = ["io.tmp.dirs", "taskmanager.tmp.dirs"];

/// What the cluster has answered, as far as the specification depends on it.
pub(crate) struct ClusterAnswers<'a> {
    pub(crate) conf: &'a HadoopConf,
    /// URL of the application's own directory.
    pub(crate) directory: &'a str,
    /// Memory of the largest container.
    pub(crate) largest_container_mb: u64,
}

/// The specification without local resources and class data archives, which are known when the files are
/// staged ([`super::staged::Staged`]).
pub(crate) fn am_spec(
    derived: &Derived,
    answers: &ClusterAnswers<'_>,
    shipped: &ShippedConfiguration,
    files: ContainerFiles,
) -> Result<AmSpec, Failure> {
    let conf = &derived.configuration;
    // The application's own directory has its id as its name.
    let application = answers.directory.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let cannot = |e: plan::PlanError| Failure::because("cannot plan the containers", e);
    let around = Surroundings {
        files,
        logging: derived.names.logging.0,
        yarn_class_path: answers
            .conf
            .get("yarn.application.classpath")
            .map_err(|e| Failure::configuration(e.to_string()))?,
        krb5: derived.kerberos.krb5_conf.is_some(),
    };
    // As with Flink's own client, a TaskManager's temporary files go to the node's own disks.
    let configured = TMP_DIRS.iter().any(|key| conf.entry(key).is_some());
    let tmp_dirs = (!configured).then(|| ("io.tmp.dirs".to_owned(), TMP_DIRS_ENV.to_owned()));
    let job_manager =
        plan::job_manager_template(shipped, derived.release, derived.mode, &derived.cluster, &around);
    let task_manager = plan::task_manager_template(shipped, derived.release, &around);
    let own_key = |template: JvmTemplate| match derived.internal_key {
        Some(_) => internal_ssl::without_host_names(template),
        None => template,
    };
    let mut job_manager = own_key(job_manager.map_err(cannot)?);
    job_manager.env.extend(flink_variables::of_application(answers.directory));
    // The ApplicationMaster hands these on itself, by the control protocol.
    let sent = std::iter::once(shipped.file_name.to_owned());
    let sent = sent.chain(derived.names.logging.1.iter().map(|file| file.key.clone()));
    let sent = sent.chain(derived.internal_key.iter().map(|_| INTERNAL_KEY.to_owned())).collect();
    Ok(AmSpec {
        version: SPEC_VERSION,
        application: ApplicationSpec {
            name: derived.name.clone(),
            flink_version: derived.release.to_string(),
            mode: derived.mode,
            staging_dir: Some(answers.directory.to_owned()),
            max_attempts: attempts(conf)?,
            high_availability: high_availability(conf),
            history_url: history_url(conf),
            acls: acls(conf),
            fast_start: derived.fast_start,
            outcomes: conf.require(&options::OUTCOMES).map_err(bad_value)?,
            records: records(conf, application)?,
        },
        application_master: ApplicationMasterSpec {
            memory_mb: derived.cluster.am_memory_mb(),
            control_port: text(conf, &options::CONTROL_PORT).unwrap_or_else(|| "0".into()),
            heartbeat_idle_ms: positive(conf, &options::HEARTBEAT_IDLE)?.saturating_mul(1000),
            heartbeat_busy_ms: positive(conf, &options::HEARTBEAT_BUSY)?,
            metrics: text(conf, &options::METRICS_SERVER_PORT)
                .map(|ports| MetricsSpec { ports, reporters: reporters::prometheus_ports(conf) }),
        },
        job_manager: JobManagerSpec {
            jvm: job_manager,
            rest_ports: text(conf, &options::REST_BIND_PORT),
            rest_tls: ssl::rest_speaks_tls(conf).map_err(bad_value)?,
            keytab: derived.kerberos.keytab.is_some(),
            class_data: None,
        },
        task_managers: TaskManagersSpec {
            jvm: JvmTemplate {
                args_from_env: tmp_dirs.into_iter().collect(),
                ..own_key(task_manager.map_err(cannot)?)
            },
            files: sent,
            taskrunner_key: TASKRUNNER.to_owned(),
            node_label: text(conf, &options::TASK_MANAGER_NODE_LABEL),
            prewarm: prewarm(conf, derived.mode, &derived.cluster)?,
            class_data: None,
        },
        archive_making: ArchiveMaking {
            own_container: conf.require(&options::ARCHIVE_CONTAINER).map_err(bad_value)?,
            largest_container_mb: answers.largest_container_mb,
        },
        resources: ContainerResources::default(),
        hadoop: HadoopSettings {
            client: hadoop_settings(answers.conf)?,
            overrides: hadoop::overrides(conf).map(|setting| (setting.key, setting.value)).collect(),
        },
    })
}

/// Where the application is to be found after its end.
fn history_url(conf: &Configuration) -> Option<String> {
    let host = text(conf, &options::HISTORY_SERVER_ADDRESS)?;
    let port = text(conf, &options::HISTORY_SERVER_PORT).unwrap_or_else(|| "8082".into());
    Some(format!("http://{host}:{port}"))
}

/// The client's Hadoop settings, for what a node's own configuration does not say. Without secrets, which
/// such files can hold.
fn hadoop_settings(conf: &HadoopConf) -> Result<BTreeMap<String, String>, Failure> {
    let mut settings = BTreeMap::new();
    for (key, _, origin) in conf.iter() {
        if matches!(origin, hadoop_rpc::PropertyOrigin::Default) || flink_model::config::is_sensitive(key) {
            continue;
        }
        if let Some(value) = conf.get(key).map_err(|e| Failure::configuration(e.to_string()))? {
            settings.insert(key.to_owned(), value);
        }
    }
    Ok(settings)
}

fn acls(conf: &Configuration) -> BTreeMap<String, String> {
    let list = [(AccessType::View, &options::VIEW_ACLS), (AccessType::Modify, &options::MODIFY_ACLS)];
    list.into_iter().filter_map(|(access, option)| Some((access.to_string(), text(conf, option)?))).collect()
}

pub(crate) fn high_availability(conf: &Configuration) -> bool {
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

pub(crate) fn get<T: FromValue>(conf: &Configuration, option: &Opt<T>) -> Result<Option<T>, Failure> {
    conf.get(option).map_err(bad_value)
}

fn positive(conf: &Configuration, option: &Opt<i32>) -> Result<u64, Failure> {
    let value = get(conf, option)?.unwrap_or_default();
    u64::try_from(value).ok().filter(|v| *v > 0).ok_or_else(|| {
        Failure::configuration(format!("{} must be a whole number of at least 1, and is {value}", option.key))
    })
}
