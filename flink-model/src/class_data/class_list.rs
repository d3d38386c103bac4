//! Turns what a JVM logs about the classes that it loads into a class list, from which a class data archive
//! is made.
//!
//! In the log (`-Xlog:class+load=debug`), each class has two lines. The first one has the name of the class
//! and where the class comes from. The second one has the addresses of the class, of the class that it
//! extends and of the interfaces that it implements, and the class loader. In the class list
//! (`-XX:SharedClassListFile`), each class has a name and a number. A quarter of the classes are Flink's RPC
//! classes, which have a class loader of their own. The list may hold such a class if it also says, by their
//! numbers, what the class extends and implements, and which jar holds it.

use std::collections::{HashMap, HashSet};

/// The first feature release of Java whose own class list (`-XX:DumpLoadedClassList`) has lines about
/// lambdas.
pub const LAMBDA_LINES_SINCE: u16 = 16;

/// The text between the classes and the place they come from, in a line of the log and of the list.
const SOURCE: &str = " source: ";

/// A class list for `-XX:SharedClassListFile`, except that RPC jars have their names in it instead of their
/// paths, because the paths differ from node to node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassList {
    text: String,
    classes: usize,
}

/// The paths of the jars with Flink's RPC classes on this machine. The keys are the names of the jars without
/// the UUID that Flink adds to make them unique.
pub type RpcJars = HashMap<String, String>;

/// A class of which the first line in the log has been read, but not the second.
struct Named<'a> {
    name: &'a str,
    source: &'a str,
}

impl ClassList {
    /// Makes a list from the log of a JVM. `own_list` is the class list that the JVM itself has written, from
    /// which the lines about lambdas are taken; it may be empty.
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
            // A class that is generated at run time, such as a lambda or a proxy, is in no jar, so an archive
            // cannot hold it.
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

    /// A list that another process has sent, such as a taskrunner.
    pub fn received(text: String) -> Self {
        let classes = text.lines().filter(|line| line.contains(" id: ")).count();
        Self { text, classes }
    }

    /// The number of classes in the list.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The list with the names of RPC jars instead of their paths.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The list for a JVM on this machine, with the paths of the RPC jars. Classes of RPC jars that this
    /// machine does not have are left out.
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
    /// The boot, platform or application class loader.
    Jvm,
    /// The class loader of Flink's RPC classes.
    Rpc,
    Other,
}

/// The second line of a class in the log.
struct Class<'a> {
    address: &'a str,
    extends: &'a str,
    implements: Vec<&'a str>,
    loader: Loader,
}

impl<'a> Class<'a> {
    /// Reads `0x1 super: 0x2 interfaces: 0x3 0x4 loader: [loader data: 0x5 of 'bootstrap'] bytes: ...`.
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

/// Whether a file in the flink-dist jar is a jar with Flink's RPC classes.
pub fn is_rpc_jar(entry: &str) -> bool {
    entry.starts_with("flink-rpc-") && entry.ends_with(".jar") && !entry.contains('/')
}

/// The name of an RPC jar without the UUID that makes it unique: `flink-rpc-akka` for
/// `file:/tmp/flink-rpc-akka<uuid>.jar` or `file:/tmp/flink-rpc-akka_<uuid>.jar`.
pub(super) fn rpc_jar(source: &str) -> Option<&str> {
    const UUID: usize = 36;
    let stem = source.strip_prefix("file:")?.rsplit('/').next()?.strip_suffix(".jar")?;
    let name = stem.get(..stem.len().checked_sub(UUID)?)?.trim_end_matches('_');
    name.starts_with("flink-rpc-").then_some(name)
}
