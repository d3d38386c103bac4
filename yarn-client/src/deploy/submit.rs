//! Submits a staged deployment to the ResourceManager.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flink_model::container::AM_SPEC_FILE;
use flink_model::local_resource;
use flink_model::spec::{CONTROL_SECRET_ALIAS, INLINE_FILE_PREFIX, SPEC_FILE};
use futures::stream::{self, StreamExt, TryStreamExt};
use hadoop_fs::Source;
use hadoop_rpc::Credentials;
use rand::Rng;
use yarn_api::records::ApplicationId;

use super::resolved::Resolved;
use super::services::Services;
use super::staged::{Staged, no_place, submission_context};
use super::submission;
use super::undo::Undo;
use crate::context::Context;
use crate::error::{Failure, yarn_failure};
use crate::report::Report;
use crate::staging::ApplicationDir;
use crate::timing::{SUBMISSION, Timing};

/// Uploads at the same time.
const PARALLEL: usize = 8;

/// Most bytes that travel in the credentials of the ApplicationMaster. The ResourceManager keeps them in its
/// state store, and in ZooKeeper nothing may be larger than 1 MiB.
const INLINE_LIMIT: usize = 256 * 1024;

/// Files of the application's own directory by their keys.
type OwnFiles = Vec<(String, Source)>;

/// An application that the ResourceManager has taken.
pub(crate) struct Submitted {
    /// Its id.
    pub(crate) id: ApplicationId,
    /// The secret that its processes know each other by.
    pub(crate) secret: Vec<u8>,
    /// Files for its directory that it does not wait for.
    late: OwnFiles,
}

/// Around a submission: everything that is no part of the deployment's value.
pub(crate) struct Submitter<'a> {
    pub(crate) services: &'a Services,
    pub(crate) context: &'a Context,
    pub(crate) timing: &'a Timing,
    pub(crate) undo: &'a Undo,
    pub(crate) report: &'a dyn Report,
    /// Set when YARN is asked to start the application.
    pub(crate) submitted: &'a Arc<OnceLock<ApplicationId>>,
}

impl Submitter<'_> {
    /// Submits. The application's directory must be there.
    pub(crate) async fn submit(&self, resolved: &Resolved, staged: &Staged) -> Result<Submitted, Failure> {
        let id = resolved.application.id;
        let mut context = submission_context(resolved, staged)?;
        let spec: Bytes = staged.am_spec_text()?.into();
        let mut inline: Vec<(String, Bytes)> = resolved
            .small_files
            .iter()
            .map(|file| (file.name.clone(), Bytes::copy_from_slice(file.content.bytes())))
            .collect();
        // The specification lies in the directory in any case: `heddle gc` knows the directory by it.
        let mut own = vec![(SPEC_FILE.to_owned(), Source::Bytes(spec.clone()))];
        if fit_inline(&inline, &spec) {
            inline.push((AM_SPEC_FILE.to_owned(), spec));
        } else {
            own.extend(inline.drain(..).map(|(name, content)| (name, Source::Bytes(content))));
            for resource in put_all(&self.services.directory(id), std::mem::take(&mut own)).await? {
                let local = artifact_store::local_resource(&resource).map_err(no_place)?;
                let name = if resource.key == SPEC_FILE { AM_SPEC_FILE.to_owned() } else { resource.key };
                context.am_container.local_resources.insert(name, local);
            }
        }
        let secret = new_secret();
        context.am_container.tokens = credentials(&secret, &inline).to_writable_bytes();
        tracing::debug!(elapsed = ?self.timing.elapsed(), "staged");

        let yarn = &self.services.yarn;
        submission::remember(resolved.submission.as_deref(), self.context, yarn, id)?;
        self.report.info(&format!("Submitting application master {id}"));
        self.undo.note(|state| state.application = Some((yarn.clone(), id)));
        let _ = self.submitted.set(id);
        let submit = self.timing.time(SUBMISSION, yarn.submit_application(&context));
        submit.await.map_err(|e| {
            let failure = yarn_failure(&e);
            match e.rpc().and_then(|rpc| rpc.remote()) {
                Some(_) => failure
                    .hint("nothing was started; another queue (-qu) or the cluster's administrator may help"),
                None => failure,
            }
        })?;
        self.report.info(&format!("Submitted application {id}"));
        Ok(Submitted { id, secret, late: own })
    }
}

impl Submitted {
    /// Writes the files that the application does not wait for.
    pub(crate) async fn put_late_files(&self, services: &Services) -> Result<(), Failure> {
        put_all(&services.directory(self.id), self.late.clone()).await.map(drop)
    }
}

/// Whether these files, and the specification, are small enough to travel in the credentials.
fn fit_inline(files: &[(String, Bytes)], spec: &[u8]) -> bool {
    files.iter().map(|(_, content)| content.len()).sum::<usize>() + spec.len() <= INLINE_LIMIT
}

/// Uploads files, several at a time; gives them in their order.
async fn put_all(
    directory: &ApplicationDir,
    files: OwnFiles,
) -> Result<Vec<local_resource::LocalResource>, Failure> {
    // Made before they run: the whole must be a future that any thread can run.
    let uploads: Vec<_> = files.iter().map(|(key, source)| directory.put(key, source)).collect();
    stream::iter(uploads).buffered(PARALLEL).try_collect().await
}

/// A secret with which the application's processes know each other, made anew for each application.
fn new_secret() -> Vec<u8> {
    let mut secret = vec![0u8; 32];
    rand::rng().fill_bytes(&mut secret);
    secret
}

/// The application's secret and the small files, which may hold secrets too: on the node only the container's
/// user can read the credentials.
fn credentials(secret: &[u8], inline: &[(String, Bytes)]) -> Credentials {
    let mut credentials = Credentials::default();
    credentials.secrets.insert(CONTROL_SECRET_ALIAS.to_owned(), secret.to_vec());
    let files =
        inline.iter().map(|(name, content)| (format!("{INLINE_FILE_PREFIX}{name}"), content.to_vec()));
    credentials.secrets.extend(files);
    credentials
}
