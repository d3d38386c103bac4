//! Makes what the JDK's Flight Recorder has written a part of the container's logs. The recorder keeps its
//! files in a directory of its own, and YARN collects only the files of the directory of the logs itself. So
//! each of them gets a second name (a hard link) there. What the JVM writes later is in the file under both
//! names, and stays if the JVM removes its own name, or is killed at any moment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::fresh;
use crate::jvm_records::{JFR_DIRECTORY, JFR_END};

/// How often new files are looked for. The recorder begins one every few minutes.
pub const EVERY: Duration = Duration::from_secs(20);
/// How many files are kept, the newest. The recorder begins another one after 12 MB.
const MOST: usize = 5;

/// Gives all files of the recorder names in the directory of the logs that begin with `name`, and removes the
/// oldest of such names. It is an error if a directory cannot be read; a file that cannot be linked is told
/// in the log.
pub fn collect(log_dir: &Path, name: &str) -> io::Result<()> {
    for file in recorded(&log_dir.join(JFR_DIRECTORY))? {
        let Some(file_name) = file.file_name().and_then(|name| name.to_str()) else { continue };
        let link = log_dir.join(format!("{name}-{file_name}"));
        match fresh::second_name(&file, &link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // The JVM has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, file = %file.display(), "not among the container's logs"),
            Ok(()) => {}
        }
    }
    let mut links: Vec<PathBuf> = fs::read_dir(log_dir)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_ours(path, name))
        .collect();
    // The names tell the time.
    links.sort();
    for old in links.iter().take(links.len().saturating_sub(MOST)) {
        if let Err(error) = fs::remove_file(old) {
            tracing::debug!(%error, file = %old.display(), "not removed");
        }
    }
    Ok(())
}

fn is_ours(path: &Path, name: &str) -> bool {
    let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    file_name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-') && rest.ends_with(JFR_END))
}

/// The files of the recorder: in the directory that it makes in its repository for each JVM.
fn recorded(repository: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let directories = match fs::read_dir(repository) {
        // The JVM has not made it yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        read => read?,
    };
    for directory in directories.flatten() {
        // Neither a link nor anything else is followed.
        if !directory.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        // The JVM may have removed it meanwhile.
        let Ok(files) = fs::read_dir(directory.path()) else { continue };
        let is_file = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
        let files = files.flatten().filter(is_file).map(|entry| entry.path());
        found.extend(files.filter(|path| path.to_string_lossy().ends_with(JFR_END)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_recorded_is_among_the_logs_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path();
        collect(logs, "taskmanager").unwrap();
        let repository = logs.join(JFR_DIRECTORY).join("2026_11_30_10_00_00_77");
        fs::create_dir_all(&repository).unwrap();
        let chunk = repository.join("2026_11_30_10_00_00.jfr");
        fs::write(&chunk, "FLR").unwrap();
        fs::write(repository.join("other"), "x").unwrap();
        for _ in 0..2 {
            collect(logs, "taskmanager").unwrap();
        }
        let name = "taskmanager-2026_11_30_10_00_00.jfr";
        assert_eq!(names(logs), [name]);
        // The JVM goes on writing, and ends.
        let mut more = fs::OpenOptions::new().append(true).open(&chunk).unwrap();
        io::Write::write_all(&mut more, b" and more").unwrap();
        fs::remove_dir_all(logs.join(JFR_DIRECTORY)).unwrap();
        collect(logs, "taskmanager").unwrap();
        assert_eq!(fs::read(logs.join(name)).unwrap(), b"FLR and more");
    }

    #[test]
    fn only_the_newest_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let repository = dir.path().join(JFR_DIRECTORY).join("r");
        fs::create_dir_all(&repository).unwrap();
        fs::write(dir.path().join("taskmanager.log"), "x").unwrap();
        for number in 10..30 {
            fs::write(repository.join(format!("{number}.jfr")), "x").unwrap();
            collect(dir.path(), "taskmanager").unwrap();
            fs::remove_file(repository.join(format!("{number}.jfr"))).unwrap();
        }
        let kept = names(dir.path());
        assert_eq!(kept.len(), MOST + 1);
        assert_eq!((kept[0].as_str(), kept[MOST].as_str()), ("taskmanager-25.jfr", "taskmanager.log"));
    }

    #[test]
    fn no_link_is_followed() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(cache.path().join("canary.jfr"), "sings").unwrap();
        let repository = dir.path().join(JFR_DIRECTORY);
        fs::create_dir(&repository).unwrap();
        std::os::unix::fs::symlink(cache.path(), repository.join("r")).unwrap();
        fs::create_dir(repository.join("s")).unwrap();
        std::os::unix::fs::symlink(cache.path().join("canary.jfr"), repository.join("s/x.jfr")).unwrap();
        collect(dir.path(), "taskmanager").unwrap();
        assert!(names(dir.path()).is_empty());
    }
}
