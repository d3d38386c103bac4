//! Makes the texts that commands print for people. The modules do no I/O, so that tests can compare whole
//! texts.

pub(crate) mod adopt;
pub(crate) mod applications;
pub(crate) mod bar;
pub(crate) mod clean;
pub(crate) mod exits;
pub(crate) mod gc;
pub(crate) mod live_memory;
pub(crate) mod logs;
pub(crate) mod memory;
pub(crate) mod plan;
pub(crate) mod query;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod timing;
pub(crate) mod why;
