//! Decides which option counts if several set the same key: the last one on the command line, whatever its
//! spelling. If an option that may be given once is given several times, the first one counts, as in Flink's
//! own client.
//!
//! Options that do not count are removed from the list before anything else reads it. So the plan, the
//! containers and the user's `main()` always see the same value.

use std::collections::{HashMap, HashSet};

use clap::{ArgAction, Command};

use super::dialect::{Item, is_property};
use super::yarn_options::{key_on_run, key_on_session};

/// An option, by clap's id, and the configuration keys that it sets.
type KeysOfOption = (&'static str, &'static [&'static str]);

/// Options of `yarn-session.sh` with the keys that they set, besides those of [`super::yarn_options`].
const SESSION: [KeysOfOption; 2] = [("detached", &[ATTACHED]), ("yarn_detached", &[ATTACHED])];
/// The same for the options that name a cluster.
const CLUSTER: [KeysOfOption; 4] = [
    ("target", &["execution.target"]),
    ("executor", &["execution.target"]),
    ("application_id", &["yarn.application.id"]),
    ("zookeeper_namespace", &["high-availability.cluster-id"]),
];
/// The same for the options that say how a program runs.
const PROGRAM: [KeysOfOption; 15] = [
    ("detached", &[ATTACHED]),
    ("yarn_detached", &[ATTACHED]),
    ("parallelism", &["parallelism.default"]),
    ("classpath", &[CLASS_PATHS]),
    ("shutdown_on_attached_exit", &[SHUTDOWN]),
    ("from_savepoint", &SAVEPOINT),
    ("allow_non_restored_state", &UNCLAIMED),
    ("claim_mode", &CLAIM_MODE),
    ("restore_mode", &CLAIM_MODE),
    ("py_files", &["python.files"]),
    ("py_archives", &["python.archives"]),
    ("py_requirements", &["python.requirements"]),
    ("py_executable", &["python.executable"]),
    ("py_client_executable", &["python.client.executable"]),
    ("py_python_path", &["python.pythonpath"]),
];

const ATTACHED: &str = "execution.attached";
const SHUTDOWN: &str = "execution.shutdown-on-attached-exit";
const CLASS_PATHS: &str = "pipeline.classpaths";
/// The names of the key in all releases.
const SAVEPOINT: [&str; 2] = ["execution.savepoint.path", "execution.state-recovery.path"];
const UNCLAIMED: [&str; 2] =
    ["execution.savepoint.ignore-unclaimed-state", "execution.state-recovery.ignore-unclaimed-state"];
const CLAIM_MODE: [&str; 2] = [OLD_CLAIM_MODE, "execution.state-recovery.claim-mode"];
const OLD_CLAIM_MODE: &str = "execution.savepoint-restore-mode";

/// The options of `verb` that count, in order.
pub(super) fn settle(verb: &str, items: Vec<Item>, command: &Command) -> Vec<Item> {
    let arg = |item: &Item| command.get_arguments().find(|arg| arg.get_id() == item.id.as_str());
    let repeatable = |item: &Item| arg(item).is_some_and(|arg| matches!(arg.get_action(), ArgAction::Append));
    let mut seen = HashSet::new();
    let mut items: Vec<Item> =
        items.into_iter().filter(|item| repeatable(item) || seen.insert(item.id.clone())).collect();
    // Which option sets each key. The options are taken from the last to the first, so that the last one
    // counts.
    let mut owners: HashMap<String, String> = HashMap::new();
    let mut counts: Vec<bool> = items
        .iter()
        .rev()
        .map(|item| {
            let property = arg(item).is_some_and(is_property);
            let keys = if property { property_key(item).into_iter().collect() } else { keys(verb, &item.id) };
            let overruled =
                keys.iter().any(|key| owners.get(key).is_some_and(|owner| property || *owner != item.id));
            if !overruled {
                owners.extend(keys.into_iter().map(|key| (key, item.id.clone())));
            }
            !overruled
        })
        .collect();
    counts.reverse();
    let mut counts = counts.into_iter();
    items.retain(|_| counts.next().unwrap_or(true));
    items
}

fn keys(verb: &str, id: &str) -> Vec<String> {
    let (yarn_option, tables): (_, &[&[KeysOfOption]]) = match verb {
        "session" => (key_on_session(id), &[&SESSION]),
        "run" | "run-application" | "info" => (key_on_run(id), &[&CLUSTER, &PROGRAM]),
        _ => (None, &[&CLUSTER]),
    };
    let found = tables.iter().flat_map(|table| table.iter()).filter(|(option, _)| *option == id);
    let found = found.flat_map(|(_, keys)| keys.iter().copied());
    yarn_option.into_iter().chain(found).map(str::to_owned).collect()
}

fn property_key(item: &Item) -> Option<String> {
    let text = item.value.as_ref()?.to_str()?;
    Some(text.split_once('=').map_or(text, |(key, _)| key).trim().to_owned())
}

/// The options of Flink's own client that mean the same as `-D` with this key and value; `None` for other
/// keys. In Flink's client, these options and their defaults overrule `-D`, so `-D` would have no effect
/// there.
pub(super) fn as_flags(key: &str, value: &str) -> Option<Vec<String>> {
    let flag = |name: &str, given: bool| if given { vec![name.to_owned()] } else { Vec::new() };
    let is = |wanted: &str| value.trim().eq_ignore_ascii_case(wanted);
    Some(match key {
        "parallelism.default" => vec![format!("--parallelism={value}")],
        ATTACHED => flag("--detached", is("false")),
        SHUTDOWN => flag("--shutdownOnAttachedExit", is("true")),
        CLASS_PATHS => {
            value.split(';').filter(|url| !url.is_empty()).map(|url| format!("--classpath={url}")).collect()
        }
        _ if SAVEPOINT.contains(&key) => vec![format!("--fromSavepoint={value}")],
        _ if UNCLAIMED.contains(&key) => flag("--allowNonRestoredState", is("true")),
        OLD_CLAIM_MODE => vec![format!("--restoreMode={value}")],
        _ if CLAIM_MODE.contains(&key) => vec![format!("--claimMode={value}")],
        _ => return None,
    })
}

#[cfg(test)]
#[path = "precedence_tests.rs"]
mod tests;
