//! The keys of an application's control server. The client makes a root and a key pair with a certificate for
//! each application, and gives them to the ApplicationMaster alone. Each caller has a key of its own, which
//! is derived from the root, and the SHA-256 of the certificate, by which it knows the server.
//!
//! A caller never sends its key. It proves that it has the key by an HMAC of the channel's binding, so the
//! proof is good for this one TLS connection: neither a replay nor a relay of it is accepted. All of it is in
//! credentials, which survive the attempts of an application, so a later attempt has the same keys.

use std::fmt;

use flink_model::spec::{
    CONTROL_CERTIFICATE_ALIAS, CONTROL_PIN_ALIAS, CONTROL_PRIVATE_KEY_ALIAS, CONTROL_ROOT_ALIAS,
    CONTROL_WORKER_KEY_ALIAS,
};
use hadoop_rpc::Credentials;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use ring::{digest, hkdf, hmac};

/// The bytes of a root, of a key, of a binding and of a pin.
pub const LENGTH: usize = 32;
/// What a proof is computed of begins with this, so that it is of no use anywhere else.
const CHANNEL: &[u8] = b"heddle control channel\0";

/// Why there are no usable keys. To try again does not help.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The credentials lack an entry, or it is none of heddle's making.
    #[error("the container's credentials hold no usable `{0}`")]
    Missing(&'static str),
    /// The key pair or its certificate could not be made.
    #[error("cannot make the key of the control server: {0}")]
    Make(#[from] rcgen::Error),
    /// A key could not be derived from the root.
    #[error("cannot derive a key for the control server")]
    Derive,
}

/// Who calls the control server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// The client that has started the application.
    Client,
    /// The taskrunner in the container with this id.
    Worker(String),
}

impl Role {
    /// For a key of this role, and for a proof. The name of the role ends with a byte that ids do not have.
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Client => b"client\0".to_vec(),
            Self::Worker(container) => [b"worker\0", container.as_bytes()].concat(),
        }
    }
}

/// The key of one caller.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; LENGTH]);

impl Key {
    /// The key with these bytes; `None` if their number is wrong.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The HMAC-SHA256 of a message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.hmac(), message).as_ref().to_vec()
    }

    /// Whether it is the HMAC of the message. The comparison takes the same time wherever they differ.
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        hmac::verify(&self.hmac(), message, mac).is_ok()
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

/// Shows nothing of the key, so that no log does.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

/// What both ends of one TLS connection know of it and nobody else does (RFC 9266, RFC 5705).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Binding(pub(crate) [u8; LENGTH]);

impl Binding {
    fn message(&self, role: &Role) -> Vec<u8> {
        [CHANNEL, &self.0, &role.bytes()].concat()
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding(hidden)")
    }
}

/// The SHA-256 of the control server's certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; LENGTH]);

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({})", hex::encode(self.0))
    }
}

impl Pin {
    /// The pin with these bytes; `None` if their number is wrong.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Of a certificate.
    pub fn of(certificate: &[u8]) -> Self {
        let mut pin = [0; LENGTH];
        pin.copy_from_slice(digest::digest(&digest::SHA256, certificate).as_ref());
        Self(pin)
    }
}

/// What a caller needs: who it is, its key, and how it knows the server.
#[derive(Debug, Clone)]
pub struct Access {
    role: Role,
    key: Key,
    pin: Pin,
}

impl Access {
    /// From its parts.
    pub fn new(role: Role, key: Key, pin: Pin) -> Self {
        Self { role, key, pin }
    }

    /// That of the taskrunner in `container`, from the container's credentials.
    pub fn of_worker(credentials: &Credentials, container: &str) -> Result<Self, KeyError> {
        let key = Key::new(entry(credentials, CONTROL_WORKER_KEY_ALIAS)?);
        let pin = Pin::new(entry(credentials, CONTROL_PIN_ALIAS)?);
        Ok(Self {
            role: Role::Worker(container.to_owned()),
            key: key.ok_or(KeyError::Missing(CONTROL_WORKER_KEY_ALIAS))?,
            pin: pin.ok_or(KeyError::Missing(CONTROL_PIN_ALIAS))?,
        })
    }

    /// The proof for one connection.
    pub fn prove(&self, binding: &Binding) -> Vec<u8> {
        self.key.sign(&binding.message(&self.role))
    }

    /// The caller's own key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The pin of the server's certificate.
    pub fn pin(&self) -> &Pin {
        &self.pin
    }
}

/// All keys of an application, as the client makes them and the ApplicationMaster has them.
#[derive(Clone)]
pub struct ControlKeys {
    root: Key,
    /// PKCS #8.
    private_key: Vec<u8>,
    /// DER.
    certificate: Vec<u8>,
}

