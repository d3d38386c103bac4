//! Looks for classes beside everything else, when an exception has named them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diagnosis::facts::ClassJars;
use flink_model::class_path::is_parent_first;
use flink_model::config::{Configuration, FileFormat};
use flink_model::spec::ClusterMode;
use taskrunner::expand;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::listed::Jars;
use super::search::search;
use crate::clock;
use crate::environment::Environment;
use crate::flink_settings;
use crate::history::SharedHistory;

/// How long a search may take. Hadoop and Flink have some hundred jars.
const LONGEST: Duration = Duration::from_secs(20);
/// Most classes of one search, and the longest name of one, in bytes.
const MOST: usize = 8;
const LONGEST_NAME: usize = 300;
/// The key with the URLs of the program's jars.
const JARS: &str = "pipeline.jars";

/// Clones are the same.
#[derive(Clone)]
pub(crate) struct ClassSearch {
    environment: Arc<Environment>,
    history: SharedHistory,
    /// One search at a time.
    one: Arc<Mutex<()>>,
    /// Whether a search has not come to its end. Another one would not either, and those who ask would wait
    /// for it each time.
    given_up: Arc<AtomicBool>,
}

impl ClassSearch {
    pub(crate) fn new(environment: Arc<Environment>, history: SharedHistory) -> Self {
        Self { environment, history, one: Arc::default(), given_up: Arc::default() }
    }

    /// Looks for those of these classes that are not known yet, notes in the history which jars hold them,
    /// and waits for that for `within` at most. A search that takes longer goes on.
    pub(crate) async fn look(&self, classes: Vec<String>, within: Duration) {
        // Known ones do not count among the most that are looked for.
        let mut classes = self.history.unknown_classes(classes);
        classes.retain(|class| class.len() <= LONGEST_NAME);
        classes.truncate(MOST);
        if classes.is_empty() || self.given_up.load(Ordering::Relaxed) {
            return;
        }
        let this = self.clone();
        let work = tokio::spawn(async move {
            let _one = this.one.lock().await;
            // Another search may have found them meanwhile.
            let classes = this.history.unknown_classes(classes);
            if classes.is_empty() || this.given_up.load(Ordering::Relaxed) {
                return;
            }
            let environment = this.environment.clone();
            match tokio::task::spawn_blocking(move || find(&environment, classes)).await {
                Ok(Ok(found)) => this.history.note_classes(found, clock::unix_ms()),
                Ok(Err(why)) => {
                    this.given_up.store(true, Ordering::Relaxed);
                    tracing::info!(
                        why,
                        "it is not known which jars hold a class, and no other is looked for"
                    );
                }
                Err(error) => tracing::warn!(%error, "it is not known which jars hold a class"),
            }
        });
        if timeout(within, work).await.is_err() {
            tracing::debug!("the search for a class goes on");
        }
    }
}

fn find(environment: &Environment, classes: Vec<String>) -> Result<Vec<ClassJars>, String> {
    let begin = clock::now();
    let (dir, spec) = (&environment.dir, &environment.spec);
    let configuration = flink_settings::settings(dir, &spec.application.flink_version)
        .map_or_else(|| Configuration::new(FileFormat::Standard), |settings| settings.configuration);
    let template = &spec.job_manager.jvm;
    let env = |name: &str| template.env.get(name).cloned().or_else(|| std::env::var(name).ok());
    let class_path = expand::class_path(&template.class_path, "", &env).0;
    let jars = Jars {
        program_in_user_code: spec.application.mode == ClusterMode::Application,
        ..Jars::of(dir, &class_path, &program(&configuration))
    };
    let program_unseen = spec.application.mode == ClusterMode::Session;
    let is_late = || begin.elapsed() >= LONGEST;
    let parent_first = |class: &str| is_parent_first(class, &configuration);
    let found = search(&jars, classes, parent_first, program_unseen, is_late)?;
    for ClassJars { class, jars, searched, .. } in &found {
        let names: Vec<&str> = jars.iter().map(|jar| jar.name.as_str()).collect();
        tracing::info!(class, searched, jars = names.join(", "), "the jars that hold a class");
    }
    Ok(found)
}

/// The names of the program's jars.
fn program(configuration: &Configuration) -> BTreeSet<String> {
    let text = configuration.text(JARS).unwrap_or_default();
    let urls = text.split([';', ',', '[', ']', '\'', '"']).map(str::trim);
    urls.filter_map(|url| url.rsplit('/').next()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_jars() {
        let of = |text: &str| {
            let mut configuration = Configuration::new(FileFormat::Standard);
            configuration.set_dynamic(JARS, text);
            program(&configuration).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(of("file:///a/job.jar;file:/b/udf.jar"), ["job.jar", "udf.jar"]);
        assert_eq!(of("[file:///a/job.jar, local:///job2.jar]"), ["job.jar", "job2.jar"]);
        assert!(of("").is_empty() && program(&Configuration::new(FileFormat::Standard)).is_empty());
    }
}
