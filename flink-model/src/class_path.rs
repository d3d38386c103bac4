//! The order of the class path of the JVMs in the containers.

use crate::config::Configuration;
use crate::options::UserJarInclusion;

/// The default of `yarn.application.classpath` (`yarn-default.xml`).
pub const DEFAULT_YARN_CLASS_PATH: [&str; 7] = [
    "$HADOOP_CONF_DIR",
    "$HADOOP_COMMON_HOME/share/hadoop/common/*",
    "$HADOOP_COMMON_HOME/share/hadoop/common/lib/*",
    "$HADOOP_HDFS_HOME/share/hadoop/hdfs/*",
    "$HADOOP_HDFS_HOME/share/hadoop/hdfs/lib/*",
    "$HADOOP_YARN_HOME/share/hadoop/yarn/*",
    "$HADOOP_YARN_HOME/share/hadoop/yarn/lib/*",
];

/// The files in a container's working directory, by the keys of their local resources.
#[derive(Debug, Clone, Default)]
pub struct ContainerFiles {
    /// The files of `lib` and `plugins`, shipped files, and the logging configuration. The flink-dist jar is
    /// recognised among them by its name.
    pub shipped: Vec<String>,
    /// The user's jars, including those of `usrlib`.
    pub user: Vec<String>,
    /// The bridge's jar, which only the JobManager needs.
    pub bridge: Option<String>,
}

/// The class path without Hadoop's part. It consists of Flink's own entries sorted by name, flink-dist, the
/// bridge, and the working directory, which holds the configuration. `inclusion` says where the user's jars
/// stand. Nothing below `plugins` is on the class path, because Flink gives plugins class loaders of their
/// own.
pub fn flink_class_path(files: &ContainerFiles, inclusion: UserJarInclusion) -> Vec<String> {
    let (dist, system): (Vec<_>, Vec<_>) = files.shipped.iter().partition(|key| is_dist_jar(key));
    let mut system = entries(system);
    let mut user = entries(files.user.iter());
    if inclusion == UserJarInclusion::Order {
        system.append(&mut user);
    }
    for list in [&mut system, &mut user] {
        list.sort_unstable();
        list.dedup();
    }
    let mut path = Vec::new();
    if inclusion == UserJarInclusion::First {
        path.append(&mut user);
    }
    path.append(&mut system);
    path.extend(dist.into_iter().cloned());
    path.extend(files.bridge.clone());
    path.push(WORKING_DIRECTORY.to_owned());
    if inclusion == UserJarInclusion::Last {
        path.append(&mut user);
    }
    let mut seen = std::collections::HashSet::new();
    path.retain(|entry| seen.insert(entry.clone()));
    for entry in &mut path {
        if entry.is_empty() {
            WORKING_DIRECTORY.clone_into(entry);
        }
    }
    // The working directory may be twice on the path by now: as the directory of a shipped file, and for the
    // configuration.
    let mut found = false;
    path.retain(|entry| entry != WORKING_DIRECTORY || !std::mem::replace(&mut found, true));
    path
}

const WORKING_DIRECTORY: &str = ".";

/// Hadoop's part of the class path: the entries of `yarn.application.classpath`, or YARN's default.
pub fn hadoop_class_path(configured: Option<&str>) -> Vec<String> {
    match configured {
        Some(text) => text.split(',').map(str::trim).filter(|e| !e.is_empty()).map(str::to_owned).collect(),
        None => DEFAULT_YARN_CLASS_PATH.map(str::to_owned).to_vec(),
    }
}

/// The packages whose classes Flink's class path gives even if the jars of the user's code have them
/// (`CoreOptions.ALWAYS_PARENT_FIRST_LOADER_PATTERNS`, the same since Flink 1.13).
const PARENT_FIRST: &str = "java.;scala.;org.apache.flink.;com.esotericsoftware.kryo;org.apache.hadoop.;\
    javax.annotation.;org.xml;javax.xml;org.apache.xerces;org.w3c;org.rocksdb.;org.slf4j;org.apache.log4j;\
    org.apache.logging;org.apache.commons.logging;ch.qos.logback";

