//! The memory of one JVM over its last ten minutes. A sample comes every few seconds from each of a thousand
//! taskrunners, so only the most of each step of 15 seconds is kept: one kilobyte for each JVM. Pure.

use std::collections::VecDeque;

use diagnosis::facts::MemorySamples;
use taskrunner::control::Memory;

/// The length of a step, in seconds.
const STEP: u32 = 15;
/// How many steps are kept: ten minutes.
const MOST: usize = 40;

/// What is kept of one step. Amounts are in KiB.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// The time of its last sample, in seconds since 1970.
    at: u32,
    rss: u32,
    cgroup: u32,
    heap: u32,
    heap_used: u32,
    metaspace: u32,
    pressure: u16,
}

impl Kept {
    fn of(memory: &Memory) -> Self {
        Self {
            at: u32::try_from(memory.at_unix_ms / 1000).unwrap_or(u32::MAX),
            rss: kib(memory.rss),
            cgroup: kib(memory.cgroup_current),
            heap: kib(memory.heap_committed),
            heap_used: kib(memory.heap_used),
            metaspace: kib(memory.metaspace_committed),
            pressure: u16::try_from(memory.pressure_some).unwrap_or(u16::MAX),
        }
    }

    /// The step with one more sample.
    fn with(self, later: Self) -> Self {
        Self {
            at: later.at,
            rss: self.rss.max(later.rss),
            cgroup: self.cgroup.max(later.cgroup),
            // A sample of the whole container has no parts of the JVM.
            heap: self.heap.max(later.heap),
            heap_used: if later.heap > 0 { later.heap_used } else { self.heap_used },
            metaspace: self.metaspace.max(later.metaspace),
            pressure: later.pressure,
        }
    }
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes >> 10).unwrap_or(u32::MAX)
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    steps: VecDeque<Kept>,
    /// The newest sample.
    last: Option<Memory>,
}

impl Samples {
    pub(crate) fn add(&mut self, memory: Memory) {
        let kept = Kept::of(&memory);
        if self.steps.capacity() == 0 {
            // As much as is ever needed, so that it does not grow beyond that.
            self.steps.reserve_exact(MOST);
        }
        match self.steps.back_mut() {
            // A clock that was set back must not make a step longer.
            Some(step) if step.at / STEP == kept.at / STEP => *step = step.with(kept),
            _ => {
                if self.steps.len() == MOST {
                    self.steps.pop_front();
                }
                self.steps.push_back(kept);
            }
        }
        self.last = Some(memory);
    }

    /// The newest sample.
    pub(crate) fn last(&self) -> Option<Memory> {
        self.last
    }

    /// All that is kept, for the record; `None` if there is nothing.
    pub(crate) fn for_record(&self) -> Option<MemorySamples> {
        let last = self.last?;
        let column = |of: fn(&Kept) -> u32| {
            let values: Vec<u32> = self.steps.iter().map(of).collect();
            // What is never known takes no room in the record.
            if values.iter().all(|value| *value == 0) { Vec::new() } else { values }
        };
        Some(MemorySamples {
            at: self.steps.iter().map(|step| step.at).collect(),
            rss: self.steps.iter().map(|step| step.rss).collect(),
            cgroup: column(|step| step.cgroup),
            heap: column(|step| step.heap),
            heap_used: column(|step| step.heap_used),
            metaspace: column(|step| step.metaspace),
            pressure: column(|step| u32::from(step.pressure)),
            peak: last.peak_rss >> 10,
            limit: last.cgroup_limit >> 10,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seconds: u64, rss_mb: u64, heap_mb: u64) -> Memory {
        Memory {
            at_unix_ms: (1_700_000_010 + seconds) * 1000,
            rss: rss_mb << 20,
            heap_committed: heap_mb << 20,
            heap_used: heap_mb << 19,
            peak_rss: rss_mb << 20,
            ..Memory::default()
        }
    }

    #[test]
    fn ten_minutes_are_kept_and_the_most_of_each_step() {
        let mut samples = Samples::default();
        assert!(samples.for_record().is_none());
        for second in (0..1200).step_by(5) {
            samples.add(sample(second, 100 + second % 15, 64));
        }
        let kept = samples.for_record().unwrap();
        assert_eq!((kept.at.len(), kept.rss.len(), kept.heap.len()), (MOST, MOST, MOST));
        assert!(kept.cgroup.is_empty() && kept.pressure.is_empty() && kept.metaspace.is_empty());
        assert!(kept.rss.iter().all(|rss| *rss == 110 << 10), "{:?}", kept.rss);
        assert_eq!(kept.at.last().unwrap() - kept.at[0], 39 * STEP);
        assert_eq!(samples.last().unwrap(), sample(1195, 110, 64));
    }

    #[test]
    fn a_sample_of_the_container_keeps_what_is_known_of_the_jvm() {
        let mut samples = Samples::default();
        samples.add(sample(0, 100, 64));
        samples.add(Memory { processes: 2, ..sample(1, 300, 0) });
        let kept = samples.for_record().unwrap();
        assert_eq!((kept.rss, kept.heap, kept.heap_used), (vec![300 << 10], vec![64 << 10], vec![32 << 10]));
    }

    #[test]
    fn one_jvm_takes_about_a_kilobyte() {
        let mut samples = Samples::default();
        (0..1000).for_each(|n| samples.add(sample(n * 5, 1, 1)));
        let bytes = samples.steps.capacity() * size_of::<Kept>() + size_of::<Samples>();
        assert!(bytes <= 1400, "{bytes}");
    }

    #[test]
    fn a_clock_that_is_set_back_does_no_harm() {
        let mut samples = Samples::default();
        samples.add(sample(500, 1, 1));
        samples.add(sample(0, 2, 1));
        assert_eq!(samples.for_record().unwrap().rss, [1 << 10, 2 << 10]);
    }
}
