//! Metadata of calls to the control server: who calls, and the proof that it belongs to this application.

use tonic::Status;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// Metadata key that carries the container id.
pub const CONTAINER_KEY: &str = "heddle-container";
/// Metadata key that carries the secret.
pub const AUTHORIZATION_KEY: &str = "authorization";
/// Version of the protocol between taskrunner and ApplicationMaster, in `Hello`. They are of one release always: both come from one client.
pub const PROTOCOL: u32 = 1;

/// Puts the secret (as `Bearer <hex>`) and the container id into a taskrunner's call.
pub fn put(metadata: &mut MetadataMap, secret: &[u8], container: &str) -> Result<(), Status> {
    put_secret(metadata, secret)?;
    let bad = |_| Status::invalid_argument("the container id holds characters that cannot go into a header");
    metadata.insert(CONTAINER_KEY, container.parse().map_err(bad)?);
    Ok(())
}

/// Puts the secret alone: the client is in no container. It is marked sensitive, so no log of headers shows it.
pub fn put_secret(metadata: &mut MetadataMap, secret: &[u8]) -> Result<(), Status> {
    let bad = |_| Status::invalid_argument("the application secret cannot go into a header");
    let mut bearer: MetadataValue<Ascii> = format!("Bearer {}", hex::encode(secret)).parse().map_err(bad)?;
    bearer.set_sensitive(true);
    metadata.insert(AUTHORIZATION_KEY, bearer);
    Ok(())
}

/// Checks a taskrunner's call against the application's secret and returns the container id.
#[allow(clippy::result_large_err)]
pub fn check(metadata: &MetadataMap, secret: &[u8]) -> Result<String, Status> {
    check_secret(metadata, secret)?;
    let container = metadata.get(CONTAINER_KEY).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if container.is_empty() {
        return Err(Status::invalid_argument(format!("metadata `{CONTAINER_KEY}` is missing")));
    }
    Ok(container.to_owned())
}

/// Checks a call against the application's secret.
///
/// The comparison takes the same time wherever the first difference is. An empty secret never matches.
#[allow(clippy::result_large_err)]
pub fn check_secret(metadata: &MetadataMap, secret: &[u8]) -> Result<(), Status> {
    let given = metadata
        .get(AUTHORIZATION_KEY)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "))
        .and_then(|v| hex::decode(v).ok())
        .ok_or_else(|| Status::unauthenticated("no usable application secret in the call"))?;
    let differences = given.iter().zip(secret).fold(0u8, |acc, (a, b)| acc | (a ^ b));
    if secret.is_empty() || given.len() != secret.len() || differences != 0 {
        return Err(Status::unauthenticated("the secret is not this application's"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_passes() {
        let mut metadata = MetadataMap::new();
        assert!(check(&metadata, b"s").is_err());
        put(&mut metadata, b"secret", "container_1").unwrap();
        assert_eq!(check(&metadata, b"secret").unwrap(), "container_1");
        assert!(check(&metadata, b"secreT").is_err());
        assert!(check(&metadata, b"secret2").is_err());
        assert!(check(&metadata, b"").is_err());
        assert!(!format!("{metadata:?}").contains(&hex::encode(b"secret")));
    }
}
