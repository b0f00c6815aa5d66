// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! The C interface as it is, for schedulers that leave a handler for another stack and for programs without `std`.
//!
//! The rules are in `weft/interrupts.h`. Registration here and the closures of [`register`](super::register) and
//! [`with`](super::with) share the one handler that a thread has: registering replaces it, and the end of a
//! [`Registration`](super::Registration) ends whatever is registered then.

use super::{Error, Interval};
use core::ffi::c_void;
use core::sync::atomic::AtomicU32;

#[cfg(weft_interrupts)]
pub(super) mod runtime {
    use super::{Handler, Hook};
    use core::ffi::{c_int, c_uint, c_void};

    unsafe extern "C" {
        pub fn weft_interrupts_register(
            clock: c_uint,
            interval: u64,
            handler: Option<Handler>,
            argument: *mut c_void,
        ) -> c_int;
        pub safe fn weft_interrupts_deregister() -> c_int;
        pub safe fn weft_interrupts_disable();
        pub safe fn weft_interrupts_enable();
        pub safe fn weft_interrupts_set_disable_hook(hook: Option<Hook>);
        pub safe fn weft_interrupts_set_enable_hook(hook: Option<Hook>);
        pub safe fn weft_interrupts_instr_disable();
        pub safe fn weft_interrupts_instr_enable();
        pub safe fn weft_interrupts_count() -> u64;
        pub safe fn weft_interrupts_fired() -> u64;
        pub safe fn weft_interrupts_flag() -> *mut u32;
        pub safe fn weft_interrupts_ticks_per_second() -> u64;
        pub safe fn weft_interrupts_build_clock() -> c_uint;
        pub safe fn weft_interrupts_active() -> c_int;
    }
}

/// What a program that was built without interrupts gets.
#[cfg(not(weft_interrupts))]
pub(super) mod runtime {
    use super::{Handler, Hook};
    use core::ffi::{c_int, c_uint, c_void};
    use core::sync::atomic::AtomicU32;

    pub unsafe fn weft_interrupts_register(
        _clock: c_uint,
        _interval: u64,
        _handler: Option<Handler>,
        _argument: *mut c_void,
    ) -> c_int {
        0
    }

    pub fn weft_interrupts_deregister() -> c_int {
        0
    }

    #[inline]
    pub fn weft_interrupts_disable() {}

    #[inline]
    pub fn weft_interrupts_enable() {}

    pub fn weft_interrupts_set_disable_hook(_hook: Option<Hook>) {}

    pub fn weft_interrupts_set_enable_hook(_hook: Option<Hook>) {}

    #[inline]
    pub fn weft_interrupts_instr_disable() {}

    #[inline]
    pub fn weft_interrupts_instr_enable() {}

    #[inline]
    pub fn weft_interrupts_count() -> u64 {
        0
    }

    #[inline]
    pub fn weft_interrupts_fired() -> u64 {
        0
    }

    /// One for all threads: nobody reads it.
    pub fn weft_interrupts_flag() -> *mut u32 {
        static UNUSED: AtomicU32 = AtomicU32::new(0);
        UNUSED.as_ptr()
    }

    pub fn weft_interrupts_ticks_per_second() -> u64 {
        1_000_000_000
    }

    #[inline]
    pub fn weft_interrupts_build_clock() -> c_uint {
        1
    }

    #[inline]
    pub fn weft_interrupts_active() -> c_int {
        0
    }
}

/// Gets [`count`](super::count) and the argument that was registered.
pub type Handler = unsafe extern "C" fn(count: u64, argument: *mut c_void);

/// Called with interrupts disabled.
pub type Hook = extern "C" fn();

