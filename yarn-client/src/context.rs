//! Holds what the client takes from the process that it runs in: environment variables, directories and the
//! user. No other module of this crate reads these from the process, so that tests can set them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flink_model::config::{LEGACY_FILE, STANDARD_FILE, shown_all};
use hadoop_rpc::{Login, UserIdentity};

use crate::adopted::Note;
use crate::error::{CauseClass, Failure};
use crate::layout::{self, Files, Guess};
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

    /// Takes the distribution in whose `bin` this program was called, as `program`, for `FLINK_HOME` if the
    /// variable is not set.
    pub fn called_as(mut self, program: &OsStr) -> Self {
        if self.var(variables::FLINK_HOME).is_none()
            && let Some(root) = self.path_of(program).and_then(|path| layout::of_program(&path, &OnDisk))
            && let Some(root) = root.to_str()
        {
            self.vars.insert(variables::FLINK_HOME.name().to_owned(), root.to_owned());
        }
        self
    }

    /// The path of this program, without its links followed, if it was called as `program`.
    fn path_of(&self, program: &OsStr) -> Option<PathBuf> {
        if program.as_encoded_bytes().contains(&b'/') {
            return Some(self.path(program));
        }
        let path = self.var(variables::PATH)?;
        std::env::split_paths(path).map(|dir| self.cwd.join(dir).join(program)).find(|candidate| {
            is_executable(candidate) && candidate.canonicalize().is_ok_and(|real| real == self.exe)
        })
    }

    /// Hands `FLINK_HOME` on to a program that this process starts, because it may hold what only the name of
    /// this process tells.
    pub fn hand_on_flink_home(&self, command: &mut Command) {
        if let Some(home) = self.var(variables::FLINK_HOME) {
            command.env(variables::FLINK_HOME.name(), self.path(home));
        }
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

/// A Flink distribution on this machine. Its directories need not be beside each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlinkHome {
    /// The root directory. If only directories below it are named, it is the one above `lib`.
    pub root: PathBuf,
    /// The directory of the configuration files.
    pub conf: PathBuf,
    /// The directory of the jars of the class path. If it does not exist, containers get none of it.
    pub lib: PathBuf,
    /// The directory of the plugins, each of which has a directory of its own.
    pub plugins: PathBuf,
    /// The flink-dist jar.
    pub dist_jar: PathBuf,
}

impl FlinkHome {
    /// Finds the distribution: `FLINK_HOME`, or else the one to which both `FLINK_LIB_DIR` and
    /// `FLINK_CONF_DIR` lead, or else that of the `flink` on the PATH, or else the one that heddle is
    /// installed in, or else one where vendors install Flink. It is a failure if there is none or if its
    /// `lib` holds no flink-dist jar.
    pub fn find(context: &Context) -> Result<Self, Failure> {
        let named = Self::named(context);
        let root = match &named {
            Some((root, _)) => root.clone(),
            None => Self::guess(context).map(|guess| guess.root).ok_or_else(|| {
                Failure::configuration(format!(
                    "no Flink distribution found: FLINK_HOME is not set, no `flink` of one is on the PATH, and none is in {}",
                    layout::PLACES.join(" or ")
                ))
                .hint("set FLINK_HOME to the directory that holds Flink's bin, conf and lib")
                .hint("or set both FLINK_LIB_DIR and FLINK_CONF_DIR, if they are not in one directory")
            })?,
        };
        let directory =
            |var: Variable, name: &str| context.var(var).map_or_else(|| root.join(name), |d| context.path(d));
        let lib = directory(variables::FLINK_LIB_DIR, "lib");
        let dist_jar = dist_jar(&lib)?.ok_or_else(|| {
            let origin = named.as_ref().map_or("the `flink` on the PATH", |(_, origin)| *origin);
            let what = format!("{} holds no flink-dist jar ({origin} leads there)", lib.display());
            Failure::configuration(what).hint(match Note::read(&root) {
                Ok(Some(Note { flink_home, .. })) => format!(
                    "it stands for {}; if that has moved: `heddle adopt {} --flink-home <directory>`",
                    flink_home.display(),
                    root.display()
                ),
                _ => "set FLINK_HOME to the directory that holds Flink's bin, conf and lib".to_owned(),
            })
        })?;
        let conf = context.var(variables::FLINK_CONF_DIR);
        Ok(Self {
            conf: conf.map_or_else(
                || layout::configuration(&root, &OnDisk).directory,
                |directory| context.path(directory),
            ),
            plugins: directory(variables::FLINK_PLUGINS_DIR, "plugins"),
            lib,
            dist_jar,
            root,
        })
    }

    /// The distribution in this directory, whatever the environment variables say. It is a failure if it is
    /// none.
    pub(crate) fn at(root: &Path) -> Result<Self, Failure> {
        let lib = root.join("lib");
        let dist_jar = dist_jar(&lib)?.ok_or_else(|| {
            let why = format!("{} holds no flink-dist jar", lib.display());
            Failure::new(format!("{} is no Flink distribution: {why}", root.display()))
                .hint("name the directory that holds Flink's bin, conf and lib")
        })?;
        Ok(Self {
            conf: layout::configuration(root, &OnDisk).directory,
            plugins: root.join("plugins"),
            lib,
            dist_jar,
            root: root.to_owned(),
        })
    }

    /// What the user should know of the choice of the distribution and of its configuration, each a sentence.
    pub fn notes(context: &Context) -> Vec<String> {
        let named = Self::named(context).map(|(root, _)| root);
        let guess = if named.is_none() { Self::guess(context) } else { None };
        let root = named.as_deref().or(guess.as_ref().map(|guess| guess.root.as_path()));
        let configured = root
            .filter(|_| context.var(variables::FLINK_CONF_DIR).is_none())
            .and_then(|root| layout::configuration(root, &OnDisk).note);
        guess.and_then(|guess| guess.note).into_iter().chain(configured).collect()
    }

