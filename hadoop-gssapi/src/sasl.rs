//! The client's side of the SASL mechanism GSSAPI (RFC 4752), as Hadoop uses it. After client and server have
//! proved who they are, the server says with four protected bytes which protections of messages it has and
//! how long messages may be. The client answers with its choice.

use std::sync::{Arc, Mutex, PoisonError};

use hadoop_rpc::{KerberosProblem, Mechanism, Protection, SaslError, SecurityLayer, Unwrap, Wrap};

use crate::context::{Context, Step};
use crate::error::GssError;

/// The longest protected message that the client tells the server to send, in bytes; it is Java's.
const RECEIVED: u32 = 65_536;

/// What the dialogue needs of a security context, so that it can be tested without a KDC.
pub(crate) trait Secured: Send + 'static {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError>;
    fn can_encrypt(&self) -> bool;
    fn wrap(&mut self, plain: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError>;
    fn unwrap(&mut self, wrapped: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError>;
    fn wrap_size_limit(&mut self, encrypt: bool, output: u32) -> Result<u32, GssError>;
}

impl Secured for Context {
    fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError> {
        self.step(token)
    }
    fn can_encrypt(&self) -> bool {
        self.can_encrypt()
    }
    fn wrap(&mut self, plain: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError> {
        self.wrap(plain, encrypt)
    }
    fn unwrap(&mut self, wrapped: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError> {
        self.unwrap(wrapped, encrypt)
    }
    fn wrap_size_limit(&mut self, encrypt: bool, output: u32) -> Result<u32, GssError> {
        self.wrap_size_limit(encrypt, output)
    }
}

/// One authentication.
pub(crate) struct Gssapi<C> {
    state: State<C>,
    allowed: Vec<Protection>,
}

enum State<C> {
    /// The two sides prove who they are.
    Proving(C),
    /// The server says next which protections it has.
    Proved(C),
    /// The client has chosen; the server says next that it agrees.
    Chosen(C, Agreed),
    /// It has ended, or an error has ended it.
    Over,
}

/// What has been agreed for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Agreed {
    protection: Protection,
    /// The longest protected message that the server takes, in bytes.
    longest: u32,
}

impl<C: Secured> Gssapi<C> {
    pub(crate) fn new(context: C, allowed: &[Protection]) -> Self {
        Self { state: State::Proving(context), allowed: allowed.to_vec() }
    }
}

impl<C: Secured> Mechanism for Gssapi<C> {
    fn step(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, SaslError> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Proving(mut context) => match context.step(challenge)? {
                Step::Continue(token) => {
                    self.state = State::Proving(context);
                    Ok(token)
                }
                Step::Complete(token) => {
                    self.state = State::Proved(context);
                    Ok(token)
                }
            },
            State::Proved(mut context) => {
                let offer = context.unwrap(challenge.unwrap_or_default(), false)?;
                let agreed = agree(&offer, &self.allowed, context.can_encrypt())?;
                let answer = context.wrap(&answer(agreed), false)?;
                self.state = State::Chosen(context, agreed);
                Ok(answer)
            }
            State::Chosen(..) | State::Over => Err(failed("the server asks again after the last answer")),
        }
    }

    fn finish(&mut self, last: Option<&[u8]>) -> Result<Option<SecurityLayer>, SaslError> {
        let State::Chosen(mut context, agreed) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(failed("the server reports success before it has proved who it is"));
        };
        if last.is_some_and(|token| !token.is_empty()) {
            return Err(failed("the server sent more than the mechanism has"));
        }
        let encrypt = match agreed.protection {
            Protection::Authentication => return Ok(None),
            Protection::Integrity => false,
            Protection::Privacy => true,
        };
        let limit = context.wrap_size_limit(encrypt, agreed.longest)?;
        let max_plain = usize::try_from(limit).unwrap_or(usize::MAX);
        if max_plain == 0 {
            return Err(failed(&format!("the server takes only {} bytes a message", agreed.longest)));
        }
        // The two directions share the context, which only one thread may use at a time.
        let context = Arc::new(Mutex::new(context));
        Ok(Some(SecurityLayer {
            wrap: Box::new(Half { context: context.clone(), encrypt, max_plain }),
            unwrap: Box::new(Half { context, encrypt, max_plain }),
        }))
    }
}

