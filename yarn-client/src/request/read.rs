//! Reads a request. It says what runs with the user's rights, and holds a whole configuration, in which there
//! may be passwords. So its file and its directories must be the user's own, and the directories closed to
//! all others.

use std::io::Read;
use std::path::Path;

use flink_model::spec::ClusterMode;
use serde::Deserialize;
use serde_json::Error;

use super::value::{Request, VERSION};
use crate::error::Failure;
use crate::ownership::{self, Distrust};

/// The most bytes of the file that are read. Real ones are far smaller.
const LONGEST: u64 = 64 << 20;
/// The hint where the caller speaks of something that this release does not know.
const ONE_RELEASE: &str =
    "the calling program, such as heddle-agent.jar, must be of the same release as heddle";
/// The hint where others could read or change what was asked for.
const PRIVATE: &str = "it has to be in a directory of the mode 700 that belongs to the user, with nothing above it that others may change";

/// What is read first, because another version may have other keys.
#[derive(Deserialize)]
struct Version {
    version: Option<u64>,
}

impl Request {
    /// Reads a request from the file at this absolute path. It is a failure if the file, its directory, or
    /// one of the directories with configurations is not private, or if the request is not one of this
    /// version.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let what = || format!("cannot read the request {}", path.display());
        closed(path.parent().unwrap_or(Path::new("/")))?;
        let file = match ownership::open(path) {
            Ok(Ok(file)) => file,
            Ok(Err(distrust)) => return Err(not_private(path, &distrust)),
            Err(e) => return Err(Failure::because(what(), e)),
        };
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text).map_err(|e| Failure::because(what(), e))?;
        let request = Self::parse(&text)?;
        closed(&request.flink_conf_dir)?;
        closed(&request.hadoop_conf_dir)?;
        Ok(request)
    }

    /// The request in the text of a file.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Failure> {
        let Version { version } = serde_json::from_slice(text).map_err(|e| malformed(&e))?;
        if version != Some(VERSION) {
            let version = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
            let what = format!("the version of the request is {version}, and this heddle reads {VERSION}");
            return Err(Failure::new(what).hint(ONE_RELEASE).unsupported());
        }
        let request: Self = serde_json::from_slice(text).map_err(|e| malformed(&e))?;
        match request.contradiction() {
            Some(why) => Err(Failure::new(format!("the request makes no sense: {why}"))),
            None => Ok(request),
        }
    }

    fn contradiction(&self) -> Option<&'static str> {
        let program = self.program.is_some();
        match self.mode {
            ClusterMode::Application if !program => return Some("an application has a program"),
            ClusterMode::Session | ClusterMode::PerJob if program => {
                return Some("only an application has a program");
            }
            ClusterMode::Session | ClusterMode::Application if !self.user_jars.is_empty() => {
                return Some("only a per-job cluster has userJars");
            }
            _ => {}
        }
        if self.job_graph.is_some() {
            return Some(
                "jobGraph is not null; whoever asks for a per-job cluster submits the job graph to it",
            );
        }
        let relative = [&self.flink_conf_dir, &self.hadoop_conf_dir].into_iter().any(|dir| dir.is_relative());
        relative.then_some("flinkConfDir and hadoopConfDir are absolute paths")
    }
}

/// The failure for a text that is no request.
fn malformed(error: &Error) -> Failure {
    let text = error.to_string();
    // Other texts may repeat a value, which may be a secret.
    let tells_keys = ["unknown field", "missing field", "duplicate field", "unknown variant"];
    let why = if !error.is_data() || tells_keys.iter().any(|start| text.starts_with(start)) {
        text
    } else {
        format!("a value is not of its kind at line {} column {}", error.line(), error.column())
    };
    let failure = Failure::new(format!("cannot understand the request: {why}"));
    // What is JSON, but not of this form, comes from a caller of another release.
    if error.is_data() { failure.hint(ONE_RELEASE).unsupported() } else { failure }
}

/// Refuses a directory into which others may look.
fn closed(directory: &Path) -> Result<(), Failure> {
    match ownership::check_closed(directory) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(distrust)) => Err(not_private(directory, &distrust)),
        Err(e) => Err(Failure::because(format!("cannot look at the directory {}", directory.display()), e)),
    }
}

fn not_private(path: &Path, distrust: &Distrust) -> Failure {
    // The directory is often that of a tool's temporary files, of which Flink's client asks nothing.
    Failure::new(format!("the request is not carried out: {} is not private: {distrust}", path.display()))
        .hint(PRIVATE)
        .unsupported()
}
