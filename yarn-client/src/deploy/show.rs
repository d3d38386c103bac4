//! A plan for people and for programs: what a deployment would do.

use std::collections::BTreeMap;

use flink_model::config::Origin;
use flink_model::container::{AM, BRIDGE};
use flink_model::local_resource::Visibility;
use flink_model::options;
use flink_model::spec::{ClusterMode, JvmTemplate};
use serde::Serialize;

use super::ground::Placed;
use super::plan::Plan;
use super::prepare::Prepared;
use super::wanted::Part;
use crate::timing::Summary;

/// What a deployment would do. Its field names are those of `--output json`. It holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    /// How the cluster is used.
    pub mode: ClusterMode,
    /// The release of Flink.
    pub flink: String,
    /// What it runs; none for a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// What YARN is told of the application.
    pub application: Application,
    /// The container of the ApplicationMaster, with the JobManager.
    pub application_master: Container,
    /// The container of each TaskManager.
    pub task_manager: Container,
    /// The effective configuration; values of secret keys are masked.
    pub configuration: Vec<Setting>,
    /// Where the time went until now, if that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Summary>,
}

/// What is run. A secret among the arguments is not shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// Its jar, unless it is on the class path.
    pub jar: Option<String>,
    /// Class with `main()`, if it is named.
    pub main_class: Option<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// The application, as YARN sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its type in YARN.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its priority, if one is asked for.
    pub priority: Option<i32>,
    /// The label of nodes that it is restricted to.
    pub node_label: Option<String>,
    /// How often YARN starts it.
    pub max_attempts: Option<u32>,
    /// For how long a failed attempt counts.
    pub attempt_failures_validity_ms: Option<u128>,
    /// Who may look at it, and who may change it.
    pub acls: BTreeMap<String, String>,
    /// Its own directory on the file system.
    pub directory: Option<String>,
}

/// A container and what is in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its memory.
    pub memory_mb: u64,
    /// Its vcores.
    pub vcores: i32,
    /// The label of nodes that it is restricted to.
    pub node_label: Option<String>,
    /// The JVM in it.
    pub jvm: Jvm,
    /// Written into the working directory; not localized.
    pub files: Vec<File>,
    /// What the nodes fetch for it.
    pub local_resources: Vec<LocalResource>,
}

/// A JVM in a container.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Jvm {
    /// Words in front of the Java program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub launcher: Vec<String>,
    /// Java's directory on the nodes, if it is named.
    pub java_home: Option<String>,
    /// Options of the JVM.
    pub options: Vec<String>,
    /// The class path, entry by entry.
    pub class_path: Vec<String>,
    /// Class with `main()`.
    pub main_class: String,
    /// Arguments of `main()`.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
}

/// A file that is written into a container's working directory.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A file that the nodes fetch for a container.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalResource {
    /// Its path in the container's working directory.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Its size in bytes.
    pub size: u64,
    /// Who shares it on a node.
    pub visibility: Visibility,
    /// Whether the nodes unpack it.
    pub kind: flink_model::local_resource::LocalResourceKind,
    /// What it is for: `flink`, `user`, `apart` or `heddle`.
    pub part: &'static str,
    /// It is not on the cluster yet.
    pub upload: bool,
}

/// A key of the effective configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Its key.
    pub key: String,
    /// Its value; masked if the key is that of a secret.
    pub value: String,
    /// Where it comes from.
    pub origin: String,
    /// It comes from a file, and not from this command line.
    #[serde(skip)]
    pub of_file: bool,
}

