//! Holds what the client takes from the process that it runs in: environment variables, directories and the
//! user. No other module of this crate reads these from the process, so that tests can set them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use flink_model::config::shown_all;
use hadoop_rpc::{Login, UserIdentity};

use crate::error::{CauseClass, Failure};
use crate::logins::Logins;
use crate::ownership::{self, Distrust};
use crate::patience::Waits;
use crate::variables::{self, Variable};

/// The environment of one run: everything that a command or a deployment needs to know of its process.
#[derive(Clone)]
pub struct Context {
    /// The environment variables.
    pub vars: BTreeMap<String, String>,
    /// The working directory, to which relative paths of the user refer.
    pub cwd: PathBuf,
    /// heddle's own program, with symbolic links resolved.
    pub exe: PathBuf,
    /// The name of the user for the operating system.
    pub user: String,
    /// What is called while the client waits for a server that does not answer.
    pub waits: Waits,
    /// The Kerberos logins of this run.
    pub logins: Logins,
}

impl fmt::Debug for Context {
    /// Leaves out the values of variables with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("vars", &shown_all(&self.vars))
            .field("cwd", &self.cwd)
            .field("exe", &self.exe)
            .field("user", &self.user)
            .field("logins", &self.logins)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// Reads the environment of this process. It is a failure if the program's path or the working directory
    /// cannot be found out.
    #[expect(clippy::disallowed_methods, reason = "this is where the surroundings are read")]
    pub fn of_process() -> Result<Self, Failure> {
        let exe = std::env::current_exe().and_then(|p| p.canonicalize());
        let exe = exe.map_err(|e| {
            Failure::because("cannot find out where this program is", e).of_class(CauseClass::Local)
        })?;
        let cwd = std::env::current_dir().map_err(|e| {
            Failure::because("cannot find out the working directory", e)
                .of_class(CauseClass::Local)
                .hint("cd somewhere else")
        })?;
        let text = |s: std::ffi::OsString| s.into_string().ok();
        let vars: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))).collect();
        // Names of files in /tmp contain the operating system's name for the user, as Java's `user.name`
        // does. The user that Hadoop sees can be another one (see [`Context::login`]).
        let user = UserIdentity::of_process().map_or_else(|| "unknown".to_owned(), |u| u.effective);
        Ok(Self { vars, cwd, exe, user, waits: Waits::default(), logins: Logins::default() })
    }

    /// The value of an environment variable. An empty value counts as unset.
    pub fn var(&self, variable: Variable) -> Option<&str> {
        self.vars.get(variable.name()).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// Makes a path that the user gave absolute.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.cwd.join(path)
    }

    /// The user as whom heddle calls the services of a Hadoop without Kerberos. It is a failure if no name
    /// can be found.
    pub fn login(&self) -> Result<Login, Failure> {
        Login::find(&|key| self.vars.get(key).cloned()).ok_or_else(|| {
            Failure::configuration(
                "the user id of this process has no name on this machine, so Hadoop would not know who calls",
            )
            .hint("set HADOOP_USER_NAME to the user as whom Hadoop is to be called")
        })
    }

    /// The directory for files that may be lost between runs: `$XDG_CACHE_HOME/heddle`, or else
    /// `~/.cache/heddle`. `None` if there is no place for it, or if the place is not the user's own (see
    /// [`Context::unused_places`]).
    pub fn cache_dir(&self) -> Option<PathBuf> {
        self.place(&CACHE).ok().flatten()
    }

    /// The directory for copies without which the command cannot go on. `what` is the copy, for the failure
    /// if there is no such directory.
    pub fn needed_cache_dir(&self, what: &str) -> Result<PathBuf, Failure> {
        self.needed(&CACHE, what)
    }

    /// The directory for files that should not be lost between runs: `$XDG_STATE_HOME/heddle`, or else
    /// `~/.local/state/heddle`. `None` in the same cases as for [`Context::cache_dir`].
    pub fn state_dir(&self) -> Option<PathBuf> {
        self.place(&STATE).ok().flatten()
    }

    /// The same directory for notes without which the command would not keep its promise. `what` is the note,
    /// for the failure if there is no such directory.
    pub(crate) fn needed_state_dir(&self, what: &str) -> Result<PathBuf, Failure> {
        self.needed(&STATE, what)
    }

    fn needed(&self, place: &Place, what: &str) -> Result<PathBuf, Failure> {
        let variable = place.variable.name();
        match self.place(place) {
            Ok(Some(directory)) => Ok(directory),
            Ok(None) => {
                let why = format!("neither {variable} nor HOME is set");
                Err(Failure::configuration(format!("no place for {what}: {why}")).hint("set HOME"))
            }
            Err(unused) => {
                let place = unused.path.display();
                let failure =
                    Failure::new(format!("no place for {what}: {place} is not used: {}", unused.why))
                        .of_class(CauseClass::Local);
                Err(failure.hint(format!("{variable} names another place")))
            }
        }
    }

    /// Warnings about directories of this machine that are not used, because another user can write to them
    /// or has made them.
    pub fn unused_places(&self) -> Vec<String> {
        let unused = [&CACHE, &STATE].into_iter().filter_map(|place| self.place(place).err());
        let warning = |Unused { path, why, variable, lost }: Unused| {
            format!("{} is not used: {why}; {lost}; {variable} names another place", path.display())
        };
        unused.map(warning).collect()
    }

    fn place(&self, place: &Place) -> Result<Option<PathBuf>, Unused> {
        let base = self.var(place.variable).map(PathBuf::from).filter(|p| p.is_absolute());
        let below_home = || Some(Path::new(self.var(variables::HOME)?).join(place.below_home));
        let Some(path) = base.or_else(below_home).map(|base| base.join("heddle")) else { return Ok(None) };
        match ownership::check_place(&path) {
            Ok(()) => Ok(Some(path)),
            Err(why) => Err(Unused { path, why, variable: place.variable.name(), lost: place.lost }),
        }
    }

    /// Finds a file of heddle's own installation: beside this program, or in `libexec`, `lib` or `conf`
    /// beside the program's directory.
    pub fn own_file(&self, name: &str) -> Result<PathBuf, Failure> {
        let bin = self.exe.parent().unwrap_or(Path::new("/"));
        let root = bin.parent().unwrap_or(bin);
        let places = [
            bin.join(name),
            root.join("libexec").join(name),
            root.join("lib").join(name),
            root.join("conf").join(name),
        ];
        places.iter().find(|p| p.is_file()).cloned().ok_or_else(|| {
            let dirs: Vec<String> =
                places.iter().filter_map(|p| p.parent()).map(|p| p.display().to_string()).collect();
            Failure::new(format!("the installation is incomplete: {name} is missing"))
                .of_class(CauseClass::Local)
                .hint(format!("it was looked for in {}; install heddle again", dirs.join(", ")))
        })
    }

    /// The first program called `name` on the PATH that does not belong to heddle.
    pub fn on_path(&self, name: &str) -> Option<PathBuf> {
        let path = self.var(variables::PATH)?;
        std::env::split_paths(path).map(|dir| self.cwd.join(dir).join(name)).find(|candidate| {
            is_executable(candidate) && candidate.canonicalize().is_ok_and(|real| !self.is_own(&real))
        })
    }

    /// Whether `program` belongs to heddle's own installation.
    fn is_own(&self, program: &Path) -> bool {
        program == self.exe || program.parent() == self.exe.parent()
    }
}

