//! Shows the plan of a deployment (`--dry-run`) to people: all of it, or a summary that fits on a screen.

use std::time::Duration;

use flink_model::local_resource::{LocalResourceKind, Visibility};
use flink_model::spec::ClusterMode;
use termtree::Tree;

use yarn_client::deploy::show::{Container, DryRun, Kerberos, RESOURCE_MANAGER, Token};
use yarn_client::units::{bytes, count};

use super::table;

/// The most lines of a summary for the program's arguments, and for the settings.
const FEW: usize = 10;

/// The summary of a plan, with what people most often want to know.
pub(crate) fn summary(plan: &DryRun) -> String {
    let mut root = head(plan, FEW);
    root.push(in_short("JobManager (ApplicationMaster)", &plan.application_master));
    root.push(in_short("TaskManager, as many as the jobs need", &plan.task_manager));
    let (of_file, given): (Vec<_>, Vec<_>) = plan.configuration.iter().partition(|s| s.of_file);
    let lines = given.iter().map(|s| format!("{}: {}  [{}]", s.key, s.value, s.origin)).collect();
    let mut settings = Tree::new("configuration".to_owned()).with_leaves(at_most(FEW, lines));
    if !of_file.is_empty() {
        settings.push(Tree::new(format!("{} of Flink's configuration file", count(of_file.len(), "key"))));
    }
    root.push(settings);
    root.push(Tree::new("-v shows all of it, --output json for programs".to_owned()));
    root.to_string()
}

/// The beginning of both forms: the program, the application and the uploads, with at most `most` arguments.
fn head(plan: &DryRun, most: usize) -> Tree<String> {
    let mode = match plan.mode {
        ClusterMode::Session => "session",
        ClusterMode::PerJob => "per-job cluster",
        ClusterMode::Application => "application",
    };
    let mut root = Tree::new(format!("Flink {} {mode} \"{}\"", plan.flink, plan.application.name));
    if let Some(program) = &plan.program {
        let class = program.main_class.as_deref().unwrap_or("the class that the jar's manifest names");
        let jar = program.jar.as_ref().map(|jar| format!(" of {jar}")).unwrap_or_default();
        let mut tree = Tree::new(format!("program: {class}{jar}"));
        if !program.arguments.is_empty() {
            let words = program.arguments.iter().map(|word| format!("{word:?}")).collect();
            tree.push(Tree::new("arguments".to_owned()).with_leaves(at_most(most, words)));
        }
        root.push(tree);
    }
    root.push(submission(plan));
    root.extend(plan.kerberos.as_ref().map(kerberos));
    let uploads = plan.application_master.local_resources.iter().chain(&plan.task_manager.local_resources);
    let mut uploads: Vec<_> = uploads.filter(|r| r.upload).map(|r| (&r.name, r.size)).collect();
    uploads.sort();
    uploads.dedup();
    root.push(Tree::new(match uploads.len() {
        0 => "uploads: nothing, all files are on the cluster".to_owned(),
        n => format!("uploads: {}, {}", count(n, "file"), bytes(uploads.iter().map(|(_, size)| size).sum())),
    }));
    root
}

/// A whole plan, as a tree.
pub(crate) fn details(plan: &DryRun) -> String {
    let mut root = head(plan, usize::MAX);
    root.push(container("ApplicationMaster container (JobManager)", &plan.application_master));
    root.push(container("TaskManager container, as many as the jobs need", &plan.task_manager));
    let settings =
        plan.configuration.iter().map(|s| Tree::new(format!("{}: {}  [{}]", s.key, s.value, s.origin)));
    root.push(Tree::new("configuration".to_owned()).with_leaves(settings));
    root.to_string()
}

