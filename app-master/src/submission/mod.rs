//! A per-job cluster lives for one submission: [`attendance`] hears the client, [`policy`] decides when and
//! how the application ends.

pub mod attendance;
pub mod policy;
