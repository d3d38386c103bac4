//! A server's side of GSSAPI, with the same library as the client's.
#![allow(unsafe_code, reason = "the library's function for servers is needed only here")]

use std::ffi::{CString, c_void};
use std::path::Path;
use std::ptr;

use crate::calls::{Cred, Ctx, Output, check};
use crate::error::GssError;
use crate::library::Library;
use crate::raw::{ACCEPT, Buffer, ContextRecord, CredRecord, NameRecord, Oid, major};

// SAFETY: only a type is written here.
type Accept = unsafe extern "C" fn(
    *mut u32,
    *mut *mut ContextRecord,
    *mut CredRecord,
    *const Buffer,
    *const c_void,
    *mut *mut NameRecord,
    *mut *const Oid,
    *mut Buffer,
    *mut u32,
    *mut u32,
    *mut *mut CredRecord,
) -> u32;

pub(super) struct Acceptor {
    library: Library,
    cred: Cred,
    context: Ctx,
    client: String,
    flags: u32,
    delegated: bool,
}

impl Acceptor {
    pub(super) fn new(library: Library, keytab: &Path) -> Self {
        let keytab = CString::new(format!("FILE:{}", keytab.display())).unwrap();
        let store = [(c"keytab", keytab.as_c_str())];
        let cred = Cred::acquire(library, None, ACCEPT, &store, "reading the server's keytab").unwrap();
        let context = Ctx::new(library);
        Self { library, cred, context, client: String::new(), flags: 0, delegated: false }
    }

    pub(super) fn step(&mut self, token: &[u8]) -> Vec<u8> {
        self.try_step(token).unwrap()
    }

    pub(super) fn try_step(&mut self, token: &[u8]) -> Result<Vec<u8>, GssError> {
        // SAFETY: `Library::load` has loaded the same library, and it stays loaded; the type is that of
        // MIT's header.
        let accept = unsafe {
            let library = libloading::Library::new("libgssapi_krb5.so.2").unwrap();
            *library.get::<Accept>("gss_accept_sec_context").unwrap()
        };
        let (mut minor, mut output) = (0, Output::new(self.library));
        let (mut name, mut delegated) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the credentials are valid, the context is null, the other pointers are to locals, and
        // those that are null may be.
        let status = unsafe {
            accept(
                &mut minor,
                &mut self.context.record,
                self.cred.record,
                &Buffer::of(token),
                ptr::null(),
                &mut name,
                ptr::null_mut(),
                output.place(),
                &mut self.flags,
                ptr::null_mut(),
                &mut delegated,
            )
        };
        let status = check(self.library, status, minor, "accepting a client")?;
        assert_eq!(status & major::CONTINUE_NEEDED, 0);
        self.delegated = !delegated.is_null();
        drop(Cred { library: self.library, record: delegated });
        self.client = crate::calls::Name::owned(self.library, name).text()?;
        Ok(output.bytes().to_vec())
    }

    /// The client's principal.
    pub(super) fn client(&self) -> &str {
        &self.client
    }

    pub(super) fn flags(&self) -> u32 {
        self.flags
    }

    /// Whether the client has handed over a ticket of its own.
    pub(super) fn has_delegated(&self) -> bool {
        self.delegated
    }

    pub(super) fn wrap(&mut self, plain: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError> {
        self.context.wrap(plain, encrypt)
    }

    pub(super) fn unwrap(&mut self, wrapped: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError> {
        self.context.unwrap(wrapped, encrypt)
    }
}
