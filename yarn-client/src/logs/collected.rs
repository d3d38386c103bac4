//! The logs that YARN has collected on a file system: which there are, and their text.

use std::collections::HashMap;

use bytes::Bytes;
use futures::StreamExt;
use hadoop_fs::{FileStatus, FsErrorKind, Storage};
use yarn_api::records::{ApplicationId, ContainerId};
use yarn_logs::ifile::{CHECKSUM, Checksum, IndexedFile, LARGEST_CHECKSUM};
use yarn_logs::layout::{self, Entry};
use yarn_logs::tfile::{self, Place, Records, TFile};
use yarn_logs::{Content, LogsError, ReadAt, read_at};

use super::missing::Missing;
use super::places::settings;
use super::stored::Stored;
use super::types::{At, Log, Source};
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::units::iso;

/// How many files are opened at the same time.
const AT_ONCE: usize = 16;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) found: Vec<Found>,
    pub(super) missing: Vec<Missing>,
    /// The directories that were looked for, as URLs.
    pub(super) looked_in: Vec<String>,
}

/// A log file that was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: ContainerId,
    /// `host:port` of the NodeManager.
    pub(super) node: Option<String>,
    pub(super) log: Log,
}

/// A file in which a node has collected logs.
struct NodeFile {
    stored: Stored,
    node: Option<String>,
    /// Where the last good index of an IndexedFile ends, if it does not end with one.
    end: Option<u64>,
}

/// Looks for the collected logs of an application of this user in all places where they can be. It is a
/// failure if the configuration cannot be used or the NameNode does not answer.
pub(super) async fn survey(hadoop: &Hadoop, id: ApplicationId, user: &str) -> Result<Survey, Failure> {
    let mut survey = Survey::default();
    let mut files = Vec::new();
    for directory in layout::directories(&settings(&hadoop.conf)?, user, id) {
        let url = directory.contains("://").then_some(directory.as_str());
        let storage = match hadoop.storage(url) {
            Ok(storage) => storage,
            Err(failure) => {
                survey.missing.push(Missing::new(format!("what is in {directory}"), failure.to_string()));
                continue;
            }
        };
        survey.looked_in.push(storage.url(&directory).unwrap_or_else(|_| directory.clone()));
        match storage.list(&directory, false).await {
            Ok(entries) => files.extend(node_files(&storage, entries, &mut survey.missing).await),
            Err(error) => match error.kind() {
                FsErrorKind::NotFound | FsErrorKind::NotADirectory => {}
                FsErrorKind::PermissionDenied => survey.missing.push(
                    Missing::new(format!("what is in {directory}"), error.to_string())
                        .hint("collected logs can be read by the application's user and by the group of the directory"),
                ),
                _ => return Err(Failure::fs(&error).of_application(id)),
            },
        }
    }
    let application = id.to_string();
    let application = &application;
    let opened = futures::stream::iter(files).map(|file| async move {
        let url = file.stored.url();
        let mut found = Vec::new();
        let done = logs_in(file, application, &mut found).await;
        (found, done.err().map(|error| unreadable(&url, &error)))
    });
    for (found, missing) in opened.buffered(AT_ONCE).collect::<Vec<_>>().await {
        survey.found.extend(found);
        survey.missing.extend(missing);
    }
    Ok(survey)
}

fn unreadable(url: &str, error: &LogsError) -> Missing {
    let missing = Missing::new(format!("the logs in {url}"), error.to_string());
    match error {
        LogsError::Storage(_) => missing.retry_if(true),
        LogsError::Damaged(_) => missing
            .hint("if the NodeManager still writes it, try again later; `yarn logs` may say more otherwise"),
        LogsError::Codec(_) => missing.hint("`yarn logs` reads it where the library for that is installed"),
    }
}

/// The files with logs in a directory. What cannot be read is added to `missing`.
async fn node_files(
    storage: &Storage,
    entries: Vec<FileStatus>,
    missing: &mut Vec<Missing>,
) -> Vec<NodeFile> {
    let name = |status: &FileStatus| status.path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut ends: HashMap<String, u64> = HashMap::new();
    for status in
        entries.iter().filter(|status| !status.is_dir && layout::entry(&name(status)) == Entry::Checksum)
    {
        match storage.read(&status.path, LARGEST_CHECKSUM).await {
            Ok(bytes) => {
                if let Some(Checksum { file, end }) = Checksum::read(&bytes) {
                    let file = file.unwrap_or_else(|| name(status).trim_end_matches(CHECKSUM).to_owned());
                    ends.insert(file, end);
                }
            }
            Err(error) => tracing::debug!(%error, "the end of an index is not known"),
        }
    }
    let mut files = Vec::new();
    for status in &entries {
        let name = name(status);
        let what = || format!("the logs in {}{}", storage.root(), status.path);
        match layout::entry(&name) {
            Entry::Archive => missing.push(
                Missing::new(
                    what(),
                    "they were moved to an archive of Hadoop (.har), which heddle does not read",
                )
                .hint("`yarn logs` reads it"),
            ),
            _ if status.is_dir => {}
            Entry::Unfinished => missing.push(
                Missing::new(what(), "a NodeManager still writes it, or has ended while it did")
                    .retry_if(true),
            ),
            Entry::Checksum => {}
            Entry::Logs { .. } if ends.get(&name) == Some(&0) => missing.push(Missing::new(
                what(),
                "the NodeManager has failed while it wrote them for the first time",
            )),
            Entry::Logs { node, .. } => files.push(NodeFile {
                stored: Stored::new(storage.clone(), status),
                node: node.map(|node| node.to_string()),
                end: ends.get(&name).copied(),
            }),
        }
    }
    files
}

