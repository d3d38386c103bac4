//! What all commands that start a cluster share: the manifest that their options make, and the dry run.

use flink_model::config::Configuration;
use yarn_client::context::Context;
use yarn_client::deploy::{ClusterManifest, Deployer, Purpose};
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::setup::Setup;
use yarn_client::timing::Timing;

use super::console::{Console, Output, ToStderr};
use super::housekeeping::{duration, to_json};
use super::options::DeployOptions;
use super::signals::unless_signalled;
use super::text;
use super::timing::{Clocked, Outcome};

/// The cluster that a command line asks for. `configuration` is that of `setup` with the command's settings.
pub(super) fn manifest(
    purpose: Purpose,
    setup: &Setup,
    configuration: &Configuration,
    options: &DeployOptions,
) -> Result<ClusterManifest, Failure> {
    let timeout = options.timeout.as_deref().map(|text| duration("--timeout", text, "90s or 5min"));
    let timeout = timeout.transpose()?;
    Ok(ClusterManifest {
        submission: options.submission.clone(),
        timeout_ms: timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        ..ClusterManifest::new(purpose).configured(setup, configuration)
    })
}

/// The deployer, which starts clusters from this machine. Its time counts from the start of the command.
pub(super) fn deployer(context: &Context, setup: Setup, timing: &Timing) -> Deployer {
    Deployer { timing: timing.clone(), ..Deployer::new(context.clone(), setup) }
}

/// Shows what would be done. Warnings go to stderr, because a program may read stdout.
pub(super) async fn dry_run(
    deployer: &Deployer,
    manifest: &ClusterManifest,
    options: &DeployOptions,
    verbose: bool,
    console: &Console,
) -> Result<Exit, Failure> {
    let plan = Box::pin(async { deployer.plan(manifest).await.told_to(&ToStderr(console)) });
    let mut shown = unless_signalled(&deployer.context, console, plan).await?.shown();
    if console.is_json() {
        if options.timing {
            shown = shown.with_timing(deployer.timing.summary());
        }
        console.answer(to_json(&shown)?);
    } else {
        let text = if verbose { text::plan::details(&shown) } else { text::plan::summary(&shown) };
        console.out(text.trim_end());
        Clocked::new(&deployer.timing, options, &deployer.context, console).tell(&Outcome::default());
    }
    Ok(Exit::Done)
}
