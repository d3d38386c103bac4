//! Carries out `heddle adopt`.

use yarn_client::adopt::{AdoptRequest, adopt as make};
use yarn_client::context::Context;
use yarn_client::error::Failure;
use yarn_client::exit::Exit;

use super::console::{Console, Output};
use super::housekeeping::to_json;
use super::options::AdoptOptions;
use super::signals::on_signals;
use super::text;

/// Carries out `adopt`.
pub(super) fn adopt(context: &Context, console: &Console, options: &AdoptOptions) -> Result<Exit, Failure> {
    let directory = match options.directories.as_slice() {
        [directory] => context.path(directory),
        [] => return Err(Failure::usage("the directory is missing: heddle adopt [options] <directory>")),
        [_, other, ..] => {
            return Err(Failure::usage(format!("{other:?}: only one directory can be made at a time")));
        }
    };
    let request = AdoptRequest {
        directory,
        flink_home: options.flink_home.as_ref().map(|home| context.path(home)),
        dry_run: options.dry_run,
    };
    // From here on a signal does not end this process in the middle of a change.
    let interrupt = on_signals()?;
    let adopted = make(context, &request, &|| match interrupt.cause() {
        Some(cause) => Err(Failure::interrupted(cause, "nothing was changed")),
        None => Ok(()),
    })?;
    adopted.notes.iter().for_each(|note| console.err(&format!("note: {note}")));
    if options.answer.json() {
        console.answer(to_json(&adopted)?);
    } else {
        console.out(&text::adopt::render(&adopted));
    }
    Ok(Exit::Done)
}
