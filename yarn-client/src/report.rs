//! Defines how a deployment reports its progress, without knowing who reads that. So the same code serves the
//! command line and programs that embed the client.

/// Receives the progress of a deployment. The command line prints it. A program that embeds the client may
/// write it to a log or ignore it.
pub trait Report: Send + Sync {
    /// A step of the deployment has been reached. The text is that of Flink's own client if it has one for
    /// the step.
    fn info(&self, text: &str);

    /// The user should know something that does not stop the deployment.
    fn warn(&self, text: &str);

    /// Shows a text in the place of the previous one, for something that changes all the time; an empty text
    /// removes it. Returns `false` if nothing can be shown in place.
    fn in_place(&self, text: &str) -> bool {
        let _ = text;
        false
    }

    /// `files` files with together `bytes` bytes are going to be uploaded.
    fn upload_begins(&self, files: usize, bytes: u64) {
        let _ = (files, bytes);
    }

    /// `bytes` more bytes of the file `name` have been uploaded.
    fn uploaded(&self, name: &str, bytes: u64) {
        let _ = (name, bytes);
    }

    /// All files have been uploaded, or the uploads were given up.
    fn upload_ends(&self) {}

    /// The program has submitted the job with this id.
    fn job_submitted(&self, job: &str) {
        let _ = job;
    }
}

/// A report that ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Report for Silent {
    fn info(&self, _: &str) {}
    fn warn(&self, _: &str) {}
}
