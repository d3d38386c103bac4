//! Turns the words of a command line into a [`Request`]. What the words mean depends on the name by which the
//! program was called: `heddle`, `flink`, `yarn-session.sh`, `sql-client.sh` or `sql-gateway.sh`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{Command, CommandFactory, Parser};
use flink_model::options::EXECUTION_TARGET;
use yarn_client::error::Failure;
use yarn_client::run::ClientWords;

use super::options::{RunOptions, Top, Verb};
use super::settings::Settings;
use super::{dialect, precedence};
use crate::sql::plan::Tool;

/// The name by which the program was called, which decides what its words mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persona {
    Heddle,
    Flink,
    YarnSession,
    /// Flink's `sql-client.sh` or `sql-gateway.sh`.
    Sql(Tool),
}

impl Persona {
    pub(crate) fn of(program: &OsStr) -> Self {
        match Path::new(program).file_name().and_then(OsStr::to_str) {
            Some("flink") => Self::Flink,
            // The last is what the commands of Amazon EMR and of Cloudera call it.
            Some("yarn-session.sh" | "yarn-session" | "flink-yarn-session") => Self::YarnSession,
            Some("sql-client.sh" | "sql-client") => Self::Sql(Tool::Client),
            Some("sql-gateway.sh" | "sql-gateway") => Self::Sql(Tool::Gateway),
            _ => Self::Heddle,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Heddle => "heddle",
            Self::Flink => "flink",
            Self::YarnSession => "yarn-session.sh",
            Self::Sql(tool) => tool.name(),
        }
    }
}

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Print this help, and end with exit code 0.
    Help(String),
    /// Print which heddle this is.
    Version,
    /// Print which Flink this is.
    FlinkVersion,
    /// Carry out this verb.
    Run(Box<Invocation>),
}

impl Request {
    /// Whether an error is shown with its causes.
    pub(crate) fn is_verbose(&self) -> bool {
        matches!(self, Self::Run(invocation) if invocation.verb.verbose())
    }
}

/// A verb with its options.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) verb: Verb,
    /// The command line for Flink's own client, if the verb is `run` or `info`.
    pub(crate) client_words: ClientWords,
}

/// Verbs that Flink's own client does not have.
pub(crate) const OWN_VERBS: [&str; 15] = [
    "session",
    "ps",
    "status",
    "why",
    "logs",
    "sd",
    "kill",
    "explain-exit",
    "gc",
    "store",
    "adopt",
    "memory",
    "completion",
    "man",
    "reference",
];

/// Options that Flink's own client does not get: those that say where a program runs, which heddle has found
/// out by then, and those that only heddle knows.
const NOT_FOR_FLINK: [&str; 15] = [
    "property",
    "target",
    "executor",
    "job_manager",
    "application_id",
    "zookeeper_namespace",
    "main_place",
    "py_env",
    "verbose",
    "attached",
    "dry_run",
    "output",
    "timeout",
    "timing",
    "submission",
];

/// The word for JSON as the form of an answer.
const JSON: &str = "json";

/// Whether a command line asks for JSON that could not be parsed, or that asks for help or a version.
pub(crate) fn wants_json(args: &[OsString]) -> bool {
    form(args) == Some(JSON)
}

/// The form of the answer that a command line asks for. The words behind the program's jar belong to the
/// program, so they do not count.
fn form(args: &[OsString]) -> Option<&str> {
    let words = args.iter().filter_map(|word| word.to_str());
    let mut own = words.take_while(|word| *word != "--" && !word.ends_with(".jar"));
    while let Some(word) = own.next() {
        let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
        match name.and_then(|name| name.strip_prefix("output")) {
            Some("") => return own.next(),
            Some(rest) if rest.starts_with('=') => return rest.strip_prefix('='),
            _ => {}
        }
    }
    None
}

/// Refuses a form of the answer that there is not, for command lines that no verb reads.
fn check_form(args: &[OsString]) -> Result<(), Failure> {
    match form(args) {
        None | Some("text" | JSON) => Ok(()),
        Some(other) => Err(Failure::usage(format!("--output {other}: it is either text or json"))),
    }
}

/// The command whose help is the most useful one after an error in this command line.
pub(crate) fn help_name(persona: Persona, args: &[OsString]) -> String {
    match (persona, args.first().and_then(|a| a.to_str())) {
        (Persona::Heddle | Persona::Flink, Some(verb)) if definition().find_subcommand(verb).is_some() => {
            format!("{} {verb}", persona.name())
        }
        _ => persona.name().to_owned(),
    }
}