impl ControlKeys {
    /// Makes those of a new application. `root` must be random. The key pair is of the curve P-256. Nobody
    /// looks at the certificate's names and times: callers compare the whole certificate with the pin.
    pub fn generate(root: [u8; LENGTH]) -> Result<Self, KeyError> {
        let pair = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "heddle control server");
        let certificate = params.self_signed(&pair)?.der().to_vec();
        Ok(Self { root: Key(root), private_key: pair.serialize_der(), certificate })
    }

    /// From the ApplicationMaster's credentials.
    pub fn read(credentials: &Credentials) -> Result<Self, KeyError> {
        let root = Key::new(entry(credentials, CONTROL_ROOT_ALIAS)?);
        Ok(Self {
            root: root.ok_or(KeyError::Missing(CONTROL_ROOT_ALIAS))?,
            private_key: entry(credentials, CONTROL_PRIVATE_KEY_ALIAS)?.to_vec(),
            certificate: entry(credentials, CONTROL_CERTIFICATE_ALIAS)?.to_vec(),
        })
    }

    /// Puts them into the ApplicationMaster's credentials.
    pub fn put(&self, credentials: &mut Credentials) {
        credentials.secrets.extend([
            (CONTROL_ROOT_ALIAS.to_owned(), self.root.0.to_vec()),
            (CONTROL_PRIVATE_KEY_ALIAS.to_owned(), self.private_key.clone()),
            (CONTROL_CERTIFICATE_ALIAS.to_owned(), self.certificate.clone()),
        ]);
    }

    /// Puts what the taskrunner in `container` needs into its credentials.
    pub fn put_worker(&self, container: &str, credentials: &mut Credentials) -> Result<(), KeyError> {
        let key = self.key(&Role::Worker(container.to_owned()))?;
        credentials.secrets.insert(CONTROL_WORKER_KEY_ALIAS.to_owned(), key.0.to_vec());
        credentials.secrets.insert(CONTROL_PIN_ALIAS.to_owned(), self.pin().0.to_vec());
        Ok(())
    }

    /// What a caller of this role needs.
    pub fn access(&self, role: Role) -> Result<Access, KeyError> {
        Ok(Access { key: self.key(&role)?, role, pin: self.pin() })
    }

    /// The key of a role: HKDF-SHA256 of the root.
    pub fn key(&self, role: &Role) -> Result<Key, KeyError> {
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&self.root.0);
        let mut key = [0; LENGTH];
        let info = role.bytes();
        let filled = derived.expand(&[&info], Length).and_then(|material| material.fill(&mut key));
        filled.map(|()| Key(key)).map_err(|_| KeyError::Derive)
    }

    /// Whether `proof` shows, for the connection with this binding, that the caller has the key of the role.
    pub fn verify(&self, role: &Role, binding: &Binding, proof: &[u8]) -> bool {
        self.key(role).is_ok_and(|key| key.verify(&binding.message(role), proof))
    }

    /// The pin of the certificate.
    pub fn pin(&self) -> Pin {
        Pin::of(&self.certificate)
    }

    pub(crate) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    pub(crate) fn private_key(&self) -> &[u8] {
        &self.private_key
    }
}

/// Shows no key, so that no log does.
impl fmt::Debug for ControlKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlKeys").field("pin", &self.pin()).finish_non_exhaustive()
    }
}

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        LENGTH
    }
}

fn entry<'a>(credentials: &'a Credentials, alias: &'static str) -> Result<&'a [u8], KeyError> {
    let found = credentials.secrets.get(alias).filter(|bytes| !bytes.is_empty());
    found.map(Vec::as_slice).ok_or(KeyError::Missing(alias))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(id: &str) -> Role {
        Role::Worker(id.to_owned())
    }

    #[test]
    fn a_proof_is_good_for_one_caller_and_one_connection() {
        let keys = ControlKeys::generate([7; LENGTH]).unwrap();
        let (here, elsewhere) = (Binding([1; LENGTH]), Binding([2; LENGTH]));
        let roles = [Role::Client, worker("container_1"), worker("container_2"), worker("")];
        for role in &roles {
            let proof = keys.access(role.clone()).unwrap().prove(&here);
            for other in &roles {
                assert_eq!(keys.verify(other, &here, &proof), role == other, "{role:?} as {other:?}");
                assert!(!keys.verify(other, &elsewhere, &proof), "replayed");
            }
            assert!(!keys.verify(role, &here, &proof[1..]) && !keys.verify(role, &here, &[]));
        }
        let other = ControlKeys::generate([8; LENGTH]).unwrap();
        let proof = other.access(Role::Client).unwrap().prove(&here);
        assert!(!keys.verify(&Role::Client, &here, &proof), "of another application");
        assert_ne!(keys.pin(), other.pin());
    }

    #[test]
    fn credentials_of_a_worker_hold_its_own_key_and_the_pin_alone() {
        let keys = ControlKeys::generate([7; LENGTH]).unwrap();
        let mut credentials = Credentials::default();
        keys.put(&mut credentials);
        let read = ControlKeys::read(&credentials).unwrap();
        assert_eq!((read.pin(), read.root.0), (keys.pin(), [7; LENGTH]));
        let mut of_worker = Credentials::default();
        keys.put_worker("container_1", &mut of_worker).unwrap();
        let aliases: Vec<&String> = of_worker.secrets.keys().collect();
        assert_eq!(aliases, [CONTROL_PIN_ALIAS, CONTROL_WORKER_KEY_ALIAS]);
        assert!(!of_worker.secrets.values().any(|secret| secret == &[7; LENGTH]));
        let access = Access::of_worker(&of_worker, "container_1").unwrap();
        let binding = Binding([3; LENGTH]);
        assert!(keys.verify(&worker("container_1"), &binding, &access.prove(&binding)));
        assert_eq!(*access.pin(), keys.pin());
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_secret_is_shown() {
        let keys = ControlKeys::generate([7; LENGTH]).unwrap();
        let mut credentials = Credentials::default();
        keys.put(&mut credentials);
        credentials.secrets.insert(CONTROL_ROOT_ALIAS.to_owned(), vec![1; 5]);
        let error = ControlKeys::read(&credentials).unwrap_err().to_string();
        assert!(error.contains(CONTROL_ROOT_ALIAS), "{error}");
        let error = Access::of_worker(&credentials, "c").unwrap_err().to_string();
        assert!(error.contains(CONTROL_WORKER_KEY_ALIAS), "{error}");
        let shown = format!("{keys:?} {:?} {:?}", keys.access(Role::Client), Binding([9; LENGTH]));
        assert!(!shown.contains("7, 7") && !shown.contains("9, 9") && shown.contains("hidden"), "{shown}");
    }
}
