//! Asks heddle-am itself, by its control port.

use diagnosis::facts::Absent;
use flink_rest::{ConfigEntry, RestAddress};
use outcomes::{Account, Left};
use taskrunner::account;
use taskrunner::keys::Access;

use super::silence::unreachable;
use crate::control::address_in;

/// What heddle-am knows, in the form of its record. The address of the control port is in the JobManager's
/// configuration, which has answered at `job_manager`. For `classes`, those that exceptions name, it also
/// tells which jars hold them.
pub(super) async fn ask(
    config: &[ConfigEntry],
    job_manager: &RestAddress,
    access: &Access,
    classes: Vec<String>,
) -> Result<Left, Absent> {
    let address = address_in(config, job_manager).map_err(unreachable)?;
    let json = account::ask(&address, access, classes).await.map_err(|error| unreachable(error.why))?;
    Account::parse(&json).map(Left::from).ok_or_else(|| unreachable("its answer cannot be read"))
}
