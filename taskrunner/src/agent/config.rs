//! Reads what the taskrunner has to know before it has a link: the address of the control server, its own
//! key and the container's directories. All of this comes from the container's environment and from the
//! credentials file that it names.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hadoop_rpc::{Credentials, CredentialsError};

use crate::expand::Lookup;
use crate::keys::{Access, KeyError};

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
    /// What proves to the control server who we are, and how we know the server.
    pub access: Access,
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
    #[error("no key for the control server: the container's credentials {} are unusable", path.display())]
    Credentials {
        /// The credentials file.
        path: PathBuf,
        /// The reason.
        source: CredentialsError,
    },
    /// The credentials do not hold what the control server wants.
    #[error("the credentials file {}", path.display())]
    Keys {
        /// The credentials file.
        path: PathBuf,
        /// What is missing.
        source: KeyError,
    },
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
        let path = std::env::var_os("HADOOP_TOKEN_FILE_LOCATION")
            .map(PathBuf::from)
            .ok_or(ConfigError::Missing("HADOOP_TOKEN_FILE_LOCATION"));
        let access = |container: &str| read_access(&path?, container);
        let config = Config::from_lookup(&|name| std::env::var(name).ok(), access)?;
        Ok(Config {
            dir: std::env::current_dir()
                .map_err(|source| ConfigError::Path { what: "the working directory", source })?,
            self_exe: std::env::current_exe()
                .map_err(|source| ConfigError::Path { what: "the path of this program", source })?,
            ..config
        })
    }

    /// Reads the part that comes from variables, and with `access` the container's key.
    fn from_lookup(
        env: Lookup,
        access: impl FnOnce(&str) -> Result<Access, ConfigError>,
    ) -> Result<Config, ConfigError> {
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
        let container = need("CONTAINER_ID")?;
        Ok(Config {
            follows_attempts: env("HEDDLE_FOLLOW_ATTEMPTS").is_some_and(|value| value.trim() == "true"),
            control,
            access: access(&container)?,
            container,
            host: env("NM_HOST").unwrap_or_default(),
            log_dir,
            dir: PathBuf::new(),
            self_exe: PathBuf::new(),
            control_grace,
        })
    }
}

fn read_access(path: &Path, container: &str) -> Result<Access, ConfigError> {
    let credentials = Credentials::read_file(path)
        .map_err(|source| ConfigError::Credentials { path: path.to_owned(), source })?;
    Access::of_worker(&credentials, container)
        .map_err(|source| ConfigError::Keys { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{ControlKeys, LENGTH, Role};

    fn with(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let base =
            [("HEDDLE_CONTROL", "am:4000"), ("LOG_DIRS", "/l1/c,/l2/c"), ("CONTAINER_ID", "container_1")];
        let env = |name: &str| {
            let found = changes.iter().chain(&base).find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let keys = ControlKeys::generate([1; LENGTH]).unwrap();
        Config::from_lookup(&env, |container| Ok(keys.access(Role::Worker(container.to_owned())).unwrap()))
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
