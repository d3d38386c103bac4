//! What `heddle adopt` leaves in a directory: a note that says which Flink distribution the directory stands
//! for, and the files in `bin` that start heddle under Flink's names.
//!
//! These files are scripts and no links. A tool may follow a link to heddle's own program, and call it by a
//! path that tells neither the command nor the distribution; and a tool may start a command with `sh`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The word with which these scripts start heddle; behind it comes the path of the script. People have no
/// use for it, so that no help shows it.
pub const VERB: &str = "called-as";
/// The name of the note.
pub(crate) const NOTE: &str = ".heddle-adopted.json";
/// The second line of each file in `bin` that `heddle adopt` has written, by which it knows the file again.
const MADE: &str = "# Made by `heddle adopt`, which writes it anew when it is repeated.";
/// The most bytes that are read of a file to see whether `heddle adopt` has written it. Those are shorter.
const LONGEST: u64 = 16 * 1024;

/// The note in a directory that `heddle adopt` has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    /// The distribution for which the directory stands.
    pub(crate) flink_home: PathBuf,
    /// Those for which it stood before, as long as the change has not come to its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) before: Vec<PathBuf>,
    /// The program that the scripts start.
    pub(crate) heddle: PathBuf,
    /// heddle's release.
    pub(crate) version: String,
}

impl Note {
    /// Reads the note in `directory`; `None` if there is none. A note that cannot be read is an error.
    pub(crate) fn read(directory: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(directory.join(NOTE)) {
            Ok(content) => Ok(Some(serde_json::from_slice(&content)?)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The script that starts `heddle` under the name of the script's own file. It is for each shell that calls
/// itself `sh`.
pub(crate) fn launcher(heddle: &str) -> String {
    format!(
        "#!/bin/sh\n\
         {MADE}\n\
         # It starts heddle under the name of this file, for the Flink distribution of this directory.\n\
         exec {} {VERB} \"$0\" \"$@\"\n",
        quoted(heddle)
    )
}

/// The `config.sh` of the directory: that of the distribution in `flink_home`, to which it tells the
/// directory. Without that, Flink's file would follow the link by which a script was called, and take the
/// distribution's own `conf` and `log`.
///
/// The directories with jars are given by their real paths, because Flink's scripts search them with `find`,
/// which does not follow a link.
pub(crate) fn config_script(flink_home: &str) -> String {
    let mut script = format!(
        "#!/usr/bin/env bash\n\
         {MADE}\n\
         # It reads Flink's own config.sh, and lets it take this directory for FLINK_HOME.\n\
         if [ -z \"$_FLINK_HOME_DETERMINED\" ]; then\n    \
             FLINK_HOME=\"$(CDPATH= cd -- \"$(dirname -- \"${{BASH_SOURCE[0]}}\")/..\" && pwd)\"\n    \
             _FLINK_HOME_DETERMINED=1\n\
         fi\n\
         # Flink's scripts search these with `find`, which does not follow a link.\n"
    );
    for name in ["lib", "opt", "plugins"] {
        let variable = format!("FLINK_{}_DIR", name.to_uppercase());
        script.push_str(&format!(
            "if [ -z \"${variable}\" ] && [ -d \"$FLINK_HOME/{name}\" ]; then\n    \
                 {variable}=\"$(CDPATH= cd -- \"$FLINK_HOME/{name}\" && pwd -P)\"\n\
             fi\n"
        ));
    }
    script.push_str(&format!(". {}\n", quoted(&format!("{flink_home}/bin/config.sh"))));
    script
}

/// The content of a file in `bin`, if `heddle adopt` has written it.
pub(crate) fn made(path: &Path) -> Option<String> {
    let mut content = String::new();
    File::open(path).ok()?.take(LONGEST).read_to_string(&mut content).ok()?;
    (content.lines().nth(1) == Some(MADE)).then_some(content)
}

/// Whether a file is a script of `heddle adopt`, so that it starts heddle and not Flink.
pub fn starts_heddle(path: &Path) -> bool {
    path.is_file() && made(path).is_some()
}

/// The words of a command line as they were typed. If a script of `heddle adopt` has started this process,
/// the first word is the path of the script, as it would be for a link.
pub fn as_typed(args: Vec<OsString>) -> Vec<OsString> {
    let script = match args.get(1..) {
        // A script in the working directory has a name without a slash if `sh` was told to run it. The name
        // of a program without a slash is one on the PATH.
        Some([verb, script, ..]) if verb == VERB => Path::new(".").join(script).into_os_string(),
        _ => return args,
    };
    std::iter::once(script).chain(args.into_iter().skip(3)).collect()
}

/// A text as one word for `sh`.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_was_typed() {
        let of = |line: &str| {
            let words = as_typed(line.split(' ').map(OsString::from).collect());
            words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of("/h/bin/heddle called-as /d/bin/flink run a.jar"), "/d/bin/flink run a.jar");
        assert_eq!(of("/h/bin/heddle called-as flink"), "./flink");
        assert_eq!(of("/h/bin/heddle called-as bin/flink called-as x"), "./bin/flink called-as x");
        for line in ["heddle", "heddle called-as", "flink run called-as x"] {
            assert_eq!(of(line), line);
        }
    }

    #[test]
    fn a_script_hands_on_its_name_and_all_words() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("it's here")).unwrap();
        let program = at("it's here/heddle");
        std::fs::write(&program, "#!/bin/sh\nprintf '[%s]' \"$@\"\n").unwrap();
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        std::fs::write(at("flink"), launcher(program.to_str().unwrap())).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the script is run as a tool runs it")]
        let mut sh = Command::new("sh");
        let done = sh.arg(at("flink")).args(["run", "a b", "", "$x"]).output().unwrap();
        let expected = format!("[called-as][{}][run][a b][][$x]", at("flink").display());
        assert_eq!(String::from_utf8_lossy(&done.stdout), expected, "{done:?}");
        assert!(starts_heddle(&at("flink")) && !starts_heddle(&program) && !starts_heddle(dir.path()));
    }

