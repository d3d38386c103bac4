//! Lists the files that the containers get, as far as the manifest, the configuration and local files
//! determine them. Remote files and directories are looked at later, by [`super::remote_files`].

use std::io::Read;
use std::path::{Path, PathBuf};

use artifact_store::{LocalFile, files_below};
use flink_model::class_path::is_dist_jar;
use flink_model::config::{Configuration, FileFormat};
use flink_model::container::{AM, BRIDGE, TASKRUNNER};
use flink_model::local_resource::LocalResourceKind;
use flink_model::options::{self, Opt, UserJarInclusion};
use hadoop_fs::is_glob;
use serde::{Deserialize, Serialize};
use taskrunner::links;

use super::kerberos::KerberosFiles;
use super::manifest::{Program, Purpose};
use super::names::{Names, twice};
use super::packed;
use super::sharing::{Sharing, is_library};
use crate::configuration::{bad_value, text};
use crate::context::{Context, FlinkHome};
use crate::error::Failure;
use crate::paths::{is_remote, without_scheme};
use crate::warning::Warnings;

/// The directory of the user's jars.
const USRLIB: &str = "usrlib";
/// The beginning of the keys of Flink's plugins, which are on no class path.
const PLUGINS: &str = "plugins/";
/// The endings of the names of files that YARN can unpack.
const ARCHIVES: [&str; 6] = [".tar.gz", ".tar", ".tgz", ".dst", ".jar", ".zip"];

/// What a file is for, which decides where it is on the class path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Part {
    /// A file that stands on the class path among Flink's own files.
    System,
    /// A file of the user's, whose place on the class path `yarn.classpath.include-user-jar` decides.
    User,
    /// A file in the working directory that is on no class path.
    Apart,
    /// One of heddle's own programs.
    Own,
}

/// Where a file is before the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileSource {
    /// A local library that every user may read. It goes to the shared store.
    Shared(PathBuf),
    /// A local library that not every user may read. It goes to the private store, unless a shared store that
    /// the user has named has the same file already.
    Closed(PathBuf),
    /// Another local file. It goes to the private store, which only the user can read.
    Private(PathBuf),
    /// A local file that no store may have, such as a keytab. It goes to the application's own directory, and
    /// is removed with it.
    OfApplication(PathBuf),
    /// The URL of a file on a file system of the cluster.
    Remote(String),
    /// The URL of a directory on a file system of the cluster, with all files below it. `ContainerFile::key`
    /// is the prefix of their keys.
    RemoteTree(String),
    /// The URL of a file or a directory on a file system of the cluster. Which of them it is, only the
    /// NameNode's answer tells.
    RemotePath(String),
}

impl FileSource {
    /// A file of the distribution.
    fn library(path: PathBuf, sharing: &Sharing) -> Self {
        match (is_library(&path), sharing.is_open(&path)) {
            (true, true) => Self::Shared(path),
            (true, false) => Self::Closed(path),
            (false, _) => Self::Private(path),
        }
    }

    /// Whether it is on a file system of the cluster.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_) | Self::RemoteTree(_) | Self::RemotePath(_))
    }
}

/// A file, or a remote directory, that the containers get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContainerFile {
    /// The path in the containers' working directory.
    pub(crate) key: String,
    pub(crate) source: FileSource,
    pub(crate) kind: LocalResourceKind,
    pub(crate) part: Part,
    /// The configuration key because of which the containers get the file, for messages.
    pub(crate) by: &'static str,
}

impl ContainerFile {
    fn file(key: impl Into<String>, source: FileSource, part: Part, by: &'static str) -> Self {
        Self { key: key.into(), source, kind: LocalResourceKind::File, part, by }
    }

    /// Returns the same request for a path that was found. If the request is a pattern, its key becomes the
    /// last name of `path`.
    pub(crate) fn named_by(&self, path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        Self { key: if is_glob(&self.key) { name.to_owned() } else { self.key.clone() }, ..self.clone() }
    }