/// One direction of the protection of messages.
struct Half<C> {
    context: Arc<Mutex<C>>,
    encrypt: bool,
    max_plain: usize,
}

impl<C: Secured> Wrap for Half<C> {
    fn max_plain(&self) -> usize {
        self.max_plain
    }

    fn wrap(&mut self, plain: &[u8]) -> Result<Vec<u8>, SaslError> {
        let mut context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(context.wrap(plain, self.encrypt)?)
    }
}

impl<C: Secured> Unwrap for Half<C> {
    fn unwrap(&mut self, wrapped: &[u8]) -> Result<Vec<u8>, SaslError> {
        let mut context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(context.unwrap(wrapped, self.encrypt)?)
    }
}

/// The bits of the protections.
const BITS: [(u8, Protection); 3] =
    [(1, Protection::Authentication), (2, Protection::Integrity), (4, Protection::Privacy)];

/// Chooses of what the server offers: a byte with the protections as bits, and three with the longest
/// protected message that it takes.
fn agree(offer: &[u8], allowed: &[Protection], can_encrypt: bool) -> Result<Agreed, SaslError> {
    let &[bits, a, b, c] = offer else {
        return Err(failed(&format!("the server's offer has {} bytes and not 4", offer.len())));
    };
    let offered =
        BITS.iter().filter(|(bit, p)| bits & bit != 0 && (can_encrypt || *p != Protection::Privacy));
    let offered: Vec<String> = offered.map(|(_, p)| p.qop().to_owned()).collect();
    let protection = Protection::choose(allowed, &offered).ok_or_else(|| SaslError::Protection {
        server: if offered.is_empty() { "nothing".into() } else { Protection::named(&offered) },
        client: allowed.iter().map(|p| p.name()).collect::<Vec<_>>().join(", "),
    })?;
    Ok(Agreed { protection, longest: u32::from_be_bytes([0, a, b, c]) })
}

/// The answer: what the client has chosen, and the longest protected message that it takes, which is zero if
/// messages are not protected. It names no user: the server takes the one of the ticket.
fn answer(agreed: Agreed) -> [u8; 4] {
    let bit = BITS.iter().find(|(_, p)| *p == agreed.protection).map_or(0, |(bit, _)| *bit);
    let longest = if agreed.protection == Protection::Authentication { 0 } else { RECEIVED };
    let [_, a, b, c] = longest.to_be_bytes();
    [bit, a, b, c]
}

