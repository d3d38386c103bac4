//! The surroundings of a deployment that a request asks for: the environment, and Flink with its
//! configuration. They are what Flink's client, running in the caller's process, would use.

use std::path::PathBuf;

use flink_model::config::Origin;
use flink_model::options;

use super::value::Request;
use crate::configuration::text;
use crate::context::{Context, FlinkHome, above, dist_jar};
use crate::error::Failure;
use crate::paths::{is_remote, without_scheme};
use crate::setup::Setup;
use crate::variables::{self, Variable};

/// Keys that Flink's client sets for itself, and with which the cluster can do nothing. Two of them say where
/// the caller has its files, and one holds the arguments of the program, which the containers get in a file
/// of their own.
const OF_CALLER: [&str; 6] = [
    "$internal.application.main",
    "$internal.application.program-args",
    "$internal.deployment.config-dir",
    "$internal.yarn.log-config-file",
    "execution.target",
    "internal.cluster.execution-mode",
];

impl Request {
    /// The environment of the deployment: that of this process, in which the caller has started it, but with
    /// the directories and users of the request.
    pub fn context(&self, process: &Context) -> Context {
        let mut context = process.clone();
        let mut set = |variable: Variable, value: Option<String>| {
            match value {
                Some(value) => context.vars.insert(variable.name().to_owned(), value),
                None => context.vars.remove(variable.name()),
            };
        };
        let path = |path: &PathBuf| path.display().to_string();
        set(variables::FLINK_HOME, self.flink_home.as_ref().map(path));
        set(variables::FLINK_LIB_DIR, self.flink_lib_dir.as_ref().map(path));
        set(variables::FLINK_CONF_DIR, Some(path(&self.flink_conf_dir)));
        set(variables::HADOOP_CONF_DIR, Some(path(&self.hadoop_conf_dir)));
        // These may lead to other files of Hadoop's configuration, which would be added.
        for other in [variables::YARN_CONF_DIR, variables::HADOOP_HOME, variables::HADOOP_CLASSPATH] {
            set(other, None);
        }
        set(variables::HADOOP_PROXY_USER, self.proxy_user.clone());
        if let Some(user) = &self.hadoop_user {
            set(variables::HADOOP_USER_NAME, Some(user.clone()));
        }
        context
    }

    /// Flink for the deployment, with its configuration. `context` is that of [`Request::context`]. It is a
    /// failure if no flink-dist jar is named, if its release is not served, or if the configuration cannot be
    /// read.
    pub fn setup(&self, context: &Context) -> Result<Setup, Failure> {
        let mut setup = Setup::of(context, self.flink(context)?)?;
        let configuration = &mut setup.configuration;
        for (key, value) in &self.configuration.0 {
            configuration.set(key.as_str(), value.as_str(), Origin::Derived("the request".to_owned()));
        }
        for key in OF_CALLER {
            configuration.remove(key);
        }
        if let Some(dist) = &self.flink_dist {
            configuration.remove(options::FLINK_DIST_JAR.key);
            // In Flink's client, too, the flink-dist jar of provided directories counts more.
            let provided = text(configuration, &options::PROVIDED_LIB_DIRS).is_some();
            if is_remote(dist) && !provided {
                let origin = Origin::Derived("the request".to_owned());
                configuration.set(options::FLINK_DIST_JAR.key, dist.as_str(), origin);
            }
        }
        Ok(setup)
    }

    /// The places of Flink's files. Of the distribution nothing counts that nobody has named, as with Flink's
    /// client; what is not known is said to be in the directory of the configuration, where it does not
    /// exist.
    fn flink(&self, context: &Context) -> Result<FlinkHome, Failure> {
        let home = self.flink_home.as_ref().map(|home| context.path(home));
        let lib = self.flink_lib_dir.as_ref().map(|lib| context.path(lib));
        let lib = lib.or_else(|| home.as_ref().map(|home| home.join("lib")));
        if let Some(lib) = lib.as_ref().filter(|lib| !lib.is_dir()) {
            let what = format!("{} is not a directory, and should hold Flink's jars", lib.display());
            return Err(Failure::new(what).hint("flinkHome and flinkLibDir of the request name it"));
        }
        let dist = match (&self.flink_dist, &lib) {
            (Some(dist), _) if is_remote(dist) => PathBuf::from(dist),
            (Some(dist), _) => context.path(without_scheme(dist)),
            (None, Some(lib)) => dist_jar(lib)?.ok_or_else(no_dist)?,
            (None, None) => return Err(no_dist()),
        };
        let conf = context.path(&self.flink_conf_dir);
        let root = home.clone().or_else(|| lib.as_deref().map(above)).unwrap_or_else(|| conf.clone());
        let plugins = context.var(variables::FLINK_PLUGINS_DIR).map(|plugins| context.path(plugins));
        let plugins = plugins.or_else(|| home.map(|home| home.join("plugins")));
        Ok(FlinkHome {
            root,
            lib: lib.unwrap_or_else(|| conf.join("lib")),
            plugins: plugins.unwrap_or_else(|| conf.join("plugins")),
            dist_jar: dist,
            conf,
        })
    }
}

/// Without that jar it is not known which Flink is to be deployed.
fn no_dist() -> Failure {
    Failure::new(
        "the request leads to no flink-dist jar: neither by itself, nor in a directory with Flink's jars",
    )
    .hint("flinkDist names the jar; flinkLibDir or flinkHome lead to the directory")
    .unsupported()
}
