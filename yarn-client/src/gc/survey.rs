//! Finds out which applications exist, what they have left in the staging directory, and which files of the
//! stores they use. If that cannot be found out for an application, the stores that it may use are left
//! alone.

use std::collections::{BTreeMap, BTreeSet};

use artifact_store::{below, check_own, idle, now_ms};
use flink_model::spec::SPEC_FILE;
use futures::{StreamExt, TryStreamExt};
use hadoop_fs::{FileStatus, FsError, FsErrorKind, Storage};
use hadoop_rpc::RemoteKind;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationFilter, ApplicationId, ApplicationReport, ApplicationState, FinalStatus};

use super::listing::{AT_ONCE, list};
use super::plan::Needs;
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::leftovers::{Fate, fate};
use crate::ps::{By, by, live_states};
use crate::staging::{APPLICATIONS, Ground, application_path};

/// The largest `am.json` that is read, in bytes. Real ones are far smaller.
const LARGEST_SPEC: u64 = 64 << 20;

/// The directory of an application in the staging directory.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) id: ApplicationId,
    pub(super) status: FileStatus,
    pub(super) fate: Fate,
    /// Whether heddle has created the directory.
    pub(super) ours: bool,
    /// The size in bytes of all files in the directory, if the directory can be removed; otherwise 0.
    pub(super) bytes: u64,
}

/// Which files of the stores are needed by applications.
#[derive(Debug, Default)]
pub(super) struct Uses {
    pub(super) artifacts: BTreeSet<String>,
    /// Applications for which it could not be found out which files they need.
    pub(super) unknown: Vec<Unknown>,
}

/// An application whose files are not known, so that nothing may be removed from the stores that it may use.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) reason: String,
    /// Whether the application may use the calling user's private store.
    pub(super) may_be_mine: bool,
}

/// All applications, what they have left, and the files of the stores that they use.
pub(super) struct Survey<'a> {
    yarn: ApplicationClient,
    storage: &'a Storage,
    ground: &'a Ground,
    user: &'a str,
    live: BTreeMap<ApplicationId, ApplicationReport>,
    pub(super) directories: Vec<Directory>,
    notes: Vec<String>,
}

impl<'a> Survey<'a> {
    /// Asks the ResourceManager for the running applications, and looks through the directory `.flink` of
    /// each base.
    pub(super) async fn take(
        hadoop: &'a Hadoop,
        storage: &'a Storage,
        ground: &'a Ground,
    ) -> Result<Self, Failure> {
        let yarn = hadoop.yarn()?;
        // The applications are listed before the directories. So an application that ends in between counts
        // as alive, and nothing of it is removed.
        let filter = ApplicationFilter { states: live_states(), ..ApplicationFilter::default() };
        let live = yarn.applications(&filter).await.map_err(|e| yarn_failure(&e))?;
        let mut survey = Self {
            yarn,
            storage,
            ground,
            user: hadoop.login.user().short_name(),
            live: live.into_iter().map(|r| (r.id, r)).collect(),
            directories: Vec::new(),
            notes: Vec::new(),
        };
        let mut found = Vec::new();
        for base in ground.bases() {
            let place = below(base, APPLICATIONS);
            match list(storage, &place, false).await? {
                Some(mut listing) => found.append(&mut listing),
                None => survey.notes.push(format!("{place} is left alone: you may not read it")),
            }
        }
        let named = found.into_iter().filter(|s| s.is_dir).filter_map(|s| {
            let id: ApplicationId = s.path.rsplit('/').next()?.parse().ok()?;
            Some((id, s))
        });
        let looked: Vec<(Option<Directory>, Option<String>)> = futures::stream::iter(named)
            .map(|(id, status)| survey.look(hadoop, id, status))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        for (directory, note) in looked {
            survey.directories.extend(directory);
            survey.notes.extend(note);
        }
        Ok(survey)
    }

