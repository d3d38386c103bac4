//! What Flink is configured with, as the containers have it.

use std::collections::BTreeMap;
use std::path::Path;

use diagnosis::facts::Settings;
use flink_model::config::{ConfigFiles, LEGACY_FILE, STANDARD_FILE, SourceFile, load_files};
use flink_model::release::Release;

/// The configuration that the containers get, from the file in the working directory `dir`. Without it, the
/// diagnosis names keys and no values.
pub(crate) fn settings(dir: &Path, flink: &str) -> Option<Settings> {
    let release: Release = flink.parse().ok()?;
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).ok();
    let (legacy, standard) = (read(LEGACY_FILE), read(STANDARD_FILE));
    let files = ConfigFiles {
        legacy: source(LEGACY_FILE, legacy.as_deref()),
        standard: source(STANDARD_FILE, standard.as_deref()),
    };
    match load_files(release, &files) {
        Ok(loaded) => Some(Settings { configuration: loaded.configuration, release }),
        Err(error) => {
            tracing::debug!(%error, "the diagnosis does not know the configuration");
            None
        }
    }
}

/// The keys of memory and slots, and their values, as the record of the application has them: with these,
/// what to set can be computed after the end as well.
pub(crate) fn memory(dir: &Path, flink: &str) -> BTreeMap<String, String> {
    const KEYS: [&str; 3] = ["jobmanager.memory.", "taskmanager.memory.", "taskmanager.numberOfTaskSlots"];
    let Some(Settings { configuration, .. }) = settings(dir, flink) else { return BTreeMap::new() };
    let entries = configuration.iter().filter(|(key, _)| KEYS.iter().any(|prefix| key.starts_with(prefix)));
    entries.map(|(key, entry)| (key.to_owned(), entry.value.text())).collect()
}

fn source<'a>(path: &'a str, text: Option<&'a str>) -> Option<SourceFile<'a>> {
    text.map(|text| SourceFile { path, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_that_of_the_containers() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(settings(dir.path(), "2.0.0"), None);
        std::fs::write(dir.path().join(STANDARD_FILE), "taskmanager.memory.process.size: 4g\n").unwrap();
        let found = settings(dir.path(), "2.0.0").unwrap();
        let size = found.configuration.text("taskmanager.memory.process.size");
        assert_eq!(size.as_deref(), Some("4g"));
        assert_eq!(settings(dir.path(), "nonsense"), None);
        let text = "taskmanager.memory.process.size: 4g\nmy.password: x\ntaskmanager.host: h\n";
        std::fs::write(dir.path().join(STANDARD_FILE), text).unwrap();
        let of_memory = memory(dir.path(), "2.0.0");
        assert_eq!(of_memory, [("taskmanager.memory.process.size".to_owned(), "4g".to_owned())].into());
        assert!(memory(dir.path(), "nonsense").is_empty());
    }
}
