//! Reads the manifest and the list of classes of a program's jar. So a wrong jar or class is refused before
//! anything is uploaded.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use flink_model::config::{Configuration, Origin};
use flink_model::options;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::configuration::bad_value;
use crate::context::Context;
use crate::error::{CauseClass, Failure};
use crate::paths::{is_remote, without_scheme};

/// The name of a jar's manifest. Upper and lower case do not matter.
const MANIFEST: &str = "META-INF/MANIFEST.MF";
/// At most so many bytes of a manifest are read; real ones have a page of text.
const LARGEST_MANIFEST: u64 = 4 << 20;
/// The directory of classes for later releases of Java. Below it, each release has a directory.
const VERSIONS: &str = "META-INF/versions/";

/// A jar on this machine.
#[derive(Debug, Clone)]
pub struct JarInfo {
    path: PathBuf,
    /// Whether the jar has a manifest.
    pub manifest: bool,
    /// The attribute `program-class` of the manifest, which Flink prefers to `Main-Class`.
    pub program_class: Option<String>,
    /// The attribute `Main-Class` of the manifest.
    pub main_class: Option<String>,
    /// The attribute `Class-Path` of the manifest. The jars that it names may hold classes, too.
    pub class_path: Option<String>,
    /// The classes in the jar, as paths without `.class`.
    classes: HashSet<String>,
    /// The jars inside the jar that Flink puts on the program's class path.
    nested: Vec<String>,
}

