//! From what a JVM logs about the classes that it loads to the list that an archive is made from.
//!
//! The log (`-Xlog:class+load=debug`) has two lines for a class: its name and where it came from; then the
//! addresses of the class, of the one that it extends and of the interfaces that it implements, and its
//! loader. The list names every class with a number. Flink's RPC classes, a quarter of all, have a loader of
//! their own: the list can hold such classes where it says what they extend and which jar holds them.

use std::collections::{HashMap, HashSet};

/// Feature release of Java from which on the JVM's own class list (`-XX:DumpLoadedClassList`) has lines about
/// lambdas.
pub const LAMBDA_LINES_SINCE: u16 = 16;

/// What a line of the list has in front of the path of an RPC jar.
const SOURCE: &str = " source: ";

/// A class list, as `-XX:SharedClassListFile` takes it, but for the paths of the RPC jars: they have their
/// names only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassList {
    text: String,
    classes: usize,
}

/// Where the jars of Flink's RPC classes are on this machine: a name without what Flink adds to make it
/// unique, and a path.
pub type RpcJars = HashMap<String, String>;

/// A class of which the log's first line has been read, and the second line not yet.
struct Named<'a> {
    name: &'a str,
    source: &'a str,
}

impl ClassList {
    /// From the log of a JVM, and the lines about lambdas of the JVM's own list (empty where there is none).
    pub fn from_log(log: &str, own_list: &str) -> Self {
        let mut list = Self::default();
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut current: Option<Named<'_>> = None;
        for line in log.lines() {
            let Some((_, message)) = line.split_once("[class,load] ") else { continue };
            if let Some((name, source)) = message.split_once(SOURCE) {
                current = Some(Named { name, source });
                continue;
            }
            let Some(rest) = message.trim_start().strip_prefix("klass: ") else { continue };
            let Some(named) = current.take() else { continue };
            let Some(class) = Class::parse(rest) else { continue };
            let rpc = match class.loader {
                Loader::Jvm => None,
                Loader::Rpc => match rpc_jar(named.source) {
                    Some(jar) => Some(jar),
                    None => continue,
                },
                Loader::Other => continue,
            };
            // A class that is made at run time (a lambda, a proxy) is in no jar, so an archive cannot hold
            // it.
            if named.name.contains('/') || named.name.contains("$Proxy") || !seen.insert(named.name) {
                continue;
            }
            let mut entry = format!("{} id: {}", named.name.replace('.', "/"), list.classes);
            if let Some(jar) = rpc {
                let Some(number) = numbers.get(class.extends) else { continue };
                entry.push_str(&format!(" super: {number}"));
                let above: Option<Vec<String>> =
                    class.implements.iter().map(|i| numbers.get(i).map(ToString::to_string)).collect();
                let Some(above) = above else { continue };
                if !above.is_empty() {
                    entry.push_str(&format!(" interfaces: {}", above.join(" ")));
                }
                entry.push_str(&format!("{SOURCE}{jar}"));
            }
            numbers.insert(class.address, list.classes);
            list.classes += 1;
            list.push(&entry);
        }
        own_list.lines().filter(|line| line.starts_with('@')).for_each(|line| list.push(line));
        list
    }

    /// A list that another process has made: a TaskManager, or the ApplicationMaster.
    pub fn received(text: String) -> Self {
        let classes = text.lines().filter(|line| line.contains(" id: ")).count();
        Self { text, classes }
    }

    /// How many classes it names.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The list without this machine's paths.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The list for the JVM: with the paths of the RPC jars, and without the classes of jars that are not
    /// here.
    pub fn resolved(&self, jars: &RpcJars) -> String {
        let line = |line: &str| match line.split_once(SOURCE) {
            None => Some(format!("{line}\n")),
            Some((class, jar)) => Some(format!("{class}{SOURCE}{}\n", jars.get(jar)?)),
        };
        self.text.lines().filter_map(line).collect()
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

enum Loader {
    /// Boot, platform or application loader.
    Jvm,
    /// The one for Flink's RPC.
    Rpc,
    Other,
}

/// The second line of a class.
struct Class<'a> {
    address: &'a str,
    extends: &'a str,
    implements: Vec<&'a str>,
    loader: Loader,
}

impl<'a> Class<'a> {
    /// `0x1 super: 0x2 interfaces: 0x3 0x4 loader: [loader data: 0x5 of 'bootstrap'] bytes: ...`.
    fn parse(line: &'a str) -> Option<Self> {
        let (front, loader) = line.split_once(" loader: [")?;
        let (address, front) = front.split_once(" super: ")?;
        let (extends, implements) = match front.split_once(" interfaces: ") {
            Some((extends, list)) => (extends, list.split_whitespace().collect()),
            None => (front, Vec::new()),
        };
        let loader = match loader {
            l if l.contains("of 'bootstrap'") || l.contains("ClassLoaders$") => Loader::Jvm,
            l if l.contains("/SubmoduleClassLoader'") => Loader::Rpc,
            _ => Loader::Other,
        };
        Some(Self { address, extends: extends.trim(), implements, loader })
    }
}

/// Whether an entry of flink-dist is a jar with Flink's RPC classes.
pub fn is_rpc_jar(entry: &str) -> bool {
    entry.starts_with("flink-rpc-") && entry.ends_with(".jar") && !entry.contains('/')
}

/// The name of an RPC jar without what makes it unique: `flink-rpc-akka` of
/// `file:/tmp/flink-rpc-akka<uuid>.jar` or `file:/tmp/flink-rpc-akka_<uuid>.jar`.
pub(super) fn rpc_jar(source: &str) -> Option<&str> {
    const UUID: usize = 36;
    let stem = source.strip_prefix("file:")?.rsplit('/').next()?.strip_suffix(".jar")?;
    let name = stem.get(..stem.len().checked_sub(UUID)?)?.trim_end_matches('_');
    name.starts_with("flink-rpc-").then_some(name)
}
