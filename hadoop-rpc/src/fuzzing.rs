//! What `scripts/fuzz` calls; it compiles with `--cfg fuzzing`. The parsers of what servers send are private
//! otherwise.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;

use crate::credentials::{Credentials, Token};
use crate::endpoint::Endpoint;
use crate::frame::{FrameReader, SASL_CALL_ID, take_message};
use crate::proto::{RpcResponseHeader, RpcSasl};
use crate::remote::RemoteException;
use crate::sasl::{
    Negotiation, Next, Protection, SaslError, SaslMethod, TokenSelector, Unwrap, unwrap_with_each_cipher,
};

/// A security layer that changes nothing.
struct Plain;

impl Unwrap for Plain {
    fn unwrap(&mut self, wrapped: &[u8]) -> Result<Vec<u8>, SaslError> {
        Ok(wrapped.to_vec())
    }
}

/// Reads what a server sends after the handshake, with or without a security layer.
pub async fn answers(bytes: &[u8], wrapped: bool) {
    let mut reader = FrameReader::new(bytes, 1 << 20);
    reader.protect(wrapped.then(|| Box::new(Plain) as Box<dyn Unwrap>));
    while let Ok(mut frame) = reader.next().await {
        let Ok(header) = take_message::<RpcResponseHeader>(&mut frame, "header") else { return };
        if header.call_id.cast_signed() == SASL_CALL_ID {
            let _ = take_message::<RpcSasl>(&mut frame, "SASL message");
        }
        let class = header.exception_class_name.unwrap_or_default();
        let exception = RemoteException::new(class, header.error_msg.unwrap_or_default(), false);
        let _ = exception.to_string();
    }
}

/// Goes through a SASL dialogue in which the server sends these messages, one behind the other.
pub fn dialogue(bytes: &[u8]) {
    let mut tokens = Credentials::default();
    tokens.add_token(Token { kind: "K".into(), ..Default::default() });
    let methods = [SaslMethod::Token(TokenSelector { kind: "K".into(), service: None }), SaslMethod::Simple];
    let endpoint = Endpoint::new("nn", 8020);
    let peer = ([10, 0, 0, 1], 8020).into();
    let mut sasl = Negotiation::new(&methods, Arc::new(tokens), &Protection::ALL, &endpoint, peer);
    let mut rest = Bytes::copy_from_slice(bytes);
    while let Ok(message) = RpcSasl::decode_length_delimited(&mut rest) {
        if let Err(_) | Ok(Next::Done(..)) = sasl.step(message) {
            break;
        }
    }
    unwrap_with_each_cipher(&rest);
}