impl JarInfo {
    /// Reads the jar's list of entries and its manifest. It is a failure if the file cannot be read or is not
    /// a jar.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let mut archive = archive(path)?;
        let mut info = Self {
            path: path.to_owned(),
            manifest: false,
            program_class: None,
            main_class: None,
            class_path: None,
            classes: class_entries(&archive),
            nested: archive.file_names().filter(|n| is_nested_jar(n)).map(str::to_owned).collect(),
        };
        let name = archive.file_names().find(|n| n.eq_ignore_ascii_case(MANIFEST)).map(str::to_owned);
        if let Some(name) = name {
            let mut text = Vec::new();
            let entry = archive.by_name(&name).map_err(|e| unreadable(path, e))?;
            entry.take(LARGEST_MANIFEST).read_to_end(&mut text).map_err(|e| unreadable(path, e))?;
            let text = String::from_utf8_lossy(&text);
            info.manifest = true;
            info.program_class = attribute(&text, "program-class");
            info.main_class = attribute(&text, "Main-Class");
            info.class_path = attribute(&text, "Class-Path");
        }
        Ok(info)
    }

    /// The class with the program's `main()`: the one that the user names, or else the one in the manifest.
    /// The jar need not hold it. It is a failure if the manifest is missing or names no class.
    pub fn entry_point(&self, named: Option<&str>) -> Result<String, Failure> {
        if let Some(class) = named {
            return Ok(class.to_owned());
        }
        let jar = self.path.display();
        let advice = "name the program's class with -c";
        if !self.manifest {
            let what = format!(
                "No manifest found in jar file '{jar}'. The manifest is needed to point to the program's main class."
            );
            return Err(Failure::new(what).of_class(CauseClass::Program).hint(advice));
        }
        self.program_class.clone().or_else(|| self.main_class.clone()).ok_or_else(|| {
            let what = format!(
                "Neither a 'Main-Class', nor a 'program-class' entry was found in the jar file. (The jar file is {jar}.)"
            );
            Failure::new(what).of_class(CauseClass::Program).hint(advice)
        })
    }

    /// Whether the jar itself holds the class, which is named like `a.b.C` or `a.b.C$D`.
    pub fn has_class(&self, class: &str) -> bool {
        self.classes.contains(&class.replace('.', "/"))
    }

    /// Whether the jar, or a jar in its directory `lib/`, holds the class. It is a failure if the jar cannot
    /// be read.
    pub fn provides(&self, class: &str) -> Result<bool, Failure> {
        if self.has_class(class) {
            return Ok(true);
        }
        if self.nested.is_empty() {
            return Ok(false);
        }
        let wanted = class.replace('.', "/");
        let mut archive = archive(&self.path)?;
        for name in &self.nested {
            let failed = |e| Failure::because(format!("cannot unpack {name} of {}", self.path.display()), e);
            let mut entry = archive.by_name(name).map_err(|e| unreadable(&self.path, e))?;
            let mut copy = tempfile::tempfile().map_err(failed)?;
            std::io::copy(&mut entry, &mut copy).map_err(failed)?;
            // An entry that is not a jar has no classes; Flink ignores it, too.
            let inner = ZipArchive::new(BufReader::new(copy)).ok();
            if inner.is_some_and(|inner| class_entries(&inner).contains(&wanted)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a jar holds the class. A file that cannot be read as a jar holds none.
pub fn holds(jar: &Path, class: &str) -> bool {
    let name = format!("{}.class", class.replace('.', "/"));
    archive(jar).is_ok_and(|archive| archive.index_for_name(&name).is_some())
}

/// Refuses a jar that does not hold the program, which is `class` or else the class that its manifest names.
/// `elsewhere` says whether a class that the jar does not hold may come from another file on the program's
/// class path.
pub fn check_program(
    jar: &Path,
    class: Option<&str>,
    elsewhere: impl FnOnce(&str) -> bool,
) -> Result<(), Failure> {
    let info = JarInfo::open(jar)?;
    let entry_point = info.entry_point(class)?;
    if info.class_path.is_some() || info.provides(&entry_point)? || elsewhere(&entry_point) {
        return Ok(());
    }
    let what = format!(
        "The program's entry point class '{entry_point}' was not found in the jar file {}.",
        jar.display()
    );
    let failure = Failure::new(what).of_class(CauseClass::Program);
    let last = entry_point.rsplit('.').next().unwrap_or_default();
    let suffix = format!("/{last}");
    let similar = info.classes.iter().filter(|c| *c == last || c.ends_with(&suffix)).min();
    Err(match (similar, class) {
        (Some(path), _) => failure.hint(format!("did you mean {}?", path.replace('/', "."))),
        (None, Some(_)) => failure.hint("-c takes the whole name of the class, with its package"),
        (None, None) => failure.hint("the jar's manifest names that class; -c names another"),
    })
}

/// The only jar of an application. `jars` are those that the command line names; `pipeline.jars` may name the
/// same jar, and is set to it. It is a failure if several jars are named.
pub fn only_jar(
    mut jars: Vec<String>,
    configuration: &mut Configuration,
    context: &Context,
) -> Result<Option<String>, Failure> {
    let configured = configuration.get(&options::PIPELINE_JARS).map_err(bad_value)?.unwrap_or_default();
    let known: Vec<PathBuf> = jars.iter().map(|jar| place(jar, context)).collect();
    let unlike: Vec<String> =
        configured.iter().filter(|jar| !known.contains(&place(jar, context))).cloned().collect();
    jars.extend(unlike);
    if jars.len() > 1 || configured.len() > 1 {
        return Err(Failure::usage(format!(
            "an application has one jar, and more are named: {}",
            jars.join(", ")
        ))
        .hint(format!("name it behind the options, or with {}", options::PIPELINE_JARS.key))
        .hint("put further jars into Flink's directory usrlib, or ship them with yarn.ship-files"));
    }
    let jar = jars.pop();
    if let Some(jar) = &jar {
        let url = url_of(jar, context);
        configuration.set(options::PIPELINE_JARS.key, url, Origin::Derived("the program's jar".to_owned()));
    }
    Ok(jar)
}

/// The jars of an application whose `main()` is in none of them: those that the command line names, and those
/// of `pipeline.jars`, which is set to all of them. A single jar is the jar of the application, as in Flink,
/// whose class loader for the user's code reads it. Several jars are libraries on the class path, so that
/// they see each other.
pub fn several_jars(
    mut jars: Vec<String>,
    configuration: &mut Configuration,
    context: &Context,
) -> Result<(Option<String>, Vec<String>), Failure> {
    for jar in configuration.get(&options::PIPELINE_JARS).map_err(bad_value)?.unwrap_or_default() {
        if !jars.iter().any(|known| place(known, context) == place(&jar, context)) {
            jars.push(jar);
        }
    }
    let urls: Vec<String> = jars.iter().map(|jar| url_of(jar, context)).collect();
    if !urls.is_empty() {
        let origin = Origin::Derived("the program's jars".to_owned());
        configuration.set(options::PIPELINE_JARS.key, urls.join(";"), origin);
    }
    Ok(if jars.len() > 1 { (None, jars) } else { (jars.pop(), Vec::new()) })
}

/// Where a jar is. A path, and the URL of the same file, are one jar.
fn place(jar: &str, context: &Context) -> PathBuf {
    if is_remote(jar) { PathBuf::from(jar) } else { context.path(without_scheme(jar)) }
}

/// The URL of a jar, for Flink.
fn url_of(jar: &str, context: &Context) -> String {
    if is_remote(jar) {
        jar.to_owned()
    } else {
        format!("file://{}", context.path(without_scheme(jar)).display())
    }
}

/// Refuses a path for which Flink fails later: Flink's client separates several jars by ';', and the
/// JobManager does not find an uploaded file with ':' in its name.
pub fn check_path(path: &str) -> Result<(), Failure> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if path.contains(';') {
        return Err(Failure::configuration(format!("cannot run {path}: its path has the character ';'"))
            .hint("Flink separates jars by ';': rename the file or its directory, or make a copy"));
    }
    if name.contains(':') {
        return Err(Failure::configuration(format!("cannot run {path}: its name has the character ':'")).hint(
            "Flink loses files with such a name on their way to the JobManager: rename it, or make a copy",
        ));
    }
    Ok(())
}

fn archive(path: &Path) -> Result<ZipArchive<BufReader<File>>, Failure> {
    let shown = path.display();
    let failed = |e| Failure::because(format!("cannot read the jar file {shown}"), e);
    let file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Failure::configuration(format!("the jar file {shown} is not a file")));
    }
    ZipArchive::new(BufReader::new(file)).map_err(|e| {
        // The message of the zip library is about the parts of a zip file, which does not help a user.
        let why = match e {
            ZipError::Io(e) => format!("it cannot be read ({e})"),
            _ => "it is not a zip archive, or only a part of one".to_owned(),
        };
        Failure::new(format!("{shown} is not a jar file: {why}"))
            .of_class(CauseClass::Program)
            .hint("the first word behind the options is the jar, the words behind it are the program's arguments")
            .hint("if it was copied, check that the copy is whole")
    })
}

