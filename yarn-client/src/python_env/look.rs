//! Judges an environment of Python by its files: where its interpreter is, for which machines it was made,
//! and which PyFlink it holds. Does no I/O.

use std::collections::BTreeMap;

use flink_model::release::Release;
use serde::{Deserialize, Serialize};

use crate::error::Failure;

/// The number of bytes at the beginning of a file that are looked at.
pub(super) const HEAD: u64 = 512;
/// The names of an interpreter, the best one first.
const NAMES: [&str; 2] = ["python", "python3"];
/// The most links that are followed, one after the other.
const LINKS: usize = 8;
/// The name of the settings of an environment made by `venv`.
const SETTINGS: &str = "pyvenv.cfg";
/// Programs of the machines on which heddle runs: Rust's name, and the number in the header of an ELF file.
const MACHINES: [(&str, u16); 2] = [("x86_64", 0x3e), ("aarch64", 0xb7)];

/// What a path in the environment leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Content {
    /// A symbolic link to this path.
    Link(String),
    /// A file that begins with these bytes.
    File(Vec<u8>),
}

/// What was seen of an environment's files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// The files called `python…` in a directory `bin`, by their paths.
    interpreters: BTreeMap<String, Content>,
    /// The release of the package apache-flink.
    pyflink: Option<String>,
    /// Whether there is a package pyflink.
    has_pyflink: bool,
    /// Whether the environment shows the packages of the Python that it was made with, too.
    sees_system: bool,
    /// Whether there is an interpreter for Windows.
    is_windows: bool,
}

/// An environment that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fit {
    /// The directory of the interpreter, such as `bin` or `venv/bin`.
    pub(super) bin: String,
    /// The name of the interpreter in that directory.
    pub(super) python: &'static str,
    /// What the user should know.
    pub(super) warnings: Vec<String>,
}

/// Whether the content of a file at this path says something about the environment.
pub(super) fn is_telling(path: &str) -> bool {
    let path = plain(path);
    path == SETTINGS || path.ends_with(&format!("/{SETTINGS}")) || in_bin(path).is_some()
}

/// A path without what some archives have at its ends.
fn plain(path: &str) -> &str {
    path.trim_start_matches("./").trim_end_matches('/')
}

