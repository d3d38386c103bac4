//! The functions of libhdfs for which the crate hdrs has no wrapper: setting times and permissions, and
//! reading the text of the last exception. No other module of this crate has `unsafe` code.
#![allow(
    unsafe_code,
    reason = "the rest of the crate calls libhdfs through the crate hdrs, which lacks these functions"
)]

use std::ffi::{CStr, CString};
use std::io;
use std::marker::PhantomData;

use hdfs_sys::{
    hadoopRzOptionsAlloc, hadoopRzOptionsFree, hdfsBuilderConfSetStr, hdfsBuilderConnect,
    hdfsBuilderSetForceNewInstance, hdfsBuilderSetNameNode, hdfsBuilderSetUserName, hdfsChmod, hdfsFS,
    hdfsGetLastExceptionRootCause, hdfsGetLastExceptionStackTrace, hdfsNewBuilder, hdfsUtime,
};

/// A connection to a file system. It is apart from the connections of hdrs, because hdrs gives no access to
/// their handles.
#[derive(Debug)]
pub(crate) struct Attributes {
    fs: hdfsFS,
}

// SAFETY: libhdfs documents a file system handle as usable by any thread; it is a global reference to a Java
// object, and every call attaches the calling thread to the JVM.
unsafe impl Send for Attributes {}
// SAFETY: for the same reason. Besides, no code of this type changes the pointer or what it points to.
unsafe impl Sync for Attributes {}

impl Attributes {
    /// Connects to the file system `root` as `user`, with these settings. Blocks.
    pub(crate) fn connect(root: &str, user: &str, settings: &[(String, String)]) -> io::Result<Self> {
        let (root, user) = (CString::new(root)?, CString::new(user)?);
        let settings: Vec<(CString, CString)> = settings
            .iter()
            .map(|(key, value)| Ok((CString::new(key.as_str())?, CString::new(value.as_str())?)))
            .collect::<io::Result<_>>()?;
        // SAFETY: the builder is used only here, and hdfsBuilderConnect frees it, also if it fails. The
        // builder keeps pointers to the strings until then, and the strings live to the end of this function.
        let fs = unsafe {
            let builder = hdfsNewBuilder();
            if builder.is_null() {
                return Err(io::Error::last_os_error());
            }
            hdfsBuilderSetForceNewInstance(builder);
            hdfsBuilderSetNameNode(builder, root.as_ptr());
            hdfsBuilderSetUserName(builder, user.as_ptr());
            // libhdfs puts each setting in front of the earlier ones and applies them in that order, so of
            // two values for one key the earlier one counts. Only `fs.<scheme>.impl.disable.cache` can be
            // given twice here, which does not matter, because a new instance is not taken from the cache.
            // The call fails only if there is no memory left.
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
        // SAFETY: the handle is never closed, and the string lives through the call.
        succeeded(unsafe { hdfsChmod(self.fs, path.as_ptr(), mode) })
    }
}

fn succeeded(code: i32) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Proves that the current thread is attached to the JVM.
#[derive(Debug)]
pub(crate) struct Attached {
    /// The proof holds for one thread only, so it must not be sent to another.
    _thread: PhantomData<*const ()>,
}

impl Attached {
    /// Attaches the current thread to the JVM, which is started first if it does not run yet. The thread
    /// stays attached until it ends, and the JVM runs until the process ends.
    pub(crate) fn here() -> io::Result<Self> {
        // SAFETY: the options are freed, and used nowhere else. Making and freeing them is the cheapest way
        // to make libhdfs attach the thread.
        unsafe {
            let options = hadoopRzOptionsAlloc();
            if options.is_null() {
                return Err(io::Error::other("Java cannot be started in this process"));
            }
            hadoopRzOptionsFree(options);
        }
        Ok(Self { _thread: PhantomData })
    }

    /// The exception with which this thread's last call of libhdfs has failed, in the form
    /// `package.IOException: words`, and then the innermost of its causes, in the form `IOException: words`.
    /// Empty if the call has not failed.
    pub(crate) fn last_exceptions(&self) -> Vec<String> {
        // SAFETY: both functions follow a pointer that exists only in an attached thread, and `self` proves
        // that this thread is attached. The texts belong to libhdfs, which frees them at this thread's next
        // call, so they are copied here.
        unsafe {
            [hdfsGetLastExceptionStackTrace(), hdfsGetLastExceptionRootCause()]
                .into_iter()
                .filter(|text| !text.is_null())
                .filter_map(|text| CStr::from_ptr(text).to_string_lossy().lines().next().map(str::to_owned))
                .collect()
        }
    }
}
