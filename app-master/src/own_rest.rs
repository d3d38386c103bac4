//! How the ApplicationMaster speaks to the REST interface of its own JobManager. The JobManager's
//! configuration is in the working directory, and with it the path of the keystore of the REST interface. So
//! only the certificate in that keystore counts.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flink_model::config::{self, ConfigFiles, Configuration, LEGACY_FILE, STANDARD_FILE, SourceFile};
use flink_model::release::Release;
use flink_model::spec::AmSpec;
use flink_model::ssl;
use flink_rest::{RestClient, RestTimeouts, Tls};

use crate::environment::Environment;

/// The client of the REST interface of this application's JobManager.
pub(crate) struct OwnRest {
    /// The client, with the URL that it was made for.
    client: Mutex<Option<(String, RestClient)>>,
    environment: Arc<Environment>,
    /// For the whole answer to a question.
    deadline: Duration,
}

impl OwnRest {
    pub(crate) fn new(environment: Arc<Environment>, deadline: Duration) -> Self {
        Self { client: Mutex::default(), environment, deadline }
    }

    /// The client for a URL, made once for each. The error is for people.
    pub(crate) fn client(&self, url: &str) -> Result<RestClient, String> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        match &*client {
            Some((known, client)) if known == url => Ok(client.clone()),
            _ => {
                let Environment { spec, dir, .. } = &*self.environment;
                let tls = if url.starts_with("https:") { Some(tls(spec, dir)?) } else { None };
                let timeouts = RestTimeouts::one_try(self.deadline);
                let new = RestClient::of_own_job_manager(url, tls.as_ref(), timeouts);
                let new = new.map_err(|error| error.to_string())?;
                *client = Some((url.to_owned(), new.clone()));
                Ok(new)
            }
        }
    }
}

/// TLS for the JobManager of this application, as its configuration says. The error is for people.
pub(crate) fn tls(spec: &AmSpec, dir: &Path) -> Result<Tls, String> {
    let configuration = configuration(spec, dir)?;
    let failed = |error: &dyn std::fmt::Display| format!("cannot speak TLS with the JobManager: {error}");
    let key = ssl::server_key(&configuration).map_err(|error| failed(&error))?;
    let authenticates = ssl::authenticates(&configuration).map_err(|error| failed(&error))?;
    Tls::of_own_job_manager(&key, authenticates, dir).map_err(|error| failed(&error))
}

/// The configuration that the JobManager gets: its file, and what its file cannot hold.
fn configuration(spec: &AmSpec, dir: &Path) -> Result<Configuration, String> {
    let release: Release =
        spec.application.flink_version.parse().map_err(|error| format!("heddle-am.json: {error}"))?;
    let read = |name: &'static str| match std::fs::read_to_string(dir.join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {name}: {error}")),
    };
    let (legacy, standard) = (read(LEGACY_FILE)?, read(STANDARD_FILE)?);
    let files = ConfigFiles {
        legacy: legacy.as_deref().map(|text| SourceFile { path: LEGACY_FILE, text }),
        standard: standard.as_deref().map(|text| SourceFile { path: STANDARD_FILE, text }),
    };
    let loaded = config::load_files(release, &files)
        .map_err(|error| format!("cannot read the JobManager's configuration: {error}"))?;
    let mut configuration = loaded.configuration;
    for pair in spec.job_manager.jvm.args.windows(2) {
        if let [option, setting] = pair
            && option == "-D"
            && let Some((key, value)) = setting.split_once('=')
        {
            configuration.set_dynamic(key, value);
        }
    }
    Ok(configuration)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../flink-rest/src/fixtures/stores");

    fn spec(args: &[&str]) -> AmSpec {
        let spec = serde_json::json!({
            "version": flink_model::spec::SPEC_VERSION,
            "application": {
                "name": "n", "flink_version": "1.20.5", "mode": "per-job", "staging_dir": null, "max_attempts": 1,
                "high_availability": false, "history_url": null, "acls": {}, "fast_start": true, "outcomes": false
            },
            "application_master": {
                "memory_mb": 1, "control_port": "0", "heartbeat_idle_ms": 1, "heartbeat_busy_ms": 1
            },
            "job_manager": { "jvm": {
                "java_home": null, "jvm_args": [], "class_path": [], "main_class": "M", "args": args, "env": {}
            }, "rest_ports": null, "rest_tls": true, "class_data": null },
            "task_managers": { "jvm": {
                "java_home": null, "jvm_args": [], "class_path": [], "main_class": "M", "args": [], "env": {}
            }, "files": [], "taskrunner_key": "t", "node_label": null, "prewarm": null, "class_data": null },
            "archive_making": { "own_container": false, "largest_container_mb": 0 },
            "task_manager_resources": [], "application_master_resources": [],
            "hadoop": {}, "hadoop_overrides": {}
        });
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn the_keystore_of_the_job_manager_decides() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::copy(format!("{STORES}/rsa.jks"), dir.path().join("rest.jks")).unwrap();
        let text = "security.ssl.rest.enabled: true\nsecurity.ssl.rest.keystore: rest.jks\n\
                    security.ssl.rest.keystore-password: storepass\nsecurity.ssl.rest.key-password: keypass1\n";
        std::fs::write(dir.path().join(STANDARD_FILE), text).unwrap();
        let trusted = tls(&spec(&["-D", "rest.port=0"]), dir.path()).unwrap().trusted().to_owned();
        assert!(trusted.contains("rest.jks (security.ssl.rest.keystore)"), "{trusted}");
        // What the file cannot hold comes as an argument.
        let refused = tls(&spec(&["-D", "security.ssl.rest.keystore=none.jks"]), dir.path()).unwrap_err();
        assert!(refused.contains("none.jks"), "{refused}");
        let wrong = [
            "-D",
            "security.ssl.rest.authentication-enabled=true",
            "-D",
            "security.ssl.rest.key-password=x1y2",
        ];
        let refused = tls(&spec(&wrong), dir.path()).unwrap_err();
        assert!(refused.contains("password of the key") && !refused.contains("x1y2"), "{refused}");
    }

    #[test]
    fn without_a_keystore_it_is_said_which_key_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(STANDARD_FILE), "security.ssl.rest.enabled: true\n").unwrap();
        let refused = tls(&spec(&[]), dir.path()).unwrap_err();
        assert!(refused.contains("security.ssl.rest.keystore"), "{refused}");
    }
}