/// clap's definition of all options. Their short names of several letters are added to the help texts.
pub(crate) fn definition() -> Command {
    let mut top = Top::command();
    if cfg!(test) {
        // The snapshots of the tests must not depend on the width of the terminal.
        top = top.term_width(100);
    }
    top.build();
    let verbs: Vec<String> = top.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for verb in verbs {
        top = top.mut_subcommand(verb, |command| {
            command.mut_args(|arg| {
                let names: Vec<String> =
                    arg.get_all_aliases().unwrap_or_default().into_iter().map(|a| format!("-{a}")).collect();
                match (names.is_empty(), arg.get_help().cloned()) {
                    (false, Some(help)) => arg.help(format!("{help} [{}]", names.join(", "))),
                    _ => arg,
                }
            })
        });
    }
    top
}

pub(crate) fn parse(persona: Persona, args: &[OsString]) -> Result<Request, Failure> {
    let mut top = definition();
    if persona == Persona::YarnSession {
        return parse_verb(persona, &mut top, "session", args);
    }
    let Some((verb, rest)) = args.split_first() else {
        let help = overview(persona, top);
        return Err(Failure::usage(format!("please specify an action\n\n{help}")));
    };
    let verb = verb.to_str().unwrap_or_default();
    if matches!(verb, "-h" | "--help" | "help" | "-v" | "-V" | "--version" | "version") {
        check_form(rest)?;
    }
    match verb {
        "help" if rest.first().is_some_and(|verb| top.find_subcommand(verb).is_some()) => {
            let verb = rest.first().map(|verb| verb.to_string_lossy().into_owned()).unwrap_or_default();
            parse_verb(persona, &mut top, &verb, &["--help".into()])
        }
        "-h" | "--help" | "help" => Ok(Request::Help(overview(persona, top))),
        "-v" | "--version" | "version" if persona == Persona::Flink => Ok(Request::FlinkVersion),
        "--version" | "-V" | "-v" | "version" => Ok(Request::Version),
        name if top.find_subcommand(name).is_some() => parse_verb(persona, &mut top, name, rest),
        name => Err(not_a_verb(&top, name)),
    }
}

fn not_a_verb(top: &Command, name: &str) -> Failure {
    let verbs: Vec<&str> =
        top.get_subcommands().filter(|c| !c.is_hide_set()).map(Command::get_name).collect();
    let failure = Failure::usage(format!("\"{name}\" is not a valid action; valid are {}", verbs.join(", ")));
    match similar(name, &verbs) {
        Some(verb) => failure.hint(format!("did you mean {verb}?")),
        None => failure,
    }
}

/// The word that the user has probably meant: the only one that begins with what was written, or else the one
/// with the fewest typing errors. Two letters in the wrong order are one error.
fn similar<'a>(written: &str, words: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let mut longer = words.iter().filter(|word| written.len() > 1 && word.starts_with(&written));
    if let (Some(only), None) = (longer.next(), longer.next()) {
        return Some(only);
    }
    let slips = words.iter().map(|word| (strsim::osa_distance(word, &written), *word));
    let (slips, word) = slips.min_by_key(|(slips, _)| *slips)?;
    // At most a third of the letters may be wrong: one of three letters, two of six.
    (slips <= word.len().max(written.len()) / 3).then_some(word)
}

fn overview(persona: Persona, mut top: Command) -> String {
    if persona == Persona::Flink {
        for own in OWN_VERBS {
            top = top.mut_subcommand(own, |c| c.hide(true));
        }
        top = top.name("flink").bin_name("flink");
        top = top.override_usage("flink <action> [options] [arguments]").after_help(
            "`flink <action> --help` tells the options of an action, `flink --version` the release of Flink.",
        );
    }
    top.render_help().to_string()
}

