//! The client's side of the SASL dialogue in Hadoop's RPC protocol, as a state machine without I/O.
//!
//! The client sends NEGOTIATE, and the server answers with the methods that it offers. The client chooses one
//! and sends INITIATE. Then challenges of the server and responses of the client follow, until the server
//! reports success. If the client chooses SIMPLE, the dialogue ends with INITIATE, to which the server sends
//! no answer.

use std::net::SocketAddr;
use std::sync::Arc;

use super::digest::DigestMd5;
use super::{KerberosProblem, Mechanism, Protection, SaslConnection, SaslError, SaslMethod, SaslOffer};
use super::{SecurityLayer, TokenSelector};
use crate::credentials::{Credentials, Token};
use crate::endpoint::Endpoint;
use crate::proto::RpcSasl;
use crate::proto::rpc_sasl::{Auth, State};

/// What the client does next.
pub(crate) enum Next {
    /// Send this and wait for the answer.
    Send(RpcSasl),
    /// Send this, if there is anything, and begin with the calls.
    Done(Option<RpcSasl>, Authenticated),
}

/// How the authentication ended.
pub(crate) struct Authenticated {
    /// The method: `SIMPLE`, `TOKEN`, or `OTHER` for one that a `MechanismFactory` has added.
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

/// It owns what it needs, so that it can be handed to a thread that may block.
pub(crate) struct Negotiation {
    methods: Vec<SaslMethod>,
    tokens: Arc<Credentials>,
    protection: Vec<Protection>,
    endpoint: Endpoint,
    peer: SocketAddr,
    running: Option<Running>,
}

impl Negotiation {
    pub(crate) fn new(
        methods: &[SaslMethod],
        tokens: Arc<Credentials>,
        protection: &[Protection],
        endpoint: &Endpoint,
        peer: SocketAddr,
    ) -> Self {
        let (methods, protection, endpoint) = (methods.to_vec(), protection.to_vec(), endpoint.clone());
        Self { methods, tokens, protection, endpoint, peer, running: None }
    }

    /// Whether a step may block: a mechanism of another crate can.
    pub(crate) fn may_block(&self) -> bool {
        self.methods.iter().any(|m| matches!(m, SaslMethod::Other(_)))
    }

    /// The first message.
    pub(crate) fn start(&self) -> RpcSasl {
        RpcSasl { state: State::Negotiate.into(), ..Default::default() }
    }

