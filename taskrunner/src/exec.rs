//! The subcommand `exec-jvm`: lets the kernel kill this process when its supervisor ends, then becomes Java.
//!
//! `heddle`, `heddle-am` and `heddle-taskrunner` start their JVMs through this subcommand of their own
//! program. It sets the parent-death signal, which stays set across `exec`, so no JVM outlives its
//! supervisor, even if that is ended by `kill -9`. No code has to run between fork and exec for this. If a
//! launcher (such as `nice -n 5`) starts Java, the subcommand stands in front of the launcher and again
//! behind it. It also hands the JVM its ends of [`crate::pipes`], if it has some.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal};

use crate::pipes::{self, Kept};

/// The name of the subcommand. Its arguments are the supervisor's process id, a word about pipes if the JVM
/// has some ([`crate::pipes`]), the program to execute (Java or a launcher), and the arguments of that
/// program.
pub const SUBCOMMAND: &str = "exec-jvm";

/// Runs the subcommand with the arguments behind its name. Returns only if it has failed, with the reason;
/// the process should then exit with [`crate::exit::EXEC_FAILED`].
pub fn exec_jvm_main(args: impl IntoIterator<Item = OsString>) -> io::Error {
    match prepare(args.into_iter()) {
        Ok(Prepared { mut command, .. }) => {
            let error = command.exec();
            let what = format!("cannot execute {}: {error}", command.get_program().display());
            io::Error::new(error.kind(), what)
        }
        Err(error) => error,
    }
}

/// A command that starts `command` through the subcommand of `exe`, the path of this program, so that it does
/// not outlive this process. It must be spawned from a thread that does not end before it (see
/// [`crate::spawn`]).
pub fn tied(command: &Command, exe: &Path) -> Command {
    #[allow(clippy::disallowed_methods, reason = "this module makes the commands")]
    let mut tied = Command::new(exe);
    tied.arg(SUBCOMMAND)
        .arg(std::process::id().to_string())
        .arg(command.get_program())
        .args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(key, value),
            None => tied.env_remove(key),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        tied.current_dir(directory);
    }
    tied
}

/// What this process is about to become.
struct Prepared {
    command: Command,
    /// Open until `exec`, which keeps them.
    _pipes: Option<Kept>,
}

fn prepare(mut args: impl Iterator<Item = OsString>) -> io::Result<Prepared> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
    let supervisor = args
        .next()
        .as_deref()
        .and_then(OsStr::to_str)
        .and_then(|pid| pid.parse().ok())
        .and_then(Pid::from_raw)
        .ok_or_else(|| invalid("the first argument must be the supervisor's process id"))?;
    let mut word = || args.next().ok_or_else(|| invalid("the second argument must be the program to start"));
    let mut program = word()?;
    let (mut stdout, mut keep) = (None, false);
    if program == pipes::TAKE {
        stdout = Some(word()?);
        program = word()?;
    } else if program == pipes::KEEP {
        keep = true;
        program = word()?;
    }
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|e| {
        io::Error::new(io::Error::from(e).kind(), format!("cannot set the parent-death signal: {e}"))
    })?;
    // If the supervisor ended before the line above, the kernel sends no signal any more.
    let launchers = below(supervisor).ok_or_else(|| io::Error::other("the supervisor is gone"))?;
    #[allow(clippy::disallowed_methods, reason = "this module makes the commands")]
    let mut command = Command::new(program);
    command.args(args);
    let kept = match stdout {
        Some(stdout) => {
            let kept = Kept::take()?;
            pipes::standard_files(&mut command, Path::new(&stdout))?;
            Some(kept)
        }
        None if keep => pipes::keep(&|name| std::env::var_os(name), &launchers)?,
        None => None,
    };
    kept.iter().for_each(|kept| kept.tell(&mut command));
    Ok(Prepared { command, _pipes: kept })
}

/// The processes between this one and the supervisor, the nearest first; none if the supervisor is neither
/// the parent of this process nor an ancestor further up. There are some if a launcher has started this
/// process as its child.
fn below(supervisor: Pid) -> Option<Vec<Pid>> {
    let mut between = Vec::new();
    let mut ancestor = rustix::process::getppid();
    while let Some(pid) = ancestor {
        if pid == supervisor {
            return Some(between);
        }
        between.push(pid);
        let stat =
            procfs::process::Process::new(pid.as_raw_nonzero().get()).and_then(|process| process.stat());
        ancestor = stat.ok().and_then(|stat| Pid::from_raw(stat.ppid));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> String {
        exec_jvm_main(args.iter().map(OsString::from)).to_string()
    }

    #[test]
    fn refuses_bad_arguments() {
        assert!(run(&[]).contains("process id"));
        assert!(run(&["0", "java"]).contains("process id"));
        assert!(run(&["x", "java"]).contains("process id"));
        for words in [&["1"][..], &["1", pipes::TAKE], &["1", pipes::TAKE, "file"], &["1", pipes::KEEP]] {
            assert!(run(words).contains("program to start"), "{words:?}");
        }
    }
}
