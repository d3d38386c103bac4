//! The subcommand `heddle deploy --request FILE`: deploys what another program of this machine asks for, such
//! as one that embeds Flink's own client (see [`yarn_client::request`]). It is not for people, so no help
//! shows it; `docs/in-process.md` describes it for those who write such programs.
//!
//! The standard output gets one line of JSON, as with `--output json`. The caller holds the standard input
//! open for as long as it needs this process; what that means is in [`caller`].

mod caller;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use flink_model::spec::ClusterMode;
use serde_json::Value;
use yarn_client::context::Context;
use yarn_client::deploy::{ClusterManifest, Deployer, Deployment};
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::interrupt::Cause;
use yarn_client::per_job::{self, Caller, Ended};
use yarn_client::report::Report;
use yarn_client::request::Request;

use crate::console::{Console, Output};
use crate::signals::on_signals;
use crate::timing::told;
use caller::Input;

/// The name of the subcommand.
pub(crate) const VERB: &str = "deploy";

/// The option that names the file.
const OPTION: &str = "--request";

/// The file that the words behind the subcommand name, as an absolute path. Fails if they are others.
pub(crate) fn file(context: &Context, words: &[OsString]) -> Result<PathBuf, Failure> {
    let named = match words {
        [option, file] if option == OPTION => Some(context.path(file)),
        [word] => {
            word.to_str().and_then(|word| word.strip_prefix("--request=")).map(|file| context.path(file))
        }
        _ => None,
    };
    named.ok_or_else(|| {
        Failure::usage(format!("heddle {VERB} takes {OPTION} FILE"))
            .hint("it is for programs; people deploy with `yarn-session.sh`, `flink run` and `flink run-application`")
    })
}

/// Carries out the request in the file that the words name.
pub(crate) async fn run(
    process: &Context,
    console: &Arc<Console>,
    words: &[OsString],
) -> Result<Exit, Failure> {
    console.answer_in_json();
    console.has_effects();
    let request = Request::read(&file(process, words)?)?;
    let context = request.context(process);
    let report = Arc::new(ForCaller(Arc::clone(console)));
    context.unused_places().iter().for_each(|warning| report.warn(warning));
    let setup = request.setup(&context)?;
    setup.warnings.iter().for_each(|warning| report.warn(warning));
    let manifest = request.manifest(&setup, &context)?;
    let wish = Wish { deployer: Deployer::new(context, setup), manifest, report, console };
    let done = match request.mode {
        ClusterMode::Session | ClusterMode::Application => Box::pin(wish.cluster()).await,
        ClusterMode::PerJob => Box::pin(wish.per_job()).await,
    };
    done.map_err(|failure| {
        // The caller may have logged in by itself, with what this process does not have.
        let elsewhere = failure.lacks_login() && wish.deployer.submitted.get().is_none();
        failure.unsupported_if(elsewhere)
    })
}

/// What is deployed, and who hears of it.
struct Wish<'a> {
    deployer: Deployer,
    manifest: ClusterManifest,
    report: Arc<ForCaller>,
    console: &'a Console,
}

impl Wish<'_> {
    /// Starts a session or an application, and returns when it is ready.
    async fn cluster(&self) -> Result<Exit, Failure> {
        let interrupt = on_signals()?;
        if Input::of_process() == Input::Pipe {
            let (caller, gone) = (caller::listen(Arc::<ForCaller>::clone(&self.report))?, interrupt.clone());
            tokio::spawn(async move {
                caller.ended().await;
                gone.raise(Cause::CallerGone);
            });
        }
        let report = Arc::<ForCaller>::clone(&self.report);
        let deployment = self.deployer.deploy(&self.manifest, report, &interrupt).await?;
        if let Some(cause) = interrupt.cause() {
            // Nobody would learn of the cluster.
            deployment.undo(&*self.report).await;
            return Err(Failure::interrupted(cause, "the deployment was given up"));
        }
        self.answer(&deployment);
        Ok(Exit::Done)
    }

    /// Starts a per-job cluster for the caller's `main()`, and stays until that has ended.
    async fn per_job(&self) -> Result<Exit, Failure> {
        if Input::of_process() == Input::Nobody {
            return Err(Failure::usage(
                "a per-job cluster needs a standard input, whose end is that of the caller's main()",
            ));
        }
        let interrupt = on_signals()?;
        let listener = caller::listen(Arc::<ForCaller>::clone(&self.report))?;
        let ready = |deployment: &Deployment| {
            self.answer(deployment);
            self.console.give_answer(None);
        };
        let caller = Caller { ready: &ready, end: Box::pin(listener.ended()) };
        let report = Arc::<ForCaller>::clone(&self.report);
        let work = per_job::run_for_caller(&self.deployer, &self.manifest, caller, report, &interrupt);
        let Ended { done, application, .. } = Box::pin(work).await?;
        // How `main()` has ended is the caller's own affair.
        done.map(|_| Exit::Done)
            .map_err(|failure| application.into_iter().fold(failure, Failure::of_application))
    }

    fn answer(&self, deployment: &Deployment) {
        self.console.answer(Value::Object(told(Some(deployment.id), deployment.address.as_ref())));
    }
}

/// Reports to the standard error stream, from which the caller may take the lines into its own log.
struct ForCaller(Arc<Console>);

impl Report for ForCaller {
    fn info(&self, text: &str) {
        self.0.err(text);
    }

    fn warn(&self, text: &str) {
        self.0.err(&format!("warning: {text}"));
    }

    fn upload_begins(&self, files: usize, bytes: u64) {
        self.0.upload_begins(files, bytes);
    }

    fn uploaded(&self, name: &str, bytes: u64) {
        self.0.uploaded(name, bytes);
    }

    fn upload_ends(&self) {
        self.0.upload_ends();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_request() {
        let context = Context {
            vars: Default::default(),
            cwd: "/w".into(),
            exe: "/heddle".into(),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        };
        let of = |line: &str| {
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            file(&context, &words)
        };
        for line in ["--request r.json", "--request=r.json", "--request /w/r.json"] {
            assert_eq!(of(line).unwrap(), PathBuf::from("/w/r.json"), "{line}");
        }
        for line in ["", "r.json", "--request", "--request r.json -d", "--help"] {
            assert!(of(line).unwrap_err().is_usage(), "{line}");
        }
    }
}