/// Whether the class loader of the user's code takes a class from Flink's class path first, and from the jars
/// of the user's code only if it is not there (`classloader.resolve-order`,
/// `classloader.parent-first-patterns.…`).
pub fn is_parent_first(class: &str, configuration: &Configuration) -> bool {
    let order = configuration.text("classloader.resolve-order");
    if order.is_some_and(|order| order.eq_ignore_ascii_case("parent-first")) {
        return true;
    }
    let patterns = |key: &str, default: &str| configuration.text(key).unwrap_or_else(|| default.to_owned());
    let all = [
        patterns("classloader.parent-first-patterns.default", PARENT_FIRST),
        patterns("classloader.parent-first-patterns.additional", ""),
    ];
    let mut all = all.iter().flat_map(|list| list.split([';', ',', '[', ']', '\'', '"'])).map(str::trim);
    all.any(|pattern| !pattern.is_empty() && class.starts_with(pattern))
}

/// Whether a local resource is Flink's main jar, by its name.
pub fn is_dist_jar(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.starts_with("flink-dist") && name.ends_with(".jar")
}

/// The class path entries of files: a jar is an entry itself, and of any other file the directory is an
/// entry. An empty entry stands for the working directory.
fn entries<'a>(keys: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let visible = keys.into_iter().filter(|key| !key.split('/').rev().skip(1).any(|part| part == "plugins"));
    visible
        .map(|key| match key.rsplit_once('/') {
            _ if key.ends_with(".jar") => key.clone(),
            Some((parent, _)) => parent.to_owned(),
            None => String::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FileFormat;

    fn files() -> ContainerFiles {
        let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        ContainerFiles {
            shipped: own(&[
                "lib/log4j-api.jar",
                "lib/flink-dist-1.20.1.jar",
                "lib/flink-cep.jar",
                "plugins/s3/flink-s3.jar",
                "lib/mail.properties",
                "log4j.properties",
                "etc/x.txt",
                "etc/y.txt",
            ]),
            user: own(&["job.jar", "a.jar"]),
            bridge: Some("heddle/flink-bridge.jar".into()),
        }
    }

    fn path(inclusion: UserJarInclusion) -> String {
        flink_class_path(&files(), inclusion).join(":")
    }

    #[test]
    fn user_jars_in_all_four_places() {
        let system = ".:etc:lib:lib/flink-cep.jar:lib/log4j-api.jar";
        let dist = "lib/flink-dist-1.20.1.jar:heddle/flink-bridge.jar";
        assert_eq!(
            path(UserJarInclusion::Order),
            format!(".:a.jar:etc:job.jar:lib:lib/flink-cep.jar:lib/log4j-api.jar:{dist}")
        );
        assert_eq!(path(UserJarInclusion::First), format!("a.jar:job.jar:{system}:{dist}"));
        assert_eq!(path(UserJarInclusion::Last), format!("{system}:{dist}:a.jar:job.jar"));
        assert_eq!(path(UserJarInclusion::Disabled), format!("{system}:{dist}"));
    }

    #[test]
    fn the_working_directory_is_there_without_a_shipped_file_in_it() {
        let files = ContainerFiles {
            shipped: vec!["lib/a.jar".into(), "lib/flink-dist-2.0.0.jar".into()],
            ..ContainerFiles::default()
        };
        assert_eq!(
            flink_class_path(&files, UserJarInclusion::Last),
            ["lib/a.jar", "lib/flink-dist-2.0.0.jar", "."]
        );
    }

    #[test]
    fn whose_classes_come_first() {
        let of = |class: &str, pairs: &[(&str, &str)]| {
            let mut configuration = Configuration::new(FileFormat::Standard);
            for (key, value) in pairs {
                configuration.set_dynamic(*key, *value);
            }
            is_parent_first(class, &configuration)
        };
        assert!(of("org.apache.flink.x.Y", &[]) && of("org.slf4j.Logger", &[]) && !of("com.x.Y", &[]));
        assert!(of("com.x.Y", &[("classloader.resolve-order", "parent-first")]));
        let additional = "classloader.parent-first-patterns.additional";
        assert!(
            of("com.x.Y", &[(additional, "org.z.;com.x.")]) && of("com.x.Y", &[(additional, "[com.x., a]")])
        );
        assert!(!of("scala.Y", &[("classloader.parent-first-patterns.default", "java.")]));
    }

    #[test]
    fn hadoop_entries() {
        assert_eq!(hadoop_class_path(Some(" /a/* , $B/c,")), ["/a/*", "$B/c"]);
        assert_eq!(hadoop_class_path(None).len(), 7);
    }
}
