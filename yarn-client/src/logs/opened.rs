//! The text of a log, wherever it is: with a NodeManager, or among the logs that YARN has collected.

use bytes::Bytes;

use super::collected::{self, Reader};
use super::missing::Missing;
use super::node_web::LiveText;
use super::types::{At, ContainerLogs, Log};

/// A log that is being read.
#[derive(Debug)]
pub(super) enum Opened {
    Live(Box<LiveText>),
    Collected(collected::Text),
}

/// What is missing if this log cannot be read to its end.
pub(super) fn rest_of(container: &ContainerLogs, log: &Log) -> String {
    format!("the rest of {} of {}, from {}", log.file, container.container, log.place)
}

impl Opened {
    /// Opens a log of the application. `last` is the number of bytes at its end that are of interest; a
    /// NodeManager then sends no others, and a collected log is read from its beginning all the same.
    pub(super) async fn of(
        application: &str,
        (container, log): (&ContainerLogs, &Log),
        reader: &mut Reader,
        last: Option<u64>,
    ) -> Result<Self, Missing> {
        let what = rest_of(container, log);
        let failed = |error: yarn_logs::LogsError| Missing::new(&what, error.to_string());
        match &log.at {
            At::Live(node) => {
                let opened = node.open(&container.container, &log.file, last).await;
                opened.map(Box::new).map(Self::Live).map_err(|trouble| trouble.missing(&what))
            }
            At::TFile { file, at } => {
                let opened = reader.tfile(file, *at).await;
                opened.map(Self::Collected).map_err(failed)
            }
            At::Indexed { file, end, entry } => {
                let opened = reader.indexed(file, *end, *entry, application).await;
                opened.map(Self::Collected).map_err(failed)
            }
        }
    }

    /// Whether it is read from its beginning on.
    pub(super) fn is_from_the_beginning(&self) -> bool {
        match self {
            Self::Live(text) => text.from == 0,
            Self::Collected(_) => true,
        }
    }

    /// Whether a NodeManager has it, so that more may be written.
    pub(super) fn is_live(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// The next piece; `None` at the end. `what` is what is missing if there is an error.
    pub(super) async fn next(&mut self, what: &str) -> Result<Option<Bytes>, Missing> {
        match self {
            Self::Live(text) => text.next().await.map_err(|trouble| trouble.missing(what)),
            Self::Collected(text) => text.next().await.map_err(|error| Missing::new(what, error.to_string())),
        }
    }
}
