use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Env = BTreeMap<String, String>;

fn load(env: &Env, lookup: &Lookup) -> Result<HadoopConf, ConfError> {
    HadoopConf::load(&|key| env.get(key).cloned(), lookup)
}

/// A lookup that finds no configuration of this machine.
fn lookup() -> Lookup {
    Lookup { system_dir: "/nonexistent".into(), ..Lookup::new(Defaults::common()) }
}

fn env(pairs: &[(&str, &Path)]) -> Env {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), v.display().to_string())).collect()
}

fn write(dir: &Path, name: &str, properties: &str) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join(name), format!("<configuration>\n{properties}\n</configuration>\n")).unwrap();
}

fn property(key: &str, value: &str) -> String {
    format!("<property><name>{key}</name><value>{value}</value></property>")
}

#[test]
fn one_file_alone() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "ssl-client.xml", &property("ssl.client.truststore.location", "/t.jks"));
    let file = root.path().join("ssl-client.xml");
    let conf = HadoopConf::of_file(&file).unwrap().unwrap();
    assert_eq!(conf.get("ssl.client.truststore.location").unwrap().as_deref(), Some("/t.jks"));
    assert_eq!((conf.get("fs.defaultFS").unwrap(), conf.files()), (None, [file].as_slice()));
    assert!(HadoopConf::of_file(&root.path().join("none.xml")).unwrap().is_none());
}

#[test]
fn directories_in_flinks_order() {
    let root = tempfile::tempdir().unwrap();
    let [home, conf, yarn, extra] = ["home", "conf", "yarn", "extra"].map(|d| root.path().join(d));
    for (dir, name) in [
        (home.join("conf"), "home1"),
        (home.join("etc/hadoop"), "home2"),
        (extra.clone(), "extra"),
        (conf.clone(), "conf"),
        (yarn.clone(), "yarn"),
    ] {
        write(&dir, "core-site.xml", &property("who", name));
        write(&dir, "yarn-site.xml", &property("rm", name));
    }
    let who = |env: &Env, lookup: &Lookup| {
        let conf = load(env, lookup).unwrap();
        (conf.get("who").unwrap(), conf.get("rm").unwrap())
    };
    let some = |who: &str, rm: &str| (Some(who.to_owned()), Some(rm.to_owned()));
    let with_extra = Lookup { extra_dirs: vec![extra], ..lookup() };
    let all = [("HADOOP_HOME", &*home), ("HADOOP_CONF_DIR", &*conf), ("YARN_CONF_DIR", &*yarn)];

    assert_eq!(who(&env(&all), &with_extra), some("conf", "conf"));
    // Without HADOOP_CONF_DIR, the newer one of the two directories in HADOOP_HOME takes its place.
    assert_eq!(who(&env(&[all[0], all[2]]), &with_extra), some("home2", "home2"));
    // On the class path, the first yarn-site.xml counts, and the second one is not read.
    assert_eq!(who(&env(&all[1..]), &lookup()), some("conf", "conf"));
    std::fs::remove_file(conf.join("yarn-site.xml")).unwrap();
    assert_eq!(who(&env(&all[1..]), &lookup()), some("conf", "yarn"));
    assert_eq!(who(&env(&all[2..]), &lookup()), some("yarn", "yarn"));
    // `HADOOP_CLASSPATH=$(hadoop classpath)` begins with the configuration's directory.
    let mut class_path = env(&all[2..]);
    class_path.insert("HADOOP_CLASSPATH".into(), format!("{}:/lib/*", home.join("conf").display()));
    assert_eq!(who(&class_path, &lookup()), some("home1", "home1"));
    let system = Lookup { system_dir: conf.clone(), ..lookup() };
    assert_eq!(who(&Env::new(), &system), (Some("conf".into()), None));

    let conf = load(&env(&all), &lookup()).unwrap();
    let named: Vec<&str> = conf.looked_in().iter().map(|d| d.named_by.as_str()).collect();
    assert_eq!(named, ["HADOOP_CONF_DIR", "YARN_CONF_DIR", "HADOOP_HOME", "HADOOP_HOME"]);
    assert!(conf.found());
}

#[test]
fn nothing_found() {
    let gone = Path::new("/nonexistent/conf");
    let conf = load(&env(&[("HADOOP_CONF_DIR", gone)]), &lookup()).unwrap();
    assert!(!conf.found());
    assert_eq!(
        conf.looked_in(),
        [LookupDir { path: gone.into(), named_by: "HADOOP_CONF_DIR".into(), exists: false }]
    );
    assert_eq!(conf.get("fs.defaultFS").unwrap().as_deref(), Some("file:///"));
    assert_eq!(conf.origin("fs.defaultFS"), Some(&PropertyOrigin::Default));
}

