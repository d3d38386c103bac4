//! Class conflicts: which classes an exception names, which jars hold them, and what to set so that another
//! jar wins.

use std::collections::BTreeSet;

use crate::facts::{ClassJars, Jar, JarPlace, Seen};
use crate::finding::Fix;

/// Most classes that are taken of a text, and most that are told.
const MOST: usize = 4;
const MOST_TOLD: usize = 3;
/// Most lines behind that of an error that belong to it.
const LINES: usize = 8;
/// The longest name of a class that is looked for, in bytes.
const LONGEST: usize = 300;

/// The errors with which a JVM says that a class is not what another one expects, or is not there.
const ERRORS: [&str; 9] = [
    "NoSuchMethodError",
    "NoSuchFieldError",
    "AbstractMethodError",
    "IncompatibleClassChangeError",
    "NoClassDefFoundError",
    "ClassNotFoundException",
    "LinkageError",
    "VerifyError",
    "ClassCastException",
];
/// Those whose text has several lines.
const LONG: [&str; 2] = ["LinkageError", "VerifyError"];
/// A class is cast to one of the same name, which another class loader has loaded.
const TWO_LOADERS: &str = "is in unnamed module of loader";

/// The classes that errors in this text name: those whose methods are missing come first. Classes of Java
/// itself are left out, because there is only one of each.
pub fn named(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut owners, mut others) = (Vec::new(), Vec::new());
    for (number, line) in lines.iter().enumerate() {
        let error = ERRORS.iter().filter_map(|error| Some((*error, line.rfind(error)?))).max_by_key(|e| e.1);
        let Some((error, at)) = error else { continue };
        if error == "ClassCastException" && !is_of_two_loaders(line) {
            continue;
        }
        let behind = if LONG.contains(&error) { LINES } else { 0 };
        let rest = lines.get(number + 1..).unwrap_or_default().iter().take(behind);
        let own = line.get(at + error.len()..).unwrap_or_default();
        let words = std::iter::once(own).chain(rest.copied().take_while(|l| !l.starts_with("Caused by: ")));
        words.for_each(|words| classes_in(words, &mut owners, &mut others));
    }
    owners.append(&mut others);
    let mut seen = BTreeSet::new();
    owners.retain(|class| seen.insert(class.clone()));
    owners.truncate(MOST);
    owners
}

/// Whether a class is cast to one with its own name, in the words of Java 8 or of later ones.
fn is_of_two_loaders(line: &str) -> bool {
    let same = || {
        let (from, to) = line.split_once(" cannot be cast to ")?;
        let from = from.rsplit([' ', ':']).next()?;
        let to = to.strip_prefix("class ").unwrap_or(to);
        Some(to.split([' ', ';']).next()? == from)
    };
    line.contains(TWO_LOADERS) || same().unwrap_or_default()
}

/// Adds the classes in these words: to `owners` those whose methods are named, and to `others` the others.
fn classes_in(words: &str, owners: &mut Vec<String>, others: &mut Vec<String>) {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '/' | '$' | '_');
    let mut rest = words;
    while let Some(begin) = rest.find(is_part) {
        let from = rest.get(begin..).unwrap_or_default();
        let end = from.find(|c| !is_part(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        rest = after;
        // A descriptor of the JVM: `Lorg/x/Y;`.
        let word = if after.starts_with(';') { word.strip_prefix('L').unwrap_or(word) } else { word };
        // A constructor: `org.x.Y.<init>`.
        let is_method = after.starts_with('(') || word.ends_with('.') && after.starts_with('<');
        let name = word.trim_matches(['.', '/']).replace('/', ".");
        let class = match name.rsplit_once('.') {
            Some((class, _)) if after.starts_with('(') => class,
            _ => name.as_str(),
        };
        if is_class(class) {
            let list = if is_method { &mut *owners } else { &mut *others };
            list.push(class.to_owned());
        }
    }
}

/// Whether this is the name of a class with a package, which more than one jar may hold. That of a class
/// loader only says who has loaded a class.
fn is_class(name: &str) -> bool {
    const OF_JAVA: [&str; 3] = ["java.", "jdk.", "sun."];
    let begins_large = |last: &str| last.starts_with(|c: char| c.is_uppercase() || c == '$' || c == '_');
    name.len() <= LONGEST
        && name.split('.').all(|part| !part.is_empty())
        && name.rsplit_once('.').is_some_and(|(_, last)| begins_large(last) && !last.ends_with("ClassLoader"))
        && !OF_JAVA.iter().any(|prefix| name.starts_with(prefix))
}

/// What is known of the classes that these texts name, once for each.
pub(crate) fn of<'a>(texts: &[&str], known: &'a [Seen<ClassJars>]) -> Vec<&'a ClassJars> {
    let names: BTreeSet<String> = texts.iter().flat_map(|text| named(text)).collect();
    let all: BTreeSet<&ClassJars> =
        known.iter().map(|seen| &seen.fact).filter(|one| names.contains(&one.class)).collect();
    let mut told = BTreeSet::new();
    // Those that several jars hold say most. Of two that are about the same class one counts.
    let mut all: Vec<&ClassJars> = all.into_iter().collect();
    all.sort_by_key(|one| (one.jars.len() < 2, std::cmp::Reverse(one.searched)));
    all.retain(|one| told.insert(one.class.as_str()));
    all
}

