//! Finds out which logs of an application there are, and why others are not there.

use std::collections::{BTreeMap, BTreeSet};

use hadoop_rpc::{HadoopConf, RemoteKind};
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationReport, ContainerId, LogAggregationStatus};
use yarn_logs::select::{self, Which};

use super::collected::{self, Survey};
use super::live::{self, Containers, Place};
use super::missing::Missing;
use super::node_web::NodePolicy;
use super::places::{ENABLED, RETAIN, is_enabled, retained_days};
use super::types::{Catalog, ContainerLogs, Log, Request};
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;

/// Finds the logs that are wanted. It is a failure if the ResourceManager does not answer, or if neither it
/// nor the file system can say anything; that there are no logs is none.
pub async fn find(hadoop: &Hadoop, request: &Request) -> Result<Catalog, Failure> {
    let id = request.application;
    let yarn = hadoop.yarn()?;
    let report = match yarn.application_report(id).await {
        Ok(report) => Some(report),
        Err(error) if error.is_remote(RemoteKind::ApplicationNotFound) => None,
        Err(error) => return Err(yarn_failure(&error).of_application(id)),
    };
    let user = user(hadoop, request, report.as_ref());
    let is_live = report.as_ref().is_some_and(|report| !report.state.is_final());
    let survey = async {
        match collected::survey(hadoop, id, &user).await {
            // While the application runs, most of its logs are not collected yet.
            Err(failure) if is_live => {
                let missing = Missing::new("logs that were collected already", failure.to_string());
                Ok(Survey { missing: vec![missing.retry_if(failure.retry_helps())], ..Survey::default() })
            }
            survey => survey,
        }
    };
    let containers = async {
        match &report {
            Some(report) => live::containers(&yarn, report).await,
            None => Containers::default(),
        }
    };
    let (survey, containers) = tokio::join!(survey, containers);
    let (survey, containers) = (survey?, containers);
    let nothing_collected = survey.found.is_empty();
    let looked_in = survey.looked_in.clone();
    let mut catalog = gather(hadoop, &yarn, request, survey, containers, is_live).await?;
    if !is_live {
        catalog.missing.extend(after_the_end(
            &hadoop.conf,
            request,
            report.as_ref(),
            nothing_collected,
            &looked_in,
        ));
    }
    catalog.application = id.to_string();
    catalog.state = report.as_ref().map(|report| report.state.to_string());
    catalog.is_live = is_live;
    Ok(catalog)
}

/// Whose application it is.
fn user(hadoop: &Hadoop, request: &Request, report: Option<&ApplicationReport>) -> String {
    let reported = report.map(|report| report.user.clone()).filter(|user| !user.is_empty());
    let own = || hadoop.login.user().short_name().to_owned();
    request.owner.clone().or(reported).unwrap_or_else(own)
}

