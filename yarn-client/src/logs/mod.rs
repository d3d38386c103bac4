//! Finds and reads the logs of an application's containers (`heddle logs`). While the application runs, they
//! come from the NodeManagers that have them, and afterwards from the file system on which YARN has collected
//! them. Nothing here is about heddle: the applications of Flink's own client have the same logs.
//!
//! [`find`] says which logs there are, and of what is missing why. [`show`] hands their lines to a [`Show`],
//! and [`follow`] goes on with lines that are written later. [`Tails`] reads the ends of logs as they are.

mod collected;
mod ended;
mod find;
mod follow;
mod lines;
mod live;
mod missing;
mod node_web;
mod opened;
mod places;
mod show;
mod stored;
mod tail;
mod types;

pub(crate) use ended::{OnNode, ended};
pub use find::find;
pub use follow::follow;
pub use lines::{Filter, Lines};
pub use missing::Missing;
pub use show::{Ends, Show, show};
pub use tail::{Tail, Tails};
pub use types::{Catalog, ContainerLogs, Log, Request, Source};
pub use yarn_logs::select::{Role, Which};
