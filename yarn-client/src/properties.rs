//! Reads and writes the properties file, in which `yarn-session.sh` leaves the application id of the session
//! for later commands.
//!
//! The file is `<yarn.properties-file.location or /tmp>/.yarn-properties-<user>`. It has Java's properties
//! format and is shared with Flink's own client. Java's `java.io.tmpdir` does not depend on `TMPDIR`, so this
//! path does not, either.
//!
//! Everybody can make files in `/tmp`. So the file is used only if it is the user's own and nobody else may
//! write to it, and even then not all of its settings are (see [`crate::session_settings`]). Flink's own
//! client makes it with what the umask leaves, which is often 664; that is no harm if the group has nobody
//! else.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flink_model::config::shown_all;
use flink_model::options;
use yarn_api::records::ApplicationId;

use crate::error::{CauseClass, Failure};
use crate::ownership::{self, Distrust};
use crate::session_settings::is_written;

const APPLICATION_ID: &str = "applicationID";
const DYNAMIC_PROPERTIES: &str = "dynamicPropertiesString";
const SEPARATOR: &str = "@@";
/// The most bytes of the file that are read. Real ones are far smaller.
const LONGEST: u64 = 1 << 20;

/// The content of the properties file.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionFile {
    /// The session that was started last.
    pub application_id: ApplicationId,
    /// The dynamic properties (`-D`) with which the session was started.
    pub dynamic_properties: Vec<(String, String)>,
}

impl fmt::Debug for SessionFile {
    /// Leaves out the values of properties with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties = shown_all(self.dynamic_properties.iter().map(|(key, value)| (key, value)));
        f.debug_struct("SessionFile")
            .field("application_id", &self.application_id)
            .field("dynamic_properties", &properties)
            .finish()
    }
}

/// The path of the properties file of `user`.
pub fn location(configured: Option<&str>, user: &str) -> PathBuf {
    Path::new(configured.unwrap_or("/tmp")).join(format!(".yarn-properties-{user}"))
}

/// What is found at the path of the properties file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is no file.
    Nothing,
    /// The user's own file.
    Session(SessionFile),
    /// Something that may be another user's work, and is not used. The text says what it is, why it is not
    /// used, and what helps.
    Ignored(String),
}

/// Reads the file. It is a failure if the user's own file cannot be read or holds no application id.
pub fn read(path: &Path) -> Result<Found, Failure> {
    let delete = || format!("delete {}", path.display());
    let cannot = |e| {
        let what = format!("cannot read the YARN properties file {}", path.display());
        Failure::because(what, e).hint(delete())
    };
    let file = match ownership::open(path) {
        Ok(Ok(file)) => file,
        Ok(Err(distrust)) => return Ok(Found::Ignored(ignored(path, &distrust))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) => return Err(cannot(e)),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(cannot)?;
    // The format is encoded in ISO 8859-1, in which every byte is the number of its character.
    let text: String = bytes.iter().map(|b| char::from(*b)).collect();
    let values = parse(&text);
    let Some(id) = values.get(APPLICATION_ID) else {
        let what = format!("the YARN properties file {} names no application id", path.display());
        return Err(Failure::new(what).of_class(CauseClass::Local).hint(delete()));
    };
    let application_id = id.parse().map_err(|e| {
        let what = format!("the YARN properties file {} holds a bad application id {id:?}", path.display());
        Failure::because(what, e).of_class(CauseClass::Local).hint(delete())
    })?;
    let dynamic_properties = values.get(DYNAMIC_PROPERTIES).map(|v| split_properties(v)).unwrap_or_default();
    Ok(Found::Session(SessionFile { application_id, dynamic_properties }))
}

fn ignored(path: &Path, distrust: &Distrust) -> String {
    format!(
        "the YARN properties file {} is ignored, so that this command does not know which session was started last: {distrust}; \
         -Dyarn.application.id=application_… names a session, and yarn.properties-file.location another directory \
         for the file",
        path.display()
    )
}

/// Fails if nothing can be written where the file is to be, so that a command can refuse it before it deploys
/// anything.
pub fn check(path: &Path) -> Result<(), Failure> {
    temporary(path).map(drop)
}

/// A new file in the directory of `path`, with the mode 600. It is removed when the value is dropped.
fn temporary(path: &Path) -> Result<tempfile::NamedTempFile, Failure> {
    tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("."))).map_err(|e| {
        let key = options::PROPERTIES_FILE_LOCATION.key;
        Failure::because(doing(path), e).hint(format!("{key} names another directory for the file"))
    })
}

