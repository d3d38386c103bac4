//! Measures the memory of a process, of a container and of a cgroup, and reads the kernel's out-of-memory
//! counters.
//!
//! With the samples, heddle can say how much memory a TaskManager used before it ended. The counters tell
//! whether the kernel's out-of-memory killer ended a JVM, which a JVM that gets a SIGKILL cannot say itself.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use procfs::process::{Process, Status};

use crate::cause::KernelOom;
use crate::control::Memory;
use crate::perf_data;

/// How many samples there are for each reading of `smaps_rollup`, for which the kernel goes through all pages
/// of the process.
const SAMPLES_PER_ROLLUP: u32 = 12;
/// The largest resident memory in bytes with which that is read. With more, it takes the kernel longer than
/// some tens of milliseconds, in which the process cannot change its address space.
const LARGEST_ROLLUP: u64 = 4 << 30;

const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// The time, in milliseconds since 1970-01-01 UTC.
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_millis() as u64).unwrap_or(0)
}

/// Takes one sample of the memory of a process; `None` if the process has ended. All sizes are in bytes.
pub fn sample(pid: u32) -> Option<Memory> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    let mut memory = of_status(&process.status().ok()?);
    add_cgroup(&mut memory, &process);
    Some(memory)
}

/// Takes the samples of one JVM, each of which also has what is read only seldom.
#[derive(Debug, Default)]
pub struct Sampler {
    /// The name of the user, in whose directory the JVM has its counters.
    user: String,
    /// How many samples were taken.
    taken: u32,
    /// What was read last of `smaps_rollup`.
    proportional: u64,
}

impl Sampler {
    /// For JVMs of the user of this process.
    pub fn new() -> Self {
        Self { user: hadoop_rpc::os_user().unwrap_or_default(), ..Self::default() }
    }

    /// Takes one sample of the JVM with this process id; `None` if it has ended.
    pub fn sample(&mut self, pid: u32) -> Option<Memory> {
        let memory = sample(pid)?;
        if memory.rss > LARGEST_ROLLUP {
            self.proportional = 0;
        } else if self.taken.is_multiple_of(SAMPLES_PER_ROLLUP) {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            self.proportional = parse_kilobytes(&text, "Pss:").unwrap_or(0);
        }
        self.taken = self.taken.wrapping_add(1);
        let parts = perf_data::of_jvm(&self.user, pid).unwrap_or_default();
        Some(Memory {
            proportional: self.proportional,
            heap_used: parts.heap_used,
            heap_committed: parts.heap_committed,
            metaspace_used: parts.metaspace_used,
            metaspace_committed: parts.metaspace_committed,
            threads: parts.threads,
            ..memory
        })
    }
}

/// The size in bytes on the line that begins with `key`, as the kernel writes it: `Pss:  123 kB`.
fn parse_kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Takes one sample of the memory of the container: of all processes in the process group of this process.
/// The sizes are sums, in bytes; the peak is the sum of the peaks of the single processes, which they may
/// have reached at different times. This looks at every process of the machine, so it must not be called
/// often.
pub fn of_container() -> Memory {
    let mut sum = Memory::default();
    let group = rustix::process::getpgrp().as_raw_nonzero().get();
    let Ok(all) = procfs::process::all_processes() else { return sum };
    for process in all.flatten() {
        if !process.stat().is_ok_and(|stat| stat.pgrp == group) {
            continue;
        }
        // A process that has just ended uses no memory.
        let Ok(status) = process.status() else { continue };
        let one = of_status(&status);
        sum.rss += one.rss;
        sum.peak_rss += one.peak_rss;
        sum.virtual_size += one.virtual_size;
        sum.swap += one.swap;
        sum.anonymous += one.anonymous;
        sum.processes += 1;
    }
    if let Ok(myself) = Process::myself() {
        add_cgroup(&mut sum, &myself);
    }
    sum
}