/// A directory of heddle's own on this machine.
struct Place {
    /// The variable that names the directory above it.
    variable: Variable,
    /// The directory above it without that variable, below the home directory.
    below_home: &'static str,
    /// What it means that the directory is not used, for the warning.
    lost: &'static str,
}

const CACHE: Place = Place {
    variable: variables::XDG_CACHE_HOME,
    below_home: ".cache",
    lost: "commands take longer, because nothing is remembered between them",
};
const STATE: Place = Place {
    variable: variables::XDG_STATE_HOME,
    below_home: ".local/state",
    lost: "--submission is refused, because no submission can be noted",
};

/// A place that is not used, and why.
struct Unused {
    path: PathBuf,
    why: Distrust,
    variable: &'static str,
    lost: &'static str,
}

/// Whether the path is a regular file that somebody may execute.
pub(crate) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// A Flink distribution on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlinkHome {
    /// The root directory.
    pub root: PathBuf,
    /// The directory of the configuration files.
    pub conf: PathBuf,
    /// The directory of the jars of the class path.
    pub lib: PathBuf,
    /// The directory of the plugins, each of which has a directory of its own.
    pub plugins: PathBuf,
    /// The flink-dist jar.
    pub dist_jar: PathBuf,
}

impl FlinkHome {
    /// Finds the distribution: `FLINK_HOME`, or else that of the `flink` on the PATH, or else the one that
    /// heddle is installed in. It is a failure if there is none or if its `lib` holds no flink-dist jar.
    pub fn find(context: &Context) -> Result<Self, Failure> {
        let named = context.var(variables::FLINK_HOME).map(|home| context.path(home));
        let root = match &named {
            Some(root) => root.clone(),
            None => Self::guess(context).ok_or_else(|| {
                Failure::configuration("no Flink distribution found: FLINK_HOME is not set, and no `flink` of one is on the PATH")
                    .hint("set FLINK_HOME to the directory that holds Flink's bin, conf and lib")
            })?,
        };
        let directory =
            |var: Variable, name: &str| context.var(var).map_or_else(|| root.join(name), |d| context.path(d));
        let lib = directory(variables::FLINK_LIB_DIR, "lib");
        let dist_jar = dist_jar(&lib)?.ok_or_else(|| {
            let origin = if named.is_some() { "FLINK_HOME" } else { "the `flink` on the PATH" };
            Failure::configuration(format!(
                "{} holds no flink-dist jar ({origin} leads there)",
                lib.display()
            ))
            .hint("set FLINK_HOME to the directory that holds Flink's bin, conf and lib")
        })?;
        Ok(Self {
            conf: directory(variables::FLINK_CONF_DIR, "conf"),
            plugins: directory(variables::FLINK_PLUGINS_DIR, "plugins"),
            lib,
            dist_jar,
            root,
        })
    }

