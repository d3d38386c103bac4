//! Reads and writes the properties file, in which `yarn-session.sh` leaves the application id of the session
//! for later commands.
//!
//! The file is `<yarn.properties-file.location or /tmp>/.yarn-properties-<user>`. It has Java's properties
//! format and is shared with Flink's own client. Java's `java.io.tmpdir` does not depend on `TMPDIR`, so this
//! path does not, either.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use yarn_api::records::ApplicationId;

use crate::error::Failure;

const APPLICATION_ID: &str = "applicationID";
const DYNAMIC_PROPERTIES: &str = "dynamicPropertiesString";
const SEPARATOR: &str = "@@";

/// The content of the properties file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFile {
    /// The session that was started last.
    pub application_id: ApplicationId,
    /// The dynamic properties (`-D`) with which the session was started.
    pub dynamic_properties: Vec<(String, String)>,
}

/// The path of the properties file of `user`.
pub fn location(configured: Option<&str>, user: &str) -> PathBuf {
    Path::new(configured.unwrap_or("/tmp")).join(format!(".yarn-properties-{user}"))
}

/// Reads the file; `None` if it does not exist. It is a failure if it cannot be read or holds no application
/// id.
pub fn read(path: &Path) -> Result<Option<SessionFile>, Failure> {
    let delete = || format!("delete {}", path.display());
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            let what = format!("cannot read the YARN properties file {}", path.display());
            return Err(Failure::because(what, e).hint(delete()));
        }
    };
    // The format is encoded in ISO 8859-1, in which every byte is the number of its character.
    let text: String = bytes.iter().map(|b| char::from(*b)).collect();
    let values = parse(&text);
    let Some(id) = values.get(APPLICATION_ID) else {
        let what = format!("the YARN properties file {} names no application id", path.display());
        return Err(Failure::new(what).hint(delete()));
    };
    let application_id = id.parse().map_err(|e| {
        let what = format!("the YARN properties file {} holds a bad application id {id:?}", path.display());
        Failure::because(what, e).hint(delete())
    })?;
    let dynamic_properties = values.get(DYNAMIC_PROPERTIES).map(|v| split_properties(v)).unwrap_or_default();
    Ok(Some(SessionFile { application_id, dynamic_properties }))
}

/// Writes the file, which every user may read.
pub fn write(path: &Path, session: &SessionFile) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let doing = || format!("cannot write the YARN properties file {}", path.display());
    let joined: Vec<String> = session.dynamic_properties.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let text = format!(
        "#Generated YARN properties file\n#{}\n{DYNAMIC_PROPERTIES}={}\n{APPLICATION_ID}={}\n",
        chrono::Local::now().format("%a %b %d %H:%M:%S %Z %Y"),
        escape(&joined.join(SEPARATOR)),
        session.application_id,
    );
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(|e| Failure::because(doing(), e))?;
    file.write_all(text.as_bytes()).map_err(|e| Failure::because(doing(), e))?;
    let mode = std::fs::Permissions::from_mode(0o644);
    file.as_file().set_permissions(mode).map_err(|e| Failure::because(doing(), e))?;
    file.persist(path).map_err(|e| Failure::because(doing(), e.error))?;
    Ok(())
}

/// Removes the file if it names `id`, because another session may have been started since. Returns whether
/// this call has removed the file.
pub fn remove(path: &Path, id: ApplicationId) -> bool {
    matches!(read(path), Ok(Some(session)) if session.application_id == id)
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
        assert_eq!(read(&path).unwrap(), None);
        for text in ["", "applicationID=nonsense"] {
            std::fs::write(&path, text).unwrap();
            let failure = read(&path).unwrap_err();
            assert!(failure.hints()[0].contains(path.to_str().unwrap()), "{failure}");
        }
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

    proptest! {
        #[test]
        fn what_is_written_is_read(value in "[^\u{0}]{0,40}") {
            let line = format!("k={}", escape(&value));
            prop_assert_eq!(&parse(&line)["k"], &value);
        }
    }
}
