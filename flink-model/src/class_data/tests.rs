use super::*;
use crate::local_resource::Visibility;

const HASH: &str = "ab7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn jar(key: &str, url: &str) -> LocalResource {
    LocalResource {
        key: key.into(),
        url: url.into(),
        size: 7,
        modification_time: 1,
        visibility: Visibility::Public,
        kind: LocalResourceKind::File,
    }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn the_front_ends_before_what_is_no_jar_of_ours() {
    let dist = "lib/flink-dist-1.20.1.jar";
    let files =
        [jar("lib/a.jar", "hdfs://n/a.jar"), jar(dist, "hdfs://n/d.jar"), jar("etc/x.txt", "hdfs://n/x")];
    let keys = |path: &[&str]| {
        front(&strings(path), &files).map(|front| front.iter().map(|r| r.key.clone()).collect::<Vec<_>>())
    };
    assert_eq!(keys(&["lib/a.jar", dist, ".", "$HADOOP/*"]), Some(strings(&["lib/a.jar", dist])));
    assert_eq!(keys(&[".", "lib/a.jar", dist]), None);
    assert_eq!(keys(&["lib/a.jar", "etc", dist]), None);
}

#[test]
fn the_key_tells_role_order_and_content_but_not_the_place_in_the_store() {
    let in_store = |root: &str, hash: &str| format!("hdfs://n/{root}/{}/{hash}/a.jar", &hash[..2]);
    let one = jar("lib/a.jar", &in_store("user/ann/.heddle/store", HASH));
    let elsewhere =
        LocalResource { modification_time: 9, ..jar("lib/a.jar", &in_store("flink/store", HASH)) };
    let changed = jar("lib/a.jar", &in_store("flink/store", &HASH.replace('7', "8")));
    let (remote, touched) = (
        jar("lib/a.jar", "hdfs://n/a.jar"),
        LocalResource { modification_time: 2, ..jar("lib/a.jar", "hdfs://n/a.jar") },
    );
    let key = |front: &[&LocalResource]| directory(Role::JobManager, front);
    assert!(key(&[&one]).starts_with("cds/jobmanager-"));
    assert_eq!(key(&[&one]), key(&[&elsewhere]));
    assert_ne!(key(&[&one]), key(&[&changed]));
    assert_ne!(key(&[&one, &remote]), key(&[&remote, &one]));
    assert_ne!(key(&[&remote]), key(&[&touched]));
    assert_ne!(key(&[&one])[15..], directory(Role::TaskManager, &[&one])[16..]);
}

#[test]
fn names_tell_what_is_needed_and_come_back() {
    let name =
        ArchiveName { java: "17.0.15+6-Debian-1-0123456789ab".into(), size: 64507904, sha256: HASH.into() };
    let text = name.to_string();
    assert_eq!(text, format!("17.0.15+6-Debian-1-0123456789ab-64507904-{HASH}.jsa"));
    assert_eq!(format!("heddle/cds/{text}").parse(), Ok(name));
    for other in ["", "x.jsa", "a-1-2.jsa", "a-1-000000ab.jsa"] {
        assert!(other.parse::<ArchiveName>().is_err(), "{other}");
    }
    let upper = HASH.to_uppercase();
    for other in [
        format!("a-x-{HASH}.jsa"),
        format!("1-{HASH}.jsa"),
        format!("a-1-{HASH}.jar"),
        format!("a-1-{upper}.jsa"),
    ] {
        assert!(other.parse::<ArchiveName>().is_err(), "{other}");
    }
    let key = "0123456789abcdef";
    assert!(is_archive(&format!("cds/jobmanager-{key}/17-1-000000ab.jsa")), "one of an earlier release");
    assert!(is_archive(&format!("cds/jobmanager-{key}/{text}")));
    for other in [
        format!("cds/jobmanager-{key}/x"),
        format!("cds/jobmanager-{key}/a/{text}"),
        format!("cds/jobmanager-1/{text}"),
        format!("x/jobmanager-{key}/{text}"),
        format!("cds/{key}/{text}"),
    ] {
        assert!(!is_archive(&other), "{other}");
    }
}

#[test]
fn java_is_told_by_all_that_its_release_file_says() {
    let debian = "IMPLEMENTOR=\"Debian\"\nJAVA_RUNTIME_VERSION=\"17.0.15+6-Debian-1deb12u1\"\nJAVA_VERSION=\"17.0.15\"\n";
    let id = |text: &str, wide| JavaId::of(text, "x86_64", wide, "").unwrap();
    assert_eq!(id(debian, false).feature, 17);
    assert!(id(debian, false).text.starts_with("17.0.15+6-Debian-1deb12u1-"));
    assert_ne!(id(debian, false), id(debian, true));
    assert_ne!(Some(id(debian, false)), JavaId::of(debian, "x86_64", false, "hadoop"));
    assert_ne!(id(debian, false), JavaId::of(debian, "aarch64", false, "").unwrap());
    assert_ne!(id(debian, false), id(&debian.replace("\"Debian\"", "\"Other\""), false));
    assert_eq!(JavaId::of("", "x86_64", false, ""), None);
}