/// Puts together what was found: chooses the containers that are wanted, and asks their NodeManagers.
async fn gather(
    hadoop: &Hadoop,
    yarn: &ApplicationClient,
    request: &Request,
    survey: Survey,
    containers: Containers,
    is_live: bool,
) -> Result<Catalog, Failure> {
    let mut missing = containers.missing;
    missing.extend(survey.missing);
    let mut collected: BTreeMap<ContainerId, (Option<String>, Vec<Log>)> = BTreeMap::new();
    for found in survey.found {
        let (node, logs) = collected.entry(found.id).or_default();
        *node = node.take().or(found.node);
        logs.push(found.log);
    }
    let all: BTreeSet<ContainerId> = containers.live.keys().chain(collected.keys()).copied().collect();
    let roles = select::roles(&all, &containers.masters);
    let is_meant =
        |(id, role): &(ContainerId, _)| select::is_meant(request.which, request.attempt, *id, *role);
    let meant: Vec<_> = roles.into_iter().filter(is_meant).collect();
    let policy = NodePolicy::of(hadoop);
    let asked: Vec<(ContainerId, Place)> =
        meant.iter().filter_map(|(id, _)| Some((*id, containers.live.get(id)?.clone()))).collect();
    let mut of_nodes: BTreeMap<ContainerId, Vec<Log>> = BTreeMap::new();
    for (id, logs) in live::logs(&policy, &asked).await {
        match logs {
            Ok(logs) => drop(of_nodes.insert(id, logs)),
            Err(why) => missing.push(why),
        }
    }
    let is_file_meant = |log: &Log| select::is_file_meant(&request.files, &log.file);
    let mut list = Vec::new();
    for (id, role) in &meant {
        let mut entry = ContainerLogs::new(*id, *role);
        entry.node = containers.live.get(id).and_then(|place| place.node.clone());
        if let Some((node, logs)) = collected.remove(id) {
            entry.node = entry.node.or(node);
            entry.logs = logs;
        }
        entry.logs.extend(of_nodes.remove(id).unwrap_or_default());
        entry.logs.retain(is_file_meant);
        if !entry.logs.is_empty() {
            list.push(entry);
        }
    }
    if let Which::Container(id) = request.which
        && is_live
        && meant.is_empty()
        && id.application_id() == request.application
    {
        match live::search(yarn, &policy, id).await? {
            Some((place, mut logs)) => {
                logs.retain(is_file_meant);
                for (id, role) in select::roles(&[id].into(), &containers.masters) {
                    // Its number is not known, because others may have ended, too.
                    let entry = ContainerLogs { number: None, ..ContainerLogs::new(id, role) };
                    let entry = ContainerLogs { node: place.node.clone(), logs: logs.clone(), ..entry };
                    list.extend((!entry.logs.is_empty()).then_some(entry));
                }
            }
            None => missing.push(Missing::new(
                format!("the container {id}"),
                "no NodeManager that runs has it, and it is not among the logs that were collected",
            )),
        }
    } else if list.is_empty() {
        missing.extend(nothing_chosen(request, &all, &meant.iter().map(|(id, _)| *id).collect(), is_live));
    }
    Ok(Catalog { application: String::new(), state: None, containers: list, missing, is_live })
}

/// Why no log was chosen, although there are containers.
fn nothing_chosen(
    request: &Request,
    all: &BTreeSet<ContainerId>,
    meant: &BTreeSet<ContainerId>,
    is_live: bool,
) -> Option<Missing> {
    if all.is_empty() {
        return None;
    }
    let list =
        format!("`heddle logs --list {}` shows the containers and their log files", request.application);
    if !meant.is_empty() {
        let files = match request.files.as_slice() {
            [] => return None,
            files => files.join(", "),
        };
        return Some(Missing::new(files, "the containers have no log file of that name").hint(list));
    }
    let ended = if is_live { "; of a running application, YARN names only containers that run" } else { "" };
    let why = format!("none of the application's {} containers is one{ended}", all.len());
    Some(Missing::new("what was asked for", why).hint(list))
}

