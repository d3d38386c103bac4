//! Makes the scripts with which bash, zsh and fish complete a command line, from clap's definition of the
//! options.
//!
//! Flink's short options of several letters (`-nm`, `-yid`) are hidden aliases in clap, and the scripts offer
//! them like the others. Behind `-D` they offer the configuration keys that heddle acts on.

use clap::{Arg, Command};
use flink_model::options;

use super::dialect;
use super::parse::OWN_VERBS;

/// A program and its verbs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    name: &'static str,
    verbs: Vec<Verb>,
    /// Whether it has only one verb, which the user does not write.
    single: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Verb {
    name: String,
    about: String,
    flags: Vec<Flag>,
    /// The words that may stand behind it and are not options.
    words: Vec<String>,
}

/// One option under all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Flag {
    /// Its names, with their dashes.
    names: Vec<String>,
    about: String,
    value: Value,
}

/// What may follow an option.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Nothing,
    /// One of these words.
    OneOf(Vec<String>),
    /// A file or directory.
    Path,
    /// `key=value`, in the same word or in the next one.
    Property,
    /// Something that cannot be guessed.
    Any,
}

/// The programs that the definition describes.
pub(super) fn programs(top: &Command) -> Vec<Program> {
    let verbs: Vec<Verb> = top.get_subcommands().filter(|c| !c.is_hide_set()).map(verb).collect();
    let own = |v: &Verb| OWN_VERBS.contains(&v.name.as_str());
    let session = |name| Program {
        name,
        verbs: verbs.iter().filter(|v| v.name == "session").cloned().collect(),
        single: true,
    };
    vec![
        Program { name: "heddle", verbs: verbs.clone(), single: false },
        Program { name: "flink", verbs: verbs.iter().filter(|v| !own(v)).cloned().collect(), single: false },
        session("yarn-session.sh"),
        session("flink-yarn-session"),
    ]
}

fn verb(command: &Command) -> Verb {
    let visible = command.get_arguments().filter(|a| !a.is_positional() && !a.is_hide_set());
    Verb {
        name: command.get_name().to_owned(),
        about: one_line(command.get_about().map(ToString::to_string)),
        flags: visible.map(|arg| flag(command.get_name(), arg)).collect(),
        words: command
            .get_positionals()
            .flat_map(|arg| arg.get_possible_values().into_iter().map(|v| v.get_name().to_owned()))
            .collect(),
    }
}

fn flag(verb: &str, arg: &Arg) -> Flag {
    let letter = arg.get_short().map(|c| format!("-{c}"));
    let letters = arg.get_all_aliases().unwrap_or_default().into_iter().map(|a| format!("-{a}"));
    let long = arg.get_long().map(|l| format!("--{l}"));
    let mut names: Vec<String> = letter.into_iter().chain(letters).chain(long).collect();
    if dialect::is_property(arg) {
        // A property is always written with one dash.
        names.retain(|n| !n.starts_with("--"));
    }
    let help = arg.get_help().map(ToString::to_string);
    // The help text ends with the short names of several letters, in brackets.
    let help = help.map(|h| h.split(" [-").next().unwrap_or_default().to_owned());
    Flag { names, about: one_line(help), value: value(verb, arg) }
}

fn value(verb: &str, arg: &Arg) -> Value {
    if !arg.get_action().takes_values() {
        return Value::Nothing;
    }
    if dialect::is_property(arg) {
        return Value::Property;
    }
    let words = |list: &[&str]| Value::OneOf(list.iter().map(|w| (*w).to_owned()).collect());
    let name = arg.get_value_names().and_then(|n| n.first()).map(ToString::to_string).unwrap_or_default();
    match (arg.get_id().as_str(), name.as_str()) {
        ("set", _) => Value::Property,
        ("output", _) => words(&["text", "json"]),
        ("main_place", _) => words(&["client", "cluster"]),
        ("claim_mode", _) => words(&["claim", "no_claim", "legacy"]),
        ("format", _) => words(&["canonical", "native"]),
        ("target", _) => match verb {
            "run" | "info" => words(&["yarn-session", "yarn-per-job", "yarn-application", "remote"]),
            "run-application" => words(&["yarn-application"]),
            _ => words(&["yarn-session", "yarn-application", "remote"]),
        },
        (_, "path" | "file" | "files" | "jar" | "directory" | "url") => Value::Path,
        _ => Value::Any,
    }
}

