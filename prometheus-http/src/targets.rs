//! Lists of targets for Prometheus. The form is that of Prometheus' `http_sd` and `file_sd`: a JSON list of
//! groups, each with addresses (`host:port`) and with labels for what is read from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The labels of a group.
pub type Labels = BTreeMap<String, String>;

/// Targets that have the same labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Their addresses, `host:port`.
    pub targets: Vec<String>,
    /// Their labels.
    #[serde(default)]
    pub labels: Labels,
}

/// A text is no list of targets.
#[derive(Debug)]
pub struct BadTargets(serde_json::Error);

impl std::fmt::Display for BadTargets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this is no list of targets for Prometheus: {}", self.0)
    }
}

impl std::error::Error for BadTargets {}

/// The list as JSON, `[]` if it is empty.
pub fn write_targets(groups: &[TargetGroup]) -> String {
    // Nothing of a group can fail to be written: all keys are texts.
    serde_json::to_string(groups).unwrap_or_else(|_| "[]".to_owned())
}

/// Reads a list of targets.
pub fn read_targets(text: &str) -> Result<Vec<TargetGroup>, BadTargets> {
    serde_json::from_str(text).map_err(BadTargets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_that_of_prometheus() {
        assert_eq!(write_targets(&[]), "[]");
        let labels = Labels::from([("component".to_owned(), "taskmanager".to_owned())]);
        let group = TargetGroup { targets: vec!["node1:9249".into()], labels };
        let text = write_targets(std::slice::from_ref(&group));
        assert_eq!(text, r#"[{"targets":["node1:9249"],"labels":{"component":"taskmanager"}}]"#);
        assert_eq!(read_targets(&text).unwrap(), [group]);
        assert_eq!(read_targets(r#"[{"targets":[]}]"#).unwrap()[0].labels, Labels::new());
        for bad in ["", "{}", "[1]", r#"[{"targets":"x"}]"#] {
            let error = read_targets(bad).unwrap_err().to_string();
            assert!(error.starts_with("this is no list of targets"), "{error}");
        }
    }
}