fn unreadable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::because(format!("cannot read the jar file {}: it is damaged", path.display()), error)
        .of_class(CauseClass::Program)
}

/// The classes in a jar, as paths without `.class`. Classes for later releases of Java count like the others.
fn class_entries<R: Read + Seek>(archive: &ZipArchive<R>) -> HashSet<String> {
    let class = |name: &str| {
        let plain = name
            .strip_prefix(VERSIONS)
            .and_then(|versioned| versioned.split_once('/'))
            .map_or(name, |(_, path)| path);
        plain.strip_suffix(".class").map(str::to_owned)
    };
    archive.file_names().filter_map(class).collect()
}

/// Whether Flink treats this entry as a jar inside the jar (`PackagedProgram`).
fn is_nested_jar(name: &str) -> bool {
    name.len() > "lib/.jar".len() && name.starts_with("lib/") && name.ends_with(".jar")
}

/// The value of an attribute in the main section of a manifest. A long line is continued on further lines,
/// which begin with a blank.
fn attribute(manifest: &str, name: &str) -> Option<String> {
    let mut lines = manifest.lines().peekable();
    while let Some(first) = lines.next().filter(|line| !line.is_empty()) {
        let mut line = first.to_owned();
        while let Some(more) = lines.next_if(|next| next.starts_with(' ')) {
            line.push_str(&more[1..]);
        }
        if let Some((key, value)) = line.split_once(':')
            && key.trim().eq_ignore_ascii_case(name)
        {
            return Some(value.trim().to_owned()).filter(|v| !v.is_empty());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use flink_model::config::FileFormat;
    use proptest::prelude::*;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn jar(entries: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&zip(entries)).unwrap();
        file
    }

    fn text(result: Result<(), Failure>) -> String {
        result.unwrap_err().render(false)
    }

    #[test]
    fn paths_that_flink_cannot_hand_on() {
        for fine in ["/a/b.jar", "hdfs://host:8020/a/b.jar", "/a:b/c$d.jar", "file:/a/b.jar"] {
            assert!(check_path(fine).is_ok(), "{fine}");
        }
        for (wrong, sign) in [("/a;b/c.jar", "';'"), ("a:b.jar", "':'"), ("hdfs:///x/a:b.jar", "':'")] {
            let failure = check_path(wrong).unwrap_err();
            assert!(failure.to_string().contains(sign), "{failure}");
        }
    }

    #[test]
    fn a_path_and_its_url_are_one_jar() {
        let context = Context {
            vars: Default::default(),
            cwd: "/w".into(),
            exe: "/heddle".into(),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        };
        let key = options::PIPELINE_JARS.key;
        let of = |jars: &[&str], configured: &str| {
            let mut configuration = Configuration::new(FileFormat::Standard);
            configuration.set_dynamic(key, configured);
            let jars = jars.iter().map(|jar| (*jar).to_owned()).collect();
            let jar = only_jar(jars, &mut configuration, &context)?;
            Ok::<_, Failure>((jar, configuration.text(key)))
        };
        let one = of(&["a.jar"], "file:/w/a.jar").unwrap();
        assert_eq!(one, (Some("a.jar".to_owned()), Some("file:///w/a.jar".to_owned())));
        let alone = of(&[], "hdfs:///w/a.jar").unwrap();
        assert_eq!(alone.0.as_deref(), Some("hdfs:///w/a.jar"));
        assert!(of(&["a.jar"], "file:/w/b.jar").unwrap_err().is_usage());
        assert!(of(&["/w/a.jar"], "hdfs:///w/a.jar").unwrap_err().is_usage());
    }

    #[test]
    fn programs() {
        let manifest = (
            "META-INF/MANIFEST.MF",
            b"Manifest-Version: 1.0\r\nMain-Class: a.b.Ma\r\n in\r\n\r\n".as_slice(),
        );
        let good = jar(&[manifest, ("a/b/Main.class", b""), ("a/b/Main$In.class", b"")]);
        assert_eq!(JarInfo::open(good.path()).unwrap().main_class.as_deref(), Some("a.b.Main"));
        check_program(good.path(), None, |_| false).unwrap();
        check_program(good.path(), Some("a.b.Main$In"), |_| false).unwrap();
        let error = text(check_program(good.path(), Some("Main"), |_| false));
        assert!(
            error.contains("'Main' was not found") && error.contains("did you mean a.b.Main?"),
            "{error}"
        );
        let other = jar(&[manifest, ("x/Y.class", b"")]);
        check_program(other.path(), None, |class| class == "a.b.Main").unwrap();
        assert!(holds(good.path(), "a.b.Main") && !holds(other.path(), "a.b.Main"));
        assert!(!holds(Path::new("/no/such.jar"), "a.b.Main"));
        assert!(
            text(check_program(other.path(), None, |_| false))
                .contains("'a.b.Main' was not found in the jar file")
        );
    }

    #[test]
    fn no_entry_point() {
        let none = jar(&[("a/Main.class", b"")]);
        assert!(text(check_program(none.path(), None, |_| false)).contains("No manifest found"));
        check_program(none.path(), Some("a.Main"), |_| false).unwrap();
        let bare =
            jar(&[("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n\nName: x\nMain-Class: a.Main\n")]);
        assert!(
            text(check_program(bare.path(), None, |_| false))
                .contains("Neither a 'Main-Class', nor a 'program-class'")
        );
    }

    #[test]
    fn other_places_of_a_class() {
        let inner = zip(&[("n/Nested.class", b"")]);
        let manifest = b"Main-Class: b.Main\nprogram-class: n.Nested\n";
        let fat =
            jar(&[("meta-inf/manifest.mf", manifest), ("lib/i.jar", &inner), ("lib/odd.jar", b"no zip")]);
        check_program(fat.path(), None, |_| false).unwrap();
        assert!(!JarInfo::open(fat.path()).unwrap().has_class("n.Nested"));
        assert!(!JarInfo::open(fat.path()).unwrap().provides("b.Main").unwrap());
        let versioned = jar(&[("META-INF/versions/17/a/New.class", b"")]);
        assert!(JarInfo::open(versioned.path()).unwrap().provides("a.New").unwrap());
        let linked = jar(&[("META-INF/MANIFEST.MF", b"Main-Class: o.Other\nClass-Path: other.jar\n")]);
        check_program(linked.path(), None, |_| false).unwrap();
    }

    #[test]
    fn what_is_no_jar() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.jar");
        assert!(text(check_program(&file, None, |_| false)).contains("cannot read the jar file"));
        assert!(text(check_program(dir.path(), None, |_| false)).contains("is not a file"));
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        assert!(
            text(check_program(&file, None, |_| false))
                .contains("x.jar is not a jar file: it is not a zip archive")
        );
        std::fs::write(&file, "").unwrap();
        assert!(text(check_program(&file, None, |_| false)).contains("is not a jar file"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&bytes).unwrap();
            prop_assert!(check_program(file.path(), None, |_| false).is_err());
            let whole = zip(&[("META-INF/MANIFEST.MF", b"Main-Class: a.B\n"), ("a/B.class", &bytes)]);
            let mut half = tempfile::NamedTempFile::new().unwrap();
            half.write_all(whole.get(..whole.len().saturating_sub(cut + 1)).unwrap_or_default()).unwrap();
            prop_assert!(check_program(half.path(), None, |_| false).is_err());
        }

        #[test]
        fn long_attributes_are_joined(value in "[a-zA-Z.$_]{1,200}") {
            let folded: Vec<String> = value.as_bytes().chunks(60).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
            let text = format!("Manifest-Version: 1.0\r\nMain-Class: {}\r\n", folded.join("\r\n "));
            prop_assert_eq!(attribute(&text, "Main-Class"), Some(value));
        }
    }
}
