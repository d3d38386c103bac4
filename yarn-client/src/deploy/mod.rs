//! Bringing up a cluster.
//!
//! What the user wants ([`ClusterManifest`]) is checked and completed ([`resolved::Resolved`]), its files are
//! brought to the cluster ([`staged::Staged`]), YARN gets the application ([`submit::Submitted`]), and the
//! client waits until the cluster can be used ([`Deployment`]). Each of these is a value. Whatever stops a
//! deployment half way is undone.

mod am_spec;
mod capacity;
mod class_data;
mod container_files;
mod deployment;
mod derived;
mod facts;
mod fetched;
mod internal_ssl;
mod kerberos;
mod manifest;
mod names;
mod nodes;
mod packed;
mod prewarm;
mod queue;
mod records;
mod remote_files;
mod resolved;
mod savepoint;
mod services;
mod settings;
mod sharing;
pub mod show;
mod stage;
mod staged;
mod submission;
mod submit;
mod tags;
mod tokens;
mod undo;
mod wait;
mod watch;
mod zones;

#[cfg(test)]
pub(crate) use watch::tests::report as report_in_state;

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flink_model::spec::ClusterMode;
use futures::{FutureExt, future};
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use crate::context::Context;
use crate::diagnose::{Inquiry, found, with_first};
use crate::error::{CauseClass, Failure};
use crate::hadoop::Hadoop;
use crate::interrupt::Interrupt;
use crate::patience::Wait;
use crate::report::Report;
use crate::setup::Setup;
use crate::timing::Timing;
use crate::variables;
use crate::waiting::judged::MasterSize;
use crate::warning::Warnings;
use crate::{follow, leftovers};
use am_spec::high_availability;
use derived::Derived;
use services::Services;
use submission::Known;
use submit::{Submitted, Submitter};
use undo::Undo;
use wait::{Started, Waiting, wait};

pub(crate) use container_files::{Library, libraries};
pub use deployment::Deployment;
pub use kerberos::{KerberosFiles, Keytab};
pub use manifest::{ClientProgram, ClusterManifest, Program, Purpose};
pub use resolved::{
    Application, ContainerSize, EffectiveSetting, Resolved, ResolvedFile, ResolvedProgram, SmallFile,
};
pub use show::DryRun;
pub use staged::Staged;
pub use tokens::{Security, TokenFor};

/// Carries out one deployment, from one machine as one user.
#[derive(Debug, Clone)]
pub struct Deployer {
    /// Everything that the deployment needs to know of this process.
    pub context: Context,
    /// Flink on this machine, with what its configuration files say.
    pub setup: Setup,
    /// Where the steps of a deployment are recorded.
    pub timing: Timing,
    /// Set when YARN is asked to start the application.
    pub submitted: Arc<OnceLock<ApplicationId>>,
}

/// The result of checks: a value or a refusal, and in either case what the user should know.
#[derive(Debug)]
pub struct Checked<T> {
    /// What does not stop a deployment.
    pub warnings: Warnings,
    /// The value, or why there is none.
    pub result: Result<T, Failure>,
}

/// A deployment that is not carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The value that would be carried out.
    pub resolved: Resolved,
    /// Where its files are, or would be.
    pub staged: Staged,
}

impl Plan {
    /// What people and programs are shown of it.
    pub fn shown(&self) -> DryRun {
        DryRun::new(&self.resolved, &self.staged)
    }
}

impl<T> Checked<T> {
    /// Hands the warnings to `report`.
    pub fn told_to(mut self, report: &dyn Report) -> Result<T, Failure> {
        self.warnings.tell(report);
        self.result
    }
}

impl Deployer {
    /// A deployer for this environment. The times of a deployment's steps count from this call on.
    pub fn new(context: Context, setup: Setup) -> Self {
        Self { context, setup, timing: Timing::start(), submitted: Arc::default() }
    }

    /// The same, with the Flink distribution that the manifest names.
    pub fn of_manifest(mut context: Context, manifest: &ClusterManifest) -> Result<Self, Failure> {
        if let Some(home) = &manifest.flink_home {
            let home = context.path(home).to_string_lossy().into_owned();
            context.vars.insert(variables::FLINK_HOME.name().to_owned(), home);
        }
        let setup = Setup::load(&context)?;
        Ok(Self::new(context, setup))
    }

