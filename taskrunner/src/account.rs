//! Asks the ApplicationMaster of a cluster what it knows of its containers, its requests and its JobManager.
//! Only the client that has started the application can ask, because nobody else has the key.

use std::time::Duration;

use tonic::Code;

use crate::calls;
use crate::control::AccountRequest;
use crate::control::cluster_client::ClusterClient;
use crate::keys::Access;

/// The time limit of the connection and the answer together.
const DEADLINE: Duration = Duration::from_secs(3);
/// The largest answer, in bytes.
const LARGEST: usize = 16 << 20;

/// There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ApplicationMaster at {address} does not tell what it knows: {why}")]
pub struct AccountError {
    /// The address of the control server.
    pub address: String,
    /// Why there is no answer.
    pub why: String,
}

/// Asks the control server at `address` (`host:port`) as the client of the application. `classes` are those
/// that exceptions name, and for whose jars the ApplicationMaster is to look. The answer is JSON. It tries
/// once, and for three seconds at most.
pub async fn ask(address: &str, access: &Access, classes: Vec<String>) -> Result<Vec<u8>, AccountError> {
    let answer = calls::ask(address, access, DEADLINE, |calls| async move {
        let request =
            calls.request(AccountRequest { classes }).map_err(|status| status.message().to_owned())?;
        let mut client = ClusterClient::new(calls.channel).max_decoding_message_size(LARGEST);
        let answer = client.account(request).await.map_err(|status| match status.code() {
            Code::Unimplemented => "it is of an older release of heddle, which cannot tell it".to_owned(),
            code => format!("{code:?}: {}", status.message()),
        });
        Ok(answer?.into_inner().json)
    });
    answer.await.map_err(|why| AccountError { address: address.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{ControlKeys, LENGTH, Role};

    #[tokio::test]
    async fn who_does_not_answer_is_named() {
        let access = ControlKeys::generate([1; LENGTH]).unwrap().access(Role::Client).unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = closed.local_addr().unwrap().to_string();
        drop(closed);
        let error = ask(&address, &access, Vec::new()).await.unwrap_err();
        assert!(error.to_string().contains(&address) && error.why.contains("refused"), "{error}");
    }
}