/// Adds the time, and the sizes of the cgroup of the process.
fn add_cgroup(memory: &mut Memory, process: &Process) {
    memory.at_unix_ms = unix_ms();
    let Some(cgroup) = Cgroup::of(process) else { return };
    memory.cgroup_current = cgroup.current().unwrap_or(0);
    memory.cgroup_limit = cgroup.limit().unwrap_or(0);
    // A cgroup without a limit is not the container's own, so its peak and its pressure
    // would be those of other processes, too.
    memory.cgroup_peak = cgroup.peak().filter(|_| memory.cgroup_limit > 0).unwrap_or(0);
    let pressure = cgroup.pressure().filter(|_| memory.cgroup_limit > 0).unwrap_or_default();
    memory.pressure_some = parse_pressure(&pressure, "some").unwrap_or(0);
    memory.pressure_full = parse_pressure(&pressure, "full").unwrap_or(0);
}

/// The sizes in `/proc/<pid>/status`, which the kernel gives in units of 1024 bytes (proc_pid_status(5)).
fn of_status(status: &Status) -> Memory {
    let bytes = |kb: Option<u64>| kb.unwrap_or(0).saturating_mul(1024);
    Memory {
        rss: bytes(status.vmrss),
        peak_rss: bytes(status.vmhwm),
        virtual_size: bytes(status.vmsize),
        swap: bytes(status.vmswap),
        anonymous: bytes(status.rssanon),
        ..Memory::default()
    }
}

/// The memory cgroup of a process, version 1 or 2.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cgroup {
    /// The mount point of the hierarchy.
    root: PathBuf,
    dir: PathBuf,
    v2: bool,
}

impl Cgroup {
    fn of(process: &Process) -> Option<Cgroup> {
        let groups = process.cgroups().ok()?;
        let groups: Vec<(Vec<String>, String)> =
            groups.0.into_iter().map(|g| (g.controllers, g.pathname)).collect();
        let mut found = Cgroup::choose(&groups)?;
        // In a container of Docker without a cgroup namespace, the path is that on the host, but only the
        // container's own part of the hierarchy is mounted, at the mount point.
        if !found.dir.is_dir() {
            found.dir.clone_from(&found.root);
        }
        Some(found)
    }

    /// Finds the memory cgroup in the lines of `/proc/<pid>/cgroup`: that of version 1 if there is one, or
    /// else that of version 2.
    fn choose(groups: &[(Vec<String>, String)]) -> Option<Cgroup> {
        let v1 = groups.iter().find(|(controllers, _)| controllers.iter().any(|c| c == "memory"));
        let unified = || groups.iter().find(|(controllers, _)| controllers.iter().all(|c| c.is_empty()));
        let ((_, path), v2) = v1.map(|g| (g, false)).or_else(|| unified().map(|g| (g, true)))?;
        let root = if v2 { PathBuf::from(CGROUP_ROOT) } else { Path::new(CGROUP_ROOT).join("memory") };
        let dir = root.join(path.trim_start_matches('/'));
        Some(Cgroup { root, dir, v2 })
    }

    fn current(&self) -> Option<u64> {
        let name = if self.v2 { "memory.current" } else { "memory.usage_in_bytes" };
        parse_limit(&std::fs::read_to_string(self.dir.join(name)).ok()?)
    }

    /// The most bytes that the cgroup has used. For version 2, kernels before 5.19 do not count them.
    fn peak(&self) -> Option<u64> {
        let name = if self.v2 { "memory.peak" } else { "memory.max_usage_in_bytes" };
        parse_limit(&std::fs::read_to_string(self.dir.join(name)).ok()?)
    }

    /// The text of `memory.pressure`, which only version 2 has, and only if the kernel counts it.
    fn pressure(&self) -> Option<String> {
        self.v2.then(|| std::fs::read_to_string(self.dir.join("memory.pressure")).ok()).flatten()
    }

    /// The lowest limit, in bytes, of the cgroup and of the cgroups above it; `None` if there is no limit.
    fn limit(&self) -> Option<u64> {
        let name = if self.v2 { "memory.max" } else { "memory.limit_in_bytes" };
        self.dir
            .ancestors()
            .take_while(|dir| dir.starts_with(&self.root))
            .filter_map(|dir| parse_limit(&std::fs::read_to_string(dir.join(name)).ok()?))
            .min()
    }

    fn oom_kills(&self) -> Option<u64> {
        let name = if self.v2 { "memory.events" } else { "memory.oom_control" };
        parse_counter(&std::fs::read_to_string(self.dir.join(name)).ok()?, "oom_kill")
    }
}

