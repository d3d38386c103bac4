//! Says whether a release of Flink runs on a version of Java, so that heddle can warn before a JVM fails.
//! Explains the errors of JVMs that have failed because of their Java.

use std::fmt;

use crate::release::Release;

/// The first feature release of Java that keeps the JDK's internals closed unless options of the JVM open
/// them.
const CLOSED_SINCE: u16 = 16;
/// The package of the JDK's internals that JobManager and TaskManager use in releases of Flink that need such
/// a package.
const NEEDED_PACKAGE: &str = "java.base/sun.net.util=";

/// The first feature release of Java in which the search for implementations of a service ends at an
/// implementation whose classes are missing. This was seen with 25, while 21 skips such an implementation.
/// Flink's client relies on the skipping: if its YARN client is on the class path and Hadoop is not, it ends
/// without a message.
const STRICT_SERVICES_SINCE: u16 = 25;

/// Whether a release of Flink runs on a version of Java.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JavaFit {
    /// The release is made for this Java.
    Fits,
    /// The release is not made for this Java, but may run.
    Newer,
    /// This Java is too old to read the classes of the release.
    TooOld,
    /// This Java does not behave as the code of this JVM expects.
    TooNew,
    /// This Java keeps the JDK's internals closed, and the options of the JVM do not open them. JobManager
    /// and TaskManager cannot start.
    Closed,
}

/// A JVM that runs code of Flink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jvm<'a> {
    /// Flink's client, which runs `main()`.
    Client {
        /// Whether Hadoop's classes are on the class path.
        hadoop: bool,
    },
    /// The JVM of a JobManager or TaskManager, with these options.
    Container(&'a [String]),
}

/// Says whether `release` runs on a Java. `java` is the feature release, such as 8 or 17.
pub fn java_fit(release: Release, java: u16, jvm: Jvm<'_>) -> JavaFit {
    let traits = release.traits();
    let closed = || match jvm {
        Jvm::Client { .. } => false,
        Jvm::Container(options) => !options.iter().any(|option| option.contains(NEEDED_PACKAGE)),
    };
    if java < traits.java_min {
        JavaFit::TooOld
    } else if java >= CLOSED_SINCE && traits.needs_opened_jdk && closed() {
        JavaFit::Closed
    } else if java >= STRICT_SERVICES_SINCE && jvm == (Jvm::Client { hadoop: false }) {
        JavaFit::TooNew
    } else if java > traits.java_max {
        JavaFit::Newer
    } else {
        JavaFit::Fits
    }
}

/// A Java that does not fit a release of Flink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The release of Flink.
    pub release: Release,
    /// The feature release of the Java.
    pub java: u16,
    /// Why the Java does not fit.
    pub fit: JavaFit,
    /// Where the Java is, and who has chosen it; for messages.
    pub place: String,
}

impl Misfit {
    /// Checks a Java; `None` if it fits.
    pub fn find(release: Release, java: u16, jvm: Jvm<'_>, place: impl Into<String>) -> Option<Self> {
        let fit = java_fit(release, java, jvm);
        (fit != JavaFit::Fits).then(|| Self { release, java, fit, place: place.into() })
    }

    /// Whether the JVM is certain to fail.
    pub fn is_certain(&self) -> bool {
        !matches!(self.fit, JavaFit::Newer)
    }

    /// What the user can do besides taking another Java.
    pub fn hint(&self) -> Option<&'static str> {
        (self.fit == JavaFit::Closed).then_some(
            "with the --add-exports and --add-opens of Flink 1.18's configuration in env.java.opts it starts, untested by Flink",
        )
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { release, java, fit, place } = self;
        let traits = release.traits();
        let (min, max) = (traits.java_min, traits.java_max);
        let end = match fit {
            JavaFit::Fits | JavaFit::Newer => "may not run well",
            JavaFit::TooOld | JavaFit::TooNew | JavaFit::Closed => "cannot run",
        };
        write!(f, "Flink {release} is made for Java {min} to {max} and {end} on Java {java} ({place})")
    }
}

