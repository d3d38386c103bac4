//! Loading MIT's library.
#![allow(unsafe_code, reason = "a library that is loaded runs its own code")]

use std::fmt;
use std::sync::OnceLock;

use hadoop_rpc::KerberosProblem;

use crate::error::GssError;
use crate::raw::Functions;

/// MIT's library by the name that its package gives it; the name without the number belongs to the package
/// for developers.
const NAME: &str = "libgssapi_krb5.so.2";

/// The library once it is loaded. It stays loaded until the process ends: it has put functions into threads
/// that run when these end.
static FUNCTIONS: OnceLock<Functions> = OnceLock::new();

/// MIT's Kerberos library, loaded.
#[derive(Clone, Copy)]
pub struct Library {
    functions: &'static Functions,
}

impl Library {
    /// Loads the library the first time; later calls return the same one.
    pub fn load() -> Result<Self, GssError> {
        if let Some(functions) = FUNCTIONS.get() {
            return Ok(Self { functions });
        }
        let found = load(NAME)?;
        Ok(Self { functions: FUNCTIONS.get_or_init(|| found) })
    }

    pub(crate) fn functions(self) -> &'static Functions {
        self.functions
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}

fn load(name: &str) -> Result<Functions, GssError> {
    let failed = |error: libloading::Error| {
        GssError::new(
            KerberosProblem::Library,
            "loading the Kerberos library",
            // The error itself says only which call of the system has failed.
            format!(
                "{}; it is MIT Kerberos, in the package libgssapi-krb5-2 (Debian, Ubuntu) or krb5-libs (RHEL, Fedora)",
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
            ),
        )
    };
    // SAFETY: the library's initialisers set up its own mutexes and thread keys, and nothing of this process.
    let library = unsafe { libloading::Library::new(name) }.map_err(failed)?;
    // SAFETY: the name with its number is that of MIT's library with this interface, and `forget` below
    // keeps it loaded.
    let functions = unsafe { Functions::find(&library) }.map_err(failed)?;
    std::mem::forget(library);
    Ok(functions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_package() {
        let error = load("libgssapi_krb5.so.none").err().unwrap();
        assert_eq!(error.problem(), KerberosProblem::Library);
        let words = error.to_string();
        for part in
            ["loading the Kerberos library: ", "libgssapi_krb5.so.none", "libgssapi-krb5-2", "krb5-libs"]
        {
            assert!(words.contains(part), "{words}");
        }
    }
}
