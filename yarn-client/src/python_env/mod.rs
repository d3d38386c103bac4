//! Environments of Python that go with a program: a directory that `venv` or conda has made, which is packed,
//! or an archive of one. They are looked at before anything is uploaded, because on the nodes a wrong one
//! fails late, and says little.

mod look;
mod pack;
mod tar;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use flink_model::release::Release;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use zip::ZipArchive;

use crate::context::Context;
use crate::error::Failure;
use crate::fetch::{UNUSED, entries, touch};
use crate::ownership;
use crate::paths::{is_remote, without_scheme};
use crate::report::Report;
use look::{Content, Fit, HEAD, Seen};
use tar::Kind;

/// The main class with which Flink runs a Python program, in its client and in the JobManager.
pub const DRIVER: &str = "org.apache.flink.client.python.PythonDriver";
/// The beginning of the name of the jar in Flink's directory `opt` that has this class.
pub const OPT_JAR: &str = "flink-python";
/// The name of the environment where Flink unpacks it.
pub const NAME: &str = "heddle-python";

/// The directory in [`Context::cache_dir`] for packed environments, and for what was seen of archives.
const DIRECTORY: &str = "python-env";
/// The names of the files there.
const PACKED: &str = "environment.tar.gz";
const SEEN: &str = "seen.json";
/// The file type in the modes of a symbolic link, and the bits of file types.
const LINK: u32 = 0o120_000;
const FILE_TYPE: u32 = 0o170_000;
/// The endings of the names of archives.
const ENDINGS: [(&str, Format); 4] =
    [(".zip", Format::Zip), (".tar", Format::Tar), (".tar.gz", Format::TarGz), (".tgz", Format::TarGz)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Zip,
    Tar,
    TarGz,
}

impl Format {
    fn of(name: &str) -> Option<(&'static str, Self)> {
        let name = name.to_lowercase();
        ENDINGS.into_iter().find(|(ending, _)| name.ends_with(ending))
    }
}

/// An environment that can be shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The archive on this machine.
    pub archive: PathBuf,
    /// The name of the directory into which YARN unpacks it. It ends like the name of an archive, because
    /// YARN recognises archives by that.
    pub key: String,
    /// The directory of the interpreter in the archive, such as `bin` or `venv/bin`.
    pub bin: String,
    /// The name of the interpreter, such as `python`.
    pub python: &'static str,
    /// The directory that was packed, if the environment is one.
    pub directory: Option<PathBuf>,
    /// Whether it is a tar archive, which Flink itself unpacks only from some release on.
    pub is_tar: bool,
}

impl Environment {
    /// Looks at the environment at this path, and packs it if it is a directory. What the user should know is
    /// told to `report`. It is a failure if it is no environment, or cannot work on the nodes or with this
    /// release.
    pub fn prepare(
        given: &str,
        release: Release,
        context: &Context,
        report: &dyn Report,
    ) -> Result<Self, Failure> {
        if is_remote(given) {
            return Err(Failure::usage(format!("--py-env {given}: it is not on this machine")).hint(
                "-pyarch names an archive of the cluster's file system, and -pyexec the interpreter in it",
            ));
        }
        let path = context.path(without_scheme(given));
        let shown = path.display().to_string();
        let unreadable = |e| Failure::because(format!("cannot read the Python environment {shown}"), e);
        let metadata = path.metadata().map_err(|e| {
            unreadable(e).hint("--py-env names a directory that venv or conda has made, or an archive of one")
        })?;
        let arch = std::env::consts::ARCH;
        if metadata.is_dir() {
            let files = pack::entries(&path).map_err(unreadable)?;
            let seen = seen_in_directory(&files).map_err(unreadable)?;
            let Fit { bin, python, warnings } = seen.judge(&shown, release, arch, true)?;
            // The interpreter itself may be a link out of the directory.
            let interpreter = path.join(&bin).join(python);
            let head = pack::head(&interpreter, HEAD).map_err(|e| {
                Failure::because(format!("{} leads to nothing that can be read", interpreter.display()), e)
                    .hint("the Python with which the environment was made is gone: make it again")
            })?;
            look::check_machine(&interpreter.display().to_string(), &head, arch)?;
            warnings.iter().for_each(|warning| report.warn(warning));
            let archive = packed(&path, &files, context, report)?;
            let key = format!("{NAME}.tar.gz");
            return Ok(Self { archive, key, bin, python, directory: Some(path), is_tar: true });
        }
        let Some((ending, format)) = Format::of(&shown) else {
            return Err(Failure::usage(format!(
                "--py-env {given}: it is neither a directory nor an archive"
            ))
            .hint("names of archives end in .tar.gz, .tgz, .tar or .zip"));
        };
        let seen = seen_in_archive(&path, format, context).map_err(unreadable)?;
        let Fit { bin, python, warnings } = seen.judge(&shown, release, arch, format != Format::Zip)?;
        warnings.iter().for_each(|warning| report.warn(warning));
        let (key, is_tar) = (format!("{NAME}{ending}"), format != Format::Zip);
        Ok(Self { archive: path, key, bin, python, directory: None, is_tar })
    }
}