/// The first line of a text, without the characters that have a meaning in the scripts: quotes, and the marks
/// at which zsh splits descriptions.
fn one_line(text: Option<String>) -> String {
    let text = text.unwrap_or_default();
    let line = text.lines().next().unwrap_or_default().trim();
    let line = line.replace('\'', "\u{2019}");
    line.replace(['"', '`', '\\', '$'], "").replace(':', " -").replace(['[', ']'], "")
}

/// The configuration keys to offer behind `-D`.
fn keys() -> Vec<&'static str> {
    options::ALL.iter().map(|o| o.key).collect()
}

/// The script for `shell`: bash, zsh or fish.
pub(super) fn script(shell: &str, programs: &[Program]) -> String {
    match shell {
        "zsh" => zsh(programs),
        "fish" => fish(programs),
        _ => bash(programs),
    }
}

/// The cases of the scripts' `case $program/$verb/$before in`, which say what may follow an option. `word`
/// gives the commands for a kind of value.
fn value_cases(programs: &[Program], word: impl Fn(&Value) -> Option<String>) -> String {
    let mut text = String::new();
    for (program, verb) in each_verb(programs) {
        for flag in &verb.flags {
            if let Some(action) = word(&flag.value) {
                let place = format!("{}/{}", program.name, verb.name);
                let names: Vec<String> = flag.names.iter().map(|n| format!("{place}/{n}")).collect();
                text.push_str(&format!("        {}) {action} ;;\n", names.join("|")));
            }
        }
    }
    text
}

/// The cases of the scripts' `case $program/$verb in`, for words that are not options.
fn positional_cases(programs: &[Program], action: impl Fn(&[String]) -> String) -> String {
    let known = each_verb(programs).filter(|(_, verb)| !verb.words.is_empty());
    known.map(|(p, v)| format!("        {}/{}) {} ;;\n", p.name, v.name, action(&v.words))).collect()
}

fn each_verb(programs: &[Program]) -> impl Iterator<Item = (&Program, &Verb)> {
    programs.iter().flat_map(|p| p.verbs.iter().map(move |v| (p, v)))
}

/// The cases of the scripts' `case $program in` for programs with a single verb; `command` sets the verb.
fn verb_cases(programs: &[Program], command: &str) -> String {
    let single = programs.iter().filter(|p| p.single);
    single.map(|p| format!("        {}) {command} ;;\n", p.name)).collect()
}

