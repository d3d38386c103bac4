use yarn_api::records::Priority;

use super::*;
use crate::rest::{JobId, JobStatus};

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
    let failed = report(4, ApplicationState::Failed, FinalStatus::Failed);
    let waiting = report(5, ApplicationState::Accepted, FinalStatus::Undefined);
    let list = [
        application(&tagged(running), By::Heddle, Some(Ok(jobs))),
        application(&silent, By::Flink, Some(Err("refused".into()))),
        application(&ended, By::Flink, None),
        application(&failed, By::Flink, None),
        application(&ApplicationReport { tracking_url: Some("N/A".into()), ..waiting }, By::Flink, None),
    ];
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(START) + Duration::from_secs(3_725);
    insta::assert_snapshot!(render(&list, now), @r"
    APPLICATION                     NAME                   BY      USER  QUEUE    STATE                 JOBS                                 AGE    WEB
    application_1700000000000_0001  Flink session cluster  heddle  ann   default  RUNNING               1 RESTARTING, 2 RUNNING, 1 FINISHED  1h 2m  http://node1:8081
    application_1700000000000_0002  Flink session cluster  flink   ann   default  RUNNING               no answer                            1h 2m  http://node1:8081
    application_1700000000000_0003  Flink session cluster  flink   ann   default  FINISHED (SUCCEEDED)  -                                    1h 2m  http://rm:8088/proxy/x/
    application_1700000000000_0004  Flink session cluster  flink   ann   default  FAILED                -                                    1h 2m  http://rm:8088/proxy/x/
    application_1700000000000_0005  Flink session cluster  flink   ann   default  ACCEPTED              -                                    1h 2m  -
    ");
    let json = serde_json::to_value(&list).unwrap();
    assert_eq!(json[0]["jobs"][0]["started"], "2023-11-14T22:13:20.000Z");
    assert_eq!(json[0]["by"], "heddle");
    assert_eq!(json[1]["jobs_error"], "refused");
    assert_eq!(
        (&json[2]["final_status"], &json[2]["ended"]),
        (&"SUCCEEDED".into(), &"2023-11-14T22:13:21.000Z".into())
    );
    assert!(json[4]["web"].is_null() && json[4]["final_status"].is_null());
}
