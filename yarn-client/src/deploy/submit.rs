//! Submits a staged deployment to the ResourceManager. The delegation tokens, the keys of the control server
//! and, if they are small enough, the configuration files are in the credentials of the ApplicationMaster. As
//! local resources, the files would cost a node about two seconds, because localizing the first file of an
//! application takes that long.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flink_model::container::{AM_SPEC_FILE, INTERNAL_KEY};
use flink_model::local_resource;
use flink_model::spec::{INLINE_FILE_PREFIX, SPEC_FILE};
use futures::stream::{self, StreamExt, TryStreamExt};
use hadoop_fs::Source;
use hadoop_rpc::Credentials;
use rand::Rng;
use taskrunner::keys::{Access, ControlKeys, KeyError, LENGTH, Role};
use yarn_api::records::ApplicationId;

use super::fetched::{self, ApplicationTokens};
use super::resolved::Resolved;
use super::services::Services;
use super::staged::{Staged, no_place, submission_context};
use super::submission;
use super::undo::Undo;
use crate::context::Context;
use crate::error::{CauseClass, Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::held_tokens::HeldTokens;
use crate::report::Report;
use crate::staging::ApplicationDir;
use crate::timing::{SUBMISSION, Timing};

/// The number of files that are uploaded at the same time.
const PARALLEL: usize = 8;

/// The most bytes that the credentials of the ApplicationMaster may hold. The ResourceManager keeps the
/// credentials in its state store, and ZooKeeper refuses values of more than 1 MiB.
const INLINE_LIMIT: usize = 256 * 1024;

/// Files of the application's own directory, each with its key.
type OwnFiles = Vec<(String, Source)>;

/// An application that the ResourceManager has accepted.
pub(crate) struct Submitted {
    /// The application's id.
    pub(crate) id: ApplicationId,
    /// What the client needs to call the application's control server.
    pub(crate) access: Access,
    /// Files of the application's directory that the application does not need for its start.
    late: OwnFiles,
}

/// What a submission needs besides the values of the deployment.
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
    /// Submits the application. Its directory must exist already.
    pub(crate) async fn submit(&self, resolved: &Resolved, staged: &Staged) -> Result<Submitted, Failure> {
        let id = resolved.application.id;
        let mut context = submission_context(resolved, staged)?;
        let (ApplicationTokens { credentials: tokens, has_given }, held) = self.tokens(resolved).await?;
        context.keep_tokens = has_given;
        let spec: Bytes = staged.am_spec_text()?.into();
        let mut inline: Vec<(String, Bytes)> = resolved
            .small_files
            .iter()
            .map(|file| (file.name.clone(), Bytes::copy_from_slice(file.content.bytes())))
            .collect();
        // The specification is written to the directory in any case, because `heddle gc` recognises the
        // directory by it.
        let mut own = vec![(SPEC_FILE.to_owned(), Source::Bytes(spec.clone()))];
        if fit_inline(&inline, &spec, tokens.to_writable_bytes().len()) {
            inline.push((AM_SPEC_FILE.to_owned(), spec));
        } else {
            // The key for the cluster's own connections goes nowhere but into the credentials.
            let (key, others): (Vec<_>, Vec<_>) =
                std::mem::take(&mut inline).into_iter().partition(|(name, _)| name == INTERNAL_KEY);
            inline = key;
            own.extend(others.into_iter().map(|(name, content)| (name, Source::Bytes(content))));
            for resource in put_all(&self.services.directory(id), std::mem::take(&mut own)).await? {
                let local = artifact_store::local_resource(&resource).map_err(no_place)?;
                let name = if resource.key == SPEC_FILE { AM_SPEC_FILE.to_owned() } else { resource.key };
                context.am_container.local_resources.insert(name, local);
            }
        }
        let keys = new_keys()?;
        let access = keys.access(Role::Client).map_err(no_keys)?;
        context.am_container.tokens = credentials(tokens, &keys, &inline).to_writable_bytes();
        tracing::debug!(elapsed = ?self.timing.elapsed(), "staged");

        let yarn = &self.services.yarn;
        submission::remember(resolved.submission.as_deref(), self.context, yarn.server(), id)?;
        self.report.info(&format!("Submitting application master {id}"));
        // From now on YARN may have the application and its tokens. Undoing the deployment finds out whether
        // it has.
        self.undo.note(|state| state.application = Some((yarn.clone(), id)));
        if let Some(held) = &held {
            self.context.logins.hand_over(held);
        }
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
        Ok(Submitted { id, access, late: own })
    }

    /// Fetches the tokens for the application, if the cluster has Kerberos. The second value holds them for
    /// as long as YARN has not got them.
    async fn tokens(&self, resolved: &Resolved) -> Result<(ApplicationTokens, Option<HeldTokens>), Failure> {
        let Some(security) = &resolved.security else { return Ok(Default::default()) };
        let Hadoop { conf, login, .. } = &self.services.hadoop;
        let held = self.context.logins.hold(conf, login, &self.services.yarn);
        self.undo.note(|state| state.tokens = Some(held.clone()));
        let fetch = fetched::fetch(security, self.services, &held, self.report);
        let tokens = self.timing.time("delegation tokens fetched", fetch).await?;
        Ok((tokens, Some(held)))
    }
}

impl Submitted {
    /// Writes the files that the application does not need for its start.
    pub(crate) async fn put_late_files(&self, services: &Services) -> Result<(), Failure> {
        put_all(&services.directory(self.id), self.late.clone()).await.map(drop)
    }
}

/// Whether these files, together with the specification and the bytes of the tokens, are small enough for the
/// credentials.
fn fit_inline(files: &[(String, Bytes)], spec: &[u8], tokens: usize) -> bool {
    let files: usize = files.iter().map(|(_, content)| content.len()).sum();
    files + spec.len() + tokens <= INLINE_LIMIT
}

/// Uploads files, several at a time, and returns them in their order.
async fn put_all(
    directory: &ApplicationDir,
    files: OwnFiles,
) -> Result<Vec<local_resource::LocalResource>, Failure> {
    // The futures are made before the stream runs them; otherwise the compiler could not prove that the whole
    // future is `Send`.
    let uploads: Vec<_> = files.iter().map(|(key, source)| directory.put(key, source)).collect();
    stream::iter(uploads).buffered(PARALLEL).try_collect().await
}

/// Makes the keys of a new application's control server.
fn new_keys() -> Result<ControlKeys, Failure> {
    let mut root = [0; LENGTH];
    rand::rng().fill_bytes(&mut root);
    ControlKeys::generate(root).map_err(no_keys)
}

fn no_keys(error: KeyError) -> Failure {
    Failure::because("the application's control server can have no keys", error)
        .of_class(CauseClass::Internal)
}

/// Adds the keys and the small files to the tokens. The small files may hold secrets, too, and on the node
/// only the container's user can read the credentials.
fn credentials(tokens: Credentials, keys: &ControlKeys, inline: &[(String, Bytes)]) -> Credentials {
    let mut credentials = tokens;
    keys.put(&mut credentials);
    let files =
        inline.iter().map(|(name, content)| (format!("{INLINE_FILE_PREFIX}{name}"), content.to_vec()));
    credentials.secrets.extend(files);
    credentials
}