    /// Starts a cluster and waits until it can be used. `interrupt` gives up; then, and after any error,
    /// nothing is left in YARN or HDFS.
    pub async fn deploy(
        &self,
        manifest: &ClusterManifest,
        report: Arc<dyn Report>,
        interrupt: &Interrupt,
    ) -> Result<Deployment, Failure> {
        self.deploy_on(None, manifest, report, interrupt).await
    }

    /// The same on this Hadoop, if the caller has loaded it already with the configuration of the manifest.
    pub(crate) async fn deploy_on(
        &self,
        loaded: Option<Hadoop>,
        manifest: &ClusterManifest,
        report: Arc<dyn Report>,
        interrupt: &Interrupt,
    ) -> Result<Deployment, Failure> {
        let derived = self.derive(manifest).told_to(&*report)?;
        let nothing = |cause| Failure::interrupted(cause, "nothing was started");
        let hadoop = match loaded {
            Some(hadoop) => hadoop,
            None => {
                let load = Hadoop::load(&self.context, &derived.configuration);
                interrupt.unless_raised(load).await.map_err(nothing)??
            }
        };
        let hadoop = hadoop.waiting(Wait::Changing);
        let yarn = hadoop.yarn()?;
        let security = derived.rest_security.clone();
        let inquiry = Inquiry::new(hadoop.clone(), security, &derived.configuration)
            .configured(derived.configuration.clone(), derived.release);
        self.timing.configured();
        let name = derived.submission.as_deref();
        let user = hadoop.login.user().short_name();
        let find = in_time(derived.timeout, submission::find(name, &self.context, user, &yarn));
        let asked = interrupt.unless_raised(find).await.map_err(nothing)?;
        let known = asked.map_err(|failure| failure.unwrap_or_else(|| too_late(derived.timeout)))?;
        if let Some(known) = known {
            let (Known::Alive(id) | Known::Succeeded(id)) = known;
            let work = self.known_deployment(&derived, known, yarn, inquiry, &*report);
            let done = interrupt.unless_raised(work).await;
            return done.map_err(|cause| follow::goes_on(cause, id, derived.mode))?;
        }
        let undo = Undo::default();
        let work = async {
            // The large futures live on the heap: a program that embeds the client runs them on threads with
            // a small stack.
            let bring_up = in_time(
                derived.timeout,
                Box::pin(self.bring_up(&derived, hadoop, yarn.clone(), &undo, &report)),
            );
            bring_up.await.map_err(|failure| {
                failure.unwrap_or_else(|| too_late(derived.timeout).retry_if(!undo.waits_in_vain()))
            })
        };
        let mut why = "the client gave up the deployment".to_owned();
        let failure = match interrupt.unless_raised(work).await {
            Ok(Ok((Submitted { id, access, .. }, Started { address, marks }))) => {
                let timing = self.timing.clone();
                let highly_available = high_availability(&derived.configuration);
                return Ok(Deployment {
                    id,
                    address,
                    yarn,
                    found: false,
                    highly_available,
                    rest_security: derived.rest_security.clone(),
                    inquiry: inquiry.with_access(Some(access.clone())),
                    access: Some(access),
                    timing,
                    marks,
                    undo,
                });
            }
            Ok(Err(failure)) => self.explained(failure, &inquiry, interrupt).await,
            Err(cause) => {
                why = format!("the client gave up the deployment: {cause}");
                Failure::interrupted(cause, "the deployment was given up")
            }
        };
        undo.run(&why, &*report).await;
        submission::forget(name, &self.context);
        Err(if self.submitted.get().is_some() { failure.after_submission() } else { failure })
    }

    /// What [`Deployer::deploy`] would carry out. The ResourceManager gives an application id away for it;
    /// nothing else changes.
    pub async fn plan(&self, manifest: &ClusterManifest) -> Checked<Plan> {
        let Checked { mut warnings, result } = self.derive(manifest);
        let result = match result {
            Ok(derived) => self.plan_derived(&derived, &mut warnings).await,
            Err(failure) => Err(failure),
        };
        Checked { warnings, result }
    }

