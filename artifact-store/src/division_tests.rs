//! The NameNode of these stores does not exist, because nothing asks it.

use flink_model::local_resource::LocalResourceKind;
use hadoop_rpc::{HadoopConf, Login, UserIdentity};

use super::*;
use crate::fixture::status;
use crate::hashes::Hashes;
use crate::store::{Answers, Concurrency};

const ROOT: &str = "/apps/store";
const SAFE: (&str, u16) = ("hdfs", 0o755);

/// The store that ann has named.
fn store() -> Store {
    let conf = HadoopConf::from_map([("fs.defaultFS", "hdfs://nowhere.invalid:8020")]);
    let login = Login::simple(UserIdentity::new("ann"));
    let storage = hadoop_fs::Storage::open(&conf, &login, None).unwrap();
    let root_owner = RootOwner::Named { home: storage.home_dir().to_owned() };
    Store::shared(storage, ROOT, root_owner, None, Concurrency::QUICK).unwrap()
}

/// The root and the directories above it, as far as they exist.
fn levels(below: &[(&str, u16)]) -> Statuses {
    let of_top = ("/", &SAFE);
    let found = std::iter::once(of_top).chain(["/apps", ROOT].into_iter().zip(below));
    found.map(|(path, (owner, mode))| (path.to_owned(), Some(status(path, owner, *mode)))).collect()
}

/// Two files of one byte, `a.jar` and `b.jar`; the second is only to be found.
async fn artifacts(directory: &std::path::Path) -> Vec<Artifact> {
    let paths = ["a.jar", "b.jar"].map(|name| directory.join(name));
    paths.iter().zip(["a", "b"]).for_each(|(path, content)| std::fs::write(path, content).unwrap());
    let mut artifacts = Vec::new();
    for (content, name) in Hashes::open(None).begin(&paths, drop).unwrap().into_iter().zip(["a.jar", "b.jar"])
    {
        let artifact = Artifact::new(name.to_owned(), content, LocalResourceKind::File);
        let artifact = if name == "b.jar" { artifact.only_found() } else { artifact };
        artifacts.push(artifact.hashed().await.unwrap());
    }
    artifacts
}

/// The names of the files that the store serves, and those of the others. The user may write to the store's
/// root, and may make it.
async fn divide(known: Statuses, has: &[&str], hashing: bool) -> (Vec<String>, Vec<String>, Option<Refused>) {
    let (served, elsewhere, refused, unmade) = share_out(known, has, hashing, true).await;
    assert_eq!(unmade, 0);
    (served, elsewhere, refused)
}

async fn share_out(
    known: Statuses,
    has: &[&str],
    hashing: bool,
    may_write_root: bool,
) -> (Vec<String>, Vec<String>, Option<Refused>, usize) {
    let (store, dir) = (store(), tempfile::tempdir().unwrap());
    let artifacts = artifacts(dir.path()).await;
    let mut inventory = Inventory { paths: Vec::new(), artifacts, known };
    for artifact in &inventory.artifacts {
        let path = artifact.path(ROOT).unwrap();
        if has.contains(&&*artifact.key) {
            for level in super::levels(&path, ROOT) {
                inventory.known.insert(level.clone(), Some(status(&level, "admin", 0o755)));
            }
            let file = status(&path, "admin", 0o644);
            inventory.known.insert(path.clone(), Some(file));
        }
        inventory.paths.push((!hashing).then_some(path));
    }
    let services = store.services(&inventory);
    let Division { inventory, elsewhere, refused, unmade } =
        store.share_out(inventory, services, may_write_root);
    assert!(elsewhere.iter().all(|artifact| !artifact.only_found), "the other store may get it");
    let names = |artifacts: &[Artifact]| artifacts.iter().map(|a| a.key.clone()).collect();
    (names(&inventory.artifacts), names(&elsewhere), refused, unmade)
}

#[test]
fn levels_are_those_below_the_root() {
    let found = super::levels("/s/t/ab/abcd/x.jar", "/s/t");
    assert_eq!(found, ["/s/t/ab", "/s/t/ab/abcd", "/s/t/ab/abcd/x.jar"]);
}

