//! Finds what the log and the outputs of a JVM say about its end: its errors with their causes, and whether
//! the TaskManager registered. A log is taken line by line, so that its size does not matter. Nothing here
//! reads files.

/// The most characters that are kept of a line.
const LONGEST: usize = 300;
/// The level, such as ERROR, is looked for only in the first so many characters of a line.
const HEAD: usize = 80;
const LEVELS: [&str; 7] = ["TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL"];
/// Words with which Flink's processes log the error that ends them.
const FATAL: [&str; 7] = [
    "Fatal error",
    "FATAL: ",
    "Terminating TaskManagerRunner",
    "Could not start cluster entrypoint",
    "Shutting it down",
    "Failed to start the TaskManagerRunner",
    "FATAL ERROR",
];
/// What a TaskManager logs once it has registered with the JobManager.
const REGISTERED: &str = "Successful registration at resource manager";

/// An error in a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Found {
    message: String,
    exception: Option<String>,
    cause: Option<String>,
}

impl Found {
    /// Takes a line that belongs to the error: of its exception, of a cause or of a stack trace.
    fn continued(&mut self, line: &str) {
        if let Some(cause) = line.strip_prefix("Caused by: ") {
            self.cause = Some(shortened(cause));
        } else if !is_frame(line) && !is_chatter(line) {
            // The message of an exception may have several lines.
            match self.cause.as_mut().or(self.exception.as_mut()) {
                Some(text) => *text = shortened(&format!("{text} {}", line.trim())),
                None => self.exception = Some(shortened(line)),
            }
        }
    }

    /// The innermost cause, else the exception, else the message.
    fn text(self) -> String {
        self.cause.or(self.exception).unwrap_or(self.message)
    }
}

/// Takes a log line by line, and keeps its errors.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    fatal: Option<Found>,
    first: Option<Found>,
    last: Option<Found>,
    /// The error whose stack trace is being read.
    open: Option<Found>,
    registered: bool,
}

/// What a log says about the end of its process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFindings {
    /// The error that ended the process, if the process logged one as such.
    pub fatal: Option<String>,
    /// The first error that was logged.
    pub first: Option<String>,
    /// The last error that was logged.
    pub last: Option<String>,
    /// Whether the TaskManager registered with the JobManager.
    pub registered: bool,
}

impl Scan {
    /// Takes the next line.
    pub fn line(&mut self, line: &str) {
        let Some((level, message)) = event(line) else {
            self.open.iter_mut().for_each(|open| open.continued(line));
            return;
        };
        self.close();
        self.registered |= message.contains(REGISTERED);
        if matches!(level, "ERROR" | "FATAL") {
            let message = message.split_once(" - ").map_or(message, |(_, message)| message);
            self.open = Some(Found { message: shortened(message), ..Found::default() });
        }
    }

    fn close(&mut self) {
        let Some(found) = self.open.take() else { return };
        if self.fatal.is_none() && FATAL.iter().any(|words| found.message.contains(words)) {
            self.fatal = Some(found.clone());
        }
        self.first.get_or_insert_with(|| found.clone());
        self.last = Some(found);
    }

    /// Returns what the lines have said, at the end of the log.
    pub fn finish(mut self) -> LogFindings {
        self.close();
        let text = |found: Option<Found>| found.map(Found::text).filter(|text| !text.is_empty());
        LogFindings {
            fatal: text(self.fatal),
            first: text(self.first),
            last: text(self.last),
            registered: self.registered,
        }
    }
}

/// The level of a line that begins a log event, and the text behind the level; `None` for other lines.
fn event(line: &str) -> Option<(&'static str, &str)> {
    if line.starts_with([' ', '\t']) {
        return None;
    }
    let head = &line[..line.char_indices().nth(HEAD).map_or(line.len(), |(at, _)| at)];
    let mut from = 0;
    for word in head.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '$') {
        let after = from + word.len();
        if let Some(level) = LEVELS.iter().find(|level| **level == word) {
            return Some((level, line.get(after..).unwrap_or_default()));
        }
        from = after + line.get(after..)?.chars().next().map_or(0, char::len_utf8);
    }
    None
}

/// Whether a line belongs to a stack trace, below the exception itself, or is empty.
pub fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    text.is_empty()
        || line.starts_with('\t')
        || line.len() > text.len() && (text.starts_with("at ") || text.starts_with("... "))
}

/// Whether a line is a notice of the JVM or of the logging library that does not tell of the JVM's end.
pub fn is_chatter(line: &str) -> bool {
    let begins = [
        "WARNING: ",
        "SLF4J: ",
        "SLF4J(",
        "log4j:",
        "OpenJDK ",
        "Java HotSpot(TM) ",
        "Picked up ",
        "NOTE: Picked up ",
        "Listening for transport",
        "ERROR StatusLogger",
        "WARN StatusLogger",
        "main WARN ",
        "main ERROR ",
    ];
    begins.iter().any(|words| line.starts_with(words))
        || (line.starts_with('[') && line.contains("][warning]"))
        || line
            .get(20..)
            .is_some_and(|rest| rest.starts_with("main WARN ") || rest.starts_with("main ERROR "))
}

/// Whether a line belongs to the list of threads that a JVM prints on SIGQUIT.
fn is_of_a_dump(line: &str) -> bool {
    let begins = [
        "Full thread dump",
        "Threads class SMR info",
        "_java_thread_list",
        "JNI global ref",
        "   java.lang.Thread.State",
    ];
    begins.iter().any(|words| line.starts_with(words))
        || (line.starts_with('"') && (line.contains(" prio=") || line.contains(" os_prio=")))
        || line.starts_with("0x") && line.contains(", 0x")
}

/// The lines that may say why a JVM has ended: all but stack traces, notices and lists of threads.
pub fn telling(lines: &[String]) -> impl DoubleEndedIterator<Item = &String> {
    lines.iter().filter(|line| !is_frame(line) && !is_chatter(line) && !is_of_a_dump(line))
}

/// The error with which Java itself or `main()` has failed, from the lines of stderr or stdout.
pub fn thrown(stderr: &[String]) -> Option<String> {
    const VM: &str = "Error occurred during initialization of VM";
    let begins = |line: &&String| {
        [
            "Exception in thread",
            "Error: ",
            "Error opening ",
            "Error occurred during",
            "Unrecognized ",
            "Conflicting ",
            "heddle: ",
        ]
        .iter()
        .any(|words| line.starts_with(words))
    };
    let at = stderr.iter().position(|line| begins(&line))?;
    let line = stderr.get(at)?;
    if line.starts_with(VM) {
        let next = stderr.get(at + 1).filter(|next| !is_frame(next));
        return Some(shortened(&next.map_or_else(|| line.clone(), |next| format!("{line}: {next}"))));
    }
    if !line.starts_with("Exception in thread") {
        return Some(shortened(line));
    }
    let mut found = Found { exception: Some(line.clone()), ..Found::default() };
    for line in stderr.get(at + 1..).unwrap_or_default() {
        if begins(&line) {
            break;
        }
        found.continued(line);
    }
    Some(shortened(&found.text()))
}

/// The line without blanks at its ends, cut to 300 characters.
pub fn shortened(line: &str) -> String {
    line.trim().chars().take(LONGEST).collect()
}

#[cfg(test)]
#[path = "log_findings_tests.rs"]
mod tests;
