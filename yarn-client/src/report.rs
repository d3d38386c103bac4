//! How a deployment reports what it is doing, without knowing who reads that.

/// Whoever wants to know what a deployment is doing. The command line prints it; a program that embeds the
/// client may write it to a log, or ignore it.
pub trait Report: Send + Sync {
    /// A step, in the words that Flink's own client uses where it has any.
    fn info(&self, text: &str);

    /// Something to know that does not stop the deployment.
    fn warn(&self, text: &str);

    /// Something that changes all the time, shown in the place of what was shown there before; an empty text
    /// takes it away. False where it cannot be shown in place.
    fn in_place(&self, text: &str) -> bool {
        let _ = text;
        false
    }

    /// `files` of `bytes` in all are about to be uploaded.
    fn upload_begins(&self, files: usize, bytes: u64) {
        let _ = (files, bytes);
    }

    /// `bytes` more of `name` have been uploaded.
    fn uploaded(&self, name: &str, bytes: u64) {
        let _ = (name, bytes);
    }

    /// All is uploaded, or given up.
    fn upload_ends(&self) {}

    /// The program has submitted the job of this id.
    fn job_submitted(&self, job: &str) {
        let _ = job;
    }
}

/// Ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Report for Silent {
    fn info(&self, _: &str) {}
    fn warn(&self, _: &str) {}
}