    async fn look(
        &self,
        hadoop: &Hadoop,
        id: ApplicationId,
        status: FileStatus,
    ) -> Result<(Option<Directory>, Option<String>), Failure> {
        let path = status.path.clone();
        let state = self.state_now(id).await?;
        let ours = match self.storage.find(&format!("{path}/{SPEC_FILE}")).await {
            Ok(found) => found.is_some(),
            Err(e) if e.kind() == FsErrorKind::PermissionDenied => {
                let note = state
                    .is_none_or(ApplicationState::is_final)
                    .then(|| format!("{path} is left alone: it is {}'s", status.owner));
                return Ok((None, note));
            }
            Err(e) => return Err(Failure::fs(&e)),
        };
        let mut fate = fate(state, idle(&status, now_ms()));
        let mut note = None;
        if state.is_none() && ours && fate == Fate::Dead {
            let key = |name: &str| hadoop.conf.get(name).ok().flatten();
            if self.needs(&path, &status.owner).await.is_ok_and(|needs| needs.is_elsewhere(key)) {
                fate = Fate::Elsewhere;
                note = Some(format!("{path} is left alone: its application is another YARN cluster's"));
            }
        }
        let bytes = match fate {
            Fate::Dead => match list(self.storage, &path, true).await? {
                Some(listing) => listing.iter().map(|s| s.len).sum(),
                None => return Ok((None, Some(format!("{path} is left alone: it is {}'s", status.owner)))),
            },
            Fate::Alive | Fate::Unsure | Fate::Elsewhere => 0,
        };
        Ok((Some(Directory { id, status, fate, ours, bytes }), note))
    }

    /// The state of an application, as it was when the running ones were listed or, if it is none of these,
    /// as it is now; `None` if the ResourceManager does not know the application.
    pub(super) async fn state_now(&self, id: ApplicationId) -> Result<Option<ApplicationState>, Failure> {
        match self.live.get(&id) {
            Some(report) => Ok(Some(report.state)),
            None => self.state(id).await,
        }
    }

    /// The state of an application; `None` if the ResourceManager does not know the application.
    async fn state(&self, id: ApplicationId) -> Result<Option<ApplicationState>, Failure> {
        match self.yarn.application_report(id).await {
            Ok(report) => Ok(Some(report.state)),
            Err(e) if e.is_remote(RemoteKind::ApplicationNotFound) => Ok(None),
            Err(e) => Err(yarn_failure(&e)),
        }
    }

    /// Finds the files of the stores that are in use: by living applications of all users, and by
    /// applications that may still be submitted.
    pub(super) async fn uses(&self) -> Result<Uses, Failure> {
        let live = self.live.values().filter(|r| by(r) == Some(By::Heddle)).map(|r| (r.id, &*r.user));
        let unsure = self.directories.iter().filter(|d| d.ours && d.fate != Fate::Dead);
        let unsure = unsure.filter(|d| !self.live.contains_key(&d.id)).map(|d| (d.id, &*d.status.owner));
        let list: Vec<_> = live.chain(unsure).collect();
        let answers: Vec<Result<Option<Needs>, Unknown>> = futures::stream::iter(list)
            .map(|(id, user)| self.needs_of(id, user))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let mut uses = Uses::default();
        for answer in answers {
            match answer {
                Ok(needs) => uses.artifacts.extend(needs.iter().flat_map(Needs::artifacts)),
                Err(unknown) => uses.unknown.push(unknown),
            }
        }
        Ok(uses)
    }

