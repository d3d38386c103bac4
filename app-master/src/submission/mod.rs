//! A per-job cluster lives for one submission: [`service`] is what its client calls, [`policy`] decides when
//! and how the application ends.

pub mod policy;
pub mod service;