pub(crate) fn parse_verb(
    persona: Persona,
    top: &mut Command,
    verb: &str,
    args: &[OsString],
) -> Result<Request, Failure> {
    let Some(command) = top.find_subcommand_mut(verb) else {
        return Err(Failure::usage(format!("\"{verb}\" is not a valid action")));
    };
    let has_program = matches!(verb, "run" | "run-application" | "info");
    let mut words = dialect::translate(command, args, has_program, &["jarfile", "python", "py_module"])
        .map_err(|e| {
            let failure = Failure::usage(e.message);
            match e.hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
    if words.items.iter().any(|i| i.id == "help" || i.id == "yarn_help") {
        return Ok(Request::Help(command.render_help().to_string()));
    }
    if persona == Persona::YarnSession && !words.rest.is_empty() {
        let extra = words.rest.first().map(|w| w.to_string_lossy().into_owned()).unwrap_or_default();
        return Err(Failure::usage(format!("{extra:?} is not an option")));
    }
    words.items = precedence::settle(verb, words.items, command);
    let mut line: Vec<OsString> = vec!["heddle".into(), verb.into()];
    line.extend(words.canonical(command));
    match Top::try_parse_from(line) {
        Ok(top) => {
            let client_words = match &top.command {
                Verb::Run(options) | Verb::Info(options) => words_for_flink(options, words, command)?,
                _ => ClientWords::default(),
            };
            Ok(Request::Run(Box::new(Invocation { verb: top.command, client_words })))
        }
        Err(e) => {
            let text = e.to_string();
            let lines: Vec<&str> = text.lines().map(str::trim).take_while(|l| !l.is_empty()).collect();
            Err(Failure::usage(lines.join(" ").trim_start_matches("error: ")))
        }
    }
}

/// The command line for Flink's own client. Settings for which Flink's client has options are written as
/// options, all others as `-D`.
fn words_for_flink(
    options: &RunOptions,
    mut words: dialect::Translated,
    command: &Command,
) -> Result<ClientWords, Failure> {
    for item in &mut words.items {
        if item.id == "yarn_detached" {
            item.id = "detached".into();
        }
    }
    words.items.retain(|i| !NOT_FOR_FLINK.contains(&i.id.as_str()) && !i.id.starts_with("yarn_"));
    let mut line = words.options(command);
    let settings = Settings::of_verb(&options.cluster, Some(&options.yarn))?;
    for (key, value) in settings.pairs().filter(|(key, _)| *key != EXECUTION_TARGET.key) {
        match precedence::as_flags(key, value) {
            Some(flags) => line.extend(flags.into_iter().map(OsString::from)),
            None => line.push(format!("-D{key}={value}").into()),
        }
    }
    Ok(ClientWords { options: line, program: words.rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_flink_gets_to_see() {
        let line = "-m yarn-cluster -yid application_1_0001 -yjm 1g -yDa=b -yd -Dc=d -c M --main client -p 2 j.jar -yd -c x";
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let mut top = definition();
        let Ok(Request::Run(invocation)) = parse_verb(Persona::Flink, &mut top, "run", &args) else {
            panic!("{line}")
        };
        let ClientWords { options, program } = invocation.client_words;
        assert_eq!(
            options.join(OsStr::new(" ")),
            "--detached --class=M --parallelism=2 -Djobmanager.memory.process.size=1 gb -Da=b \
             -Dyarn.application.id=application_1_0001 -Dc=d"
        );
        assert_eq!(program, ["j.jar", "-yd", "-c", "x"]);
    }

    #[test]
    fn properties_before_the_jar_are_no_program_arguments() {
        let args: Vec<OsString> = "-t yarn-session -Dyarn.application.id=x -D a=b -d j.jar -Dc=d"
            .split(' ')
            .map(OsString::from)
            .collect();
        let mut top = definition();
        let Ok(Request::Run(invocation)) = parse_verb(Persona::Flink, &mut top, "run", &args) else {
            panic!()
        };
        let Verb::Run(options) = invocation.verb else { panic!() };
        assert_eq!(options.program, ["j.jar", "-Dc=d"]);
    }

    #[test]
    fn a_programs_words_do_not_make_the_command_verbose() {
        for (line, verbose) in [
            ("run -v j.jar", true),
            ("run -t yarn-per-job --verbose -c M job j.jar", true),
            ("run -j j.jar -a x -v", true),
            ("run -py job.py -v", true),
            ("run j.jar -v", false),
            ("run job --verbose", false),
            ("run -p 2 j.jar --in x -v --", false),
            ("run-application -t yarn-application hdfs:///j.jar -v", false),
            ("info -c M j.jar -v", false),
            ("session -v", true),
            ("list -v", true),
            ("cancel 00ff -v", true),
            ("ps -v", true),
            ("ps", false),
        ] {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(parse(Persona::Heddle, &args).unwrap().is_verbose(), verbose, "{line}");
        }
    }

    fn shown(persona: Persona, line: &str) -> String {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        match parse(persona, &args) {
            Ok(Request::Help(text)) => text,
            Ok(Request::Version) => "the version".to_owned(),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => failure.render(false),
        }
    }

    #[test]
    fn wrong_lines() {
        for (written, meant) in [
            ("cancle x", Some("cancel")),
            ("rnu", Some("run")),
            ("lsit", Some("list")),
            ("sotp", Some("stop")),
            ("kil", Some("kill")),
            ("Sess", Some("session")),
            ("savpoint", Some("savepoint")),
            ("x", None),
            ("submit", None),
        ] {
            let said = shown(Persona::Heddle, written);
            let hint = meant.map(|verb| format!("hint: did you mean {verb}?"));
            assert_eq!(said.lines().find(|line| line.contains("did you mean")), hint.as_deref(), "{written}");
        }
        assert_eq!(shown(Persona::Heddle, "version"), shown(Persona::Heddle, "--version"));
        assert!(shown(Persona::YarnSession, "-d extra").contains("\"extra\" is not an option"));
        assert!(shown(Persona::Flink, "").contains("please specify an action"));
        assert!(shown(Persona::Flink, "list --jobmanger h:1").contains("did you mean --jobmanager?"));
    }

    #[test]
    fn who_asks_for_json() {
        let asks = |line: &str| {
            let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            wants_json(&args)
        };
        for line in
            ["ps --output json", "lst --output=json -x", "run -output json j.jar", "version -output=json"]
        {
            assert!(asks(line), "{line}");
        }
        for line in
            ["ps", "ps --output text", "run j.jar --output json", "reference -- ps --output json", "--output"]
        {
            assert!(!asks(line), "{line}");
        }
        assert!(shown(Persona::Heddle, "version --output yaml").contains("either text or json"));
    }

    #[test]
    fn actions_on_a_store() {
        let parsed = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            parse(Persona::Heddle, &args)
        };
        for action in ["publish", "list", "verify"] {
            let line = format!("store {action} -Dheddle.store.dir=hdfs:///s --output json");
            let Ok(Request::Run(invocation)) = parsed(&line) else { panic!("{line}") };
            let Verb::Store(options) = invocation.verb else { panic!("{line}") };
            assert_eq!((options.action.as_str(), options.answer.json()), (action, true));
            assert_eq!(options.answer.property, ["heddle.store.dir=hdfs:///s"]);
        }
        for line in ["store", "store empty"] {
            assert!(parsed(line).unwrap_err().is_usage(), "{line}");
        }
    }

    #[test]
    fn a_directory_to_adopt() {
        let line = "adopt /d --flink-home /f --dry-run --output json";
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let Ok(Request::Run(invocation)) = parse(Persona::Heddle, &args) else { panic!("{line}") };
        let Verb::Adopt(options) = invocation.verb else { panic!("{line}") };
        assert_eq!((options.directories, options.flink_home.as_deref()), (vec!["/d".to_owned()], Some("/f")));
        assert!(options.dry_run && options.answer.json());
    }

    #[test]
    fn a_negative_exit_status_is_no_option() {
        let parsed = |line: &str| {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            parse(Persona::Heddle, &args)
        };
        let line = "explain-exit -104 SIGKILL --output json 137";
        let Ok(Request::Run(invocation)) = parsed(line) else { panic!("{line}") };
        let Verb::ExplainExit(options) = invocation.verb else { panic!("{line}") };
        assert_eq!(options.codes, ["-104", "SIGKILL", "137"]);
        assert!(options.answer.json());
        // Elsewhere it is an option that does not exist.
        assert!(parsed("ps -104").unwrap_err().is_usage());
        assert!(parsed("explain-exit -x").unwrap_err().is_usage());
    }

    #[test]
    fn names() {
        assert_eq!(Persona::of(OsStr::new("/a/bin/flink")), Persona::Flink);
        assert_eq!(Persona::of(OsStr::new("yarn-session.sh")), Persona::YarnSession);
        assert_eq!(Persona::of(OsStr::new("./flink-yarn-session")), Persona::YarnSession);
        assert_eq!(Persona::of(OsStr::new("sql-client.sh")), Persona::Sql(Tool::Client));
        assert_eq!(Persona::of(OsStr::new("anything")), Persona::Heddle);
    }
}