/// Registers the calling thread's handler, and replaces the one it had. The first call comes one interval from now.
///
/// # Errors
///
/// As for [`register`](super::register), but for [`Error::AlreadyRegistered`]. Nothing is changed then.
///
/// # Safety
///
/// As for [`register`](super::register), and `handler` must be sound to call with `argument` until it is replaced or
/// deregistered or the thread ends.
///
/// ```
/// use core::ffi::c_void;
/// use core::sync::atomic::{AtomicU64, Ordering};
/// use core::time::Duration;
/// use weft::interrupts::{raw, Interval};
///
/// static LAST: AtomicU64 = AtomicU64::new(0);
///
/// extern "C" fn handler(count: u64, _argument: *mut c_void) {
///     LAST.store(count, Ordering::Relaxed);
/// }
///
/// let interval = Interval::time(Duration::from_micros(5));
/// // SAFETY: the handler touches an atomic only and lives for ever.
/// unsafe { raw::register(interval, handler, core::ptr::null_mut()) }?;
/// raw::deregister();
/// # Ok::<(), weft::interrupts::Error>(())
/// ```
pub unsafe fn register(
    interval: Interval,
    handler: Handler,
    argument: *mut c_void,
) -> Result<(), Error> {
    let (clock, length) = interval.resolve()?;
    // SAFETY: the caller promises that the handler may be called with the argument.
    Error::check(unsafe {
        runtime::weft_interrupts_register(clock.number(), length, Some(handler), argument)
    })
}

/// Ends the calling thread's registration, if there is one. Hooks and disabling stay.
///
/// ```
/// weft::interrupts::raw::deregister();
/// ```
pub fn deregister() {
    runtime::weft_interrupts_deregister();
}

/// From now on no handler is called on this thread until [`enable`] was called as often. Prefer
/// [`Critical`](super::Critical), which cannot be left without.
///
/// ```
/// use weft::interrupts::raw;
///
/// raw::disable();
/// // SAFETY: undoes the call above.
/// unsafe { raw::enable() };
/// ```
#[inline]
pub fn disable() {
    runtime::weft_interrupts_disable();
}

/// Undoes one [`disable`]. Without one only the hook runs.
///
/// A handler may call it to be interrupted itself, or to leave for another stack, and calls [`disable`] before it returns.
/// While the closure of a [`Registration`](super::Registration) runs, it is not called a second time even then.
///
/// # Safety
///
/// Code further out may rely on the [`disable`] that this undoes: it must be the caller's own, or a handler's.
///
/// ```
/// use weft::interrupts::raw;
///
/// raw::disable();
/// // SAFETY: undoes the call above.
/// unsafe { raw::enable() };
/// ```
#[inline]
pub unsafe fn enable() {
    runtime::weft_interrupts_enable();
}

/// Sets what runs at the end of every [`disable`] on the calling thread, nested or not.
///
/// ```
/// extern "C" fn hook() {}
///
/// weft::interrupts::raw::set_disable_hook(Some(hook));
/// weft::interrupts::raw::set_disable_hook(None);
/// ```
pub fn set_disable_hook(hook: Option<Hook>) {
    runtime::weft_interrupts_set_disable_hook(hook);
}

/// Sets what runs at the start of every [`enable`] on the calling thread, nested or not.
///
/// ```
/// extern "C" fn hook() {}
///
/// weft::interrupts::raw::set_enable_hook(Some(hook));
/// weft::interrupts::raw::set_enable_hook(None);
/// ```
pub fn set_enable_hook(hook: Option<Hook>) {
    runtime::weft_interrupts_set_enable_hook(hook);
}

/// The calling thread's flag, for [`Interval::flag_by_hand`]: whoever stores a non-zero value to it makes the next probe
/// call the handler. Signal handlers may, which [`Flag`](super::Flag) does not allow.
///
/// The pointer is valid until the thread ends.
///
/// ```
/// use core::sync::atomic::Ordering;
///
/// let flag = weft::interrupts::raw::flag();
/// // SAFETY: the thread is this one, and runs.
/// unsafe { (*flag).store(1, Ordering::Relaxed) };
/// ```
#[must_use]
pub fn flag() -> *const AtomicU32 {
    runtime::weft_interrupts_flag()
        .cast_const()
        .cast::<AtomicU32>()
}
