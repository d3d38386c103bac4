//! Where a Flink distribution lies that no variable names, and where its configuration is. The decisions are
//! functions of what is on the machine.
//!
//! Amazon EMR and Apache Bigtop install Flink in `/usr/lib/flink`, Cloudera in a parcel. All three have its
//! configuration in `/etc/flink/conf`. In the packages of Bigtop and EMR, `conf` of the distribution is a
//! link to it; in Cloudera's parcel there is no `conf`.

use std::path::{Path, PathBuf};

/// The directories in which vendors install Flink: Amazon EMR and Bigtop, and Cloudera.
pub(crate) const PLACES: [&str; 2] = ["/usr/lib/flink", "/opt/cloudera/parcels/FLINK/lib/flink"];
/// The directory in which vendors have Flink's configuration.
pub(crate) const CONFIGURATION: &str = "/etc/flink/conf";
/// The directory of the distribution beside the `bin` of its commands, in packages and parcels.
const BESIDE: &str = "lib/flink";
/// The system follows no more links than these in one path.
const MOST_LINKS: usize = 40;

/// What is on a machine.
pub(crate) trait Files {
    /// Whether the directory `lib` of this one holds a flink-dist jar.
    fn is_distribution(&self, root: &Path) -> bool;

    /// Whether the directory holds a configuration file of Flink's.
    fn has_configuration(&self, directory: &Path) -> bool;

    /// What a symbolic link leads to, as it is written in the link; `None` if this is no link.
    fn link(&self, path: &Path) -> Option<PathBuf>;

    /// The path without symbolic links; `None` if there is nothing.
    fn real(&self, path: &Path) -> Option<PathBuf>;
}

/// A distribution that was found without a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guess {
    pub(crate) root: PathBuf,
    /// What the user should know about the choice.
    pub(crate) note: Option<String>,
}

/// A directory with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Configured {
    pub(crate) directory: PathBuf,
    /// What the user should know about the choice.
    pub(crate) note: Option<String>,
}

/// The distribution in whose `bin` a program lies. Of a program that is a link, the place of each link counts
/// before that of what it leads to.
pub(crate) fn of_program(program: &Path, files: &dyn Files) -> Option<PathBuf> {
    above_bin(program, files).into_iter().find(|root| files.is_distribution(root))
}

/// The distribution that is taken if no variable names one and this program was not called in one: that of
/// the `flink` on the PATH (`on_path`), the one that heddle's own program (`exe`) is installed in, or one in
/// the places of the vendors.
pub(crate) fn guess(on_path: Option<&Path>, exe: &Path, files: &dyn Files) -> Option<Guess> {
    let beside = |program: &Path| {
        let roots = above_bin(program, files).into_iter().map(|root| root.join(BESIDE));
        roots.into_iter().find(|root| files.is_distribution(root))
    };
    let by_program = on_path.and_then(|program| of_program(program, files).or_else(|| beside(program)));
    if let Some(root) = by_program.or_else(|| of_program(exe, files)) {
        return Some(Guess { root, note: None });
    }
    let mut there = PLACES.into_iter().map(Path::new).filter(|root| files.is_distribution(root));
    let root = there.next()?;
    let note = there.find(|other| files.real(other) != files.real(root)).map(|other| {
        format!(
            "FLINK_HOME is not set: the distribution is that in {}, and not that in {}",
            root.display(),
            other.display()
        )
    });
    Some(Guess { root: root.to_owned(), note })
}

/// The configuration of a distribution for which no variable names one: its own `conf`, or, if that has none
/// and the distribution lies where packages have it, that of the system.
pub(crate) fn configuration(root: &Path, files: &dyn Files) -> Configured {
    let own = root.join("conf");
    let system = Path::new(CONFIGURATION);
    if !root.ends_with(BESIDE) || !files.has_configuration(system) {
        return Configured { directory: own, note: None };
    }
    if !files.has_configuration(&own) {
        return Configured { directory: system.to_owned(), note: None };
    }
    let note = (files.real(&own) != files.real(system)).then(|| {
        format!(
            "FLINK_CONF_DIR is not set: the configuration is that in {}, and not that in {CONFIGURATION}",
            own.display()
        )
    });
    Configured { directory: own, note }
}

