//! Kerberos for Hadoop RPC: the SASL mechanism GSSAPI over MIT's library `libgssapi_krb5.so.2`, which is
//! loaded at run time. Programs start without it, and need it only when [`Library::load`] is called.
//!
//! [`TicketSource`] says where the client's tickets come from (a ticket cache, or a keytab with a
//! principal), and [`ServerRule`] who the server must be. Both together are a [`Kerberos`], which
//! hadoop-rpc takes as a `SaslMethod::Other`; [`TicketLogin`] makes one for each kind of server. Nothing of
//! the process's environment is changed; the library reads `KRB5_CONFIG` and, for the default cache,
//! `KRB5CCNAME`.
//!
//! # Blocking
//!
//! The library blocks. When it asks a KDC that does not answer, one call takes up to a minute, and nothing
//! can end it earlier. So all functions that can ask the KDC ([`TicketSource::acquire`], the first
//! [`Context::step`], and [`Kerberos`]) are for a thread that may block, and the caller has the deadline.
//!
//! # Unsafe code
//!
//! Three modules have it. `raw` is the C interface: types and a table of functions, each with its contract.
//! `library` loads the library, once and for the rest of the process. `calls` makes safe functions of the
//! table: what the library hands out has an owner that frees it when it is dropped, and a status becomes an
//! error. All else is safe code.

mod calls;
mod context;
mod credentials;
mod error;
mod factory;
mod glob;
#[cfg(test)]
mod kdc_tests;
mod keytab;
mod library;
mod login;
mod raw;
mod sasl;
mod server;

pub use context::{Context, Step};
pub use credentials::{Credentials, TicketSource};
pub use error::GssError;
pub use factory::Kerberos;
pub use keytab::{Keytab, KeytabEntry};
pub use library::Library;
pub use login::TicketLogin;
pub use server::{Peer, ServerRule};
