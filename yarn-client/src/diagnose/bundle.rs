//! Writes all that is known of an application into one archive, for a ticket: the verdict, the findings, the
//! facts, the logs, heddle-am's record, and the configuration. Secrets are hidden in all of it.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::answer::Why;
use super::gather::Gathered;
use super::inquiry::Inquiry;
use super::redact;
use super::tar::Tar;
use crate::error::{CauseClass, Failure};
use crate::logs::{self, Request, Tail, Tails, Which};
use crate::patience::Wait;
use crate::units::{bytes as size, iso};

/// How much of the logs is in an archive, in bytes.
const MOST_OF_LOGS: u64 = 64 << 20;
/// What the temporary file is called, before and behind its random part.
const TEMPORARY: (&str, &str) = (".heddle-why-", ".tar.gz");

/// What is written, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Bundle<'a> {
    /// The file. Its directory must exist.
    pub path: &'a Path,
    /// Whether a file that is there is replaced.
    pub replace: bool,
    /// The findings as text, for people.
    pub text: &'a str,
}

/// An archive that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How many files it has.
    pub files: usize,
    /// The size of the archive in bytes.
    pub bytes: u64,
    /// What is not in it, and why.
    pub missing: Vec<String>,
}

impl Bundle<'_> {
    /// Fails if the file is there and must not be replaced.
    pub fn check(&self) -> Result<(), Failure> {
        if !self.replace && self.path.symlink_metadata().is_ok() {
            return Err(self.is_there());
        }
        Ok(())
    }

    fn is_there(&self) -> Failure {
        Failure::new(format!("the file {} exists already", self.path.display()))
            .of_class(CauseClass::State)
            .hint("--force replaces it; or name another file")
    }

    fn cannot(&self, error: io::Error) -> Failure {
        Failure::because(format!("cannot write {}", self.path.display()), error)
    }

    /// A new file beside the archive, with mode 600 and a name that nobody can foresee. It is removed when it
    /// is dropped.
    fn temporary(&self) -> Result<NamedTempFile, Failure> {
        let directory = self.path.parent().filter(|directory| !directory.as_os_str().is_empty());
        tempfile::Builder::new()
            .prefix(TEMPORARY.0)
            .suffix(TEMPORARY.1)
            .tempfile_in(directory.unwrap_or(Path::new(".")))
            .map_err(|e| self.cannot(e))
    }

    /// Gives the file its name. A link that has the name is never followed: it is replaced, or is in the way.
    fn put(&self, file: NamedTempFile) -> Result<(), Failure> {
        let persisted =
            if self.replace { file.persist(self.path) } else { file.persist_noclobber(self.path) };
        let error = persisted.err().map(|e| e.error);
        match error {
            None => Ok(()),
            Some(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(self.is_there()),
            Some(error) => Err(self.cannot(error)),
        }
    }

    /// Writes the archive, with mode 600. It gets its name at the end; if this is given up before, nothing is
    /// left.
    pub async fn write(&self, inquiry: &Inquiry, gathered: &Gathered, why: &Why) -> Result<Written, Failure> {
        self.check()?;
        let file = self.temporary()?;
        let compressed = GzEncoder::new(BufWriter::new(file), Compression::default());
        let mut archive = Archive {
            tar: Tar::new(compressed, gathered.facts.now / 1000),
            root: why.application.clone(),
            files: 0,
            missing: Vec::new(),
        };
        let written = archive.of_judgement(gathered, why, self.text);
        written.map_err(|e| self.cannot(e))?;
        archive.of_logs(inquiry, gathered).await.map_err(|e| self.cannot(e))?;
        let (file, files, missing) = archive.finish().map_err(|e| self.cannot(e))?;
        let bytes = file.as_file().metadata().map_or(0, |metadata| metadata.len());
        self.put(file)?;
        Ok(Written { files, bytes, missing })
    }
}

/// The archive while it is written.
struct Archive<W: Write> {
    tar: Tar<GzEncoder<BufWriter<W>>>,
    /// The directory that all files are in.
    root: String,
    files: usize,
    missing: Vec<String>,
}

impl<W: Write> Archive<W> {
    fn add(&mut self, name: &str, content: &str) -> io::Result<()> {
        self.files += 1;
        self.tar.add(&format!("{}/{name}", self.root), content.as_bytes())
    }

    fn add_json(&mut self, name: &str, mut value: Value) -> io::Result<()> {
        redact::value(&mut value);
        self.add(name, &format!("{value:#}\n"))
    }

