//! Carries out `heddle store`.

use std::sync::Arc;

use yarn_client::context::Context;
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::hadoop::Hadoop;
use yarn_client::report::Report;
use yarn_client::setup::Setup;
use yarn_client::shared_store;

use super::console::{Console, Output};
use super::housekeeping::{configuration, to_json};
use super::options::StoreOptions;
use super::text;

/// Carries out `store publish`, `store list` and `store verify`.
pub(super) async fn store(
    context: &Context,
    shared_console: &Arc<Console>,
    options: &StoreOptions,
) -> Result<Exit, Failure> {
    let console: &Console = shared_console;
    let configuration = configuration(context, console, &options.answer.property)?;
    let hadoop = Hadoop::load(context, &configuration).await?;
    if options.action == "publish" {
        let setup = Setup::load(context)?;
        console.has_effects();
        let report: Arc<dyn Report> = Arc::<Console>::clone(shared_console);
        let published = shared_store::publish(&hadoop, context, &setup, &configuration, &report).await?;
        for warning in &published.warnings {
            console.err(&format!("warning: {warning}"));
        }
        if options.answer.json() {
            console.answer(to_json(&published)?);
        } else {
            console.out(&text::store::published(&published));
        }
        return Ok(Exit::Done);
    }
    let verify = options.action == "verify";
    let contents = shared_store::contents(&hadoop, &configuration, verify).await?;
    if options.answer.json() {
        console.answer(to_json(&contents)?);
    } else {
        console.out(&text::store::contents(&contents, verify));
        text::store::damaged(&contents).iter().for_each(|error| console.err(error));
    }
    Ok(Exit::done_if(contents.is_intact()))
}
