//! Makes the page of the manual that shows the whole table.

use super::row::{Row, Scale};
use super::table::ROWS;

/// The page in Markdown, without the remark on how it was made.
pub fn page() -> String {
    let mut text = String::from(
        "# How containers end\n\n\
         YARN shows a number for each container that has ended: a status of its own, which is negative, or the exit code of the process. \
         [`heddle explain-exit`](commands.md#heddle-explain-exit) looks a number up in the tables of this page, and diagnostics and `heddle-am.log` use their words. \
         What heddle's own commands end with is in [exit codes](exit-codes.md).\n",
    );
    for scale in Scale::ALL {
        let (title, before) = about(scale);
        text.push_str(&format!("\n## {title}\n\n{before}\n\n"));
        let rows = ROWS.iter().filter(|row| row.scale == scale);
        if scale == Scale::Executor {
            text.push_str("| Code | Name | |\n|---|---|---|\n");
            rows.for_each(|row| text.push_str(&short(row)));
        } else {
            text.push_str("| Code | Meaning | Whose doing | Again? | What to do |\n|---|---|---|---|---|\n");
            rows.for_each(|row| text.push_str(&long(row)));
        }
    }
    text
}

/// The title of a scale's table, and what stands before the table.
fn about(scale: Scale) -> (&'static str, &'static str) {
    match scale {
        Scale::Yarn => (
            "YARN's statuses",
            "YARN gives these to containers that it has ended itself or could not start (`ContainerExitStatus`).",
        ),
        Scale::Process => (
            "Codes of processes",
            "What Java, Flink's JVMs and heddle's programs exit with. A process that a signal has ended is shown as 128 and the number of the signal. Of a code above 255 or below 0 the system keeps the lowest eight bits.",
        ),
        Scale::Signal => ("Signals", "The signals that end a process."),
        Scale::Executor => (
            "Codes of container-executor",
            "Where the LinuxContainerExecutor is used, YARN shows these if it could not start a container. They are small numbers, so a process in the container can have exited with the same; YARN's diagnostics then begin with `Exception from container-launch`. An administrator checks `container-executor.cfg`, the owner and mode of `container-executor`, and the local directories of the node; another node may start the container.",
        ),
    }
}

fn long(row: &Row) -> String {
    let name = if row.name.is_empty() { String::new() } else { format!(" `{}`", row.name) };
    format!(
        "| {}{name} | {} | {} | {} | {} |\n",
        row.number,
        cell(row.meaning),
        row.fault.text(),
        row.retry.text(),
        cell(row.remedy)
    )
}

fn short(row: &Row) -> String {
    format!("| {} | `{}` | {} |\n", row.number, row.name, cell(row.words))
}

/// The text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
