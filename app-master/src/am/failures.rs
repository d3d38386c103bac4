//! What the JobManager told of failures, put into the diagnostics for YARN.

use yarn_api::records::FinalStatus;

use crate::failure::{MAX, causes, cut, is_frame};
use crate::jobmanager::JobManagerEnd;

/// The failures in the order in which they were told; only the first and the last one are kept.
#[derive(Debug, Default)]
pub(super) struct Failures {
    first: Option<String>,
    last: Option<String>,
}

impl Failures {
    /// `what` failed, with this stack trace.
    pub(super) fn add(&mut self, what: &str, trace: &str) {
        let text = match causes(trace) {
            causes if causes.is_empty() => format!("{what} failed"),
            causes => format!("{what} failed: {causes}"),
        };
        tracing::error!("{text}");
        self.first.get_or_insert_with(|| text.clone());
        self.last = Some(text);
    }

    /// The diagnostics for a final status that Flink reports: its own, where it has some.
    pub(super) fn for_status(&self, status: FinalStatus, flinks: &str) -> String {
        let own: Vec<&str> = flinks.lines().filter(|line| !is_frame(line)).collect();
        match &self.first {
            Some(first) if own.is_empty() && status != FinalStatus::Succeeded => first.clone(),
            _ => cut(&own.join("\n"), MAX).to_owned(),
        }
    }

    /// The diagnostics for a JVM that ended without a final status: the last failure is why it did.
    pub(super) fn for_end(&self, end: &JobManagerEnd) -> String {
        match &self.last {
            Some(last) => last.clone(),
            None => format!("The JobManager ended: {}{}", end.summary, end.last_lines),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_explains_a_status_and_the_last_one_an_end() {
        let mut failures = Failures::default();
        let end = JobManagerEnd { summary: "code 2".into(), last_lines: "\nlog".into() };
        assert_eq!(failures.for_end(&end), "The JobManager ended: code 2\nlog");
        assert_eq!(failures.for_status(FinalStatus::Failed, ""), "");
        failures.add("Job \"a\" (1)", "x.Y: boom\n\tat z");
        failures.add("main() of M", "");
        assert_eq!(failures.for_status(FinalStatus::Failed, ""), "Job \"a\" (1) failed: x.Y: boom");
        assert_eq!(failures.for_status(FinalStatus::Succeeded, ""), "");
        assert_eq!(
            failures.for_status(FinalStatus::Failed, "a.B: c\n\tat d\nCaused by: e"),
            "a.B: c\nCaused by: e"
        );
        assert_eq!(failures.for_end(&end), "main() of M failed");
    }
}
