//! Sends and checks the control secret, with which a caller of the control server proves that it belongs to
//! the application.

use std::fmt;

use tonic::Status;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use crate::control::{Hello, Refusal, Refused};

/// The metadata key of gRPC calls that has the control secret as its value.
pub const AUTHORIZATION_KEY: &str = "authorization";
/// The version of the protocol between taskrunner and ApplicationMaster, in `Hello`. Both programs come from
/// the same client and are of the same release, so no other version is accepted.
pub const PROTOCOL: u32 = 2;

const WRONG: &str = "the secret is not this application's";

/// Puts the control secret into a gRPC call, as `Bearer <hex>`. The value is marked as sensitive, so that no
/// log of headers shows it.
pub fn put_secret(metadata: &mut MetadataMap, secret: &[u8]) -> Result<(), Status> {
    let bad = |_| Status::invalid_argument("the application secret cannot go into a header");
    let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", hex::encode(secret)).parse().map_err(bad)?;
    bearer.set_sensitive(true);
    metadata.insert(AUTHORIZATION_KEY, bearer);
    Ok(())
}

/// Checks that a gRPC call has the application's control secret. The error is UNAUTHENTICATED.
#[allow(clippy::result_large_err, reason = "an error of a gRPC handler is a Status")]
pub fn check_secret(metadata: &MetadataMap, secret: &[u8]) -> Result<(), Status> {
    let given = metadata
        .get(AUTHORIZATION_KEY)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "))
        .and_then(|v| hex::decode(v).ok())
        .ok_or_else(|| Status::unauthenticated("no usable application secret in the call"))?;
    if is_same(&given, secret) { Ok(()) } else { Err(Status::unauthenticated(WRONG)) }
}

/// Checks the first event of a taskrunner: first the control secret, then the version of the protocol and the
/// container's id.
pub fn check_hello(hello: &Hello, secret: &[u8]) -> Result<(), Refused> {
    let refused = |why: Refusal, message: String| Err(Refused { why: why.into(), message });
    if !is_same(&hello.secret, secret) {
        return refused(Refusal::Unauthenticated, WRONG.to_owned());
    }
    if hello.protocol != PROTOCOL {
        let message = format!(
            "the taskrunner speaks control protocol {}, this heddle-am {PROTOCOL}: they must be of one release",
            hello.protocol
        );
        return refused(Refusal::OtherRelease, message);
    }
    if hello.container_id.is_empty() {
        return refused(Refusal::BadHello, "the taskrunner does not name its container".to_owned());
    }
    Ok(())
}

/// Whether `given` is the secret. The comparison takes the same time wherever the first difference is, so
/// that the time reveals nothing about the secret. An empty secret never matches.
fn is_same(given: &[u8], secret: &[u8]) -> bool {
    let differences = given.iter().zip(secret).fold(0u8, |acc, (a, b)| acc | (a ^ b));
    !secret.is_empty() && given.len() == secret.len() && differences == 0
}

/// Leaves out the control secret, so that no log shows it.
impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { protocol, container_id, host, jvm_pid, secret: _ } = self;
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

    #[test]
    fn only_the_same_secret_passes() {
        let mut metadata = MetadataMap::new();
        assert!(check_secret(&metadata, b"s").is_err());
        put_secret(&mut metadata, b"secret").unwrap();
        assert!(check_secret(&metadata, b"secret").is_ok());
        for other in [&b"secreT"[..], b"secret2", b"secre", b""] {
            assert!(check_secret(&metadata, other).is_err());
        }
        assert!(!format!("{metadata:?}").contains(&hex::encode(b"secret")));
    }

    #[test]
    fn a_hello_says_who_and_proves_it() {
        let hello = Hello {
            protocol: PROTOCOL,
            container_id: "c".into(),
            secret: b"secret".to_vec(),
            ..Hello::default()
        };
        let why = |hello: &Hello, secret: &[u8]| check_hello(hello, secret).map_err(|refused| refused.why());
        assert_eq!(why(&hello, b"secret"), Ok(()));
        assert_eq!(why(&hello, b"secreT"), Err(Refusal::Unauthenticated));
        assert_eq!(why(&Hello { secret: Vec::new(), ..hello.clone() }, b""), Err(Refusal::Unauthenticated));
        assert_eq!(why(&Hello { protocol: 1, ..hello.clone() }, b"secret"), Err(Refusal::OtherRelease));
        // A caller with a wrong secret does not learn the version of the protocol.
        assert_eq!(why(&Hello { protocol: 1, ..hello.clone() }, b"x"), Err(Refusal::Unauthenticated));
        assert_eq!(
            why(&Hello { container_id: String::new(), ..hello.clone() }, b"secret"),
            Err(Refusal::BadHello)
        );
        let shown = format!("{hello:?}");
        assert!(
            shown.contains("\"c\"") && !shown.contains("115, 101") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