    /// Whether this file may provide a class: it is a jar on the class path that holds the class, or the
    /// class file itself in a shipped directory, or something remote that is not looked into.
    pub(crate) fn may_hold(&self, class: &str) -> bool {
        // The bridge is on the class path, too, and holds the program that runs SQL scripts.
        let on_class_path = matches!(self.part, Part::System | Part::User) || self.key == BRIDGE;
        if !on_class_path || self.key.starts_with(PLUGINS) {
            return false;
        }
        match &self.source {
            FileSource::Shared(path)
            | FileSource::Closed(path)
            | FileSource::Private(path)
            | FileSource::OfApplication(path) => {
                self.key.ends_with(&format!("/{}.class", class.replace('.', "/")))
                    || self.key.ends_with(".jar") && crate::jar::holds(path, class)
            }
            FileSource::Remote(_) => self.key.ends_with(".jar"),
            FileSource::RemoteTree(_) | FileSource::RemotePath(_) => true,
        }
    }

    /// Refuses names that a pattern has matched, if they are refused when they are written out.
    pub(crate) fn check_name(&self, is_dir: bool) -> Result<(), Failure> {
        match &self.source {
            FileSource::RemoteTree(url) if self.part == Part::System && is_dir && self.key == USRLIB => {
                Err(provided_usrlib(url, self.by))
            }
            FileSource::RemotePath(url) if is_dir && self.key == USRLIB => Err(shipped_usrlib(url, self.by)),
            _ => Ok(()),
        }
    }
}

/// Lists all files for the containers. `kerberos` are those of Kerberos, and `inclusion` decides where the
/// user's jar is placed. It is a failure if a file does not exist, has a name that the containers cannot
/// have, or collides with another file.
pub(crate) fn container_files(
    context: &Context,
    flink: &FlinkHome,
    configuration: &Configuration,
    purpose: &Purpose,
    kerberos: &KerberosFiles,
    inclusion: UserJarInclusion,
) -> Result<Vec<ContainerFile>, Failure> {
    // Of two files with the same content and the same name, the first one counts: a keytab that is also among
    // the files to ship does not go to a store.
    let mut files: Vec<ContainerFile> = kerberos
        .uploads()
        .into_iter()
        .map(|(key, path, by)| ContainerFile::file(key, FileSource::OfApplication(path), Part::Apart, by))
        .collect();
    files.append(&mut distribution(context, flink, configuration)?);
    files.append(&mut ship_files(context, configuration)?);
    files.append(&mut ship_archives(context, configuration)?);
    if !matches!(purpose, Purpose::Session { .. }) {
        files.append(&mut usrlib(flink, configuration)?);
    }
    match purpose {
        Purpose::Session { .. } => {}
        // `main()` uploads the jars to the JobManager by itself, when it submits the job. But the class path
        // of the containers needs them before they start.
        Purpose::PerJob { program } if inclusion != UserJarInclusion::Disabled => {
            for jar in program.jar.iter().chain(&program.user_jars) {
                files.push(user_jar(context, jar, inclusion)?);
            }
        }
        Purpose::PerJob { .. } => {}
        Purpose::Application { program } => {
            files.append(&mut program_files(context, flink, program, inclusion)?);
        }
    }
    files.iter().try_for_each(check_name)?;
    // A file may be named twice, for example as the jar of the program and among the files to ship.
    let mut seen: Vec<ContainerFile> = Vec::new();
    for file in files {
        match seen.iter().find(|s| s.key == file.key && !matches!(s.source, FileSource::RemoteTree(_))) {
            Some(same) if is_same(&same.source, &file.source) => {}
            Some(other) => return Err(twice(&file.key, other.by, file.by)),
            None => seen.push(file),
        }
    }
    Ok(seen)
}

/// Refuses names that cannot be used in the containers. HDFS allows no ':' in names, and ':' separates the
/// entries of Java's class path. Behind '$', the class path may name environment variables of the container.
/// A file whose name has other characters that the shell of the launch script would evaluate gets a
/// substitute name (see [`links::name`]), unless that would be too long.
fn check_name(file: &ContainerFile) -> Result<(), Failure> {
    let (key, by) = (&file.key, file.by);
    let on_class_path =
        matches!(file.part, Part::System | Part::User) && file.kind == LocalResourceKind::File;
    let entry = if key.ends_with(".jar") { key } else { key.rsplit_once('/').map_or("", |(above, _)| above) };
    let refused = |sign: char| {
        Failure::configuration(format!(
            "cannot send {key:?} ({by}) to the containers: its name has the character {sign:?}"
        ))
        .hint("rename the file, or make a copy with another name")
    };
    // A pattern, or the name of a remote directory, is not the name of a file yet.
    if key.contains(':') && !is_glob(key) {
        return Err(refused(':'));
    }
    if on_class_path && entry.contains('$') {
        return Err(refused('$'));
    }
    if links::is_plain(key) || links::fits(&links::name(key, true)) {
        return Ok(());
    }
    let what = format!(
        "cannot send {key:?} ({by}) to the containers: its name is too long for one with such characters"
    );
    Err(Failure::configuration(what).hint("rename it without \", $, `, \\ and control characters"))
}

