//! A histogram of durations.

use std::time::Duration;

/// The upper bounds of the buckets, in seconds. Above the last one there is one more bucket.
pub(super) const BOUNDS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// How many durations there were up to each bound.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Histogram {
    /// For each bucket, how many durations are in it and in no smaller one.
    buckets: [u64; BOUNDS.len() + 1],
    /// The sum of all durations, in seconds.
    pub(super) sum: f64,
}

impl Histogram {
    pub(super) fn add(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket] += 1;
        self.sum += seconds;
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The upper bound of each bucket and how many durations are in it. The last bound is infinite.
    pub(super) fn buckets(&self) -> Vec<(f64, u64)> {
        BOUNDS.into_iter().chain([f64::INFINITY]).zip(self.buckets).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_one_bucket() {
        let mut histogram = Histogram::default();
        for millis in [0, 100, 101, 5_000, 600_000, 600_001, 9_999_999] {
            histogram.add(Duration::from_millis(millis));
        }
        let full: Vec<(f64, u64)> = histogram.buckets().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(full, [(0.1, 2), (0.25, 1), (5.0, 1), (600.0, 1), (f64::INFINITY, 2)]);
        assert_eq!(histogram.count(), 7);
        assert!((histogram.sum - 11_205.201).abs() < 1e-6, "{}", histogram.sum);
    }
}
