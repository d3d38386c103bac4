//! What commands print for people. Pure.

pub(crate) mod applications;
pub(crate) mod bar;
pub(crate) mod gc;
pub(crate) mod memory;
pub(crate) mod plan;
pub(crate) mod query;
pub(crate) mod table;
pub(crate) mod timing;
