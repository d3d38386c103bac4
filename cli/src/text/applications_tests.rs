use flink_rest::{JobId, JobStatus, JobSummary};
use std::collections::BTreeSet;

use yarn_api::records::{ApplicationReport, ApplicationState, FinalStatus, Priority};
use yarn_client::application::SUBMISSION_TAG;
use yarn_client::ps::{application, by};

use super::*;

const START: u64 = 1_700_000_000_000;

fn report(number: u32, state: ApplicationState, final_status: FinalStatus) -> ApplicationReport {
    ApplicationReport {
        id: format!("application_{START}_{number:04}").parse().unwrap(),
        attempt_id: None,
        user: "ann".into(),
        queue: "default".into(),
        name: "Flink session cluster".into(),
        application_type: "apache flink".into(),
        tags: BTreeSet::new(),
        state,
        final_status,
        diagnostics: None,
        host: Some("node1".into()),
        rpc_port: Some(8081),
        tracking_url: Some("http://rm:8088/proxy/x/".into()),
        original_tracking_url: None,
        start_time: Some(START),
        launch_time: None,
        finish_time: state.is_final().then_some(START + 1_000),
        progress: 0.0,
        usage: None,
        priority: Priority(0),
        node_label: None,
        am_node_label: None,
        log_aggregation: None,
        unmanaged: false,
        am_rm_token: None,
    }
}

fn summary(digit: char, state: &str) -> JobSummary {
    JobSummary {
        id: JobId::parse(&digit.to_string().repeat(32)).unwrap(),
        name: format!("job {digit}"),
        state: JobStatus(state.into()),
        start_time: 1_700_000_000_000,
        end_time: -1,
    }
}

fn tagged(mut report: ApplicationReport) -> ApplicationReport {
    report.application_type = "My Type".into();
    report.tags.insert(format!("{SUBMISSION_TAG}1234"));
    report
}

#[test]
fn who_submitted_it() {
    let running = || report(1, ApplicationState::Running, FinalStatus::Undefined);
    assert_eq!(by(&running()), Some(By::Flink));
    assert_eq!(by(&tagged(running())), Some(By::Heddle));
    assert_eq!(by(&ApplicationReport { application_type: "MAPREDUCE".into(), ..running() }), None);
}

#[test]
fn as_whom_one_is_logged_in() {
    let token = GivenToken {
        kind: "HDFS_DELEGATION_TOKEN".into(),
        service: "ha-hdfs:ns".into(),
        owner: Some("ann@R".into()),
        ends: Some("2026-11-20T00:00:00.000Z".into()),
    };
    let other = GivenToken { kind: "K".into(), service: "h:1".into(), owner: None, ends: None };
    let mut one = Identity {
        principal: "ann@R".into(),
        acting: None,
        name: "ann".into(),
        via: "with the keytab /k".into(),
        tokens: vec![],
    };
    assert_eq!(identity(&one), "logged in as ann@R (ann) with the keytab /k");
    (one.acting, one.tokens) = (Some("gw@R".into()), vec![token, other]);
    assert_eq!(
        identity(&one),
        "logged in as ann@R (ann), for whom gw@R acts, with the keytab /k\n\
         token HDFS_DELEGATION_TOKEN of ann@R for ha-hdfs:ns, ends at the latest at 2026-11-20T00:00:00.000Z\n\
         token K for h:1"
    );
}

#[test]
fn for_people_and_programs() {
    let running = report(1, ApplicationState::Running, FinalStatus::Undefined);
    let jobs = vec![
        summary('a', "FINISHED"),
        summary('b', "RUNNING"),
        summary('c', "RESTARTING"),
        summary('d', "RUNNING"),
    ];
    let silent = report(2, ApplicationState::Running, FinalStatus::Undefined);
    let ended = report(3, ApplicationState::Finished, FinalStatus::Succeeded);
    let mut failed = report(4, ApplicationState::Failed, FinalStatus::Failed);
    failed.diagnostics = Some("[2026-11-20 23:16:56.123]Out of memory\n\tat a.B.c(D.java)\nmore".into());
    let mut waiting = report(5, ApplicationState::Accepted, FinalStatus::Undefined);
    waiting.diagnostics = Some("Queue's AM resource limit exceeded".into());
    let list = [
        application(&tagged(running), By::Heddle, Some(Ok(jobs))),
        application(&silent, By::Flink, Some(Err("refused".into()))),
        application(&ended, By::Flink, None),
        application(&failed, By::Flink, None),
        application(&ApplicationReport { tracking_url: Some("N/A".into()), ..waiting }, By::Flink, None),
    ];
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(START) + Duration::from_secs(3_725);
    insta::assert_snapshot!("applications", render(&list, true, now));
    let unasked = render(&list, false, now);
    assert!(unasked.contains("jobs not known: refused"));
    assert!(!unasked.contains("limit exceeded") && !unasked.contains("Out of memory"), "{unasked}");
    assert!(!render(&list[2..], false, now).contains("REASON"));
    insta::assert_snapshot!("a_running_application", describe(&list[0], now));
    insta::assert_snapshot!("a_failed_application", describe(&list[3], now));
    let json = serde_json::to_value(&list).unwrap();
    assert_eq!(json[0]["jobs"][0]["started"], "2023-11-14T22:13:20.000Z");
    assert_eq!(json[0]["by"], "heddle");
    assert_eq!(json[1]["jobsError"], "refused");
    assert_eq!(
        (&json[2]["finalStatus"], &json[2]["ended"]),
        (&"SUCCEEDED".into(), &"2023-11-14T22:13:21.000Z".into())
    );
    assert!(json[4]["webInterface"].is_null() && json[4]["finalStatus"].is_null());
}
