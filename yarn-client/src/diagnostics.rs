//! Extracts from the ResourceManager's diagnostics texts what a user needs to read. This module does no I/O.

/// Returns on one line what the ResourceManager says about a waiting application; empty if it says nothing.
pub fn waiting_reason(diagnostics: &str) -> String {
    let words: Vec<&str> = diagnostics.lines().map(without_time).flat_map(str::split_whitespace).collect();
    let text = words.join(" ");
    // The numbers in the details explain a limit that has been reached. Behind "waiting for resources" they
    // are the state of the whole queue, which is left out.
    let text = match text.split_once("Details :") {
        Some((reason, _)) if !reason.contains("exceed") && !reason.contains("limit") => reason,
        _ => &text,
    };
    text.trim_end_matches([';', ' ', '.']).to_owned()
}

/// The scheduler's sentence about the node that it has looked at last. While all nodes are full, the sentence
/// changes its node and its numbers several times a second.
const LAST_NODE: &str = "Last Node which was processed for the application :";

/// Returns a reason without the parts that change all the time: without the node that was looked at last, and
/// with `#` for each number. Two texts for which the result is equal have the same reason.
pub fn kind_of_reason(reason: &str) -> String {
    let mut kind = String::with_capacity(reason.len());
    let mut in_number = false;
    for c in without_last_node(reason).chars() {
        // A number with a decimal point counts as one number.
        let number = c.is_ascii_digit() || in_number && c == '.';
        if !number {
            kind.push(c);
        } else if !in_number {
            kind.push('#');
        }
        in_number = number;
    }
    kind
}

/// Returns a reason without the node that was looked at last.
pub fn without_last_node(reason: &str) -> String {
    let Some((before, rest)) = reason.split_once(LAST_NODE) else { return reason.to_owned() };
    // The sentence ends with numbers in parentheses, and these hold no further parentheses.
    let after = rest.split_once(" )").map_or("", |(_, after)| after).trim_start_matches(['.', ' ', ';']);
    let before = before.trim_end_matches([' ', ';', '.']);
    if after.is_empty() { before.to_owned() } else { format!("{before}. {after}") }
}

/// Returns the part of a known reason that changes: the node that was looked at last, or the whole text if it
/// names no node.
pub fn moving_part(reason: &str) -> String {
    match reason.split_once(LAST_NODE) {
        Some((_, node)) => format!("last node looked at:{node}"),
        None => reason.to_owned(),
    }
}