/// Selects the files whose names may be used in the containers; see [`Names::admit`].
pub(crate) fn admitted(
    files: Vec<ContainerFile>,
    names: &Names,
    warnings: &mut Warnings,
) -> Result<Vec<ContainerFile>, Failure> {
    let mut admitted = Vec::with_capacity(files.len());
    for file in files {
        let local = match &file.source {
            FileSource::Shared(path)
            | FileSource::Closed(path)
            | FileSource::Private(path)
            | FileSource::OfApplication(path) => Some(path.as_path()),
            FileSource::Remote(_) | FileSource::RemoteTree(_) | FileSource::RemotePath(_) => None,
        };
        // The files in a directory of the cluster are checked once their names are known.
        let later = matches!(file.source, FileSource::RemoteTree(_) | FileSource::RemotePath(_));
        if file.part == Part::Own || later || names.admit(&file.key, file.by, local, warnings)? {
            admitted.push(file);
        }
    }
    Ok(admitted)
}

/// Whether two sources are the same file, or local files with the same content. Older manuals recommend `-t`
/// with Flink's own `lib`, which ships its files a second time.
fn is_same(one: &FileSource, other: &FileSource) -> bool {
    use FileSource::{Closed, OfApplication, Private, Shared};
    if let (
        Shared(a) | Closed(a) | Private(a) | OfApplication(a),
        Shared(b) | Closed(b) | Private(b) | OfApplication(b),
    ) = (one, other)
    {
        let size = |path: &Path| path.metadata().ok().map(|m| m.len());
        return a == b
            || (size(a) == size(b)
                && matches!((std::fs::read(a), std::fs::read(b)), (Ok(a), Ok(b)) if a == b));
    }
    one == other
}

/// Lists Flink's `lib` and `plugins`, or the directories of the cluster that replace them, with the
/// flink-dist jar and heddle's own programs.
fn distribution(
    context: &Context,
    flink: &FlinkHome,
    configuration: &Configuration,
) -> Result<Vec<ContainerFile>, Failure> {
    let mut files = Vec::new();
    let provided = list(configuration, &options::PROVIDED_LIB_DIRS)?;
    for dir in &provided {
        let by = options::PROVIDED_LIB_DIRS.key;
        if !is_remote(dir) {
            return Err(Failure::configuration(format!(
                "{by} names {dir:?}, which is not a directory of the cluster"
            ))
            .hint("name directories by their URLs, for example hdfs:///flink/lib;hdfs:///flink/plugins")
            .hint("without it heddle uploads Flink's files once and keeps them in its store"));
        }
        let name = remote_name(dir, by)?;
        if name == USRLIB {
            return Err(provided_usrlib(dir, by));
        }
        files.push(ContainerFile::file(name, FileSource::RemoteTree(dir.clone()), Part::System, by));
    }
    let sharing = Sharing::default();
    let library = |file: LocalFile, by| {
        ContainerFile::file(file.key, FileSource::library(file.path, &sharing), Part::System, by)
    };
    if provided.is_empty() {
        let lib = if flink.lib.is_dir() { files_below(&flink.lib, "lib")? } else { Vec::new() };
        files.extend(lib.into_iter().filter(|f| !is_dist_jar(&f.key)).map(|f| library(f, "Flink's lib")));
        if flink.plugins.is_dir() {
            let plugins = files_below(&flink.plugins, "plugins")?;
            files.extend(plugins.into_iter().map(|f| library(f, "Flink's plugins")));
        }
    }
    match text(configuration, &options::FLINK_DIST_JAR) {
        Some(jar) if is_remote(&jar) => {
            let by = options::FLINK_DIST_JAR.key;
            let key = format!("lib/{}", remote_name(&jar, by)?);
            files.push(ContainerFile::file(key, FileSource::Remote(jar), Part::System, by));
        }
        named if provided.is_empty() || named.is_some() => {
            let dist = LocalFile { key: format!("lib/{}", flink.dist_name()), path: flink.dist_jar.clone() };
            files.push(library(dist, "Flink's lib"));
        }
        _ => {}
    }
    for (key, name) in [(AM, "heddle-am"), (TASKRUNNER, "heddle-taskrunner"), (BRIDGE, "flink-bridge.jar")] {
        let program = context.own_file(name)?;
        let is_open = sharing.is_open(&program);
        let source = if is_open { FileSource::Shared(program) } else { FileSource::Closed(program) };
        files.push(ContainerFile::file(key, source, Part::Own, "heddle"));
    }
    Ok(files)
}

