//! Reads values as the types of their options. Its errors name the key, and the file and line of the value.

use std::collections::BTreeMap;
use std::fmt;

use crate::java;
use crate::units::{Duration, MemorySize};

use super::option::Opt;
use super::yaml::{self, Node};
use super::{Configuration, FileFormat, Origin, Value, emit, is_sensitive, shown, text};

/// A value is not of its option's type, or it is missing. Another try does not help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    /// The key of the value.
    pub key: String,
    /// The value; stars if it is secret, and `None` if it is missing.
    pub value: Option<String>,
    /// Where the value comes from.
    pub origin: Origin,
    /// What the option accepts, for example "a memory size".
    pub expected: &'static str,
    /// Why the value is not accepted.
    pub reason: String,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(f, "{} is not set and has no default", self.key),
            Some(value) => {
                write!(f, "{} = '{value}' ({}) is not {}", self.key, self.origin, self.expected)?;
                if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
            }
        }
    }
}

impl std::error::Error for ValueError {}

/// A type as which the value of an option can be read.
pub trait FromValue: Sized {
    /// What is accepted, with an article, for messages.
    const EXPECTED: &'static str;

    /// Reads a value. `format` decides how lists and maps are written. The error says what is wrong, and does
    /// not repeat the value.
    fn from_value(value: &Value, format: FileFormat) -> Result<Self, String>;

    /// Makes a value from the keys below the option's own key (`key.a`, `key.b`). Only maps can be written in
    /// this way.
    fn from_children(_children: BTreeMap<String, String>) -> Option<Self> {
        None
    }
}

impl Configuration {
    /// The value of an option: the value that is set, or the option's default, or `None`.
    pub fn get<T: FromValue>(&self, option: &Opt<T>) -> Result<Option<T>, ValueError> {
        if let Some((key, entry)) = self.find(option) {
            return T::from_value(&entry.value, self.format).map(Some).map_err(|reason| ValueError {
                key: key.to_owned(),
                value: Some(shown(key, entry.value.text())),
                origin: entry.origin.clone(),
                expected: T::EXPECTED,
                // A reason may contain parts of the value.
                reason: if is_sensitive(key) { String::new() } else { reason },
            });
        }
        let children = self.with_prefix(&format!("{}.", option.key));
        if !children.is_empty()
            && let Some(map) = T::from_children(children)
        {
            return Ok(Some(map));
        }
        option.default.map(|default| self.default(option, default)).transpose()
    }

    /// The value of an option that must be set or have a default.
    pub fn require<T: FromValue>(&self, option: &Opt<T>) -> Result<T, ValueError> {
        self.get(option)?.ok_or_else(|| ValueError {
            key: option.key.to_owned(),
            value: None,
            origin: Origin::Default,
            expected: T::EXPECTED,
            reason: String::new(),
        })
    }

    fn default<T: FromValue>(&self, option: &Opt<T>, default: &str) -> Result<T, ValueError> {
        T::from_value(&default.into(), FileFormat::Legacy).map_err(|reason| ValueError {
            key: option.key.to_owned(),
            value: Some(default.to_owned()),
            origin: Origin::Default,
            expected: T::EXPECTED,
            reason,
        })
    }
}

impl FromValue for String {
    const EXPECTED: &'static str = "a text";

    fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
        Ok(value.text())
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
        match value.text().to_uppercase().as_str() {
            "TRUE" => Ok(true),
            "FALSE" => Ok(false),
            _ => Err(String::new()),
        }
    }
}

fn integer(value: &Value, min: i64, max: i64) -> Result<i64, String> {
    let number = match value {
        Value::Int(number) => *number,
        other => java::parse_integer(&other.text()).ok_or_else(String::new)?,
    };
    match i64::try_from(number) {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(format!("it must lie between {min} and {max}")),
    }
}

impl FromValue for i32 {
    const EXPECTED: &'static str = "a whole number";

    fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
        let number = integer(value, i32::MIN.into(), i32::MAX.into())?;
        Self::try_from(number).map_err(|e| e.to_string())
    }
}

impl FromValue for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
        integer(value, Self::MIN, Self::MAX)
    }
}

impl FromValue for f64 {
    const EXPECTED: &'static str = "a number";

    fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
        match value {
            Value::Float(number) => Ok(*number),
            other => java::parse_double(&other.text()).ok_or_else(String::new),
        }
    }
}

impl FromValue for f32 {
    const EXPECTED: &'static str = "a number";

    fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
        match value {
            // As in Flink, a number is refused if its magnitude is above the largest float, or below the
            // smallest positive one.
            Value::Float(number) => {
                let magnitude = number.abs();
                // The smallest positive float.
                let smallest = f64::from(Self::from_bits(1));
                if magnitude == 0.0 || (smallest..=f64::from(Self::MAX)).contains(&magnitude) {
                    Ok(*number as Self)
                } else {
                    Err("it does not fit a 32-bit float".to_owned())
                }
            }
            other => java::parse_float(&other.text()).ok_or_else(String::new),
        }
    }
}