    /// What follows from the manifest on this machine alone.
    fn derive(&self, manifest: &ClusterManifest) -> Checked<Derived> {
        let random_name = uuid::Uuid::new_v4().simple().to_string();
        let mut warnings = Warnings::default();
        let result = self
            .check_distribution(manifest)
            .and_then(|()| Derived::new(manifest, &self.setup, &self.context, &random_name, &mut warnings))
            .and_then(|derived| derived.with_internal_ssl(&internal_ssl::generate));
        Checked { warnings, result }
    }

    /// The manifest must not name another distribution than the one that is deployed.
    fn check_distribution(&self, manifest: &ClusterManifest) -> Result<(), Failure> {
        let ours = self.context.path(&self.setup.flink.root);
        match manifest.flink_home.as_ref().map(|home| self.context.path(home)) {
            Some(named) if named != ours => Err(Failure::configuration(format!(
                "the manifest names the Flink distribution {}, and this deployment was prepared with {}",
                named.display(),
                ours.display()
            ))
            .hint("prepare it with Deployer::of_manifest")),
            _ => Ok(()),
        }
    }

    async fn plan_derived(&self, derived: &Derived, warnings: &mut Warnings) -> Result<Plan, Failure> {
        submission::look(derived.submission.as_deref(), &self.context)?;
        let hadoop = Hadoop::load(&self.context, &derived.configuration).await?;
        let yarn = hadoop.yarn()?;
        self.timing.configured();
        let services = Services::new(derived, hadoop, yarn).await?;
        let mut of_cluster = Warnings::default();
        let resolved = services.resolve(derived, &self.context, &self.timing, &mut of_cluster).await;
        warnings.append(of_cluster);
        let (resolved, surveys) = resolved?;
        services.check_rights(&resolved, &surveys).await?;
        let files = stage::forecast(&services, &resolved, surveys).await?;
        let staged = stage::with_archives(&services, &resolved, files, &self.timing, warnings).await;
        Ok(Plan { resolved, staged })
    }

    async fn bring_up(
        &self,
        derived: &Derived,
        hadoop: Hadoop,
        yarn: ApplicationClient,
        undo: &Undo,
        report: &Arc<dyn Report>,
    ) -> Result<(Submitted, Started), Failure> {
        let (timing, report_ref) = (&self.timing, &**report);
        report.info(&format!("Cluster specification: {}", derived.specification()));
        // All checks come before the first byte is written.
        let services = Services::new(derived, hadoop, yarn).await?;
        let mut warnings = Warnings::default();
        let resolved = Box::pin(services.resolve(derived, &self.context, timing, &mut warnings)).await;
        warnings.tell(report_ref);
        let (resolved, surveys) = resolved?;
        let id = resolved.application.id;
        let directory = services.directory(id);
        tracing::debug!(elapsed = ?timing.elapsed(), "checked");

        undo.note(|state| {
            state.directory = Some(directory.clone());
            state.waits_in_vain = !resolved.fits;
        });
        // If the NameNode has refused to make the directory, there is nothing to remove.
        let create = timing.time("application's directory made", directory.create());
        let create = create.map(|made| made.inspect_err(|_| undo.note(|state| state.directory = None)));
        // Where something has to be uploaded, a NameNode that refuses the directory is to be heard first.
        let at_once = resolved.fast_start && surveys.are_complete();
        let upload = stage::upload(&services, &resolved, surveys, timing, undo, report);
        let mut files = if at_once {
            future::try_join(create, upload).await?.1
        } else {
            create.await?;
            upload.await?
        };
        files.append(&mut stage::upload_own(&services, &resolved).await?);
        let staged = stage::with_archives(&services, &resolved, files, timing, &mut warnings).await;
        warnings.tell(report_ref);
        let submitter = Submitter {
            services: &services,
            context: &self.context,
            timing,
            undo,
            report: report_ref,
            submitted: &self.submitted,
        };
        let submitted = Box::pin(submitter.submit(&resolved, &staged)).await?;
        report.info("Waiting for the cluster to be allocated");
        // If the cluster comes up, it reports the steps of its start itself.
        let start = timing.step("start of the cluster");
        // Neither a file that nobody waits for, nor tidying up after others must hold up this application.
        let tidy = async {
            if let Err(failure) = submitted.put_late_files(&services).await {
                report.warn(&failure.to_string());
            }
            leftovers::sweep(&services.yarn, &services.storage, &services.ground.base, id).await;
            future::pending::<Infallible>().await
        };
        let waiting = Waiting {
            yarn: &services.yarn,
            id,
            ends_with_program: resolved.mode == ClusterMode::Application,
            early: staged.am_spec.task_managers.prewarm.is_some(),
            security: derived.rest_security.clone(),
            master: Some(MasterSize {
                memory_mb: resolved.application_master.memory_mb,
                vcores: u32::try_from(resolved.application_master.vcores).unwrap_or_default(),
            }),
        };
        let started = tokio::select! {
            started = wait(waiting, timing, report_ref) => started,
            never = tidy => match never {},
        }?;
        start.cancel();
        tell_address(&started, id, report_ref);
        Ok((submitted, started))
    }

