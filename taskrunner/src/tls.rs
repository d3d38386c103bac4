//! The encrypted channel between the control server and its callers: TLS 1.3 with the server's certificate
//! pinned. The application protocol (ALPN) says whether a connection is a taskrunner's link or is for gRPC.
//!
//! A caller sends nothing but its TLS greeting before the server has shown that it has the private key of the
//! pinned certificate. So whoever has taken the port of an ApplicationMaster that is gone learns nothing.
//!
//! A large cluster has a thousand links, so a connection keeps as little memory as possible: there are no
//! session tickets, records and buffers are small, and the state of the handshake is on the heap and freed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, ConnectionCommon, DigitallySignedStruct, ServerConfig, SideData,
    SignatureScheme,
};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::keys::{Binding, ControlKeys, LENGTH, Pin};

/// Names what is exported from a connection as its binding.
const EXPORTER: &[u8] = b"EXPORTER-heddle-control";
/// The largest record that is sent, in bytes. It keeps the reader's buffer at its least size.
const RECORD: usize = 4096;
/// How many bytes may wait in a connection to be sent.
const BUFFER: usize = 16 << 10;
/// A name for the greeting, which does not carry it.
const NAME: &str = "heddle";

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The link of a taskrunner ([`crate::wire`]).
    Link,
    /// Calls of a client.
    Grpc,
}

impl Purpose {
    const ALL: [Self; 2] = [Self::Link, Self::Grpc];

    /// The name of the application protocol.
    fn alpn(self) -> &'static [u8] {
        match self {
            Self::Link => b"heddle-link/3",
            Self::Grpc => b"h2",
        }
    }

    fn of(alpn: Option<&[u8]>) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| Some(purpose.alpn()) == alpn)
    }
}

/// An encrypted connection.
#[derive(Debug)]
pub struct Secured<S> {
    /// Its stream.
    pub stream: S,
    /// What the proof of the caller is bound to.
    pub binding: Binding,
}

/// The stream of a caller.
pub type CallerStream = Box<client::TlsStream<TcpStream>>;
/// The stream of the server. It is on the heap, so that what holds it is small.
pub type ServerStream = Box<server::TlsStream<TcpStream>>;

/// Why a caller has no connection. Another try may help: the address may be that of another process for a
/// moment.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// TCP, or the connection broke.
    #[error("cannot connect: {0}")]
    Io(#[source] io::Error),
    /// TLS cannot be used here.
    #[error("cannot use TLS: {0}")]
    Tls(#[source] rustls::Error),
    /// The other side has another certificate, or none that it has the key of.
    #[error("who listens there is not the ApplicationMaster of this application: it was sent nothing")]
    Stranger,
    /// The other side does not speak TLS.
    #[error(
        "who listens there speaks in plain text, as the ApplicationMaster of an older heddle does: it was sent nothing"
    )]
    Plain,
    /// The other side has hung up in the middle of the handshake.
    #[error("who listens there hung up, as the ApplicationMaster of an older heddle does, or one that ends")]
    HungUp,
}

/// Why the server has not taken a connection.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The caller does not speak TLS.
    #[error(
        "it speaks in plain text: it is a client or taskrunner of an older heddle, which this ApplicationMaster \
         does not serve, or a stranger"
    )]
    Plain,
    /// The caller names no protocol that is known here.
    #[error("it names no protocol of this release")]
    Protocol,
    /// The connection broke, or its handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Io(#[source] io::Error),
}

/// The server's side; clones share it.
#[derive(Clone)]
pub struct TlsServer(TlsAcceptor);