/// Refuses an archive of this machine that does not hold a program at `member`, which `flag` names. `shown`
/// is the archive in texts.
pub fn check_member(archive: &Path, shown: &str, member: &str, flag: &str) -> Result<(), Failure> {
    let Some((_, format)) = Format::of(&archive.to_string_lossy()) else { return Ok(()) };
    let plain = |path: &str| path.trim_start_matches("./").trim_end_matches('/').to_owned();
    let wanted = plain(member);
    let (mut found, mut near) = (None, None);
    let name = wanted.rsplit('/').next().unwrap_or_default().to_owned();
    let listed = listed(archive, format, &|path| plain(path) == wanted, &mut |path, content| {
        let path = plain(path);
        if path == wanted {
            found = Some(content);
        } else if path.rsplit('/').next() == Some(name.as_str()) && near.is_none() {
            near = Some(path);
        }
        found.is_none()
    });
    listed.map_err(|e| Failure::because(format!("cannot read the archive {shown}"), e))?;
    match found {
        Some(Some(Content::File(head))) => {
            look::check_machine(&format!("{shown}: {wanted}"), &head, std::env::consts::ARCH)
        }
        Some(_) => Ok(()),
        None => {
            let failure = Failure::new(format!("{shown} holds no {wanted}, which {flag} names"));
            Err(match near {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure
                    .hint("the path begins with the name behind # of the archive, or with its file name"),
            })
        }
    }
}

fn seen_in_directory(files: &[(tar::Entry, PathBuf)]) -> io::Result<Seen> {
    let mut seen = Seen::default();
    for (tar::Entry { name, kind, .. }, path) in files {
        let content = match kind {
            Kind::Link(to) => Some(Content::Link(to.clone())),
            Kind::File(_) if look::is_telling(name) => Some(Content::File(pack::head(path, HEAD)?)),
            Kind::File(_) | Kind::Directory => None,
        };
        seen.note(name, content);
    }
    Ok(seen)
}

/// What an archive holds. Large ones take seconds to be read, so that is remembered.
fn seen_in_archive(path: &Path, format: Format, context: &Context) -> io::Result<Seen> {
    let metadata = path.metadata()?;
    let times = (metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino());
    let key = hex::encode(Sha256::digest(format!("{}\n{times:?}", path.display()).as_bytes()));
    let cache = context.cache_dir().map(|cache| cache.join(DIRECTORY));
    let note = cache.as_ref().map(|cache| cache.join(&key).join(SEEN));
    let known = note.as_ref().and_then(|note| serde_json::from_slice(&std::fs::read(note).ok()?).ok());
    if let Some(seen) = known {
        return Ok(seen);
    }
    let mut seen = Seen::default();
    listed(path, format, &look::is_telling, &mut |path, content| {
        seen.note(path, content);
        !seen.is_enough()
    })?;
    if let (Some(cache), Some(note)) = (cache, note)
        && let Err(error) = ownership::write_json(&note, &seen)
    {
        tracing::debug!(%error, cache = %cache.display(), "what an archive holds is not remembered");
    }
    Ok(seen)
}

/// Calls `visit` with each path of an archive, until it returns false, and with the content of the files that
/// `wanted` chooses and of links.
fn listed(
    path: &Path,
    format: Format,
    wanted: &dyn Fn(&str) -> bool,
    visit: &mut dyn FnMut(&str, Option<Content>) -> bool,
) -> io::Result<()> {
    let file = File::open(path)?;
    if format == Format::Zip {
        return listed_zip(file, wanted, visit);
    }
    let from: Box<dyn Read> = match format {
        Format::TarGz => Box::new(MultiGzDecoder::new(file)),
        Format::Tar | Format::Zip => Box::new(BufReader::new(file)),
    };
    tar::read(from, |entry, content| {
        let found = match &entry.kind {
            Kind::Link(to) => Some(Content::Link(to.clone())),
            Kind::File(_) if wanted(&entry.name) => {
                let mut head = Vec::new();
                content.take(HEAD).read_to_end(&mut head)?;
                Some(Content::File(head))
            }
            Kind::File(_) | Kind::Directory => None,
        };
        Ok(visit(&entry.name, found))
    })
}

fn listed_zip(
    file: File,
    wanted: &dyn Fn(&str) -> bool,
    visit: &mut dyn FnMut(&str, Option<Content>) -> bool,
) -> io::Result<()> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(io::Error::other)?;
    let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
    for name in names {
        let mut found = None;
        if wanted(&name) {
            let entry = archive.by_name(&name).map_err(io::Error::other)?;
            let is_link = entry.unix_mode().is_some_and(|mode| mode & FILE_TYPE == LINK);
            let mut head = Vec::new();
            entry.take(HEAD).read_to_end(&mut head)?;
            found = Some(if is_link {
                Content::Link(String::from_utf8_lossy(&head).into_owned())
            } else {
                Content::File(head)
            });
        }
        if !visit(&name, found) {
            break;
        }
    }
    Ok(())
}

