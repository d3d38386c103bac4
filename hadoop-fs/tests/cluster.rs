//! Tests against a real HDFS. `HEDDLE_TEST_HADOOP_CONF_DIR` names its configuration directory (`scripts/test`
//! sets it); without it, the tests say that they are skipped. With the cargo feature `hdrs` and
//! `HEDDLE_TEST_LIBHDFS=yes`, they use Hadoop's own client, whose jars CLASSPATH must name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "clippy sees only test functions as tests, and these find their cluster by the environment"
)]

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hadoop_fs::{FsErrorKind, Source, Storage, WriteOptions};
use hadoop_rpc::{Defaults, HadoopConf, KerberosProblem, Login, Lookup, Retry, UserIdentity};

/// Writes to stderr directly, because the test runner does not show what tests that pass have printed.
fn skipped(why: &str) {
    std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

fn conf() -> Option<HadoopConf> {
    let Some(dir) = std::env::var_os("HEDDLE_TEST_HADOOP_CONF_DIR") else {
        skipped("HEDDLE_TEST_HADOOP_CONF_DIR names no cluster");
        return None;
    };
    let dir = dir.to_string_lossy().into_owned();
    let env = move |key: &str| (key == "HADOOP_CONF_DIR").then(|| dir.clone());
    Some(HadoopConf::load(&env, &Lookup::new(Defaults::common())).unwrap())
}

fn user() -> UserIdentity {
    UserIdentity::find(&|key| std::env::var(key).ok()).unwrap()
}

fn open(conf: &HadoopConf, user: &UserIdentity) -> Storage {
    #[cfg(feature = "hdrs")]
    if by_libhdfs() {
        return Storage::open_by_libhdfs(conf, &Login::simple(user.clone()), None).unwrap();
    }
    Storage::open(conf, &Login::simple(user.clone()), None).unwrap()
}

fn by_libhdfs() -> bool {
    cfg!(feature = "hdrs") && std::env::var_os("HEDDLE_TEST_LIBHDFS").is_some()
}

/// A storage and an empty directory of the test's own.
async fn storage(test: &str) -> Option<(Storage, String)> {
    let storage = open(&conf()?, &user());
    let directory = format!("/tmp/hadoop-fs-{test}-{}", std::process::id());
    storage.delete(&directory, true).await.unwrap();
    storage.mkdirs(&directory, Some(0o755)).await.unwrap();
    Some((storage, directory))
}

fn bytes(text: &'static str) -> Source {
    Source::Bytes(text.into())
}

#[tokio::test]
async fn files_and_directories() {
    let Some((fs, dir)) = storage("basic").await else { return };
    let file = format!("{dir}/a b/ü #1%.txt");
    let status = fs.write_file(&file, &bytes("hello"), &WriteOptions::default()).await.unwrap();
    assert_eq!((status.path.as_str(), status.len, status.is_dir), (file.as_str(), 5, false));
    assert_eq!((status.mode, status.owner.as_str()), (0o644, user().short_name()));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    assert!(now.abs_diff(status.modified_ms) < 60_000, "{status:?}");
    assert_eq!(u64::from(status.replication), conf().unwrap().get_i64("dfs.replication", 3).unwrap() as u64);
    assert_eq!(fs.read(&file, 100).await.unwrap(), b"hello");
    assert_eq!(fs.read(&fs.url(&file).unwrap(), 100).await.unwrap(), b"hello");
    assert_eq!(fs.read(&file, 4).await.unwrap_err().kind(), FsErrorKind::InvalidArgument);

    let error = fs.write_file(&file, &bytes("x"), &WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), FsErrorKind::AlreadyExists, "{error}");
    assert_eq!(fs.read(&file, 100).await.unwrap(), b"hello", "a failed write removes nothing");
    let options =
        WriteOptions { overwrite: true, mode: Some(0o600), replication: Some(2), ..Default::default() };
    let status = fs.write_file(&file, &bytes(""), &options).await.unwrap();
    assert_eq!((status.len, status.mode, status.replication), (0, 0o600, 2));

    fs.touch(&file).await.unwrap();
    let touched = fs.status(&file).await.unwrap();
    assert_eq!(touched.modified_ms, status.modified_ms);

    fs.mkdirs(&format!("{dir}/private/x"), Some(0o700)).await.unwrap();
    fs.mkdirs(&format!("{dir}/private/x"), Some(0o777)).await.unwrap();
    assert_eq!(fs.status(&format!("{dir}/private/x")).await.unwrap().mode, 0o700);
    let names = |list: Vec<hadoop_fs::FileStatus>| -> Vec<String> {
        list.into_iter().map(|s| s.path.strip_prefix(&dir).unwrap().to_owned()).collect()
    };
    assert_eq!(names(fs.list(&dir, false).await.unwrap()), ["/a b", "/private"]);
    assert_eq!(
        names(fs.list(&dir, true).await.unwrap()),
        ["/a b", "/a b/ü #1%.txt", "/private", "/private/x"]
    );

    let moved = format!("{dir}/moved");
    fs.rename(&file, &moved, false).await.unwrap();
    assert_eq!(fs.rename(&file, &moved, false).await.unwrap_err().kind(), FsErrorKind::NotFound);
    fs.write_file(&file, &bytes("2"), &WriteOptions::default()).await.unwrap();
    assert_eq!(fs.rename(&file, &moved, false).await.unwrap_err().kind(), FsErrorKind::AlreadyExists);
    fs.rename(&file, &moved, true).await.unwrap();
    assert_eq!(fs.read(&moved, 9).await.unwrap(), b"2");

    let error = fs.delete(&format!("{dir}/private"), false).await.unwrap_err();
    assert_eq!(error.kind(), FsErrorKind::NotEmpty, "{error}");
    assert!(fs.delete(&dir, true).await.unwrap());
    assert!(!fs.delete(&dir, true).await.unwrap());
    assert_eq!(fs.find(&dir).await.unwrap(), None);
}

