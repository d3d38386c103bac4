//! Reads the line format of `flink-conf.yaml`. A line is `key: value`, and a `#` anywhere begins a comment.

use super::Warning;
use crate::java::trim;

use super::{Configuration, FileFormat, Origin, SourceFile};

/// Reads the lines. As in Flink, a line that is not a pair is left out with a warning, and the last of
/// several equal keys counts.
pub(super) fn load(source: &SourceFile<'_>) -> (Configuration, Vec<Warning>) {
    let mut configuration = Configuration::new(FileFormat::Legacy);
    let mut warnings = Vec::new();
    for (line, number) in lines(source.text).zip(1..) {
        let origin = Origin::File { file: source.path.into(), line: number };
        let content = trim(line.split('#').next().unwrap_or_default());
        if content.is_empty() {
            continue;
        }
        let Some((key, value)) = content.split_once(": ") else {
            let message = if content.ends_with(':') {
                format!("the line is ignored: the key {} has no value", trim(content.trim_end_matches(':')))
            } else {
                "the line is ignored: it is not of the form 'key: value' (is the space behind the colon missing?)"
                    .to_owned()
            };
            warnings.push(Warning { origin, message });
            continue;
        };
        let (key, value) = (trim(key), trim(value));
        if key.is_empty() || value.is_empty() {
            warnings.push(Warning {
                origin,
                message: "the line is ignored: its key or value is empty".to_owned(),
            });
            continue;
        }
        if let Some(before) = configuration.entry(key) {
            let message = format!("{key} is set again; the value of {} does not count", before.origin);
            warnings.push(Warning { origin: origin.clone(), message });
        }
        configuration.set(key, value, origin);
    }
    (configuration, warnings)
}

/// The lines as Java's `BufferedReader` separates them: at `\n`, `\r` or `\r\n`.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Configuration, Vec<Warning>) {
        load(&SourceFile { path: "flink-conf.yaml", text })
    }

    #[test]
    fn quirks_of_the_line_format() {
        let (conf, warnings) = read(
            "a: 1 # one\n\
             b: x: y\n\
             c : 3\n\
             d:4\n\
             #e: 5\n\
             f: http://h#frag\r\n\
             g:\n\
             a: 2\n\
             : v\n",
        );
        let shown: Vec<_> = conf.masked().map(|(k, v, o)| format!("{k}={v} {o}")).collect();
        assert_eq!(
            shown,
            [
                "a=2 flink-conf.yaml:8",
                "b=x: y flink-conf.yaml:2",
                "c=3 flink-conf.yaml:3",
                "f=http://h flink-conf.yaml:6"
            ]
        );
        let lines: Vec<_> = warnings.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines[0].starts_with("flink-conf.yaml:4: "));
        assert!(lines[1].contains("the key g has no value"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "(?s).*") {
            let _ = read(&text);
        }
    }
}