/// The path to which a link in this directory leads, without `.` and `..`.
fn joined(directory: &str, to: &str) -> String {
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in to.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The directory and the name of an interpreter: `bin/python3`, or the same one directory deeper.
fn in_bin(path: &str) -> Option<(&str, &str)> {
    let (directory, name) = path.rsplit_once('/')?;
    let is_bin =
        directory == "bin" || directory.strip_suffix("/bin").is_some_and(|above| !above.contains('/'));
    (is_bin && name.starts_with("python") && !name.contains('-')).then_some((directory, name))
}

impl Seen {
    /// Takes note of a path. `content` is needed only where [`is_telling`] says so.
    pub(super) fn note(&mut self, path: &str, content: Option<Content>) {
        let path = plain(path);
        if in_bin(path).is_some()
            && let Some(content) = content
        {
            self.interpreters.insert(path.to_owned(), content);
            return;
        }
        if let (true, Some(Content::File(text))) = (path.ends_with(SETTINGS), &content) {
            let text = String::from_utf8_lossy(text).replace(' ', "").to_lowercase();
            self.sees_system |= text.lines().any(|line| line == "include-system-site-packages=true");
        }
        self.is_windows |= path.to_lowercase().ends_with("scripts/python.exe");
        let Some((_, package)) = path.split_once("/site-packages/") else { return };
        let package = package.split('/').next().unwrap_or_default();
        self.has_pyflink |= package == "pyflink";
        let release = package.strip_prefix("apache_flink-");
        let release = release.and_then(|rest| rest.strip_suffix(".dist-info").or(rest.split('-').next()));
        if let Some(release) = release.filter(|release| release.starts_with(|c: char| c.is_ascii_digit())) {
            self.pyflink = Some(release.to_owned());
        }
    }

    /// Whether the rest of the files can tell nothing new.
    pub(super) fn is_enough(&self) -> bool {
        let is_known = |(_, name, target): (&str, &str, Target<'_>)| {
            name == NAMES[0] && !matches!(target, Target::Missing)
        };
        self.pyflink.is_some() && self.interpreter().is_some_and(is_known)
    }

    /// The directory and the name of the interpreter, and what it leads to.
    fn interpreter(&self) -> Option<(&str, &'static str, Target<'_>)> {
        let found = NAMES.into_iter().find_map(|name| {
            let path = self.interpreters.keys().find(|path| in_bin(path).is_some_and(|(_, n)| n == name))?;
            Some((path, in_bin(path)?.0, name))
        });
        let (path, bin, name) = found?;
        Some((bin, name, self.target(bin, path)))
    }

    /// Follows links from an interpreter to what it is.
    fn target(&self, bin: &str, path: &str) -> Target<'_> {
        let mut at = path.to_owned();
        for _ in 0..LINKS {
            match self.interpreters.get(&at) {
                Some(Content::File(head)) => return Target::Program(head),
                Some(Content::Link(to)) if to.starts_with('/') => return Target::Outside(to),
                Some(Content::Link(to)) => at = joined(bin, to),
                None => return Target::Missing,
            }
        }
        Target::Missing
    }

    /// Judges the environment for this release of Flink and this kind of machine. `shown` names it in texts;
    /// `links` says whether links stay links on the nodes. It is a failure if it cannot be used.
    pub(super) fn judge(
        &self,
        shown: &str,
        release: Release,
        arch: &str,
        links: bool,
    ) -> Result<Fit, Failure> {
        let Some((bin, python, target)) = self.interpreter() else {
            let what = if self.is_windows {
                format!("{shown} is an environment of Python for Windows, and the nodes run Linux")
            } else {
                format!("{shown} holds no interpreter of Python: neither bin/python nor bin/python3 is in it")
            };
            return Err(Failure::new(what).hint(MAKE));
        };
        let path = format!("{bin}/{python}");
        if !links && matches!(self.interpreters.get(&path), Some(Content::Link(_))) {
            return Err(Failure::new(format!(
                "{shown}: {path} is a link, and YARN unpacks links in zip archives as text files"
            ))
            .hint("pack the environment as .tar.gz"));
        }
        let mut warnings = Vec::new();
        match target {
            Target::Program(head) => check_machine(&format!("{shown}: {path}"), head, arch)?,
            Target::Outside(to) => warnings.push(format!(
                "{shown}: {path} is a link to {to}, so each node must have that Python at this path; conda-pack \
                 packs the interpreter, too"
            )),
            Target::Missing => {
                let what = format!("{shown}: {path} is a link to something that is not in it");
                return Err(Failure::new(what).hint(MAKE));
            }
        }
        match self.pyflink.as_deref().map(|text| (text, text.parse::<Release>().ok())) {
            Some((text, known)) => {
                let fits = known.is_some_and(|k| (k.major, k.minor) == (release.major, release.minor));
                if !fits {
                    return Err(Failure::new(format!(
                        "{shown} holds PyFlink {text}, which does not fit Flink {release}"
                    ))
                    .hint(format!("install apache-flink=={release} in the environment")));
                }
            }
            None if !self.has_pyflink && !self.sees_system => warnings.push(format!(
                "{shown} holds no PyFlink (the package apache-flink), which the program and its functions need; \
                 `pip install apache-flink=={release}` installs it"
            )),
            None => {}
        }
        Ok(Fit { bin: bin.to_owned(), python, warnings })
    }
}

const MAKE: &str =
    "`python -m venv` and conda make environments; venv-pack and conda-pack pack them as .tar.gz";

