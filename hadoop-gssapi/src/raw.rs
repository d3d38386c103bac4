//! The C interface of MIT's GSSAPI library as it is on Linux: types, constants, and a table of the functions
//! that are used. Each function has its contract beside it; `calls` keeps the contracts.
#![allow(unsafe_code, reason = "these are the types of C functions, which are unsafe to call")]

use std::ffi::{c_char, c_int, c_void};

/// The library's internals, to which only it has access; each stands behind a pointer.
macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident)*) => {
        $($(#[$doc])* #[repr(C)] pub(crate) struct $name { _private: [u8; 0] })*
    };
}

opaque! {
    /// What `gss_name_t` points to.
    NameRecord
    /// What `gss_cred_id_t` points to.
    CredRecord
    /// What `gss_ctx_id_t` points to.
    ContextRecord
    /// What `krb5_context` points to.
    Krb5Record
    /// What `krb5_ccache` points to.
    CacheRecord
}

/// `gss_buffer_desc`.
#[repr(C)]
pub(crate) struct Buffer {
    pub(crate) length: usize,
    pub(crate) value: *mut c_void,
}

/// `gss_OID_desc`.
#[repr(C)]
pub(crate) struct Oid {
    pub(crate) length: u32,
    pub(crate) elements: *const c_void,
}

/// `gss_OID_set_desc`.
#[repr(C)]
pub(crate) struct OidSet {
    pub(crate) count: usize,
    pub(crate) elements: *const Oid,
}

/// `gss_key_value_element_desc`.
#[repr(C)]
pub(crate) struct StoreElement {
    pub(crate) key: *const c_char,
    pub(crate) value: *const c_char,
}

/// `gss_key_value_set_desc`.
#[repr(C)]
pub(crate) struct Store {
    pub(crate) count: u32,
    pub(crate) elements: *const StoreElement,
}

impl Buffer {
    pub(crate) const EMPTY: Self = Self { length: 0, value: std::ptr::null_mut() };

    /// A buffer that the library only reads.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len(), value: bytes.as_ptr().cast_mut().cast() }
    }
}

