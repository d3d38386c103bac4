//! The generated messages. They stay inside this crate: callers see [`crate::records`].
#![allow(missing_docs, unreachable_pub, clippy::all)]

pub mod common {
    include!(concat!(env!("OUT_DIR"), "/hadoop.common.rs"));

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
    include!(concat!(env!("OUT_DIR"), "/hadoop.yarn.rs"));
}
