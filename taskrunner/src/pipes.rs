//! Two anonymous pipes between a supervisor and the JVM that it starts, without a port or a secret.
//!
//! The supervisor's ends, and at first also the JVM's, are closed by `exec`, so no other process that is
//! started at the same time gets one of them. The JVM's ends are stdin and stdout of the subcommand
//! [`crate::exec`], which has only one thread. It gives them the numbers at which the JVM inherits them,
//! opens the JVM's own stdin and stdout, and tells the JVM in two environment variables which files to open.
//!
//! The numbers are at least [`FIRST`], because a launcher may be a shell script: the standard descriptors and
//! those with one digit are what such scripts redirect. A launcher may also close in its child what it has
//! inherited itself, as Python's `subprocess` does. Then the subcommand behind the launcher takes the pipes
//! from the launcher.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::io::FdFlags;
use rustix::process::Pid;
use tokio::net::unix::pipe;

use crate::fresh;

/// Environment variable with the file from which the JVM reads.
pub const INPUT_VARIABLE: &str = "HEDDLE_BRIDGE_IN";
/// Environment variable with the file to which the JVM writes.
pub const OUTPUT_VARIABLE: &str = "HEDDLE_BRIDGE_OUT";

/// Word for the subcommand: its stdin and stdout are the pipes; the file for the JVM's own stdout follows.
pub(crate) const TAKE: &str = "--take-pipes";
/// Word for the subcommand behind a launcher: the pipes should have been inherited from it.
pub(crate) const KEEP: &str = "--keep-pipes";

/// The lowest number that the JVM's ends may have.
const FIRST: i32 = 20;
/// Behind it stands a descriptor's number.
const OWN_FILES: &str = "/proc/self/fd";

/// The supervisor's ends.
#[derive(Debug)]
pub struct Pipes {
    /// It ends when the JVM and all that have inherited its end are gone.
    pub from_jvm: pipe::Receiver,
    /// Its end is how the JVM learns that the supervisor is gone.
    pub to_jvm: pipe::Sender,
}

/// The JVM's ends, for the subcommand.
pub(crate) struct JvmEnds {
    pub(crate) input: OwnedFd,
    pub(crate) output: OwnedFd,
}

/// Makes the pipes. Must be called inside a tokio runtime with I/O enabled.
pub(crate) fn make() -> io::Result<(Pipes, JvmEnds)> {
    let (to_jvm, input) = pipe::pipe()?;
    let (output, from_jvm) = pipe::pipe()?;
    let ends = JvmEnds { input: input.into_blocking_fd()?, output: output.into_blocking_fd()? };
    Ok((Pipes { from_jvm, to_jvm }, ends))
}

/// The JVM's ends as descriptors that the next `exec` keeps.
pub(crate) struct Kept {
    input: OwnedFd,
    output: OwnedFd,
}

impl Kept {
    /// From stdin and stdout of this process.
    pub(crate) fn take() -> io::Result<Self> {
        Ok(Self { input: inheritable(io::stdin().as_fd())?, output: inheritable(io::stdout().as_fd())? })
    }

    /// Tells the JVM, or the subcommand behind a launcher, where they are.
    pub(crate) fn tell(&self, command: &mut Command) {
        let file = |descriptor: &OwnedFd| format!("{OWN_FILES}/{}", descriptor.as_raw_fd());
        command.env(INPUT_VARIABLE, file(&self.input)).env(OUTPUT_VARIABLE, file(&self.output));
    }
}

/// Gives the JVM a stdin and a stdout of its own, in place of the pipes.
pub(crate) fn standard_files(command: &mut Command, stdout: &Path) -> io::Result<()> {
    let file = fresh::log(stdout)
        .map_err(|e| io::Error::new(e.kind(), format!("cannot open {}: {e}", stdout.display())))?;
    command.stdin(Stdio::null()).stdout(file);
    Ok(())
}

/// What the subcommand behind a launcher does. It is none if the launcher has kept the pipes, so that nothing
/// remains to be done. `variable` reads the environment; `launchers` are the processes between this one and
/// the supervisor, the nearest first.
pub(crate) fn keep(
    variable: &dyn Fn(&str) -> Option<OsString>,
    launchers: &[Pid],
) -> io::Result<Option<Kept>> {
    let number = |name: &str| {
        let file = variable(name).unwrap_or_default();
        let number =
            file.to_str().and_then(|file| file.strip_prefix(OWN_FILES)?.strip_prefix('/')?.parse().ok());
        number.ok_or_else(|| io::Error::other(format!("the launcher of Java has removed or changed {name}")))
    };
    let (input, output): (i32, i32) = (number(INPUT_VARIABLE)?, number(OUTPUT_VARIABLE)?);
    let is_pipe = |process: &str, number: i32| {
        let found = fs::metadata(format!("/proc/{process}/fd/{number}"));
        found.is_ok_and(|found| found.file_type().is_fifo())
    };
    let has_both = |process: &str| is_pipe(process, input) && is_pipe(process, output);
    if has_both("self") {
        return Ok(None);
    }
    let Some(launcher) = launchers.iter().map(ToString::to_string).find(|launcher| has_both(launcher)) else {
        return Err(io::Error::other(format!(
            "the launcher of Java, from yarn.container-start-command-template, has closed the file descriptors {input} \
             and {output}, through which the JobManager speaks with heddle-am\nhint: let the launcher keep the \
             descriptors that it inherits"
        )));
    };
    let open = |number: i32, flags: OFlags| {
        let file = format!("/proc/{launcher}/fd/{number}");
        rustix::fs::open(&file, flags | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| io::Error::new(io::Error::from(e).kind(), format!("cannot open {file}: {e}")))
    };
    Ok(Some(Kept {
        input: inheritable(open(input, OFlags::RDONLY)?.as_fd())?,
        output: inheritable(open(output, OFlags::WRONLY)?.as_fd())?,
    }))
}

/// A copy that `exec` does not close. Only for a process with one thread: any that it started meanwhile would
/// inherit the copy.
fn inheritable(descriptor: BorrowedFd) -> io::Result<OwnedFd> {
    let copy = rustix::io::fcntl_dupfd_cloexec(descriptor, FIRST)?;
    rustix::io::fcntl_setfd(&copy, FdFlags::empty())?;
    Ok(copy)
}
