//! Shows to people what `heddle gc` has found and removed.

use std::collections::BTreeSet;

use yarn_client::gc::{Item, Kind, Outcome};
use yarn_client::units::bytes;

use super::table;

/// The kind of an item, in words.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Application => "application",
        Kind::ForeignApplication => "application (flink-yarn)",
        Kind::Outcome => "record",
        Kind::Artifact => "artifact",
        Kind::Upload => "unfinished upload",
        Kind::FetchedJar => "fetched jar",
    }
}

/// The outcome for people: a table, and a line that sums it up.
pub(crate) fn render(outcome: &Outcome) -> String {
    let row = |i: &Item| {
        let owner = i.owner.clone().unwrap_or_else(|| "-".into());
        vec![kind(i.kind).into(), bytes(i.bytes), table::span(i.idle), owner, i.path.clone()]
    };
    let shown = |chosen: bool| {
        let items = outcome.items.iter().filter(move |i| i.chosen == chosen);
        table::render(&["KIND", "SIZE", "UNUSED", "OWNER", "PATH"], &[1, 2], items.map(row))
    };
    let mut blocks = Vec::new();
    if outcome.items.iter().any(|i| i.chosen) {
        blocks.push(shown(true));
    }
    if outcome.items.iter().any(|i| !i.chosen) {
        blocks.push(format!("Only removed with --foreign:\n{}", shown(false)));
    }
    let count = outcome.items.iter().filter(|i| if outcome.delete { i.removed } else { i.chosen }).count();
    let size = bytes(outcome.total_bytes);
    blocks.push(match (outcome.delete, count) {
        (_, 0) if outcome.is_complete() && outcome.items.iter().any(|i| !i.chosen) => {
            "Nothing to remove without --foreign.".to_owned()
        }
        (_, 0) if outcome.is_complete() => "Nothing to remove.".to_owned(),
        (true, _) => format!("Removed {count}, {size}."),
        (false, _) => format!("{count} could be removed, {size}. Nothing is removed without --delete."),
    });
    blocks.join("\n\n")
}

/// What could not be removed, and why.
pub(crate) fn errors(outcome: &Outcome) -> Vec<String> {
    let failed = |i: &Item| i.error.as_ref().map(|why| format!("not removed: {}: {why}", i.path));
    let set: BTreeSet<String> = outcome.items.iter().filter_map(failed).collect();
    set.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use yarn_client::units::iso;

    use super::*;

    fn outcome(delete: bool) -> Outcome {
        let item = |kind, path: &str, bytes, chosen| Item {
            kind,
            path: path.into(),
            owner: (kind != Kind::FetchedJar).then(|| "ann".into()),
            bytes,
            last_used: iso(0),
            chosen,
            removed: delete && chosen,
            error: None,
            idle: Duration::from_secs(9 * 24 * 3600),
        };
        let items = vec![
            item(Kind::Application, "hdfs://nn/.flink/application_1_0001", 1_500, true),
            item(Kind::ForeignApplication, "hdfs://nn/.flink/application_1_0002", 2_000_000, false),
            item(Kind::Outcome, "hdfs://nn/.heddle/outcomes/application_1_0003", 20, true),
            item(Kind::FetchedJar, "/c/jars/ab", 10, true),
        ];
        Outcome { delete, items, total_bytes: 1_530, kept_artifacts: 3, notes: vec![] }
    }

    #[test]
    fn for_people_and_programs() {
        insta::assert_snapshot!(render(&outcome(false)), @r"
        KIND            SIZE  UNUSED  OWNER  PATH
        application  1.5 KiB      9d  ann    hdfs://nn/.flink/application_1_0001
        record          20 B      9d  ann    hdfs://nn/.heddle/outcomes/application_1_0003
        fetched jar     10 B      9d  -      /c/jars/ab

        Only removed with --foreign:
        KIND                         SIZE  UNUSED  OWNER  PATH
        application (flink-yarn)  1.9 MiB      9d  ann    hdfs://nn/.flink/application_1_0002

        3 could be removed, 1.5 KiB. Nothing is removed without --delete.
        ");
        assert!(render(&outcome(true)).ends_with("Removed 3, 1.5 KiB."));
        let nothing = Outcome { items: vec![], ..outcome(true) };
        assert_eq!(render(&nothing), "Nothing to remove.");
        let json = serde_json::to_value(outcome(true)).unwrap();
        assert_eq!(json["items"][1]["kind"], "foreign-application");
        assert_eq!((&json["items"][0]["removed"], &json["keptArtifacts"]), (&true.into(), &3.into()));
    }

    #[test]
    fn a_failure_is_told() {
        let mut outcome = outcome(true);
        outcome.items[0].removed = false;
        outcome.items[0].error = Some("Permission denied".into());
        assert!(!outcome.is_complete());
        assert_eq!(errors(&outcome), ["not removed: hdfs://nn/.flink/application_1_0001: Permission denied"]);
    }
}
