//! Messages generated from `proto/rpc.proto`; the crate `generated-code` generates and checks them.
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "this is what prost generates")]

include!("generated/hadoop.rpc.rs");