/// The archive of a directory, which is made unless there is one of the same files.
fn packed(
    directory: &Path,
    files: &[(tar::Entry, PathBuf)],
    context: &Context,
    report: &dyn Report,
) -> Result<PathBuf, Failure> {
    let shown = directory.display();
    let failed = |e| Failure::because(format!("cannot pack the Python environment {shown}"), e);
    let root = context.needed_cache_dir(&format!("the packed {shown}"))?.join(DIRECTORY);
    let entry = root.join(pack::fingerprint(files).map_err(failed)?);
    let archive = entry.join(PACKED);
    if !archive.is_file() {
        report.info(&format!("Packing {shown} ({} files).", files.len()));
        let make = || -> io::Result<()> {
            ownership::make_directory(&entry)?;
            let mut file = NamedTempFile::new_in(&entry)?;
            pack::pack(files, &mut file)?;
            file.persist(&archive).map_err(|e| e.error)?;
            Ok(())
        };
        make().map_err(|e| failed(e).hint("XDG_CACHE_HOME names another directory for it"))?;
    }
    // The time of the directory tells when its archive was last used.
    touch(&entry);
    for old in entries(&root, UNUSED).into_iter().filter(|old| old.path != entry) {
        old.remove();
    }
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use crate::report::Silent;

    use super::*;

    /// A directory like those that `venv` makes, and a place for the cache.
    fn place() -> (tempfile::TempDir, Context) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        for file in [
            "venv/bin/pip",
            "venv/pyvenv.cfg",
            "venv/lib/python3.11/site-packages/pyflink/__init__.py",
            "venv/lib/python3.11/site-packages/apache_flink-1.20.5.dist-info/METADATA",
        ] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::fs::write(dir.path().join("system-python"), "#!/bin/sh\n").unwrap();
        symlink(dir.path().join("system-python"), dir.path().join("venv/bin/python")).unwrap();
        let context = Context {
            vars: [("XDG_CACHE_HOME".to_owned(), dir.path().join("cache").display().to_string())].into(),
            cwd: dir.path().into(),
            exe: dir.path().join("heddle"),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        };
        (dir, context)
    }

    fn prepare(given: &str, context: &Context) -> Result<Environment, String> {
        let release = "1.20.1".parse().unwrap();
        Environment::prepare(given, release, context, &Silent).map_err(|failure| failure.render(false))
    }

    #[test]
    fn a_directory_is_packed_once() {
        let (dir, context) = place();
        let first = prepare("venv", &context).unwrap();
        assert_eq!((first.bin.as_str(), first.python, first.is_tar), ("bin", "python", true));
        assert_eq!(first.key, "heddle-python.tar.gz");
        assert_eq!(first.directory, Some(dir.path().join("venv")));
        let made = first.archive.metadata().unwrap().modified().unwrap();
        assert_eq!(prepare("venv", &context).unwrap(), first);
        assert_eq!(first.archive.metadata().unwrap().modified().unwrap(), made);
        std::fs::write(dir.path().join("venv/bin/new"), "").unwrap();
        let second = prepare("venv", &context).unwrap();
        assert_ne!(second.archive, first.archive);

        // The archive can be given as well.
        let copy = dir.path().join("copy.tgz");
        std::fs::copy(&second.archive, copy).unwrap();
        let given = prepare("copy.tgz", &context).unwrap();
        assert_eq!((given.bin.as_str(), given.key.as_str()), ("bin", "heddle-python.tgz"));
        assert_eq!(given.directory, None);
        let again = prepare("copy.tgz", &context).unwrap();
        assert_eq!(again, given, "what was seen of it is remembered");
    }

    #[test]
    fn what_is_no_environment_is_refused() {
        let (dir, context) = place();
        std::fs::write(dir.path().join("x.tar.gz"), "x").unwrap();
        std::fs::write(dir.path().join("x.rar"), "x").unwrap();
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        for (given, text) in [
            ("none", "cannot read the Python environment"),
            ("hdfs:///env.tar.gz", "is not on this machine"),
            ("x.rar", "neither a directory nor an archive"),
            ("x.tar.gz", "cannot read the Python environment"),
            ("empty", "holds no interpreter"),
        ] {
            let refused = prepare(given, &context).unwrap_err();
            assert!(refused.contains(text), "{given}: {refused}");
        }
        std::fs::remove_file(dir.path().join("system-python")).unwrap();
        let refused = prepare("venv", &context).unwrap_err();
        assert!(refused.contains("leads to nothing that can be read"), "{refused}");
    }

    #[test]
    fn members_of_archives() {
        let (_dir, context) = place();
        let archive = prepare("venv", &context).unwrap().archive;
        let check = |member: &str| {
            check_member(&archive, "env.tar.gz", member, "-pyexec").map_err(|e| e.render(false))
        };
        assert_eq!(check("bin/python"), Ok(()));
        assert_eq!(check("./bin/pip"), Ok(()));
        let refused = check("venv/bin/pip").unwrap_err();
        assert!(refused.contains("holds no venv/bin/pip, which -pyexec names"), "{refused}");
        assert!(refused.contains("did you mean bin/pip?"), "{refused}");
        assert!(check("bin/python3.9").is_err());
    }
}
