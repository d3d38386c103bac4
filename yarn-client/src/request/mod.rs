//! A deployment that another program of this machine asks for, such as one that embeds Flink's own client. It
//! writes into a file what it knows as values: the configuration, the files to ship, the sizes.
//! `docs/in-process.md` describes the file.
//!
//! [`Request`] is what the file says. It is turned into the surroundings of a deployment
//! ([`Request::context`], [`Request::setup`]) and into the cluster that is wanted ([`Request::manifest`]).

mod manifest;
mod read;
mod surroundings;
mod value;

#[cfg(test)]
mod tests;

pub use value::{ClusterSizes, MoreSettings, Request, RequestedProgram, VERSION};