impl std::error::Error for Misfit {}

/// The feature release of a Java, from the file `release` in its directory: 8 for `JAVA_VERSION="1.8.0_392"`,
/// 17 for `"17.0.15"`. It is `None` if the file does not tell it.
pub fn java_version(release_file: &str) -> Option<u16> {
    let line = release_file.lines().find_map(|line| line.trim().strip_prefix("JAVA_VERSION="))?;
    let mut numbers =
        line.trim().trim_matches('"').split(['.', '_', '-', '+']).map(|n| n.parse::<u16>().ok());
    match numbers.next()?? {
        1 => numbers.next()?,
        number => Some(number),
    }
}

/// What an error of the JVM says about its Java, in plain words and with a way to solve the problem; `None`
/// for other errors.
pub fn complaint(error: &str) -> Option<String> {
    let package = |rest: &str, end: &str| {
        let (module, rest) = rest.rsplit_once("module ").map(|(_, rest)| rest)?.split_once(" does not ")?;
        let package = rest.split_once(' ').map(|(_, package)| package)?;
        Some(format!("{module}/{}", package.split(end).next()?))
    };
    let opens = |option: &str, package: String| {
        format!(
            "this Java keeps {package} closed; {option}={package}=ALL-UNNAMED in env.java.opts.all (before Flink 1.17 env.java.opts) opens \
             it, an older Java has it open"
        )
    };
    if let Some((_, rest)) = error.split_once("UnsupportedClassVersionError: ") {
        let class = rest.split([' ', '(']).next().unwrap_or_default().replace('/', ".");
        let needed = class_file_java(rest.split_once("class file version ")?.1)?;
        let here = rest.split_once("versions up to ").and_then(|(_, version)| class_file_java(version));
        let here = here.map_or("this Java".to_owned(), |java| format!("Java {java}"));
        return Some(format!("{here} is too old for the class {class}, which needs Java {needed}"));
    }
    // `module java.base does not "opens java.lang" to unnamed module`
    if let Some((_, rest)) = error.split_once("InaccessibleObjectException: ") {
        let closed = rest.split_once("\" to ").and_then(|(closed, _)| package(closed, "\""))?;
        return Some(opens("--add-opens", closed));
    }
    // `because module java.base does not export sun.net.util to unnamed module`
    if let Some((_, rest)) = error.split_once("IllegalAccessError: ") {
        let closed = rest.split_once(" to unnamed module ").and_then(|(closed, _)| package(closed, " "))?;
        return Some(opens("--add-exports", closed));
    }
    error.contains("getSubject is not supported").then(|| {
        "the cluster's Hadoop does not run on Java 24 and later; an older Java does, and Flink without Hadoop \
         (heddle.hadoop-classpath: none)"
            .to_owned()
    })
}