    #[test]
    fn flinks_own_script_gets_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        for made in ["flink/bin", "flink/lib", "flink/opt", "adopted/bin"] {
            std::fs::create_dir_all(dir.join(made)).unwrap();
        }
        std::os::unix::fs::symlink(dir.join("flink/lib"), dir.join("adopted/lib")).unwrap();
        std::os::unix::fs::symlink(dir.join("flink/opt"), dir.join("adopted/opt")).unwrap();
        let own =
            "echo \"$_FLINK_HOME_DETERMINED|$FLINK_HOME|$FLINK_LIB_DIR|$FLINK_OPT_DIR|$FLINK_PLUGINS_DIR\"";
        std::fs::write(dir.join("flink/bin/config.sh"), own).unwrap();
        let script = config_script(dir.join("flink").to_str().unwrap());
        std::fs::write(dir.join("adopted/bin/config.sh"), script).unwrap();
        #[expect(clippy::disallowed_methods, reason = "Flink's scripts are run by bash")]
        let mut bash = Command::new("bash");
        bash.args(["-c", "cd adopted/bin && . ./config.sh && . ./config.sh"]).current_dir(&dir).env_clear();
        let done = bash.env("CDPATH", "/").env("PATH", "/usr/bin:/bin").output().unwrap();
        let told = String::from_utf8_lossy(&done.stdout).replace(&dir.display().to_string(), "D");
        assert_eq!(told, "1|D/adopted|D/flink/lib|D/flink/opt|\n".repeat(2), "{done:?}");
    }

    #[test]
    fn a_note_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Note::read(dir.path()).unwrap(), None);
        assert_eq!(Note::read(&dir.path().join("gone/deeper")).unwrap(), None);
        let note = Note {
            flink_home: "/opt/flink".into(),
            before: vec!["/opt/old".into()],
            heddle: "/usr/bin/heddle".into(),
            version: "1".into(),
        };
        std::fs::write(dir.path().join(NOTE), serde_json::to_string(&note).unwrap()).unwrap();
        assert_eq!(Note::read(dir.path()).unwrap(), Some(note));
        std::fs::write(dir.path().join(NOTE), "{}").unwrap();
        assert!(Note::read(dir.path()).is_err());
    }
}