/// What an interpreter is.
enum Target<'a> {
    /// A file that begins with these bytes.
    Program(&'a [u8]),
    /// A link to a path outside of the environment.
    Outside(&'a str),
    /// A link that leads to nothing in the environment.
    Missing,
}

/// Refuses a program that is not for machines of this kind. Of scripts, nothing is known.
pub(super) fn check_machine(shown: &str, head: &[u8], arch: &str) -> Result<(), Failure> {
    let other = |what: &str| {
        Failure::new(format!("{shown} is a program {what}, and the nodes run programs for Linux on {arch}"))
            .hint("make the environment on a machine like the nodes")
    };
    let begins = |marks: &[&[u8]]| marks.iter().any(|mark| head.starts_with(mark));
    if begins(&[b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xce\xfa\xed\xfe"]) {
        return Err(other("for macOS"));
    }
    if begins(&[b"MZ"]) {
        return Err(other("for Windows"));
    }
    let (Some(b"\x7fELF"), Some(&[low, high])) = (head.get(..4), head.get(18..20)) else { return Ok(()) };
    let little = head.get(5) == Some(&1);
    let machine = if little { u16::from_le_bytes([low, high]) } else { u16::from_be_bytes([low, high]) };
    let wanted = MACHINES.iter().find(|(name, _)| *name == arch).map(|(_, number)| *number);
    if wanted.is_none_or(|wanted| wanted == machine) {
        return Ok(());
    }
    let name =
        MACHINES.iter().find(|(_, number)| *number == machine).map_or("another kind of machine", |(n, _)| n);
    Err(other(&format!("for {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u16) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        head[18..20].copy_from_slice(&machine.to_le_bytes());
        head
    }

    fn seen(entries: &[(&str, Option<Content>)]) -> Seen {
        let mut seen = Seen::default();
        entries.iter().for_each(|(path, content)| seen.note(path, content.clone()));
        seen
    }

    fn link(to: &str) -> Option<Content> {
        Some(Content::Link(to.to_owned()))
    }

    fn file(head: &[u8]) -> Option<Content> {
        Some(Content::File(head.to_vec()))
    }

    const PYFLINK: (&str, Option<Content>) =
        ("lib/python3.11/site-packages/apache_flink-1.20.5.dist-info/METADATA", None);

    fn judged(seen: &Seen, links: bool) -> Result<Fit, String> {
        let release = "1.20.1".parse().unwrap();
        seen.judge("env", release, "x86_64", links).map_err(|failure| failure.render(false))
    }

    #[test]
    fn environments_that_can_be_used() {
        let conda = seen(&[
            ("./bin/python3.11", file(&elf(0x3e))),
            ("./bin/python3", link("python3.11")),
            ("./bin/python", link("python3.11")),
            PYFLINK,
        ]);
        assert!(conda.is_enough());
        assert_eq!(judged(&conda, true), Ok(Fit { bin: "bin".into(), python: "python", warnings: vec![] }));
        let deeper = seen(&[("venv/bin/python3", file(b"#!/bin/sh\n")), PYFLINK]);
        assert_eq!(
            judged(&deeper, false).map(|fit| (fit.bin, fit.python)),
            Ok(("venv/bin".into(), "python3"))
        );
        let venv = seen(&[("bin/python", link("/usr/bin/python3")), PYFLINK]);
        let warnings = judged(&venv, true).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains("is a link to /usr/bin/python3"), "{warnings:?}");
        let system = ("pyvenv.cfg", file(b"home = /usr/bin\ninclude-system-site-packages = true\n"));
        let python = ("bin/python", file(&elf(0x3e)));
        assert!(judged(&seen(&[python.clone(), system]), true).unwrap().warnings.is_empty());
        let bare = judged(&seen(&[python]), true).unwrap().warnings;
        assert!(bare[0].contains("holds no PyFlink") && bare[0].contains("apache-flink==1.20.1"), "{bare:?}");
    }

    #[test]
    fn environments_that_cannot_be_used() {
        let old = ("lib/python3.8/site-packages/apache_flink-1.18.1-py3.8.egg-info", None);
        for (entries, links, text) in [
            (vec![("lib/x.py", None)], true, "holds no interpreter"),
            (vec![("Scripts/python.exe", None)], true, "for Windows"),
            (vec![("a/b/bin/python", file(b""))], true, "holds no interpreter"),
            (vec![("bin/python", file(&elf(0xb7)))], true, "for aarch64"),
            (vec![("bin/python", file(&elf(0x28)))], true, "another kind of machine"),
            (vec![("bin/python", file(b"\xcf\xfa\xed\xfe"))], true, "for macOS"),
            (vec![("bin/python", link("python3.9"))], true, "is not in it"),
            (vec![("bin/python", link("python"))], true, "is not in it"),
            (vec![("bin/python", link("/usr/bin/python3"))], false, "pack the environment as .tar.gz"),
            (
                vec![("bin/python", link("python3")), ("bin/python3", file(&elf(0x3e)))],
                false,
                "pack the environment as .tar.gz",
            ),
            (vec![("bin/python", file(&elf(0x3e))), old], true, "holds PyFlink 1.18.1, which does not fit"),
        ] {
            let refused = judged(&seen(&entries), links).unwrap_err();
            assert!(refused.contains(text), "{entries:?}: {refused}");
        }
    }

    #[test]
    fn which_files_tell_something() {
        for path in ["bin/python", "./bin/python3.11", "venv/bin/python3", "pyvenv.cfg", "venv/pyvenv.cfg"] {
            assert!(is_telling(path), "{path}");
        }
        for path in ["bin/pip", "bin/python-config", "lib/bin/x/python", "python", "lib/python3/x.py"] {
            assert!(!is_telling(path), "{path}");
        }
    }
}
