// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Limits of the calling thread and of the process.

use super::runtime;
use core::ffi::{c_int, c_void};
use core::fmt;
use core::marker::PhantomData;

/// Units that the calling thread may do until the nearest limit, the process's included; [`UNLIMITED`](super::UNLIMITED) if there is none.
#[inline]
#[must_use]
pub fn left() -> u64 {
    runtime::weft_metering_left()
}

/// Adds to the limit that was reached, in a handler; else to the innermost budget of the thread. Returns whether there is one.
#[inline]
pub fn refuel(units: u64) -> bool {
    runtime::weft_metering_refuel(units) == 0
}

/// Lets the process do `units` more from here on; then it is stopped. In place of the limit that was set before; [`UNLIMITED`](super::UNLIMITED) takes it
/// away. With several threads it may go too far by what they were given at once, at most 2^24 units each.
pub fn set_process_limit(units: u64) {
    // SAFETY: no callback, no argument. The one error is a call from within a signal handler, which cannot set limits.
    unsafe { runtime::weft_metering_set_process_limit(units, None, core::ptr::null_mut()) };
}

/// Whether this code was built with `--metering-limits exact`: then a handler may unwind, and [`limit`] comes back at its limit.
#[inline]
#[must_use]
pub const fn unwinds() -> bool {
    cfg!(weft_metering_exact)
}

/// Stops the process as a limit does. Without Weft it exits with the code [`STOPPED`](super::STOPPED).
#[cfg(feature = "std")]
pub fn stop() -> ! {
    #[cfg(weft_metering)]
    runtime::weft_metering_stop();
    #[cfg(not(weft_metering))]
    std::process::exit(super::STOPPED);
}

/// What is to be done at the end of a [`Budget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The process is stopped, as it is by default.
    Stop,
    /// It may do so many more. 0 stops the process.
    Refuel(u64),
}

/// A budget of the calling thread: it ends when this is dropped.
///
/// Budgets nest: whichever ends first is reached; of several that end together, the innermost. Dropping an outer one ends those in it.
#[derive(Debug)]
pub struct Budget<'a> {
    number: c_int,
    marker: PhantomData<(&'a mut (), *mut ())>, // of this thread
}

/// Why a budget cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetError {
    /// There is no memory for it.
    OutOfMemory,
    /// The thread has 63 already.
    TooMany,
}

impl fmt::Display for BudgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BudgetError::OutOfMemory => "no memory for another budget",
            BudgetError::TooMany => "63 budgets are open in this thread already",
        })
    }
}

impl core::error::Error for BudgetError {}

impl Budget<'static> {
    /// `units` from here on; then the process is stopped.
    ///
    /// # Errors
    ///
    /// As [`BudgetError`] says.
    pub fn begin(units: u64) -> Result<Self, BudgetError> {
        // SAFETY: no callback, no argument.
        unsafe { Self::open(units, None, core::ptr::null_mut()) }
    }
}

impl<'a> Budget<'a> {
    /// `units` from here on; then `handler` says what happens, on this thread, between two instructions of the code that ran.
    ///
    /// What the handler does is not counted. If it panics, the process is aborted, since what it interrupted cannot be unwound.
    ///
    /// # Safety
    ///
    /// The handler runs as a signal handler does for the code that it interrupts: it may touch what another thread might
    /// touch at that moment (atomics, its own captured values), and must not wait for a lock that the interrupted code may hold.
    /// The budget must be dropped, not forgotten: the handler is called until then.
    ///
    /// # Errors
    ///
    /// As [`BudgetError`] says.
    pub unsafe fn with_handler<F: FnMut() -> Action + Send>(units: u64, handler: &'a mut F) -> Result<Self, BudgetError> {
        extern "C-unwind" fn call<F: FnMut() -> Action + Send>(handler: *mut c_void) {
            struct Abort;
            impl Drop for Abort {
                fn drop(&mut self) {
                    panic!("the handler of a budget panicked"); // while panicking: the process is aborted
                }
            }
            let abort = Abort;
            // SAFETY: the handler is borrowed for as long as the budget lasts, and not called twice at once.
            let action = unsafe { &mut *handler.cast::<F>() }();
            core::mem::forget(abort);
            if let Action::Refuel(more) = action {
                refuel(more);
            }
        }
        // SAFETY: as above.
        unsafe { Self::open(units, Some(call::<F>), core::ptr::from_mut(handler).cast()) }
    }

