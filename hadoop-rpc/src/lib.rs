//! A client of Hadoop's RPC protocol (version 9), with what it needs: frames, SASL, credentials files and
//! Hadoop's configuration. The crate does not know the messages of YARN or HDFS.
//!
//! [`RpcClient`] calls the server at one address. [`RpcGroup`] calls whichever of several servers is active,
//! and repeats failed calls: [`RpcError::retry`] says whether another try can help, and the caller's
//! [`RetryPolicy`] says how often and how fast to try.

mod auth_to_local;
mod client;
mod conf;
mod conn;
mod credentials;
mod endpoint;
mod error;
mod fetches;
mod frame;
#[cfg(fuzzing)]
pub mod fuzzing;
mod group;
mod java_exceptions;
mod login;
mod options;
#[cfg(test)]
mod peer_tests;
mod policy;
mod proto;
mod protocol;
mod remote;
mod retry;
mod round;
mod sasl;
mod token_service;
mod user;

pub use auth_to_local::{AuthToLocal, NoRule};
pub use client::RpcClient;
pub use conf::{ConfError, Defaults, HadoopConf, Lookup, LookupDir, PropertyOrigin, TimeUnit};
pub use credentials::{Credentials, CredentialsError, Token, TokenFormat, TokenSource};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{ErrorKind, RpcError, Sent};
pub use fetches::Fetches;
pub use group::{OnActive, OnWait, RpcGroup};
pub use java_exceptions::RemoteKind;
pub use login::{KerberosLogin, Login};
pub use options::{CallOptions, ClientOptions};
pub use policy::Authentication;
pub use protocol::{Protocol, ProtocolSecurity};
pub use remote::RemoteException;
pub use retry::{Retry, RetryPolicy};
pub use sasl::{AuthPolicy, KerberosProblem, Mechanism, MechanismFactory, Protection, SaslConnection};
pub use sasl::{SaslError, SaslMethod, SaslOffer, SecurityLayer, TokenSelector, Unwrap, Wrap};
pub use token_service::TokenService;
pub use user::{UserIdentity, os_user, user_name};
