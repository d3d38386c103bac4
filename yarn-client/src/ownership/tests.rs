use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const ME: u32 = 1000;
/// A group that has no other member.
const OWN: u32 = 1000;
/// A group that has.
const STAFF: u32 = 50;
const USER: Me = Me { uid: ME, is_root: |uid| uid == 0, is_private: |_, group| group == OWN };

fn status(kind: Kind, owner: u32, mode: u32) -> Status {
    Status { kind, owner, group: STAFF, mode, names: 1 }
}

#[test]
fn only_what_is_ones_own_and_closed_to_others_is_trusted() {
    let file = |owner, mode| judge(status(Kind::File, owner, mode), Kind::File, &USER).map_err(|d| d.reason);
    for mode in [0o600, 0o644, 0o400, 0o755] {
        assert_eq!(file(ME, mode), Ok(()), "{mode:o}");
    }
    for mode in [0o664, 0o620, 0o602, 0o777] {
        assert_eq!(file(ME, mode), Err(Reason::Writable { mode }));
    }
    // Also of root's, and of the user as whom a file system without owners shows all files.
    for owner in [0, 1001, 65534] {
        assert_eq!(file(owner, 0o600), Err(Reason::Foreign), "{owner}");
    }
    for found in [Kind::Directory, Kind::Link, Kind::Fifo, Kind::Socket, Kind::Device] {
        let judged = judge(status(found, ME, 0o600), Kind::File, &USER).map_err(|d| d.reason);
        assert_eq!(judged, Err(Reason::Kind { found, wanted: Kind::File }));
    }
    let linked = Status { names: 2, ..status(Kind::File, ME, 0o600) };
    assert_eq!(judge(linked, Kind::File, &USER).map_err(|d| d.reason), Err(Reason::Names { count: 2 }));
    let directory = Status { names: 9, ..status(Kind::Directory, ME, 0o700) };
    assert_eq!(judge(directory, Kind::Directory, &USER), Ok(()));
    let root = Me { uid: 0, ..USER };
    assert!(judge(status(Kind::File, ME, 0o600), Kind::File, &root).is_err(), "root's user is not root");
}

#[test]
fn a_group_that_has_nobody_else_may_write() {
    for (kind, mode, trusted) in [
        (Kind::File, 0o664, true),
        (Kind::File, 0o660, true),
        (Kind::Directory, 0o775, true),
        (Kind::File, 0o666, false),
        (Kind::File, 0o662, false),
        (Kind::Directory, 0o777, false),
    ] {
        let own = Status { group: OWN, ..status(kind, ME, mode) };
        assert_eq!(judge(own, kind, &USER).is_ok(), trusted, "{kind} {mode:o}");
        assert!(judge(Status { group: STAFF, ..own }, kind, &USER).is_err(), "{kind} {mode:o}");
    }
}

#[test]
fn whoever_may_rename_on_the_way_decides_what_a_path_names() {
    let directory = |owner, mode| status(Kind::Directory, owner, mode);
    for (on_the_way, judged) in [
        (directory(0, 0o755), Ok(())),
        (directory(ME, 0o711), Ok(())),
        (directory(0, 0o1777), Ok(())),
        (directory(ME, 0o1775), Ok(())),
        (Status { group: OWN, ..directory(ME, 0o775) }, Ok(())),
        (status(Kind::Link, ME, 0o777), Ok(())),
        (status(Kind::Link, 0, 0o777), Ok(())),
        (directory(0, 0o775), Err(Reason::Writable { mode: 0o775 })),
        (directory(ME, 0o777), Err(Reason::Writable { mode: 0o777 })),
        (directory(0, 0o733), Err(Reason::Writable { mode: 0o733 })),
        (directory(1001, 0o755), Err(Reason::Foreign)),
        (directory(65534, 0o755), Err(Reason::Foreign)),
        // Its owner can rename what is in it.
        (directory(1001, 0o1777), Err(Reason::Foreign)),
        (status(Kind::Link, 1001, 0o777), Err(Reason::Foreign)),
    ] {
        assert_eq!(way::judge(on_the_way, &USER), judged, "{on_the_way:?}");
    }
}