    /// Whether the environment names a distribution, so that no other one is meant.
    pub(crate) fn is_named(context: &Context) -> bool {
        Self::named(context).is_some()
    }

    /// The root directory of the distribution that the environment names, and the variable that names it.
    fn named(context: &Context) -> Option<(PathBuf, &'static str)> {
        if let Some(home) = context.var(variables::FLINK_HOME) {
            return Some((context.path(home), variables::FLINK_HOME.name()));
        }
        context.var(variables::FLINK_CONF_DIR)?;
        let lib = context.path(context.var(variables::FLINK_LIB_DIR)?);
        Some((above(&lib), variables::FLINK_LIB_DIR.name()))
    }

    fn guess(context: &Context) -> Option<Guess> {
        layout::guess(context.on_path("flink").as_deref(), &context.exe, &OnDisk)
    }

    /// The distribution for which this directory stands, if `heddle adopt` has made it.
    pub fn stands_for(&self) -> Option<PathBuf> {
        Note::read(&self.root).ok().flatten().map(|note| note.flink_home)
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

/// The directory in which `lib` is.
pub(crate) fn above(lib: &Path) -> PathBuf {
    lib.parent().map_or_else(|| lib.to_owned(), Path::to_path_buf)
}

/// This machine.
struct OnDisk;

impl Files for OnDisk {
    fn is_distribution(&self, root: &Path) -> bool {
        matches!(dist_jar(&root.join("lib")), Ok(Some(_)))
    }

    fn has_configuration(&self, directory: &Path) -> bool {
        [STANDARD_FILE, LEGACY_FILE].iter().any(|file| directory.join(file).is_file())
    }

    fn link(&self, path: &Path) -> Option<PathBuf> {
        path.read_link().ok()
    }

    fn real(&self, path: &Path) -> Option<PathBuf> {
        path.canonicalize().ok()
    }
}

/// Finds the flink-dist jar in `lib`.
pub(crate) fn dist_jar(lib: &Path) -> Result<Option<PathBuf>, Failure> {
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
    fn flink_by_the_name_of_the_program() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        distribution(&dir.join("f"));
        let exe = dir.join("heddle/bin/heddle");
        std::fs::create_dir_all(exe.parent().unwrap()).unwrap();
        std::fs::copy(dir.join("f/bin/flink"), &exe).unwrap();
        symlink(&exe, dir.join("f/bin/yarn-session.sh")).unwrap();
        let called = |program: &str, vars: &[(&str, String)]| {
            let context = context(&dir, vars).called_as(OsStr::new(program));
            context.var(variables::FLINK_HOME).map(str::to_owned)
        };
        let home = dir.join("f").display().to_string();
        let path = || ("PATH", format!("/nowhere:{home}/bin"));
        assert_eq!(called(&format!("{home}/bin/yarn-session.sh"), &[]), Some(home.clone()));
        assert_eq!(called("f/bin/yarn-session.sh", &[]), Some(home.clone()), "from the working directory");
        assert_eq!(called("yarn-session.sh", &[path()]), Some(home.clone()), "by the PATH");
        // Another program of the name on the PATH is none of ours.
        assert_eq!(called("flink", &[path()]), None);
        assert_eq!(called(&exe.display().to_string(), &[]), None);
        let named = ("FLINK_HOME", "/named".to_owned());
        assert_eq!(called(&format!("{home}/bin/yarn-session.sh"), &[named]).as_deref(), Some("/named"));
    }

    #[test]
    fn a_program_that_is_started_gets_the_distribution() {
        let told = |vars: &[(&str, String)]| {
            #[expect(clippy::disallowed_methods, reason = "it is not started")]
            let mut command = Command::new("java");
            context(Path::new("/d"), vars).hand_on_flink_home(&mut command);
            command.get_envs().find_map(|(_, value)| value.map(|value| value.to_os_string()))
        };
        assert_eq!(told(&[("FLINK_HOME", "f".into())]), Some("/d/f".into()));
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn flink_by_its_directories() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        distribution(&dir.join("f"));
        let lib = ("FLINK_LIB_DIR", "f/lib".to_owned());
        let conf = ("FLINK_CONF_DIR", "/etc/flink".to_owned());
        let found = FlinkHome::find(&context(&dir, &[lib.clone(), conf.clone()])).unwrap();
        assert_eq!((found.root, found.lib), (dir.join("f"), dir.join("f/lib")));
        assert_eq!((found.conf, found.plugins), ("/etc/flink".into(), dir.join("f/plugins")));
        // The distribution counts more, and one of the two alone is not sufficient.
        let home = ("FLINK_HOME", "g".to_owned());
        let whole = FlinkHome::find(&context(&dir, &[home, lib.clone(), conf.clone()])).unwrap();
        assert_eq!((whole.root, whole.lib), (dir.join("g"), dir.join("f/lib")));
        for alone in [lib, conf] {
            assert!(FlinkHome::find(&context(&dir, &[alone])).is_err());
        }
        let none = [("FLINK_LIB_DIR", "/nowhere/lib".to_owned()), ("FLINK_CONF_DIR", "/c".to_owned())];
        let failure = FlinkHome::find(&context(&dir, &none)).unwrap_err().to_string();
        assert!(failure.contains("/nowhere/lib holds no flink-dist jar (FLINK_LIB_DIR"), "{failure}");
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
