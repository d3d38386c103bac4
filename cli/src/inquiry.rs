//! Finds the application that `heddle status` and `heddle why` are about: the one that is named, or else the
//! session that was started last.

use flink_model::config::Configuration;
use yarn_api::records::ApplicationId;
use yarn_client::application::parse_id;
use yarn_client::context::Context;
use yarn_client::diagnose::Inquiry;
use yarn_client::error::Failure;
use yarn_client::session_name;
use yarn_client::target::{self, Target};

use super::console::{Console, ToStderr};
use super::housekeeping::configuration;
use super::options::AnswerOptions;

/// An application, and what its witnesses are asked with.
pub(super) struct Named {
    pub(super) id: ApplicationId,
    pub(super) inquiry: Inquiry,
}

/// The application that a command names. `verb` is the command, for messages.
pub(super) async fn named(
    context: &Context,
    console: &Console,
    (verb, applications): (&str, &[String]),
    options: &AnswerOptions,
) -> Result<Named, Failure> {
    let id = match applications {
        [] => None,
        [one] => Some(parse_id(one)?),
        _ => return Err(Failure::usage("only one application can be named")),
    };
    let mut configuration = configuration(context, console, &options.property)?;
    let named = match id {
        Some(id) => session_name::Named::Id(id),
        None => chosen(context, console, verb, &mut configuration)?,
    };
    let inquiry = Inquiry::load(context, &configuration).await?;
    let id = named.id(inquiry.hadoop()).await?;
    Ok(Named { id, inquiry })
}

/// The application that the configuration or the properties file names.
fn chosen(
    context: &Context,
    console: &Console,
    verb: &str,
    configuration: &mut Configuration,
) -> Result<session_name::Named, Failure> {
    // What is said of the properties file goes to stderr, because stdout begins with the verdict.
    match target::choose(None, configuration, context, &ToStderr(console))? {
        Target::Application { id, .. } => Ok(session_name::Named::Id(id)),
        Target::Session(name) => Ok(session_name::Named::Session(name)),
        Target::Address(_) | Target::Assumed(_) => Err(Failure::usage(format!(
            "the application id is missing, and no session is known: heddle {verb} [options] <application id>"
        ))
        .hint("`heddle ps --all` lists your applications")),
    }
}
