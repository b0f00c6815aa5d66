// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Deterministic counts of the work that a program did.
//!
//! A *unit* is one instruction of the program as the compiler's front end wrote it, so a count depends on the source and
//! its input, not on optimisation, processor or load. Only woven code is counted: your crates and their dependencies, and
//! the standard library if it was woven as well.
//!
//! ```
//! use weft::metering;
//!
//! metering::reset();
//! let mut numbers: Vec<u32> = (0..1000).rev().collect();
//! numbers.sort();
//! let units = metering::count();
//! assert_eq!(units > 0, metering::active());
//! ```
//!
//! # Limits
//!
//! [`limit`] runs code that may do so many units, and no more:
//!
//! ```
//! use weft::metering;
//!
//! let sum = metering::limit(1_000_000, || (0..1000u64).sum::<u64>());
//! assert_eq!(sum, Ok(499_500));
//!
//! # if metering::unwinds() {
//! let never = metering::limit(1_000_000, || loop {
//!     std::hint::black_box(0);
//! });
//! # let _: Result<(), _> = never;
//! assert_eq!(never.is_err(), metering::active());
//! # }
//! ```
//!
//! [`Budget`] is what it is made of: what happens at its end is up to its handler. [`set_process_limit`] is for all threads, as
//! `WEFT_METERING_LIMIT=UNITS` in the environment of a woven program is. [`suspend`] is for code of the host that a guest calls: it is not
//! counted. By default the process is stopped at a limit: it says so on standard error, writes its report, and exits with the code
//! [`STOPPED`]; no destructor runs.
//!
//! Where a limit is reached is a property of the program and its input. With `--metering-limits exact` memory is as the source says
//! then, and [`limit`] unwinds; without, the optimiser may have moved stores across, and only the process can be stopped.
//!
//! # The report
//!
//! With `WEFT_METERING_REPORT=FILE` in its environment a woven program also writes a report by thread and by function when
//! it ends by `exit` or by returning from `main`, and not when it aborts or ends by `_exit`. `-` stands for standard error
//! and `%p` for the process id.

#[cfg(weft_metering)]
mod runtime {
    unsafe extern "C" {
        pub safe fn weft_metering_count() -> u64;
        pub safe fn weft_metering_reset();
        pub safe fn weft_metering_process_count() -> u64;
        pub safe fn weft_metering_active() -> core::ffi::c_int;
        pub safe fn weft_metering_left() -> u64;
        pub safe fn weft_metering_refuel(units: u64) -> core::ffi::c_int;
        pub safe fn weft_metering_can_unwind() -> core::ffi::c_int;
        pub safe fn weft_metering_suspend() -> core::ffi::c_int;
        pub safe fn weft_metering_resume();
        #[cfg(feature = "std")]
        pub safe fn weft_metering_stop() -> !;
        pub fn weft_metering_set_process_limit(units: u64, callback: Option<super::Callback>, argument: *mut core::ffi::c_void) -> core::ffi::c_int;
        pub fn weft_metering_begin(units: u64, callback: Option<super::Callback>, argument: *mut core::ffi::c_void) -> core::ffi::c_int;
        pub safe fn weft_metering_end(budget: core::ffi::c_int) -> u64;
        #[cfg(feature = "std")]
        pub fn weft_metering_write_report(path: *const core::ffi::c_char) -> core::ffi::c_int;
    }
}

/// What a program that was built without metering gets.
#[cfg(not(weft_metering))]
mod runtime {
    #[inline]
    pub fn weft_metering_count() -> u64 {
        0
    }

    #[inline]
    pub fn weft_metering_reset() {}

    #[inline]
    pub fn weft_metering_process_count() -> u64 {
        0
    }

    #[inline]
    pub fn weft_metering_active() -> core::ffi::c_int {
        0
    }

    #[inline]
    pub fn weft_metering_left() -> u64 {
        super::UNLIMITED
    }

    #[inline]
    pub fn weft_metering_refuel(_units: u64) -> core::ffi::c_int {
        0
    }

    #[inline]
    pub fn weft_metering_can_unwind() -> core::ffi::c_int {
        0
    }

    #[inline]
    pub fn weft_metering_suspend() -> core::ffi::c_int {
        0
    }

    #[inline]
    pub fn weft_metering_resume() {}

    #[inline]
    pub unsafe fn weft_metering_set_process_limit(_units: u64, _callback: Option<super::Callback>, _argument: *mut core::ffi::c_void) -> core::ffi::c_int {
        0
    }

    #[inline]
    pub unsafe fn weft_metering_begin(_units: u64, _callback: Option<super::Callback>, _argument: *mut core::ffi::c_void) -> core::ffi::c_int {
        1
    }

    #[inline]
    pub fn weft_metering_end(_budget: core::ffi::c_int) -> u64 {
        super::UNLIMITED
    }
}

type Callback = extern "C-unwind" fn(*mut core::ffi::c_void);

mod limits;
#[cfg(feature = "std")]
pub use limits::{limit, stop};
pub use limits::{left, refuel, set_process_limit, suspend, unwinds, Action, Budget, BudgetError, LimitReached, Suspended};

/// In place of a number of units: as many as it likes.
pub const UNLIMITED: u64 = u64::MAX;

/// Exit code of a process that was stopped at a limit.
pub const STOPPED: i32 = 124;

/// Units done by the calling thread since it began or last called [`reset`]. 0 without Weft.
#[inline]
#[must_use]
pub fn count() -> u64 {
    runtime::weft_metering_count()
}

/// Sets the calling thread's [`count`] to 0. Neither [`process_count`] nor the report changes.
#[inline]
pub fn reset() {
    runtime::weft_metering_reset();
}

/// Units done by all threads, ended ones included, since the process began or was forked. 0 without Weft.
///
/// Threads that are running are read as they are, so the figure is exact only for work that happened before the call.
/// Takes time proportional to the number of running threads and of woven functions.
#[inline]
#[must_use]
pub fn process_count() -> u64 {
    runtime::weft_metering_process_count()
}

/// Whether the process holds code that was woven for metering.
#[inline]
#[must_use]
pub fn active() -> bool {
    runtime::weft_metering_active() != 0
}

/// Writes a report of the counts so far, in JSON, by thread and by function.
///
/// The file is replaced as a whole or left alone. Without Weft nothing is written, and that is no error.
///
/// # Errors
///
/// When the path holds a NUL byte, or the file cannot be written.
#[cfg(feature = "std")]
pub fn write_report(path: impl AsRef<std::path::Path>) -> std::io::Result<()> {
    write(path.as_ref())
}

#[cfg(all(feature = "std", weft_metering))]
fn write(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt;

    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path is NUL-terminated and outlives the call, which does not keep it.
    match unsafe { runtime::weft_metering_write_report(path.as_ptr()) } {
        0 => Ok(()),
        error => Err(std::io::Error::from_raw_os_error(error)),
    }
}

#[cfg(all(feature = "std", not(weft_metering)))]
fn write(path: &std::path::Path) -> std::io::Result<()> {
    let _ = path;
    Ok(())
}
