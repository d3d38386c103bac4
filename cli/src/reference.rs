//! Makes the reference pages of the manual, in Markdown, from the definitions that the code itself uses.
//!
//! The pages are committed under `docs/reference/`, so that they can be read without a build of heddle. A
//! test fails if they no longer match the definitions.

use std::ffi::OsString;

use clap::{Arg, Command};
use diagnosis::{exits, rules};
use flink_model::config::{Configuration, FileFormat};
use flink_model::options::{self, OptionInfo};
use taskrunner::exit::CONTAINER_CODES;
use yarn_client::error::Failure;
use yarn_client::exit::{DONE_WHEN, DONE_WHEN_OPTION, MEANINGS, STATUS_CODES};
use yarn_client::variables;
use yarn_client::variables::Group;

use super::dialect;
use super::man::Page;
use super::parse::{OWN_VERBS, Persona, Request, parse};
use crate::sql::plan::check as check_sql;

/// The other name of `yarn-session.sh`.
const OTHER_NAME: &str = "flink-yarn-session";
/// Where the pages are committed, seen from the root of the sources.
const PLACE: &str = "docs/reference";

/// All pages.
pub(super) fn pages(top: &Command) -> Vec<Page> {
    let page = |name: &str, body: String| Page {
        file: format!("{name}.md"),
        text: format!("<!-- Made by `heddle reference --dir {PLACE}`; do not edit. -->\n{body}"),
    };
    vec![
        page("commands", commands(top)),
        page("configuration", configuration()),
        page("exit-codes", exit_codes()),
        page("container-exits", exits::page()),
        page("causes", rules::page()),
    ]
}

/// Whether `words`, a command line with its program, can be parsed, and its `-D` keys are known.
pub(super) fn check(words: &[OsString]) -> Result<(), Failure> {
    let Some((program, args)) = words.split_first() else {
        return Err(
            Failure::usage("a command line is missing").hint("heddle reference --check -- flink list")
        );
    };
    let persona = Persona::of(program);
    if persona.name() != program.to_string_lossy() && program != OTHER_NAME {
        return Err(Failure::usage(format!("{program:?} is no command of heddle")));
    }
    match persona {
        Persona::Sql(_) => check_sql(args)?,
        _ => {
            // The arguments of a user's program are not checked.
            if let Request::Run(invocation) = parse(persona, args)? {
                tracing::debug!(?invocation, "understood");
            }
        }
    }
    match options::check_keys(&properties(args)).first() {
        Some(warning) => Err(Failure::usage(warning.message.clone())),
        None => Ok(()),
    }
}

/// The properties of a command line: all that is written behind `-D` and `-yD`.
fn properties(args: &[OsString]) -> Configuration {
    let mut configuration = Configuration::new(FileFormat::Standard);
    let mut words = args.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let Some(property) = word.strip_prefix("-D").or_else(|| word.strip_prefix("-yD")) else { continue };
        let property = if property.is_empty() { words.next().unwrap_or_default() } else { property };
        let (key, value) = property.split_once('=').unwrap_or((property, ""));
        configuration.set_dynamic(key, value);
    }
    configuration
}

fn commands(top: &Command) -> String {
    let mut text = String::from(
        "# Commands\n\n\
         One program answers to the names `heddle`, `flink`, `yarn-session.sh`, `sql-client.sh` and `sql-gateway.sh`. All commands but the \
         last two are commands of `heddle` too: `flink run` is `heddle run`, `yarn-session.sh` is `heddle session`. \
         `flink-yarn-session`, as it is called on Amazon EMR and by Cloudera, is `yarn-session.sh`. \
         `sql-client.sh` and `sql-gateway.sh` take the options of Flink's own scripts, and of heddle's `-t`, `-yid` and `-D`.\n\n\
         `--help` behind each command prints what is here. `-Dkey=value` sets any key of the [configuration](configuration.md); \
         it wins over the configuration file and over options that set the same key, as `-jm`. \
         What a command ends with is in [exit codes](exit-codes.md).\n",
    );
    let mut seen: Vec<(String, String)> = Vec::new();
    for command in top.get_subcommands().filter(|c| !c.is_hide_set()) {
        let name = called(command.get_name());
        text.push_str(&format!("\n## {name}\n\n{}.\n\n", about(command.get_about())));
        let usage = command.clone().render_usage().to_string();
        let lines: Vec<&str> = usage.trim_start_matches("Usage:").lines().map(str::trim).collect();
        text.push_str(&format!("```text\n{}\n```\n", lines.join("\n")));
        let options = options_of(command);
        match seen.iter().find(|(_, other)| *other == options) {
            Some((other, _)) => {
                text.push_str(&format!("\nThe options are those of [{other}](#{}).\n", anchor(other)));
            }
            None => text.push_str(&options),
        }
        seen.push((name, options));
    }
    text
}

