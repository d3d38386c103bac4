//! Says in one sentence how the memory of a container has gone: "heap flat, native +1.1 GB in 6 min".

use crate::facts::MemorySamples;
use crate::usage::amount;

/// A growth is worth telling if it is at least so many KiB, and this part of what is used at the end.
const LEAST: u64 = 32 << 10;
const PART: u64 = 20;
/// The pressure that is worth telling, in hundredths of a percent.
const PRESSED: u32 = 1000;

/// The sentence; `None` if there are fewer than two samples.
pub fn sentence(samples: &MemorySamples) -> Option<String> {
    let number = samples.at.len().min(samples.rss.len());
    let (times, rss) = (samples.at.get(..number)?, samples.rss.get(..number)?);
    let (end, last) = (*times.last()?, u64::from(*rss.last()?));
    let least = u64::from(*rss.iter().min()?);
    // The growth began where the memory was last near its least.
    let near = least.saturating_add(last.saturating_sub(least) / 50);
    let start = rss.iter().rposition(|kib| u64::from(*kib) <= near)?;
    let grown = last.saturating_sub(least);
    let has_grown = grown >= LEAST.max(last / PART);
    let start = if has_grown { start } else { 0 };
    let span = u64::from(end.saturating_sub(*times.get(start)?));
    if number < 2 || span == 0 {
        return None;
    }
    let most = u64::from(*rss.iter().max()?);
    let mut text = if !has_grown && most.saturating_sub(least) < LEAST.max(most / PART) {
        format!("memory flat for {}", duration(span))
    } else if !has_grown {
        format!("memory between {} and {} in {}", kib(least), kib(most), duration(span))
    } else {
        growth(samples, start, number, grown, span)
    };
    text.push_str(&format!(": {} resident at the end", kib(last)));
    if samples.limit > 0 {
        text.push_str(&format!(", of {} that the cgroup allows", kib(samples.limit)));
    }
    let pressure = samples.pressure.get(..number.min(samples.pressure.len()))?.last().copied().unwrap_or(0);
    if pressure >= PRESSED {
        text.push_str(&format!("; processes waited for memory in {} % of the last minute", pressure / 100));
    }
    Some(text)
}

/// What has grown between two samples, as far as it can be told.
fn growth(samples: &MemorySamples, start: usize, number: usize, grown: u64, span: u64) -> String {
    let span = duration(span);
    let column = |list: &[u32]| {
        let before = list.get(start).copied().filter(|kib| *kib > 0)?;
        // The last sample may be one of the whole container, which has no parts of the JVM.
        let after = list.iter().take(number).rev().copied().find(|kib| *kib > 0)?;
        Some((u64::from(before), u64::from(after)))
    };
    let Some((before, after)) = column(&samples.heap) else {
        return format!("resident memory +{} in {span}", kib(grown));
    };
    let heap = after.saturating_sub(before);
    let least = LEAST.max(after / PART);
    if before.saturating_sub(after) >= least {
        // How much of that was resident is not known, so the rest has grown by this at least.
        return format!("heap -{}, native at least +{} in {span}", kib(before - after), kib(grown));
    }
    // What is reserved for the heap becomes resident when objects are put there for the first time.
    let used = column(&samples.heap_used).map_or(0, |(used, _)| used);
    let by_heap = heap.saturating_add(before.saturating_sub(used));
    let native = grown.saturating_sub(heap);
    if grown.saturating_sub(by_heap) * 2 < grown {
        return format!(
            "resident memory +{} in {span}, which may be the heap ({} reserved)",
            kib(grown),
            kib(after)
        );
    }
    let heap = if heap < least { "flat".to_owned() } else { format!("+{}", kib(heap)) };
    format!("heap {heap}, native +{} in {span}", kib(native))
}

fn kib(kib: u64) -> String {
    amount(kib.saturating_mul(1024))
}

