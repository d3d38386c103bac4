//! Reads what the taskrunner has to know before it has a link: the address of the control server, the control
//! secret and the container's directories. All of this comes from the container's environment and from the
//! credentials file that it names.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flink_model::spec::CONTROL_SECRET_ALIAS;
use hadoop_rpc::{Credentials, CredentialsError};

use crate::expand::Lookup;

/// How long the JVM may run without contact to the ApplicationMaster, if the environment does not say so.
const DEFAULT_CONTROL_GRACE: Duration = Duration::from_secs(60);

/// What the taskrunner knows before it has a link to the ApplicationMaster.
#[derive(Clone)]
pub struct Config {
    /// `host:port` of the control server (`HEDDLE_CONTROL`).
    pub control: String,
    /// The id of the container (`CONTAINER_ID`).
    pub container: String,
    /// The host of the NodeManager (`NM_HOST`); empty if it is not set.
    pub host: String,
    /// The first directory of `LOG_DIRS`.
    pub log_dir: PathBuf,
    /// The container's working directory.
    pub dir: PathBuf,
    /// The path of this program.
    pub self_exe: PathBuf,
    /// The application's control secret.
    pub secret: Vec<u8>,
    /// How long the JVM keeps running while the ApplicationMaster cannot be reached
    /// (`HEDDLE_CONTROL_GRACE_MS`).
    pub control_grace: Duration,
    /// Whether the application may get another ApplicationMaster, for which the taskrunner then listens.
    pub follows_attempts: bool,
}

/// The environment is not that of a container that heddle has started. To try again does not help.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable is missing.
    #[error(
        "environment variable {0} is not set; heddle-taskrunner is started by heddle-am in a YARN container, not by hand"
    )]
    Missing(&'static str),
    /// The value of a variable is wrong.
    #[error("environment variable {name} is `{value}`: {why}")]
    Bad {
        /// The name of the variable.
        name: &'static str,
        /// The value of the variable.
        value: String,
        /// What is wrong with the value.
        why: &'static str,
    },
    /// The credentials file cannot be read.
    #[error("no control secret: the container's credentials {} are unusable", path.display())]
    Credentials {
        /// The credentials file.
        path: PathBuf,
        /// The reason.
        source: CredentialsError,
    },
    /// The credentials do not hold the control secret.
    #[error("the container's credentials {} hold no secret `{CONTROL_SECRET_ALIAS}`", .0.display())]
    NoSecret(PathBuf),
    /// The working directory or the path of this program is not known.
    #[error("cannot tell {what}")]
    Path {
        /// Which of the two is not known.
        what: &'static str,
        /// The reason.
        source: io::Error,
    },
}

impl Config {
    /// Reads the process's environment and the credentials file that it names.
    pub fn from_env() -> Result<Config, ConfigError> {
        let config = Config {
            dir: std::env::current_dir()
                .map_err(|source| ConfigError::Path { what: "the working directory", source })?,
            self_exe: std::env::current_exe()
                .map_err(|source| ConfigError::Path { what: "the path of this program", source })?,
            ..Config::from_lookup(&|name| std::env::var(name).ok())?
        };
        let path = std::env::var_os("HADOOP_TOKEN_FILE_LOCATION")
            .map(PathBuf::from)
            .ok_or(ConfigError::Missing("HADOOP_TOKEN_FILE_LOCATION"))?;
        Ok(Config { secret: read_secret(&path)?, ..config })
    }

    /// Reads the part that comes from variables alone.
    fn from_lookup(env: Lookup) -> Result<Config, ConfigError> {
        let need = |name: &'static str| {
            env(name).filter(|value| !value.trim().is_empty()).ok_or(ConfigError::Missing(name))
        };
        let control = need("HEDDLE_CONTROL")?;
        let port = control.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() {
            let why = "it must be host:port";
            return Err(ConfigError::Bad { name: "HEDDLE_CONTROL", value: control, why });
        }
        let log_dirs = need("LOG_DIRS")?;
        let log_dir = log_dirs.split(',').map(str::trim).find(|dir| !dir.is_empty());
        let log_dir = PathBuf::from(log_dir.ok_or(ConfigError::Missing("LOG_DIRS"))?);
        let control_grace = match env("HEDDLE_CONTROL_GRACE_MS") {
            None => DEFAULT_CONTROL_GRACE,
            Some(value) => value.trim().parse().map(Duration::from_millis).map_err(|_| {
                let why = "it must be a number of milliseconds";
                ConfigError::Bad { name: "HEDDLE_CONTROL_GRACE_MS", value, why }
            })?,
        };
        Ok(Config {
            follows_attempts: env("HEDDLE_FOLLOW_ATTEMPTS").is_some_and(|value| value.trim() == "true"),
            control,
            container: need("CONTAINER_ID")?,
            host: env("NM_HOST").unwrap_or_default(),
            log_dir,
            dir: PathBuf::new(),
            self_exe: PathBuf::new(),
            secret: Vec::new(),
            control_grace,
        })
    }
}

fn read_secret(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let credentials = Credentials::read_file(path)
        .map_err(|source| ConfigError::Credentials { path: path.to_owned(), source })?;
    let secret = credentials.secrets.get(CONTROL_SECRET_ALIAS).filter(|secret| !secret.is_empty());
    secret.cloned().ok_or_else(|| ConfigError::NoSecret(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let base =
            [("HEDDLE_CONTROL", "am:4000"), ("LOG_DIRS", "/l1/c,/l2/c"), ("CONTAINER_ID", "container_1")];
        Config::from_lookup(&|name| {
            let found = changes.iter().chain(&base).find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn reads_a_containers_environment() {
        let config = with(&[("NM_HOST", "n1"), ("HEDDLE_CONTROL_GRACE_MS", "1500")]).unwrap();
        assert_eq!((config.host.as_str(), config.container.as_str()), ("n1", "container_1"));
        assert_eq!(config.log_dir, Path::new("/l1/c"));
        assert_eq!(config.control_grace, Duration::from_millis(1500));
        assert_eq!(with(&[]).unwrap().control_grace, DEFAULT_CONTROL_GRACE);
        assert!(!with(&[]).unwrap().follows_attempts);
        assert!(with(&[("HEDDLE_FOLLOW_ATTEMPTS", "true")]).unwrap().follows_attempts);
    }

    #[test]
    fn says_what_is_missing_or_wrong() {
        let text = |changes: &[(&str, &str)]| with(changes).err().unwrap().to_string();
        assert!(text(&[("CONTAINER_ID", "")]).contains("CONTAINER_ID is not set"));
        assert!(text(&[("LOG_DIRS", " , ")]).contains("LOG_DIRS is not set"));
        assert_eq!(
            text(&[("HEDDLE_CONTROL", "am")]),
            "environment variable HEDDLE_CONTROL is `am`: it must be host:port"
        );
        assert!(text(&[("HEDDLE_CONTROL_GRACE_MS", "1m")]).contains("milliseconds"));
    }
}
