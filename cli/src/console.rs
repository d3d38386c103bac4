//! Prints what a command has to say: results, log lines in the form of Flink's client, progress, and the JSON
//! answer for programs. It remembers if the standard output could not be written, because the command then
//! ends with a failure.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::report::Report;
use yarn_client::units::{bytes as size, count};

use super::text::clean;

/// Where a command prints. Characters that could steer the terminal are taken out of all texts.
pub(crate) trait Output: Report {
    /// Prints a result to stdout.
    fn out(&self, text: &str);

    /// Prints a message for the user to stderr.
    fn err(&self, text: &str);
}

/// What a command prints to. Log lines go to stdout, as those of Flink's client do, because scripts look for
/// them there.
pub(crate) struct Console {
    /// Whether the locale has signs such as `├──` and `…`.
    unicode: bool,
    progress: Mutex<Option<Upload>>,
    /// The last line of the terminal, whose text is replaced by the next one.
    place: Mutex<Option<ProgressBar>>,
    /// Whether a program reads stdout, which then gets one JSON value and nothing else.
    json: AtomicBool,
    answer: Mutex<Answer>,
    /// The first error of stdout. The command goes on nevertheless, so that a cluster is not left half
    /// started only because nobody reads the output.
    lost: Mutex<Option<io::Error>>,
    /// Whether the command changes something in the cluster. The message about lost output then says that the
    /// change was made.
    has_effects: AtomicBool,
}

/// The JSON value for the program that reads stdout.
enum Answer {
    /// There is none yet.
    None,
    /// It is to be printed at the end of the command, with the error if there is one.
    Ready(Value),
    /// It was printed.
    Given,
}

struct Upload {
    bar: ProgressBar,
    files: usize,
    bytes: u64,
    done: u64,
    /// How many quarters of the upload have been reported already, if there is no terminal to draw on.
    told: u64,
}

impl Console {
    pub(crate) fn new(unicode: bool) -> Self {
        Self {
            unicode,
            progress: Mutex::new(None),
            place: Mutex::new(None),
            json: AtomicBool::new(false),
            answer: Mutex::new(Answer::None),
            lost: Mutex::new(None),
            has_effects: AtomicBool::new(false),
        }
    }

    fn log(&self, level: &str, text: &str) {
        let time = chrono::Local::now().format("%Y-%m-%d %H:%M:%S,%3f");
        self.out(&format!("{time} {level:<5} heddle [] - {text}"));
    }

    /// Reserves stdout for one JSON value. Everything else goes to stderr from now on.
    pub(crate) fn answer_in_json(&self) {
        self.json.store(true, Ordering::Relaxed);
    }

    /// Whether stdout is reserved for one JSON value.
    pub(crate) fn is_json(&self) -> bool {
        self.json.load(Ordering::Relaxed)
    }

    /// Sets the command's answer for programs, which is printed at the end of the command.
    pub(crate) fn answer(&self, value: Value) {
        if let Ok(mut answer) = self.answer.lock() {
            *answer = Answer::Ready(value);
        }
    }

    /// Prints the answer and the failure, if there is one, unless no program reads stdout or the answer was
    /// printed already.
    pub(crate) fn give_answer(&self, failure: Option<&Failure>) {
        if !self.is_json() {
            return;
        }
        let answer = self.answer.lock().ok().and_then(|mut answer| taken(&mut answer, failure));
        if let Some(text) = answer {
            self.print(&clean::json(&text));
        }
    }

    /// Prints the failure of a program that panics, and the answer with it. It waits for none of the locks
    /// here, because the thread that has panicked may hold them.
    pub(crate) fn give_defect(&self, failure: &Failure) {
        let text = failure.render(false);
        let _ = io::stderr().write_all(clean::lines(&text).as_bytes());
        let answer = match self.answer.try_lock() {
            Ok(mut answer) if self.is_json() => taken(&mut answer, Some(failure)),
            _ => None,
        };
        if let Some(text) = answer {
            let _ = writeln!(io::stdout(), "{}", clean::json(&text));
        }
    }

    /// Notes that the command changes something in the cluster.
    pub(crate) fn has_effects(&self) {
        self.has_effects.store(true, Ordering::Relaxed);
    }

