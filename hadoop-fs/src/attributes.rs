//! The functions of libhdfs that hdrs has no wrapper for: times, permissions, and the text of the last
//! exception. This is the only place with `unsafe` code.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::marker::PhantomData;

use hdfs_sys::{
    hadoopRzOptionsAlloc, hadoopRzOptionsFree, hdfsBuilderConfSetStr, hdfsBuilderConnect,
    hdfsBuilderSetForceNewInstance, hdfsBuilderSetNameNode, hdfsBuilderSetUserName, hdfsChmod, hdfsFS,
    hdfsGetLastExceptionRootCause, hdfsGetLastExceptionStackTrace, hdfsNewBuilder, hdfsUtime,
};

/// A connection to a file system. It is one of its own, because hdrs does not give access to its connections.
#[derive(Debug)]
pub(crate) struct Attributes {
    fs: hdfsFS,
}

// SAFETY: libhdfs documents a file system handle as usable by any thread; it is a global reference to a Java
// object, and every call attaches the calling thread to the JVM.
unsafe impl Send for Attributes {}
// SAFETY: as above; nothing on this side changes behind the pointer.
unsafe impl Sync for Attributes {}

impl Attributes {
    /// Connects to the file system `root` as `user`, with these settings. Blocks.
    pub(crate) fn connect(root: &str, user: &str, settings: &[(String, String)]) -> io::Result<Self> {
        let (root, user) = (CString::new(root)?, CString::new(user)?);
        let settings: Vec<(CString, CString)> = settings
            .iter()
            .map(|(key, value)| Ok((CString::new(key.as_str())?, CString::new(value.as_str())?)))
            .collect::<io::Result<_>>()?;
        // SAFETY: the builder is used here alone, and hdfsBuilderConnect frees it whatever comes of it. It
        // keeps pointers to the strings until then, and they live to the end of this function.
        let fs = unsafe {
            let builder = hdfsNewBuilder();
            if builder.is_null() {
                return Err(io::Error::last_os_error());
            }
            hdfsBuilderSetForceNewInstance(builder);
            hdfsBuilderSetNameNode(builder, root.as_ptr());
            hdfsBuilderSetUserName(builder, user.as_ptr());
            // libhdfs adds each setting in front of the others, and the last one counts: no key is given
            // twice here. It fails only if there is no memory left.
            for (key, value) in &settings {
                hdfsBuilderConfSetStr(builder, key.as_ptr(), value.as_ptr());
            }
            hdfsBuilderConnect(builder)
        };
        if fs.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self { fs }) }
    }

    /// Sets modification and access time in seconds since 1970; -1 leaves one as it is. Blocks.
    pub(crate) fn set_times(&self, path: &str, modified: i64, accessed: i64) -> io::Result<()> {
        let path = CString::new(path)?;
        // SAFETY: the handle is never closed, and the string lives through the call.
        succeeded(unsafe { hdfsUtime(self.fs, path.as_ptr(), modified, accessed) })
    }

    /// Sets permissions. Blocks.
    pub(crate) fn set_mode(&self, path: &str, mode: u16) -> io::Result<()> {
        let path = CString::new(path)?;
        let mode = i16::try_from(mode).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: as above.
        succeeded(unsafe { hdfsChmod(self.fs, path.as_ptr(), mode) })
    }
}

fn succeeded(code: i32) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Proof that the JVM knows the current thread.
#[derive(Debug)]
pub(crate) struct Attached {
    /// The proof holds for one thread only, so it must not be sent to another.
    _thread: PhantomData<*const ()>,
}

impl Attached {
    /// Makes the current thread known to the JVM, which is started first if it does not run yet. Both stay so
    /// until the thread, and the process, end.
    pub(crate) fn here() -> io::Result<Self> {
        // SAFETY: options for reading are made and freed; it is libhdfs's cheapest call that makes a thread
        // known.
        unsafe {
            let options = hadoopRzOptionsAlloc();
            if options.is_null() {
                return Err(io::Error::other("Java cannot be started in this process"));
            }
            hadoopRzOptionsFree(options);
        }
        Ok(Self { _thread: PhantomData })
    }

    /// The exception that this thread's last call failed with, as `package.IOException: words`, then the
    /// innermost behind it. Empty if there was none.
    pub(crate) fn last_exceptions(&self) -> Vec<String> {
        // SAFETY: these follow a pointer that is there for an attached thread only, which `self` proves. The
        // texts belong to libhdfs, which drops them at this thread's next call: they are copied before.
        unsafe {
            [hdfsGetLastExceptionStackTrace(), hdfsGetLastExceptionRootCause()]
                .into_iter()
                .filter(|text| !text.is_null())
                .filter_map(|text| CStr::from_ptr(text).to_string_lossy().lines().next().map(str::to_owned))
                .collect()
        }
    }
}
