use yarn_api::records::{NodeId, Resource};

use super::*;

fn size(memory_mb: u64) -> Profile {
    Profile { memory_mb, vcores: 1, ..Profile::default() }
}

/// The machine, and a clock that moves only when it is told to.
struct Bench {
    waits: Waits,
    begin: Instant,
    now: Instant,
}

impl Bench {
    fn new(label: Option<&str>) -> Self {
        let now = Instant::now();
        Self { waits: Waits::new(label.map(str::to_owned)), begin: now, now }
    }

    fn at(&mut self, seconds: u64) -> &mut Self {
        self.now = self.begin + Duration::from_secs(seconds);
        self
    }

    fn heard(&mut self, left_mb: u64) -> &mut Self {
        let news = ClusterNews { size: 2, left: Some(size(left_mb)), ..ClusterNews::default() };
        self.waits.heard(&news, self.now);
        self
    }

    fn listed(&mut self, nodes: &[(u64, u64)]) -> &mut Self {
        let reports: Vec<NodeReport> = nodes.iter().map(|(all, used)| node(*all, *used)).collect();
        self.waits.listed(&reports, self.now);
        self
    }

    /// The texts that are told while this many containers of 1024 MB are asked for.
    fn step(&mut self, count: u32) -> Vec<String> {
        self.with(&[(size(1024), count)], false)
    }

    fn with(&mut self, open: &[(Profile, u32)], granted: bool) -> Vec<String> {
        let open = open.iter().filter(|(_, count)| *count > 0).map(|(size, count)| (size, *count));
        let told = self.waits.step(open, granted, self.now);
        let texts = told.into_iter().map(|observation| match observation {
            Observation::ContainersWait { text, .. } | Observation::ContainersWaitNoLonger { text, .. } => {
                text
            }
            other => panic!("{other:?}"),
        });
        texts.collect()
    }

    /// The seconds from the beginning to the next step.
    fn wake(&self) -> Option<u64> {
        self.waits.wake().map(|at| (at - self.begin).as_secs())
    }
}

fn node(memory_mb: u64, used_mb: u64) -> NodeReport {
    NodeReport {
        id: NodeId { host: "n".into(), port: 1 },
        state: NodeState::Running,
        http_address: String::new(),
        rack: String::new(),
        capability: Resource::new(memory_mb, 8),
        used: Resource::new(used_mb, 3),
        containers: 1,
        health_report: None,
        last_health_report: None,
        labels: Default::default(),
    }
}

#[test]
fn a_wait_is_told_after_ten_seconds_after_a_minute_and_then_every_five_minutes() {
    let mut bench = Bench::new(None);
    let mut told = Vec::new();
    for second in 0..=700 {
        if !bench.at(second).heard(512).step(3).is_empty() {
            told.push(second);
        }
    }
    assert_eq!(told, [10, 60, 360, 660]);
    assert_eq!(bench.wake(), Some(960));
    let came = bench.with(&[], true);
    assert_eq!(came, ["The containers of 1024 MB and 1 vcore that were waited for have come, after 700 s."]);
    assert_eq!((bench.step(0), bench.wake()), (Vec::new(), None));
}

#[test]
fn what_comes_soon_is_not_told() {
    let mut bench = Bench::new(None);
    assert!(bench.at(0).heard(512).step(3).is_empty());
    assert_eq!(bench.wake(), Some(10));
    assert!(bench.at(9).with(&[], true).is_empty());
    // Each is asked for at its own time, and the oldest comes first.
    assert!(bench.at(20).step(1).is_empty());
    assert!(bench.at(27).step(2).is_empty());
    assert!(bench.at(29).step(1).is_empty());
    assert_eq!(bench.wake(), Some(37));
    assert!(bench.at(36).step(1).is_empty());
    assert_eq!(bench.at(37).step(1).len(), 1);
    assert_eq!(
        bench.at(38).step(0),
        ["Containers of 1024 MB and 1 vcore are not asked for any more, after 11 s."]
    );
}

