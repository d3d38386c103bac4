//! The library's functions as safe ones: what the library hands out is freed when it is dropped, and a status
//! becomes an error. All of this blocks, and may ask the KDC.
#![allow(unsafe_code, reason = "this calls the functions of `raw`")]

use std::ffi::{CStr, CString, c_int};
use std::ptr;
use std::time::Duration;

use hadoop_rpc::KerberosProblem;

use crate::error::{GssError, problem};
use crate::library::Library;
use crate::raw::{
    self, Buffer, ContextRecord, CredRecord, INDEFINITE, MAJOR, MINOR, NameRecord, Oid, OidSet, Store,
    StoreElement, major,
};

/// How many messages of one status are read at most.
const MESSAGES: usize = 8;

/// What the library has written, and frees.
pub(crate) struct Output {
    library: Library,
    buffer: Buffer,
}

impl Output {
    pub(crate) fn new(library: Library) -> Self {
        Self { library, buffer: Buffer::EMPTY }
    }

    /// Where the library writes, once.
    pub(crate) fn place(&mut self) -> &mut Buffer {
        &mut self.buffer
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        if self.buffer.value.is_null() {
            return &[];
        }
        // SAFETY: the library has written `length` bytes there, and they stay until `drop`.
        unsafe { std::slice::from_raw_parts(self.buffer.value.cast(), self.buffer.length) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the buffer is empty or from the library, and nobody else frees it.
        unsafe { (self.library.functions().gss_release_buffer)(&mut minor, &mut self.buffer) };
    }
}

/// Turns a status into its supplementary bits, or into an error. It must be called in the thread in which
/// the function failed, before another one is called there.
pub(crate) fn check(library: Library, status: u32, minor: u32, doing: &str) -> Result<u32, GssError> {
    if status & major::ERROR == 0 {
        return Ok(status);
    }
    // Of a minor status that says nothing, the library says "Success".
    let mut why = if minor == 0 { String::new() } else { words(library, minor, MINOR) };
    if why.is_empty() || why == "Success" {
        why = words(library, status, MAJOR);
    }
    Err(GssError::new(problem(status, minor), doing, why))
}

fn words(library: Library, status: u32, kind: c_int) -> String {
    let (mut more, mut found) = (0, Vec::new());
    for _ in 0..MESSAGES {
        let (mut minor, mut text) = (0, Output::new(library));
        // SAFETY: all pointers are to locals, and the mechanism's OID is static.
        let status = unsafe {
            (library.functions().gss_display_status)(
                &mut minor,
                status,
                kind,
                &Oid::krb5(),
                &mut more,
                text.place(),
            )
        };
        if status & major::ERROR != 0 {
            break;
        }
        found.push(text.text());
        if more == 0 {
            break;
        }
    }
    found.join("; ")
}

/// A name as the library has it.
pub(crate) struct Name {
    library: Library,
    record: *mut NameRecord,
}

// SAFETY: the library never changes a name after it has made it, and any thread may use and free it.
unsafe impl Send for Name {}
// SAFETY: for the same reason.
unsafe impl Sync for Name {}

impl Name {
    /// A principal in full.
    pub(crate) fn principal(library: Library, text: &str) -> Result<Self, GssError> {
        Self::import(library, text, &Oid::principal())
    }

    /// `service@host` as the library looks it up: with the host's canonical name and realm.
    pub(crate) fn looked_up(library: Library, text: &str) -> Result<Self, GssError> {
        Self::import(library, text, &Oid::host_based())?
            .of_kerberos(&format!("looking up the host of {text}"))
    }

    /// The name as Kerberos has it: with a realm.
    pub(crate) fn of_kerberos(&self, doing: &str) -> Result<Self, GssError> {
        let library = self.library;
        let (mut minor, mut found) = (0, Self { library, record: ptr::null_mut() });
        // SAFETY: the name is valid, and the other pointers are to locals.
        let status = unsafe {
            (library.functions().gss_canonicalize_name)(
                &mut minor,
                self.record,
                &Oid::krb5(),
                &mut found.record,
            )
        };
        check(library, status, minor, doing)?;
        Ok(found)
    }

    fn import(library: Library, text: &str, kind: &Oid) -> Result<Self, GssError> {
        let (mut minor, mut name) = (0, Self { library, record: ptr::null_mut() });
        let buffer = Buffer::of(text.as_bytes());
        // SAFETY: the buffer is only read, and the other pointers are to locals.
        let status =
            unsafe { (library.functions().gss_import_name)(&mut minor, &buffer, kind, &mut name.record) };
        check(library, status, minor, &format!("reading the principal {text}"))?;
        Ok(name)
    }

