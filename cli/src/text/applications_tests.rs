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
        tasks: Default::default(),
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
fn one_that_yarn_has_forgotten() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(START);
    let ended = report(1, ApplicationState::Finished, FinalStatus::Failed);
    let mut list = [application(&ended, By::Heddle, None)];
    (list[0].forgotten, list[0].queue) = (true, String::new());
    let row = |list: &[Application]| render(list, true, now).lines().nth(1).unwrap().to_owned();
    assert!(row(&list).ends_with("  YARN has forgotten it"), "{}", row(&list));
    list[0].cause = Some("A disk is full.\nmore".into());
    assert!(row(&list).ends_with("  YARN has forgotten it: A disk is full. more"), "{}", row(&list));
    assert!(row(&list).contains("  ann   -      FINISHED (FAILED)"), "{}", row(&list));
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
    for text in [identity(&one), identity_in_short(&one)] {
        assert_eq!(text, "logged in as ann@R (ann) with the keytab /k");
    }
    (one.acting, one.tokens) = (Some("gw@R".into()), vec![token, other]);
    assert_eq!(
        identity(&one),
        "logged in as ann@R (ann), for whom gw@R acts, with the keytab /k\n\
         token HDFS_DELEGATION_TOKEN of ann@R for ha-hdfs:ns, ends at the latest at 2026-11-20T00:00:00.000Z\n\
         token K for h:1"
    );
    assert_eq!(
        identity_in_short(&one),
        "logged in as ann@R (ann), for whom gw@R acts, with the keytab /k; 2 tokens given, the first ends at the latest at \
         2026-11-20T00:00:00.000Z"
    );
    one.tokens.remove(0);
    assert!(identity_in_short(&one).ends_with("with the keytab /k; 1 token given"));
    assert_eq!(
        serde_json::to_string(&one).unwrap(),
        r#"{"principal":"ann@R","actingPrincipal":"gw@R","name":"ann","login":"with the keytab /k","tokens":[{"kind":"K","service":"h:1","owner":null,"ends":null}]}"#
    );
}

#[test]
fn how_long_tokens_live() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(START);
    let tokens = |replaced, hours: Option<u64>| Tokens {
        replaced,
        ends: hours.map(|hours| format!("hour {hours}")),
        ends_ms: hours.map(|hours| START - 3_600_000 + hours * 3_600_000),
    };
    let all = [tokens(false, Some(29)), tokens(false, Some(0)), tokens(true, Some(0)), tokens(true, None)];
    assert_eq!(all.clone().map(|t| tokens_left(&t, now)), ["1d 4h left", "ended", "replaced", "replaced"]);
    let told = all.map(|t| tokens_told(&t, now));
    assert_eq!(told[0], "the first ends at the latest at hour 29 (1d 4h left), and nobody replaces it");
    assert_eq!(told[1], "the first has ended at hour 0, and nobody replaces it");
    assert!(told[2].contains("keytab of the JobManager") && told[2] == told[3]);

    let running = report(1, ApplicationState::Running, FinalStatus::Undefined);
    let mut list = [application(&running, By::Heddle, None), application(&running, By::Flink, None)];
    assert!(!render(&list, false, now).contains("TOKENS"));
    list[0].tokens = Some(tokens(false, Some(29)));
    let table = render(&list, false, now);
    assert!(table.contains("DURATION  TOKENS      WEB") && table.contains("1d 4h left"), "{table}");
    let described = describe(&list[0], now);
    assert!(described.contains("\n  tokens         the first ends"), "{described}");
    let json = serde_json::to_value(&list).unwrap();
    assert_eq!(json[0]["tokens"], serde_json::json!({"replaced": false, "ends": "hour 29"}));
    assert!(json[1]["tokens"].is_null());
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