fn failed(why: &str) -> SaslError {
    GssError::new(KerberosProblem::Other, "authenticating", why).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A context that protects nothing: `e` or `i` stands before a message that is encrypted or not.
    #[derive(Default)]
    struct Toy {
        steps: Vec<Step>,
        can_encrypt: bool,
    }

    impl Secured for Toy {
        fn step(&mut self, _: Option<&[u8]>) -> Result<Step, GssError> {
            Ok(self.steps.remove(0))
        }
        fn can_encrypt(&self) -> bool {
            self.can_encrypt
        }
        fn wrap(&mut self, plain: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError> {
            Ok([if encrypt { b"e" } else { b"i" }, plain].concat())
        }
        fn unwrap(&mut self, wrapped: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError> {
            match wrapped {
                [b'e', rest @ ..] => Ok(rest.to_vec()),
                [b'i', rest @ ..] if !encrypt => Ok(rest.to_vec()),
                _ => Err(GssError::new(KerberosProblem::Other, "opening", "bad")),
            }
        }
        fn wrap_size_limit(&mut self, _: bool, output: u32) -> Result<u32, GssError> {
            Ok(output.saturating_sub(1))
        }
    }

    fn start(allowed: &[Protection]) -> Gssapi<Toy> {
        let steps = vec![Step::Continue(b"begin".to_vec()), Step::Complete(Vec::new())];
        Gssapi::new(Toy { steps, can_encrypt: true }, allowed)
    }

    #[test]
    fn the_dialogue_of_hadoop() {
        let mut sasl = start(&Protection::ALL);
        assert_eq!(sasl.step(None), Ok(b"begin".to_vec()));
        assert_eq!(sasl.step(Some(b"proof")), Ok(Vec::new()));
        assert_eq!(sasl.step(Some(b"i\x07\x01\0\0")), Ok(b"i\x04\x01\0\0".to_vec()));
        let layer = sasl.finish(None).unwrap().unwrap();
        let SecurityLayer { mut wrap, mut unwrap } = layer;
        assert_eq!(wrap.max_plain(), 65_535);
        assert_eq!(wrap.wrap(b"m"), Ok(b"em".to_vec()));
        assert_eq!(unwrap.unwrap(b"em"), Ok(b"m".to_vec()));
        assert!(unwrap.unwrap(b"im").is_err());
        assert!(sasl.finish(None).is_err());
    }

    #[test]
    fn the_protection_is_what_both_have() {
        use Protection::*;
        let agreed = |bits, allowed: &[Protection], encrypt| {
            agree(&[bits, 0, 1, 0], allowed, encrypt).map(|a| (a.protection, a.longest, answer(a)))
        };
        assert_eq!(agreed(7, &[Authentication], true), Ok((Authentication, 256, [1, 0, 0, 0])));
        assert_eq!(agreed(7, &[Integrity, Authentication], true), Ok((Integrity, 256, [2, 1, 0, 0])));
        assert_eq!(agreed(7, &Protection::ALL, false), Ok((Integrity, 256, [2, 1, 0, 0])));
        assert_eq!(agreed(0xf9, &Protection::ALL, true), Ok((Authentication, 256, [1, 0, 0, 0])));
        let weaker = |server: &str, client: &str| {
            Err(SaslError::Protection { server: server.into(), client: client.into() })
        };
        assert_eq!(agreed(3, &[Privacy], true), weaker("authentication, integrity", "privacy"));
        assert_eq!(agreed(0xf8, &[Privacy, Integrity], true), weaker("nothing", "privacy, integrity"));
        for offer in [&b""[..], b"abc", b"abcde"] {
            assert!(agree(offer, &Protection::ALL, true).is_err());
        }
    }

    #[test]
    fn an_end_that_comes_too_early_or_too_late_is_refused() {
        let refused =
            |sasl: &mut Gssapi<Toy>, last: Option<&[u8]>| sasl.finish(last).err().unwrap().to_string();
        let early = "authenticating: the server reports success before it has proved who it is";
        let mut sasl = start(&Protection::ALL);
        assert_eq!(refused(&mut sasl, None), early);
        let mut sasl = start(&Protection::ALL);
        sasl.step(None).unwrap();
        sasl.step(Some(b"proof")).unwrap();
        assert_eq!(refused(&mut sasl, None), early);
        assert!(sasl.step(Some(b"i\x01\0\0\0")).is_err());

        let chosen = |offer: &[u8]| {
            let mut sasl = start(&Protection::ALL);
            sasl.step(None).unwrap();
            sasl.step(Some(b"proof")).unwrap();
            sasl.step(Some(offer)).unwrap();
            sasl
        };
        assert!(chosen(b"i\x01\0\0\0").finish(Some(b"")).unwrap().is_none());
        assert!(refused(&mut chosen(b"i\x01\0\0\0"), Some(b"x")).contains("more than"));
        assert!(chosen(b"i\x01\0\0\0").step(Some(b"again")).is_err());
        assert!(refused(&mut chosen(b"i\x04\0\0\x01"), None).contains("takes only 1 bytes"));
    }
}
