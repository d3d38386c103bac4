//! Presents what a deployment would do (`--dry-run`), for people and as JSON for programs. Its types are
//! separate from those of the deployment, because they hold no secrets, and because their field names must
//! stay the same for programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flink_model::config::{masked_words, shown};
use flink_model::local_resource::Visibility;
use flink_model::spec::{ClusterMode, JvmTemplate};
use serde::Serialize;

use super::container_files::Part;
use super::kerberos::{KerberosFiles, Keytab};
use super::resolved::Resolved;
use super::staged::{Staged, StagedFile, is_of_application_master};
use crate::timing::Summary;

/// The service of the token for the ResourceManager.
pub const RESOURCE_MANAGER: &str = "ResourceManager";

/// What a deployment would do. The field names are those of `--output json`. It holds no secrets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DryRun {
    /// How the cluster is used.
    pub mode: ClusterMode,
    /// The release of Flink.
    pub flink: String,
    /// The program that the cluster runs; `None` for a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// What YARN is told of the application.
    pub application: Application,
    /// How the deployment and the cluster log in to Kerberos; `None` means not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kerberos: Option<Kerberos>,
    /// The container of the ApplicationMaster and the JobManager.
    pub application_master: Container,
    /// The container of each TaskManager.
    pub task_manager: Container,
    /// The effective configuration; values of secret keys are masked.
    pub configuration: Vec<Setting>,
    /// Where the time of the command went until now, if that is wanted (`--timing`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Summary>,
}

/// The program. Secrets among its arguments are masked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Program {
    /// The jar; `None` if the program is on the class path.
    pub jar: Option<String>,
    /// The class with `main()`, if it is named.
    pub main_class: Option<String>,
    /// The arguments.
    pub arguments: Vec<String>,
}

/// The application as YARN sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// The name.
    pub name: String,
    /// The type in YARN.
    #[serde(rename = "type")]
    pub kind: String,
    /// The queue.
    pub queue: String,
    /// The tags.
    pub tags: Vec<String>,
    /// The priority, if one is wanted.
    pub priority: Option<i32>,
    /// The node label to which the application is restricted.
    pub node_label: Option<String>,
    /// How many attempts YARN makes.
    pub max_attempts: Option<u32>,
    /// For how many milliseconds a failed attempt counts.
    pub attempt_failures_validity_ms: Option<u128>,
    /// Who may view the application, and who may modify it.
    pub acls: BTreeMap<String, String>,
    /// The URL of the application's own directory.
    pub directory: Option<String>,
}

/// How a deployment and its cluster log in to Kerberos.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kerberos {
    /// The principal as which the deployment logs in; `None` means that the cluster does not want one.
    pub principal: Option<String>,
    /// With what the deployment logs in, in words.
    pub login: Option<String>,
    /// The user for whom it acts, if that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acts_for: Option<String>,
    /// The keytab with which the JVMs of the cluster log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keytab: Option<Keytab>,
    /// The configuration of Kerberos that the containers get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub krb5_conf: Option<PathBuf>,
    /// The delegation tokens that are fetched for the application.
    pub tokens: Vec<Token>,
    /// The kinds and services of the tokens that the application gets from the login, and when they end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub handed_over: Vec<String>,
}

/// A delegation token that is fetched for the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The service: a file system, or `ResourceManager`.
    pub service: String,
    /// What the application has there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
    /// Who may renew the token.
    pub renewer: Option<String>,
    /// How many milliseconds it lives at most, as the configuration here has it.
    pub greatest_age_ms: Option<u64>,
}

impl Kerberos {
    fn of(resolved: &Resolved) -> Option<Self> {
        let Resolved { kerberos: files, security, .. } = resolved;
        if security.is_none() && *files == KerberosFiles::default() {
            return None;
        }
        let security = security.as_ref();
        let of_file_systems = security.into_iter().flat_map(|security| {
            security.file_systems.iter().map(move |wanted| Token {
                service: wanted.url.clone(),
                purposes: wanted.purposes.clone(),
                renewer: security.renewer.clone(),
                greatest_age_ms: security.greatest_ages_ms.0,
            })
        });
        let renewer = security.and_then(|security| security.resource_manager.clone());
        let of_resource_manager = renewer.map(|renewer| Token {
            service: RESOURCE_MANAGER.to_owned(),
            purposes: Vec::new(),
            renewer: Some(renewer),
            greatest_age_ms: security.and_then(|security| security.greatest_ages_ms.1),
        });
        Some(Self {
            principal: security.map(|security| security.principal.clone()),
            login: security.map(|security| security.login.clone()),
            acts_for: security.and_then(|security| security.acts_for.clone()),
            keytab: files.keytab.clone(),
            krb5_conf: files.krb5_conf.clone(),
            tokens: of_file_systems.chain(of_resource_manager).collect(),
            handed_over: security.map(|security| security.handed_over.clone()).unwrap_or_default(),
        })
    }
}

/// A container and its content.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// The memory in MiB.
    pub memory_mb: u64,
    /// The number of vcores.
    pub vcores: i32,
    /// The node label to which the container is restricted.
    pub node_label: Option<String>,
    /// The JVM in it.
    pub jvm: Jvm,
    /// The files that are written into the working directory and are not localized.
    pub files: Vec<File>,
    /// The local resources of the container.
    pub local_resources: Vec<LocalResource>,
}