/// Selects the lines of a failed application's diagnostics that tell a person something: without time stamps,
/// Java stack frames, fixed phrases and repeated lines.
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
    // YARN joins sentences without a line break: "Failing this attempt.Diagnostics: [time]text".
    let text = diagnostics
        .replace("Failing this attempt.Diagnostics:", "\n")
        .replace("Failing the application.", "\n");
    for line in text.lines().map(without_time) {
        let line = line.trim();
        let frame = line.starts_with("at ") && line.contains('(') || line.starts_with("... ");
        let noise = NOISE.iter().any(|n| line.starts_with(n));
        // For a container that was killed for its memory, YARN lists the command lines of all its processes.
        let process = line.starts_with("|-") || line.starts_with("Dump of the process-tree");
        let empty_tail = line.starts_with("Last ") && line.ends_with(" bytes of stderr :");
        if line.is_empty() || frame || noise || process || empty_tail || line == "." {
            continue;
        }
        let line: String = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// Whether the diagnostics tell that a NameNode has refused a delegation token, because it has ended or was
/// cancelled. What the ResourceManager refuses, such as the token of an earlier attempt, is another matter.
pub fn tells_of_an_ended_token(diagnostics: &str) -> bool {
    const REFUSALS: [&str; 3] = ["is expired", "has expired", "can't be found in cache"];
    let refused = |line: &str| REFUSALS.iter().any(|refusal| line.contains(refusal));
    diagnostics.lines().any(|line| line.contains(hadoop_fs::HDFS_TOKEN) && refused(line))
}

/// Removes the time in square brackets that YARN puts before its sentences.
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

    /// The text of Hadoop 3.3.6 while the nodes are full.
    const FULL: &str = "[Sat Nov 28 14:48:45 +0000 2026] Application is Activated, waiting for resources to be assigned for AM.  Last Node \
        which was processed for the application : localhost:27770 ( Partition : [], Total resource : <memory:8192, vCores:16>, Available \
        resource : <memory:7168, vCores:7> ). Details : AM Partition = <DEFAULT_PARTITION> ; Partition Resource = <memory:16384, \
        vCores:32> ; Queue's Absolute capacity = 60.000004 % ; Queue's Absolute used capacity = 81.25 % ; ";

    #[test]
    fn what_moves_makes_no_new_reason() {
        let first = waiting_reason(FULL);
        let other =
            FULL.replace("27770", "17").replace("7168, vCores:7", "128, vCores:1").replace(":45", ":46");
        let second = waiting_reason(&other);
        assert_ne!(first, second);
        assert_eq!(kind_of_reason(&first), kind_of_reason(&second));
        let line = "Application is Activated, waiting for resources to be assigned for AM";
        assert_eq!(without_last_node(&first), line);
        assert_eq!(kind_of_reason(&first), line);
        assert_eq!(
            moving_part(&first),
            "last node looked at: localhost:27770 ( Partition : [], Total resource : <memory:8192, vCores:16>, Available resource : \
             <memory:7168, vCores:7> )"
        );
        assert_eq!(moving_part(line), line);
        // A limit with other numbers is the same reason; another limit is another reason.
        let limit = |who, used| {
            format!(
                "Application is added to the scheduler and is not yet activated. {who}'s AM resource limit exceeded. Details : Usage = {used} %"
            )
        };
        assert_eq!(kind_of_reason(&limit("Queue", "10.5")), kind_of_reason(&limit("Queue", "9")));
        assert_ne!(kind_of_reason(&limit("Queue", "9")), kind_of_reason(&limit("User", "9")));
        assert_eq!(without_last_node("Last Node which was processed for the application : x"), "");
    }

    #[test]
    fn a_memory_kill_comes_without_the_list_of_processes() {
        let text = "Application application_1_0001 failed 1 times due to AM Container for appattempt_1_0001_000001 exited with  exitCode: -104\n\
            Failing this attempt.Diagnostics: [2026-11-28 14:25:10.123]Container [pid=1,containerID=container_1_0001_01_000001] is running \
            313016320B beyond the 'PHYSICAL' memory limit. Current usage: 1.3 GB of 1 GB physical memory used; 4.0 GB of 2.1 GB virtual \
            memory used. Killing container.\nDump of the process-tree for container_1_0001_01_000001 :\n\t|- PID PPID\n\t|- 1 0 1 1 (java) \
            1 2 3 4 java -Dpassword=x\n";
        let lines = failure_extract(text);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].contains("1.3 GB of 1 GB physical memory used"), "{lines:?}");
    }

    #[test]
    fn a_token_that_has_ended() {
        let token = "token (token for ann: HDFS_DELEGATION_TOKEN owner=ann@R, sequenceNumber=4)";
        let refusals = [
            format!("{token} is expired, current time: 2026-11-27 10:00:00,000+0000"),
            format!("[2026-11-27 10:00:00.000]SecretManager$InvalidToken): {token} can't be found in cache"),
        ];
        for refusal in refusals {
            let text = format!("Application x failed\nFailing this attempt.Diagnostics: {refusal}\n\tat x");
            assert!(tells_of_an_ended_token(&text), "{text}");
        }
        for other in [
            "",
            "SecretManager$InvalidToken): appattempt_1_0001_000001 not found in AMRMTokenSecretManager.",
            "the lease is expired",
            token,
        ] {
            assert!(!tells_of_an_ended_token(other), "{other}");
        }
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
