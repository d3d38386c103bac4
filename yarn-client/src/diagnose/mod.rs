//! Facts for the diagnosis of an application.

pub(crate) mod cluster;