#[test]
fn all_of_a_path_counts() {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().canonicalize().unwrap();
    let at = |name: &str| top.join(name);
    let mode = |name: &str, mode| std::fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    make_directory(&at("open/closed/inner")).unwrap();
    make_directory(&at("home")).unwrap();
    std::fs::write(at("open/closed/inner/file"), "1").unwrap();
    mode("open/closed/inner/file", 0o600);
    symlink(at("open/closed"), at("home/away")).unwrap();
    symlink("../open/closed/inner", at("home/inner")).unwrap();
    symlink(at("home/circle"), at("home/circle")).unwrap();
    let directories = ["open/closed/inner", "home/away/inner", "home/inner", "home/../open/closed/inner"];
    let files = directories.map(|directory| format!("{directory}/file"));
    // The result for each directory and each file, as text.
    let judged = || {
        let of = |result: Result<(), Distrust>| result.map_err(|why| why.to_string());
        let directories = directories.iter().map(|name| of(check_place(&at(name))));
        let files = files.iter().map(|name| of(open(&at(name)).unwrap().map(drop)));
        directories.chain(files).collect::<Vec<_>>()
    };
    for sound in [0o755, 0o1777] {
        mode("open", sound);
        assert!(judged().iter().all(Result::is_ok), "{sound:o}: {:?}", judged());
    }
    mode("open", 0o757);
    for why in judged() {
        let why = why.unwrap_err();
        assert!(why.contains(&format!("through {}, ", at("open").display())), "{why}");
        assert!(why.contains("mode 0757"), "{why}");
    }
    // What is not there yet is made in it.
    assert!(check_place(&at("open/new/heddle")).is_err());
    assert!(make_directory(&at("open/closed/new")).unwrap_err().to_string().contains("mode 0757"));
    assert_eq!(open(&at("open/none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(check_place(&at("home/new/heddle")).is_ok());
    assert!(check_place(&at("home/circle/heddle")).is_ok(), "nothing can be found there");
}

#[test]
fn one_sentence_names_the_owner() {
    let of = |reason, through, me| Distrust { reason, through, owner: 4_000_000_001, me }.to_string();
    let text = |reason| of(reason, None, 0);
    let owner = "the user with the id 4000000001";
    assert_eq!(text(Reason::Foreign), format!("it belongs to {owner}, and not to root"));
    let kind = Reason::Kind { found: Kind::Fifo, wanted: Kind::File };
    assert_eq!(text(kind), format!("it is a FIFO that belongs to {owner}, and not a regular file"));
    for reason in [Reason::Writable { mode: 0o664 }, Reason::Names { count: 2 }] {
        assert!(text(reason).contains(owner), "{reason:?}");
    }
    assert!(text(Reason::Writable { mode: 0o664 }).contains("mode 0664"));
    let above = |reason, me| of(reason, Some("/a b".into()), me);
    let foreign = format!("the path leads through /a b, which belongs to {owner}, and not to root");
    assert_eq!(above(Reason::Foreign, 0), foreign);
    assert!(above(Reason::Foreign, 4_000_000_002).ends_with("4000000002 or root"));
    let writable = above(Reason::Writable { mode: 0o777 }, 0);
    assert!(writable.contains("through /a b,") && writable.contains(owner), "{writable}");
}

#[test]
fn files_as_they_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mode = |name: &str, mode| std::fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    std::fs::write(at("own"), "1").unwrap();
    mode("own", 0o600);
    assert!(open(&at("own")).unwrap().is_ok());
    symlink(at("own"), at("link")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
    let reason = |name: &str| open(&at(name)).unwrap().unwrap_err().reason;
    let wanted = Kind::File;
    assert_eq!(reason("link"), Reason::Kind { found: Kind::Link, wanted });
    assert_eq!(reason("fifo"), Reason::Kind { found: Kind::Fifo, wanted });
    mode("own", 0o606);
    assert_eq!(reason("own"), Reason::Writable { mode: 0o606 });
    assert_eq!(open(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(is_foreign(&at("own")), None);
}

#[test]
fn directories_are_made_for_the_user_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (place, inner) = (dir.path().join("heddle"), dir.path().join("heddle/cds/x"));
    assert!(check_place(&place).is_ok(), "it is not there yet");
    make_directory(&inner).unwrap();
    for made in [&place, &inner] {
        assert_eq!(std::fs::metadata(made).unwrap().mode() & 0o777, 0o700);
    }
    let link = dir.path().join("link");
    symlink(&place, &link).unwrap();
    assert!(check_place(&link).is_ok(), "a link of one's own to a directory of one's own");
    let earlier = dir.path().join("earlier");
    std::fs::create_dir(&earlier).unwrap();
    for (mode, trusted) in [(0o775, true), (0o757, false)] {
        std::fs::set_permissions(&earlier, Permissions::from_mode(mode)).unwrap();
        assert_eq!(check_place(&earlier).is_ok(), trusted, "{mode:o}");
    }
    std::fs::set_permissions(&place, Permissions::from_mode(0o777)).unwrap();
    for open in [&place, &link] {
        assert!(check_place(open).is_err());
    }
    assert!(make_directory(&place).unwrap_err().to_string().contains("may write to it"));
    std::fs::set_permissions(&place, Permissions::from_mode(0o700)).unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    assert!(check_place(&place).unwrap_err().to_string().contains("mode 0777"));
}

#[test]
fn a_closed_directory_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("request");
    let reason = |path: &Path| check_closed(path).unwrap().err().map(|distrust| distrust.reason);
    assert_eq!(check_closed(&place).unwrap_err().kind(), io::ErrorKind::NotFound);
    std::fs::create_dir(&place).unwrap();
    for (mode, wanted) in [
        (0o700, None),
        (0o500, None),
        (0o750, Some(Reason::Open { mode: 0o750 })),
        (0o701, Some(Reason::Open { mode: 0o701 })),
        (0o777, Some(Reason::Writable { mode: 0o777 })),
    ] {
        std::fs::set_permissions(&place, Permissions::from_mode(mode)).unwrap();
        assert_eq!(reason(&place), wanted, "{mode:o}");
    }
    std::fs::set_permissions(&place, Permissions::from_mode(0o700)).unwrap();
    let (link, file) = (dir.path().join("link"), dir.path().join("file"));
    symlink(&place, &link).unwrap();
    std::fs::write(&file, "").unwrap();
    for other in [link, file] {
        assert!(matches!(reason(&other), Some(Reason::Kind { wanted: Kind::Directory, .. })), "{other:?}");
    }
}
