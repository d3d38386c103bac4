//! Writes a configuration as the file that the containers get.

use std::fmt;

use super::secrets::{masked, shown_all};
use super::{Configuration, FileFormat, emit};

/// A configuration as the content of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The content, in the format from which the configuration was loaded.
    pub text: String,
    /// Keys and values that the format cannot express, so they must be passed as `-D` arguments. There are
    /// none for `config.yaml`.
    pub not_carried: Vec<(String, String)>,
}

impl fmt::Debug for Rendered {
    /// Leaves secrets out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not_carried = shown_all(self.not_carried.iter().map(|(key, value)| (key, value)));
        f.debug_struct("Rendered")
            .field("text", &masked(&self.text))
            .field("not_carried", &not_carried)
            .finish()
    }
}

impl Configuration {
    /// Writes all keys so that Flink reads back the same values.
    pub fn render(&self) -> Rendered {
        let mut rendered = Rendered { text: String::new(), not_carried: Vec::new() };
        for (key, entry) in self.iter() {
            let line = match self.format() {
                FileFormat::Standard => Some(format!("{}: {}\n", emit::key(key), entry.value.yaml())),
                FileFormat::Legacy => legacy_line(key, &entry.value.text()),
            };
            match line {
                Some(line) => rendered.text.push_str(&line),
                None => rendered.not_carried.push((key.to_owned(), entry.value.text())),
            }
        }
        rendered
    }
}

/// A line of `flink-conf.yaml`; `None` if Flink would read back another key or value. The format has no
/// quotes, a `#` anywhere begins a comment, and white space at the ends is lost.
fn legacy_line(key: &str, value: &str) -> Option<String> {
    let line = format!("{key}: {value}");
    let carried =
        |text: &str| !text.is_empty() && crate::java::trim(text) == text && !text.contains(['#', '\n', '\r']);
    (carried(key) && carried(value) && !key.contains(": ") && !key.ends_with(':')).then(|| line + "\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{ConfigFiles, Origin, SourceFile, Value, load_files};

    fn reload(text: &str, format: FileFormat) -> Configuration {
        let file = Some(SourceFile { path: "f", text });
        let files = match format {
            FileFormat::Legacy => ConfigFiles { legacy: file, standard: None },
            FileFormat::Standard => ConfigFiles { legacy: None, standard: file },
        };
        load_files("1.20.1".parse().unwrap(), &files).unwrap().configuration
    }

    #[test]
    fn legacy_returns_what_it_cannot_carry() {
        let mut conf = Configuration::new(FileFormat::Legacy);
        conf.set_dynamic("a", "x: y");
        conf.set_dynamic("b", "x # y");
        conf.set_dynamic("c", "");
        let rendered = conf.render();
        assert_eq!(rendered.text, "a: x: y\n");
        assert_eq!(rendered.not_carried, [("b".into(), "x # y".into()), ("c".into(), String::new())]);
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut conf = Configuration::new(FileFormat::Legacy);
        conf.set_dynamic("s3.secret-key", "hush");
        conf.set_dynamic("my.password", "hush # hush");
        let shown = format!("{:?} {:?}", conf.render(), conf.entry("s3.secret-key"));
        assert!(shown.contains("my.password") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn values_keep_their_kind() {
        let mut conf = Configuration::new(FileFormat::Standard);
        conf.set_dynamic("text", "5");
        conf.set("number", Value::Int(5), Origin::Default);
        conf.set("flag", Value::Bool(true), Origin::Default);
        conf.set("rate", Value::Float(1e10), Origin::Default);
        assert_eq!(conf.render().text, "flag: true\nnumber: 5\nrate: 1.0E10\ntext: '5'\n");
    }

    proptest! {
        #[test]
        fn files_read_back(
            pairs in proptest::collection::btree_map("[a-z.:# -]{1,10}", "(?s).{0,20}", 0..8),
            standard in any::<bool>(),
        ) {
            let format = if standard { FileFormat::Standard } else { FileFormat::Legacy };
            let mut conf = Configuration::new(format);
            for (key, value) in &pairs {
                conf.set_dynamic(key.clone(), value.clone());
            }
            let rendered = conf.render();
            let back = reload(&rendered.text, format);
            let mut read: Vec<_> = back.iter().map(|(k, e)| (k.to_owned(), e.value.text())).collect();
            read.extend(rendered.not_carried);
            read.sort();
            prop_assert_eq!(read, pairs.into_iter().collect::<Vec<_>>());
        }
    }
}