/// Which jars hold the classes and which of them wins, as the end of a sentence and sentences behind it;
/// empty if the texts name no class.
pub(crate) fn sentences(texts: &[&str], found: &[&ClassJars]) -> String {
    let told: Vec<String> = found.iter().take(MOST_TOLD).map(|one| sentence(one)).collect();
    if !told.is_empty() {
        return format!(". {}.", told.join("; "));
    }
    let first = texts.iter().flat_map(|text| named(text)).min();
    first.map_or_else(String::new, |class| {
        format!(". Which jars hold {class} is not known: only heddle-am looks for that, when an application of heddle fails.")
    })
}

fn sentence(ClassJars { class, jars, searched, program_unseen, parent_first, .. }: &ClassJars) -> String {
    let told = match jars.as_slice() {
        [] => format!("{class} is in none of the {searched} jars of the class path"),
        [one] => format!("{class} is only in {}", shown(one)),
        [first, others @ ..] => {
            let others: Vec<String> = others.iter().map(shown).collect();
            format!("{class} is in {}, which wins, and in {}", shown(first), others.join(", "))
        }
    };
    match (program_unseen, parent_first) {
        (true, false) => {
            format!("{told}; the program's own jar, which comes before them, was not looked at")
        }
        (true, true) => format!("{told}; the program's own jar, which comes behind them, was not looked at"),
        (false, _) => told,
    }
}

fn shown(Jar { name, place }: &Jar) -> String {
    let whose = match place {
        JarPlace::UserCode => "in usrlib",
        JarPlace::Program => "of the program",
        JarPlace::Shipped => "shipped",
        JarPlace::Flink => "of Flink",
        JarPlace::Node => "of the node",
    };
    format!("{name} ({whose})")
}

/// What to set so that another jar wins; empty if no class is known to be in several jars.
pub(crate) fn fixes(found: &[&ClassJars]) -> Vec<Fix> {
    let several = found.iter().find_map(|one| match one.jars.as_slice() {
        [winner, other, others @ ..] => Some((one, winner, other, others)),
        _ => None,
    });
    let Some((one, winner, other, others)) = several else { return Vec::new() };
    let class = &one.class;
    let is_user_code =
        |place| place == JarPlace::UserCode || place == JarPlace::Program && one.program_in_user_code;
    let package = class.rsplit_once('.').map_or("", |(package, _)| package);
    let is_among = |place| other.place == place || others.iter().any(|jar| jar.place == place);
    let mut list: Vec<(&str, String, String)> = Vec::new();
    let user_code_loses =
        is_among(JarPlace::UserCode) || one.program_in_user_code && is_among(JarPlace::Program);
    if !is_user_code(winner.place) && user_code_loses {
        let why = "the jar of the program wins then; if it is set, the class is one of those of classloader.parent-first-patterns.default";
        list.push(("classloader.resolve-order", "child-first".to_owned(), why.to_owned()));
    }
    if !is_user_code(winner.place) && winner.place != JarPlace::Program && is_among(JarPlace::Program) {
        let why = "the jar of the program wins then, over Flink's jars, too".to_owned();
        list.push(("yarn.classpath.include-user-jar", "FIRST".to_owned(), why));
    }
    let then = format!("{} wins then", other.name);
    list.push(match winner.place {
        place if is_user_code(place) && !one.parent_first => (
            "classloader.parent-first-patterns.additional",
            format!("{package}."),
            format!("{then}, for all classes of this package"),
        ),
        JarPlace::Program => ("yarn.classpath.include-user-jar", "LAST".to_owned(), then),
        JarPlace::UserCode => ("usrlib", format!("<without {}>", winner.name), then),
        JarPlace::Shipped => ("yarn.ship-files", format!("<without {}>", winner.name), then),
        JarPlace::Flink => {
            ("FLINK_HOME", format!("<without {}>", winner.name), format!("{then}, if Flink does not need it"))
        }
        JarPlace::Node => (
            "heddle.hadoop-classpath",
            "none".to_owned(),
            format!("{then}, if the program does not need Hadoop's classes"),
        ),
    });
    list.push((
        "maven-shade-plugin",
        format!("<relocation of {package}>"),
        "in the build of the program: it then uses its own release, under another name".to_owned(),
    ));
    let numbered = list.into_iter().zip(1u8..);
    numbered
        .map(|((key, value, explanation), choice)| Fix { key: key.to_owned(), value, explanation, choice })
        .collect()
}

#[cfg(test)]
#[path = "classes_tests.rs"]
mod tests;