#[tokio::test]
async fn errors() {
    let Some((fs, dir)) = storage("errors").await else { return };
    let missing = format!("{dir}/missing");
    let error = fs.status(&missing).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (FsErrorKind::NotFound, Retry::No));
    assert_eq!(error.to_string(), format!("cannot look at {missing} on {}: it does not exist", fs.server()));
    assert_eq!(fs.read(&missing, 1).await.unwrap_err().kind(), FsErrorKind::NotFound);
    assert_eq!(fs.list(&missing, true).await.unwrap_err().kind(), FsErrorKind::NotFound);
    assert_eq!(fs.touch(&missing).await.unwrap_err().kind(), FsErrorKind::NotFound);
    let options = WriteOptions::default();
    let error = fs.write_file(&missing, &Source::File("/no/such".into()), &options).await.unwrap_err();
    assert_eq!(error.kind(), FsErrorKind::Local, "{error}");
    assert_eq!(fs.find(&missing).await.unwrap(), None);

    let file = format!("{dir}/file");
    fs.write_file(&file, &bytes("x"), &options).await.unwrap();
    let below = format!("{file}/below");
    let error = fs.write_file(&below, &bytes("x"), &options).await.unwrap_err();
    assert_eq!(error.kind(), FsErrorKind::NotADirectory, "{error}");
    let error = fs.mkdirs(&below, None).await.unwrap_err();
    assert_eq!(error.kind(), FsErrorKind::NotADirectory, "{error}");
    let error = fs.write_file(&dir, &bytes("x"), &WriteOptions { overwrite: true, ..options.clone() }).await;
    assert_eq!(error.unwrap_err().kind(), FsErrorKind::AlreadyExists);

    let stranger = open(&conf().unwrap(), &UserIdentity::new("stranger"));
    assert_eq!(stranger.home_dir(), "/user/stranger");
    let error = stranger.write_file(&format!("{dir}/no"), &bytes("x"), &options).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (FsErrorKind::PermissionDenied, Retry::No), "{error}");
    assert!(error.to_string().contains("user=stranger"), "{error}");
    let anybodys = format!("{dir}/anybody's");
    fs.mkdirs(&anybodys, Some(0o777)).await.unwrap();
    let status = stranger.write_file(&format!("{anybodys}/yes"), &bytes("x"), &options).await.unwrap();
    assert_eq!(status.owner, "stranger");

    // A number of copies that the NameNode does not allow.
    let options = WriteOptions { replication: Some(u16::MAX), ..options };
    let error = fs.write_file(&format!("{dir}/many"), &bytes("x"), &options).await.unwrap_err();
    assert!(error.detail().contains("eplication"), "{error}");
    fs.delete(&dir, true).await.unwrap();
}