    /// Handles an answer of the server.
    pub(crate) fn step(&mut self, message: RpcSasl) -> Result<Next, SaslError> {
        match (message.state(), self.running.take()) {
            (State::Negotiate, None) => self.choose(message.auths),
            (State::Challenge, Some(mut running)) => {
                let token = message
                    .token
                    .ok_or_else(|| SaslError::Failed("the server sent an empty challenge".into()))?;
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
            // A server that requires no authentication answers to NEGOTIATE with a success.
            (State::Success, None) if self.simple_allowed() => Ok(Next::Done(None, Authenticated::simple())),
            (State::Success, None) => Err(self.downgrade("it ends the negotiation at once")),
            (state, _) => Err(SaslError::Failed(format!("unexpected SASL message {}", state.as_str_name()))),
        }
    }

    /// Chooses the first of the server's offers that the client can use. A token that the server then does
    /// not accept is an error: as in Hadoop, nothing else is tried after it.
    fn choose(&mut self, offers: Vec<Auth>) -> Result<Next, SaslError> {
        for auth in &offers {
            let offer = SaslOffer {
                method: auth.method.clone(),
                mechanism: auth.mechanism.clone(),
                protocol: auth.protocol.clone().unwrap_or_default(),
                server_id: auth.server_id.clone().unwrap_or_default(),
            };
            for method in &self.methods {
                // INITIATE must contain the server's offer, without the challenge.
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
                            Box::new(DigestMd5::new(token, &offer, &self.protection)),
                        )
                    }
                    SaslMethod::Other(factory) if factory.method() == offer.method => {
                        let connection = SaslConnection {
                            endpoint: &self.endpoint,
                            peer: self.peer,
                            protection: &self.protection,
                        };
                        let Some(mechanism) = factory.start(&offer, connection)? else { continue };
                        ("OTHER", None, mechanism)
                    }
                    _ => continue,
                };
                let response = mechanism.step(auth.challenge.as_deref())?;
                self.running = Some(Running { how, token, mechanism });
                return Ok(Next::Send(answer(Some(response))));
            }
        }
        Err(self.refusal(&offers))
    }

    /// Why none of the server's offers can be used.
    fn refusal(&self, offers: &[Auth]) -> SaslError {
        let offered: Vec<&str> = offers.iter().map(|a| a.method.as_str()).collect();
        let has_tickets = self.methods.iter().any(|m| matches!(m, SaslMethod::Other(_)));
        if offered.contains(&"KERBEROS") && !has_tickets {
            let wants: Vec<&str> = offered.into_iter().filter(|method| *method != "SIMPLE").collect();
            let lacks = if self.methods.is_empty() {
                "no Kerberos ticket".to_owned()
            } else {
                format!("{}, and no Kerberos ticket", self.wanted())
            };
            let why = format!("the server wants {}, but the login has {lacks}", wants.join(" or "));
            return SaslError::Kerberos { problem: KerberosProblem::NoCredentials, why };
        }
        if offered.contains(&"SIMPLE") && !offered.contains(&"KERBEROS") {
            return self.downgrade(&format!("it offers {}", offered.join(", ")));
        }
        let accepts = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
        SaslError::Failed(format!("the server accepts {accepts}, the client has {}", self.wanted()))
    }

    /// The error if the server would take the client without any proof, and the client does not allow that.
    fn downgrade(&self, how: &str) -> SaslError {
        SaslError::Kerberos {
            problem: KerberosProblem::Downgrade,
            why: format!(
                "the server wants no proof of who the client is ({how}), and such a downgrade is refused; the client has {}",
                self.wanted()
            ),
        }
    }

    fn find_token(&self, selector: &TokenSelector) -> Option<&Token> {
        self.tokens.find_token(&selector.kind, &self.services(selector))
    }

    /// The services that a token for this connection may have.
    fn services(&self, selector: &TokenSelector) -> Vec<String> {
        let addresses = [self.peer.to_string(), self.endpoint.to_string()];
        let mut services: Vec<String> = selector.service.iter().cloned().chain(addresses).collect();
        services.dedup();
        services
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
                let others: Vec<&str> =
                    self.tokens.tokens_of_kind(&s.kind).map(|token| token.service.as_str()).collect();
                let others = match others.as_slice() {
                    [] => String::new(),
                    others => format!(" (but for {})", others.join(", ")),
                };
                format!("no token of kind {} for {}{others}", s.kind, self.services(s).join(" or "))
            }
        });
        let words: Vec<String> = words.collect();
        if words.is_empty() { "no method".to_owned() } else { words.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MechanismFactory;
    use super::*;

    /// A mechanism for tests: it repeats what it was given, and accepts any end but `no`.
    struct Parrot;

    impl MechanismFactory for Parrot {
        fn method(&self) -> &str {
            "KERBEROS"
        }
        fn start(
            &self,
            offer: &SaslOffer,
            connection: SaslConnection<'_>,
        ) -> Result<Option<Box<dyn Mechanism>>, SaslError> {
            assert_eq!((connection.endpoint.host(), connection.peer.port()), ("nn", 8020));
            Ok((offer.server_id != "unknown").then(|| Box::new(Self) as Box<dyn Mechanism>))
        }
    }

    impl Mechanism for Parrot {
        fn step(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, SaslError> {
            Ok(challenge.unwrap_or(b"I begin").to_vec())
        }
        fn finish(&mut self, last: Option<&[u8]>) -> Result<Option<SecurityLayer>, SaslError> {
            if last == Some(b"no") { Err(SaslError::Failed("no".into())) } else { Ok(None) }
        }
    }

    fn message(state: State, token: Option<&'static [u8]>, auths: &[(&str, &str, &str)]) -> RpcSasl {
        let auths = auths.iter().map(|(method, mechanism, server)| Auth {
            method: (*method).into(),
            mechanism: (*mechanism).into(),
            server_id: Some((*server).into()),
            challenge: (*method == "TOKEN").then(|| "nonce=\"n\"".into()),
            ..Default::default()
        });
        RpcSasl {
            state: state.into(),
            token: token.map(Into::into),
            auths: auths.collect(),
            ..Default::default()
        }
    }

    const TOKEN: (&str, &str, &str) = ("TOKEN", "DIGEST-MD5", "default");
    const SIMPLE: (&str, &str, &str) = ("SIMPLE", "", "");
    const KERBEROS: (&str, &str, &str) = ("KERBEROS", "GSSAPI", "host");

    /// What becomes of a dialogue: `sent …` for what goes out, then how it ended.
    fn dialogue(methods: &[SaslMethod], with_token: bool, messages: Vec<RpcSasl>) -> Vec<String> {
        let mut tokens = Credentials::default();
        if with_token {
            tokens.add_token(Token { kind: "K".into(), ..Default::default() });
        }
        let endpoint = Endpoint::new("nn", 8020);
        let peer = ([10, 0, 0, 1], 8020).into();
        let mut sasl = Negotiation::new(methods, Arc::new(tokens), &Protection::ALL, &endpoint, peer);
        let mut seen = Vec::new();
        for message in messages {
            match sasl.step(message) {
                Ok(Next::Send(out)) => {
                    assert!(out.auths.iter().all(|a| a.challenge.is_none()));
                    let chosen = out.auths.first().map(|a| a.method.clone()).unwrap_or_default();
                    seen.push(format!("sent {} {chosen}", out.state().as_str_name()));
                }
                Ok(Next::Done(last, end)) => {
                    seen.extend(
                        last.map(|m| format!("sent {} {}", m.state().as_str_name(), m.auths[0].method)),
                    );
                    seen.push(end.how.to_owned());
                }
                Err(e) => seen.push(e.to_string()),
            }
        }
        seen
    }

    fn token() -> SaslMethod {
        SaslMethod::Token(TokenSelector { kind: "K".into(), service: None })
    }

    #[test]
    fn the_first_usable_offer_is_taken() {
        let offers = || vec![message(State::Negotiate, None, &[KERBEROS, TOKEN, SIMPLE])];
        let both = [token(), SaslMethod::Simple];
        assert_eq!(dialogue(&both, true, offers()), ["sent INITIATE TOKEN"]);
        assert_eq!(dialogue(&both, false, offers()), ["sent INITIATE SIMPLE", "SIMPLE"]);
        assert_eq!(
            dialogue(&[token()], false, offers()),
            [
                "the server wants KERBEROS or TOKEN, but the login has no token of kind K for 10.0.0.1:8020 or nn:8020, \
                 and no Kerberos ticket"
            ]
        );
        let kerberos = SaslMethod::Other(Arc::new(Parrot));
        assert_eq!(dialogue(&[token(), kerberos], true, offers()), ["sent INITIATE KERBEROS"]);
    }

    #[test]
    fn a_mechanism_is_carried_through() {
        let start = || message(State::Negotiate, None, &[KERBEROS]);
        let kerberos = [SaslMethod::Other(Arc::new(Parrot))];
        let challenge = || message(State::Challenge, Some(b"c"), &[]);
        let end = |token| message(State::Success, token, &[]);
        assert_eq!(
            dialogue(&kerberos, false, vec![start(), challenge(), challenge(), end(None)]),
            ["sent INITIATE KERBEROS", "sent RESPONSE ", "sent RESPONSE ", "OTHER"]
        );
        assert_eq!(dialogue(&kerberos, false, vec![start(), end(Some(b"no"))])[1], "no");
        let empty = message(State::Challenge, None, &[]);
        assert_eq!(dialogue(&kerberos, false, vec![start(), empty])[1], "the server sent an empty challenge");
        let unknown = message(State::Negotiate, None, &[("KERBEROS", "GSSAPI", "unknown")]);
        assert!(dialogue(&kerberos, false, vec![unknown])[0].contains("the client has KERBEROS"));
    }

    #[test]
    fn a_server_with_weaker_protection_is_refused_before_anything_is_proved() {
        let mut tokens = Credentials::default();
        tokens.add_token(Token { kind: "K".into(), ..Default::default() });
        let (methods, endpoint) = ([token(), SaslMethod::Simple], Endpoint::new("nn", 8020));
        let peer = ([10, 0, 0, 1], 8020).into();
        let step = |allowed: &[Protection]| {
            let mut sasl = Negotiation::new(&methods, Arc::new(tokens.clone()), allowed, &endpoint, peer);
            sasl.step(message(State::Negotiate, None, &[TOKEN, SIMPLE])).map(|_| ())
        };
        // Its challenge names none, which means `auth`.
        let weaker = SaslError::Protection { server: "authentication".into(), client: "privacy".into() };
        assert_eq!(step(&[Protection::Privacy]), Err(weaker));
        assert_eq!(step(&[Protection::Privacy, Protection::Authentication]), Ok(()));
    }

    /// The method that the client chooses with tokens of these services.
    fn chosen(methods: &[SaslMethod], services: &[&str], message: RpcSasl) -> Result<String, SaslError> {
        let mut tokens = Credentials::default();
        for service in services {
            let service = (*service).to_owned();
            tokens.add_token(Token { kind: "K".into(), service, ..Default::default() });
        }
        let (endpoint, peer) = (Endpoint::new("nn", 8020), ([10, 0, 0, 1], 8020).into());
        let mut sasl = Negotiation::new(methods, Arc::new(tokens), &Protection::ALL, &endpoint, peer);
        match sasl.step(message)? {
            Next::Send(out) => Ok(out.auths[0].method.clone()),
            Next::Done(..) => Ok("nothing".into()),
        }
    }

    /// The problem with which the client gives up, and what it says.
    fn problem(methods: &[SaslMethod], services: &[&str], message: RpcSasl) -> (KerberosProblem, String) {
        match chosen(methods, services, message) {
            Err(SaslError::Kerberos { problem, why }) => (problem, why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_token_is_for_one_server_or_for_all_of_a_group() {
        let offers = || message(State::Negotiate, None, &[TOKEN, KERBEROS]);
        let at = |service: Option<&str>| {
            let selector = TokenSelector { kind: "K".into(), service: service.map(str::to_owned) };
            [SaslMethod::Token(selector), SaslMethod::Other(Arc::new(Parrot))]
        };
        for (logical, services, expected) in [
            (None, &["10.0.0.1:8020"][..], "TOKEN"),
            (None, &["NN:8020"], "TOKEN"),
            (None, &["10.0.0.9:8020,10.0.0.1:8020"], "TOKEN"),
            (None, &["other:8020,nn:8020"], "TOKEN"),
            (None, &["10.0.0.1:8021", "10.0.0.11:8020", "nn.example.com:8020", "ha-hdfs:ns"], "KERBEROS"),
            (None, &[], "KERBEROS"),
            (Some("ha-hdfs:ns"), &["ha-hdfs:ns"], "TOKEN"),
            (Some("ha-hdfs:ns"), &["nn:8020"], "TOKEN"),
            (Some("ha-hdfs:ns"), &["ha-hdfs:other", "ns"], "KERBEROS"),
        ] {
            let method = chosen(&at(logical), services, offers());
            assert_eq!(method, Ok(expected.into()), "{logical:?} {services:?}");
        }
    }

    #[test]
    fn a_login_that_has_nothing_for_the_server_is_told_what_that_wants() {
        let offers = || message(State::Negotiate, None, &[TOKEN, KERBEROS]);
        let (kind, why) = problem(&[token()], &["10.0.0.9:8020"], offers());
        assert_eq!(kind, KerberosProblem::NoCredentials);
        assert_eq!(
            why,
            "the server wants TOKEN or KERBEROS, but the login has no token of kind K for 10.0.0.1:8020 or nn:8020 \
             (but for 10.0.0.9:8020), and no Kerberos ticket"
        );
        let (kind, why) = problem(&[], &["nn:8020"], offers());
        assert_eq!(kind, KerberosProblem::NoCredentials);
        assert_eq!(why, "the server wants TOKEN or KERBEROS, but the login has no Kerberos ticket");
        // A server that knows no tokens.
        let (kind, why) = problem(&[token()], &["nn:8020"], message(State::Negotiate, None, &[KERBEROS]));
        assert_eq!(kind, KerberosProblem::NoCredentials);
        assert_eq!(why, "the server wants KERBEROS, but the login has TOKEN (K), and no Kerberos ticket");
        // One that knows nothing else is none that wants Kerberos.
        let only_tokens = chosen(&[token()], &[], message(State::Negotiate, None, &[TOKEN]));
        let why = only_tokens.unwrap_err().to_string();
        assert!(why.starts_with("the server accepts TOKEN, the client has no token of kind K"), "{why}");
        let nothing = chosen(&[token()], &[], message(State::Negotiate, None, &[])).unwrap_err();
        assert!(nothing.to_string().starts_with("the server accepts nothing, "), "{nothing}");
    }

    #[test]
    fn a_downgrade_is_refused() {
        let both = [token(), SaslMethod::Other(Arc::new(Parrot))];
        for methods in [&both[..], &both[..1], &both[1..], &[]] {
            for (message, how) in [
                (message(State::Negotiate, None, &[SIMPLE]), "(it offers SIMPLE)"),
                (message(State::Negotiate, None, &[TOKEN, SIMPLE]), "(it offers TOKEN, SIMPLE)"),
                (message(State::Success, None, &[]), "(it ends the negotiation at once)"),
            ] {
                let (kind, why) = problem(methods, &[], message);
                assert!(kind == KerberosProblem::Downgrade && why.contains(how), "{why}");
            }
        }
        // What is offered beside Kerberos is no reason to look for a fault in the server.
        let offers = message(State::Negotiate, None, &[KERBEROS, SIMPLE]);
        assert_eq!(problem(&both[..1], &[], offers).0, KerberosProblem::NoCredentials);
        // With a token, a server without Kerberos is as good as another.
        let offers = message(State::Negotiate, None, &[TOKEN, SIMPLE]);
        assert_eq!(chosen(&both, &["nn:8020"], offers), Ok("TOKEN".into()));
    }

    #[test]
    fn a_server_that_asks_for_no_proof() {
        let success = || vec![message(State::Success, None, &[])];
        assert_eq!(dialogue(&[token(), SaslMethod::Simple], true, success()), ["SIMPLE"]);
        let early = vec![message(State::Negotiate, None, &[TOKEN]), message(State::Success, None, &[])];
        assert!(dialogue(&[token()], true, early)[1].contains("did not prove"));
        for state in [State::Challenge, State::Initiate, State::Response, State::Wrap] {
            let seen = dialogue(&[token()], true, vec![message(state, Some(b"x"), &[])]);
            assert!(seen[0].contains("unexpected SASL message"), "{seen:?}");
        }
    }
}