#[test]
fn later_files_win_but_final() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "core-site.xml",
        "<property><name>a</name><value>core</value><final>true</final></property>
         <property><name>b</name><value>core</value></property>
         <property><name>c</name><value/><final>true</final></property>
         <property name='d' value='attr &amp; more' final='true'/>
         <property><name>fs.default.name</name><value>hdfs://old:1</value></property>",
    );
    let site = ["a", "b", "c", "d"].map(|k| property(k, "hdfs")).concat();
    write(dir.path(), "hdfs-site.xml", &site);
    let conf = load(&env(&[("HADOOP_CONF_DIR", dir.path())]), &lookup()).unwrap();
    let get = |key| conf.get(key).unwrap();
    assert_eq!(get("a").as_deref(), Some("core"));
    assert_eq!(get("b").as_deref(), Some("hdfs"));
    assert_eq!(get("c"), None);
    assert_eq!(get("d").as_deref(), Some("attr & more"));
    assert_eq!(get("fs.defaultFS").as_deref(), Some("hdfs://old:1"));
    assert_eq!(get("fs.default.name").as_deref(), Some("hdfs://old:1"));
    let path: Arc<Path> = dir.path().join("core-site.xml").into();
    assert_eq!(conf.origin("a"), Some(&PropertyOrigin::File { path, line: 2 }));
    assert!(conf.origin("fs.default.name").unwrap().to_string().ends_with("core-site.xml:6"));
    assert_eq!(conf.files().len(), 2);
}

#[test]
fn text_of_values() {
    let text = "<?xml version='1.0'?><!DOCTYPE x><configuration><!-- a --><property>
        <name> k </name><value>a<!-- no -->b &lt;&#65;<![CDATA[<&>]]></value><description>not &amp; this</description>
        </property></configuration>";
    let read = xml::read_text(Path::new("f"), text).unwrap();
    assert_eq!((read[0].name.as_str(), read[0].value.as_deref()), ("k", Some("ab <A<&>")));
}

#[test]
fn errors_name_file_and_line() {
    let error = |text: &str| xml::read_text(Path::new("dir/core-site.xml"), text).unwrap_err().to_string();
    for (text, expect) in [
        ("<configuration>\n<property>\n</name>", "core-site.xml, line 3"),
        ("<configuration>\n\n<property>", "line 3: it ends inside an element"),
        ("<html>\n</html>", "line 1: it is not a Hadoop configuration: it begins with <html>"),
        ("", "it holds no configuration"),
        ("<configuration>\n<property>&boom;</property></configuration>", "line 2: unknown entity &boom;"),
        (
            "<configuration>\n<include href='no.xml'/></configuration>",
            "line 2: the included file no.xml is missing",
        ),
    ] {
        let e = error(text);
        assert!(e.contains(expect), "{e}");
    }
}

#[test]
fn includes() {
    let dir = tempfile::tempdir().unwrap();
    let include = |href: &str, fallback: &str| {
        format!(
            "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='{href}'>{fallback}</xi:include>"
        )
    };
    let fallback = |inside: &str| format!("<xi:fallback>{inside}</xi:fallback>");
    write(&dir.path().join("sub"), "in.xml", &property("in", "yes"));
    let absolute = dir.path().join("sub/in.xml").display().to_string();
    let all = [
        include("sub/in.xml", &fallback(&property("not-needed", "x"))),
        include("missing.xml", &fallback(&(property("fell", "back") + &include("sub/in.xml", "")))),
        include("http://localhost:1/x.xml", &fallback("")),
        include(&format!("file://{absolute}"), ""),
        property("after", "yes"),
    ];
    write(dir.path(), "core-site.xml", &all.concat());
    let conf = load(&env(&[("HADOOP_CONF_DIR", dir.path())]), &lookup()).unwrap();
    let get = |key| conf.get(key).unwrap();
    assert_eq!(get("in").as_deref(), Some("yes"));
    assert_eq!(get("fell").as_deref(), Some("back"));
    assert_eq!(get("after").as_deref(), Some("yes"));
    assert_eq!(get("not-needed"), None);
    assert!(conf.origin("in").unwrap().to_string().ends_with("in.xml:2"));

    write(dir.path(), "core-site.xml", &include("core-site.xml", ""));
    let e = load(&env(&[("HADOOP_CONF_DIR", dir.path())]), &lookup()).unwrap_err().to_string();
    assert!(e.contains("include each other"), "{e}");
    write(
        dir.path(),
        "core-site.xml",
        &[include("core-site.xml", ""), include("core-site.xml", "")].concat(),
    );
    assert!(load(&env(&[("HADOOP_CONF_DIR", dir.path())]), &lookup()).is_err());
}

