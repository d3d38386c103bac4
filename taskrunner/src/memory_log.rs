//! Decides when a sample of memory is worth a line of the log. Samples come every few seconds; a line for
//! each would fill the logs of a cluster that runs for months. `heddle memory --live` reads the newest line.

use crate::control::Memory;

/// The longest time between two lines, in milliseconds.
const LONGEST: u64 = 5 * 60 * 1000;
/// The shortest time between two lines.
const SHORTEST: u64 = 30 * 1000;

/// The words of such a line, in front of its numbers.
pub const WORDS: &str = "memory of the JVM now";

/// When the last line was written, and what it said.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryLog {
    last: Option<(u64, u64)>,
}

impl MemoryLog {
    /// Writes a line if it is time for one.
    pub fn note(&mut self, memory: &Memory) {
        if !self.is_due(memory) {
            return;
        }
        self.last = Some((memory.at_unix_ms, memory.rss));
        tracing::info!(
            rss_mb = memory.rss >> 20,
            peak_mb = memory.peak_rss >> 20,
            anonymous_mb = memory.anonymous >> 20,
            heap_mb = memory.heap_committed >> 20,
            metaspace_mb = memory.metaspace_committed >> 20,
            threads = memory.threads,
            cgroup_mb = memory.cgroup_current >> 20,
            cgroup_limit_mb = memory.cgroup_limit >> 20,
            cgroup_peak_mb = memory.cgroup_peak >> 20,
            pressure = memory.pressure_some,
            at = memory.at_unix_ms,
            "{WORDS}"
        );
    }

    /// Whether the first sample, one that differs by a tenth from that of the last line, or one some minutes
    /// after it.
    fn is_due(&self, memory: &Memory) -> bool {
        let Some((at, rss)) = self.last else { return true };
        let age = memory.at_unix_ms.saturating_sub(at);
        let moved = memory.rss.abs_diff(rss) > rss / 10;
        age >= LONGEST || (moved && age >= SHORTEST)
    }
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Noted {
    /// When the sample was taken, in milliseconds since 1970.
    pub at: u64,
    /// The resident memory in bytes.
    pub rss: u64,
    /// The most resident memory up to then, in bytes.
    pub peak: u64,
    /// The limit of the cgroup in bytes; 0 if there is none, or if it is not known.
    pub cgroup_limit: u64,
}

/// Reads a line of a log, of this release or of another one; `None` if it is no such line.
pub fn parse(line: &str) -> Option<Noted> {
    let (_, fields) = line.split_once(WORDS)?;
    let field = |name: &str| -> Option<u64> {
        let value = fields.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
        value.parse().ok()
    };
    let bytes = |name| field(name).map_or(0, |mb| mb.saturating_mul(1 << 20));
    Some(Noted {
        at: field("at")?,
        rss: field("rss_mb")?.saturating_mul(1 << 20),
        peak: bytes("peak_mb"),
        cgroup_limit: bytes("cgroup_limit_mb"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_now_and_then_and_when_something_changes() {
        let at = |seconds: u64, rss| Memory { at_unix_ms: seconds * 1000, rss, ..Memory::default() };
        let mut log = MemoryLog::default();
        let mut lines = Vec::new();
        for second in (0..1200).step_by(5) {
            let rss = if second < 610 { 1000 } else { 1200 };
            let memory = at(second, rss);
            if log.is_due(&memory) {
                lines.push(second);
            }
            log.note(&memory);
        }
        assert_eq!(lines, [0, 300, 600, 630, 930]);
    }

    #[test]
    fn lines_are_read() {
        let line = "2026-11-30T10:00:00.1Z  INFO taskrunner::memory_log: memory of the JVM now rss_mb=512 peak_mb=600 threads=40 \
                    cgroup_limit_mb=1024 pressure=0 at=1796083200000";
        let wanted =
            Noted { at: 1_796_083_200_000, rss: 512 << 20, peak: 600 << 20, cgroup_limit: 1024 << 20 };
        assert_eq!(parse(line), Some(wanted));
        assert_eq!(parse("memory of the JVM now rss_mb=x at=1"), None);
        assert_eq!(parse("something else rss_mb=1 at=1"), None);
    }
}
