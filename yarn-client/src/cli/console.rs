//! The terminal: log lines as Flink's client prints them, results, progress.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::{Output, Report};

/// What a command prints to. Log lines go to stdout, as Flink's own do: scripts look for them there.
pub(crate) struct Console {
    progress: Mutex<Option<Upload>>,
    /// A program reads stdout: it gets the result alone.
    stdout_is_free: AtomicBool,
}

struct Upload {
    bar: ProgressBar,
    files: usize,
    bytes: u64,
    done: u64,
    /// Tenths that have been told already, where there is no terminal to draw on.
    told: u64,
}

impl Console {
    pub(crate) fn new() -> Self {
        Self { progress: Mutex::new(None), stdout_is_free: AtomicBool::new(false) }
    }

    fn log(&self, level: &str, text: &str) {
        let time = chrono::Local::now().format("%Y-%m-%d %H:%M:%S,%3f");
        self.out(&format!("{time} {level:<5} heddle [] - {text}"));
    }

    /// From now on only [`Console::result`] writes to stdout; everything else goes to stderr.
    pub(crate) fn keep_stdout_free(&self) {
        self.stdout_is_free.store(true, Ordering::Relaxed);
    }

    /// The result that a program reads, to stdout.
    pub(crate) fn result(&self, text: &str) {
        self.line(&mut std::io::stdout().lock(), text);
    }

    fn line(&self, stream: &mut dyn Write, text: &str) {
        // A reader that has gone away is no reason to leave a cluster half started.
        let mut write = || {
            let _ = writeln!(stream, "{text}").and_then(|()| stream.flush());
        };
        match self.progress.lock().ok().as_deref() {
            Some(Some(upload)) => upload.bar.suspend(write),
            _ => write(),
        }
    }
}

impl Output for Console {
    fn out(&self, text: &str) {
        if self.stdout_is_free.load(Ordering::Relaxed) { self.err(text) } else { self.result(text) }
    }

    fn err(&self, text: &str) {
        self.line(&mut std::io::stderr().lock(), text);
    }
}

impl Report for Console {
    fn info(&self, text: &str) {
        self.log("INFO", text);
    }

    fn warn(&self, text: &str) {
        self.log("WARN", text);
    }

    fn upload_begins(&self, files: usize, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr())
        } else {
            self.err(&format!(
                "uploading {files} {}, {}",
                if files == 1 { "file" } else { "files" },
                megabytes(bytes)
            ));
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template(
            "uploading {msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec}",
        ) {
            bar.set_style(style);
        }
        if let Ok(mut progress) = self.progress.lock() {
            *progress = Some(Upload { bar, files, bytes, done: 0, told: 0 });
        }
    }

    fn uploaded(&self, name: &str, bytes: u64) {
        let mut tell = None;
        if let Ok(mut progress) = self.progress.lock()
            && let Some(upload) = progress.as_mut()
        {
            upload.done += bytes;
            upload.bar.inc(bytes);
            upload.bar.set_message(name.to_owned());
            // Plain lines only for uploads that take a while.
            let quarter = upload.done * 4 / upload.bytes.max(1);
            if upload.bar.is_hidden() && upload.bytes > 64 << 20 && quarter > upload.told {
                upload.told = quarter;
                tell = Some(format!("uploaded {} of {}", megabytes(upload.done), megabytes(upload.bytes)));
            }
        }
        if let Some(text) = tell {
            self.err(&text);
        }
    }

    fn upload_ends(&self) {
        let ended = self.progress.lock().ok().and_then(|mut p| p.take());
        if let Some(upload) = ended {
            upload.bar.finish_and_clear();
            tracing::debug!(files = upload.files, bytes = upload.done, "upload ends");
        }
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