/// The tables of a command's options, a table for each heading of the help.
fn options_of(command: &Command) -> String {
    let mut groups: Vec<(String, Vec<&Arg>)> = Vec::new();
    let named = command.get_arguments().filter(|a| !a.is_positional() && a.get_id() != "help");
    for arg in named {
        let heading = match (arg.is_hide_set(), arg.get_help_heading()) {
            (true, _) => "Accepted as well",
            (_, Some(heading)) => heading,
            _ => "",
        };
        match groups.iter_mut().find(|(known, _)| known == heading) {
            Some((_, args)) => args.push(arg),
            None => groups.push((heading.to_owned(), vec![arg])),
        }
    }
    // The options that the help does not show come last.
    groups.sort_by_key(|(heading, _)| heading == "Accepted as well");
    let mut text = String::new();
    for (heading, args) in groups {
        let heading = if heading.is_empty() { "Option" } else { &heading };
        text.push_str(&format!("\n| {heading} | |\n|---|---|\n"));
        for arg in args {
            text.push_str(&format!("| {} | {} |\n", names(arg), about(arg.get_help())));
        }
    }
    text
}

/// All names of an option, with its value, such as `-nm`, `--name <name>`.
fn names(arg: &Arg) -> String {
    let short = arg.get_short().map(|c| format!("-{c}"));
    let letters = arg.get_all_aliases().unwrap_or_default().into_iter().map(|a| format!("-{a}"));
    let long = arg.get_long().map(|l| format!("--{l}"));
    let mut names: Vec<String> = short.into_iter().chain(letters).chain(long).collect();
    if dialect::is_property(arg) {
        // A property is always written with one dash.
        names.retain(|n| !n.starts_with("--"));
    }
    let value = arg.get_value_names().and_then(|n| n.first()).filter(|_| arg.get_action().takes_values());
    let optional = arg.get_num_args().is_some_and(|n| n.min_values() == 0);
    let mut spans: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    if let Some((value, last)) = value.zip(names.last()) {
        let value = if optional { format!("[={value}]") } else { format!(" <{value}>") };
        spans.pop();
        spans.push(format!("`{last}{}`", value.replace('|', "/")));
    }
    spans.join(", ")
}

/// The command as it is typed.
fn called(verb: &str) -> String {
    match verb {
        "session" => "yarn-session.sh".into(),
        own if OWN_VERBS.contains(&own) => format!("heddle {own}"),
        verb => format!("flink {verb}"),
    }
}

/// The anchor of a heading, which is the same on a git host and on the site of the manual.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}

/// A help text as a cell of a table.
fn about(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    // The short names of several letters are left out, because the first column of the table has them.
    cell(text.split(" [-").next().unwrap_or_default())
}

fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|").replace('<', "&lt;")
}

fn configuration() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         heddle reads Flink's own configuration file (`config.yaml`, or `flink-conf.yaml` up to 1.20) from `FLINK_CONF_DIR`, or from `conf` of `FLINK_HOME`. \
         `-Dkey=value` on the command line wins over the file. These are the keys that heddle itself acts on; \
         every other key goes to JobManager and TaskManagers as it is. A key `yarn.*` or `heddle.*` that is not here has no effect: \
         heddle warns of it and names the nearest key that it knows. It also warns of a key that is probably a misspelling of one of Flink's.\n\n\
         The defaults are those of the newest release of Flink. Where an older release has another default, that one counts with it; [`heddle memory`](commands.md#heddle-memory) shows it.\n",
    );
    let sections: [(&str, &[&str]); 5] = [
        ("heddle's own keys", &["heddle."]),
        ("YARN", &["yarn."]),
        ("JobManager memory", &["jobmanager.memory.", "jobmanager.heap."]),
        (
            "TaskManager memory and size",
            &[
                "taskmanager.memory.",
                "taskmanager.heap.",
                "taskmanager.network.",
                "taskmanager.cpu",
                "taskmanager.numberOf",
                "external-resource",
            ],
        ),
        ("Others", &[""]),
    ];
    let section_of =
        |key: &str| sections.iter().position(|(_, starts)| starts.iter().any(|start| key.starts_with(start)));
    for (at, (title, _)) in sections.iter().enumerate() {
        text.push_str(&format!("\n## {title}\n\n| Key | Value | Default | |\n|---|---|---|---|\n"));
        for option in options::ALL.iter().filter(|option| section_of(option.key) == Some(at)) {
            text.push_str(&row(option));
        }
    }
    text.push_str("\n## Prefixes\n\nA key may begin with one of these prefixes; whatever follows it is yours to choose.\n\n| Prefix | |\n|---|---|\n");
    for (prefix, doc) in options::PREFIXES {
        text.push_str(&format!("| `{prefix}` | {} |\n", cell(doc)));
    }
    text.push_str("\n## Environment variables\n");
    let groups =
        [(Group::Heddle, "heddle and the system"), (Group::Flink, "Flink"), (Group::Hadoop, "Hadoop")];
    for (group, title) in groups {
        text.push_str(&format!("\n| {title} | |\n|---|---|\n"));
        for variable in variables::ALL.iter().filter(|v| v.group() == group) {
            text.push_str(&format!("| `{}` | {} |\n", variable.name(), cell(variable.doc())));
        }
    }
    text.push_str("\nIn containers `heddle-am` and `heddle-taskrunner` log at `info`.\n");
    text
}