impl TlsServer {
    /// For the certificate of these keys.
    pub fn new(keys: &ControlKeys) -> Result<Self, rustls::Error> {
        let certificate = CertificateDer::from(keys.certificate().to_vec());
        let key = PrivatePkcs8KeyDer::from(keys.private_key().to_vec());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.into())?;
        config.alpn_protocols = Purpose::ALL.map(|purpose| purpose.alpn().to_vec()).to_vec();
        config.max_fragment_size = Some(RECORD);
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Makes the handshake. It has no deadline of its own.
    pub async fn accept(&self, stream: TcpStream) -> Result<(Purpose, Secured<ServerStream>), AcceptError> {
        let handshake = self.0.accept_with(stream, |connection| connection.set_buffer_limit(Some(BUFFER)));
        let stream = Box::pin(handshake).await.map_err(|error| match tls_error(&error) {
            Some(rustls::Error::InvalidMessage(_)) => AcceptError::Plain,
            Some(rustls::Error::NoApplicationProtocol) => AcceptError::Protocol,
            _ => AcceptError::Io(error),
        })?;
        let connection = stream.get_ref().1;
        let purpose = Purpose::of(connection.alpn_protocol()).ok_or(AcceptError::Protocol)?;
        let binding = binding(connection).map_err(|e| AcceptError::Io(io::Error::other(e)))?;
        Ok((purpose, Secured { stream: Box::new(stream), binding }))
    }
}

/// Connects to the control server at `address` (`host:port`), which must have the pinned certificate.
/// `within` is for TCP, and again for the handshake.
pub async fn connect(
    address: &str,
    purpose: Purpose,
    pin: &Pin,
    within: Duration,
) -> Result<Secured<CallerStream>, ConnectError> {
    let stream = dial(address, within).await.map_err(ConnectError::Io)?;
    let provider = provider();
    let verifier = Pinned { pin: *pin, provider: provider.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(ConnectError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![purpose.alpn().to_vec()];
    config.max_fragment_size = Some(RECORD);
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    let name = ServerName::try_from(NAME).map_err(|e| ConnectError::Io(io::Error::other(e)))?;
    let handshake = TlsConnector::from(Arc::new(config))
        .connect_with(name, stream, |connection| connection.set_buffer_limit(Some(BUFFER)));
    let stream = timeout(within, Box::pin(handshake)).await.map_err(|_| ConnectError::Io(timed_out()))?;
    let stream = stream.map_err(|error| match tls_error(&error) {
        Some(rustls::Error::InvalidMessage(_)) => ConnectError::Plain,
        Some(rustls::Error::InvalidCertificate(_)) => ConnectError::Stranger,
        Some(other) => ConnectError::Tls(other.clone()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => ConnectError::HungUp,
        None => ConnectError::Io(error),
    })?;
    let connection = stream.get_ref().1;
    if Purpose::of(connection.alpn_protocol()) != Some(purpose) {
        return Err(ConnectError::Tls(rustls::Error::NoApplicationProtocol));
    }
    let binding = binding(connection).map_err(ConnectError::Tls)?;
    Ok(Secured { stream: Box::new(stream), binding })
}

/// The only provider of cryptography here.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn binding<D: SideData>(connection: &ConnectionCommon<D>) -> Result<Binding, rustls::Error> {
    connection.export_keying_material([0; LENGTH], EXPORTER, None).map(Binding)
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn timed_out() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut)
}

/// Tries all addresses of the name in turn.
async fn dial(address: &str, within: Duration) -> io::Result<TcpStream> {
    let found = timeout(within, lookup_host(address)).await.map_err(|_| timed_out())??;
    let addresses: Vec<SocketAddr> = found.collect();
    let share = within / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Messages are small and somebody waits for each.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = timed_out(),
        }
    }
    Err(last)
}

/// Accepts the one certificate that is pinned, and only from who has its private key.
#[derive(Debug)]
struct Pinned {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if Pin::of(certificate) == self.pin {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(20);

    fn keys() -> ControlKeys {
        ControlKeys::generate([1; LENGTH]).unwrap()
    }