    /// Adds what was found out, and from what.
    fn of_judgement(&mut self, gathered: &Gathered, why: &Why, text: &str) -> io::Result<()> {
        let heddle = json!({
            "heddle": env!("CARGO_PKG_VERSION"),
            "application": why.application,
            "written": iso(gathered.facts.now),
        });
        self.add_json("heddle.json", heddle)?;
        let mut findings = why.json();
        let verdict = ["application", "name", "user", "state", "reason", "witnesses"];
        let verdict: serde_json::Map<String, Value> =
            verdict.iter().map(|key| ((*key).to_owned(), findings[*key].take())).collect();
        self.add_json("verdict.json", Value::Object(verdict))?;
        if let Some(findings) = findings.as_object_mut() {
            findings.retain(|_, value| !value.is_null());
        }
        self.add_json("findings.json", findings)?;
        self.add("findings.txt", &redact::text(&format!("{}\n", text.trim_end())))?;
        self.add_json("facts.json", facts(gathered))?;
        let settings = settings(gathered);
        if settings.is_empty() {
            self.missing.push("the configuration: the JobManager does not tell it".to_owned());
        } else {
            self.add("configuration.txt", &settings)?;
        }
        for (name, bytes) in &gathered.record {
            self.add(&format!("record/{name}"), &redact::json_lines(bytes))?;
        }
        for silent in &why.silent {
            self.missing.push(format!("{} {}", silent.source.text(), silent.why));
        }
        Ok(())
    }

    /// Adds the ends of all logs.
    async fn of_logs(&mut self, inquiry: &Inquiry, gathered: &Gathered) -> io::Result<()> {
        let hadoop = inquiry.hadoop.clone().waiting(Wait::Reading);
        let owner = Some(gathered.user.clone()).filter(|user| !user.is_empty());
        let (application, files) = (gathered.application, Vec::new());
        let request = Request { application, owner, which: Which::All, attempt: None, files };
        let catalog = match logs::find(&hadoop, &request).await {
            Ok(catalog) => catalog,
            Err(failure) => {
                self.missing.push(format!("all logs: {failure}"));
                return Ok(());
            }
        };
        self.missing.extend(catalog.missing.iter().map(logs::Missing::line));
        let logs: Vec<_> = catalog
            .containers
            .iter()
            .flat_map(|container| container.logs.iter().map(move |log| (container, log)))
            .collect();
        let sizes: Vec<u64> = logs.iter().map(|(_, log)| log.bytes).collect();
        let mut tails = Tails::new(catalog.application.as_str());
        for ((container, log), share) in logs.into_iter().zip(shares(&sizes, MOST_OF_LOGS)) {
            let name = format!("logs/{}/{}", container.container, file_name(&log.file));
            match tails.read(container, log, usize::try_from(share).unwrap_or(usize::MAX)).await {
                Ok(end) => self.add_log(&name, &end, log.bytes)?,
                Err(missing) => self.missing.push(missing.line()),
            }
        }
        Ok(())
    }

    /// Adds the end of a log of `whole` bytes.
    fn add_log(&mut self, name: &str, end: &Tail, whole: u64) -> io::Result<()> {
        // The key of a secret would be missing in front of it in a line that is not whole.
        let lines = end.lines();
        if lines.contains(&0) {
            self.missing.push(format!("{name}: it is no text, so secrets in it could not be hidden"));
            return Ok(());
        }
        if !end.is_whole() {
            let kept = lines.len() as u64;
            self.missing.push(format!(
                "{name}: it has {}, of which the last {} are here",
                size(whole),
                size(kept)
            ));
        }
        self.add(name, &redact::bytes(lines))
    }

    /// Ends the archive; gives what it was written to, how many files it has, and what is missing.
    fn finish(mut self) -> io::Result<(W, usize, Vec<String>)> {
        if !self.missing.is_empty() {
            let lines: String = self.missing.iter().map(|line| format!("{line}\n")).collect();
            self.add("missing.txt", &redact::text(&lines))?;
        }
        let written = self.tar.finish()?.finish()?;
        let written = written.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((written, self.files, self.missing))
    }
}

/// All facts but the configuration, which has a file of its own.
fn facts(gathered: &Gathered) -> Value {
    fn list<T: Serialize>(list: &[T]) -> Value {
        list.iter().map(|each| serde_json::to_value(each).unwrap_or_default()).collect()
    }
    let facts = &gathered.facts;
    json!({
        "now": facts.now,
        "applications": list(&facts.applications),
        "attempts": list(&facts.attempts),
        "ends": list(&facts.ends),
        "asks": list(&facts.asks),
        "nodes": list(&facts.nodes),
        "queues": list(&facts.queues),
        "jobs": list(&facts.jobs),
        "told": list(&facts.told),
        "classes": list(&facts.classes),
        "outcomes": list(&facts.outcomes),
        "absent": list(&facts.absent),
    })
}

/// The JobManager's configuration, a line for each key.
fn settings(gathered: &Gathered) -> String {
    let line = |entry: &flink_rest::ConfigEntry| {
        let value = redact::setting(&entry.key, entry.value.clone()).replace('\n', " ");
        format!("{}: {value}\n", entry.key)
    };
    gathered.configuration.iter().map(line).collect()
}

/// The name of a log as the name of a file in the archive.
fn file_name(name: &str) -> String {
    let name: String =
        name.chars().map(|c| if matches!(c, '/' | '\\') || c.is_control() { '_' } else { c }).collect();
    if matches!(name.as_str(), "" | "." | "..") { "_".to_owned() } else { name }
}