/// Uploads 20 files of 8 MiB at the same time. Their content is right in the end, and at no time is much of
/// it in memory.
#[tokio::test(flavor = "multi_thread")]
async fn many_uploads_need_little_memory() {
    if by_libhdfs() {
        return skipped("a JVM has its own idea of memory");
    }
    let Some((fs, dir)) = storage("many").await else { return };
    const FILES: u64 = 20;
    const SIZE: u64 = (8 << 20) + 4321;
    let local = std::env::temp_dir().join(format!("hadoop-fs-{}.bin", std::process::id()));
    let mut content = Vec::with_capacity(SIZE as usize);
    let mut state = 1u64;
    while content.len() < SIZE as usize {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        content.push((state >> 56) as u8);
    }
    std::fs::File::create(&local).unwrap().write_all(&content).unwrap();

    let sent = Arc::new(AtomicU64::new(0));
    let counter = sent.clone();
    let options = WriteOptions {
        progress: Some(Arc::new(move |n| {
            counter.fetch_add(n, Ordering::Relaxed);
        })),
        ..Default::default()
    };
    let before = resident_peak();
    let source = Source::File(local.clone());
    let uploads = (0..FILES).map(|i| {
        let (fs, source, options, path) = (&fs, &source, &options, format!("{dir}/{i}"));
        async move { fs.write_file(&path, source, options).await.map(|s| s.len) }
    });
    let lengths = futures::future::join_all(uploads).await;
    let grown = resident_peak() - before;
    assert!(lengths.iter().all(|l| matches!(l, Ok(SIZE))), "{lengths:?}");
    assert_eq!(sent.load(Ordering::Relaxed), FILES * SIZE);
    eprintln!("{FILES} uploads of {} KiB each: peak memory grew by {} KiB", SIZE >> 10, grown >> 10);
    assert!(grown < 16 << 20, "peak memory grew by {} KiB", grown >> 10);
    assert!(fs.read(&format!("{dir}/7"), SIZE).await.unwrap() == content, "the content differs");
    std::fs::remove_file(local).unwrap();
    fs.delete(&dir, true).await.unwrap();
}

/// Peak of resident memory in bytes.
fn resident_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[tokio::test]
async fn a_namenode_that_is_not_there() {
    // Nothing listens on this port, which was free a moment ago. The error must come long before the
    // deadline.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let conf = HadoopConf::from_map([("fs.defaultFS", format!("hdfs://127.0.0.1:{port}"))]);
    let fs = open(&conf, &UserIdentity::new("x"));
    let begun = Instant::now();
    let error = fs.mkdirs("/x", None).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (FsErrorKind::Unreachable, Retry::Later), "{error}");
    assert!(error.to_string().contains(&format!("NameNode 127.0.0.1:{port}")), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));

    let conf = HadoopConf::from_map([("fs.defaultFS", "hdfs://no-such-host.invalid")]);
    let fs = open(&conf, &UserIdentity::new("x"));
    let error = fs.status("/x").await.unwrap_err();
    assert_eq!(error.kind(), FsErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn a_namenode_that_does_not_answer() {
    // The system accepts connections to this port, but nobody answers on them.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let conf = HadoopConf::from_map([("fs.defaultFS", format!("hdfs://{}", listener.local_addr().unwrap()))]);
    let fs = open(&conf, &UserIdentity::new("x")).with_deadline(Duration::from_millis(300));
    let error = fs.status("/x").await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (FsErrorKind::Timeout, Retry::IfIdempotent), "{error}");
    assert!(error.to_string().ends_with("no answer within 0.3 s"), "{error}");
    let error = fs.write_file("/x", &bytes("x"), &WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), FsErrorKind::Timeout, "{error}");
}

#[test]
fn what_is_not_supported() {
    let open = |pairs: &[(&str, &str)], url| {
        Storage::open(
            &HadoopConf::from_map(pairs.iter().copied()),
            &Login::simple(UserIdentity::new("x")),
            url,
        )
        .unwrap_err()
    };
    let error = open(&[("fs.defaultFS", "hdfs://nn")], Some("file:///x"));
    assert_eq!(error.kind(), FsErrorKind::Unsupported);
    // A value that cannot be understood must not mean simple authentication.
    let unknown = [("fs.defaultFS", "hdfs://nn"), ("hadoop.security.authentication", "ldap")];
    let error = open(&unknown, None);
    assert_eq!(error.kind(), FsErrorKind::Configuration);
    assert!(error.to_string().contains("ldap"), "{error}");
}

/// Whatever the NameNode would accept, nothing is sent to it without a token or a ticket.
#[tokio::test]
async fn kerberos_without_token_and_ticket() {
    let conf = HadoopConf::from_map([
        ("fs.defaultFS", "hdfs://127.0.0.1:1"),
        ("hadoop.security.authentication", "kerberos"),
    ]);
    let user = UserIdentity::principal("alice@REALM", "alice");
    let fs = Storage::open(&conf, &Login::simple(user), None).unwrap();
    assert_eq!((fs.user(), fs.home_dir()), ("alice", "/user/alice"));
    for error in [
        fs.status("/x").await.unwrap_err(),
        fs.write_file("/x", &bytes("x"), &WriteOptions::default()).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.retry()), (FsErrorKind::Authentication, Retry::No), "{error}");
        assert_eq!(error.kerberos(), Some(KerberosProblem::NoCredentials), "{error}");
    }
}
