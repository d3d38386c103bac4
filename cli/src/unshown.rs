//! The `Debug` of the options of all commands. It leaves out what may be secret: the values of properties
//! with names of secrets, and the arguments of the user's program. So whoever logs a command line logs no
//! secret.

use std::fmt;

use flink_model::config::masked_words;

use super::options::{
    AnswerOptions, ClusterOptions, MemoryOptions, ReferenceOptions, RunOptions, SessionOptions, YarnOptions,
};

impl fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionOptions")
            .field("name", &self.name)
            .field("queue", &self.queue)
            .field("application_id", &self.application_id)
            .field("detached", &self.detached)
            .field("property", &masked_words(&self.property))
            .field("deploy", &self.deploy)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterOptions")
            .field("target", &self.target)
            .field("property", &masked_words(&self.property))
            .field("job_manager", &self.job_manager)
            .field("application_id", &self.application_id)
            .field("zookeeper_namespace", &self.zookeeper_namespace)
            .field("verbose", &self.verbose)
            .field("executor", &self.executor)
            .finish()
    }
}

impl fmt::Debug for YarnOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("YarnOptions")
            .field("yarn_property", &masked_words(&self.yarn_property))
            .field("yarn_name", &self.yarn_name)
            .field("yarn_queue", &self.yarn_queue)
            .field("yarn_detached", &self.yarn_detached)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("class", &self.class)
            .field("jarfile", &self.jarfile)
            .field("python", &self.python)
            .field("arguments", &format_args!("{} words", self.arguments.len() + self.program.len()))
            .field("main_place", &self.main_place)
            .field("detached", &self.detached)
            .field("attached", &self.attached)
            .field("from_savepoint", &self.from_savepoint)
            .field("cluster", &self.cluster)
            .field("deploy", &self.deploy)
            .field("yarn", &self.yarn)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AnswerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerOptions")
            .field("output", &self.output)
            .field("property", &masked_words(&self.property))
            .field("verbose", &self.verbose)
            .finish()
    }
}

impl fmt::Debug for MemoryOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryOptions")
            .field("live", &self.live)
            .field("set", &masked_words(&self.set))
            .field("flink_version", &self.flink_version)
            .field("offline", &self.offline)
            .field("answer", &self.answer)
            .field("applications", &self.applications)
            .finish()
    }
}

impl fmt::Debug for ReferenceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferenceOptions")
            .field("dir", &self.dir)
            .field("check", &self.check)
            .field("answer", &self.answer)
            .field("words", &format_args!("{} words", self.words.len()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use crate::parse::{Persona, parse};

    #[test]
    fn no_secret_of_a_command_line_is_shown() {
        for (line, kept) in [
            ("session -nm n -Ds3.secret-key=hush", "\"n\""),
            (
                "run -t yarn-session -Dmy.password=hush -yDs3.access-key=hush -a hush j.jar --password hush",
                "yarn-session",
            ),
            ("run-application -Dmy.password=hush j.jar hush", "my.password=******"),
            ("list -Dmy.password=hush", "my.password=******"),
            ("ps -Dmy.password=hush", "my.password=******"),
            ("memory --set my.password=hush -Dx.token=hush", "x.token=******"),
            ("reference --check -- flink run -Dmy.password=hush", "check: true"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let shown = format!("{:?}", parse(Persona::Heddle, &words).unwrap());
            assert!(shown.contains(kept) && !shown.contains("hush"), "{line}: {shown}");
        }
    }
}