fn row(option: &OptionInfo) -> String {
    let default = option.default.filter(|d| !d.is_empty()).map(|d| format!("`{d}`")).unwrap_or_default();
    let expected = ["a ", "an ", "one of "]
        .iter()
        .find_map(|article| option.expected.strip_prefix(article))
        .unwrap_or(option.expected);
    let mut doc = cell(option.doc);
    if !option.deprecated.is_empty() {
        let old: Vec<String> = option.deprecated.iter().map(|key| format!("`{key}`")).collect();
        doc.push_str(&format!(" Older: {}.", old.join(", ")));
    }
    format!("| `{}` | {} | {default} | {doc} |\n", option.key, cell(expected))
}

fn exit_codes() -> String {
    let mut text = String::from("# Exit codes\n\n| Code | |\n|---|---|\n");
    for (exit, meaning) in MEANINGS {
        let code = exit.map_or_else(|| "other".to_owned(), |exit| exit.code().to_string());
        text.push_str(&format!("| {code} | {} |\n", cell(meaning)));
    }
    text.push_str("\n## When a command ends with 0\n\n| Command | |\n|---|---|\n");
    for (verbs, meaning) in DONE_WHEN {
        let names: Vec<String> = verbs.iter().map(|verb| format!("`{}`", called(verb))).collect();
        text.push_str(&format!("| {} | {} |\n", names.join(", "), cell(meaning)));
    }
    text.push_str("| `sql-client.sh`, `sql-gateway.sh` | As Flink's own scripts, which they become. |\n");
    text.push_str("\n| With | |\n|---|---|\n");
    for (option, meaning) in DONE_WHEN_OPTION {
        text.push_str(&format!("| `{option}` | {} |\n", cell(meaning)));
    }
    text.push_str("\n## States\n\nWhat `heddle status` ends with:\n\n| Code | |\n|---|---|\n");
    for (code, meaning) in STATUS_CODES {
        text.push_str(&format!("| {code} | {} |\n", cell(meaning)));
    }
    text.push_str(
        "\n## Containers\n\nWhat YARN shows as the exit status of a container:\n\n| Container | Code | |\n|---|---|---|\n",
    );
    for (container, code, meaning) in CONTAINER_CODES {
        text.push_str(&format!("| {container} | {code} | {} |\n", cell(meaning)));
    }
    text.push_str(
        "\nThe codes of the JVMs and YARN's own statuses are in [how containers end](container-exits.md); \
         [`heddle explain-exit`](commands.md#heddle-explain-exit) prints them.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::parse::definition;

    const RENEW: &str = "cargo run -p cli --bin heddle -- reference --dir docs/reference";

    #[test]
    fn the_committed_pages_are_current() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PLACE);
        for page in pages(&definition()) {
            let committed = std::fs::read_to_string(dir.join(&page.file)).unwrap_or_default();
            assert!(committed == page.text, "{PLACE}/{} is not current; renew it: {RENEW}", page.file);
        }
    }

    #[test]
    fn every_command_has_its_exit_codes() {
        let told: Vec<&str> = DONE_WHEN.iter().flat_map(|(verbs, _)| verbs.iter().copied()).collect();
        for command in definition().get_subcommands().filter(|c| !c.is_hide_set()) {
            let name = command.get_name();
            assert_eq!(told.iter().filter(|verb| **verb == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn lines_are_checked() {
        let of = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            check(&words).err().map(|failure| failure.to_string())
        };
        for good in [
            "flink run -t yarn-per-job -c Main job.jar --any thing",
            "yarn-session.sh -nm x -Dyarn.application.queue=q -d",
            "flink-yarn-session -nm x -d",
            "heddle adopt /opt/flink-heddle --flink-home /opt/flink",
            "heddle gc --delete",
            "sql-client.sh -t yarn-session -f x.sql",
        ] {
            assert_eq!(of(good), None, "{good}");
        }
        for (bad, why) in [
            ("flink run --nonsense job.jar", "Unrecognized option"),
            ("flink list -Dyarn.aplication.id=x", "did you mean yarn.application.id?"),
            ("heddle nothing", "is not a valid action"),
            ("spark-submit x", "is no command of heddle"),
            ("sql-client.sh -t", "Missing argument"),
        ] {
            let said = of(bad).unwrap_or_default();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }
}
