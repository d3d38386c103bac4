//! Carries out `heddle memory`: reads the options, computes the sizes, or asks a running application what it
//! uses, and prints that in a form that the terminal can show.

use std::os::fd::AsFd;

use anstream::stream::RawStream;
use flink_model::release::Release;
use yarn_client::context::Context;
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::live_memory;
use yarn_client::memory::{Study, StudyOptions};
use yarn_client::variables;

use super::console::Console;
use super::housekeeping::to_json;
use super::inquiry::{Named, named};
use super::options::{ClusterOptions, MemoryOptions};
use super::settings::Settings;
use super::text;
use crate::console::Output;
use crate::text::bar::Look;

/// The number of columns if that of the terminal is not known.
const COLUMNS: usize = 80;

pub(super) async fn run(
    context: &Context,
    console: &Console,
    options: &MemoryOptions,
) -> Result<Exit, Failure> {
    if options.live {
        return live(context, console, options).await;
    }
    if let Some(word) = options.applications.first() {
        return Err(Failure::usage(format!(
            "{word:?} is not an option: without --live no application is asked"
        ))
        .hint("`heddle memory --live <application id>` shows what an application uses"));
    }
    let properties =
        ClusterOptions { property: options.answer.property.clone(), ..ClusterOptions::default() };
    let study_options = StudyOptions {
        properties: Settings::of_verb(&properties, None)?.dynamic,
        trials: options.set.iter().map(|text| assignment(text)).collect::<Result<_, _>>()?,
        release: options.flink_version.as_deref().map(release).transpose()?,
        offline: options.offline,
    };
    let study = Study::make(context, &study_options).await?;
    if options.answer.json() {
        console.answer(yarn_client::memory::json(&study)?);
    } else {
        // A program may read stdout, so warnings go to stderr. They come first, because the picture is what
        // people look at last.
        study.warnings.iter().for_each(|warning| console.err(&format!("warning: {warning}")));
        console.out_styled(&text::memory::render(&study, look(context, &std::io::stdout())));
    }
    study.refusal().map_or(Ok(Exit::Done), Err)
}

/// What a running application uses.
async fn live(context: &Context, console: &Console, options: &MemoryOptions) -> Result<Exit, Failure> {
    if options.offline || options.flink_version.is_some() || !options.set.is_empty() {
        return Err(Failure::usage(
            "--live shows an application as it runs, so that --set, --flink-version and --offline have no meaning",
        )
        .hint("`heddle memory --set …` without --live computes what a setting would change"));
    }
    let what = ("memory --live", options.applications.as_slice());
    let Named { id, inquiry } = named(context, console, what, &options.answer).await?;
    let live = live_memory::ask(&inquiry, id).await?;
    if options.answer.json() {
        console.answer(to_json(&live)?);
    } else {
        console.out(&text::live_memory::render(&live));
    }
    Ok(Exit::Done)
}

fn assignment(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Failure::usage(format!("--set {text}: a key and a value are needed"))
            .hint("write --set key=value, as --set taskmanager.memory.process.size=4g")),
    }
}

fn release(text: &str) -> Result<Release, Failure> {
    text.parse().map_err(|e| Failure::because(format!("--flink-version {text}"), e))
}

/// What the terminal behind `stream` can show.
pub(super) fn look(context: &Context, stream: &(impl AsFd + RawStream)) -> Look {
    let columns = context.var(variables::COLUMNS).and_then(|c| c.parse().ok());
    let of_terminal = || {
        let size = stream.is_terminal().then(|| rustix::termios::tcgetwinsize(stream).ok()).flatten();
        size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
    };
    Look {
        columns: of_terminal().or(columns).unwrap_or(COLUMNS),
        unicode: unicode(context),
        colour: anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never,
    }
}

/// Whether the locale uses UTF-8.
pub(super) fn unicode(context: &Context) -> bool {
    let locale = [variables::LC_ALL, variables::LC_CTYPE, variables::LANG]
        .into_iter()
        .find_map(|variable| context.var(variable));
    locale.is_some_and(is_utf8)
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        assert_eq!(assignment("a.b = 4g").unwrap(), ("a.b".to_owned(), "4g".to_owned()));
        assert!(assignment("a.b").unwrap_err().is_usage());
        assert!(assignment("=4g").unwrap_err().is_usage());
        assert!(release("3.0").unwrap_err().to_string().contains("not supported"));
        assert!(is_utf8("de_DE.UTF-8") && is_utf8("C.utf8") && !is_utf8("POSIX"));
    }
}
