// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! The interface of the original `compiler-interrupts` crate, on stable Rust and for Weft's `interrupts` instrument.
//!
//! Programs written for version 1.0 of the original compile unchanged. New ones are better served by the crate `weft`,
//! whose `weft::interrupts` takes closures and guards. Everything here concerns the calling thread alone. In a program
//! built without Weft nothing is ever called.
//!
//! ```
//! fn interrupt_handler(ic: i64) {
//!     println!("Compiler interrupt called with instruction count: {}", ic);
//! }
//!
//! unsafe {
//!     compiler_interrupts::register(1000, 1000, interrupt_handler);
//! }
//! for _ in 0..100 {
//!     println!("hello world!");
//! }
//! # unsafe { compiler_interrupts::deregister() }
//! ```
//!
//! What differs from the original:
//!
//! - A handler's first call comes an interval after registration, not at once.
//! - What a handler disables stays disabled after its return.
//! - An interrupt that falls due while they are disabled comes when they are enabled.
//!
//! # Safety
//!
//! Handlers run between any two instructions of woven code. They must not use state of the thread that the interrupted
//! code may be using, such as a thread-local `RefCell`, nor wait for a lock that it may hold; atomics, channels and the
//! allocator are fine. A handler or hook must not panic, as it has nowhere to unwind to: the process aborts, with a
//! message that says so.
//!
//! # Features
//!
//! The crate is `no_std` without its default feature `std`, and then lacks the four functions for hooks.

#![no_std]

#[cfg(any(feature = "std", test))]
extern crate std;

use core::ffi::{c_uint, c_void};

type Handler = extern "C" fn(count: u64, argument: *mut c_void);

#[cfg(weft_interrupts)]
mod runtime {
    use core::ffi::{c_int, c_uint, c_void};

    unsafe extern "C" {
        pub fn weft_interrupts_register(
            clock: c_uint,
            interval: u64,
            handler: super::Handler,
            argument: *mut c_void,
        ) -> c_int;
        pub fn weft_interrupts_deregister() -> c_int;
        pub fn weft_interrupts_disable();
        pub fn weft_interrupts_enable();
        pub fn weft_interrupts_instr_disable();
        pub fn weft_interrupts_instr_enable();
        pub fn weft_interrupts_ticks_per_second() -> u64;
        pub fn weft_interrupts_build_clock() -> c_uint;
        #[cfg(feature = "std")]
        pub fn weft_interrupts_set_disable_hook(hook: Option<extern "C" fn()>);
        #[cfg(feature = "std")]
        pub fn weft_interrupts_set_enable_hook(hook: Option<extern "C" fn()>);
    }
}

/// What a program that was built without interrupts gets.
#[cfg(not(weft_interrupts))]
mod runtime {
    use core::ffi::{c_int, c_uint, c_void};

    pub unsafe fn weft_interrupts_register(
        _clock: c_uint,
        _interval: u64,
        _handler: super::Handler,
        _argument: *mut c_void,
    ) -> c_int {
        0
    }

    pub unsafe fn weft_interrupts_deregister() -> c_int {
        0
    }

    pub unsafe fn weft_interrupts_disable() {}

    pub unsafe fn weft_interrupts_enable() {}

    #[inline(always)]
    pub unsafe fn weft_interrupts_instr_disable() {}

    #[inline(always)]
    pub unsafe fn weft_interrupts_instr_enable() {}

    pub unsafe fn weft_interrupts_ticks_per_second() -> u64 {
        1_000_000_000
    }

    pub unsafe fn weft_interrupts_build_clock() -> c_uint {
        super::CYCLES
    }

    #[cfg(feature = "std")]
    pub unsafe fn weft_interrupts_set_disable_hook(_hook: Option<extern "C" fn()>) {}

    #[cfg(feature = "std")]
    pub unsafe fn weft_interrupts_set_enable_hook(_hook: Option<extern "C" fn()>) {}
}

// enum weft_interrupts_clock
const CYCLES: c_uint = 1;
const INSTRUCTIONS: c_uint = 2;
const FLAG: c_uint = 3;