/// A JVM in a container.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Jvm {
    /// The words in front of the Java program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub launcher: Vec<String>,
    /// The directory of Java on the nodes, if it is named.
    pub java_home: Option<String>,
    /// The options of the JVM.
    pub options: Vec<String>,
    /// The class path, entry by entry.
    pub class_path: Vec<String>,
    /// The class with `main()`.
    pub main_class: String,
    /// The arguments of `main()`.
    pub arguments: Vec<String>,
    /// The environment variables.
    pub environment: BTreeMap<String, String>,
}

/// A file that is written into a container's working directory.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// The name.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
}

/// A file that the nodes localize for a container.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalResource {
    /// The path in the container's working directory.
    pub name: String,
    /// The URL of the file.
    pub url: String,
    /// The size in bytes.
    pub size: u64,
    /// Which containers on a node share the localized file.
    pub visibility: Visibility,
    /// Whether the nodes unpack the file.
    pub kind: flink_model::local_resource::LocalResourceKind,
    /// What the file is for: `flink`, `user`, `apart` or `heddle`.
    pub part: &'static str,
    /// Whether the file must still be uploaded.
    pub upload: bool,
}

/// A key of the effective configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// The key.
    pub key: String,
    /// The value; secrets are masked.
    pub value: String,
    /// Where the value was set.
    pub origin: String,
    /// Whether the value comes from a file, and not from the command line.
    #[serde(skip)]
    pub of_file: bool,
}

impl DryRun {
    /// Presents a resolved deployment and the places of its files. Secrets are masked.
    pub(crate) fn new(resolved: &Resolved, staged: &Staged) -> Self {
        let spec = &staged.am_spec;
        let files = |names: Option<&[String]>| -> Vec<File> {
            let sent =
                resolved.small_files.iter().filter(|f| names.is_none_or(|list| list.contains(&f.name)));
            sent.map(|f| File { name: f.name.clone(), size: f.content.bytes().len() as u64 }).collect()
        };
        let (own, worker): (Vec<_>, Vec<_>) =
            staged.files.iter().partition(|file| is_of_application_master(&file.resource.key));
        let runner = |file: &&&StagedFile| file.resource.key != spec.task_managers.taskrunner_key;
        let all = own.iter().chain(worker.iter().filter(|file| runner(file)));
        let mut am_files: Vec<File> = files(None);
        am_files.push(File {
            name: flink_model::container::AM_SPEC_FILE.to_owned(),
            size: staged.am_spec_text().map_or(0, |text| text.len() as u64),
        });
        let application = &resolved.application;
        let worker_options = resolved.task_manager_jvm_options.iter().chain(&spec.task_managers.jvm.jvm_args);
        Self {
            mode: resolved.mode,
            flink: resolved.flink.clone(),
            program: resolved.program.as_ref().map(|program| Program {
                jar: program.jar.clone(),
                main_class: program.main_class.clone(),
                arguments: masked_words(&program.arguments),
            }),
            application: Application {
                name: application.name.clone(),
                kind: application.kind.clone(),
                queue: application.queue.clone(),
                tags: application.tags.iter().cloned().collect(),
                priority: application.priority,
                node_label: application.node_label.clone(),
                max_attempts: Some(spec.application.max_attempts),
                attempt_failures_validity_ms: application.attempt_failures_validity_ms.map(u128::from),
                acls: spec.application.acls.clone(),
                directory: spec.application.staging_dir.clone(),
            },
            kerberos: Kerberos::of(resolved),
            application_master: Container {
                memory_mb: resolved.application_master.memory_mb,
                vcores: resolved.application_master.vcores,
                node_label: application.node_label.clone(),
                jvm: jvm(spec.job_manager.jvm.clone()),
                files: am_files,
                local_resources: all.map(|file| local_resource(file)).collect(),
            },
            task_manager: Container {
                memory_mb: resolved.task_manager.memory_mb,
                vcores: resolved.task_manager.vcores,
                node_label: spec.task_managers.node_label.clone().or_else(|| application.node_label.clone()),
                jvm: Jvm {
                    options: masked_words(&worker_options.collect::<Vec<_>>()),
                    ..jvm(spec.task_managers.jvm.clone())
                },
                files: files(Some(&spec.task_managers.files)),
                local_resources: worker.iter().map(|file| local_resource(file)).collect(),
            },
            configuration: resolved
                .configuration
                .iter()
                .map(|setting| Setting {
                    key: setting.key.clone(),
                    value: setting.value.clone(),
                    origin: setting.origin.clone(),
                    of_file: setting.of_file,
                })
                .collect(),
            timing: None,
        }
    }

    /// Adds where the time went until now.
    pub fn with_timing(self, timing: Summary) -> Self {
        Self { timing: Some(timing), ..self }
    }
}

fn jvm(template: JvmTemplate) -> Jvm {
    Jvm {
        launcher: masked_words(&template.launcher),
        java_home: template.java_home,
        options: masked_words(&template.jvm_args),
        class_path: template.class_path,
        main_class: template.main_class,
        // The value of such an argument can be a secret of the user's.
        arguments: masked_words(&template.args),
        environment: template
            .env
            .into_iter()
            .map(|(key, value)| {
                let value = shown(&key, value);
                (key, value)
            })
            .collect(),
    }
}

fn local_resource(file: &StagedFile) -> LocalResource {
    let r = &file.resource;
    LocalResource {
        name: r.key.clone(),
        url: r.url.clone(),
        size: r.size,
        visibility: r.visibility,
        kind: r.kind,
        part: match file.part {
            Part::System => "flink",
            Part::User => "user",
            Part::Apart => "apart",
            Part::Own => "heddle",
        },
        upload: file.upload,
    }
}