fn bash(programs: &[Program]) -> String {
    let names: Vec<&str> = programs.iter().map(|p| p.name).collect();
    let mut verbs = String::new();
    for program in programs.iter().filter(|p| !p.single) {
        let words: Vec<&str> = program.verbs.iter().map(|v| v.name.as_str()).collect();
        verbs.push_str(&format!(
            "        {}) words=\"{} --help --version\" ;;\n",
            program.name,
            words.join(" ")
        ));
    }
    let mut flags = String::new();
    for (program, verb) in each_verb(programs) {
        let words: Vec<&str> = verb.flags.iter().flat_map(|f| f.names.iter().map(String::as_str)).collect();
        flags.push_str(&format!(
            "        {}/{}) words=\"{}\" ;;\n",
            program.name,
            verb.name,
            words.join(" ")
        ));
    }
    let positional = positional_cases(programs, |words| format!("words=\"{}\"", words.join(" ")));
    let values = value_cases(programs, |value| match value {
        Value::Nothing => None,
        Value::OneOf(list) => Some(format!("words=\"{}\"; values=1", list.join(" "))),
        Value::Path => Some("return".into()),
        Value::Property => Some("words=$keys; values=1; compopt -o nospace 2>/dev/null".into()),
        Value::Any => Some("COMPREPLY=(); compopt +o default +o bashdefault 2>/dev/null; return".into()),
    });
    let single = verb_cases(programs, "verb=session");
    let keys = keys().into_iter().map(|k| format!("{k}=")).collect::<Vec<_>>().join(" ");
    format!(
        r#"# bash completion for {all}, made by `heddle completion bash`
_heddle() {{
    local program=${{COMP_WORDS[0]##*/}} verb= words= values= cur before prefix=
    local keys="{keys}"
    cur=${{COMP_WORDS[COMP_CWORD]}}
    before=${{COMP_WORDS[COMP_CWORD-1]}}
    COMPREPLY=()
    case $program in
{single}        *) [ "$COMP_CWORD" -le 1 ] || verb=${{COMP_WORDS[1]}} ;;
    esac
    # bash takes = for a word of its own: --output=json
    if [ "$before" = = ]; then
        before=${{COMP_WORDS[COMP_CWORD-2]}}
    elif [ "$cur" = = ]; then
        cur=
    fi
    if [ -z "$verb" ]; then
        case $program in
{verbs}        esac
    else
        case $program/$verb/$before in
{values}        esac
        if [ -z "$values" ]; then
            case $cur in
                -D*) prefix=-D ;;
                -yD*) prefix=-yD ;;
            esac
            if [ -n "$prefix" ]; then
                compopt -o nospace 2>/dev/null
                COMPREPLY=($(compgen -P "$prefix" -W "$keys" -- "${{cur#"$prefix"}}"))
                return
            fi
            if [[ $cur == -* ]]; then
                case $program/$verb in
{flags}                esac
            else
                # A file, unless the words are known.
                case $program/$verb in
{positional}                    *) return ;;
                esac
            fi
        fi
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o bashdefault -o default -F _heddle {all}
"#,
        all = names.join(" "),
    )
}

fn zsh(programs: &[Program]) -> String {
    let names: Vec<&str> = programs.iter().map(|p| p.name).collect();
    let mut verbs = String::new();
    for program in programs.iter().filter(|p| !p.single) {
        let list: Vec<String> = program.verbs.iter().map(|v| format!("'{}:{}'", v.name, v.about)).collect();
        verbs.push_str(&format!("        {}) list=({}) ;;\n", program.name, list.join(" ")));
    }
    let mut flags = String::new();
    for (program, verb) in each_verb(programs) {
        let each = verb.flags.iter().flat_map(|f| f.names.iter().map(move |n| format!("'{n}:{}'", f.about)));
        let list: Vec<String> = each.collect();
        flags.push_str(&format!("        {}/{}) list=({}) ;;\n", program.name, verb.name, list.join(" ")));
    }
    let positional = positional_cases(programs, |words| format!("compadd -- {}", words.join(" ")));
    let values = value_cases(programs, |value| match value {
        Value::Nothing => None,
        Value::OneOf(list) => Some(format!("compadd -- {}; return", list.join(" "))),
        Value::Path => Some("_files; return".into()),
        Value::Property => Some("compadd -S = -- $keys; return".into()),
        Value::Any => Some("_message value; return".into()),
    });
    let single = verb_cases(programs, "verb=session");
    format!(
        r#"#compdef {all}
# zsh completion for {all}, made by `heddle completion zsh`
_heddle() {{
    local program=${{words[1]:t}} verb= before=${{words[CURRENT-1]}}
    local -a list keys
    keys=({keys})
    case $program in
{single}        *) (( CURRENT > 2 )) && verb=${{words[2]}} ;;
    esac
    if [[ -z $verb ]]; then
        case $program in
{verbs}        esac
        _describe action list
        return
    fi
    case $program/$verb/$before in
{values}    esac
    if compset -P '-(y|)D'; then
        compadd -S = -- $keys
    elif [[ $PREFIX == -* ]]; then
        case $program/$verb in
{flags}        esac
        _describe -o option list
    else
        case $program/$verb in
{positional}        *) _files ;;
        esac
    fi
}}
if [ "$funcstack[1]" = _heddle ]; then
    _heddle "$@"