    /// Prints to stdout a text that holds escape sequences of heddle's own, for colours. All that others have
    /// written must have been [cleaned](clean) before.
    pub(crate) fn out_styled(&self, text: &str) {
        if self.is_json() { self.err_styled(text) } else { self.print(text) }
    }

    /// The same to stderr.
    pub(crate) fn err_styled(&self, text: &str) {
        // If stderr cannot be written, there is no other stream on which to report that.
        let _ = self.line(&mut io::stderr().lock(), text);
    }

    /// Whether something could not be printed to stdout, so that no more need be printed.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.lock().is_ok_and(|lost| lost.is_some())
    }

    fn print(&self, text: &str) {
        if let Err(error) = self.line(&mut io::stdout().lock(), text)
            && let Ok(mut lost) = self.lost.lock()
        {
            lost.get_or_insert(error);
        }
    }

    fn line(&self, stream: &mut dyn Write, text: &str) -> io::Result<()> {
        let text = &if self.unicode { Cow::Borrowed(text) } else { ascii(text) };
        let mut write = || writeln!(stream, "{text}").and_then(|()| stream.flush());
        let bar =
            self.progress.lock().ok().and_then(|upload| upload.as_ref().map(|upload| upload.bar.clone()));
        let place = self.place.lock().ok().and_then(|place| place.clone());
        match bar.or(place) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// How a command ends that would end with `exit`. If something could not be printed, that changes the
    /// exit code.
    pub(crate) fn end(&self, exit: Exit) -> Exit {
        let lost = self.lost.lock().ok().and_then(|mut lost| lost.take());
        let (exit, message) = ending(exit, lost.as_ref(), self.has_effects.load(Ordering::Relaxed));
        if let Some(message) = message {
            self.err(&message);
        }
        exit
    }
}

/// Prints warnings.
pub(crate) fn warn<'a>(console: &Console, warnings: impl Iterator<Item = &'a String>) {
    for warning in warnings {
        console.warn(warning);
    }
}

impl Output for Console {
    fn out(&self, text: &str) {
        self.out_styled(&clean::lines(text));
    }

    fn err(&self, text: &str) {
        self.err_styled(&clean::lines(text));
    }
}

/// The text with heddle's own signs in ASCII, for locales that do not use UTF-8. Other text, such as the
/// names of files, stays as it is.
fn ascii(text: &str) -> Cow<'_, str> {
    const SIGNS: [(&str, &str); 6] =
        [("├──", "|--"), ("└──", "`--"), ("│", "|"), ("…", "..."), ("’", "'"), ("\u{a0}", " ")];
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let plain = SIGNS.iter().fold(text.to_owned(), |text, (sign, plain)| text.replace(sign, plain));
    Cow::Owned(plain)
}

/// The text of the answer, which counts as printed from now on; `None` if it was printed already.
fn taken(answer: &mut Answer, failure: Option<&Failure>) -> Option<String> {
    match std::mem::replace(answer, Answer::Given) {
        Answer::Ready(value) => Some(with_error(value, failure).to_string()),
        Answer::None => Some(with_error(json!({}), failure).to_string()),
        Answer::Given => None,
    }
}

/// The answer with the key `error`, if there is one.
fn with_error(answer: Value, failure: Option<&Failure>) -> Value {
    match (answer, failure.map(Failure::to_json)) {
        (answer, None) => answer,
        (Value::Object(mut answer), Some(error)) => {
            answer.insert("error".into(), error);
            Value::Object(answer)
        }
        (_, Some(error)) => json!({ "error": error }),
    }
}

/// What `exit` becomes if stdout was lost with the error `lost`, and the message about that. There is no
/// message if the reader has closed the pipe, as `head` does, because it has read all that it wanted.
fn ending(exit: Exit, lost: Option<&io::Error>, has_effects: bool) -> (Exit, Option<String>) {
    match lost {
        None => (exit, None),
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => match exit.code() {
            0 => (Exit::ClosedPipe, None),
            _ => (exit, None),
        },
        Some(error) if exit.code() != 0 => {
            (exit, Some(format!("warning: cannot write to the standard output: {error}")))
        }
        Some(error) => {
            let hint = match has_effects {
                true => "\nhint: the command itself was carried out; `heddle ps` lists your applications",
                false => "",
            };
            (Exit::Failed, Some(format!("error: cannot write to the standard output: {error}{hint}")))
        }
    }
}

