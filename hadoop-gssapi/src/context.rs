//! A security context: what a client and a server share after they have proved to each other who they are.

use hadoop_rpc::KerberosProblem;

use crate::calls::{Ctx, Name};
use crate::credentials::Credentials;
use crate::error::GssError;
use crate::raw::flag;

/// What is asked for. Delegation is not: it would give the server the client's own ticket.
const FLAGS: u32 = flag::MUTUAL | flag::REPLAY | flag::SEQUENCE | flag::INTEGRITY | flag::CONFIDENTIALITY;
/// Without these, a context is worth nothing: the server must prove itself, and messages must be protected
/// against changes.
const NEEDED: u32 = flag::MUTUAL | flag::INTEGRITY;

/// What a context sends next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this, and give the answer to the next step.
    Continue(Vec<u8>),
    /// The context is established; send this if it is not empty.
    Complete(Vec<u8>),
}

/// A security context on the client's side, with a server that proves itself. The client's ticket is never
/// delegated. It is used by one thread at a time.
pub struct Context {
    credentials: Credentials,
    server: String,
    target: Name,
    context: Ctx,
    /// What the context has, once it is established.
    flags: Option<u32>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Context of {} with {}", self.credentials.principal(), self.server)
    }
}

impl Context {
    /// Begins one with a server of this principal in full (`nn/host@REALM`), which is looked up nowhere.
    pub fn initiate(credentials: &Credentials, server: &str) -> Result<Self, GssError> {
        let library = credentials.cred().library;
        Ok(Self {
            credentials: credentials.clone(),
            server: server.to_owned(),
            target: Name::principal(library, server)?,
            context: Ctx::new(library),
            flags: None,
        })
    }

    /// Makes the next token. `None` is for the first step. The first step asks the KDC for a ticket of the
    /// server, unless there is one already, and blocks for up to a minute if no KDC answers.
    pub fn step(&mut self, token: Option<&[u8]>) -> Result<Step, GssError> {
        let doing = format!("proving to {} to be {}", self.server, self.credentials.principal());
        let fail = |why: &str| Err(GssError::new(KerberosProblem::Other, doing.clone(), why));
        if self.flags.is_some() {
            return fail("it is proved already");
        }
        if token.is_some() != self.is_begun() {
            return fail("the server's answer is missing, or came too early");
        }
        let cred = self.credentials.cred();
        let done = self.context.initiate(cred, &self.target, FLAGS, token.unwrap_or_default(), &doing)?;
        if done.flags & flag::DELEGATE != 0 {
            return fail("the Kerberos library wants to give the server the client's own ticket");
        }
        if !done.complete {
            return Ok(Step::Continue(done.token));
        }
        if done.flags & NEEDED != NEEDED {
            return fail("the server does not prove that it is the one, or cannot protect messages");
        }
        self.flags = Some(done.flags);
        Ok(Step::Complete(done.token))
    }

    /// Whether the context is established.
    pub fn is_complete(&self) -> bool {
        self.flags.is_some()
    }

    /// Whether messages can be encrypted.
    pub fn can_encrypt(&self) -> bool {
        self.flags.is_some_and(|flags| flags & flag::CONFIDENTIALITY != 0)
    }

    /// Protects a message against changes, and against reading if `encrypt`.
    pub fn wrap(&mut self, plain: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError> {
        self.established("protecting a message")?;
        self.context.wrap(plain, encrypt)
    }

    /// Opens a message. If `encrypt`, one that is not encrypted is an error; so is, always, one that was
    /// changed, comes twice, or comes before others.
    pub fn unwrap(&mut self, wrapped: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError> {
        self.established("opening a message of the server")?;
        self.context.unwrap(wrapped, encrypt)
    }

    /// How long a message may be, in bytes, whose protected form has at most `output` bytes.
    pub fn wrap_size_limit(&mut self, encrypt: bool, output: u32) -> Result<u32, GssError> {
        self.established("computing the length of messages")?;
        self.context.wrap_size_limit(encrypt, output)
    }

    fn is_begun(&self) -> bool {
        !self.context.record.is_null()
    }

    fn established(&self, doing: &str) -> Result<(), GssError> {
        if self.is_complete() {
            return Ok(());
        }
        Err(GssError::new(
            KerberosProblem::Other,
            doing,
            "client and server have not proved who they are yet",
        ))
    }
}
