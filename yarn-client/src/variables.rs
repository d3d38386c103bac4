//! Lists the environment variables that the client reads. The code that reads them and the documentation use
//! the same table.

/// An environment variable that can be read with [`crate::context::Context::var`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    name: &'static str,
    doc: &'static str,
    group: Group,
}

/// The group of an environment variable, for the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Only heddle reads the variable, or it belongs to the operating system.
    Heddle,
    /// Flink's scripts read the variable, too.
    Flink,
    /// Hadoop's scripts read the variable, too.
    Hadoop,
}

impl Variable {
    /// The name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What the variable does, in one paragraph.
    pub fn doc(&self) -> &'static str {
        self.doc.trim()
    }

    /// The group.
    pub fn group(&self) -> Group {
        self.group
    }
}

macro_rules! variables {
    ($($group:ident { $($(#[doc = $doc:literal])+ $name:ident)+ })+) => {
        $($(
            $(#[doc = $doc])+
            pub const $name: Variable =
                Variable { name: stringify!($name), doc: concat!($($doc),+), group: Group::$group };
        )+)+

        /// All environment variables that the client reads.
        pub const ALL: &[Variable] = &[$($($name),+),+];
    };
}

variables! {
    Flink {
        /// The Flink distribution. Without it, that in whose `bin` the command was called, or else the one to
        /// which both `FLINK_LIB_DIR` and `FLINK_CONF_DIR` lead, or else that of the `flink` on the PATH, or
        /// else that in `/usr/lib/flink` or `/opt/cloudera/parcels/FLINK/lib/flink`.
        FLINK_HOME
        /// Directory of Flink's configuration file. Without it, the distribution's `conf`, or
        /// `/etc/flink/conf` if a distribution that is called `lib/flink` has none.
        FLINK_CONF_DIR
        /// Directory of Flink's jars. Without it, the distribution's `lib`.
        FLINK_LIB_DIR
        /// Directory of Flink's optional jars. Without it, the distribution's `opt`.
        FLINK_OPT_DIR
        /// Directory of plugins. Without it, the distribution's `plugins`.
        FLINK_PLUGINS_DIR
        /// Directory of Flink's scripts, for `main()` on this machine. Without it, the distribution's `bin`.
        FLINK_BIN_DIR
        /// Directory of the log of `main()` on this machine, instead of `env.log.dir`.
        FLINK_LOG_DIR
        /// User's name in the name of that log.
        FLINK_IDENT_STRING
        /// JVM options for `main()` on this machine, instead of `env.java.opts.all`.
        FLINK_ENV_JAVA_OPTS
        /// JVM options for `main()` on this machine, instead of `env.java.opts.client`.
        FLINK_ENV_JAVA_OPTS_CLI
        /// More JVM options for `main()` on this machine, before all others.
        JVM_ARGS
        /// Memory of the JobManager (to 1.20).
        FLINK_JM_HEAP
        /// Memory of a TaskManager (to 1.20).
        FLINK_TM_HEAP
        /// Java for programs whose `main()` runs on this machine.
        JAVA_HOME
    }
    Hadoop {
        /// Directory of `core-site.xml`, `hdfs-site.xml` and `yarn-site.xml`. Without it, that of
        /// `HADOOP_HOME`, or else `/etc/hadoop/conf`.
        HADOOP_CONF_DIR
        /// Directory of `yarn-site.xml`, if it is another one.
        YARN_CONF_DIR
        /// Hadoop's installation: `etc/hadoop` and `conf` in it may hold the configuration.
        HADOOP_HOME
        /// Class path with Hadoop's jars, for `main()` on this machine. Directories in it may hold the
        /// configuration.
        HADOOP_CLASSPATH
        /// Who calls Hadoop, where the cluster does not authenticate. Without it, the system's user. With
        /// Kerberos it has no effect.
        HADOOP_USER_NAME
        /// The user for whom the calling user acts (Hadoop's proxy user).
        HADOOP_PROXY_USER
        /// File with delegation tokens, for a cluster with Kerberos.
        HADOOP_TOKEN_FILE_LOCATION
        /// Kerberos ticket cache. Without it, the one that krb5.conf names.
        KRB5CCNAME
        /// Kerberos configuration for commands on this machine. Without it,
        /// `security.kerberos.krb5-conf.path` and, if that is not set, `/etc/krb5.conf`.
        KRB5_CONFIG
    }
    Heddle {
        /// What to log to the standard error stream: `error`, `warn`, `info`, `debug` or `trace`.
        HEDDLE_LOG
        /// Home directory: caches and the notes on named submissions are below it.
        HOME
        /// Directory for caches, instead of `~/.cache`.
        XDG_CACHE_HOME
        /// Directory for the notes on named submissions, and for the log of `main()` where `FLINK_HOME/log`
        /// cannot be written to, instead of `~/.local/state`.
        XDG_STATE_HOME
        /// Where programs are looked for: `flink`, `java`.
        PATH
        /// Width of the picture of `heddle memory`, where there is no terminal.
        COLUMNS
        /// Locale: whether `heddle memory`, `--dry-run` and messages may have signs of UTF-8.
        LC_ALL
        /// The same, where `LC_ALL` is not set.
        LC_CTYPE
        /// The same, where neither is set.
        LANG
    }
}