#[test]
fn getters() {
    let mut conf = HadoopConf::from_map([
        ("n", " 7 "),
        ("t", "TRUE"),
        ("f", "nonsense"),
        ("d", "5m"),
        ("s", "64k"),
        ("l", " a, ,b,"),
        ("a", "rm:8032"),
        ("h", "rm"),
        ("u", "hdfs://nn/path"),
        ("v6", "[::1]:9000"),
        ("bad", "12x"),
        ("loop", "${loop2}"),
        ("loop2", "${loop}"),
    ]);
    assert_eq!(conf.get_i64("n", 0), Ok(7));
    assert_eq!(conf.get_i64("none", 3), Ok(3));
    assert_eq!((conf.get_bool("t", false), conf.get_bool("f", true)), (Ok(true), Ok(true)));
    assert_eq!(conf.get_duration("d", Duration::ZERO, TimeUnit::Seconds), Ok(Duration::from_secs(300)));
    assert_eq!(conf.get_bytes("s", 0), Ok(65_536));
    assert_eq!(conf.get_strings("l"), Ok(vec!["a".into(), "b".into()]));
    let address = |key| conf.get_socket_addr(key, 1).unwrap().map(|e| e.to_string());
    assert_eq!(address("a").as_deref(), Some("rm:8032"));
    assert_eq!(address("h").as_deref(), Some("rm:1"));
    assert_eq!(address("u").as_deref(), Some("nn:1"));
    assert_eq!(address("v6").as_deref(), Some("[::1]:9000"));
    assert_eq!(address("none"), None);
    assert_eq!(
        conf.get_i64("bad", 0).unwrap_err().to_string(),
        "Hadoop configuration: bad = '12x' (set by the program): it is not a whole number"
    );
    assert!(conf.get_socket_addr("bad", 1).is_ok());
    assert!(conf.get("loop").is_err());
    let before = conf.clone();
    conf.set("n", "8", "-Dn");
    assert_eq!((before.get_i64("n", 0), conf.get_i64("n", 0)), (Ok(7), Ok(8)));
    assert_eq!(conf.iter().filter(|(key, ..)| *key == "n").count(), 1);
}

/// Compares with what Hadoop's own class has read from the same files. Only white space around values
/// differs, which heddle removes.
#[test]
fn agrees_with_hadoop() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/conf");
    let mut env = env(&[("HADOOP_CONF_DIR", &dir), ("HOME", Path::new("/home/ann"))]);
    env.insert("HEDDLE_T1".into(), "one".into());
    env.insert("HEDDLE_T3".into(), String::new());
    let conf = load(&env, &Lookup { defaults: Defaults::none(), ..lookup() }).unwrap();
    let ours: Vec<String> = conf
        .iter()
        .map(|(key, ..)| match conf.get(key) {
            Ok(value) => format!("{key}\t={}", value.unwrap_or_default()),
            Err(_) => format!("{key}\t!"),
        })
        .collect();
    let expected = std::fs::read_to_string(dir.join("expected.txt")).unwrap();
    let expected: Vec<String> =
        expected.lines().map(|l| l.replace("\t=  ", "\t=").trim_end().to_owned()).collect();
    assert_eq!(ours, expected);
}

#[test]
fn environment_and_system() {
    let dir = tempfile::tempdir().unwrap();
    let values = property("e", "${env.WHO:-x}/${env.NONE:-d}/${java.io.tmpdir}/${user.home}");
    write(dir.path(), "core-site.xml", &values);
    let mut env = env(&[("HADOOP_CONF_DIR", dir.path()), ("HOME", Path::new("/home/ann"))]);
    env.insert("WHO".into(), "ann".into());
    let conf = load(&env, &lookup()).unwrap();
    assert_eq!(conf.get("e").unwrap().as_deref(), Some("ann/d//tmp//home/ann"));
    assert!(conf.get("hadoop.tmp.dir").unwrap().is_some_and(|v| !v.contains('$')));
}

proptest! {
    #[test]
    fn any_text(text in "(<configuration>|<property>|</property>|<name>|</name>|<value>|</value>|<final>|</final>\
                         |<xi:include href='x'>|</xi:include>|<xi:fallback>|</xi:fallback>|<property name='a' value='b'/>\
                         |&amp;|&#0;|&#xffffffff;|<!--|-->|<!DOCTYPE|<!\\[CDATA\\[|\\]\\]>|a|\"|é|</configuration>){0,12}") {
        drop(xml::read_text(Path::new("/nonexistent/f"), &text));
        drop(xml::read_text(Path::new("/nonexistent/f"), &format!("<configuration>{text}</configuration>")));
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        drop(xml::read_text(Path::new("f"), &String::from_utf8_lossy(&bytes)));
    }

    #[test]
    fn values_survive(value in "[ -~é\n]{1,30}") {
        let escaped = quick_xml::escape::escape(value.as_str()).into_owned();
        let text = format!("<configuration>{}</configuration>", property("k", &escaped));
        let read = xml::read_text(Path::new("f"), &text).unwrap();
        prop_assert_eq!(read[0].value.as_deref(), Some(value.as_str()));
    }
}
