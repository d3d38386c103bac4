//! The ResourceManager's diagnostics texts, made readable. Pure.

/// What the ResourceManager says about a waiting application, on one line; empty if it says nothing.
pub fn waiting_reason(diagnostics: &str) -> String {
    let words: Vec<&str> = diagnostics.lines().map(without_time).flat_map(str::split_whitespace).collect();
    let text = words.join(" ");
    // The figures explain a limit that is reached; behind "waiting for resources" they are the queue's whole state.
    let text = match text.split_once("Details :") {
        Some((reason, _)) if !reason.contains("exceed") && !reason.contains("limit") => reason,
        _ => &text,
    };
    text.trim_end_matches([';', ' ', '.']).to_owned()
}

/// The lines of a failed application's diagnostics that tell a person something: no time stamps, no Java stack frames,
/// no boilerplate, no line twice.
pub fn failure_extract(diagnostics: &str) -> Vec<String> {
    const NOISE: [&str; 8] = [
        "Failing this attempt",
        "For more detailed output",
        "Then click on links",
        "Container id:",
        "Exception from container-launch",
        "Last 4096 bytes of prelaunch.err",
        "Failing the application",
        "Stack trace:",
    ];
    let mut lines: Vec<String> = Vec::new();
    // YARN glues sentences together: "Failing this attempt.Diagnostics: [time]text".
    let text = diagnostics
        .replace("Failing this attempt.Diagnostics:", "\n")
        .replace("Failing the application.", "\n");
    for line in text.lines().map(without_time) {
        let line = line.trim();
        let frame = line.starts_with("at ") && line.contains('(') || line.starts_with("... ");
        let noise = NOISE.iter().any(|n| line.starts_with(n));
        let empty_tail = line.starts_with("Last ") && line.ends_with(" bytes of stderr :");
        if line.is_empty() || frame || noise || empty_tail || line == "." {
            continue;
        }
        let line: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Without the time in brackets that YARN puts before its sentences.
fn without_time(line: &str) -> &str {
    let rest = line.trim_start();
    let stamp = rest.strip_prefix('[').and_then(|r| r.split_once(']'));
    match stamp {
        Some((time, rest)) if time.contains(':') && time.bytes().filter(u8::is_ascii_digit).count() >= 8 => {
            rest.trim_start()
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting() {
        let text = "[Fri Nov 20 23:16:56 +0000 2026] Application is added to the scheduler and is not yet activated. \
            Queue's AM resource limit exceeded.  Details : AM Partition = <DEFAULT_PARTITION>; \
            AM Resource Request = <memory:1024, vCores:1>; Queue AM Resource Usage = <memory:1024, vCores:1>; ";
        assert_eq!(
            waiting_reason(text),
            "Application is added to the scheduler and is not yet activated. Queue's AM resource limit exceeded. Details : \
             AM Partition = <DEFAULT_PARTITION>; AM Resource Request = <memory:1024, vCores:1>; \
             Queue AM Resource Usage = <memory:1024, vCores:1>"
        );
        let text = "Application is Activated, waiting for resources to be assigned for AM.  Details : AM Partition = <X> ; Y = 1";
        assert_eq!(
            waiting_reason(text),
            "Application is Activated, waiting for resources to be assigned for AM"
        );
        assert_eq!(waiting_reason(" \n"), "");
        assert_eq!(waiting_reason("[red] alert"), "[red] alert");
    }

    #[test]
    fn failed() {
        let text = "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to AM Container for \
            appattempt_1_0001_000001 exited with  exitCode: 7\nFailing this attempt.Diagnostics: [2026-11-20 23:16:56.123]Exception from \
            container-launch.\nContainer id: container_1_0001_01_000001\nExit code: 7\n\n[2026-11-20 23:16:56.124]Container exited with \
            a non-zero exit code 7. Error file: prelaunch.err.\nLast 4096 bytes of prelaunch.err :\nLast 4096 bytes of stderr :\nboom\n\
            java.lang.X: y\n\tat a.b.C.d(C.java:1)\n\t... 3 more\n\n\nFor more detailed output, check the application tracking page: \
            http://h:8088/x Then click on links to logs of each attempt.\n. Failing the application.";
        assert_eq!(
            failure_extract(text),
            [
                "Application application_1_0001 failed 1 times (global limit =2; local limit is =1) due to AM Container for \
                 appattempt_1_0001_000001 exited with exitCode: 7",
                "Exit code: 7",
                "Container exited with a non-zero exit code 7. Error file: prelaunch.err.",
                "boom",
                "java.lang.X: y"
            ]
        );
        assert!(failure_extract("").is_empty());
    }
}
