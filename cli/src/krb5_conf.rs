//! Lets the Kerberos library read the file that `security.kerberos.krb5-conf.path` names. The library takes
//! the path only from the environment (`KRB5_CONFIG`), which must not be changed in a process with threads.
//! So this process replaces itself with the same command and that variable, before it has any. That happens
//! only if the key is set and the variable is not, so it happens once.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use flink_model::config::{LEGACY_FILE, STANDARD_FILE};
use flink_model::options::KERBEROS_CONF;
use yarn_client::configuration::text;
use yarn_client::context::{Context, FlinkHome};
use yarn_client::paths::without_scheme;
use yarn_client::request::Request;
use yarn_client::{setup, token_keeper, variables};

use crate::{client_fs, deploy_request};

/// A part of the key. Only a configuration file that contains it is parsed, so that commands without Kerberos
/// do not take longer.
const PART: &str = "krb5-conf";

/// Replaces this process, if that is necessary. Returns otherwise, and also if it has failed: then the
/// library reads its usual file.
pub(crate) fn apply(context: &Context, args: &[OsString]) {
    // Whoever has started one of these has the variable already, if it is needed.
    let for_others = args.get(1).is_some_and(|verb| verb == client_fs::VERB || verb == token_keeper::VERB);
    if for_others || context.var(variables::KRB5_CONFIG).is_some() {
        return;
    }
    let found = match args {
        [_, verb, words @ ..] if verb == deploy_request::VERB => of_request(context, words),
        _ => on_line(args).or_else(|| in_file(context)),
    };
    let Some(path) = found else { return };
    let [program, words @ ..] = args else { return };
    let path = context.path(without_scheme(&path));
    let mut command = Command::new(&context.exe);
    let error = command.arg0(program).args(words).env(variables::KRB5_CONFIG.name(), &path).exec();
    tracing::warn!(%error, path = %path.display(), "KRB5_CONFIG is not set");
}

/// The value that a property of the command line has. The words behind the program's jar belong to the
/// program, so they do not count.
fn on_line(args: &[OsString]) -> Option<String> {
    let words = args.iter().skip(1).map_while(|word| word.to_str());
    let own = words.take_while(|word| *word != "--" && !word.ends_with(".jar"));
    let value = |word: &str| {
        let property = ["-yD", "-D"].iter().find_map(|option| word.strip_prefix(option)).unwrap_or(word);
        let (key, value) = property.split_once('=')?;
        (key.trim() == KERBEROS_CONF.key).then(|| value.trim().to_owned())
    };
    own.filter_map(value).filter(|value| !value.is_empty()).last()
}

/// The value that Flink's configuration file has. What is wrong with the file is said later.
fn in_file(context: &Context) -> Option<String> {
    if !is_mentioned(&FlinkHome::find(context).ok()?.conf) {
        return None;
    }
    let (_, configuration, _) = setup::configuration_if_any(context).ok()?;
    text(&configuration, &KERBEROS_CONF)
}

/// The value in the configuration of a request. What is wrong with the request is said later, too.
fn of_request(context: &Context, words: &[OsString]) -> Option<String> {
    let request = Request::read(&deploy_request::file(context, words).ok()?).ok()?;
    if !is_mentioned(&request.flink_conf_dir) {
        return None;
    }
    let setup = request.setup(&request.context(context)).ok()?;
    text(&setup.configuration, &KERBEROS_CONF)
}

/// Whether a configuration file in this directory may have the key.
fn is_mentioned(conf: &Path) -> bool {
    let is_there = |file: &str| std::fs::read_to_string(conf.join(file)).is_ok_and(|t| t.contains(PART));
    is_there(STANDARD_FILE) || is_there(LEGACY_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_command_line_says() {
        let of = |line: &str| on_line(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        let key = KERBEROS_CONF.key;
        assert_eq!(of("flink list"), None);
        for line in [format!("heddle ps -D{key}=/k"), format!("flink run -D {key}=/k a.jar -D{key}=/other")] {
            assert_eq!(of(&line).as_deref(), Some("/k"), "{line}");
        }
        assert_eq!(of(&format!("flink run -yD{key}=/a -D{key}=/b -D{key}=")).as_deref(), Some("/b"));
        assert_eq!(of(&format!("flink run a.jar -D{key}=/other")), None);
    }

    #[test]
    fn what_the_configuration_file_says() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let context = Context {
            vars: [("FLINK_HOME".to_owned(), directory.path().display().to_string())].into(),
            cwd: directory.path().into(),
            exe: "/heddle".into(),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        };
        assert_eq!(in_file(&context), None);
        write("lib/flink-dist-1.20.1.jar", "");
        write("conf/config.yaml", "parallelism.default: 2\n");
        assert_eq!(in_file(&context), None);
        write("conf/config.yaml", "security:\n  kerberos:\n    krb5-conf.path: /k\n");
        assert_eq!(in_file(&context).as_deref(), Some("/k"));

        let at = |path: &str| directory.path().join(path);
        write("caller/conf/config.yaml", "security.kerberos.krb5-conf.path: /of-caller\n");
        write("caller/hadoop/core-site.xml", "<configuration/>");
        let request = serde_json::json!({
            "version": 1,
            "mode": "session",
            "flinkLibDir": at("lib"),
            "flinkConfDir": at("caller/conf"),
            "hadoopConfDir": at("caller/hadoop"),
        });
        write("caller/request.json", &request.to_string());
        let words = ["--request".into(), at("caller/request.json").into_os_string()];
        assert_eq!(of_request(&context, &words), None, "it is not private");
        for closed in ["caller", "caller/conf", "caller/hadoop"] {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            std::fs::set_permissions(at(closed), mode).unwrap();
        }
        assert_eq!(of_request(&context, &words).as_deref(), Some("/of-caller"));
    }
}