impl Report for Console {
    fn info(&self, text: &str) {
        self.log("INFO", text);
    }

    fn warn(&self, text: &str) {
        self.log("WARN", text);
    }

    fn in_place(&self, text: &str) -> bool {
        if !std::io::stderr().is_terminal() {
            return false;
        }
        let Ok(mut place) = self.place.lock() else { return false };
        if text.is_empty() {
            if let Some(bar) = place.take() {
                bar.finish_and_clear();
            }
            return true;
        }
        let bar = place.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        bar.set_message(clean::line(text));
        true
    }

    fn upload_begins(&self, files: usize, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let bar = if io::stderr().is_terminal() {
            ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr())
        } else {
            self.err(&format!("uploading {}, {}", count(files, "file"), size(bytes)));
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
            upload.bar.set_message(clean::line(name));
            // Without a terminal, the progress is printed only for large uploads.
            let quarter = upload.done * 4 / upload.bytes.max(1);
            if upload.bar.is_hidden() && upload.bytes > 64 << 20 && quarter > upload.told {
                upload.told = quarter;
                tell = Some(format!("uploaded {} of {}", size(upload.done), size(upload.bytes)));
            }
        }
        if let Some(text) = tell {
            self.err(&text);
        }
    }

    fn job_submitted(&self, job: &str) {
        self.out(&format!("Job has been submitted with JobID {job}"));
    }

    fn upload_ends(&self) {
        let ended = self.progress.lock().ok().and_then(|mut p| p.take());
        if let Some(upload) = ended {
            upload.bar.finish_and_clear();
            tracing::debug!(files = upload.files, bytes = upload.done, "upload ends");
        }
    }
}

/// A report to stderr, for a command whose result is on stdout.
pub(crate) struct ToStderr<'a>(pub(crate) &'a Console);

impl Report for ToStderr<'_> {
    fn info(&self, text: &str) {
        self.0.err(text);
    }

    fn warn(&self, text: &str) {
        self.0.err(&format!("warning: {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_key_of_the_answer() {
        let failure = Failure::new("no luck");
        assert_eq!(with_error(json!({"a": 1}), None), json!({"a": 1}));
        assert_eq!(with_error(json!([1]), None), json!([1]));
        let told = with_error(json!({"a": 1}), Some(&failure));
        assert_eq!((&told["a"], &told["error"]["message"]), (&json!(1), &json!("no luck")));
        assert_eq!(with_error(json!([1]), Some(&failure))["error"]["message"], "no luck");
    }

    #[test]
    fn there_is_one_answer() {
        let mut answer = Answer::Ready(json!({"a": 1}));
        assert_eq!(taken(&mut answer, None).as_deref(), Some("{\"a\":1}"));
        assert_eq!(taken(&mut answer, Some(&Failure::new("too late"))), None);
        assert_eq!(taken(&mut Answer::None, None).as_deref(), Some("{}"));
    }

    #[test]
    fn our_signs_in_plain_ascii() {
        assert_eq!(ascii("a\n├── b…\n│   c\n└── d"), "a\n|-- b...\n|   c\n`-- d");
        assert_eq!(ascii("größe"), "größe");
    }

    #[test]
    fn lost_output_is_a_failure_and_a_closed_pipe_is_quiet() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let closed = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(ending(Exit::Done, None, true), (Exit::Done, None));
        assert_eq!(ending(Exit::Done, Some(&closed), true), (Exit::ClosedPipe, None));
        assert_eq!(ending(Exit::Failed, Some(&closed), true), (Exit::Failed, None));
        let said = |exit, effects| {
            let (exit, message) = ending(exit, Some(&full), effects);
            format!("{}\n{}", exit.code(), message.unwrap_or_default())
        };
        insta::assert_snapshot!(said(Exit::Done, false), @"
        1
        error: cannot write to the standard output: no storage space
        ");
        insta::assert_snapshot!(said(Exit::Done, true), @"
        1
        error: cannot write to the standard output: no storage space
        hint: the command itself was carried out; `heddle ps` lists your applications
        ");
        insta::assert_snapshot!(said(Exit::Jvm(3), true), @"
        3
        warning: cannot write to the standard output: no storage space
        ");
    }
}