#[tokio::test]
async fn a_store_that_others_can_exchange_serves_nothing() {
    for below in [
        vec![("hdfs", 0o777)],
        vec![("hdfs", 0o777), ("ann", 0o755)],
        vec![("hdfs", 0o1777), ("admin", 0o755)],
        vec![("eve", 0o755)],
    ] {
        for (has, hashing) in [(&[][..], true), (&[], false), (&["a.jar", "b.jar"], false)] {
            let (served, elsewhere, refused) = divide(levels(&below), has, hashing).await;
            assert!(served.is_empty() && elsewhere == ["a.jar", "b.jar"], "{below:?}: {served:?}");
            assert!(refused.is_some_and(|it| it.whole_store && it.files == 2), "{below:?}");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_yet_will_be_the_users_own() {
    for above in [SAFE, ("hdfs", 0o1777), ("ann", 0o755)] {
        for hashing in [false, true] {
            let (served, elsewhere, refused) = divide(levels(&[above]), &[], hashing).await;
            assert_eq!((served, elsewhere, refused), (vec!["a.jar".into()], vec!["b.jar".into()], None));
        }
    }
}

#[tokio::test]
async fn a_store_that_the_user_may_not_make_gets_nothing() {
    for hashing in [false, true] {
        let (served, elsewhere, refused, unmade) = share_out(levels(&[SAFE]), &[], hashing, false).await;
        assert!(served.is_empty() && elsewhere == ["a.jar", "b.jar"], "{served:?}");
        assert_eq!((refused, unmade), (None, 1), "b.jar would not be added in any case");
    }
    // An administrator's store is there.
    let (served, elsewhere, refused, unmade) =
        share_out(levels(&[SAFE, ("admin", 0o755)]), &["b.jar"], false, false).await;
    assert_eq!((served, elsewhere, refused, unmade), (vec!["b.jar".into()], vec!["a.jar".into()], None, 0));
}

#[tokio::test]
async fn a_file_that_is_only_found_is_never_added() {
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|&name| name.to_owned()).collect() };
    let own = || levels(&[SAFE, ("ann", 0o755)]);
    assert_eq!(divide(own(), &[], false).await, (names(&["a.jar"]), names(&["b.jar"]), None));
    let admins = || levels(&[SAFE, ("admin", 0o755)]);
    assert_eq!(
        divide(admins(), &["a.jar", "b.jar"], false).await,
        (names(&["a.jar", "b.jar"]), vec![], None)
    );
    // What is not to be trusted is not found, either.
    let mut known = admins();
    let dir = tempfile::tempdir().unwrap();
    for artifact in artifacts(dir.path()).await {
        let path = artifact.path(ROOT).unwrap();
        known.insert(path.clone(), Some(status(&path, "eve", 0o644)));
    }
    let (served, elsewhere, refused) = divide(known, &[], false).await;
    assert!(served.is_empty() && elsewhere == ["a.jar", "b.jar"]);
    assert!(refused.is_some_and(|it| !it.whole_store && it.files == 2));
}

#[tokio::test]
async fn only_a_stranger_may_have_closed_a_directory() {
    let store = store();
    let place = format!("{ROOT}/ab");
    let answers = |below: &[(&str, u16)], owner: &str| {
        let mut known = levels(below);
        known.insert(place.clone(), Some(status(&place, owner, 0o700)));
        // Any error will do.
        Answers { known, denied: vec![(format!("{place}/x"), store.storage.path("").unwrap_err())] }
    };
    let of_admin = [SAFE, ("admin", 0o1777)];
    let admitted = store.admitted(answers(&of_admin, "eve")).unwrap();
    assert_eq!(admitted.get(&format!("{place}/x")), Some(&None));
    assert!(store.admitted(answers(&of_admin, "admin")).is_err());
    // Another user's store is not used in any case.
    assert!(store.admitted(answers(&[("hdfs", 0o1777), ("eve", 0o700)], "eve")).is_ok());
}