    /// A name that the library has handed out.
    #[cfg(test)]
    pub(crate) fn owned(library: Library, record: *mut NameRecord) -> Self {
        Self { library, record }
    }

    pub(crate) fn text(&self) -> Result<String, GssError> {
        let (mut minor, mut text) = (0, Output::new(self.library));
        // SAFETY: the name is valid, the other pointers are to locals, and the last may be null.
        let status = unsafe {
            (self.library.functions().gss_display_name)(
                &mut minor,
                self.record,
                text.place(),
                ptr::null_mut(),
            )
        };
        check(self.library, status, minor, "writing a principal")?;
        Ok(text.text())
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let mut minor = 0;
        if !self.record.is_null() {
            // SAFETY: the name is from the library, and nobody else frees it.
            unsafe { (self.library.functions().gss_release_name)(&mut minor, &mut self.record) };
        }
    }
}

/// Credentials as the library has them.
pub(crate) struct Cred {
    pub(crate) library: Library,
    pub(crate) record: *mut CredRecord,
}

// SAFETY: the library guards credentials with a lock of their own, and any thread may use and free them.
unsafe impl Send for Cred {}
// SAFETY: for the same reason.
unsafe impl Sync for Cred {}

impl Cred {
    /// Credentials for the usage `raw::INITIATE`, from the places that `store` names (`ccache`,
    /// `client_keytab`, `keytab`); what it does not name is the library's default.
    pub(crate) fn acquire(
        library: Library,
        name: Option<&Name>,
        usage: c_int,
        store: &[(&CStr, &CStr)],
        doing: &str,
    ) -> Result<Self, GssError> {
        let elements: Vec<StoreElement> =
            store.iter().map(|(k, v)| StoreElement { key: k.as_ptr(), value: v.as_ptr() }).collect();
        let store = Store { count: elements.len() as u32, elements: elements.as_ptr() };
        let mechanism = Oid::krb5();
        let mechanisms = OidSet { count: 1, elements: &mechanism };
        let (mut minor, mut cred) = (0, Self { library, record: ptr::null_mut() });
        // SAFETY: the name is valid or null, the store's strings live through the call, the other pointers
        // are to locals, and the last two may be null.
        let status = unsafe {
            (library.functions().gss_acquire_cred_from)(
                &mut minor,
                name.map_or(ptr::null_mut(), |n| n.record),
                INDEFINITE,
                &mechanisms,
                usage,
                &store,
                &mut cred.record,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        check(library, status, minor, doing)?;
        Ok(cred)
    }

    /// The principal, and how long the credentials can still be used: `None` is without end.
    pub(crate) fn inquire(&self, doing: &str) -> Result<(String, Option<Duration>), GssError> {
        let (mut minor, mut lifetime) = (0, 0);
        let mut name = Name { library: self.library, record: ptr::null_mut() };
        // SAFETY: the credentials are valid, the other pointers are to locals, and the last two may be null.
        let status = unsafe {
            (self.library.functions().gss_inquire_cred)(
                &mut minor,
                self.record,
                &mut name.record,
                &mut lifetime,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        check(self.library, status, minor, doing)?;
        let lifetime = (lifetime != INDEFINITE).then(|| Duration::from_secs(lifetime.into()));
        Ok((name.text()?, lifetime))
    }
}

impl Drop for Cred {
    fn drop(&mut self) {
        let mut minor = 0;
        if !self.record.is_null() {
            // SAFETY: the credentials are from the library, and nobody else frees them.
            unsafe { (self.library.functions().gss_release_cred)(&mut minor, &mut self.record) };
        }
    }
}

/// What a step of a context has brought.
pub(crate) struct Stepped {
    pub(crate) token: Vec<u8>,
    pub(crate) complete: bool,
    pub(crate) flags: u32,
}

/// A security context as the library has it.
pub(crate) struct Ctx {
    pub(crate) library: Library,
    pub(crate) record: *mut ContextRecord,
}

// SAFETY: any thread may use and free a context, one at a time; that is why it is not `Sync`.
unsafe impl Send for Ctx {}

impl Ctx {
    pub(crate) fn new(library: Library) -> Self {
        Self { library, record: ptr::null_mut() }
    }

    pub(crate) fn initiate(
        &mut self,
        cred: &Cred,
        target: &Name,
        flags: u32,
        input: &[u8],
        doing: &str,
    ) -> Result<Stepped, GssError> {
        let (mut minor, mut granted, mut output) = (0, 0, Output::new(self.library));
        // SAFETY: credentials and name are valid, the context is null or from the call before, the buffer
        // is only read, the other pointers are to locals, and those that are null may be.
        let status = unsafe {
            (self.library.functions().gss_init_sec_context)(
                &mut minor,
                cred.record,
                &mut self.record,
                target.record,
                &Oid::krb5(),
                flags,
                0,
                ptr::null(),
                &Buffer::of(input),
                ptr::null_mut(),
                output.place(),
                &mut granted,
                ptr::null_mut(),
            )
        };
        let more = check(self.library, status, minor, doing)? & major::CONTINUE_NEEDED != 0;
        Ok(Stepped { token: output.bytes().to_vec(), complete: !more, flags: granted })
    }

    /// Protects a message, also against reading if `encrypt`.
    pub(crate) fn wrap(&mut self, plain: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError> {
        let doing = "protecting a message";
        self.established(doing)?;
        let (mut minor, mut encrypted, mut output) = (0, 0, Output::new(self.library));
        // SAFETY: the context is not null, the buffer is only read, and the other pointers are to locals.
        let status = unsafe {
            (self.library.functions().gss_wrap)(
                &mut minor,
                self.record,
                encrypt.into(),
                0,
                &Buffer::of(plain),
                &mut encrypted,
                output.place(),
            )
        };
        check(self.library, status, minor, doing).map_err(GssError::of_message)?;
        if encrypt && encrypted == 0 {
            let why = "the Kerberos library did not encrypt it";
            return Err(GssError::new(KerberosProblem::Other, doing, why));
        }
        Ok(output.bytes().to_vec())
    }

    /// Opens a message, which must be encrypted if `encrypt`. One that comes twice or out of order is an
    /// error.
    pub(crate) fn unwrap(&mut self, wrapped: &[u8], encrypt: bool) -> Result<Vec<u8>, GssError> {
        let doing = "opening a message of the server";
        self.established(doing)?;
        let (mut minor, mut encrypted, mut output) = (0, 0, Output::new(self.library));
        // SAFETY: the context is not null, the buffer is only read, the other pointers are to locals, and
        // the last may be null.
        let status = unsafe {
            (self.library.functions().gss_unwrap)(
                &mut minor,
                self.record,
                &Buffer::of(wrapped),
                output.place(),
                &mut encrypted,
                ptr::null_mut(),
            )
        };
        let rest = check(self.library, status, minor, doing).map_err(GssError::of_message)?;
        if rest & major::OUT_OF_ORDER != 0 {
            let why = "it came twice, or others before it are missing";
            return Err(GssError::new(KerberosProblem::Other, doing, why));
        }
        if encrypt && encrypted == 0 {
            return Err(GssError::new(KerberosProblem::Other, doing, "it is not encrypted, but must be"));
        }
        Ok(output.bytes().to_vec())
    }

    /// How long a message may be whose protected form has at most `output` bytes.
    pub(crate) fn wrap_size_limit(&mut self, encrypt: bool, output: u32) -> Result<u32, GssError> {
        let doing = "computing the length of messages";
        self.established(doing)?;
        let (mut minor, mut limit) = (0, 0);
        // SAFETY: the context is not null, and the pointers are to locals.
        let status = unsafe {
            (self.library.functions().gss_wrap_size_limit)(
                &mut minor,
                self.record,
                encrypt.into(),
                0,
                output,
                &mut limit,
            )
        };
        check(self.library, status, minor, doing)?;
        Ok(limit)
    }

    /// The library itself refuses a context that is begun but not established; null is for this side to
    /// refuse.
    fn established(&self, doing: &str) -> Result<(), GssError> {
        if self.record.is_null() {
            return Err(GssError::new(KerberosProblem::Other, doing, "the authentication has not begun"));
        }
        Ok(())
    }
}

impl Drop for Ctx {
    fn drop(&mut self) {
        let mut minor = 0;
        if !self.record.is_null() {
            // SAFETY: the context is from the library, nobody else frees it, and the last may be null.
            unsafe {
                (self.library.functions().gss_delete_sec_context)(
                    &mut minor,
                    &mut self.record,
                    ptr::null_mut(),
                )
            };
        }
    }
}

/// Removes the tickets of a cache from memory. There is nobody to whom a failure could be told.
pub(crate) fn destroy_cache(library: Library, name: &CString) {
    let functions = library.functions();
    let (mut context, mut cache) = (ptr::null_mut::<raw::Krb5Record>(), ptr::null_mut());
    // SAFETY: each handle is used only if the function that makes it succeeds, is freed once, and the string
    // lives through the call.
    unsafe {
        if (functions.krb5_init_context)(&mut context) != 0 {
            return;
        }
        if (functions.krb5_cc_resolve)(context, name.as_ptr(), &mut cache) == 0 {
            (functions.krb5_cc_destroy)(context, cache);
        }
        (functions.krb5_free_context)(context);
    }
}
