//! A client of the JobManager's REST interface, with a typed method for each call that heddle uses. Every
//! call has a deadline, and it is repeated only if that does no harm.
//!
//! The crate knows the messages of Flink 1.13 to 2.3. It knows nothing of YARN, of the command line, or of
//! how errors are shown.

mod address;
mod api;
mod client;
mod encrypt;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod keystore;
mod tls;
mod types;
mod wait;

pub use address::{ParseAddressError, RestAddress, Scheme, WrittenAddress, bracketed};
pub use api::Trigger;
pub use client::{Download, RestClient, RestTimeouts};
pub use error::{FullText, RestError, telling_line};
pub use tls::{EncryptedStream, Tls, TlsError, no_certificates};
pub use types::*;
pub use wait::{Answer, Probe};
