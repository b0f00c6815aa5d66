// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! What ran: the profile of a program that was woven for coverage, from inside it.
//!
//! Such a program writes its profile by itself, and it is complete however the program ends. These functions are for
//! programs that want to tell one part of their work from another.
//!
//! ```
//! use weft::coverage;
//!
//! coverage::reset();
//! // ... what is to be looked at ...
//! let file = std::env::temp_dir().join(format!("part-{}.profraw", std::process::id()));
//! coverage::write(&file)?;
//! assert_eq!(file.exists(), coverage::active());
//! # let _ = std::fs::remove_file(&file);
//! # Ok::<(), std::io::Error>(())
//! ```

#[cfg(weft_coverage)]
mod runtime {
    unsafe extern "C" {
        pub safe fn weft_coverage_reset();
        pub safe fn weft_coverage_active() -> core::ffi::c_int;
        #[cfg(feature = "std")]
        pub fn weft_coverage_write(path: *const core::ffi::c_char) -> core::ffi::c_int;
        #[cfg(feature = "std")]
        pub fn weft_coverage_merge(path: *const core::ffi::c_char) -> core::ffi::c_int;
    }
}

/// What a program that was built without coverage gets.
#[cfg(not(weft_coverage))]
mod runtime {
    #[inline]
    pub fn weft_coverage_reset() {}

    #[inline]
    pub fn weft_coverage_active() -> core::ffi::c_int {
        0
    }
}

/// Sets all counts to 0, in the process's own file too.
///
/// Exact if no other thread runs woven code meanwhile; else a counter that such a thread is adding to may keep its value, and with
/// binary counters a loop that it is leaving may stay unseen until the next reset. Not for signal handlers.
#[inline]
pub fn reset() {
    runtime::weft_coverage_reset();
}

/// Whether the process holds code that was woven for coverage.
#[inline]
#[must_use]
pub fn active() -> bool {
    runtime::weft_coverage_active() != 0
}

/// Writes all that was counted so far, by all threads, to a file: a raw profile, as LLVM's tools read it.
///
/// The file is replaced as a whole or left alone. Counts of threads that run are read as they are. Without Weft nothing is
/// written, and that is no error. Not for signal handlers.
///
/// # Errors
///
/// When the path holds a NUL byte, or the file cannot be written.
#[cfg(feature = "std")]
pub fn write(path: impl AsRef<std::path::Path>) -> std::io::Result<()> {
    with_path(path.as_ref(), Action::Write)
}

/// Adds the counts in a raw profile of this very program to the process's own.
///
/// Without Weft it does nothing. Not for signal handlers.
///
/// # Errors
///
/// When the file cannot be read, or is no profile of this program (`InvalidInput`).
#[cfg(feature = "std")]
pub fn merge(path: impl AsRef<std::path::Path>) -> std::io::Result<()> {
    with_path(path.as_ref(), Action::Merge)
}

#[cfg(feature = "std")]
enum Action {
    Write,
    Merge,
}

#[cfg(all(feature = "std", weft_coverage))]
fn with_path(path: &std::path::Path, action: Action) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt;

    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is NUL-terminated and outlives the call, which does not keep it.
    let error = unsafe {
        match action {
            Action::Write => runtime::weft_coverage_write(path.as_ptr()),
            Action::Merge => runtime::weft_coverage_merge(path.as_ptr()),
        }
    };
    if error == 0 {
        Ok(())
    } else {
        Err(std::io::Error::from_raw_os_error(error))
    }
}

#[cfg(all(feature = "std", not(weft_coverage)))]
fn with_path(path: &std::path::Path, action: Action) -> std::io::Result<()> {
    let (_, _) = (path, action);
    Ok(())
}
