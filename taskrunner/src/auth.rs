//! How a caller proves to the control server who it is, and how the server checks the proof. The proof is
//! bound to the TLS connection ([`crate::keys`]).

use std::fmt;

use tonic::Status;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use crate::control::{Hello, Refusal, Refused};
use crate::keys::{Access, Binding, ControlKeys, Role};

/// The metadata key of gRPC calls that has the client's proof as its value.
pub const AUTHORIZATION_KEY: &str = "authorization";
/// What the value begins with; the proof follows in hexadecimal digits.
const SCHEME: &str = "Heddle ";
/// The version of the protocol between taskrunner and ApplicationMaster, in `Hello`. Both programs come from
/// the same client and are of the same release, so no other version is accepted.
pub const PROTOCOL: u32 = 3;

/// Puts the client's proof for this connection into a gRPC call. The value is marked as sensitive, so that no
/// log of headers shows it.
pub fn put_proof(metadata: &mut MetadataMap, access: &Access, binding: &Binding) -> Result<(), Status> {
    let bad = |_| Status::invalid_argument("the proof cannot go into a header");
    let value = format!("{SCHEME}{}", hex::encode(access.prove(binding)));
    let mut value: MetadataValue<Ascii> = value.parse().map_err(bad)?;
    value.set_sensitive(true);
    metadata.insert(AUTHORIZATION_KEY, value);
    Ok(())
}

/// Whether a gRPC call comes from the client of the application. Nobody else may make calls.
pub fn is_client(metadata: &MetadataMap, keys: &ControlKeys, binding: &Binding) -> bool {
    let proof = metadata
        .get(AUTHORIZATION_KEY)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix(SCHEME))
        .and_then(|value| hex::decode(value).ok());
    proof.is_some_and(|proof| keys.verify(&Role::Client, binding, &proof))
}

/// The first event of a taskrunner.
pub fn hello(access: &Access, binding: &Binding, container: &str, host: &str, jvm_pid: u32) -> Hello {
    Hello {
        protocol: PROTOCOL,
        container_id: container.to_owned(),
        host: host.to_owned(),
        jvm_pid,
        proof: access.prove(binding),
    }
}

/// Checks the first event of a taskrunner: first the proof, then the version of the protocol.
pub fn check_hello(hello: &Hello, keys: &ControlKeys, binding: &Binding) -> Result<(), Refused> {
    let refused = |why: Refusal, message: String| Err(Refused { why: why.into(), message });
    let role = Role::Worker(hello.container_id.clone());
    if hello.container_id.is_empty() || !keys.verify(&role, binding, &hello.proof) {
        let message = "the key is not that of this application's container";
        return refused(Refusal::Unauthenticated, message.to_owned());
    }
    if hello.protocol != PROTOCOL {
        let message = format!(
            "the taskrunner speaks control protocol {}, this heddle-am {PROTOCOL}: they must be of one release",
            hello.protocol
        );
        return refused(Refusal::OtherRelease, message);
    }
    Ok(())
}

/// Leaves out the proof, so that no log shows it.
impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, container_id, host, jvm_pid, proof: _ } = self;
        f.debug_struct("Hello")
            .field("protocol", protocol)
            .field("container_id", container_id)
            .field("host", host)
            .field("jvm_pid", jvm_pid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::LENGTH;

    const HERE: Binding = Binding([1; LENGTH]);
    const ELSEWHERE: Binding = Binding([2; LENGTH]);

    fn keys() -> ControlKeys {
        ControlKeys::generate([7; LENGTH]).unwrap()
    }

    fn worker(keys: &ControlKeys, container: &str) -> Access {
        keys.access(Role::Worker(container.to_owned())).unwrap()
    }

    #[test]
    fn only_the_client_may_make_calls_and_only_on_its_own_connection() {
        let keys = keys();
        let mut metadata = MetadataMap::new();
        assert!(!is_client(&metadata, &keys, &HERE));
        put_proof(&mut metadata, &keys.access(Role::Client).unwrap(), &HERE).unwrap();
        assert!(is_client(&metadata, &keys, &HERE));
        assert!(!is_client(&metadata, &keys, &ELSEWHERE));
        assert!(format!("{metadata:?}").contains("Sensitive"));
        put_proof(&mut metadata, &worker(&keys, "container_1"), &HERE).unwrap();
        assert!(!is_client(&metadata, &keys, &HERE));
        for nonsense in ["Heddle ", "Heddle zz", "Bearer 00", "Heddle 00"] {
            metadata.insert(AUTHORIZATION_KEY, nonsense.parse().unwrap());
            assert!(!is_client(&metadata, &keys, &HERE), "{nonsense}");
        }
    }

    #[test]
    fn a_hello_says_who_and_proves_it() {
        let keys = keys();
        let good = hello(&worker(&keys, "c1"), &HERE, "c1", "h", 0);
        let why =
            |hello: &Hello, binding| check_hello(hello, &keys, binding).map_err(|refused| refused.why());
        assert_eq!(why(&good, &HERE), Ok(()));
        assert_eq!(why(&good, &ELSEWHERE), Err(Refusal::Unauthenticated));
        let others = Hello { container_id: "c2".into(), ..good.clone() };
        assert_eq!(why(&others, &HERE), Err(Refusal::Unauthenticated));
        assert_eq!(why(&Hello { proof: Vec::new(), ..good.clone() }, &HERE), Err(Refusal::Unauthenticated));
        let nobody = hello(&worker(&keys, ""), &HERE, "", "h", 0);
        assert_eq!(why(&nobody, &HERE), Err(Refusal::Unauthenticated));
        let client = Hello { proof: keys.access(Role::Client).unwrap().prove(&HERE), ..good.clone() };
        assert_eq!(why(&client, &HERE), Err(Refusal::Unauthenticated));
        assert_eq!(why(&Hello { protocol: 1, ..good.clone() }, &HERE), Err(Refusal::OtherRelease));
        // A caller with a wrong key does not learn the version of the protocol.
        let other = Hello { protocol: 1, proof: vec![0; LENGTH], ..good.clone() };
        assert_eq!(why(&other, &HERE), Err(Refusal::Unauthenticated));
        let shown = format!("{good:?}");
        assert!(shown.contains("\"c1\"") && !shown.contains("proof"), "{shown}");
    }
}
