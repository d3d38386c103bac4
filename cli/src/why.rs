//! Carries out `heddle why`.

use std::path::Path;

use serde_json::json;
use yarn_client::context::Context;
use yarn_client::diagnose::{Bundle, Effort, Why, Written, gather};
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::units::{bytes, count};

use super::console::{Console, Output};
use super::inquiry::{Named, named};
use super::options::WhyOptions;
use super::signals::on_signals;
use super::text;

/// Carries out `why`. The exit code tells whether a cause was found.
pub(super) async fn why(context: &Context, console: &Console, options: &WhyOptions) -> Result<Exit, Failure> {
    let Some(file) = &options.bundle else {
        if options.force {
            return Err(Failure::usage("--force replaces an archive, and has no meaning without --bundle"));
        }
        return tell(context, console, options, None).await;
    };
    let path = context.path(file);
    // What is written of the archive is removed if a signal comes.
    let interrupt = on_signals()?;
    let work = tell(context, console, options, Some(&path));
    let done = interrupt.unless_raised(work).await;
    done.map_err(|cause| Failure::interrupted(cause, format!("{} was not written", path.display())))?
}

async fn tell(
    context: &Context,
    console: &Console,
    options: &WhyOptions,
    archive: Option<&Path>,
) -> Result<Exit, Failure> {
    if let Some(bundle) = bundle(archive, options, "") {
        bundle.check()?;
    }
    let what = ("why", options.applications.as_slice());
    let Named { id, inquiry } = named(context, console, what, &options.answer).await?;
    let gathered = gather(&inquiry, id, Effort::CAUSE).await?;
    gathered.notes.iter().for_each(|note| console.err(&format!("warning: {note}")));
    let why = Why::of(&gathered, options.all);
    let text = text::why::render(&why);
    let mut answer = why.json();
    if !options.answer.json() {
        console.out(&text);
    }
    if let Some(bundle) = bundle(archive, options, &text) {
        let Written { files, bytes: size, missing } = bundle.write(&inquiry, &gathered, &why).await?;
        let path = bundle.path.display().to_string();
        let size = bytes(size);
        for missing in missing {
            console.err(&format!("note: not in the archive: {missing}"));
        }
        if options.answer.json() {
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("bundle".to_owned(), json!(path));
            }
        } else {
            console.out(&format!("\nWritten to {path}: {}, {size}", count(files, "file")));
        }
    }
    if options.answer.json() {
        console.answer(answer);
    }
    Ok(if why.findings.is_empty() { Exit::NOTHING_FOUND } else { Exit::Done })
}

/// The archive, if one is wanted. `text` are the findings for people.
fn bundle<'a>(archive: Option<&'a Path>, options: &WhyOptions, text: &'a str) -> Option<Bundle<'a>> {
    archive.map(|path| Bundle { path, replace: options.force, text })
}