#[test]
fn options() {
    assert_eq!(in_the_way(["-Xmx1g", "-XX:+UseG1GC", "-Dx=-Xshare"]), None);
    for option in ["-Xshare:off", "-XX:SharedArchiveFile=x", "-XX:-UseSharedSpaces", "-Xbootclasspath/a:x"] {
        assert_eq!(in_the_way(["-Xmx1g", option]), Some(option));
    }
    for (options, wide) in [
        (&["-Xmx31g"][..], false),
        (&["-Xmx32g"], true),
        (&["-Xmx32768M", "-Xmx1g"], false),
        (&["-Xmx34359738368"], true),
        (&["-XX:MaxHeapSize=40g"], true),
        (&["-Xmxx"], false),
        (&["-XX:+UseZGC"], true),
        (&[], false),
    ] {
        assert_eq!(wide_references(&strings(options)), wide, "{options:?}");
    }
}

const LOG: &str = "\
[0.1s][info ][class,load] java.lang.Object source: shared objects file
[0.1s][debug][class,load]  klass: 0x01 super: 0x00 loader: [loader data: 0x9 of 'bootstrap']
[0.1s][info ][class,load] java.io.Serializable source: jrt:/java.base
[0.1s][debug][class,load]  klass: 0x02 super: 0x01 loader: [loader data: 0x9 of 'bootstrap'] bytes: 1 checksum: 2
[0.2s][info ][class,load] org.a.B source: file:/c/lib/a.jar
[0.2s][debug][class,load]  klass: 0x03 super: 0x01 interfaces: 0x02 loader: [loader data: 0x8 for instance a 'jdk/internal/loader/ClassLoaders$AppClassLoader'{0x7}] bytes: 1
[0.2s][info ][class,load] org.a.B$$Lambda$1/0x0008 source: org.a.B
[0.2s][debug][class,load]  klass: 0x04 super: 0x01 loader: [loader data: 0x8 for instance a 'jdk/internal/loader/ClassLoaders$AppClassLoader'{0x7}]
[0.3s][info ][class,load] akka.A source: file:/tmp/flink-rpc-akkad499512a-bccb-4ce5-8aae-db9c2dc614ae.jar
[0.3s][debug][class,load]  klass: 0x05 super: 0x01 interfaces: 0x02 0x03 loader: [loader data: 0x6 for instance a 'org/apache/flink/core/classloading/SubmoduleClassLoader'{0x5}] bytes: 1
[0.3s][info ][class,load] akka.Orphan source: file:/tmp/flink-rpc-akkad499512a-bccb-4ce5-8aae-db9c2dc614ae.jar
[0.3s][debug][class,load]  klass: 0x06 super: 0x99 loader: [loader data: 0x6 for instance a 'org/apache/flink/core/classloading/SubmoduleClassLoader'{0x5}] bytes: 1
[0.4s][info ][class,load] user.Job source: file:/tmp/blob.jar
[0.4s][debug][class,load]  klass: 0x07 super: 0x01 loader: [loader data: 0x4 for instance a 'org/apache/flink/util/ChildFirstClassLoader'{0x5}] bytes: 1
[0.4s][info ][class,load] half.A sou";

#[test]
fn a_class_list_from_the_log() {
    let list = ClassList::from_log(LOG, "# comment\norg/a/B id: 7\n@lambda-proxy org/a/B run\n");
    assert_eq!(list.classes(), 4);
    assert_eq!(
        list.text(),
        "java/lang/Object id: 0\njava/io/Serializable id: 1\norg/a/B id: 2\n\
         akka/A id: 3 super: 0 interfaces: 1 2 source: flink-rpc-akka\n@lambda-proxy org/a/B run\n"
    );
    let here = RpcJars::from([("flink-rpc-akka".to_owned(), "/t/r.jar".to_owned())]);
    assert!(list.resolved(&here).contains("akka/A id: 3 super: 0 interfaces: 1 2 source: /t/r.jar\n@"));
    assert!(!list.resolved(&RpcJars::new()).contains("akka"));
    assert_eq!(ClassList::received(list.text().to_owned()), list);
}

#[test]
fn rpc_jars_by_name() {
    use super::class_list::rpc_jar;
    assert!(is_rpc_jar("flink-rpc-akka.jar"));
    assert!(!["flink-rpc-akka.txt", "META-INF/flink-rpc-x.jar", "x.jar"].iter().any(|name| is_rpc_jar(name)));
    let uuid = "d499512a-bccb-4ce5-8aae-db9c2dc614ae";
    assert_eq!(rpc_jar(&format!("file:/tmp/flink-rpc-akka_{uuid}.jar")), Some("flink-rpc-akka"));
    assert_eq!(rpc_jar(&format!("file:/tmp/x{uuid}.jar")), None);
    assert_eq!(rpc_jar("file:/tmp/flink-rpc-akka.jar"), None);
    assert_eq!(rpc_jar("shared objects file"), None);
}

proptest::proptest! {
    #[test]
    fn no_log_makes_it_fail(log in "(\\[class,load\\] |klass: |0x1| super: | loader: \\[| source: |é|\n|a){0,40}") {
        let list = ClassList::from_log(&log, "");
        proptest::prop_assert_eq!(list.text().lines().count(), list.classes());
    }
}
