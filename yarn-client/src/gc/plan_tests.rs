use proptest::prelude::*;

use super::*;

const DAY: u64 = 24 * 3600 * 1000;
const NOW: u64 = 100 * DAY;
const ROOT: &str = "/user/ann/.heddle/store";

fn entry(path: &str, is_dir: bool, modified_ms: u64, accessed_ms: u64) -> FileStatus {
    FileStatus {
        path: format!("{ROOT}/{path}"),
        len: 10,
        is_dir,
        mode: 0o644,
        owner: "ann".into(),
        group: String::new(),
        modified_ms,
        accessed_ms,
        replication: 1,
        block_size: 1,
        encrypted: false,
    }
}

fn name(hash: &str) -> String {
    let sha256 = hash.repeat(32);
    format!("{hash}/{sha256}/x.jar")
}

/// A store with one file for each pair of a hash and the days since its last use.
fn store(artifacts: &[(&str, u64)]) -> Listing {
    let mut entries = vec![entry(".incoming", true, 0, 0)];
    for (hash, days) in artifacts {
        let then = NOW - days * DAY;
        let path = name(hash);
        let parent = path.rsplit_once('/').unwrap().0;
        entries.push(entry(hash, true, then, 0));
        entries.push(entry(parent, true, then, 0));
        entries.push(entry(&path, false, 0, then));
    }
    Listing { entries, closed: Vec::new() }
}

fn removed(sweep: &Sweep<'_>) -> Vec<String> {
    let path = |p: &str| p[ROOT.len() + 1..].to_owned();
    let files = sweep.artifacts.iter().chain(&sweep.uploads).map(|s| path(&s.path));
    files.chain(sweep.directories.iter().map(|p| path(p))).collect()
}

#[test]
fn artifacts_by_their_urls() {
    let path = name("ab");
    for prefix in ["hdfs://nn:9000/a/b/", "/", ""] {
        assert_eq!(artifact(&format!("{prefix}{path}")), Some(path.as_str()));
    }
    for other in
        ["", "/", "x.jar", "/ab/x.jar", "cd/abab/x.jar", "hdfs://nn/user/ann/.flink/application_1_0001/x.jar"]
    {
        assert_eq!(artifact(other), None, "{other}");
    }
    assert_eq!(artifact(&path.replacen("ab/", "cd/", 1)), None);
    assert_eq!(artifact(path.trim_end_matches("x.jar")), None);
}

