//! Chooses the options with which a JVM leaves records of itself: an error file, a log of the collections of
//! garbage, and what the JDK's Flight Recorder has recorded. The user's own options win: where they say
//! something about one of these, nothing is added. Pure.

use std::path::Path;

use crate::control::JvmRecords;

/// How large the log of the collections of garbage becomes: so many files of so many MiB.
const GC_FILES: u32 = 4;
const GC_FILE_MB: u32 = 8;
/// How much the Flight Recorder keeps.
const JFR_SIZE_MB: u32 = 64;
const JFR_AGE: &str = "15m";
/// The first Java whose options for logs begin with `-Xlog`.
const UNIFIED_LOGS_SINCE: u16 = 9;
/// The first Java that has the Flight Recorder without a licence. Java 8 has it from some update on, which
/// the version does not tell.
const JFR_SINCE: u16 = 11;

/// The directory, in that of the logs, in which the Flight Recorder keeps its files. YARN collects only the
/// files of the directory above, where [`crate::flight_recorder`] puts links to them.
pub const JFR_DIRECTORY: &str = ".heddle-jfr";
/// What the names of these links end with.
pub const JFR_END: &str = ".jfr";

/// What is known of the node and of the JVM.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The feature release of Java, if it is known.
    pub java: Option<u16>,
    /// The directory of the logs.
    pub log_dir: &'a Path,
    /// What the names of the JVM's logs begin with, such as `taskmanager`.
    pub name: &'a str,
}

/// The options to add in front of those that the user has set. `user` are the options of the JVM and the
/// words of the variables from which Java reads options.
pub fn options<'a>(
    records: &JvmRecords,
    around: &Surroundings<'_>,
    user: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let user: Vec<&str> = user.into_iter().collect();
    let has = |beginnings: &[&str]| {
        user.iter().any(|option| beginnings.iter().any(|beginning| option.starts_with(beginning)))
    };
    // HotSpot gives `%` a meaning in the names of files, and `:` and `,` one in the options for logs.
    let directory = around.log_dir.to_str().filter(|path| !path.contains(['%', '"', '\n']));
    let Some(directory) = directory else { return Vec::new() };
    let name = around.name;
    let mut options = Vec::new();
    if records.logs && !has(&["-XX:ErrorFile="]) {
        options.push(format!("-XX:ErrorFile={directory}/hs_err_{name}_%p.log"));
    }
    let own_log = has(&["-Xlog:gc", "-Xloggc", "-verbose:gc", "-XX:+PrintGC"]);
    if records.logs && !own_log && !directory.contains([':', ',']) {
        options.extend(gc_log(around.java, &format!("{directory}/{name}-gc.log")));
    }
    let own_recording = has(&["-XX:StartFlightRecording", "-XX:FlightRecorderOptions"]);
    // Of its options, the recorder divides the text at commas, and it takes quotes away.
    let is_plain = !directory.contains([',', '\'']);
    let has_recorder = around.java.is_some_and(|java| java >= JFR_SINCE) && is_plain;
    if records.flight_recorder && has_recorder && !own_recording {
        options.push(format!("-XX:FlightRecorderOptions=repository={directory}/{JFR_DIRECTORY}"));
        options.push(format!(
            "-XX:StartFlightRecording=disk=true,maxsize={JFR_SIZE_MB}m,maxage={JFR_AGE},dumponexit=false"
        ));
    }
    options
}

/// Whether a dump of the heap is wanted, and the user's own options leave it to heddle.
pub fn wants_dump<'a>(records: &JvmRecords, user: impl IntoIterator<Item = &'a str>) -> bool {
    records.heap_dump && !user.into_iter().any(|option| option.contains("HeapDump"))
}

/// Without the version of Java nothing is chosen: Java 8 does not start with the options of later releases,
/// and they do not start with all of its options.
fn gc_log(java: Option<u16>, file: &str) -> Vec<String> {
    match java {
        Some(java) if java >= UNIFIED_LOGS_SINCE => vec![format!(
            "-Xlog:gc*:file={file}:time,uptime,level,tags:filecount={},filesize={GC_FILE_MB}m",
            // The file that is being written is not counted.
            GC_FILES - 1
        )],
        Some(8) => vec![
            format!("-Xloggc:{file}"),
            "-XX:+PrintGCDetails".to_owned(),
            "-XX:+PrintGCDateStamps".to_owned(),
            "-XX:+UseGCLogFileRotation".to_owned(),
            format!("-XX:NumberOfGCLogFiles={GC_FILES}"),
            format!("-XX:GCLogFileSize={GC_FILE_MB}M"),
        ],
        _ => Vec::new(),
    }
}