    async fn listen() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    #[tokio::test]
    async fn both_ends_agree_on_purpose_and_binding_and_each_connection_has_its_own() {
        let keys = keys();
        let server = TlsServer::new(&keys).unwrap();
        let (listener, address) = listen().await;
        let mut bindings = Vec::new();
        for purpose in Purpose::ALL {
            let accepted = async { server.accept(listener.accept().await.unwrap().0).await.unwrap() };
            let pin = keys.pin();
            let (ours, theirs) = tokio::join!(accepted, connect(&address, purpose, &pin, WITHIN));
            assert_eq!(ours.0, purpose);
            let (mut near, mut far) = (ours.1, theirs.unwrap());
            assert_eq!(near.binding, far.binding);
            bindings.push(near.binding);
            // A half can be closed, and the other one still be used.
            far.stream.write_all(b"asks").await.unwrap();
            far.stream.shutdown().await.unwrap();
            let mut heard = Vec::new();
            near.stream.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"asks");
            near.stream.write_all(b"answers").await.unwrap();
            near.stream.shutdown().await.unwrap();
            heard.clear();
            far.stream.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"answers");
        }
        assert_ne!(bindings[0], bindings[1]);
    }

    #[tokio::test]
    async fn who_has_another_certificate_or_the_certificate_without_its_key_is_a_stranger() {
        let (ours, other) = (keys(), keys());
        // A thief of the certificate, which anybody sees, signs with a key of its own.
        let pair = rcgen::KeyPair::generate().unwrap();
        let key = PrivatePkcs8KeyDer::from(pair.serialize_der());
        let signing = rustls::crypto::ring::sign::any_supported_type(&key.into()).unwrap();
        let chain = vec![CertificateDer::from(ours.certificate().to_vec())];
        let certified = rustls::sign::CertifiedKey::new(chain, signing);
        let mut thief = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        thief.alpn_protocols = vec![Purpose::Link.alpn().to_vec()];
        for server in [TlsServer::new(&other).unwrap(), TlsServer(TlsAcceptor::from(Arc::new(thief)))] {
            let (listener, address) = listen().await;
            let accepted = async { server.accept(listener.accept().await.unwrap().0).await };
            let pin = ours.pin();
            let (accepted, connected) =
                tokio::join!(accepted, connect(&address, Purpose::Link, &pin, WITHIN));
            assert!(accepted.is_err());
            assert!(matches!(connected, Err(ConnectError::Stranger)), "{:?}", connected.err());
        }
    }

    #[tokio::test]
    async fn who_speaks_no_tls_is_named_so_on_both_sides() {
        let keys = keys();
        let (listener, address) = listen().await;
        let answering = async {
            let (mut plain, _) = listener.accept().await.unwrap();
            plain.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            let (hangs_up, _) = listener.accept().await.unwrap();
            // What has arrived is read, so that the end is no reset.
            hangs_up.readable().await.unwrap();
            let _ = hangs_up.try_read(&mut [0; 4096]);
        };
        let pin = keys.pin();
        let calling = async {
            let plain = connect(&address, Purpose::Grpc, &pin, WITHIN).await;
            assert!(matches!(plain, Err(ConnectError::Plain)), "{:?}", plain.err());
            let hung_up = connect(&address, Purpose::Grpc, &pin, WITHIN).await;
            assert!(matches!(hung_up, Err(ConnectError::HungUp)), "{:?}", hung_up.err());
        };
        tokio::join!(answering, calling);
        let server = TlsServer::new(&keys).unwrap();
        for old in [&b"hdl\0\0\0\0\x10................"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let accepted = async { server.accept(listener.accept().await.unwrap().0).await };
            let calling = async {
                let mut stream = TcpStream::connect(&address).await.unwrap();
                stream.write_all(old).await.unwrap();
                stream
            };
            let (accepted, _stream) = tokio::join!(accepted, calling);
            assert!(matches!(accepted, Err(AcceptError::Plain)), "{:?}", accepted.err());
        }
    }
}