/// A size in bytes. `None` if there is no limit: version 2 writes `max`, and version 1 a number just below
/// 2^63.
fn parse_limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|&bytes: &u64| bytes < 1 << 62)
}

/// The value of the line `<key> <value>`.
fn parse_counter(text: &str, key: &str) -> Option<u64> {
    text.lines().filter_map(|line| line.split_once(' ')).find(|(k, _)| *k == key)?.1.trim().parse().ok()
}

/// The share of the last minute in which processes waited for memory, in hundredths of a percent, from a line
/// such as `some avg10=0.00 avg60=1.25 avg300=0.40 total=7`.
fn parse_pressure(text: &str, kind: &str) -> Option<u32> {
    let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
    let percent = line.split_whitespace().find_map(|word| word.strip_prefix("avg60="))?;
    let (whole, hundredths) = percent.split_once('.')?;
    let (whole, hundredths): (u32, u32) = (whole.parse().ok()?, hundredths.get(..2)?.parse().ok()?);
    whole.checked_mul(100)?.checked_add(hundredths)
}

/// How many processes the kernel's out-of-memory killer has ended, in the cgroup of this process, in which
/// its JVM runs as well, and on the whole host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OomCounters {
    cgroup: Option<u64>,
    host: Option<u64>,
}

impl OomCounters {
    /// Reads the present values of the counters. A counter that the kernel does not have is unknown.
    pub fn read() -> OomCounters {
        let cgroup = Process::myself().ok().and_then(|p| Cgroup::of(&p)).and_then(|c| c.oom_kills());
        let host = std::fs::read_to_string("/proc/vmstat").ok().and_then(|t| parse_counter(&t, "oom_kill"));
        OomCounters { cgroup, host }
    }

    /// What the out-of-memory killer did between these counters and `later`, which must have been read just
    /// now, because the limit and the peak of the cgroup are read here. An unknown counter has not risen.
    pub fn compare(&self, later: &OomCounters) -> KernelOom {
        let rose = |before: Option<u64>, after: Option<u64>| before.zip(after).is_some_and(|(b, a)| a > b);
        if rose(self.cgroup, later.cgroup) {
            let cgroup = Process::myself().ok().and_then(|p| Cgroup::of(&p));
            KernelOom::Cgroup {
                limit: cgroup.as_ref().and_then(Cgroup::limit),
                peak: cgroup.as_ref().and_then(Cgroup::peak),
            }
        } else if rose(self.host, later.host) {
            KernelOom::Host
        } else {
            KernelOom::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use procfs::FromBufRead;

    #[test]
    fn sizes_come_from_status() {
        let own = std::fs::read("/proc/self/status").unwrap();
        let status = Status::from_buf_read(own.as_slice()).unwrap();
        let memory = of_status(&status);
        assert_eq!(memory.rss, status.vmrss.unwrap() * 1024);
        assert!(memory.peak_rss >= memory.rss && memory.virtual_size >= memory.rss);
    }

    #[test]
    fn samples_a_living_process_only() {
        let own = sample(std::process::id()).unwrap();
        assert!(own.rss > 100_000 && own.at_unix_ms > 1_600_000_000_000);
        assert!(sample(u32::MAX).is_none());
        assert!(sample(0x3fff_ffff).is_none());
    }

    #[test]
    fn finds_the_memory_hierarchy_of_both_versions() {
        let group = |controllers: &[&str], path: &str| {
            (controllers.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>(), path.to_owned())
        };
        let v2 = Cgroup::choose(&[group(&[], "/yarn/container_1")]).unwrap();
        assert_eq!((v2.dir, v2.v2), (PathBuf::from("/sys/fs/cgroup/yarn/container_1"), true));
        let v1 =
            Cgroup::choose(&[group(&[""], "/x"), group(&["cpu"], "/c"), group(&["memory"], "/m")]).unwrap();
        assert_eq!((v1.dir, v1.v2), (PathBuf::from("/sys/fs/cgroup/memory/m"), false));
        assert_eq!(Cgroup::choose(&[group(&["cpu"], "/c")]), None);
    }

    #[test]
    fn the_least_limit_above_counts() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("memory.max"), "max\n").unwrap();
        std::fs::write(root.path().join("a/memory.max"), "4096\n").unwrap();
        let group = Cgroup { root: root.path().to_owned(), dir, v2: true };
        assert_eq!(group.limit(), Some(4096));
        assert_eq!(group.current(), None);
    }