fn duration(seconds: u64) -> String {
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", (seconds + 30) / 60) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MB: u32 = 1 << 10;

    /// A sample each 15 seconds.
    fn samples(rss: &[u32], heap: &[u32], used: &[u32]) -> MemorySamples {
        let mb = |list: &[u32]| list.iter().map(|mb| mb * MB).collect();
        MemorySamples {
            at: (0..rss.len()).map(|n| 1_700_000_000 + 15 * u32::try_from(n).unwrap()).collect(),
            rss: mb(rss),
            heap: mb(heap),
            heap_used: mb(used),
            ..MemorySamples::default()
        }
    }

    fn said(rss: &[u32], heap: &[u32], used: &[u32]) -> String {
        sentence(&samples(rss, heap, used)).unwrap()
    }

    #[test]
    fn what_has_grown_is_told() {
        let rising: Vec<u32> = (0..25).map(|n| 3000 + n * 46).collect();
        assert_eq!(
            said(&rising, &[1024; 25], &[900; 25]),
            "heap flat, native +1.1 GB in 6 min: 4 GB resident at the end"
        );
        assert_eq!(said(&[900, 905, 902, 910], &[], &[]), "memory flat for 45 s: 910 MB resident at the end");
        assert_eq!(
            said(&[500, 500, 500, 900], &[], &[]),
            "resident memory +400 MB in 15 s: 900 MB resident at the end"
        );
        assert_eq!(
            said(&[500, 700, 900], &[800, 800, 800], &[100, 300, 500]),
            "resident memory +400 MB in 30 s, which may be the heap (800 MB reserved): 900 MB resident at the end"
        );
        assert_eq!(
            said(&[500, 900, 1500], &[300, 400, 500], &[250, 300, 400]),
            "heap +200 MB, native +800 MB in 30 s: 1.5 GB resident at the end"
        );
    }

    #[test]
    fn a_peak_between_and_a_smaller_heap_are_told() {
        assert_eq!(
            said(&[1024, 3072, 1024], &[512; 3], &[100; 3]),
            "memory between 1 GB and 3 GB in 30 s: 1 GB resident at the end"
        );
        assert_eq!(
            said(&[500, 700, 900], &[400, 300, 200], &[100; 3]),
            "heap -200 MB, native at least +400 MB in 30 s: 900 MB resident at the end"
        );
    }

    #[test]
    fn the_last_sample_may_be_of_the_whole_container() {
        let text = said(&[500, 500, 1400], &[300, 300, 0], &[250, 250, 0]);
        assert_eq!(text, "heap flat, native +900 MB in 15 s: 1.4 GB resident at the end");
    }

    #[test]
    fn limit_and_pressure_are_told() {
        let pressed = MemorySamples {
            limit: 1 << 20,
            pressure: vec![0, 0, 4250],
            ..samples(&[900, 900, 1000], &[], &[])
        };
        assert_eq!(
            sentence(&pressed).unwrap(),
            "resident memory +100 MB in 15 s: 1000 MB resident at the end, of 1 GB that the cgroup allows; processes \
             waited for memory in 42 % of the last minute"
        );
    }

    #[test]
    fn of_one_moment_there_is_no_trend() {
        assert_eq!(sentence(&MemorySamples::default()), None);
        assert_eq!(sentence(&samples(&[500], &[], &[])), None);
        let twice = MemorySamples { at: vec![7, 7], rss: vec![1, 1], ..MemorySamples::default() };
        assert_eq!(sentence(&twice), None);
    }

    proptest! {
        #[test]
        fn never_panics(
            at: Vec<u32>, rss: Vec<u32>, heap: Vec<u32>, heap_used: Vec<u32>, pressure: Vec<u32>, limit: u64
        ) {
            let samples = MemorySamples { at, rss, heap, heap_used, pressure, limit, ..MemorySamples::default() };
            let _ = sentence(&samples);
        }
    }
}
