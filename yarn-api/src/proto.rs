//! Messages generated from `proto/`; the crate `generated-code` generates and checks them. They stay inside
//! this crate: callers see [`crate::records`].
#![allow(missing_docs, unreachable_pub, clippy::all, reason = "this is what prost generates")]

pub mod common {
    include!("generated/hadoop.common.rs");

    impl std::fmt::Debug for Token {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Token")
                .field("kind", &self.kind)
                .field("service", &self.service)
                .finish_non_exhaustive()
        }
    }
}

pub mod yarn {
    include!("generated/hadoop.yarn.rs");
}
