//! The text of `heddle memory --live`: a table of the processes, and below it what to change.

use diagnosis::facts::Part;
use diagnosis::memory_use::{ProcessUse, Share, Urgency};
use diagnosis::usage::amount;
use yarn_client::live_memory::LiveMemory;
use yarn_client::units::count;

use super::{clean, table};

/// The columns; what is used stands in front of what was planned.
const HEADER: [&str; 8] =
    ["PROCESS", "RESIDENT", "AT MOST", "HEAP", "METASPACE", "DIRECT", "MANAGED", "NETWORK"];

/// The table, what is missing in it, and the remarks.
pub(crate) fn render(live: &LiveMemory) -> String {
    let LiveMemory { application, name, flink, jobs, .. } = live;
    let mut text = clean::line(&format!(
        "{application}  \"{name}\"  Flink {flink}, {} running; used / planned",
        count(*jobs, "job")
    ));
    text.push_str("\n\n");
    let right: Vec<usize> = (1..HEADER.len()).collect();
    text.push_str(&table::render(&HEADER, &right, live.processes.iter().map(row)));
    if live.more > 0 {
        let more = count(live.more, "TaskManager");
        text.push_str(&format!("\n{more} more, with less of their heaps used"));
    }
    for missing in &live.missing {
        text.push_str(&format!("\nnot known: {}", clean::line(missing)));
    }
    for (urgency, title) in [
        (Urgency::MustBeLarger, "Must be larger"),
        (Urgency::CouldBeSmaller, "Could be smaller, as far as this moment shows"),
    ] {
        let remarks: Vec<_> = live.remarks.iter().filter(|remark| remark.urgency == urgency).collect();
        if remarks.is_empty() {
            continue;
        }
        text.push_str(&format!("\n\n{title}"));
        for remark in remarks {
            text.push_str(&format!("\n- {}", clean::line(&remark.text)));
            for fix in &remark.fix {
                let line = format!("{}: {}  ({})", fix.key, fix.value, fix.explanation);
                text.push_str(&format!("\n    {}", clean::line(&line)));
            }
        }
    }
    text
}

fn row(one: &ProcessUse) -> Vec<String> {
    let name = match one.part {
        Part::JobManager => "JobManager".to_owned(),
        Part::TaskManager => one.container.clone(),
    };
    let peak = one.peak.map_or_else(|| "-".to_owned(), amount);
    let parts = [one.heap, one.metaspace, one.direct, one.managed, one.network];
    [name, share(one.process), peak].into_iter().chain(parts.map(share)).collect()
}

/// What is used of what was planned; a line for what is not known.
fn share(share: Share) -> String {
    match (share.used, share.max) {
        (None, None) => "-".to_owned(),
        (used, max) => {
            let text = |size: Option<u64>| size.map_or_else(|| "-".to_owned(), amount);
            format!("{} / {}", text(used), text(max))
        }
    }
}

#[cfg(test)]
mod tests {
    use diagnosis::memory_use::remarks;

    use super::*;

    const MB: u64 = 1 << 20;

    fn of(used: u64, max: u64) -> Share {
        Share { used: Some(used * MB), committed: None, max: Some(max * MB) }
    }

    fn live(missing: &[&str]) -> LiveMemory {
        let master = ProcessUse {
            process: of(700, 1600),
            peak: Some(710 * MB),
            heap: of(200, 1024),
            metaspace: of(90, 256),
            direct: Share { used: Some(5 * MB), ..Share::default() },
            ..ProcessUse::new(Part::JobManager, "container_1_0001_01_000001")
        };
        let worker = ProcessUse {
            process: of(1700, 1728),
            peak: Some(1720 * MB),
            heap: of(300, 384),
            metaspace: of(100, 256),
            ..ProcessUse::new(Part::TaskManager, "container_1_0001_01_000002")
        };
        let processes = vec![master, worker];
        LiveMemory {
            application: "application_1_0001".into(),
            name: "test\u{1b}[2J".into(),
            flink: "1.20.5".into(),
            jobs: 1,
            remarks: remarks(&processes, None, 1),
            processes,
            more: 2,
            missing: missing.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn a_row_for_each_process_and_remarks() {
        let text = render(&live(&["the logs: no answer"]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "application_1_0001  \"test [2J\"  Flink 1.20.5, 1 job running; used / planned");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert!(words(lines[2]).starts_with("PROCESS RESIDENT AT MOST HEAP"), "{text}");
        assert_eq!(
            words(lines[3]),
            "JobManager 700 MB / 1.6 GB 710 MB 200 MB / 1 GB 90 MB / 256 MB 5 MB / - - -"
        );
        assert_eq!(
            words(lines[4]),
            "container_1_0001_01_000002 1.7 GB / 1.7 GB 1.7 GB 300 MB / 384 MB 100 MB / 256 MB - - -"
        );
        assert!(text.contains(
            "\n2 TaskManagers more, with less of their heaps used\nnot known: the logs: no answer\n"
        ));
        assert!(text.contains(
            "\n\nMust be larger\n- The process of TaskManager container_1_0001_01_000002 has used"
        ));
        assert!(text.contains(
            "\n\nCould be smaller, as far as this moment shows\n- A JobManager has used 710 MB at most"
        ));
    }
}
