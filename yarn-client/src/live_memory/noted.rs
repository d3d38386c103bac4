//! Reads what heddle-am and heddle-taskrunner have noted in their logs of the memory of their JVMs.

use std::collections::BTreeMap;
use std::time::Duration;

use taskrunner::memory_log::{self, Noted};
use tokio::time::timeout;
use yarn_api::records::ApplicationId;

use crate::hadoop::Hadoop;
use crate::logs::{self, Catalog, Request, Tails, Which};

/// The log files.
const FILES: [&str; 2] = ["heddle-am.log", "heddle-taskrunner.log"];
/// How much is read of the end of each, in bytes. There is a line each five minutes at least.
const END: usize = 32 << 10;
/// The time limit of all logs together.
const WITHIN: Duration = Duration::from_secs(20);
/// Most logs that are read.
const MOST: usize = 64;

/// The newest word on each container, and what is missing.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) noted: BTreeMap<String, Noted>,
    pub(super) missing: Vec<String>,
}

/// Reads the logs of these containers.
pub(super) async fn read(hadoop: &Hadoop, application: ApplicationId, containers: &[&str]) -> Words {
    let files = FILES.map(str::to_owned).into();
    let request = Request { application, owner: None, which: Which::All, attempt: None, files };
    let mut words = Words::default();
    let work = async {
        match logs::find(hadoop, &request).await {
            Ok(catalog) => of_catalog(&catalog, containers, &mut words).await,
            Err(failure) => words.missing.push(format!("the logs: {failure}")),
        }
    };
    if timeout(WITHIN, work).await.is_err() {
        words.missing.push(format!("logs that were not read within {} s", WITHIN.as_secs()));
    }
    words
}

async fn of_catalog(catalog: &Catalog, containers: &[&str], words: &mut Words) {
    words.missing.extend(catalog.missing.iter().map(logs::Missing::line));
    let mut tails = Tails::new(catalog.application.as_str());
    let wanted = catalog.containers.iter().filter(|one| containers.contains(&one.container.as_str()));
    for container in wanted.take(MOST) {
        // Of logs that are collected while the application runs, the NodeManager has the newest part.
        for log in container.logs.iter().rev().filter(|log| log.bytes > 0) {
            let found = match tails.read(container, log, END).await {
                Ok(end) => newest(&String::from_utf8_lossy(end.lines())),
                Err(missing) => {
                    words.missing.push(missing.line());
                    None
                }
            };
            if let Some(noted) = found {
                words.noted.insert(container.container.clone(), noted);
                break;
            }
        }
    }
}

fn newest(text: &str) -> Option<Noted> {
    text.lines().rev().find_map(memory_log::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_line_counts() {
        let line = |at: u64, rss: u64| format!("x: {} rss_mb={rss} peak_mb=9 at={at}\n", memory_log::WORDS);
        let text = format!("{}{}something else\n", line(1, 5), line(2, 6));
        assert_eq!(newest(&text).map(|noted| (noted.at, noted.rss)), Some((2, 6 << 20)));
        assert_eq!(newest("nothing\n"), None);
    }
}