/// What is missing after the end of an application, and why.
fn after_the_end(
    conf: &HadoopConf,
    request: &Request,
    report: Option<&ApplicationReport>,
    nothing: bool,
    looked_in: &[String],
) -> Option<Missing> {
    let what = if nothing { "collected logs" } else { "logs of some containers" };
    let id = request.application;
    let on_nodes = format!(
        "the files may still be on the nodes, in yarn.nodemanager.log-dirs below {id}, for \
         yarn.nodemanager.log.retain-seconds (3 hours by default) after the end"
    );
    let Some(report) = report else {
        return nothing.then(|| {
            let why = format!(
                "the ResourceManager does not know {id} any more, and nothing was found in {}",
                looked_in.join(", ")
            );
            Missing::new(what, why)
                .hint("check the id; if another user has submitted the application, --owner names that user")
        });
    };
    let status = report.log_aggregation;
    match status {
        Some(LogAggregationStatus::Disabled) => nothing.then(|| {
            Missing::new(
                what,
                format!("the cluster does not collect logs ({ENABLED} is not true on its nodes)"),
            )
            .hint(on_nodes)
        }),
        Some(
            LogAggregationStatus::NotStart
            | LogAggregationStatus::Running
            | LogAggregationStatus::RunningWithFailure,
        ) => Some(Missing::new(what, "YARN is still collecting them").retry_if(true)),
        Some(LogAggregationStatus::Failed | LogAggregationStatus::TimeOut) => {
            let how = status.map(|status| status.to_string()).unwrap_or_default();
            Some(
                Missing::new(what, format!("collecting them has failed on some node, as YARN says ({how})"))
                    .hint(format!("the logs of the NodeManagers say why; {on_nodes}")),
            )
        }
        _ if !nothing => None,
        _ => {
            let mut why = format!("nothing was found in {}", looked_in.join(", "));
            if !is_enabled(conf) {
                why.push_str(&format!(", and {ENABLED} is not true in this machine's configuration"));
            }
            let missing = Missing::new(what, why);
            Some(match retained_days(conf) {
                _ if !is_enabled(conf) => missing.hint(on_nodes),
                Some(days) => {
                    missing.hint(format!("collected logs are deleted after {days} days ({RETAIN})"))
                }
                None => {
                    missing.hint("they may have been deleted, or the nodes collect logs in another directory")
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use yarn_api::records::ApplicationState;

    use super::*;
    use crate::deploy::report_in_state;

    fn request(which: Which, files: &[&str]) -> Request {
        Request {
            application: "application_1_0001".parse().unwrap(),
            owner: None,
            which,
            attempt: None,
            files: files.iter().map(|file| (*file).to_owned()).collect(),
        }
    }

    #[test]
    fn why_there_is_nothing_after_the_end() {
        let places = ["hdfs://nn/tmp/logs/ann/logs/application_1_0001".to_owned()];
        let request = request(Which::All, &[]);
        let said = |status, enabled: &str, nothing| {
            let conf = HadoopConf::from_map([(ENABLED, enabled), (RETAIN, "864000")]);
            let mut report = report_in_state(ApplicationState::Finished, "");
            report.log_aggregation = status;
            after_the_end(&conf, &request, Some(&report), nothing, &places)
        };
        let off = said(Some(LogAggregationStatus::Disabled), "true", true).unwrap();
        assert!(off.line().contains("does not collect logs") && off.hint.unwrap().contains("log-dirs"));
        let early = said(Some(LogAggregationStatus::Running), "true", false).unwrap();
        assert!(early.retry_helps && early.what.starts_with("logs of some"));
        let failed = said(Some(LogAggregationStatus::TimeOut), "true", false).unwrap();
        assert!(failed.line().contains("TIME_OUT"));
        assert_eq!(said(Some(LogAggregationStatus::Succeeded), "true", false), None);
        let deleted = said(Some(LogAggregationStatus::Succeeded), "true", true).unwrap();
        assert!(deleted.line().contains(&places[0]) && deleted.hint.unwrap().contains("10 days"));
        let unknown = said(None, "false", true).unwrap();
        assert!(unknown.line().contains(ENABLED) && unknown.hint.unwrap().contains("log-dirs"));
        let conf = HadoopConf::default();
        let forgotten = after_the_end(&conf, &request, None, true, &places).unwrap();
        assert!(forgotten.line().contains("does not know") && forgotten.hint.unwrap().contains("--owner"));
        assert_eq!(after_the_end(&conf, &request, None, false, &places), None);
    }

    #[test]
    fn why_nothing_was_chosen() {
        let all: BTreeSet<ContainerId> = ["container_1_0001_01_000001".parse().unwrap()].into();
        let none = BTreeSet::new();
        let asked = request(Which::TaskManager(3), &[]);
        let why = nothing_chosen(&asked, &all, &none, true).unwrap();
        assert!(why.line().contains("1 containers") && why.line().contains("only containers that run"));
        assert!(why.hint.unwrap().contains("--list application_1_0001"));
        assert_eq!(nothing_chosen(&asked, &none, &none, true), None);
        let files = request(Which::All, &["x.log", "y*"]);
        let why = nothing_chosen(&files, &all, &all, false).unwrap();
        assert!(why.line().starts_with("x.log, y*: "));
        let catalog = Catalog {
            application: "application_1_0001".into(),
            state: None,
            containers: vec![],
            missing: vec![why],
            is_live: false,
        };
        let failure = catalog.nothing(&files);
        assert!(
            failure.to_string().starts_with("there are no logs of application_1_0001: x.log"),
            "{failure}"
        );
        assert_eq!(failure.hints().len(), 1);
    }
}
