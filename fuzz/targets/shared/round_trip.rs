//! What holds for every configuration file.

use std::collections::BTreeMap;

use flink_model::cluster_spec::ClusterSpec;
use flink_model::config::{ConfigFiles, Configuration, load_files};
use flink_model::options;

fn texts(conf: &Configuration) -> BTreeMap<String, String> {
    conf.iter().map(|(key, entry)| (key.to_owned(), entry.value.text())).collect()
}

/// Panics where a file that is read does not survive being written and read again.
pub fn check(release: &str, text: &str, files: fn(&str) -> ConfigFiles<'_>) {
    let Ok(release) = release.parse() else { return };
    let Ok(loaded) = load_files(release, &files(text)) else { return };
    let conf = loaded.configuration;
    let rendered = conf.render();
    let again = match load_files(release, &files(&rendered.text)) {
        Ok(again) => again.configuration,
        Err(error) => panic!("what was written is refused: {error}\n{}", rendered.text),
    };
    let mut read = texts(&again);
    read.extend(rendered.not_carried);
    assert_eq!(read, texts(&conf), "{}", rendered.text);
    let _ = options::check_keys(&conf);
    if let Ok(spec) = ClusterSpec::from(&conf, release) {
        let pools = [spec.job_manager.process(), spec.task_manager.process()];
        assert!(pools.iter().all(|size| size.bytes() <= i64::MAX as u64));
    }
}
