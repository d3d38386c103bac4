//! Reads and writes the configuration keys in the JSON file of a manifest. Each key has either its value
//! alone, or its value together with what has set it.

use std::collections::BTreeMap;

use flink_model::config::{Configuration, Origin, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The value of one key in the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Setting {
    /// A value alone, as if set by `-D key=value`.
    Plain(String),
    /// A value with what has set it.
    Set(Set),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    value: String,
    /// The option of the command line that has set the value, such as `-jm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    option: Option<String>,
    /// What the value was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

pub(super) fn is_empty(configuration: &Configuration) -> bool {
    configuration.iter().next().is_none()
}

pub(super) fn serialize<S: Serializer>(configuration: &Configuration, to: S) -> Result<S::Ok, S::Error> {
    let settings = configuration.iter().map(|(key, entry)| {
        let value = entry.value.text();
        let setting = match &entry.origin {
            Origin::Dynamic => Setting::Plain(value),
            Origin::Flag(option) => Setting::Set(Set { value, option: Some(option.clone()), from: None }),
            Origin::Derived(from) => Setting::Set(Set { value, option: None, from: Some(from.clone()) }),
            // A manifest has no settings from files or from the environment, because each machine has its
            // own.
            other => Setting::Set(Set { value, option: None, from: Some(other.to_string()) }),
        };
        (key, setting)
    });
    to.collect_map(settings)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Configuration, D::Error> {
    let settings = BTreeMap::<String, Setting>::deserialize(from)?;
    let mut configuration = Configuration::default();
    for (key, setting) in settings {
        let (value, origin) = match setting {
            Setting::Plain(value) => (value, Origin::Dynamic),
            Setting::Set(Set { value, option: Some(option), .. }) => (value, Origin::Flag(option)),
            Setting::Set(Set { value, option: None, from: Some(from) }) => (value, Origin::Derived(from)),
            Setting::Set(Set { value, option: None, from: None }) => (value, Origin::Dynamic),
        };
        configuration.set(key, Value::Str(value), origin);
    }
    Ok(configuration)
}
