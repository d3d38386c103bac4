//! One encrypted connection to a REST interface, for a caller that speaks HTTP on it by itself.

use std::io;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use crate::address::RestAddress;
use crate::error::{RestError, tls_error};
use crate::tls::{EncryptedStream, Tls};

impl Tls {
    /// Encrypts a connection to the REST interface at `address`, whose certificate has to count. It has no
    /// deadline of its own.
    pub async fn encrypt(
        &self,
        address: &RestAddress,
        stream: TcpStream,
    ) -> Result<EncryptedStream, RestError> {
        let name = ServerName::try_from(address.bare_host().to_owned())
            .map_err(|e| RestError::Local(format!("{address} is not an address: {e}")))?;
        let connected = self.connector().connect(name, stream).await;
        connected.map_err(|error: io::Error| match tls_error(&error) {
            Some(error) => self.refusal(address.to_string(), error),
            None => RestError::Broken { address: address.to_string(), reason: error.to_string() },
        })
    }
}
