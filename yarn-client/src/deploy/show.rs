//! A plan for people and for programs: what a deployment would do.

mod text;

use std::collections::BTreeMap;

use flink_model::config::Origin;
use flink_model::container::{AM, BRIDGE};
use flink_model::local_resource::Visibility;
use flink_model::options;
use flink_model::spec::{ClusterMode, JvmTemplate};
use serde::Serialize;

use super::prepare::Prepared;
use super::wanted::Part;
use super::{Placed, Plan};
use crate::timing::Summary;

/// What a deployment would do. Its field names are those of `--output json`. It holds no secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    mode: ClusterMode,
    flink: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<Program>,
    application: Application,
    application_master: Container,
    task_manager: Container,
    configuration: Vec<Setting>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<Summary>,
}

/// What is run. A secret among the arguments is not shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Program {
    jar: Option<String>,
    main_class: Option<String>,
    arguments: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    queue: String,
    tags: Vec<String>,
    priority: Option<i32>,
    node_label: Option<String>,
    max_attempts: Option<u32>,
    attempt_failures_validity_ms: Option<u128>,
    acls: BTreeMap<String, String>,
    directory: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    memory_mb: u64,
    vcores: i32,
    node_label: Option<String>,
    jvm: Jvm,
    /// Written into the working directory; not localized.
    files: Vec<File>,
    local_resources: Vec<LocalResource>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Jvm {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    launcher: Vec<String>,
    java_home: Option<String>,
    options: Vec<String>,
    class_path: Vec<String>,
    main_class: String,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct File {
    name: String,
    size: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LocalResource {
    name: String,
    url: String,
    size: u64,
    visibility: Visibility,
    kind: flink_model::local_resource::LocalResourceKind,
    part: &'static str,
    /// It is not on the cluster yet.
    upload: bool,
}

#[derive(Debug, Serialize)]
struct Setting {
    key: String,
    value: String,
    origin: String,
    /// It comes from a file, and not from this command line.
    #[serde(skip)]
    of_file: bool,
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
