//! The SASL dialogue as Hadoop wraps it, as a state machine without I/O.
//!
//! `Start => Offered (NEGOTIATE sent) => Running (INITIATE sent) => Done`, or `Offered => Done` when both sides agree on
//! SIMPLE: then no answer follows.

use std::net::SocketAddr;

use super::digest::DigestMd5;
use super::{Mechanism, Protection, SaslError, SaslMethod, SaslOffer, SecurityLayer, TokenSelector};
use crate::client::Endpoint;
use crate::credentials::{Credentials, Token};
use crate::proto::RpcSasl;
use crate::proto::rpc_sasl::{Auth, State};

/// What the client does next.
pub(crate) enum Next {
    /// Send this and wait for the answer.
    Send(RpcSasl),
    /// Send this, if anything, and go on to the calls.
    Done(Option<RpcSasl>, Authenticated),
}

/// How the authentication ended.
pub(crate) struct Authenticated {
    /// Hadoop's name of the method.
    pub(crate) how: &'static str,
    pub(crate) token: Option<Token>,
    pub(crate) layer: Option<SecurityLayer>,
}

impl Authenticated {
    pub(crate) fn simple() -> Self {
        Self { how: "SIMPLE", token: None, layer: None }
    }
}

struct Running {
    how: &'static str,
    token: Option<Token>,
    mechanism: Box<dyn Mechanism>,
}

pub(crate) struct Negotiation<'a> {
    methods: &'a [SaslMethod],
    tokens: &'a Credentials,
    protection: &'a [Protection],
    endpoint: &'a Endpoint,
    peer: SocketAddr,
    running: Option<Running>,
}

impl<'a> Negotiation<'a> {
    pub(crate) fn new(
        methods: &'a [SaslMethod],
        tokens: &'a Credentials,
        protection: &'a [Protection],
        endpoint: &'a Endpoint,
        peer: SocketAddr,
    ) -> Self {
        Self { methods, tokens, protection, endpoint, peer, running: None }
    }

    /// The first message.
    pub(crate) fn start(&self) -> RpcSasl {
        RpcSasl { state: State::Negotiate.into(), ..Default::default() }
    }

    /// Takes the server's answer.
    pub(crate) fn step(&mut self, message: RpcSasl) -> Result<Next, SaslError> {
        match (message.state(), self.running.take()) {
            (State::Negotiate, None) => self.choose(message.auths),
            (State::Challenge, Some(mut running)) => {
                let token =
                    message.token.ok_or_else(|| SaslError("the server sent an empty challenge".into()))?;
                let response = running.mechanism.step(Some(&token))?;
                self.running = Some(running);
                Ok(Next::Send(RpcSasl {
                    state: State::Response.into(),
                    token: Some(response.into()),
                    ..Default::default()
                }))
            }
            (State::Success, Some(Running { how, token, mut mechanism })) => {
                let layer = mechanism.finish(message.token.as_deref())?;
                Ok(Next::Done(None, Authenticated { how, token, layer }))
            }
            // A server without SASL says so by a success at once.
            (State::Success, None) if self.simple_allowed() => Ok(Next::Done(None, Authenticated::simple())),
            (State::Success, None) => Err(SaslError(format!(
                "the server asks for no proof, but the client requires {}",
                self.wanted()
            ))),
            (state, _) => Err(SaslError(format!("unexpected SASL message {}", state.as_str_name()))),
        }
    }

    /// Takes the first of the server's offers that the client can use.
    fn choose(&mut self, offers: Vec<Auth>) -> Result<Next, SaslError> {
        for auth in &offers {
            let offer = SaslOffer {
                method: auth.method.clone(),
                mechanism: auth.mechanism.clone(),
                protocol: auth.protocol.clone().unwrap_or_default(),
                server_id: auth.server_id.clone().unwrap_or_default(),
            };
            for method in self.methods {
                // The server wants its offer back, without the challenge.
                let answer = |token: Option<Vec<u8>>| RpcSasl {
                    state: State::Initiate.into(),
                    token: token.map(Into::into),
                    auths: vec![Auth { challenge: None, ..auth.clone() }],
                    ..Default::default()
                };
                let (how, token, mut mechanism): (_, _, Box<dyn Mechanism>) = match method {
                    SaslMethod::Simple if offer.method == "SIMPLE" => {
                        return Ok(Next::Done(Some(answer(None)), Authenticated::simple()));
                    }
                    SaslMethod::Token(selector)
                        if offer.method == "TOKEN" && offer.mechanism == "DIGEST-MD5" =>
                    {
                        let Some(token) = self.find_token(selector) else { continue };
                        (
                            "TOKEN",
                            Some(token.clone()),
                            Box::new(DigestMd5::new(token, &offer, self.protection)),
                        )
                    }
                    SaslMethod::Other(factory) if factory.method() == offer.method => {
                        let Some(mechanism) = factory.start(&offer, self.endpoint)? else { continue };
                        ("OTHER", None, mechanism)
                    }
                    _ => continue,
                };
                let response = mechanism.step(auth.challenge.as_deref())?;
                self.running = Some(Running { how, token, mechanism });
                return Ok(Next::Send(answer(Some(response))));
            }
        }
        let offered: Vec<&str> = offers.iter().map(|a| a.method.as_str()).collect();
        Err(SaslError(format!("the server accepts {}, the client has {}", offered.join(", "), self.wanted())))
    }

    fn find_token(&self, selector: &TokenSelector) -> Option<&'a Token> {
        let mut services: Vec<String> = selector.service.iter().cloned().collect();
        services.push(self.peer.to_string());
        services.push(self.endpoint.to_string());
        self.tokens.find_token(&selector.kind, &services)
    }

    fn simple_allowed(&self) -> bool {
        self.methods.iter().any(|m| matches!(m, SaslMethod::Simple))
    }

    /// What the client can use, in words.
    fn wanted(&self) -> String {
        let words = self.methods.iter().map(|m| match m {
            SaslMethod::Simple => "SIMPLE".to_owned(),
            SaslMethod::Other(factory) => factory.method().to_owned(),
            SaslMethod::Token(s) if self.find_token(s).is_some() => format!("TOKEN ({})", s.kind),
            SaslMethod::Token(s) => {
                format!("no token of kind {} for {} or {}", s.kind, self.peer, self.endpoint)
            }
        });
        words.collect::<Vec<_>>().join(", ")
    }
}