/// A file that `heddle store publish` may put into a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Library {
    pub(crate) key: String,
    pub(crate) path: PathBuf,
    pub(crate) kind: LocalResourceKind,
    /// Whether the file is for everybody.
    pub(crate) open: bool,
}

/// Lists the files that deployments with this distribution have in common: those that each of them has, and
/// those of `opt`.
pub(crate) fn libraries(context: &Context, flink: &FlinkHome) -> Result<[Vec<Library>; 2], Failure> {
    let nothing_set = Configuration::new(FileFormat::Standard);
    let library = |file: ContainerFile| match file.source {
        FileSource::Shared(path) => Some(Library { key: file.key, path, kind: file.kind, open: true }),
        FileSource::Closed(path) | FileSource::Private(path) => {
            Some(Library { key: file.key, path, kind: file.kind, open: false })
        }
        FileSource::OfApplication(_)
        | FileSource::Remote(_)
        | FileSource::RemoteTree(_)
        | FileSource::RemotePath(_) => None,
    };
    let always = distribution(context, flink, &nothing_set)?.into_iter().filter_map(library).collect();
    let opt = flink.opt(context);
    let (sharing, kind) = (Sharing::default(), LocalResourceKind::File);
    let found = if opt.is_dir() { files_below(&opt, "opt")? } else { Vec::new() };
    let of_opt = found.into_iter().filter(|file| file.key.ends_with(".jar"));
    let of_opt = of_opt.map(|LocalFile { key, path }| {
        let open = is_library(&path) && sharing.is_open(&path);
        Library { key, path, kind, open }
    });
    Ok([always, of_opt.collect()])
}

fn provided_usrlib(dir: &str, by: &str) -> Failure {
    Failure::configuration(format!("{by} names {dir:?}: a directory usrlib is for the user's jars"))
        .hint(format!("{} names it", options::PROVIDED_USRLIB_DIR.key))
}

fn shipped_usrlib(item: &str, by: &str) -> Failure {
    Failure::configuration(format!(
        "cannot ship {item:?} ({by}): a directory named usrlib cannot be shipped: it is for the user's jars of \
         application mode"
    ))
    .hint("Flink's own directory usrlib goes to the containers by itself")
    .hint(format!("{} names one in HDFS", options::PROVIDED_USRLIB_DIR.key))
}

/// Lists the files of `yarn.ship-files`. A file gets its own name as the key; a directory stands for all
/// files below it.
fn ship_files(context: &Context, configuration: &Configuration) -> Result<Vec<ContainerFile>, Failure> {
    let by = options::SHIP_FILES.key;
    let mut files = Vec::new();
    for item in list(configuration, &options::SHIP_FILES)? {
        if is_remote(&item) {
            let name = remote_name(&item, by)?;
            if name == USRLIB {
                return Err(shipped_usrlib(&item, by));
            }
            files.push(ContainerFile::file(name, FileSource::RemotePath(item), Part::System, by));
            continue;
        }
        let (path, is_dir) =
            local(context, &item, "Ship file", "-t and yarn.ship-files name files and directories")?;
        let name = name_of(&path, &item)?;
        if is_dir && name == USRLIB {
            return Err(shipped_usrlib(&item, by));
        }
        let found = if is_dir { files_below(&path, &name)? } else { vec![LocalFile { key: name, path }] };
        // The containers have the flink-dist jar already.
        let found = found.into_iter().filter(|file| !is_dist_jar(&file.key));
        files
            .extend(found.map(|f| ContainerFile::file(f.key, FileSource::Private(f.path), Part::System, by)));
    }
    Ok(files)
}

