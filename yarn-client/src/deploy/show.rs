//! A plan for people and for programs: what a deployment would do.

use std::collections::BTreeMap;

use flink_model::container::{AM, BRIDGE};
use flink_model::spec::{ClusterMode, JvmTemplate, Visibility};
use serde::Serialize;
use termtree::Tree;

use super::prepare::Prepared;
use super::wanted::Part;
use super::{Placed, Plan};
use crate::table::{bytes, count};
use crate::timing::Summary;

/// What a deployment would do. Its field names are those of `--output json`. It holds no secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    mode: ClusterMode,
    flink: String,
    application: Application,
    application_master: Container,
    task_manager: Container,
    configuration: Vec<Setting>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timing: Option<Summary>,
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
    kind: flink_model::spec::ResourceKind,
    part: &'static str,
    /// It is not on the cluster yet.
    upload: bool,
}

#[derive(Debug, Serialize)]
struct Setting {
    key: String,
    value: String,
    origin: String,
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
            name: flink_model::container::ORDER_FILE.to_owned(),
            size: serde_json::to_vec_pretty(&spec).map_or(0, |text| text.len() as u64),
        });
        Self {
            mode: prepared.mode,
            flink: prepared.release.to_string(),
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
                    key: key.to_owned(),
                    value,
                    origin: origin.to_string(),
                })
                .collect(),
            timing: None,
        }
    }

    /// Where the time went until now, as a field of what programs read.
    pub fn with_timing(self, timing: Summary) -> Self {
        Self { timing: Some(timing), ..self }
    }

    /// For people: a tree.
    pub fn tree(&self) -> String {
        let mode = match self.mode {
            ClusterMode::Session => "session",
            ClusterMode::PerJob => "per-job cluster",
            ClusterMode::Application => "application",
        };
        let mut root = Tree::new(format!("Flink {} {mode} \"{}\"", self.flink, self.application.name));
        root.push(self.submission());
        let uploads =
            self.application_master.local_resources.iter().chain(&self.task_manager.local_resources);
        let mut uploads: Vec<_> = uploads.filter(|r| r.upload).map(|r| (&r.name, r.size)).collect();
        uploads.sort();
        uploads.dedup();
        root.push(match uploads.len() {
            0 => Tree::new("uploads: nothing, all files are on the cluster".to_owned()),
            n => Tree::new(format!(
                "uploads: {}, {}",
                count(n, "file"),
                bytes(uploads.iter().map(|(_, size)| size).sum())
            )),
        });
        root.push(container("ApplicationMaster container (JobManager)", &self.application_master));
        root.push(container("TaskManager container, as many as the jobs need", &self.task_manager));
        let settings =
            self.configuration.iter().map(|s| Tree::new(format!("{}: {}  [{}]", s.key, s.value, s.origin)));
        root.push(Tree::new("configuration".to_owned()).with_leaves(settings));
        root.to_string()
    }

    fn submission(&self) -> Tree<String> {
        let a = &self.application;
        let mut leaves = vec![format!("type: {}", a.kind), format!("queue: {}", a.queue)];
        if !a.tags.is_empty() {
            leaves.push(format!("tags: {}", a.tags.join(", ")));
        }
        leaves.extend(a.priority.map(|p| format!("priority: {p}")));
        leaves.extend(a.node_label.as_ref().map(|l| format!("node label: {l}")));
        leaves.extend(a.max_attempts.map(|n| format!("attempts: {n}")));
        leaves.extend(a.attempt_failures_validity_ms.map(|ms| format!("attempts count for: {ms} ms")));
        leaves.extend(a.acls.iter().map(|(access, who)| format!("{access}: {who}")));
        leaves.extend(a.directory.as_ref().map(|d| format!("directory: {d}")));
        Tree::new("YARN application".to_owned()).with_leaves(leaves)
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

fn container(title: &str, container: &Container) -> Tree<String> {
    let mut tree =
        Tree::new(format!("{title}: {} MiB, {}", container.memory_mb, count(container.vcores, "vcore")));
    if let Some(label) = &container.node_label {
        tree.push(Tree::new(format!("node label: {label}")));
    }
    let jvm = &container.jvm;
    let lines = |title: &str, lines: &[String]| Tree::new(title.to_owned()).with_leaves(lines.to_vec());
    if !jvm.launcher.is_empty() {
        tree.push(Tree::new(format!("started by: {}", jvm.launcher.join(" "))));
    }
    if let Some(home) = &jvm.java_home {
        tree.push(Tree::new(format!("JAVA_HOME: {home}")));
    }
    tree.push(Tree::new(format!("main class: {}", jvm.main_class)));
    tree.push(lines("JVM options", &jvm.options));
    if !jvm.arguments.is_empty() {
        tree.push(lines("arguments", &in_pairs(&jvm.arguments)));
    }
    if !jvm.environment.is_empty() {
        let list: Vec<String> = jvm.environment.iter().map(|(k, v)| format!("{k}={v}")).collect();
        tree.push(lines("environment", &list));
    }
    tree.push(lines("class path", &jvm.class_path));
    let files: Vec<String> =
        container.files.iter().map(|f| format!("{}  {}", f.name, bytes(f.size))).collect();
    tree.push(lines("working directory: files of this application", &files));
    let resources: Vec<String> = container
        .local_resources
        .iter()
        .map(|r| {
            let kind = if r.kind == flink_model::spec::ResourceKind::Archive { " ARCHIVE" } else { "" };
            let visibility = match r.visibility {
                Visibility::Public => "PUBLIC",
                Visibility::Private => "PRIVATE",
                Visibility::Application => "APPLICATION",
            };
            let upload = if r.upload { "  to be uploaded" } else { "" };
            format!("{}  {} {visibility}{kind}  {}{upload}", r.name, bytes(r.size), r.url)
        })
        .collect();
    tree.push(lines("working directory: local resources", &resources));
    tree
}

/// An option and its value on one line.
fn in_pairs(arguments: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for argument in arguments {
        match lines.last_mut().filter(|_| open) {
            Some(line) => *line = format!("{line} {argument}"),
            None => lines.push(argument.clone()),
        }
        open = !open && argument.starts_with('-') && !argument.contains('=');
    }
    lines
}