/// The feature release of Java for a class file version: 17 for "61.0".
fn class_file_java(version: &str) -> Option<u16> {
    let digits = version.find(|c: char| !c.is_ascii_digit()).map_or(version, |end| &version[..end]);
    digits.parse::<u16>().ok()?.checked_sub(44)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(of: &str, java: u16, options: &[&str]) -> JavaFit {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        java_fit(release(of), java, Jvm::Container(&options))
    }

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    #[test]
    fn versions_of_old_and_new_java() {
        let of = |version: &str| {
            java_version(&format!("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"{version}\"\nOS_ARCH=\"y\""))
        };
        for (text, version) in
            [("1.8.0_392", 8), ("9", 9), ("11.0.13", 11), ("17", 17), ("25-ea", 25), ("21.0.1+12", 21)]
        {
            assert_eq!(of(text), Some(version), "{text}");
        }
        assert_eq!(of("x"), None);
        assert_eq!(of("1"), None);
        assert_eq!(java_version(""), None);
    }

    #[test]
    fn the_range_of_each_release() {
        use JavaFit::{Closed, Fits, Newer, TooNew, TooOld};
        for (of, java, seen) in [
            ("1.13.6", 8, Fits),
            ("1.13.6", 11, Fits),
            ("1.13.6", 17, Closed),
            ("1.17.2", 17, Closed),
            ("1.17.2", 25, Closed),
            ("1.16.3", 7, TooOld),
            ("1.18.1", 17, Fits),
            ("1.18.1", 21, Newer),
            ("1.20.5", 8, Fits),
            ("1.20.5", 21, Fits),
            ("2.0.2", 8, TooOld),
            ("2.0.2", 25, Newer),
            ("2.3.0", 11, Fits),
            ("2.3.0", 21, Fits),
        ] {
            assert_eq!(fit(of, java, &["-Xss1m"]), seen, "Flink {of} on Java {java}");
        }
        assert_eq!(fit("1.17.2", 17, &["--add-exports=java.base/sun.net.util=ALL-UNNAMED"]), Newer);
        assert_eq!(fit("1.17.2", 17, &["--add-exports", "java.base/sun.net.util=ALL-UNNAMED"]), Newer);
        let client = |of, java, hadoop| java_fit(release(of), java, Jvm::Client { hadoop });
        assert_eq!(client("1.17.2", 17, false), Newer);
        assert_eq!(client("2.0.2", 8, true), TooOld);
        assert_eq!((client("2.3.0", 25, false), client("2.3.0", 25, true)), (TooNew, Newer));
        assert_eq!(client("2.3.0", 21, false), Fits);
    }

    #[test]
    fn complaints_of_the_jvm() {
        for (error, words) in [
            (
                "java.lang.UnsupportedClassVersionError: org/x/Job$A has been compiled by a more recent version of the Java \
                 Runtime (class file version 61.0), this version of the Java Runtime only recognizes class file versions up to 55.0",
                "Java 11 is too old for the class org.x.Job$A, which needs Java 17",
            ),
            (
                "Caused by: java.lang.IllegalAccessError: class org.apache.flink.util.NetUtils (in unnamed module @0x69eee410) \
                 cannot access class sun.net.util.IPAddressUtil (in module java.base) because module java.base does not export \
                 sun.net.util to unnamed module @0x69eee410",
                "this Java keeps java.base/sun.net.util closed; --add-exports=java.base/sun.net.util=ALL-UNNAMED in ",
            ),
            (
                "java.lang.reflect.InaccessibleObjectException: Unable to make field private final byte[] \
                 java.lang.String.value accessible: module java.base does not \"opens java.lang\" to unnamed module @1b",
                "this Java keeps java.base/java.lang closed; --add-opens=java.base/java.lang=ALL-UNNAMED in ",
            ),
            ("java.lang.UnsupportedOperationException: getSubject is not supported", "the cluster's Hadoop "),
        ] {
            let told = complaint(error).unwrap();
            assert!(told.starts_with(words), "{told}");
        }
        for error in [
            "java.lang.IllegalAccessError: x",
            "UnsupportedClassVersionError: ",
            "InaccessibleObjectException: a",
            "",
        ] {
            assert_eq!(complaint(error), None, "{error}");
        }
    }

    #[test]
    fn every_misfit_has_words() {
        let text = |of, java| {
            Misfit::find(release(of), java, Jvm::Container(&[]), "/jdk")
                .map(|misfit| (misfit.is_certain(), misfit.to_string()))
        };
        assert_eq!(text("2.3.0", 17), None);
        assert_eq!(
            text("2.3.0", 8),
            Some((true, "Flink 2.3.0 is made for Java 11 to 21 and cannot run on Java 8 (/jdk)".into()))
        );
        assert_eq!(
            text("1.18.1", 21),
            Some((
                false,
                "Flink 1.18.1 is made for Java 8 to 17 and may not run well on Java 21 (/jdk)".into()
            ))
        );
        let closed = Misfit::find(release("1.13.6"), 17, Jvm::Container(&[]), "/jdk").unwrap();
        assert!(closed.is_certain() && closed.hint().is_some());
    }
}