/// Lists the archives of `yarn.ship-archives`. The containers unpack each into a directory that has the
/// archive's name.
fn ship_archives(context: &Context, configuration: &Configuration) -> Result<Vec<ContainerFile>, Failure> {
    let by = options::SHIP_ARCHIVES.key;
    let mut files = Vec::new();
    for item in list(configuration, &options::SHIP_ARCHIVES)? {
        let plain = item.trim_end_matches('/').to_lowercase();
        if !ARCHIVES.iter().any(|suffix| plain.ends_with(suffix)) {
            return Err(Failure::configuration(format!(
                "cannot ship the archive {item:?} ({by}): YARN cannot unpack a file of that name"
            ))
            .hint(format!("names of archives end in {}", ARCHIVES.join(", ")))
            .hint("yarn.ship-files ships files as they are"));
        }
        let (key, source) = if is_remote(&item) {
            (remote_name(&item, by)?, FileSource::Remote(item))
        } else {
            let (path, is_dir) =
                local(context, &item, "Ship archive", "yarn.ship-archives names archive files")?;
            if is_dir {
                return Err(Failure::configuration(format!(
                    "cannot ship the archive {item:?} ({by}): it is a directory"
                ))
                .hint("yarn.ship-files ships directories"));
            }
            check_archive(&item, &read_head(&path)?, by)?;
            (name_of(&path, &item)?, FileSource::Private(path))
        };
        files.push(ContainerFile {
            kind: LocalResourceKind::Archive,
            ..ContainerFile::file(key, source, Part::Apart, by)
        });
    }
    Ok(files)
}

/// Refuses a file whose first bytes, `head`, are not those of the archive that its name promises.
pub(crate) fn check_archive(item: &str, head: &[u8], by: &str) -> Result<(), Failure> {
    let Some(what) = packed::mistaken(item, head) else { return Ok(()) };
    Err(Failure::configuration(format!("cannot ship the archive {item:?} ({by}): it is no {what}"))
        .hint("the nodes could not unpack it; yarn.ship-files ships files as they are"))
}

fn read_head(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::new();
    let opened = std::fs::File::open(path);
    let read = opened.and_then(|file| file.take(packed::HEAD as u64).read_to_end(&mut head));
    read.map_err(|e| Failure::because(format!("cannot read {}", path.display()), e))?;
    Ok(head)
}

/// Lists the user's jars: `yarn.provided.usrlib.dir`, or else the directory `usrlib` beside Flink's `lib`.
fn usrlib(flink: &FlinkHome, configuration: &Configuration) -> Result<Vec<ContainerFile>, Failure> {
    let by = options::PROVIDED_USRLIB_DIR.key;
    if let Some(dir) = text(configuration, &options::PROVIDED_USRLIB_DIR) {
        let wrong = |why: &str| {
            Failure::configuration(format!("{by} names {dir:?}, {why}"))
                .hint("name a directory by its URL, for example hdfs:///my-app/usrlib")
        };
        if !is_remote(&dir) {
            return Err(wrong("which is not a directory of the cluster"));
        }
        if remote_name(&dir, by)? != USRLIB {
            return Err(wrong("and its last part is not usrlib"));
        }
        return Ok(vec![ContainerFile::file(USRLIB, FileSource::RemoteTree(dir), Part::User, by)]);
    }
    let local = flink.lib.parent().map(|root| root.join(USRLIB)).filter(|dir| dir.is_dir());
    let Some(local) = local else { return Ok(Vec::new()) };
    let files = files_below(&local, USRLIB)?.into_iter();
    Ok(files
        .map(|f| ContainerFile::file(f.key, FileSource::Private(f.path), Part::User, "Flink's usrlib"))
        .collect())
}

