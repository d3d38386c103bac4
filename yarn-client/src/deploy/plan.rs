//! All that is submitted, made of a checked order and of the files that the containers get.

use bytes::Bytes;
use flink_model::spec::AmSpec;
use yarn_api::records::SubmissionContext;

use super::archives;
use super::ground::{Ground, Placed};
use super::prepare::Prepared;
use super::submit::{self, InlineFiles};
use crate::error::Failure;
use crate::report::Report;

/// What YARN and the ApplicationMaster get, in one value. It holds no secret but in the contents of `inline`.
pub(crate) struct Plan {
    pub(crate) placed: Vec<Placed>,
    pub(crate) spec: AmSpec,
    pub(crate) context: SubmissionContext,
    /// Configuration files, the program, and the spec itself, by their names.
    pub(crate) inline: InlineFiles,
    /// The file with the spec, for the ApplicationMaster.
    pub(crate) order: Bytes,
}

/// Makes all that is submitted, of files that are not there yet: what is wrong with a setting is found before
/// the first byte is written.
pub(crate) fn rehearse(prepared: &Prepared, ground: &Ground) -> Result<(), Failure> {
    let shipped = prepared.shipped(ground.facts.application.id)?;
    let spec = submit::spec(prepared, ground, &shipped, &ground.names())?;
    submit::configuration_files(prepared, &shipped)?;
    submit::submission(prepared, ground, &spec, &[]).map(drop)
}

/// Makes the plan for files that are, or will be, where `placed` says.
pub(crate) async fn plan(
    prepared: &Prepared,
    ground: &Ground,
    placed: Vec<Placed>,
    report: &dyn Report,
) -> Result<Plan, Failure> {
    let shipped = prepared.shipped(ground.facts.application.id)?;
    let mut spec = submit::spec(prepared, ground, &shipped, &placed)?;
    let archives = prepared
        .timing
        .time("class data archives looked at", archives::add(ground, &placed, &mut spec, report));
    let archives = archives.await;
    let order = serde_json::to_vec_pretty(&spec)
        .map_err(|e| Failure::because("cannot write the order to the ApplicationMaster", e))?;
    let inline = submit::configuration_files(prepared, &shipped)?;
    let resources: Vec<_> = placed.iter().map(|p| p.resource.clone()).chain(archives).collect();
    let context = submit::submission(prepared, ground, &spec, &resources)?;
    Ok(Plan { placed, spec, context, inline, order: order.into() })
}
