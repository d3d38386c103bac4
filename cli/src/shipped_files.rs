//! The files of this machine that a program names, and that go with it to the containers.

use std::path::PathBuf;

use artifact_store::files_below;
use flink_model::config::Configuration;
use flink_model::options;
use yarn_client::configuration::text;
use yarn_client::context::Context;
use yarn_client::error::Failure;
use yarn_client::paths::{is_remote, without_scheme};

/// Local files that are shipped to the containers because a program names them.
pub(crate) struct ShippedFiles<'a> {
    context: &'a Context,
    /// The names of what other options ship.
    taken: Vec<String>,
    list: Vec<(String, PathBuf)>,
}

impl<'a> ShippedFiles<'a> {
    /// No files yet.
    pub(crate) fn new(configuration: &Configuration, context: &'a Context) -> Self {
        Self { context, taken: names_of_others(configuration), list: Vec::new() }
    }

    /// The files, each with its path in the containers.
    pub(crate) fn into_list(self) -> Vec<(String, PathBuf)> {
        self.list
    }

    /// Ships `path`, if it is a local file that is not shipped yet. Returns the path by which the program
    /// finds it in its container.
    pub(crate) fn ship(&mut self, path: &str) -> Result<String, Failure> {
        let plain = without_scheme(path);
        let shipped =
            plain.split('/').next().is_some_and(|first| self.taken.iter().any(|name| name == first));
        let local = self.context.path(plain);
        if is_remote(path) || shipped || !local.exists() {
            // Such a path needs no shipping: it is a URL, it is shipped by another option, or it names a file
            // that the container has, in an unpacked archive or installed on the node.
            return Ok(path.to_owned());
        }
        let name = local.file_name().and_then(|n| n.to_str()).map(str::to_owned);
        let name =
            name.ok_or_else(|| Failure::new(format!("{path:?} has no name that can be used on the nodes")))?;
        if local.is_dir() {
            for file in files_below(&local, &name)? {
                self.add(file.key, file.path)?;
            }
        } else {
            self.add(name.clone(), local)?;
        }
        Ok(name)
    }

    /// A file that is there already is not shipped twice. Two files cannot have one name in the containers.
    fn add(&mut self, key: String, path: PathBuf) -> Result<(), Failure> {
        match self.list.iter().find(|(known, _)| *known == key) {
            None => self.list.push((key, path)),
            Some((_, known)) if *known == path => {}
            Some((_, known)) => {
                let (one, other) = (known.display(), path.display());
                return Err(Failure::new(format!("{one} and {other} would both be {key} on the nodes"))
                    .hint("rename one of them, or give their directory instead"));
            }
        }
        Ok(())
    }
}

/// The names in the containers of files and archives that other options ship.
fn names_of_others(configuration: &Configuration) -> Vec<String> {
    let lists = [&options::SHIP_FILES, &options::SHIP_ARCHIVES];
    let text =
        lists.into_iter().filter_map(|option| text(configuration, option)).collect::<Vec<_>>().join(";");
    let names = text.split(';').filter_map(|path| path.trim().trim_end_matches('/').rsplit('/').next());
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_cannot_have_one_name_in_the_containers() {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["a", "b"] {
            std::fs::create_dir(dir.path().join(sub)).unwrap();
            std::fs::write(dir.path().join(sub).join("util.py"), sub).unwrap();
        }
        let context = Context {
            vars: Default::default(),
            cwd: dir.path().into(),
            exe: dir.path().join("heddle"),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        };
        let mut files = ShippedFiles::new(&Configuration::default(), &context);
        assert_eq!(files.ship("a/util.py").unwrap(), "util.py");
        assert_eq!(files.ship("a/util.py").unwrap(), "util.py");
        assert_eq!(files.list.len(), 1, "the same file once");
        let error = files.ship("b/util.py").unwrap_err().to_string();
        assert!(error.contains("would both be util.py on the nodes"), "{error}");
    }
}