fn program_files(
    context: &Context,
    flink: &FlinkHome,
    program: &Program,
    inclusion: UserJarInclusion,
) -> Result<Vec<ContainerFile>, Failure> {
    let mut files = Vec::new();
    for jar in program.jar.iter().chain(&program.libraries) {
        files.push(user_jar(context, jar, inclusion)?);
    }
    let by = "the program";
    for (key, path) in &program.files {
        let source = match path.to_str().filter(|url| is_remote(url)) {
            Some(url) => FileSource::Remote(url.to_owned()),
            None => FileSource::Private(path.clone()),
        };
        files.push(ContainerFile::file(key.clone(), source, Part::Apart, by));
    }
    for (key, path) in &program.archives {
        check_archive(key, &read_head(path)?, by)?;
        files.push(ContainerFile {
            kind: LocalResourceKind::Archive,
            ..ContainerFile::file(key.clone(), FileSource::Private(path.clone()), Part::Apart, by)
        });
    }
    let opt = flink.opt(context);
    for start in &program.opt_jars {
        let found = find_jar(&opt, start)?;
        let name = name_of(&found, start)?;
        let source = FileSource::library(found, &Sharing::default());
        files.push(ContainerFile::file(format!("opt/{name}"), source, Part::Apart, "Flink's opt"));
    }
    Ok(files)
}

fn find_jar(directory: &Path, start: &str) -> Result<PathBuf, Failure> {
    let entries = std::fs::read_dir(directory)
        .map_err(|e| Failure::because(format!("cannot read {}", directory.display()), e))?;
    let fits = |p: &PathBuf| {
        let name = p.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        name.starts_with(start) && name.ends_with(".jar")
    };
    let found = entries.filter_map(Result::ok).map(|e| e.path()).filter(fits).min();
    found.ok_or_else(|| {
        Failure::configuration(format!(
            "{} holds no {start}*.jar, which this program needs",
            directory.display()
        ))
        .hint("use a complete Flink distribution")
    })
}

fn user_jar(context: &Context, jar: &str, inclusion: UserJarInclusion) -> Result<ContainerFile, Failure> {
    let by = options::PIPELINE_JARS.key;
    crate::jar::check_path(jar)?;
    let (name, source) = if is_remote(jar) {
        (remote_name(jar, by)?, FileSource::Remote(jar.to_owned()))
    } else {
        let hint =
            "the first word behind the options is the jar, the words behind it are the program's arguments";
        let (path, is_dir) = local(context, jar, "JAR file", hint)?;
        if is_dir {
            return Err(Failure::configuration(format!("the jar {} is not a file", path.display()))
                .hint("name the jar itself, not its directory"));
        }
        (name_of(&path, jar)?, FileSource::Private(path))
    };
    let key = if inclusion == UserJarInclusion::Disabled { format!("{USRLIB}/{name}") } else { name };
    Ok(ContainerFile::file(key, source, Part::User, by))
}

/// The last name of a URL. If that is a pattern, the whole URL is returned as a provisional key that no other
/// file has; the real names are known once the pattern has been matched.
fn remote_name(url: &str, by: &str) -> Result<String, Failure> {
    let path = url.trim_end_matches('/');
    if path.rsplit('/').next().is_some_and(is_glob) {
        return Ok(url.to_owned());
    }
    match path.rsplit('/').next() {
        Some(name) if !name.is_empty() && path.matches('/').count() > 2 && ![".", ".."].contains(&name) => {
            Ok(name.to_owned())
        }
        // A URL such as hdfs:/name has no host and port, so the name comes directly after the scheme.
        Some(name) if !name.is_empty() && !url.contains("://") => Ok(name.to_owned()),
        _ => Err(Failure::configuration(format!(
            "{by} names {url:?}, which has no name that can be used on the nodes"
        ))),
    }
}

fn local(context: &Context, item: &str, what: &str, hint: &str) -> Result<(PathBuf, bool), Failure> {
    let path = context.path(without_scheme(item));
    let metadata = path.metadata().map_err(|e| {
        Failure::because(format!("{what} {item} does not exist or cannot be read ({})", path.display()), e)
            .hint(hint)
    })?;
    Ok((path, metadata.is_dir()))
}

/// The name of a local file in the containers.
fn name_of(path: &Path, item: &str) -> Result<String, Failure> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = [path, &real].into_iter().find_map(|p| p.file_name()?.to_str().map(str::to_owned));
    name.ok_or_else(|| {
        Failure::configuration(format!("cannot ship {item:?}: it has no name that can be used on the nodes"))
    })
}

fn list(configuration: &Configuration, option: &Opt<Vec<String>>) -> Result<Vec<String>, Failure> {
    let list = configuration.get(option).map_err(bad_value)?;
    let list = list.unwrap_or_default().into_iter().map(|item| item.trim().to_owned());
    Ok(list.filter(|item| !item.is_empty()).collect())
}

#[cfg(test)]
#[path = "container_files_tests.rs"]
mod tests;