    /// The failure of a deployment, with the cause if YARN knows the application already and the cause is
    /// found in time. An interruption ends the search.
    async fn explained(&self, failure: Failure, inquiry: &Inquiry, interrupt: &Interrupt) -> Failure {
        let Some(id) = self.submitted.get().copied() else { return failure };
        let said = failure.to_string();
        match interrupt.unless_raised(found(inquiry, id, &said)).await {
            Ok(Some(findings)) => with_first(failure, findings, id),
            Ok(None) | Err(_) => failure,
        }
    }

    /// The cluster of an application that an earlier submission of the same name has made.
    async fn known_deployment(
        &self,
        derived: &Derived,
        known: Known,
        yarn: ApplicationClient,
        inquiry: Inquiry,
        report: &dyn Report,
    ) -> Result<Deployment, Failure> {
        let (Known::Alive(id) | Known::Succeeded(id)) = known;
        let name = derived.submission.as_deref().unwrap_or_default();
        report.info(&format!("The submission {name} is there already: application {id}"));
        let started = match known {
            Known::Alive(_) => {
                let ends_with_program = derived.mode == ClusterMode::Application;
                let security = derived.rest_security.clone();
                let waiting =
                    Waiting { yarn: &yarn, id, ends_with_program, early: true, security, master: None };
                wait(waiting, &self.timing, report).await?
            }
            Known::Succeeded(_) => Started { address: None, marks: Default::default() },
        };
        tell_address(&started, id, report);
        Ok(Deployment {
            id,
            address: started.address,
            yarn,
            found: true,
            highly_available: high_availability(&derived.configuration),
            rest_security: derived.rest_security.clone(),
            inquiry,
            access: None,
            timing: self.timing.clone(),
            marks: started.marks,
            undo: Undo::default(),
        })
    }
}

fn tell_address(started: &Started, id: ApplicationId, report: &dyn Report) {
    if let Some(address) = &started.address {
        report.info(&format!("Found Web Interface {address} of application '{id}'."));
    }
}

/// Awaits `work`, but not for longer than `timeout`: then the error is `None`.
async fn in_time<T>(
    timeout: Option<Duration>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Option<Failure>> {
    match timeout {
        None => work.await.map_err(Some),
        Some(timeout) => match tokio::time::timeout(timeout, work).await {
            Ok(done) => done.map_err(Some),
            Err(_) => Err(None),
        },
    }
}

fn too_late(timeout: Option<Duration>) -> Failure {
    let within = timeout.unwrap_or_default();
    Failure::new(format!("the cluster was not ready within {within:?}: the deployment was given up"))
        .of_class(CauseClass::Timeout)
        .hint("nothing is left of it; a longer --timeout waits longer")
        .retry_if(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that embeds the client runs deployments on any thread. It does not compile otherwise.
    #[test]
    fn a_deployment_can_be_spawned() {
        fn any_thread<T: Send>(_: impl FnOnce(Deployer, ClusterManifest, Arc<dyn Report>, Interrupt) -> T) {}
        any_thread(|deployer, manifest, report, interrupt| async move {
            deployer.deploy(&manifest, report, &interrupt).await
        });
    }
}
