//! An example of a program that embeds the client: it deploys in one of the three modes, and reads a failure
//! by its parts. A session is ended again, and an application runs its own program. The job of a per-job
//! cluster is submitted by this program itself, by Flink's REST interface; the cluster ends with it.
//!
//! ```text
//! cargo run --example modes -- \
//!     [-Dkey=value ...] MODE USER HADOOP_CONF_DIR FLINK_HOME HEDDLE_BIN [JAR CLASS ARGUMENT ...]
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for tests, which prints its results")]

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use flink_rest::{JarRun, JobId, RestAddress, RestClient, RestTimeouts};
use tokio::sync::oneshot;
use yarn_api::records::ApplicationId;
use yarn_client::context::Context;
use yarn_client::deploy::{
    ClientProgram, ClusterManifest, Deployer, Deployment, Program as ApplicationProgram, Purpose,
};
use yarn_client::error::{Failure, RestFailure};
use yarn_client::interrupt::Interrupt;
use yarn_client::per_job::{Caller, run_for_caller};
use yarn_client::report::Silent;
use yarn_client::session;
use yarn_client::setup::Setup;

/// A program's jar, its class with `main()` and its arguments.
#[derive(Clone, Default)]
struct Job {
    jar: String,
    class: String,
    arguments: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let (settings, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("-D"));
    let [mode, user, hadoop, flink, bin, job @ ..] = &words[..] else { return usage() };
    let job = match job {
        [jar, class, arguments @ ..] => {
            Job { jar: jar.clone(), class: class.clone(), arguments: arguments.to_vec() }
        }
        _ => Job::default(),
    };
    let Some(purpose) = purpose(mode, &job) else { return usage() };
    let mut manifest = ClusterManifest::new(purpose);
    for (key, value) in settings.iter().filter_map(|word| word.trim_start_matches("-D").split_once('=')) {
        manifest.configuration.set_dynamic(key, value);
    }
    // Nothing of this process's own surroundings counts.
    let vars = [("FLINK_HOME", flink), ("HADOOP_CONF_DIR", hadoop), ("HADOOP_USER_NAME", user)];
    let context = Context {
        vars: vars.map(|(name, value)| (name.to_owned(), value.clone())).into(),
        cwd: "/".into(),
        exe: Path::new(bin).join("heddle"),
        user: user.clone(),
        waits: Default::default(),
        logins: Default::default(),
    };
    match deploy(context, &manifest, job).await {
        Ok(id) => {
            println!("{mode} {id}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            tell(&failure);
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: modes [-Dkey=value ...] MODE USER HADOOP_CONF_DIR FLINK_HOME HEDDLE_BIN [JAR CLASS ARGUMENT ...]"
    );
    ExitCode::FAILURE
}

fn purpose(mode: &str, job: &Job) -> Option<Purpose> {
    match mode {
        "session" => Some(Purpose::SESSION),
        "application" => Some(Purpose::Application {
            program: ApplicationProgram {
                jar: Some(job.jar.clone()),
                main_class: Some(job.class.clone()),
                args: job.arguments.clone(),
                ..ApplicationProgram::default()
            },
        }),
        "per-job" => Some(Purpose::PerJob { program: ClientProgram::default() }),
        _ => None,
    }
}

async fn deploy(context: Context, manifest: &ClusterManifest, job: Job) -> Result<ApplicationId, Failure> {
    let setup = Setup::load(&context)?;
    let deployer = Deployer::new(context, setup);
    if matches!(manifest.purpose, Purpose::PerJob { .. }) {
        return Box::pin(per_job(&deployer, manifest, job)).await;
    }
    let deployment = deployer.deploy(manifest, Arc::new(Silent), &Interrupt::default()).await?;
    if manifest.purpose == Purpose::SESSION {
        session::kill(&deployment.yarn, deployment.id, "the example is over").await?;
    }
    Ok(deployment.id)
}

/// Starts a per-job cluster, and submits the job when it is ready.
async fn per_job(
    deployer: &Deployer,
    manifest: &ClusterManifest,
    job: Job,
) -> Result<ApplicationId, Failure> {
    let (ready, is_ready) = oneshot::channel();
    let ready = Mutex::new(Some(ready));
    let tell_address = |deployment: &Deployment| {
        let ready = ready.lock().ok().and_then(|mut ready| ready.take());
        if let (Some(ready), Some(address)) = (ready, deployment.address.clone()) {
            // Whoever waits for it lives as long as the cluster is waited for.
            drop(ready.send(address));
        }
    };
    let main = async move {
        let Ok(address) = is_ready.await else { return 1 };
        match submit(&address, &job).await {
            Ok(job) => {
                println!("submitted {job}");
                0
            }
            Err(failure) => {
                tell(&failure);
                1
            }
        }
    };
    let caller = Caller { ready: &tell_address, end: Box::pin(main) };
    let ended = run_for_caller(deployer, manifest, caller, Arc::new(Silent), &Interrupt::default()).await?;
    ended.done?;
    ended.application.ok_or_else(|| Failure::new("there was no application"))
}

async fn submit(address: &RestAddress, job: &Job) -> Result<JobId, Failure> {
    let cannot = || format!("cannot submit {} to {address}", job.jar);
    let client = RestClient::new(address, RestTimeouts::default()).map_err(|e| e.failure(cannot()))?;
    let jar = client.upload_jar(Path::new(&job.jar)).await.map_err(|e| e.failure(cannot()))?;
    let run = JarRun {
        entry_class: Some(job.class.clone()),
        program_args_list: job.arguments.clone(),
        ..JarRun::default()
    };
    client.run_jar(&jar, &run).await.map_err(|e| e.failure(cannot()))
}

/// Prints the parts of a failure.
fn tell(failure: &Failure) {
    eprintln!("what: {}", failure.what());
    if let Some(cause) = failure.cause() {
        eprintln!("cause: {cause}");
    }
    failure.hints().iter().for_each(|hint| eprintln!("hint: {hint}"));
    if let Some(id) = failure.application() {
        eprintln!("application: {id}");
    }
    eprintln!("retry helps: {}", failure.retry_helps());
    eprintln!("unsupported: {}", failure.is_unsupported());
}