else
    compdef _heddle {all}
fi
"#,
        all = names.join(" "),
        keys = keys().join(" "),
    )
}

fn fish(programs: &[Program]) -> String {
    let mut text = String::from("# fish completion, made by `heddle completion fish`\n");
    for program in programs {
        let name = program.name;
        if !program.single {
            for verb in &program.verbs {
                text.push_str(&format!(
                    "complete -c {name} -n __fish_use_subcommand -f -a {} -d '{}'\n",
                    verb.name, verb.about
                ));
            }
        }
        for verb in &program.verbs {
            let condition = match program.single {
                true => String::new(),
                false => format!(" -n '__fish_seen_subcommand_from {}'", verb.name),
            };
            if !verb.words.is_empty() {
                let words = verb.words.join(" ");
                text.push_str(&format!("complete -c {name}{condition} -f -a '{words}'\n"));
            }
            for flag in &verb.flags {
                let options: Vec<String> = flag.names.iter().map(|n| fish_name(n)).collect();
                let value = match &flag.value {
                    Value::Nothing => String::new(),
                    Value::OneOf(list) => format!(" -x -a '{}'", list.join(" ")),
                    Value::Path => " -r -F".into(),
                    Value::Property => {
                        format!(
                            " -x -a '{}'",
                            keys().iter().map(|k| format!("{k}=")).collect::<Vec<_>>().join(" ")
                        )
                    }
                    Value::Any => " -x".into(),
                };
                text.push_str(&format!(
                    "complete -c {name}{condition} {}{value} -d '{}'\n",
                    options.join(" "),
                    flag.about
                ));
            }
        }
    }
    text
}

/// A name as fish wants it: `-s n`, `-o nm` or `-l name`, because fish distinguishes these three kinds.
fn fish_name(name: &str) -> String {
    match name.strip_prefix("--") {
        Some(long) => format!("-l {long}"),
        None if name.len() == 2 => format!("-s {}", &name[1..]),
        None => format!("-o {}", name.trim_start_matches('-')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::definition;

    fn names(program: &str, verb: &str) -> Vec<String> {
        let programs = programs(&definition());
        let program = programs.iter().find(|p| p.name == program).unwrap();
        let verb = program.verbs.iter().find(|v| v.name == verb).unwrap();
        verb.flags.iter().flat_map(|f| f.names.clone()).collect()
    }

    #[test]
    fn every_way_of_writing_is_offered() {
        let run = names("flink", "run");
        for name in ["-yid", "-ynm", "-yD", "-D", "-c", "--class", "-sae", "-t", "--target", "-pyfs"] {
            assert!(run.iter().any(|n| n == name), "{name}: {run:?}");
        }
        let session = names("yarn-session.sh", "session");
        for name in ["-nm", "--name", "-jm", "-tm", "-id", "-d"] {
            assert!(session.iter().any(|n| n == name), "{name}: {session:?}");
        }
        assert!(programs(&definition())[1].verbs.iter().all(|v| v.name != "gc"));
        assert!(!run.iter().any(|n| n == "-yn"), "hidden ones are not");
    }

    #[test]
    fn every_option_is_in_every_script() {
        let programs = programs(&definition());
        for shell in ["bash", "zsh", "fish"] {
            let script = script(shell, &programs);
            for flag in each_verb(&programs).flat_map(|(_, v)| &v.flags) {
                for name in &flag.names {
                    let written = if shell == "fish" { fish_name(name) } else { name.clone() };
                    assert!(script.contains(&written), "{shell}: {name}");
                }
            }
        }
    }

    #[test]
    fn descriptions_cannot_break_a_script() {
        assert_eq!(one_line(Some("it's a \"b\": `c` [d]\nmore".into())), "it\u{2019}s a b - c d");
    }
}
