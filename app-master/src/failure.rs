//! What a Java stack trace says to people: its exceptions, one line each, without frames.

use diagnosis::cut;

/// Most bytes of a text for YARN's diagnostics.
pub const MAX: usize = 4096;
/// Most bytes of one exception's line.
const MAX_LINE: usize = 1000;
/// Exceptions that only carry others, with the words that their message begins with.
const CARRIERS: &[(&str, &str)] = &[
    ("java.util.concurrent.CompletionException", ""),
    ("java.util.concurrent.ExecutionException", ""),
    ("java.lang.reflect.InvocationTargetException", ""),
    (
        "org.apache.flink.client.deployment.application.ApplicationExecutionException",
        "Could not execute application",
    ),
    ("org.apache.flink.client.program.ProgramInvocationException", "The main method caused an error"),
    // Of Flink 1.13, around all that `main()` throws.
    ("org.apache.flink.util.FlinkException", "Application failed unexpectedly"),
];
/// How Flink names an exception whose class is known only where it was thrown.
const SERIALIZED: &str = "org.apache.flink.util.SerializedThrowable: ";
const CAUSED_BY: &str = "Caused by: ";

/// The exceptions of a stack trace from the outermost to the root cause, one line each, at most [`MAX`]
/// bytes: what does not fit is left out of the middle.
pub fn causes(trace: &str) -> String {
    let mut exceptions: Vec<&str> = Vec::new();
    for line in trace.lines().filter(|line| !is_frame(line)) {
        match line.strip_prefix(CAUSED_BY) {
            Some(exception) => exceptions.push(exception),
            None if exceptions.is_empty() => exceptions.push(line),
            // A message's further lines.
            None => {}
        }
    }
    let last = exceptions.len().saturating_sub(1);
    let mut lines: Vec<String> = Vec::new();
    for (at, exception) in exceptions.into_iter().enumerate() {
        let exception = exception.strip_prefix(SERIALIZED).unwrap_or(exception).trim_end();
        if at == last || !carries(exception) {
            let lead = if lines.is_empty() { "" } else { CAUSED_BY };
            lines.push(format!("{lead}{}", cut(exception, MAX_LINE)));
        }
    }
    fit(lines)
}

/// Whether a log line is a frame of a stack trace, or belongs to a suppressed exception.
pub fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    line.starts_with('\t')
        || line.starts_with(' ') && (text.starts_with("at ") || text.starts_with("... "))
        || text.is_empty()
}

fn carries(exception: &str) -> bool {
    let (class, message) = exception.split_once(": ").unwrap_or((exception, ""));
    CARRIERS.iter().any(|(carrier, words)| class == *carrier && message.starts_with(words))
}

/// The first line, then as many of the last ones as fit into [`MAX`] bytes.
fn fit(mut lines: Vec<String>) -> String {
    let length = |lines: &[String]| lines.iter().map(|line| line.len() + 1).sum::<usize>();
    if length(&lines) > MAX {
        while lines.len() > 2 && length(&lines) > MAX - 4 {
            lines.remove(1);
        }
        lines.insert(1, "…".to_owned());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAIN: &str = "java.util.concurrent.CompletionException: org.apache.flink.client.deployment.application.ApplicationExecutionException: Could not execute application.
\tat java.base/java.util.concurrent.CompletableFuture.encodeThrowable(Unknown Source)
Caused by: org.apache.flink.client.deployment.application.ApplicationExecutionException: Could not execute application.
\t... 14 more
Caused by: org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: boom
\tat org.apache.flink.client.program.PackagedProgram.callMainMethod(PackagedProgram.java:372)
\tSuppressed: java.io.IOException: not this one
\t\tat x.Y.z(Y.java:1)
Caused by: java.lang.IllegalStateException: boom
second line of the message
\tat ThrowInMain.main(ThrowInMain.java:5)
Caused by: org.apache.flink.util.SerializedThrowable: java.io.IOException: disk
\t... 12 more
";

    #[test]
    fn only_what_says_something_is_left() {
        assert_eq!(
            causes(MAIN),
            "java.lang.IllegalStateException: boom\nCaused by: java.io.IOException: disk"
        );
        assert_eq!(
            causes("java.util.concurrent.CompletionException: x\n\tat y"),
            "java.util.concurrent.CompletionException: x"
        );
        let none = "org.apache.flink.client.deployment.application.ApplicationExecutionException: The application contains no execute() calls.";
        assert_eq!(causes(none), none);
        assert_eq!(causes(""), "");
    }

    #[test]
    fn a_long_chain_keeps_its_ends() {
        let trace: String = (0..100).map(|n| format!("Caused by: a.B: {n} {}\n", "x".repeat(100))).collect();
        let text = causes(&trace);
        assert!(text.starts_with("a.B: 0 ") && text.len() <= MAX, "{}", text.len());
        assert!(text.contains("\n…\n") && text.contains("a.B: 99 ") && !text.contains("a.B: 1 "));
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit(trace in "(Caused by: )?[a-zä: \n\t]{0,3000}") {
            prop_assert!(causes(&trace).len() <= MAX);
        }
    }
}
