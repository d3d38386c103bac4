//! The client's credentials: where they come from, and whose they are.

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hadoop_rpc::KerberosProblem;

use crate::calls::{self, Cred, Name};
use crate::error::GssError;
use crate::keytab::Keytab;
use crate::library::Library;
use crate::raw::INITIATE;

/// Where the client's tickets come from. Clones share them.
#[derive(Debug, Clone)]
pub struct TicketSource {
    library: Library,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Cache(Option<CString>),
    Keytab(Arc<KeytabLogin>),
}

#[derive(Debug)]
struct KeytabLogin {
    path: PathBuf,
    /// The path as the library takes it.
    name: CString,
    principal: String,
    tickets: MemoryCache,
}

/// A ticket cache in this process's memory, which no other process and no other login sees.
#[derive(Debug)]
struct MemoryCache {
    library: Library,
    name: CString,
}

impl Drop for MemoryCache {
    fn drop(&mut self) {
        calls::destroy_cache(self.library, &self.name);
    }
}

impl TicketSource {
    /// The tickets of `kinit`, in the cache of this name, such as `FILE:/tmp/tickets`; `None` is the
    /// library's default: that of `KRB5CCNAME` if it is set, or else of krb5.conf. The cache is read at each
    /// [`acquire`](Self::acquire), so the tickets of a later `kinit` are found.
    pub fn cache(library: Library, name: Option<&str>) -> Result<Self, GssError> {
        let name = name.map(|name| {
            CString::new(name).map_err(|_| {
                let why = "its name contains a zero byte";
                GssError::new(KerberosProblem::NoCredentials, "reading the ticket cache", why)
            })
        });
        Ok(Self { library, place: Place::Cache(name.transpose()?) })
    }

    /// A keytab, and the principal whose key is used, with or without its realm. The keytab is read now, so
    /// that a wrong one has an error that says what is wrong. Tickets are kept in memory, apart from those
    /// of other sources and of `kinit`, until the last clone and the last [`Credentials`] are dropped.
    pub fn keytab(library: Library, path: &Path, principal: &str) -> Result<Self, GssError> {
        let principal = find(path, principal)?;
        let mut name = b"FILE:".to_vec();
        name.extend(path.as_os_str().as_bytes());
        let name = CString::new(name).map_err(|_| {
            GssError::new(KerberosProblem::Keytab, "reading the keytab", "its path contains a zero byte")
        })?;
        let cache = format!("MEMORY:heddle-{}", uuid::Uuid::new_v4().simple());
        let cache = CString::new(cache)
            .map_err(|e| GssError::new(KerberosProblem::Other, "naming a ticket cache", e.to_string()))?;
        let tickets = MemoryCache { library, name: cache };
        let login = KeytabLogin { path: path.to_owned(), name, principal, tickets };
        Ok(Self { library, place: Place::Keytab(Arc::new(login)) })
    }

    /// Credentials that can be used now. With a keytab, the KDC is asked if there is no ticket yet, or if the
    /// ticket has passed half of its life. Blocks, for up to a minute if no KDC answers.
    pub fn acquire(&self) -> Result<Credentials, GssError> {
        let doing = self.to_string();
        let cred = match &self.place {
            Place::Cache(None) => Cred::acquire(self.library, None, INITIATE, &[], &doing)?,
            Place::Cache(Some(name)) => {
                Cred::acquire(self.library, None, INITIATE, &[(c"ccache", name)], &doing)?
            }
            Place::Keytab(login) => login.acquire(self.library, &doing)?,
        };
        // The library finds tickets that have expired, and only then says so.
        let (principal, lifetime) = cred.inquire(&doing).map_err(|error| match error.problem() {
            KerberosProblem::Expired => {
                GssError::new(KerberosProblem::Expired, &doing, "the ticket has expired")
            }
            _ => error,
        })?;
        let tickets = match &self.place {
            Place::Cache(_) => None,
            Place::Keytab(login) => Some(login.clone()),
        };
        Ok(Credentials { inner: Arc::new(Inner { cred, _tickets: tickets }), principal, lifetime })
    }

    pub(crate) fn library(&self) -> Library {
        self.library
    }

    #[cfg(test)]
    pub(crate) fn memory_cache(&self) -> Option<&CStr> {
        match &self.place {
            Place::Cache(_) => None,
            Place::Keytab(login) => Some(&login.tickets.name),
        }
    }
}

impl fmt::Display for TicketSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Cache(None) => f.write_str("reading the ticket cache"),
            Place::Cache(Some(name)) => write!(f, "reading the ticket cache {}", name.to_string_lossy()),
            Place::Keytab(login) => {
                write!(f, "logging in as {} with the keytab {}", login.principal, login.path.display())
            }
        }
    }
}

impl KeytabLogin {
    fn acquire(&self, library: Library, doing: &str) -> Result<Cred, GssError> {
        let principal = Name::principal(library, &self.principal)?;
        let store: [(&CStr, &CStr); 2] = [(c"client_keytab", &self.name), (c"ccache", &self.tickets.name)];
        Cred::acquire(library, Some(&principal), INITIATE, &store, doing).map_err(|error| {
            if error.problem() != KerberosProblem::NoCredentials {
                return error;
            }
            // The library says so of many things. The file may have changed since it was read.
            match find(&self.path, &self.principal) {
                Err(why) => why,
                Ok(_) => error,
            }
        })
    }
}

/// The principal in full of which the keytab has a key.
fn find(path: &Path, principal: &str) -> Result<String, GssError> {
    Keytab::read(path)?.find(principal).map(str::to_owned).map_err(|why| {
        GssError::new(KerberosProblem::Keytab, format!("reading the keytab {}", path.display()), why)
    })
}

/// Credentials of a client. Clones share them.
#[derive(Clone)]
pub struct Credentials {
    inner: Arc<Inner>,
    principal: String,
    lifetime: Option<Duration>,
}

/// The fields are dropped in this order, as the library wants it.
struct Inner {
    cred: Cred,
    _tickets: Option<Arc<KeytabLogin>>,
}

impl Credentials {
    /// The client's principal in full, such as `alice@REALM`.
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The realm of that principal.
    pub fn realm(&self) -> &str {
        self.principal.rsplit_once('@').map_or("", |(_, realm)| realm)
    }

    /// How long they could still be used when they were acquired; `None` is without end.
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    pub(crate) fn cred(&self) -> &Cred {
        &self.inner.cred
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials of {} for {:?}", self.principal, self.lifetime)
    }
}
