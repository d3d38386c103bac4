//! `sql-client.sh` and `sql-gateway.sh`.

use std::ffi::OsString;
use std::sync::Arc;

use super::commands::{become_program, on_signals};
use super::console::Console;
use crate::context::Context;
use crate::deploy::{self, Order, Purpose};
use crate::error::Failure;
use crate::exit::Exit;
use crate::report::Output;
use crate::sql::{Plan, Tool, plan};

/// Becomes Flink's own program, or deploys a script.
pub(super) async fn run(
    context: &Context,
    console: &Arc<Console>,
    tool: Tool,
    words: &[OsString],
) -> Result<Exit, Failure> {
    let (setup, program) = match plan(context, tool, words, &**console).await? {
        Plan::Become(command) => return become_program(command),
        Plan::Deploy(what) => *what,
    };
    setup.warnings.iter().for_each(|warning| console.err(&format!("warning: {warning}")));
    let order = Order::new(setup, context.clone(), Purpose::Application(program));
    let deployment = deploy::deploy(order, Arc::<Console>::clone(console), &on_signals()?).await?;
    // As Flink's own client tells it.
    console.out(&format!("[INFO] Deploy script in application mode:\nCluster ID: {}", deployment.id));
    Ok(Exit::Done)
}
