//! Makes the manual pages from clap's definition of the options, so that they say what the commands accept.

use clap::Command;
use clap_mangen::Man;
use yarn_client::error::Failure;
use yarn_client::exit::{MEANINGS, STATUS_CODES};
use yarn_client::variables;
use yarn_client::variables::Variable;

use super::parse::OWN_VERBS;

/// A manual page, or a page of the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// The name of its file, such as `flink-run.1`.
    pub(super) file: String,
    /// Its content.
    pub(super) text: String,
}

/// The page of the command whose exit codes are a part of its answer.
const STATUS_PAGE: &str = "heddle-status";

/// The environment variables that most people need.
const ENVIRONMENT: [Variable; 7] = [
    variables::FLINK_HOME,
    variables::FLINK_CONF_DIR,
    variables::HADOOP_CONF_DIR,
    variables::YARN_CONF_DIR,
    variables::HADOOP_USER_NAME,
    variables::JAVA_HOME,
    variables::HEDDLE_LOG,
];

/// All pages, that of `heddle` first.
pub(super) fn pages(top: Command) -> Result<Vec<Page>, Failure> {
    let names: Vec<(String, String)> = top
        .get_subcommands()
        .filter(|c| !c.is_hide_set())
        .map(|c| (c.get_name().to_owned(), page_name(c.get_name())))
        .collect();
    let all: Vec<String> = names.iter().map(|(_, page)| page.clone()).collect();
    let mut pages = vec![
        overview(&top, "heddle", "heddle <command> [options]", |_| true)?,
        overview(&top, "flink", "flink <action> [options] [arguments]", |verb| !OWN_VERBS.contains(&verb))?,
    ];
    for command in top.get_subcommands().filter(|c| !c.is_hide_set()) {
        pages.push(of_verb(command.clone(), &all)?);
    }
    Ok(pages)
}

/// The name of a verb's page, which is that of the command that people type.
fn page_name(verb: &str) -> String {
    match verb {
        "session" => "yarn-session.sh".into(),
        own if OWN_VERBS.contains(&own) => format!("heddle-{own}"),
        verb => format!("flink-{verb}"),
    }
}

fn overview(top: &Command, name: &str, usage: &str, shown: impl Fn(&str) -> bool) -> Result<Page, Failure> {
    let command = Command::new(name.to_owned()).about("runs Apache Flink on Hadoop YARN");
    let mut text = begin(&command, name)?;
    text.push_str(&synopsis(usage));
    text.push_str(".SH COMMANDS\n");
    let mut see = Vec::new();
    for verb in top.get_subcommands().filter(|c| !c.is_hide_set() && shown(c.get_name())) {
        let page = page_name(verb.get_name());
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!(
            ".TP\n\\fB{}\\fR\n{}. See \\fB{}\\fR(1).\n",
            escape(verb.get_name()),
            escape(&about),
            escape(&page)
        ));
        see.push(page);
    }
    end(&mut text, &see, &[]);
    Ok(Page { file: format!("{name}.1"), text })
}

fn of_verb(command: Command, all: &[String]) -> Result<Page, Failure> {
    let name = page_name(command.get_name());
    let usage = command.clone().render_usage().to_string();
    let command = command.name(name.clone()).display_name(name.clone());
    let mut text = begin(&command, &name)?;
    text.push_str(&synopsis(usage.trim_start_matches("Usage:")));
    let mut options = Vec::new();
    man(&command, &name).render_options_section(&mut options).map_err(unwritten)?;
    text.push_str(&String::from_utf8_lossy(&options));
    let see: Vec<String> = all.iter().filter(|page| **page != name).cloned().collect();
    end(&mut text, &see, if name == STATUS_PAGE { STATUS_CODES } else { &[] });
    Ok(Page { file: format!("{name}.1"), text })
}

fn man(command: &Command, name: &str) -> Man {
    Man::new(command.clone())
        .title(name)
        .section("1")
        .source(concat!("heddle ", env!("CARGO_PKG_VERSION")))
        .manual("Flink on YARN")
}

fn begin(command: &Command, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let man = man(command, name);
    man.render_title(&mut bytes).map_err(unwritten)?;
    man.render_name_section(&mut bytes).map_err(unwritten)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn synopsis(usage: &str) -> String {
    let lines: Vec<String> = usage.lines().map(str::trim).filter(|l| !l.is_empty()).map(escape).collect();
    format!(".SH SYNOPSIS\n.nf\n{}\n.fi\n", lines.join("\n"))
}

/// The end of a page. `codes` are exit codes of this command alone.
fn end(text: &mut String, see: &[String], codes: &[(u8, &str)]) {
    text.push_str(".SH ENVIRONMENT\n");
    for variable in ENVIRONMENT {
        let about = variable.doc().replace('`', "");
        text.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", escape(variable.name()), escape(&about)));
    }
    text.push_str(".SH \"EXIT STATUS\"\n");
    for (exit, meaning) in MEANINGS {
        let code = exit.map_or_else(|| "other".to_owned(), |exit| exit.code().to_string());
        text.push_str(&format!(".TP\n\\fB{code}\\fR\n{}\n", escape(&meaning.replace('`', ""))));
    }
    for (code, meaning) in codes {
        text.push_str(&format!(".TP\n\\fB{code}\\fR\n{}\n", escape(meaning)));
    }
    let see: Vec<String> = see.iter().map(|page| format!("\\fB{}\\fR(1)", escape(page))).collect();
    text.push_str(&format!(".SH \"SEE ALSO\"\n{}\n", see.join(", ")));
}

/// A line of text as roff, the language of manual pages, has it.
fn escape(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}

fn unwritten(error: std::io::Error) -> Failure {
    Failure::because("cannot make the manual pages", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::definition;

    #[test]
    fn a_page_for_every_verb() {
        let pages = pages(definition()).unwrap();
        let files: Vec<&str> = pages.iter().map(|p| p.file.as_str()).collect();
        assert_eq!(files[..4], ["heddle.1", "flink.1", "yarn-session.sh.1", "flink-run.1"]);
        assert!(files.contains(&"heddle-gc.1"));
        for page in &pages {
            for section in ["NAME", "SYNOPSIS", "ENVIRONMENT", "\"SEE ALSO\""] {
                assert_eq!(
                    page.text.matches(&format!(".SH {section}\n")).count(),
                    1,
                    "{} {section}",
                    page.file
                );
            }
        }
        let status = pages.iter().find(|p| p.file == format!("{STATUS_PAGE}.1")).unwrap();
        assert!(status.text.contains("KILLED: it was killed or cancelled."), "{}", status.text);
        let run = pages.iter().find(|p| p.file == "flink-run.1").unwrap();
        assert!(run.text.contains("\\fB\\-c\\fR, \\fB\\-\\-class\\fR"), "{}", run.text);
    }

    #[test]
    fn roff() {
        assert_eq!(escape(".a-b\\'"), "\\&.a\\-b\\e\\(aq");
    }
}
