//! What a JVM's own words say about its end: pure, line by line, whatever the size of a log.

/// Most characters of a line that is passed on.
const LONGEST: usize = 300;
/// A level stands within so many characters of a log line.
const HEAD: usize = 80;
const LEVELS: [&str; 7] = ["TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL"];
/// What Flink's processes log when they end because of an error.
const FATAL: [&str; 7] = [
    "Fatal error",
    "FATAL: ",
    "Terminating TaskManagerRunner",
    "Could not start cluster entrypoint",
    "Shutting it down",
    "Failed to start the TaskManagerRunner",
    "FATAL ERROR",
];
/// What a TaskManager logs when the JobManager knows it.
const REGISTERED: &str = "Successful registration at resource manager";

/// An error in a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Found {
    message: String,
    exception: Option<String>,
    cause: Option<String>,
}

impl Found {
    /// A line that begins no event.
    fn continued(&mut self, line: &str) {
        if let Some(cause) = line.strip_prefix("Caused by: ") {
            self.cause = Some(shortened(cause));
        } else if !is_frame(line) && !is_chatter(line) {
            // A message may have several lines.
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

/// Goes through a log.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    fatal: Option<Found>,
    first: Option<Found>,
    last: Option<Found>,
    /// The error whose stack trace is being read.
    open: Option<Found>,
    registered: bool,
}

/// What a log says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFindings {
    /// Why the process ended, by its own words.
    pub fatal: Option<String>,
    /// The first error that was logged.
    pub first: Option<String>,
    /// The last one.
    pub last: Option<String>,
    /// The TaskManager was known to its JobManager.
    pub registered: bool,
}

impl Scan {
    /// The next line.
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

    /// The log has ended.
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

/// The level of a line that begins an event, and what follows it.
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

/// A line of a stack trace below the exception itself, or an empty one.
pub fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    text.is_empty()
        || line.starts_with('\t')
        || line.len() > text.len() && (text.starts_with("at ") || text.starts_with("... "))
}

/// What the JVM and the logging library say whatever happens.
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

/// A line of the list of threads that a JVM prints on SIGQUIT.
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

/// The lines that say something.
pub fn telling(lines: &[String]) -> impl DoubleEndedIterator<Item = &String> {
    lines.iter().filter(|line| !is_frame(line) && !is_chatter(line) && !is_of_a_dump(line))
}

/// Why Java itself, or `main()`, failed, by what is on stderr.
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

/// The beginning of a line, for people.
pub fn shortened(line: &str) -> String {
    line.trim().chars().take(LONGEST).collect()
}

#[cfg(test)]
#[path = "log_findings_tests.rs"]
mod tests;
