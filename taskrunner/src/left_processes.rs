//! Ends the processes that a container's JVM has started and left behind.
//!
//! YARN ends the process group of a container that it stops. Of one that ends by itself, the NodeManager
//! removes the file with the process id at the same time as it reads it, so on a busy node the rest of the
//! group may live on, and nobody knows of it any more. So the supervisor ends the rest before it ends itself.

use std::ffi::OsStr;

use procfs::process::Process;
use rustix::process::{Pid, Signal, getpgrp, kill_process};

/// The variable that YARN sets in each container.
const CONTAINER: &str = "CONTAINER_ID";

/// Ends all other processes in the process group of this process that are of its container, as their
/// environment says. Processes from which this one descends, such as YARN's shell, stay: they wait for this
/// one. Does nothing outside of a container.
pub fn end() {
    let Some(container) = std::env::var_os(CONTAINER) else { return };
    let left = others(&container, getpgrp(), rustix::process::getpid());
    for process in &left {
        // It may have ended by itself.
        let _ = kill_process(*process, Signal::KILL);
    }
    if !left.is_empty() {
        tracing::info!(processes = left.len(), "ended what the JVM had started and left in the container");
    }
}

/// The processes of a container in a group, without `own` and those from which `own` descends.
fn others(container: &OsStr, group: Pid, own: Pid) -> Vec<Pid> {
    let Ok(all) = procfs::process::all_processes() else { return Vec::new() };
    // A process of this list would be an open file, and a node may have more of them than may be open.
    let stats: Vec<_> = all.flatten().filter_map(|process| process.stat().ok()).collect();
    let mut kept = vec![own.as_raw_nonzero().get()];
    while let Some(parent) = kept
        .last()
        .and_then(|pid| stats.iter().find(|stat| stat.pid == *pid))
        .map(|stat| stat.ppid)
        .filter(|parent| *parent > 0 && !kept.contains(parent))
    {
        kept.push(parent);
    }
    let of_group = stats.iter().filter(|stat| stat.pgrp == group.as_raw_nonzero().get());
    // A process that has ended, and whose end its parent has not asked for, cannot be ended.
    let living = of_group.filter(|stat| stat.state != 'Z' && !kept.contains(&stat.pid));
    let is_of_container = |pid: i32| {
        let environment = Process::new(pid).and_then(|process| process.environ());
        environment.is_ok_and(|all| all.get(OsStr::new(CONTAINER)).is_some_and(|id| id == container))
    };
    living.filter(|stat| is_of_container(stat.pid)).filter_map(|stat| Pid::from_raw(stat.pid)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn ancestors_and_other_groups_are_spared() {
        // A shell with a group of its own, of which one child is gone over to the background.
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 60 & echo $!; CONTAINER_ID=other sleep 60 & sleep 60 & wait"])
            .env(CONTAINER, "this")
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut said = std::io::BufReader::new(shell.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        let (group, own) = (Pid::from_child(&shell), Pid::from_raw(line.trim().parse().unwrap()).unwrap());
        let of = |container: &str| others(OsStr::new(container), group, own);
        while of("this").is_empty() || of("other").is_empty() {
            std::thread::yield_now();
        }
        let (left, foreign) = (of("this"), of("other"));
        assert_eq!((left.len(), foreign.len()), (1, 1), "the other children, and not the shell: {left:?}");
        for pid in left.into_iter().chain(foreign).chain([own]) {
            kill_process(pid, Signal::KILL).unwrap();
        }
        shell.wait().unwrap();
    }

    #[test]
    fn nothing_is_ended_outside_of_a_container() {
        assert!(std::env::var_os(CONTAINER).is_none(), "this test runs outside of one");
        end();
    }
}
