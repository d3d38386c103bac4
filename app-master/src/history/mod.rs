//! What has happened to the application: which containers were asked for, which run, and how they have ended.
//! It is told to clients that ask (`Cluster.Account` of the control protocol), written to the record that the
//! application leaves, and judged when the application ends.
//!
//! [`state`] is pure: it hears what the controller observes, and gets the time as an argument. It needs
//! little memory whatever happens: [`ends`] drops what is in the middle, and [`texts`] cuts what is long.
//! [`shared`] lets several tasks use one history, and [`pace`] decides when the record is written.

mod asks;
mod ends;
mod node_notes;
mod pace;
mod shared;
mod state;
mod texts;
mod told;

pub(crate) use pace::Pace;
pub(crate) use shared::SharedHistory;
pub(crate) use state::{Identity, Version, mode_text};