impl Oid {
    /// Kerberos 5, the mechanism: 1.2.840.113554.1.2.2.
    pub(crate) fn krb5() -> Self {
        Self::of(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")
    }

    /// `GSS_KRB5_NT_PRINCIPAL_NAME`: a principal in full, of which the library changes nothing.
    pub(crate) fn principal() -> Self {
        Self::of(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01")
    }

    /// `GSS_C_NT_HOSTBASED_SERVICE`: `service@host`, whose host the library may look up.
    pub(crate) fn host_based() -> Self {
        Self::of(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04")
    }

    fn of(elements: &'static [u8]) -> Self {
        Self { length: elements.len() as u32, elements: elements.as_ptr().cast() }
    }
}

/// `GSS_C_INITIATE`.
pub(crate) const INITIATE: c_int = 1;
/// `GSS_C_ACCEPT`.
#[cfg(test)]
pub(crate) const ACCEPT: c_int = 2;
/// `GSS_C_INDEFINITE`, a lifetime.
pub(crate) const INDEFINITE: u32 = u32::MAX;
/// `GSS_C_GSS_CODE`, for `gss_display_status`.
pub(crate) const MAJOR: c_int = 1;
/// `GSS_C_MECH_CODE`.
pub(crate) const MINOR: c_int = 2;

/// Flags of a security context.
pub(crate) mod flag {
    pub(crate) const DELEGATE: u32 = 1;
    pub(crate) const MUTUAL: u32 = 2;
    pub(crate) const REPLAY: u32 = 4;
    pub(crate) const SEQUENCE: u32 = 8;
    pub(crate) const CONFIDENTIALITY: u32 = 16;
    pub(crate) const INTEGRITY: u32 = 32;
}

/// The parts of a major status.
pub(crate) mod major {
    /// Calling error and routine error.
    pub(crate) const ERROR: u32 = 0xffff_0000;
    pub(crate) const ROUTINE: u32 = 0x00ff_0000;
    pub(crate) const NO_CRED: u32 = 7 << 16;
    pub(crate) const CREDENTIALS_EXPIRED: u32 = 11 << 16;
    pub(crate) const CONTINUE_NEEDED: u32 = 1;
    /// Supplementary bits of `gss_unwrap`: duplicate, old, out of order, a gap.
    pub(crate) const OUT_OF_ORDER: u32 = 2 | 4 | 8 | 16;
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        /// The functions of the library.
        pub(crate) struct Functions {
            $(
                $(#[$doc])*
                // SAFETY: only a type is written here; the documentation above is the contract of its calls.
                pub(crate) $name: unsafe extern "C" fn($($type),*) $(-> $result)?,
            )*
        }

        impl Functions {
            /// Finds the functions in the library.
            ///
            /// # Safety
            ///
            /// The library must be MIT's `libgssapi_krb5.so.2`, whose functions have these types, and must
            /// stay loaded as long as the table is used.
            // SAFETY: the contract is above.
            pub(crate) unsafe fn find(library: &libloading::Library) -> Result<Self, libloading::Error> {
                // SAFETY: the caller promises that these are the functions' types. `get` also finds what
                // the libraries define that this one needs, as dlsym does: the functions of libkrb5.
                Ok(Self { $($name: *unsafe { library.get(stringify!($name)) }?,)* })
            }
        }
    };
}

// What holds for all functions of GSSAPI: `minor` points to a number that the function writes. A pointer for
// output points to a valid place, or is null where the contract allows that. A handle for input comes from
// the same library and has not been released. What the function returns is the major status. No function
// keeps a pointer that it was given after it returns. Several threads may call functions at the same time,
// if no two of them use the same context.
functions! {
    /// Finds credentials. `name` may be null (whatever the store holds), and so may `actual`. `store` is an
    /// array of `count` pairs of strings that end with zero. On success, `cred` is new and is released with
    /// `gss_release_cred`; otherwise it is null. May ask the KDC.
    gss_acquire_cred_from(
        minor: *mut u32, name: *mut NameRecord, lifetime: u32, mechanisms: *const OidSet, usage: c_int,
        store: *const Store, cred: *mut *mut CredRecord, actual: *mut *mut OidSet, granted: *mut u32,
    ) -> u32;
    /// Reads credentials. `name` becomes new and is released with `gss_release_name`; `usage` and
    /// `mechanisms` may be null.
    gss_inquire_cred(
        minor: *mut u32, cred: *mut CredRecord, name: *mut *mut NameRecord, lifetime: *mut u32,
        usage: *mut c_int, mechanisms: *mut *mut OidSet,
    ) -> u32;
    /// Frees credentials and makes the pointer null.
    gss_release_cred(minor: *mut u32, cred: *mut *mut CredRecord) -> u32;
    /// Reads a name of the given type. On success, `name` is new and is released with `gss_release_name`.
    gss_import_name(minor: *mut u32, text: *const Buffer, kind: *const Oid, name: *mut *mut NameRecord) -> u32;
    /// Makes the name that a mechanism has for a name; a host-based one may be looked up. On success,
    /// `output` is new and is released with `gss_release_name`.
    gss_canonicalize_name(
        minor: *mut u32, name: *mut NameRecord, mechanism: *const Oid, output: *mut *mut NameRecord,
    ) -> u32;
    /// Writes a name. `text` becomes new and is released with `gss_release_buffer`; `kind` may be null.
    gss_display_name(minor: *mut u32, name: *mut NameRecord, text: *mut Buffer, kind: *mut *const Oid) -> u32;
    /// Frees a name and makes the pointer null.
    gss_release_name(minor: *mut u32, name: *mut *mut NameRecord) -> u32;
    /// Makes the next token of the side that begins. `context` points to null at the first call, and then to
    /// what the call before has written there, which is released with `gss_delete_sec_context`, also after
    /// an error. `bindings`, `actual` and `lifetime` may be null. `output` becomes new, also after an error,
    /// and is released with `gss_release_buffer`. May ask the KDC.
    gss_init_sec_context(
        minor: *mut u32, cred: *mut CredRecord, context: *mut *mut ContextRecord, target: *mut NameRecord,
        mechanism: *const Oid, flags: u32, lifetime: u32, bindings: *const c_void, input: *const Buffer,
        actual: *mut *const Oid, output: *mut Buffer, granted: *mut u32, lifetime_granted: *mut u32,
    ) -> u32;
    /// Frees a context and makes the pointer null. `output` may be null.
    gss_delete_sec_context(minor: *mut u32, context: *mut *mut ContextRecord, output: *mut Buffer) -> u32;
    /// Protects a message. The context must be established. `output` becomes new and is released with
    /// `gss_release_buffer`.
    gss_wrap(
        minor: *mut u32, context: *mut ContextRecord, encrypt: c_int, qop: u32, input: *const Buffer,
        encrypted: *mut c_int, output: *mut Buffer,
    ) -> u32;
    /// Opens a message. The context must be established. `output` becomes new and is released with
    /// `gss_release_buffer`; `qop` may be null.
    gss_unwrap(
        minor: *mut u32, context: *mut ContextRecord, input: *const Buffer, output: *mut Buffer,
        encrypted: *mut c_int, qop: *mut u32,
    ) -> u32;
    /// Computes how long a message may be whose protected form has at most `output` bytes. The context must
    /// be established.
    gss_wrap_size_limit(
        minor: *mut u32, context: *mut ContextRecord, encrypt: c_int, qop: u32, output: u32, limit: *mut u32,
    ) -> u32;
    /// Writes a status in words: one message for each call, until `more` is zero, as it is at the first call.
    /// For a minor status it must be called in the thread in which the function failed. `text` becomes new
    /// and is released with `gss_release_buffer`.
    gss_display_status(
        minor: *mut u32, status: u32, kind: c_int, mechanism: *const Oid, more: *mut u32, text: *mut Buffer,
    ) -> u32;
    /// Frees what the library has written into a buffer, and makes the buffer empty.
    gss_release_buffer(minor: *mut u32, buffer: *mut Buffer) -> u32;
    /// Makes what other functions of libkrb5 need, if it returns 0; it is freed with `krb5_free_context`.
    krb5_init_context(context: *mut *mut Krb5Record) -> i32;
    /// Frees that.
    krb5_free_context(context: *mut Krb5Record);
    /// Opens the ticket cache of this name, a string that ends with zero, if it returns 0.
    krb5_cc_resolve(context: *mut Krb5Record, name: *const c_char, cache: *mut *mut CacheRecord) -> i32;
    /// Removes the tickets from a cache and frees the handle, also if it fails.
    krb5_cc_destroy(context: *mut Krb5Record, cache: *mut CacheRecord) -> i32;
}