impl DryRun {
    pub(crate) fn new(prepared: &Prepared, plan: Plan) -> Self {
        let Plan { placed, spec, context, inline, .. } = plan;
        let files = |names: Option<&[String]>| {
            let wanted = inline.iter().filter(|(name, _)| names.is_none_or(|list| list.contains(name)));
            wanted.map(|(name, content)| File { name: name.clone(), size: content.len() as u64 }).collect()
        };
        let (own, worker): (Vec<_>, Vec<_>) =
            placed.iter().partition(|p| p.resource.key == AM || p.resource.key == BRIDGE);
        let runner = |p: &&&Placed| p.resource.key != spec.taskrunner_key;
        let all = own.iter().chain(worker.iter().filter(|p| runner(p)));
        let cluster = &prepared.cluster;
        let mut am_files: Vec<File> = files(None);
        am_files.push(File {
            name: flink_model::container::AM_SPEC_FILE.to_owned(),
            size: serde_json::to_vec_pretty(&spec).map_or(0, |text| text.len() as u64),
        });
        Self {
            mode: prepared.mode,
            flink: prepared.release.to_string(),
            program: prepared.runs.as_ref().map(|runs| Program {
                jar: runs.jar.clone(),
                main_class: runs.main_class.clone(),
                arguments: masked_words(&runs.args),
            }),
            application: Application {
                name: context.name,
                kind: context.application_type,
                queue: context.queue,
                tags: context.tags.into_iter().collect(),
                priority: context.priority.map(|p| p.0),
                node_label: context.node_label.clone(),
                max_attempts: context.max_attempts,
                attempt_failures_validity_ms: context.attempt_failures_validity.map(|d| d.as_millis()),
                acls: spec.acls,
                directory: spec.staging_dir,
            },
            application_master: Container {
                memory_mb: cluster.am_memory_mb(),
                vcores: cluster.am_vcores,
                node_label: context.am_node_label.or_else(|| context.node_label.clone()),
                jvm: jvm(spec.job_manager),
                files: am_files,
                local_resources: all.map(|p| local_resource(p)).collect(),
            },
            task_manager: Container {
                memory_mb: cluster.tm_memory_mb(),
                vcores: cluster.tm_vcores,
                node_label: spec.task_manager_node_label.or(context.node_label),
                jvm: Jvm { options: worker_options(prepared, &spec.task_manager), ..jvm(spec.task_manager) },
                files: files(Some(&spec.task_manager_files)),
                local_resources: worker.iter().map(|p| local_resource(p)).collect(),
            },
            configuration: prepared
                .configuration
                .masked()
                .map(|(key, value, origin)| Setting {
                    origin: told_origin(key, &value, origin),
                    key: key.to_owned(),
                    value,
                    of_file: matches!(origin, Origin::File { .. }),
                })
                .collect(),
            timing: None,
        }
    }

    /// Where the time went until now, as a field of what programs read.
    pub fn with_timing(self, timing: Summary) -> Self {
        Self { timing: Some(timing), ..self }
    }
}

/// Where a setting comes from. An option that is not given can decide one too.
fn told_origin(key: &str, value: &str, origin: &Origin) -> String {
    match origin {
        Origin::Flag(flag) if key == options::EXECUTION_ATTACHED.key && value == "true" => {
            format!("{flag} is not given")
        }
        origin => origin.to_string(),
    }
}

fn worker_options(prepared: &Prepared, template: &JvmTemplate) -> Vec<String> {
    masked(prepared.cluster.task_manager.jvm_args().into_iter().chain(template.jvm_args.clone()).collect())
}

fn jvm(template: JvmTemplate) -> Jvm {
    Jvm {
        launcher: template.launcher,
        java_home: template.java_home,
        options: masked(template.jvm_args),
        class_path: template.class_path,
        main_class: template.main_class,
        // A value among them can be a secret of the user's.
        arguments: masked(template.args),
        environment: template
            .env
            .into_iter()
            .map(|(key, value)| {
                let value = if flink_model::config::is_sensitive(&key) { "******".to_owned() } else { value };
                (key, value)
            })
            .collect(),
    }
}

/// A program's arguments. The word behind an option with a secret name is a secret too.
fn masked_words(words: &[String]) -> Vec<String> {
    let mut secret = false;
    let mut list = Vec::new();
    for word in words {
        let hidden = std::mem::take(&mut secret) && !word.starts_with('-');
        secret = word.starts_with('-') && !word.contains('=') && flink_model::config::is_sensitive(word);
        list.push(if hidden { "******".to_owned() } else { word.clone() });
    }
    masked(list)
}

fn masked(arguments: Vec<String>) -> Vec<String> {
    let mask = |argument: String| match argument.split_once('=') {
        Some((key, _)) if flink_model::config::is_sensitive(key) => format!("{key}=******"),
        _ => argument,
    };
    arguments.into_iter().map(mask).collect()
}

fn local_resource(placed: &Placed) -> LocalResource {
    let r = &placed.resource;
    LocalResource {
        name: r.key.clone(),
        url: r.url.clone(),
        size: r.size,
        visibility: r.visibility,
        kind: r.kind,
        part: match placed.part {
            Part::System => "flink",
            Part::User => "user",
            Part::Apart => "apart",
            Part::Own => "heddle",
        },
        upload: placed.upload,
    }
}