/// The largest heap in bytes that these options allow; `None` if they do not say it. The last one counts.
pub fn largest_heap<'a>(options: impl IntoIterator<Item = &'a str>) -> Option<u64> {
    let sizes = options.into_iter().filter_map(|option| {
        let size = option.strip_prefix("-Xmx").or_else(|| option.strip_prefix("-XX:MaxHeapSize="))?;
        let digits = size.find(|c: char| !c.is_ascii_digit()).unwrap_or(size.len());
        let number: u64 = size.get(..digits)?.parse().ok()?;
        let shift = match size.get(digits..)? {
            "" => 0,
            "k" | "K" => 10,
            "m" | "M" => 20,
            "g" | "G" => 30,
            "t" | "T" => 40,
            _ => return None,
        };
        number.checked_mul(1 << shift)
    });
    sizes.last()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: JvmRecords =
        JvmRecords { logs: true, flight_recorder: true, heap_dump: true, heap_dump_directory: String::new() };

    fn chosen(records: &JvmRecords, java: Option<u16>, user: &[&str]) -> Vec<String> {
        let around = Surroundings { java, log_dir: Path::new("/logs/c1"), name: "taskmanager" };
        options(records, &around, user.iter().copied())
    }

    #[test]
    fn each_java_has_its_own_options() {
        let logs = JvmRecords { logs: true, ..JvmRecords::default() };
        let error = "-XX:ErrorFile=/logs/c1/hs_err_taskmanager_%p.log";
        assert_eq!(
            chosen(&logs, Some(17), &["-Xmx1g"]),
            [
                error,
                "-Xlog:gc*:file=/logs/c1/taskmanager-gc.log:time,uptime,level,tags:filecount=3,filesize=8m"
            ]
        );
        let old = chosen(&logs, Some(8), &[]);
        assert_eq!((old.len(), old[1].as_str()), (7, "-Xloggc:/logs/c1/taskmanager-gc.log"));
        assert!(old.iter().all(|option| !option.starts_with("-Xlog:")));
        assert_eq!(chosen(&logs, None, &[]), [error]);
        assert!(chosen(&JvmRecords::default(), Some(17), &[]).is_empty());
    }

    #[test]
    fn the_users_options_win() {
        let of = |user: &[&str]| chosen(&ALL, Some(17), user).join(" ");
        assert!(!of(&["-XX:ErrorFile=/mine"]).contains("ErrorFile"));
        for own in ["-Xlog:gc:file=mine", "-Xlog:gc*", "-Xloggc:mine", "-verbose:gc", "-XX:+PrintGCDetails"] {
            assert!(!of(&[own]).contains("-gc.log"), "{own}");
        }
        assert!(of(&["-Xlog:class+load"]).contains("-gc.log"));
        assert!(of(&[]).contains("repository=/logs/c1/.heddle-jfr"));
        assert!(!of(&["-XX:StartFlightRecording=name=mine"]).contains("FlightRec"));
        assert!(!chosen(&ALL, Some(8), &[]).join(" ").contains("Flight"));
        assert!(wants_dump(&ALL, ["-Xmx1g"]) && !wants_dump(&ALL, ["-XX:-HeapDumpOnOutOfMemoryError"]));
        assert!(!wants_dump(&JvmRecords::default(), []));
    }

    #[test]
    fn the_last_size_of_the_heap_counts() {
        assert_eq!(largest_heap(["-Xmx512m", "-Xms1g", "-Xmx2G"]), Some(2 << 30));
        assert_eq!(largest_heap(["-Xmx1073741824"]), Some(1 << 30));
        assert_eq!(largest_heap(["-Xmx", "-Xmx1x", "-Xss1m"]), None);
    }
}
