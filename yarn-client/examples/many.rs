//! An example of a program that embeds the client. It deploys applications to several clusters at once, in
//! one process, each with a configuration and a user of its own. That is possible because each deployment has
//! its environment as a value, and the client keeps nothing for the whole process.
//!
//! ```text
//! cargo run --example many -- [-Dkey=value ...] APPLICATIONS FLINK_HOME HEDDLE_BIN USER:HADOOP_CONF_DIR ...
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for tests, which prints its results")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;
use yarn_client::context::Context;
use yarn_client::deploy::{ClusterManifest, Deployer, Deployment, Purpose};
use yarn_client::error::Failure;
use yarn_client::interrupt::Interrupt;
use yarn_client::report::Silent;
use yarn_client::session;
use yarn_client::setup::Setup;

/// A cluster, and the user who uses it.
#[derive(Debug, Clone)]
struct ClusterUser {
    user: String,
    hadoop_conf: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let (settings, arguments): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("-D"));
    let settings: Vec<(String, String)> = settings
        .iter()
        .filter_map(|word| word.trim_start_matches("-D").split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let Some((count, flink, bin, clusters)) = read(&arguments) else {
        eprintln!(
            "usage: many [-Dkey=value ...] APPLICATIONS FLINK_HOME HEDDLE_BIN USER:HADOOP_CONF_DIR ..."
        );
        return ExitCode::FAILURE;
    };
    let begin = Instant::now();
    let mut deployments = JoinSet::new();
    for number in 0..count {
        let Some(cluster) = clusters.get(number % clusters.len()).cloned() else { continue };
        let (flink, bin, settings) = (flink.clone(), bin.clone(), settings.clone());
        deployments.spawn(async move {
            (number, cluster.clone(), one(number, &cluster, flink, bin, &settings).await)
        });
    }
    let mut failed = false;
    while let Some(Ok((number, cluster, done))) = deployments.join_next().await {
        match done {
            Ok(deployment) => {
                println!("{number} {} {} {:?}", cluster.user, deployment.id, begin.elapsed());
                if let Err(failure) =
                    session::kill(&deployment.yarn, deployment.id, "the example is over").await
                {
                    eprintln!("{failure}");
                    failed = true;
                }
            }
            Err(failure) => {
                eprintln!("{number} {}: {}", cluster.user, failure.render(true));
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn read(arguments: &[String]) -> Option<(usize, String, PathBuf, Vec<ClusterUser>)> {
    let [count, flink, bin, clusters @ ..] = arguments else { return None };
    let clusters: Option<Vec<ClusterUser>> = clusters
        .iter()
        .map(|cluster| {
            let (user, conf) = cluster.split_once(':')?;
            Some(ClusterUser { user: user.to_owned(), hadoop_conf: conf.to_owned() })
        })
        .collect();
    Some((count.parse().ok()?, flink.clone(), bin.into(), clusters.filter(|p| !p.is_empty())?))
}

/// Deploys one session, which is named after its number and has a configuration of its own.
async fn one(
    number: usize,
    cluster: &ClusterUser,
    flink: String,
    bin: PathBuf,
    settings: &[(String, String)],
) -> Result<Deployment, Failure> {
    let vars: BTreeMap<String, String> = [
        ("FLINK_HOME".to_owned(), flink),
        ("HADOOP_CONF_DIR".to_owned(), cluster.hadoop_conf.clone()),
        ("HADOOP_USER_NAME".to_owned(), cluster.user.clone()),
    ]
    .into();
    let context = Context {
        vars,
        cwd: "/".into(),
        exe: bin.join("heddle"),
        user: cluster.user.clone(),
        waits: Default::default(),
        logins: Default::default(),
    };
    let setup = Setup::load(&context)?;
    let mut manifest =
        ClusterManifest { timeout_ms: Some(300_000), ..ClusterManifest::new(Purpose::SESSION) };
    for (key, value) in [
        ("yarn.application.name", format!("many {number} of {}", cluster.user)),
        ("jobmanager.memory.process.size", "640m".to_owned()),
        ("jobmanager.memory.jvm-overhead.min", "64m".to_owned()),
        ("jobmanager.memory.jvm-metaspace.size", "128m".to_owned()),
        ("example.number", number.to_string()),
    ] {
        manifest.configuration.set_dynamic(key, value);
    }
    for (key, value) in settings {
        manifest.configuration.set_dynamic(key, value);
    }
    Deployer::new(context, setup).deploy(&manifest, Arc::new(Silent), &Interrupt::default()).await
}