#[test]
fn what_an_application_says() {
    let url = format!("hdfs://nn/s/{}", name("ab"));
    let text = format!(
        r#"{{"version":1,"task_manager_resources":[{{"url":"{url}","key":"lib/x.jar"}},{{"url":"hdfs://nn/user/a/.flink/x"}}],
            "application_master_resources":[],"hadoop":{{"yarn.resourcemanager.address":"rm1:8032"}}}}"#
    );
    let needs: Needs = serde_json::from_str(&text).unwrap();
    assert_eq!(needs.artifacts().collect::<Vec<_>>(), [name("ab")]);
    assert!(needs.is_elsewhere(|_| Some("rm2:8032".into())));
    assert!(!needs.is_elsewhere(|_| Some("rm1:8032".into())));
    assert!(!needs.is_elsewhere(|_| None));
    assert!(serde_json::from_str::<Needs>(r#"{"task_manager_resources":[]}"#).is_err());
}

#[test]
fn unused_artifacts_go_with_their_directories() {
    let week = Duration::from_millis(7 * DAY);
    let listing = store(&[("aa", 8), ("bb", 8), ("cc", 3)]);
    let sweep = sweep(ROOT, &listing, &[name("bb")].into(), week, NOW);
    let gone = name("aa");
    assert_eq!(removed(&sweep), [gone.as_str(), gone.rsplit_once('/').unwrap().0, "aa"]);
    assert_eq!(sweep.kept, 2);
}

#[test]
fn the_young_stay_whatever_is_asked() {
    let mut listing = store(&[("aa", 0)]);
    listing.entries[3].accessed_ms = NOW - 30 * 60 * 1000;
    let gone = sweep(ROOT, &listing, &BTreeSet::new(), Duration::ZERO, NOW);
    assert!(removed(&gone).is_empty());
    listing.entries[3].accessed_ms = NOW - 61 * 60 * 1000;
    assert_eq!(sweep(ROOT, &listing, &BTreeSet::new(), Duration::ZERO, NOW).artifacts.len(), 1);
}

#[test]
fn class_data_archives_are_artifacts() {
    let archive = "cds/jobmanager-0123456789abcdef/17.0.1-x-5-0000000a.jsa";
    assert_eq!(artifact(&format!("hdfs://nn/a/{archive}")), Some(archive));
    assert_eq!(artifact(archive), Some(archive));
    assert_eq!(artifact("hdfs://nn/cds/jobmanager-0123456789abcdef/other.txt"), None);
    let then = NOW - 8 * DAY;
    let directory = archive.rsplit_once('/').unwrap().0;
    let entries =
        vec![entry("cds", true, then, 0), entry(directory, true, then, 0), entry(archive, false, then, 0)];
    let listing = Listing { entries, closed: Vec::new() };
    let week = Duration::from_millis(7 * DAY);
    assert_eq!(removed(&sweep(ROOT, &listing, &BTreeSet::new(), week, NOW)), [archive, directory, "cds"]);
    let kept = sweep(ROOT, &listing, &[archive.to_owned()].into(), week, NOW);
    assert_eq!((removed(&kept), kept.kept), (Vec::new(), 1));
}

#[test]
fn what_others_have_closed_stays() {
    let mut listing = store(&[("aa", 8), ("bb", 8), ("cc", 8)]);
    // What is in these cannot be seen.
    listing.entries.retain(|s| s.path != format!("{ROOT}/{}", name("bb")) && !s.path.contains("/cc/"));
    let parent = name("bb").rsplit_once('/').unwrap().0.to_owned();
    listing.closed = vec![entry(&parent, true, 0, 0), entry("cc", true, 0, 0)];
    let sweep = sweep(ROOT, &listing, &BTreeSet::new(), Duration::ZERO, NOW);
    let gone = name("aa");
    assert_eq!(removed(&sweep), [gone.as_str(), gone.rsplit_once('/').unwrap().0, "aa"]);
}

#[test]
fn left_overs_and_what_is_not_ours() {
    let mut listing = store(&[]);
    listing.entries.push(entry(".incoming/old-x.jar", false, NOW - 2 * DAY, 0));
    listing.entries.push(entry(".incoming/new-x.jar", false, NOW - DAY / 2, 0));
    listing.entries.push(entry(".incoming-ann/old-y.jar", false, NOW - 2 * DAY, 0));
    listing.entries.push(entry("dd", true, NOW - 2 * DAY, 0));
    listing.entries.push(entry("ee", true, NOW - DAY / 2, 0));
    listing.entries.push(entry("ff", true, NOW - 2 * DAY, 0));
    listing.entries.push(entry("ff/new", true, NOW, 0));
    listing.entries.push(entry("README", false, 0, 0));
    listing.entries.push(entry("notes", true, 0, 0));
    listing.entries.push(entry("notes/x/y/z.jar", false, 0, 0));
    let sweep = sweep(ROOT, &listing, &BTreeSet::new(), Duration::ZERO, NOW);
    assert_eq!(removed(&sweep), [".incoming/old-x.jar", ".incoming-ann/old-y.jar", "dd"]);
}

proptest! {
    #[test]
    fn nothing_that_is_used_or_young_goes(
        artifacts in proptest::collection::btree_map("[0-9a-f]{2}", 0u64..20, 0..12),
        used in proptest::collection::btree_set("[0-9a-f]{2}", 0..12),
        days in 0u64..20,
    ) {
        let list: Vec<(&str, u64)> = artifacts.iter().map(|(h, d)| (h.as_str(), *d)).collect();
        let listing = store(&list);
        let used: BTreeSet<String> = used.iter().map(|h| name(h)).collect();
        let sweep = sweep(ROOT, &listing, &used, Duration::from_millis(days * DAY), NOW);
        for (hash, age) in &list {
            let goes = removed(&sweep).contains(&name(hash));
            prop_assert_eq!(goes, !used.contains(&name(hash)) && *age >= days.max(1));
            prop_assert_eq!(goes, removed(&sweep).iter().any(|d| d == hash));
        }
        prop_assert_eq!(sweep.kept + sweep.artifacts.len(), list.len());
    }
}