    /// The files that an application of this user needs; nothing if the application has ended meanwhile.
    async fn needs_of(
        &self,
        id: ApplicationId,
        user: &str,
    ) -> Result<Result<Option<Needs>, Unknown>, Failure> {
        let places: Vec<String> = bases(self.ground, self.storage.home_dir(), user)
            .iter()
            .map(|base| application_path(base, id))
            .collect();
        let mut trouble = None;
        for place in &places {
            match self.needs(place, user).await {
                Ok(needs) => return Ok(Ok(Some(needs))),
                Err(None) => {}
                Err(Some(why)) => trouble = Some((why, place)),
            }
        }
        // When an application ends, its ApplicationMaster removes the file before the ResourceManager lists
        // the application as ended.
        if self.has_ended(id).await? {
            return Ok(Ok(None));
        }
        let mine = user == self.user
            || trouble.as_ref().is_some_and(|(_, place)| place.starts_with(&self.ground.base));
        let why =
            trouble.map_or_else(|| format!("no {SPEC_FILE} in {}", places.join(" or ")), |(why, _)| why);
        let reason = format!("what {id} (of {user}) uses cannot be found out: {why}");
        Ok(Err(Unknown { reason, may_be_mine: mine }))
    }

    async fn has_ended(&self, id: ApplicationId) -> Result<bool, Failure> {
        match self.yarn.application_report(id).await {
            Ok(report) => Ok(report.state.is_final() || report.final_status != FinalStatus::Undefined),
            Err(e) if e.is_remote(RemoteKind::ApplicationNotFound) => Ok(false),
            Err(e) => Err(yarn_failure(&e)),
        }
    }

    /// Reads the `am.json` in `directory`, if it is the user's: in a directory that several users share,
    /// another one could have put it there. `Err(None)` means that there is none.
    async fn needs(&self, directory: &str, user: &str) -> Result<Needs, Option<String>> {
        let path = format!("{directory}/{SPEC_FILE}");
        let why = |e: FsError| (e.kind() != FsErrorKind::NotFound).then(|| e.to_string());
        if self.storage.has_owners() {
            let status = self.storage.status(&path).await.map_err(why)?;
            check_own(&status, user)
                .map_err(|distrust| Some(format!("it is not read, because {distrust}")))?;
        }
        let bytes = self.storage.read(&path, LARGEST_SPEC).await.map_err(why)?;
        serde_json::from_slice(&bytes).map_err(|e| Some(format!("{path} does not tell it: {e}")))
    }

    /// Notes for the user about what is left alone.
    pub(super) fn notes(&self, foreign: bool) -> Vec<String> {
        let mut notes = self.notes.clone();
        let young = self.directories.iter().filter(|d| d.fate == Fate::Unsure && (d.ours || foreign)).count();
        if young > 0 {
            notes.push(format!(
                "{young} directories of applications that the ResourceManager does not know are left alone: they are younger than a \
                 day, and a client may be about to submit"
            ));
        }
        notes
    }
}

/// Where the directory of an application of this user may be: first where only this user writes, and then
/// where earlier releases have made the directories of all users.
fn bases(ground: &Ground, home: &str, user: &str) -> Vec<String> {
    // The home directories of all users are expected in the same directory.
    let homes = home.rsplit_once('/').map_or("", |(homes, _)| homes);
    let own = [ground.base_of(user), format!("{homes}/{user}")];
    let mut bases = Vec::new();
    for base in own.into_iter().chain(ground.bases().into_iter().map(str::to_owned)) {
        if !bases.contains(&base) {
            bases.push(base);
        }
    }
    bases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_own_places_come_first() {
        let of = |base: &str, top: &str, user: &str| {
            let ground = Ground { base: base.into(), top: top.into(), warning: None };
            bases(&ground, "/user/ann", user)
        };
        assert_eq!(of("/flink/ann", "/flink", "bob"), ["/flink/bob", "/user/bob", "/flink/ann", "/flink"]);
        assert_eq!(of("/flink/ann", "/flink", "ann"), ["/flink/ann", "/user/ann", "/flink"]);
        assert_eq!(of("/user/ann", "/user/ann", "bob"), ["/user/ann", "/user/bob"]);
        assert_eq!(of("/user/ann", "/user/ann", "ann"), ["/user/ann"]);
    }
}