    /// # Safety
    ///
    /// `argument` is what `callback` expects until the budget is dropped.
    unsafe fn open(units: u64, callback: Option<super::Callback>, argument: *mut c_void) -> Result<Self, BudgetError> {
        const NO_ROOM: c_int = -28; // ENOSPC
        // SAFETY: the caller's promise.
        match unsafe { runtime::weft_metering_begin(units, callback, argument) } {
            NO_ROOM => Err(BudgetError::TooMany),
            error if error < 0 => Err(BudgetError::OutOfMemory),
            number => Ok(Budget { number, marker: PhantomData }),
        }
    }

    /// Ends the budget and those in it. Returns the units that were left; [`UNLIMITED`](super::UNLIMITED) if it had no end.
    #[must_use = "to just end a budget, drop it"]
    pub fn end(self) -> u64 {
        let left = runtime::weft_metering_end(self.number);
        core::mem::forget(self);
        left
    }
}

impl Drop for Budget<'_> {
    fn drop(&mut self) {
        runtime::weft_metering_end(self.number);
    }
}

/// What the calling thread does is not counted, and has no limit, until this is dropped.
#[derive(Debug)]
pub struct Suspended(PhantomData<*mut ()>);

/// Suspends counting and limits for code of the host that runs on a thread of the guest. May be nested.
#[must_use = "counting goes on when it is dropped"]
pub fn suspend() -> Suspended {
    runtime::weft_metering_suspend(); // without memory for it counting goes on: too much is counted, not too little
    Suspended(PhantomData)
}

impl Drop for Suspended {
    fn drop(&mut self) {
        runtime::weft_metering_resume();
    }
}

/// A limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReached {
    /// What could be done.
    pub units: u64,
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit of {} units of work was reached", self.units)
    }
}

impl core::error::Error for LimitReached {}

/// Runs code that may do so many units.
///
/// At the limit the stack is unwound as by a panic, without the panic hook and its message. Values are dropped; the code may do as much
/// again (at least 65,536 units) for that and for what it catches, and is stopped again after it.
///
/// For this the code has to be built with `--metering-limits exact` and not with `panic = "abort"`, else the process is stopped
/// ([`unwinds`] tells). It is also stopped when the limit is reached while a panic unwinds already.
///
/// Unwinding comes out of calls as a panic would, and also out of loops and recursions that call nothing that may panic. There the frame of
/// the loop itself drops nothing: what it holds leaks. Code that relies on something not panicking, as unsafe code may, has to
/// be kept out of the limit by [`suspend`].
///
/// # Errors
///
/// [`LimitReached`] if the limit was reached, also by code that caught the unwinding and returned.
///
/// # Panics
///
/// When the code does, and when 63 budgets are open in this thread already.
#[cfg(feature = "std")]
pub fn limit<R>(units: u64, code: impl FnOnce() -> R) -> Result<R, LimitReached> {
    extern "C-unwind" fn unwind(call: *mut c_void) {
        const MOST: u32 = 16; // for code that catches it over and over
        // SAFETY: `call` lives in the frame of limit(), which is below.
        let call = unsafe { &mut *call.cast::<Call>() };
        call.times += 1;
        if runtime::weft_metering_can_unwind() != 0 && !std::thread::panicking() && call.times <= MOST {
            std::panic::resume_unwind(Box::new(Unwinding(core::ptr::from_ref(call) as usize)));
        }
    }
    let mut call = Call { times: 0 };
    let own = core::ptr::from_mut(&mut call);
    // SAFETY: `call` outlives the budget.
    let budget = unsafe { Budget::open(units, Some(unwind), own.cast()) }.expect("a budget for limit()");
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(code));
    drop(budget);
    match result {
        Err(payload) if payload.downcast_ref::<Unwinding>().map_or(true, |u| u.0 != own as usize) => std::panic::resume_unwind(payload), // a panic of the code, or the limit of somebody further out
        Ok(value) if call.times == 0 => Ok(value),
        _ => Err(LimitReached { units }), // also of code that has caught it and comes with a value all the same
    }
}

#[cfg(feature = "std")]
struct Call {
    times: u32,
}

/// What is thrown at a limit: whose it is.
#[cfg(feature = "std")]
struct Unwinding(usize);