/// Adds the log files in a file to `found`; before an error, those in front of it. Which format the file has
/// is seen from its first bytes.
async fn logs_in(file: NodeFile, application: &str, found: &mut Vec<Found>) -> Result<(), LogsError> {
    let NodeFile { stored, node, end } = file;
    let place = stored.url();
    let log = |file: String, bytes: u64, modified: Option<String>, at: At| Log {
        file,
        bytes,
        modified,
        source: Source::Aggregated,
        place: place.clone(),
        at,
    };
    if is_tfile(&stored).await? {
        let opened = TFile::open(stored.clone()).await?;
        let (mut records, mut damaged) = (opened.records(), None);
        while let Some(key) = records.next().await? {
            let Ok(id) = key.parse::<ContainerId>() else { continue };
            loop {
                match records.next_log().await {
                    Ok(Some(tfile::Log { name, size })) => {
                        let at = At::TFile { file: stored.clone(), at: records.place() };
                        found.push(Found { id, node: node.clone(), log: log(name, size, None, at) });
                    }
                    Ok(None) => break,
                    // What follows of this container cannot be told apart. The logs of the next one can.
                    Err(error @ LogsError::Damaged(_)) => {
                        damaged = damaged.or(Some(error));
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        return damaged.map_or(Ok(()), Err);
    }
    let opened = IndexedFile::open(stored.clone(), application, end).await?;
    let node = opened.node().map(str::to_owned).or(node);
    for (entry, indexed) in opened.logs().iter().enumerate() {
        let Ok(id) = indexed.container.parse::<ContainerId>() else { continue };
        let at = At::Indexed { file: stored.clone(), end, entry };
        let modified = indexed.modified_ms.and_then(iso);
        found.push(Found {
            id,
            node: node.clone(),
            log: log(indexed.name.clone(), indexed.size, modified, at),
        });
    }
    Ok(())
}

async fn is_tfile(stored: &Stored) -> Result<bool, LogsError> {
    let size = tfile::MARK.len();
    Ok(stored.size() >= size as u64 && read_at(stored, 0, size).await? == tfile::MARK)
}

/// Reads collected logs one after the other. It keeps the file open that was read last, because the next log
/// is often in it, too.
#[derive(Debug, Default)]
pub(super) struct Reader {
    last: Option<(String, Open)>,
}

#[derive(Debug)]
enum Open {
    TFile(TFile<Stored>),
    Indexed(IndexedFile<Stored>),
}

impl Reader {
    /// Opens the log file at this place of a TFile.
    pub(super) async fn tfile(&mut self, file: &Stored, at: Place) -> Result<Text, LogsError> {
        let url = file.url();
        let opened = match self.last.take() {
            Some((last, Open::TFile(opened))) if last == url => opened,
            _ => TFile::open(file.clone()).await?,
        };
        let records = opened.records_at(at).await;
        self.last = Some((url, Open::TFile(opened)));
        Ok(Text::TFile(Box::new(records?)))
    }

    /// Opens the log file with this number in an IndexedFile.
    pub(super) async fn indexed(
        &mut self,
        file: &Stored,
        end: Option<u64>,
        entry: usize,
        application: &str,
    ) -> Result<Text, LogsError> {
        let url = file.url();
        let opened = match self.last.take() {
            Some((last, Open::Indexed(opened))) if last == url => opened,
            _ => IndexedFile::open(file.clone(), application, end).await?,
        };
        let text = match opened.logs().get(entry) {
            Some(log) => opened.content(log),
            None => Err(LogsError::Damaged("it is not there any more".to_owned())),
        };
        self.last = Some((url, Open::Indexed(opened)));
        Ok(Text::Indexed(Box::new(text?)))
    }
}

/// The text of a collected log.
#[derive(Debug)]
pub(super) enum Text {
    TFile(Box<Records<Stored>>),
    Indexed(Box<Content<Stored>>),
}

impl Text {
    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, LogsError> {
        match self {
            Self::TFile(records) => records.text().await,
            Self::Indexed(content) => content.next().await,
        }
    }
}