    #[test]
    fn pressure_and_sizes_parse() {
        let text = "some avg10=3.10 avg60=12.07 avg300=0.40 total=7\nfull avg10=0.00 avg60=0.50 avg300=0.00 total=1\n";
        assert_eq!((parse_pressure(text, "some"), parse_pressure(text, "full")), (Some(1207), Some(50)));
        assert_eq!(parse_pressure("", "some"), None);
        assert_eq!(parse_pressure("some avg60=x", "some"), None);
        assert_eq!(parse_kilobytes("Rss:  9 kB\nPss:                 123 kB\n", "Pss:"), Some(123 << 10));
        assert_eq!(parse_kilobytes("Pss: 12", "Pss:"), None);
    }

    #[test]
    fn a_sampler_reads_its_own_process() {
        let mut sampler = Sampler::new();
        let own = sampler.sample(std::process::id()).unwrap();
        // The test is no JVM.
        assert!(own.rss >= own.anonymous && own.anonymous > 0 && own.heap_committed == 0);
        assert!(sampler.sample(u32::MAX).is_none());
    }

    #[test]
    fn limits_and_counters_parse() {
        assert_eq!(parse_limit("1048576\n"), Some(1_048_576));
        assert_eq!(parse_limit("max\n"), None);
        assert_eq!(parse_limit("9223372036854771712\n"), None);
        assert_eq!(parse_counter("low 0\noom 3\noom_kill 2\noom_group_kill 9\n", "oom_kill"), Some(2));
        assert_eq!(parse_counter("oom_kill_disable 0\n", "oom_kill"), None);
    }

    #[test]
    fn a_risen_counter_tells_who_was_hit() {
        let counters = |cgroup, host| OomCounters { cgroup, host };
        let before = counters(Some(1), Some(5));
        assert!(matches!(before.compare(&counters(Some(2), Some(6))), KernelOom::Cgroup { .. }));
        assert_eq!(before.compare(&counters(Some(1), Some(6))), KernelOom::Host);
        assert_eq!(before.compare(&before), KernelOom::None);
        assert_eq!(counters(None, None).compare(&counters(Some(9), None)), KernelOom::None);
    }

    #[test]
    fn what_the_kernel_writes_of_a_cgroup_is_read_in_both_versions() {
        let events = "low 0\nhigh 0\nmax 31\noom 2\noom_kill 1\noom_group_kill 0\n";
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n";
        let v2 = [("memory.events", events), ("memory.max", "1073741824\n"), ("memory.peak", "1073737728\n")];
        let v1 = [
            ("memory.oom_control", control),
            ("memory.limit_in_bytes", "1073741824\n"),
            ("memory.max_usage_in_bytes", "1073737728\n"),
        ];
        for (v2, files) in [(true, v2), (false, v1)] {
            let root = tempfile::tempdir().unwrap();
            let dir = root.path().join("hadoop-yarn/container_1");
            std::fs::create_dir_all(&dir).unwrap();
            let cgroup = Cgroup { root: root.path().to_owned(), dir: dir.clone(), v2 };
            assert_eq!((cgroup.oom_kills(), cgroup.limit(), cgroup.peak()), (None, None, None));
            for (name, text) in files {
                std::fs::write(dir.join(name), text).unwrap();
            }
            assert_eq!(cgroup.oom_kills(), Some(1));
            assert_eq!((cgroup.limit(), cgroup.peak()), (Some(1 << 30), Some((1 << 30) - 4096)));
        }
    }

    #[test]
    fn the_container_is_the_process_group() {
        let before = of_container();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let with = of_container();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(
            with.processes > before.processes.saturating_sub(1) && with.processes >= 2,
            "{before:?} {with:?}"
        );
        assert!(with.peak_rss >= with.rss && with.rss > 0);
    }
}
