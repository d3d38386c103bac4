//! What `heddle-taskrunner` does: a link to the ApplicationMaster, one JVM, and a core that decides.

mod config;
mod core;
mod files;
mod link;
mod run;

pub use config::{Config, ConfigError};
#[cfg(test)]
pub(crate) use files::write_all as write_files;
pub use run::run;