/// How much each of these sizes gets of a total: those that are smaller than their share leave the rest to
/// the others.
fn shares(sizes: &[u64], total: u64) -> Vec<u64> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|at| sizes.get(*at).copied());
    let mut shares = vec![0; sizes.len()];
    let (mut left, mut others) = (total, sizes.len() as u64);
    for at in order {
        let size = sizes.get(at).copied().unwrap_or_default();
        let share = size.min(left / others.max(1));
        if let Some(place) = shares.get_mut(at) {
            *place = share;
        }
        left -= share;
        others = others.saturating_sub(1);
    }
    shares
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use diagnosis::facts::{Absent, Facts, Seen, Source};
    use flate2::read::GzDecoder;
    use flink_rest::ConfigEntry;
    use proptest::prelude::*;

    use super::*;

    fn gathered() -> Gathered {
        let entry = |key: &str, value: &str| ConfigEntry { key: key.into(), value: value.into() };
        let absent = vec![Seen { source: Source::AggregatedLogs, at: None, fact: Absent::Off }];
        Gathered {
            application: "application_1_0001".parse().unwrap(),
            name: "count".into(),
            user: "ann".into(),
            facts: Facts { now: 1_700_000_000_000, absent, ..Facts::default() },
            task_managers: None,
            notes: Vec::new(),
            configuration: vec![
                entry("rest.port", "0"),
                entry("s3.secret-key", "hush"),
                entry("$internal.application.program-args", "--user;hush"),
                entry("containerized.master.env.ARGUMENTS", "-v --password hush"),
            ],
            record: vec![("outcome.json", b"{\"diagnostics\":\"-Dmy.password=hush\"}".to_vec())],
        }
    }

    #[test]
    fn what_is_in_it_without_secrets() {
        let gathered = gathered();
        let why = Why::of(&gathered, true);
        let mut archive = Archive {
            tar: Tar::new(GzEncoder::new(BufWriter::new(Vec::new()), Compression::fast()), 1),
            root: why.application.clone(),
            files: 0,
            missing: Vec::new(),
        };
        archive.of_judgement(&gathered, &why, "nothing").unwrap();
        let (compressed, files, missing) = archive.finish().unwrap();
        assert_eq!((files, missing), (8, vec!["aggregated logs are switched off".to_owned()]));
        let mut text = String::new();
        GzDecoder::new(&compressed[..]).read_to_string(&mut text).unwrap();
        for name in [
            "heddle.json",
            "verdict.json",
            "findings.json",
            "findings.txt",
            "facts.json",
            "configuration.txt",
            "record/outcome.json",
            "missing.txt",
        ] {
            assert!(text.contains(&format!("application_1_0001/{name}\0")), "{name}");
        }
        assert!(text.contains("rest.port: 0\ns3.secret-key: ******\n") && !text.contains("hush"), "{text}");
        assert!(text.contains("\"state\": \"unknown\""), "{text}");
    }

    #[test]
    fn a_file_that_is_there_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.tar.gz");
        let bundle = |replace| Bundle { path: &path, replace, text: "" };
        assert!(bundle(false).check().is_ok());
        std::fs::write(&path, "x").unwrap();
        let failure = bundle(false).check().unwrap_err();
        assert!(failure.hints()[0].contains("--force") && !failure.is_usage(), "{failure}");
        assert!(bundle(true).check().is_ok());
    }

    #[test]
    fn no_link_is_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("a.tar.gz"), directory.path().join("other"));
        std::fs::write(&other, "x").unwrap();
        symlink(&other, &path).unwrap();
        let bundle = |replace| Bundle { path: &path, replace, text: "" };
        assert!(bundle(false).check().is_err(), "whatever it leads to");
        let refused = bundle(false).put(bundle(false).temporary().unwrap()).unwrap_err();
        assert!(refused.to_string().contains("exists already"), "{refused}");
        assert!(path.symlink_metadata().unwrap().is_symlink());
        bundle(true).put(bundle(true).temporary().unwrap()).unwrap();
        let written = path.symlink_metadata().unwrap();
        assert!(written.is_file() && written.permissions().mode() & 0o777 == 0o600, "{written:?}");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "x");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn names_of_files() {
        assert_eq!(file_name("taskmanager.log"), "taskmanager.log");
        assert_eq!((file_name(".."), file_name("../x\n")), ("_".to_owned(), ".._x_".to_owned()));
    }

    #[test]
    fn small_logs_leave_their_share_to_large_ones() {
        assert_eq!(shares(&[100, 5, 1000], 205), [100, 5, 100]);
        assert_eq!(shares(&[1, 2], 100), [1, 2]);
        assert_eq!(shares(&[10, 10, 10], 10), [3, 3, 4]);
        assert_eq!(shares(&[], 10), Vec::<u64>::new());
    }

    proptest! {
        #[test]
        fn shares_fit(sizes in prop::collection::vec(0_u64..1000, 0..20), total in 0_u64..5000) {
            let shares = shares(&sizes, total);
            prop_assert!(shares.iter().sum::<u64>() <= total);
            prop_assert!(shares.iter().zip(&sizes).all(|(share, size)| share <= size));
            if sizes.iter().sum::<u64>() <= total {
                prop_assert_eq!(shares, sizes);
            }
        }
    }
}