/// Ends the process, in words, when it is dropped by a panic that is on its way into woven code.
struct NoPanic(&'static str);

impl Drop for NoPanic {
    fn drop(&mut self) {
        // A panic during another one aborts, and prints its message first; there is no other way without `std`.
        panic!("{} of compiler_interrupts must not panic", self.0);
    }
}

fn without_panic(what: &'static str, work: impl FnOnce()) {
    let bomb = NoPanic(what);
    work();
    core::mem::forget(bomb);
}

extern "C" fn call(count: u64, handler: *mut c_void) {
    // SAFETY: `register` made it of such a function.
    let handler = unsafe { core::mem::transmute::<*mut c_void, fn(i64)>(handler) };
    without_panic("a handler", || handler(count as i64));
}

/// The clock and its interval, chosen as in `ci_lib.h`; an interval of 0 means that nothing is registered.
fn choose(
    ir_interval: u64,
    cycles_interval: u64,
    build_clock: c_uint,
    ticks_per_second: impl FnOnce() -> u64,
) -> (c_uint, u64) {
    match build_clock {
        FLAG => {
            let nanoseconds =
                u128::from(cycles_interval) * 1_000_000_000 / u128::from(ticks_per_second().max(1));
            (FLAG, u64::try_from(nanoseconds).unwrap_or(u64::MAX))
        }
        INSTRUCTIONS if ir_interval == 0 => (CYCLES, cycles_interval),
        INSTRUCTIONS => (INSTRUCTIONS, ir_interval),
        _ if cycles_interval == 0 => (INSTRUCTIONS, ir_interval),
        _ => (CYCLES, cycles_interval),
    }
}

/// Registers the calling thread's handler, and replaces the one it had. It gets the count of the thread since it began.
///
/// In a build with `--interrupts-clock instructions` it is called every `ir_interval` units; otherwise every
/// `cycles_interval` cycles, where the probes' own calibration takes the place of `ir_interval`. If one of the two is 0, the
/// other counts. Values that make no sense (both 0, one negative) change nothing.
///
/// # Safety
///
/// The handler must be sound to call between any two instructions of woven code of this thread; see the
/// [crate]'s documentation.
///
/// ```
/// fn handler(_: i64) {}
///
/// // SAFETY: the handler touches nothing.
/// unsafe { compiler_interrupts::register(10_000, 5_000, handler) };
/// # unsafe { compiler_interrupts::deregister() }
/// ```
pub unsafe fn register(ir_interval: i64, cycles_interval: i64, handler: fn(i64)) {
    let (Ok(ir_interval), Ok(cycles_interval)) =
        (u64::try_from(ir_interval), u64::try_from(cycles_interval))
    else {
        return;
    };
    // SAFETY: the caller answers for the handler, and functions live for ever.
    unsafe {
        let (clock, interval) = choose(
            ir_interval,
            cycles_interval,
            runtime::weft_interrupts_build_clock(),
            || runtime::weft_interrupts_ticks_per_second(),
        );
        if interval > 0 {
            runtime::weft_interrupts_register(clock, interval, call, handler as *mut c_void);
        }
    }
}

/// Ends the calling thread's registration.
///
/// # Safety
///
/// None is needed; the original's signature is kept.
///
/// ```
/// unsafe { compiler_interrupts::deregister() };
/// ```
pub unsafe fn deregister() {
    // SAFETY: callable at any time.
    unsafe { runtime::weft_interrupts_deregister() };
}

/// Undoes one [`disable`].
///
/// # Safety
///
/// It must not undo a [`disable`] that other code relies on.
///
/// ```
/// unsafe { compiler_interrupts::enable() };
/// ```
pub unsafe fn enable() {
    // SAFETY: the caller answers for the pairing.
    unsafe { runtime::weft_interrupts_enable() };
}

/// From now on no handler is called on this thread until [`enable`] was called as often as this.
///
/// # Safety
///
/// None is needed; the original's signature is kept.
///
/// ```
/// unsafe { compiler_interrupts::disable() };
/// // no interrupts here
/// unsafe { compiler_interrupts::enable() };
/// ```
pub unsafe fn disable() {
    // SAFETY: callable at any time.
    unsafe { runtime::weft_interrupts_disable() };
}

/// From here to [`instr_enable`], on every path through the code of this function as written, the compiler places no
/// probes. The call itself vanishes.
///
/// # Safety
///
/// None is needed; the original's signature is kept.
///
/// ```
/// unsafe { compiler_interrupts::instr_disable() };
/// let sum: u64 = (0..16).sum();
/// unsafe { compiler_interrupts::instr_enable() };
/// assert_eq!(sum, 120);
/// ```
#[inline(always)]
pub unsafe fn instr_disable() {
    // SAFETY: a mark for the compiler.
    unsafe { runtime::weft_interrupts_instr_disable() };
}

/// Ends what [`instr_disable`] began.
///
/// # Safety
///
/// None is needed; the original's signature is kept.
///
/// ```
/// unsafe { compiler_interrupts::instr_disable() };
/// unsafe { compiler_interrupts::instr_enable() };
/// ```
#[inline(always)]
pub unsafe fn instr_enable() {
    // SAFETY: a mark for the compiler.
    unsafe { runtime::weft_interrupts_instr_enable() };
}

#[cfg(feature = "std")]
pub use hooks::{
    deregister_disable_hook, deregister_enable_hook, register_disable_hook, register_enable_hook,
};

#[cfg(feature = "std")]
mod hooks {
    use super::{runtime, without_panic};
    use core::cell::Cell;

    // The C interface calls hooks without an argument, so the thread has to know them.
    std::thread_local! {
        static DISABLE: Cell<Option<fn()>> = const { Cell::new(None) };
        static ENABLE: Cell<Option<fn()>> = const { Cell::new(None) };
    }

    extern "C" fn call_disable() {
        if let Some(hook) = DISABLE.get() {
            without_panic("a hook", hook);
        }
    }

    extern "C" fn call_enable() {
        if let Some(hook) = ENABLE.get() {
            without_panic("a hook", hook);
        }
    }

    /// Sets what runs at the start of every [`enable`](crate::enable) on the calling thread, nested or not, with
    /// interrupts disabled.
    ///
    /// # Safety
    ///
    /// The hook must not panic.
    ///
    /// ```
    /// fn hook() {}
    ///
    /// unsafe { compiler_interrupts::register_enable_hook(hook) };
    /// # unsafe { compiler_interrupts::deregister_enable_hook() };
    /// ```
    pub unsafe fn register_enable_hook(hook: fn()) {
        ENABLE.set(Some(hook));
        // SAFETY: the hook is a function of ours.
        unsafe { runtime::weft_interrupts_set_enable_hook(Some(call_enable)) };
    }

    /// Undoes [`register_enable_hook`].
    ///
    /// # Safety
    ///
    /// None is needed; the original's signature is kept.
    ///
    /// ```
    /// unsafe { compiler_interrupts::deregister_enable_hook() };
    /// ```
    pub unsafe fn deregister_enable_hook() {
        // SAFETY: callable at any time.
        unsafe { runtime::weft_interrupts_set_enable_hook(None) };
        ENABLE.set(None);
    }

    /// Sets what runs at the end of every [`disable`](crate::disable) on the calling thread, nested or not.
    ///
    /// # Safety
    ///
    /// The hook must not panic.
    ///
    /// ```
    /// fn hook() {}
    ///
    /// unsafe { compiler_interrupts::register_disable_hook(hook) };
    /// # unsafe { compiler_interrupts::deregister_disable_hook() };
    /// ```
    pub unsafe fn register_disable_hook(hook: fn()) {
        DISABLE.set(Some(hook));
        // SAFETY: the hook is a function of ours.
        unsafe { runtime::weft_interrupts_set_disable_hook(Some(call_disable)) };
    }

    /// Undoes [`register_disable_hook`].
    ///
    /// # Safety
    ///
    /// None is needed; the original's signature is kept.
    ///
    /// ```
    /// unsafe { compiler_interrupts::deregister_disable_hook() };
    /// ```
    pub unsafe fn deregister_disable_hook() {
        // SAFETY: callable at any time.
        unsafe { runtime::weft_interrupts_set_disable_hook(None) };
        DISABLE.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_chosen_as_in_c() {
        let choose = |ir, cycles, clock| choose(ir, cycles, clock, || 2_000_000_000);
        assert_eq!(choose(1000, 5000, CYCLES), (CYCLES, 5000));
        assert_eq!(choose(1000, 0, CYCLES), (INSTRUCTIONS, 1000));
        assert_eq!(choose(1000, 5000, INSTRUCTIONS), (INSTRUCTIONS, 1000));
        assert_eq!(choose(0, 5000, INSTRUCTIONS), (CYCLES, 5000));
        assert_eq!(choose(1000, 5000, FLAG), (FLAG, 2500));
        for clock in [CYCLES, INSTRUCTIONS, FLAG] {
            assert_eq!(choose(0, 0, clock).1, 0);
        }
    }

    #[test]
    fn a_handler_gets_the_count() {
        std::thread_local! {
            static LAST: core::cell::Cell<i64> = const { core::cell::Cell::new(0) };
        }
        let handler: fn(i64) = |count| LAST.set(count);
        call(42, handler as *mut c_void);
        assert_eq!(LAST.get(), 42);
    }

    /// Runs in a process of its own, since that process aborts.
    #[test]
    fn a_panic_in_a_handler_aborts_and_says_why() {
        const CHILD: &str = "COMPILER_INTERRUPTS_TEST_CHILD";
        let handler: fn(i64) = |_| panic!("what went wrong");
        if std::env::var_os(CHILD).is_some() {
            let _ = std::panic::catch_unwind(|| call(1, handler as *mut c_void));
            return;
        }
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("tests::a_panic_in_a_handler_aborts_and_says_why")
            .env(CHILD, "1")
            .output()
            .unwrap();
        let message = std::string::String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), None, "a signal ends it: {message}");
        assert!(message.contains("what went wrong"), "{message}");
        assert!(
            message.contains("a handler of compiler_interrupts must not panic"),
            "{message}"
        );
    }
}
