//! Carries out `heddle status`.

use yarn_client::context::Context;
use yarn_client::diagnose::{Effort, Status, gather};
use yarn_client::error::Failure;
use yarn_client::exit::Exit;

use super::console::{Console, Output};
use super::inquiry::{Named, named};
use super::options::StatusOptions;
use super::text;

/// Carries out `status`. The exit code tells the state.
pub(super) async fn status(
    context: &Context,
    console: &Console,
    options: &StatusOptions,
) -> Result<Exit, Failure> {
    let what = ("status", options.applications.as_slice());
    let Named { id, inquiry } = named(context, console, what, &options.answer).await?;
    let gathered = gather(&inquiry, id, Effort::STATE).await?;
    gathered.notes.iter().for_each(|note| console.err(&format!("warning: {note}")));
    let status = Status::of(&gathered);
    if options.answer.json() {
        console.answer(status.json());
    } else {
        console.out(&text::status::render(&status));
    }
    Ok(Exit::of_standing(status.verdict.standing))
}