fn doing(path: &Path) -> String {
    format!("cannot write the YARN properties file {}", path.display())
}

/// Writes the file, which only the user may read. Settings that later commands do not take, and secrets, are
/// left out. A link at the path is replaced, and not followed. The result is a warning if the file is not
/// written because another user's stands in its place, or if later commands will ignore it.
pub fn write(path: &Path, session: &SessionFile) -> Result<Option<String>, Failure> {
    let written = session.dynamic_properties.iter().filter(|(key, _)| is_written(key));
    let joined: Vec<String> = written.map(|(k, v)| format!("{k}={v}")).collect();
    let text = format!(
        "#Generated YARN properties file\n#{}\n{DYNAMIC_PROPERTIES}={}\n{APPLICATION_ID}={}\n",
        chrono::Local::now().format("%a %b %d %H:%M:%S %Z %Y"),
        escape(&joined.join(SEPARATOR)),
        session.application_id,
    );
    let mut file = temporary(path)?;
    file.write_all(text.as_bytes()).map_err(|e| Failure::because(doing(path), e))?;
    let trusted =
        ownership::check_open(file.as_file(), path).map_err(|e| Failure::because(doing(path), e))?;
    let id = session.application_id;
    let unknown = |why: &Distrust| {
        format!(
            "later commands will not find the session by the YARN properties file {}: {why}; \
             -Dyarn.application.id={id} names the session, and yarn.properties-file.location another directory \
             for the file",
            path.display()
        )
    };
    match file.persist(path) {
        Ok(_) => Ok(trusted.err().as_ref().map(unknown)),
        Err(e) => match ownership::is_foreign(path) {
            // In a directory such as /tmp another user's file cannot be replaced. The session is not ended
            // because of it: otherwise anybody could keep this user from starting one.
            Some(distrust) => Ok(Some(unknown(&distrust))),
            None => Err(Failure::because(doing(path), e.error)),
        },
    }
}

/// Removes the file if it is the user's own and names `id`, because another session may have been started
/// since. Returns whether this call has removed the file.
pub fn remove(path: &Path, id: ApplicationId) -> bool {
    matches!(read(path), Ok(Found::Session(session)) if session.application_id == id)
        && std::fs::remove_file(path).is_ok()
}

fn split_properties(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(SEPARATOR).filter_map(|line| line.split_once('='));
    pairs.map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned())).filter(|(k, _)| !k.is_empty()).collect()
}

/// Escapes a value as `java.util.Properties.store` does.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (i, c) in value.chars().enumerate() {
        match c {
            ' ' if i == 0 => out.push_str("\\ "),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            '\\' | '=' | ':' | '#' | '!' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
        }
    }
    out
}

/// Parses Java's properties format as `java.util.Properties.load` does.
fn parse(text: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let mut lines = text.split(['\n', '\r']).map(|l| l.trim_start_matches([' ', '\t', '\u{c}']));
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = line.to_owned();
        while logical.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 {
            logical.pop();
            match lines.next() {
                Some(next) => logical.push_str(next),
                None => break,
            }
        }
        let (key, value) = split_entry(&logical);
        values.insert(unescape(key), unescape(value));
    }
    values
}

/// Splits a line into key and value. The first unescaped `=`, `:` or blank ends the key.
fn split_entry(line: &str) -> (&str, &str) {
    const BLANK: [char; 3] = [' ', '\t', '\u{c}'];
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '=' || c == ':' || BLANK.contains(&c) {
            let rest = line[at..].trim_start_matches(BLANK);
            let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
            return (&line[..at], rest.trim_start_matches(BLANK));
        }
    }
    (line, "")
}