fn submission(plan: &DryRun) -> Tree<String> {
    let a = &plan.application;
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

fn kerberos(kerberos: &Kerberos) -> Tree<String> {
    let mut leaves = Vec::new();
    if let Some(principal) = &kerberos.principal {
        let login = kerberos.login.as_deref().unwrap_or_default();
        leaves.push(format!("logged in as {principal} {login}").trim_end().to_owned());
    }
    leaves.extend(kerberos.acts_for.iter().map(|user| format!("acts for: {user}")));
    if let Some(keytab) = &kerberos.keytab {
        let from = match &keytab.uploaded {
            Some(path) => format!("{}, in the containers {}", path.display(), keytab.path),
            None => format!("{}, which each node has already", keytab.path),
        };
        leaves.push(format!("keytab of {}: {from}", keytab.principal));
    }
    leaves.extend(kerberos.krb5_conf.iter().map(|path| format!("krb5.conf: {}", path.display())));
    leaves.extend(kerberos.tokens.iter().map(|token| {
        let purposes = match &token.purposes[..] {
            [] => String::new(),
            purposes => format!(" ({})", purposes.join(", ")),
        };
        let renewer = token.renewer.as_ref().map(|who| format!(", renewed by {who}")).unwrap_or_default();
        format!("delegation token: {}{purposes}{renewer}{}", token.service, until(token, kerberos))
    }));
    leaves.extend(kerberos.handed_over.iter().map(|token| format!("token of the login: {token}")));
    Tree::new("Kerberos".to_owned()).with_leaves(leaves)
}

/// How long a token lives. Those of file systems are replaced with a keytab.
fn until(token: &Token, kerberos: &Kerberos) -> String {
    let Some(age) = token.greatest_age_ms.map(Duration::from_millis) else { return String::new() };
    let replaced = kerberos.keytab.is_some() && token.service != RESOURCE_MANAGER;
    let replaced = if replaced { ", and replaced before with the keytab" } else { "" };
    format!(", for {} at most{replaced}", table::span(age))
}

/// The first `most` lines, and a line that says how many more there are.
fn at_most(most: usize, mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(most);
    if more > 1 {
        lines.truncate(most);
        lines.push(format!("… and {more} more"));
    }
    lines
}

/// A container in a few lines.
fn in_short(title: &str, container: &Container) -> Tree<String> {
    let mut tree = Tree::new(heading(title, container));
    let jvm = &container.jvm;
    let mut leaves: Vec<String> =
        container.node_label.iter().map(|label| format!("node label: {label}")).collect();
    let memory = ["-Xmx", "-Xms", "-XX:MaxDirectMemorySize", "-XX:MaxMetaspaceSize"];
    let memory = jvm.options.iter().filter(|option| memory.iter().any(|start| option.starts_with(start)));
    leaves.push(format!("JVM: {}", memory.map(String::as_str).collect::<Vec<_>>().join(" ")));
    leaves.extend(jvm.java_home.iter().map(|home| format!("JAVA_HOME: {home}")));
    let dist = jvm.class_path.iter().find(|entry| flink_model::class_path::is_dist_jar(entry));
    let with = dist.map(|dist| format!(", with {dist}")).unwrap_or_default();
    leaves.push(format!("class path: {} entries{with}", jvm.class_path.len()));
    let total = container.local_resources.iter().map(|r| r.size).sum();
    leaves.push(format!("files: {}, {}", container.local_resources.len(), bytes(total)));
    tree.extend(leaves);
    tree
}

fn heading(title: &str, container: &Container) -> String {
    format!("{title}: {} MiB, {}", container.memory_mb, count(container.vcores, "vcore"))
}

fn container(title: &str, container: &Container) -> Tree<String> {
    let mut tree = Tree::new(heading(title, container));
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
            let kind = if r.kind == LocalResourceKind::Archive { " ARCHIVE" } else { "" };
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

/// The arguments, with each option and its value on one line.
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use yarn_client::deploy::Keytab;
    use yarn_client::deploy::show::{Application, File, Jvm, LocalResource, Program, Setting};

    fn container(memory_mb: u64) -> Container {
        let resource = |name: &str, upload| LocalResource {
            name: name.into(),
            url: format!("hdfs://h/{name}"),
            size: 2048,
            visibility: Visibility::Public,
            kind: LocalResourceKind::File,
            part: "flink",
            upload,
        };
        Container {
            memory_mb,
            vcores: 1,
            node_label: None,
            jvm: Jvm {
                launcher: vec![],
                java_home: Some("/opt/java".into()),
                options: ["-Xmx400m", "-Xms400m", "-Dlog.file=<LOG_DIR>/x.log"].map(String::from).into(),
                class_path: ["lib/a.jar", "lib/flink-dist-1.20.5.jar", "."].map(String::from).into(),
                main_class: "Main".into(),
                arguments: vec![],
                environment: BTreeMap::new(),
            },
            files: vec![File { name: "config.yaml".into(), size: 100 }],
            local_resources: vec![resource("lib/a.jar", false), resource("job.jar", true)],
        }
    }

    fn plan(arguments: Vec<String>) -> DryRun {
        let setting = |key: &str, of_file| Setting {
            key: key.into(),
            value: "1".into(),
            origin: if of_file { "config.yaml:3" } else { "-D" }.into(),
            of_file,
        };
        DryRun {
            mode: ClusterMode::Application,
            flink: "1.20.5".into(),
            program: Some(Program {
                jar: Some("job.jar".into()),
                main_class: Some("WordCount".into()),
                arguments,
            }),
            application: Application {
                name: "count".into(),
                kind: "Apache Flink".into(),
                queue: "default".into(),
                tags: vec![],
                priority: None,
                node_label: None,
                max_attempts: Some(1),
                attempt_failures_validity_ms: None,
                acls: BTreeMap::new(),
                directory: Some("hdfs://h/user/ann/.flink/application_1_0001".into()),
            },
            kerberos: None,
            application_master: container(1024),
            task_manager: container(1728),
            configuration: vec![
                setting("parallelism.default", false),
                setting("env.x", true),
                setting("env.y", true),
            ],
            timing: None,
        }
    }

    #[test]
    fn a_summary_fits_on_a_screen() {
        insta::assert_snapshot!(summary(&plan(vec!["--output".into(), "an argument".into()])), @r#"
        Flink 1.20.5 application "count"
        ├── program: WordCount of job.jar
        │   └── arguments
        │       ├── "--output"
        │       └── "an argument"
        ├── YARN application
        │   ├── type: Apache Flink
        │   ├── queue: default
        │   ├── attempts: 1
        │   └── directory: hdfs://h/user/ann/.flink/application_1_0001
        ├── uploads: 1 file, 2.0 KiB
        ├── JobManager (ApplicationMaster): 1024 MiB, 1 vcore
        │   ├── JVM: -Xmx400m -Xms400m
        │   ├── JAVA_HOME: /opt/java
        │   ├── class path: 3 entries, with lib/flink-dist-1.20.5.jar
        │   └── files: 2, 4.0 KiB
        ├── TaskManager, as many as the jobs need: 1728 MiB, 1 vcore
        │   ├── JVM: -Xmx400m -Xms400m
        │   ├── JAVA_HOME: /opt/java
        │   ├── class path: 3 entries, with lib/flink-dist-1.20.5.jar
        │   └── files: 2, 4.0 KiB
        ├── configuration
        │   ├── parallelism.default: 1  [-D]
        │   └── 2 keys of Flink's configuration file
        └── -v shows all of it, --output json for programs
        "#);
        let many = summary(&plan((0..1000).map(|n| n.to_string()).collect()));
        assert!(many.contains("… and 990 more"), "{many}");
        assert!(many.lines().count() < 45, "{many}");
    }

    #[test]
    fn kerberos_is_shown_where_there_is_some() {
        let token = |service: &str, purposes: &[&str]| Token {
            service: service.into(),
            purposes: purposes.iter().map(|&purpose| purpose.into()).collect(),
            renewer: Some("rm/h@R".into()),
            greatest_age_ms: Some(604_800_000),
        };
        let shown = Kerberos {
            principal: Some("ann@R".into()),
            login: Some("with the tickets of kinit".into()),
            acts_for: None,
            keytab: Some(Keytab {
                principal: "ann@R".into(),
                uploaded: Some("/home/ann/k".into()),
                path: "krb5.keytab".into(),
            }),
            krb5_conf: Some("/etc/krb5.conf".into()),
            tokens: vec![
                token("hdfs://nn:8020", &["staging directory", "store"]),
                token("ResourceManager", &[]),
            ],
            handed_over: vec!["kms-dt for kms:9600".into()],
        };
        insta::assert_snapshot!(kerberos(&shown).to_string(), @r"
        Kerberos
        ├── logged in as ann@R with the tickets of kinit
        ├── keytab of ann@R: /home/ann/k, in the containers krb5.keytab
        ├── krb5.conf: /etc/krb5.conf
        ├── delegation token: hdfs://nn:8020 (staging directory, store), renewed by rm/h@R, for 7d at most, and replaced before with the keytab
        ├── delegation token: ResourceManager, renewed by rm/h@R, for 7d at most
        └── token of the login: kms-dt for kms:9600
        ");
        let without_keytab = Kerberos { keytab: None, ..shown.clone() };
        assert!(!kerberos(&without_keytab).to_string().contains("replaced"));
        let plan = DryRun { kerberos: Some(shown), ..plan(vec![]) };
        assert!(summary(&plan).contains("logged in as") && details(&plan).contains("logged in as"));
    }

    #[test]
    fn the_details_have_all_of_it() {
        let all = details(&plan((0..1000).map(|n| n.to_string()).collect()));
        for word in ["\"999\"", "env.y: 1  [config.yaml:3]", "hdfs://h/job.jar  to be uploaded", "-Dlog.file"]
        {
            assert!(all.contains(word), "no {word} in {all}");
        }
    }
}