#[test]
fn the_text_has_numbers_and_another_reason_is_told() {
    let mut bench = Bench::new(None);
    bench.at(0).heard(512).step(3);
    assert_eq!(
        bench.at(10).heard(512).step(3),
        [
            "3 containers of 1024 MB and 1 vcore, asked for 10 s ago, are not granted yet. YARN says that the application can still get \
          512 MB and 1 vcore in its queue. The cluster has 2 nodes. They wait for room in the queue."
        ]
    );
    // Other numbers are not told, and nothing is told at once again.
    assert!(bench.at(15).heard(600).step(3).is_empty());
    assert!(bench.at(19).listed(&[(8192, 7000), (4096, 3000)]).step(3).is_empty());
    assert_eq!(
        bench.at(20).heard(600).listed(&[(8192, 7500), (4096, 3500)]).step(1),
        [
            "A container of 1024 MB and 1 vcore, asked for 20 s ago, is not granted yet. YARN says that the application can still get \
          600 MB and 1 vcore in its queue. The largest node has 8192 MB, and the one with the most room has 692 MB and 5 vcores \
          left. The cluster has 2 nodes. It waits until a node has room."
        ]
    );
    let text = bench.at(30).heard(600).listed(&[(1000, 0)]).step(1).remove(0);
    assert!(text.ends_with("No node is large enough."), "{text}");
    let text = bench.at(60).step(1).remove(0);
    assert!(text.ends_with("is not granted yet. The ResourceManager does not answer."), "{text}");
}

#[test]
fn a_reason_that_changes_back_and_forth_is_told_seldom_in_the_end() {
    let mut bench = Bench::new(None);
    let mut told = Vec::new();
    for second in 0..=1000 {
        // The queue has room for one more container in every other second.
        if !bench.at(second).heard(512 + second % 2 * 1024).step(3).is_empty() {
            told.push(second);
        }
    }
    assert_eq!(told, [10, 21, 32, 43, 54, 65, 115, 415, 715]);
}

#[test]
fn requests_of_different_age_are_not_taken_for_equally_old() {
    let mut bench = Bench::new(None);
    bench.at(0).step(1);
    bench.at(30).step(3);
    let text = bench.at(80).step(3).remove(0);
    assert!(
        text.starts_with(
            "3 containers of 1024 MB and 1 vcore, the first of them asked for 80 s ago, are not"
        ),
        "{text}"
    );
    // The oldest is granted.
    let text = bench.at(400).step(2).remove(0);
    assert!(text.starts_with("2 containers of 1024 MB and 1 vcore, asked for 370 s ago, are not"), "{text}");
}

#[test]
fn room_that_is_enough_is_told_without_a_verdict() {
    let mut bench = Bench::new(Some("gpu"));
    bench.at(0).heard(4096).step(1);
    assert_eq!(
        bench.at(10).heard(4096).step(1),
        [
            "A container of 1024 MB and 1 vcore on nodes with the label gpu, asked for 10 s ago, is not granted yet. YARN says that the \
          application can still get 4096 MB and 1 vcore in its queue. The cluster has 2 nodes."
        ]
    );
}

#[test]
fn each_size_is_told_by_itself() {
    let mut bench = Bench::new(None);
    let gpu = Profile { resources: BTreeMap::from([("yarn.io/gpu".to_owned(), 2)]), ..size(2048) };
    let both = [(size(1024), 1), (gpu, 2)];
    bench.at(0).listed(&[(8192, 8192)]).with(&both[..1], false);
    bench.at(5).with(&both, false);
    assert_eq!(bench.at(10).with(&both, false).len(), 1);
    let told = bench.at(15).with(&both, false);
    assert!(
        told[0].starts_with("2 containers of 2048 MB, 1 vcore and 2 of yarn.io/gpu, asked for 10 s ago"),
        "{told:?}"
    );
    assert!(!told[0].contains("largest node"), "which node has them is not known: {told:?}");
    let told = bench.at(16).with(&both[1..], true);
    assert!(told[0].contains("1024 MB") && told[0].contains("have come"), "{told:?}");
}