    fn guess(context: &Context) -> Option<PathBuf> {
        let around = |program: &Path| program.parent()?.parent().map(Path::to_path_buf);
        let on_path = context.on_path("flink").and_then(|p| p.canonicalize().ok());
        let roots = [on_path.as_deref().and_then(around), around(&context.exe)];
        roots.into_iter().flatten().find(|root| matches!(dist_jar(&root.join("lib")), Ok(Some(_))))
    }

    /// The directory of the optional jars, which are on no class path unless a program needs them.
    pub fn opt(&self, context: &Context) -> PathBuf {
        context.var(variables::FLINK_OPT_DIR).map_or_else(|| self.root.join("opt"), |dir| context.path(dir))
    }

    /// The file name of the flink-dist jar.
    pub fn dist_name(&self) -> &str {
        self.dist_jar.file_name().and_then(|n| n.to_str()).unwrap_or_default()
    }
}

/// Finds the flink-dist jar in `lib`.
fn dist_jar(lib: &Path) -> Result<Option<PathBuf>, Failure> {
    let entries = match std::fs::read_dir(lib) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Failure::because(format!("cannot read {}", lib.display()), e)),
    };
    let is_dist = |p: &PathBuf| {
        let name = p.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        name.starts_with("flink-dist") && name.ends_with(".jar")
    };
    Ok(entries.filter_map(Result::ok).map(|e| e.path()).filter(is_dist).min())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(dir: &Path, vars: &[(&str, String)]) -> Context {
        Context {
            vars: vars.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
            cwd: dir.into(),
            exe: dir.join("heddle/bin/heddle"),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        }
    }

    fn distribution(root: &Path) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::create_dir_all(root.join("lib")).unwrap();
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(root.join("lib/flink-dist-1.20.1.jar"), "").unwrap();
        std::fs::write(root.join("bin/flink"), "").unwrap();
        std::fs::set_permissions(root.join("bin/flink"), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn flink_by_variable_or_path() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        distribution(&dir.join("f"));
        let by_variable = FlinkHome::find(&context(&dir, &[("FLINK_HOME", "f".into())])).unwrap();
        assert_eq!(by_variable.dist_name(), "flink-dist-1.20.1.jar");
        assert_eq!(by_variable.conf, dir.join("f/conf"));
        let path = format!("/nowhere:{}", dir.join("f/bin").display());
        let by_path =
            FlinkHome::find(&context(&dir, &[("PATH", path), ("FLINK_CONF_DIR", "/c".into())])).unwrap();
        assert_eq!((by_path.root, by_path.conf), (dir.join("f"), "/c".into()));
    }

    #[test]
    fn places_of_others_are_not_used_and_are_named() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap().to_owned();
        let context = context(dir.path(), &[("HOME", home)]);
        let cache = dir.path().join(".cache/heddle");
        assert_eq!(context.cache_dir(), Some(cache.clone()), "it is not there yet");
        ownership::make_directory(&cache).unwrap();
        assert_eq!((context.cache_dir(), context.unused_places()), (Some(cache.clone()), vec![]));
        std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(context.cache_dir(), None);
        assert!(context.state_dir().is_some());
        let warnings = context.unused_places();
        assert_eq!(warnings.len(), 1);
        for part in [cache.to_str().unwrap(), "mode 0777", "XDG_CACHE_HOME"] {
            assert!(warnings[0].contains(part), "{warnings:?}");
        }
        let failure = context.needed_cache_dir("a copy").unwrap_err().to_string();
        assert!(failure.contains("no place for a copy") && failure.contains("mode 0777"), "{failure}");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let failure = context.needed_state_dir("a note").unwrap_err();
        let text = failure.to_string();
        assert!(text.contains("the path leads through") && text.contains("mode 0777"), "{text}");
        assert!(failure.hints()[0].contains("XDG_STATE_HOME"), "{failure:?}");
    }

    #[test]
    fn a_missing_distribution_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let text =
            |vars: &[(&str, String)]| FlinkHome::find(&context(dir.path(), vars)).unwrap_err().to_string();
        assert!(text(&[]).contains("FLINK_HOME is not set"));
        assert!(text(&[("FLINK_HOME", "/nowhere".into())]).contains("/nowhere/lib holds no flink-dist jar"));
    }
}