impl FromValue for MemorySize {
    const EXPECTED: &'static str = "a memory size";

    fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
        Self::parse(&value.text()).map_err(|e| e.to_string())
    }
}

impl FromValue for Duration {
    const EXPECTED: &'static str = "a duration";

    fn from_value(value: &Value, _: FileFormat) -> Result<Self, String> {
        Self::parse(&value.text()).map_err(|e| e.to_string())
    }
}

impl FromValue for Vec<String> {
    const EXPECTED: &'static str = "a list";

    fn from_value(value: &Value, format: FileFormat) -> Result<Self, String> {
        let written = value.text();
        if format == FileFormat::Standard
            && let Ok(Some(Node::List(items))) = yaml::parse(&written)
            && let Some(items) = items.iter().map(node_text).collect()
        {
            return Ok(items);
        }
        text::split(&written, ';')
    }
}

impl FromValue for BTreeMap<String, String> {
    const EXPECTED: &'static str = "a map";

    fn from_value(value: &Value, format: FileFormat) -> Result<Self, String> {
        let written = value.text();
        if format == FileFormat::Standard
            && let Ok(Some(Node::Map(pairs))) = yaml::parse(&written)
            && let Some(map) =
                pairs.iter().map(|p| Some((node_text(&p.key)?, node_text(&p.value)?))).collect()
        {
            return Ok(map);
        }
        let mut map = Self::new();
        for item in text::split(&written, ',')? {
            match text::split(&item, ':')?.as_slice() {
                [key, value] => {
                    if map.insert(key.clone(), value.clone()).is_some() {
                        return Err(format!("{key} stands twice"));
                    }
                }
                _ => return Err("an item is not of the form key:value".to_owned()),
            }
        }
        Ok(map)
    }

    fn from_children(children: BTreeMap<String, String>) -> Option<Self> {
        Some(children)
    }
}

/// An item of a list or map as text; `None` for null.
fn node_text(node: &Node) -> Option<String> {
    match node {
        Node::Null => None,
        Node::Scalar(value) => Some(value.text()),
        Node::List(_) | Node::Map(_) => Some(emit::flow(node)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options;

    fn conf(format: FileFormat, pairs: &[(&str, &str)]) -> Configuration {
        let mut conf = Configuration::new(format);
        for (key, value) in pairs {
            conf.set_dynamic(*key, *value);
        }
        conf
    }

    #[test]
    fn defaults_deprecated_keys_and_their_order() {
        let empty = conf(FileFormat::Standard, &[]);
        assert_eq!(empty.get(&options::APP_MASTER_VCORES), Ok(Some(1)));
        assert_eq!(empty.get(&options::APPLICATION_QUEUE), Ok(None));
        let old = conf(FileFormat::Standard, &[("yarn.ship-directories", "a;b")]);
        assert_eq!(old.get(&options::SHIP_FILES), Ok(Some(vec!["a".into(), "b".into()])));
        let both =
            conf(FileFormat::Standard, &[("yarn.ship-directories", "a"), ("yarn.ship-files", "[c, 'd;e']")]);
        assert_eq!(both.get(&options::SHIP_FILES), Ok(Some(vec!["c".into(), "d;e".into()])));
    }

    #[test]
    fn errors_name_key_value_and_place() {
        let mut conf = conf(FileFormat::Standard, &[]);
        let origin = Origin::File { file: "conf/config.yaml".into(), line: 12 };
        conf.set("yarn.appmaster.vcores", "two", origin.clone());
        let error = conf.get(&options::APP_MASTER_VCORES).unwrap_err();
        assert_eq!(
            error.to_string(),
            "yarn.appmaster.vcores = 'two' (conf/config.yaml:12) is not a whole number"
        );
        conf.set("taskmanager.memory.process.size", "1 gigabyte", origin);
        let error = conf.get(&options::TM_PROCESS_SIZE).unwrap_err().to_string();
        assert!(error.contains("is not a memory size: the unit 'gigabyte'"), "{error}");
    }

    #[test]
    fn maps_in_three_forms() {
        let option: Opt<BTreeMap<String, String>> = Opt::new("m", &[], None);
        let expected = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x:y".to_owned())]);
        for (format, pairs) in [
            (FileFormat::Legacy, vec![("m", "a:1,'b:''x:y'''")]),
            (FileFormat::Standard, vec![("m", "{a: 1, b: 'x:y'}")]),
            (FileFormat::Standard, vec![("m.a", "1"), ("m.b", "x:y")]),
        ] {
            assert_eq!(conf(format, &pairs).get(&option), Ok(Some(expected.clone())), "{pairs:?}");
        }
        assert!(conf(FileFormat::Legacy, &[("m", "a")]).get(&option).is_err());
    }
}