/// The directories above the `bin` of a program, for the program and for each link on the way to it.
fn above_bin(program: &Path, files: &dyn Files) -> Vec<PathBuf> {
    let mut steps = vec![program.to_owned()];
    while steps.len() <= MOST_LINKS
        && let Some(next) = steps.last().and_then(|step| Some(step.parent()?.join(files.link(step)?)))
    {
        steps.push(next);
    }
    // A directory on the way may be a link, too.
    steps.extend(files.real(program));
    steps.iter().filter_map(|step| Some(step.parent()?.parent()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// A machine as it is told: paths of distributions and of directories with a configuration, and links.
    #[derive(Default)]
    struct Machine {
        distributions: BTreeSet<PathBuf>,
        configurations: BTreeSet<PathBuf>,
        links: BTreeMap<PathBuf, PathBuf>,
    }

    impl Machine {
        fn new(distributions: &[&str], configurations: &[&str], links: &[(&str, &str)]) -> Self {
            Self {
                distributions: distributions.iter().map(PathBuf::from).collect(),
                configurations: configurations.iter().map(PathBuf::from).collect(),
                links: links.iter().map(|(from, to)| (from.into(), to.into())).collect(),
            }
        }
    }

    impl Files for Machine {
        fn is_distribution(&self, root: &Path) -> bool {
            self.real(root).is_some_and(|root| self.distributions.contains(&root))
        }

        fn has_configuration(&self, directory: &Path) -> bool {
            self.real(directory).is_some_and(|directory| self.configurations.contains(&directory))
        }

        fn link(&self, path: &Path) -> Option<PathBuf> {
            self.links.get(path).cloned()
        }

        fn real(&self, path: &Path) -> Option<PathBuf> {
            let mut real = PathBuf::new();
            for name in path.components() {
                real.push(name);
                while let Some(target) = self.links.get(&real) {
                    real = real.parent().unwrap_or(Path::new("/")).join(target);
                }
            }
            Some(real)
        }
    }

    const EXE: &str = "/usr/lib/heddle/bin/heddle";

    fn guessed(machine: &Machine, on_path: Option<&str>) -> Option<String> {
        let guess = guess(on_path.map(Path::new), Path::new(EXE), machine)?;
        Some(guess.root.display().to_string())
    }

    #[test]
    fn a_program_in_a_distribution() {
        let links = [
            ("/opt/flink/bin/flink", EXE),
            ("/usr/local/bin/flink", "/opt/flink/bin/flink"),
            ("/opt/current", "/opt/flink/bin"),
        ];
        let machine = Machine::new(&["/opt/flink"], &[], &links);
        let of =
            |program: &str| of_program(Path::new(program), &machine).map(|root| root.display().to_string());
        for program in ["/opt/flink/bin/flink", "/opt/flink/bin/sql-client.sh", "/usr/local/bin/flink"] {
            assert_eq!(of(program).as_deref(), Some("/opt/flink"), "{program}");
        }
        assert_eq!(of("/opt/current/sql-client.sh").as_deref(), Some("/opt/flink"), "by the real path");
        for program in [EXE, "/usr/bin/flink", "/flink", "flink"] {
            assert_eq!(of(program), None, "{program}");
        }
    }

    #[test]
    fn a_link_that_is_no_distributions_leads_on() {
        let links = [("/a/bin/flink", "/b/bin/flink"), ("/b/bin/flink", EXE)];
        let both = Machine::new(&["/a", "/b"], &[], &links);
        assert_eq!(of_program(Path::new("/a/bin/flink"), &both), Some("/a".into()));
        let second = Machine::new(&["/b"], &[], &links);
        assert_eq!(of_program(Path::new("/a/bin/flink"), &second), Some("/b".into()));
    }

    #[test]
    fn the_layout_of_emr_and_bigtop() {
        // /usr/bin/flink is a script of the package, which starts Flink's.
        let machine = Machine::new(
            &["/usr/lib/flink"],
            &["/etc/flink/conf.dist"],
            &[("/usr/lib/flink/conf", "/etc/flink/conf"), ("/etc/flink/conf", "/etc/flink/conf.dist")],
        );
        for on_path in [Some("/usr/bin/flink"), None] {
            assert_eq!(guessed(&machine, on_path).as_deref(), Some("/usr/lib/flink"), "{on_path:?}");
        }
        let found = configuration(Path::new("/usr/lib/flink"), &machine);
        assert_eq!(found, Configured { directory: "/usr/lib/flink/conf".into(), note: None });
    }

    #[test]
    fn the_layout_of_cloudera() {
        let parcel = "/opt/cloudera/parcels/FLINK-1.19.1-csa1.14.0.0-1";
        let home = format!("{parcel}/lib/flink");
        let command = format!("{parcel}/bin/flink");
        let machine = Machine::new(
            &[home.as_str()],
            &["/etc/flink/conf.cloudera.flink"],
            &[
                ("/opt/cloudera/parcels/FLINK", parcel),
                ("/etc/alternatives/flink", command.as_str()),
                ("/usr/bin/flink", "/etc/alternatives/flink"),
                ("/etc/flink/conf", "/etc/flink/conf.cloudera.flink"),
            ],
        );
        assert_eq!(guessed(&machine, Some("/usr/bin/flink")), Some(home));
        let unversioned = "/opt/cloudera/parcels/FLINK/lib/flink";
        assert_eq!(guessed(&machine, None).as_deref(), Some(unversioned));
        let found = configuration(Path::new(unversioned), &machine);
        assert_eq!(found, Configured { directory: CONFIGURATION.into(), note: None });
    }

    #[test]
    fn the_path_comes_before_the_places_of_the_vendors() {
        let machine = Machine::new(&["/usr/lib/flink", "/opt/flink"], &[], &[]);
        assert_eq!(guessed(&machine, Some("/opt/flink/bin/flink")).as_deref(), Some("/opt/flink"));
        assert_eq!(guessed(&machine, Some("/somewhere/bin/flink")).as_deref(), Some("/usr/lib/flink"));
        assert_eq!(guessed(&Machine::default(), Some("/usr/bin/flink")), None);
    }

    #[test]
    fn what_could_surprise_is_told() {
        let two = Machine::new(&PLACES, &[], &[]);
        let note = guess(None, Path::new(EXE), &two).unwrap().note.unwrap();
        assert!(PLACES.iter().all(|place| note.contains(place)), "{note}");
        let one_by_two_names = Machine::new(&[PLACES[1]], &[], &[(PLACES[0], PLACES[1])]);
        assert_eq!(guess(None, Path::new(EXE), &one_by_two_names).unwrap().note, None);

        let conf = |root: &str, configurations: &[&str]| {
            configuration(Path::new(root), &Machine::new(&[], configurations, &[]))
        };
        let own = conf("/usr/lib/flink", &["/usr/lib/flink/conf", CONFIGURATION]);
        assert_eq!(own.directory, Path::new("/usr/lib/flink/conf"));
        assert!(own.note.is_some_and(|note| note.contains("FLINK_CONF_DIR is not set")));
        assert_eq!(conf("/usr/lib/flink", &["/usr/lib/flink/conf"]).note, None);
        // A distribution elsewhere has nothing to do with the system's configuration.
        let elsewhere = Configured { directory: "/opt/flink/conf".into(), note: None };
        assert_eq!(conf("/opt/flink", &[CONFIGURATION]), elsewhere);
        assert_eq!(conf("/opt/flink", &["/opt/flink/conf", CONFIGURATION]), elsewhere);
    }
}