fn unescape(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let mut buffer = [0u16; 2];
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some('u') => {
                    let code: String = chars.by_ref().take(4).collect();
                    units.push(u16::from_str_radix(&code, 16).unwrap_or(0xfffd));
                    continue;
                }
                Some(other) => other,
                None => break,
            },
            other => other,
        };
        units.extend_from_slice(c.encode_utf16(&mut buffer));
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_java_writes() {
        let text = "#Generated YARN properties file\n#Fri Nov 20 23:16:56 UTC 2026\n\
            dynamicPropertiesString=a.b\\=1@@c\\=x\\:y \\u00E9\\\\\n  applicationID = application_1_0002\r\nlong=a\\\n   b";
        let values = parse(text);
        assert_eq!(values[APPLICATION_ID], "application_1_0002");
        assert_eq!(values[DYNAMIC_PROPERTIES], "a.b=1@@c=x:y é\\");
        assert_eq!(values["long"], "ab");
        let pairs = split_properties(&values[DYNAMIC_PROPERTIES]);
        assert_eq!(pairs, [("a.b".into(), "1".into()), ("c".into(), "x:y é\\".into())]);
    }

    #[test]
    fn a_broken_file_says_what_to_delete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        assert_eq!(read(&path).unwrap(), Found::Nothing);
        for text in ["", "applicationID=nonsense"] {
            std::fs::write(&path, text).unwrap();
            let failure = read(&path).unwrap_err();
            assert!(failure.hints()[0].contains(path.to_str().unwrap()), "{failure}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_refused_beforehand() {
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| location(dir.path().join(name).to_str(), "ann");
        check(&place("")).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
        let failure = check(&place("gone")).unwrap_err();
        assert!(failure.hints()[0].contains("yarn.properties-file.location"), "{failure}");
    }

    #[test]
    fn only_the_own_session_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = location(dir.path().to_str(), "ann");
        let id: ApplicationId = "application_1700000000000_0002".parse().unwrap();
        let other: ApplicationId = "application_1700000000000_0003".parse().unwrap();
        write(&path, &SessionFile { application_id: id, dynamic_properties: vec![] }).unwrap();
        assert!(!remove(&path, other));
        assert!(remove(&path, id));
        assert!(!path.exists());
    }

    #[test]
    fn a_link_is_neither_followed_nor_written_through() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (target, path) = (dir.path().join("precious"), location(dir.path().to_str(), "ann"));
        std::fs::write(&target, "applicationID=application_1700000000000_0002").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let Found::Ignored(why) = read(&path).unwrap() else { panic!("a link is followed") };
        assert!(why.contains("symbolic link") && why.contains("-Dyarn.application.id"), "{why}");
        let id: ApplicationId = "application_1700000000000_0003".parse().unwrap();
        assert!(!remove(&path, "application_1700000000000_0002".parse().unwrap()));
        let properties = [("parallelism.default", "2"), ("env.java.home", "/e"), ("a.password", "canary")];
        let dynamic_properties = properties.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(write(&path, &SessionFile { application_id: id, dynamic_properties }).unwrap(), None);
        assert!(std::fs::read_to_string(&target).unwrap().ends_with("_0002"));
        let written = std::fs::symlink_metadata(&path).unwrap();
        assert!(written.is_file());
        assert_eq!(written.permissions().mode() & 0o777, 0o600);
        let Found::Session(session) = read(&path).unwrap() else { panic!("the own file is not read") };
        assert_eq!(session.dynamic_properties, [("parallelism.default".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn a_file_that_others_may_write_is_ignored() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = location(dir.path().to_str(), "ann");
        std::fs::write(&path, "applicationID=application_1700000000000_0002").unwrap();
        for (mode, ignored) in [(0o666, true), (0o646, true), (0o644, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(matches!(read(&path).unwrap(), Found::Ignored(_)), ignored, "{mode:o}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in "[^\u{0}]{0,40}") {
            let line = format!("k={}", escape(&value));
            prop_assert_eq!(&parse(&line)["k"], &value);
        }
    }
}
