//! Packs a directory with an environment of Python into an archive, as venv-pack and conda-pack do: `bin` and
//! `lib` are at its top. The same files always give the same bytes.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::tar::{Entry, Kind, Writer};

/// The size of the buffers for the archive and for its files.
const BUFFER: usize = 1 << 18;

/// The entries of a directory, sorted by their names, each with its path. Links are not followed, except the
/// directory itself.
pub(super) fn entries(directory: &Path) -> io::Result<Vec<(Entry, PathBuf)>> {
    let root = directory.canonicalize()?;
    let mut found = Vec::new();
    collect(&root, &root, &mut found)?;
    found.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    Ok(found)
}

fn collect(root: &Path, directory: &Path, found: &mut Vec<(Entry, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let metadata = path.symlink_metadata()?;
        let name = path.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned);
        let name = name.ok_or_else(|| {
            io::Error::other(format!("the name of {} is not UTF-8 and cannot be packed", path.display()))
        })?;
        let kind = if metadata.is_symlink() {
            Kind::Link(target(root, &path)?)
        } else if metadata.is_dir() {
            Kind::Directory
        } else if metadata.is_file() {
            Kind::File(metadata.len())
        } else {
            // A socket or a pipe is of no use on another machine.
            continue;
        };
        let is_directory = kind == Kind::Directory;
        let executable = metadata.permissions().mode() & 0o111 != 0;
        let modified = u64::try_from(metadata.mtime()).unwrap_or_default();
        found.push((Entry { name, kind, executable, modified }, path.clone()));
        if is_directory {
            collect(root, &path, found)?;
        }
    }
    Ok(())
}

/// The target of a link. One that names a path in the environment with its absolute path becomes relative, so
/// that it is right where the environment is unpacked.
fn target(root: &Path, link: &Path) -> io::Result<String> {
    let target = fs::read_link(link)?;
    let inside = target.strip_prefix(root).ok().zip(link.strip_prefix(root).ok());
    let moved = inside.map(|(target, link)| {
        let up = link.components().count().saturating_sub(1);
        (0..up).map(|_| Path::new("..")).chain([target]).collect::<PathBuf>()
    });
    let text = moved.unwrap_or(target).into_os_string().into_string();
    text.map_err(|_| io::Error::other(format!("the link {} cannot be packed", link.display())))
}

/// A hash that changes when a file, a link or its place changes, as far as that can be told without reading
/// the files.
pub(super) fn fingerprint(entries: &[(Entry, PathBuf)]) -> io::Result<String> {
    let mut hash = Sha256::new();
    for (Entry { name, kind, executable, .. }, path) in entries {
        let metadata = path.symlink_metadata()?;
        let times = (metadata.mtime(), metadata.mtime_nsec(), metadata.ino());
        hash.update(format!("{name}\0{kind:?}\0{executable}\0{times:?}\n").as_bytes());
    }
    Ok(hex::encode(hash.finalize()))
}

/// Writes the archive.
pub(super) fn pack(entries: &[(Entry, PathBuf)], to: &mut dyn Write) -> io::Result<()> {
    let encoder = GzEncoder::new(BufWriter::with_capacity(BUFFER, to), Compression::fast());
    let mut tar = Writer::new(encoder);
    for (entry, path) in entries {
        match entry.kind {
            Kind::File(_) => {
                let file = File::open(path)?;
                tar.add(entry, &mut BufReader::with_capacity(BUFFER, file))?;
            }
            Kind::Directory | Kind::Link(_) => tar.add(entry, &mut io::empty())?,
        }
    }
    tar.finish()?.finish()?.flush()
}

/// The beginning of a file.
pub(super) fn head(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(length).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use flate2::read::GzDecoder;

    use super::*;

    /// A directory with files, a link within it, one to it by its absolute path, and one out of it.
    fn environment() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (file, mode) in [("bin/python3", 0o755), ("lib/a/x.py", 0o600)] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, file).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let root = dir.path().canonicalize().unwrap();
        symlink("python3", root.join("bin/python")).unwrap();
        symlink(root.join("lib/a"), root.join("bin/inside")).unwrap();
        symlink("/usr/lib", root.join("outside")).unwrap();
        dir
    }

    #[test]
    fn a_directory_is_packed_with_its_links_and_modes() {
        let dir = environment();
        let entries = entries(dir.path()).unwrap();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        pack(&entries, &mut one).unwrap();
        pack(&super::entries(dir.path()).unwrap(), &mut other).unwrap();
        assert_eq!(one, other, "the same files give the same bytes");
        let mut found = Vec::new();
        super::super::tar::read(GzDecoder::new(one.as_slice()), |entry, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            found.push(match &entry.kind {
                Kind::Directory => format!("{}/", entry.name),
                Kind::Link(to) => format!("{} -> {to}", entry.name),
                Kind::File(_) => format!("{} {} {text}", entry.name, entry.executable),
            });
            Ok(true)
        })
        .unwrap();
        assert_eq!(
            found,
            [
                "bin/",
                "bin/inside -> ../lib/a",
                "bin/python -> python3",
                "bin/python3 true bin/python3",
                "lib/",
                "lib/a/",
                "lib/a/x.py false lib/a/x.py",
                "outside -> /usr/lib"
            ]
        );
    }

    #[test]
    fn a_change_is_noticed() {
        let dir = environment();
        let of = || fingerprint(&entries(dir.path()).unwrap()).unwrap();
        let before = of();
        assert_eq!(before, of());
        fs::write(dir.path().join("lib/a/y.py"), "").unwrap();
        assert_ne!(before, of());
    }
}
