// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! A handler that is called on the program's own thread every so often, by probes that the compiler wove into it.
//!
//! No signal and no kernel are involved. The handler runs between two instructions of woven code, like a function that
//! the code called there. Everything here concerns the calling thread alone: a new thread has no handler. In a program
//! built without Weft registration succeeds and no handler is ever called.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use std::time::Duration;
//! use weft::interrupts::{self, Interval};
//!
//! static CALLS: AtomicU64 = AtomicU64::new(0);
//!
//! let interval = Interval::time(Duration::from_micros(50));
//! // SAFETY: an atomic is all that the handler touches.
//! let registration = unsafe {
//!     interrupts::register(interval, |_count| {
//!         CALLS.fetch_add(1, Ordering::Relaxed);
//!     })
//! }?;
//! let sum: u64 = (0..10_000_000).map(std::hint::black_box).sum();
//! registration.finish();
//!
//! println!("{sum}, with {} interrupts on the way", CALLS.load(Ordering::Relaxed));
//! assert!(interrupts::active() || CALLS.load(Ordering::Relaxed) == 0);
//! # Ok::<(), interrupts::Error>(())
//! ```
//!
//! # What a handler may touch
//!
//! The optimiser knows nothing of handlers. It keeps variables in registers across the point where one is called, and
//! leaves out what only an onlooker of the same thread could notice. The flag by which a `RefCell` knows that it is
//! borrowed is such a thing, so `try_borrow_mut` in a handler may succeed while the interrupted code holds a borrow. This
//! is why [`register`] and [`with`] are `unsafe`. A handler
//!
//! - may use what another thread might use at that moment: atomics, channels, its own captured values (they must be
//!   [`Send`]), the allocator;
//! - may use thread-local `Cell`s, `RefCell`s, `Rc`s, random number generators and the like only if all other code of the
//!   thread does so in [critical sections](critical), which are what keeps handlers out;
//! - must not wait for a lock that the interrupted code may hold: that is a deadlock. `try_lock` is fine.
//!
//! Printing is fine unless the standard library was woven too, when the interrupted code may be within a `println!`.
//!
//! While a handler runs, interrupts are disabled on its thread. One that runs longer than the interval is called again an
//! interval later: calls never pile up. One that panics is not called again, and the panic goes on where the registration
//! ends: see [`Registration`] and [`with`].
//!
//! Without the feature `std` the module holds what needs neither allocation nor thread-local storage: [`raw`] registration,
//! critical sections and the counts.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::{compiler_fence, Ordering};
use core::time::Duration;

#[cfg(feature = "std")]
mod flag;
pub mod raw;
#[cfg(feature = "std")]
mod registration;

#[cfg(feature = "std")]
pub use flag::{flag, Flag};
#[cfg(feature = "std")]
pub use registration::{register, register_atomic, with, Registration};

use raw::runtime;

/// What the probes compare to tell that an interrupt is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Clock {
    /// The processor's clock: the time-stamp counter on x86_64, the virtual counter on aarch64.
    Cycles,
    /// Units of work, as [`count`] counts them.
    Instructions,
    /// A flag of the thread, which a timer or the application sets.
    Flag,
}

impl Clock {
    fn number(self) -> core::ffi::c_uint {
        match self {
            Clock::Cycles => 1,
            Clock::Instructions => 2,
            Clock::Flag => 3,
        }
    }
}

/// How often a handler is called: a clock, and how far it has to go from one call to the next.
///
/// Intervals shorter than the longest path between two probes come as fast as probes do. Whether an interval is possible
/// is decided at registration; see [`Error`].
///
/// ```
/// use std::time::Duration;
/// use weft::interrupts::{Clock, Interval};
///
/// assert_eq!(Interval::cycles(5000).clock(), Clock::Cycles);
/// assert_eq!(Interval::instructions(10_000).clock(), Clock::Instructions);
/// assert_eq!(Interval::flag(Duration::from_millis(1)).clock(), Clock::Flag);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Cycles(u64),
    Instructions(u64),
    Time(Duration),
    Flag(Duration),
    FlagByHand,
}

impl Interval {
    /// Longest interval in cycles, in units of work or in nanoseconds of the flag's timer: more than a day.
    pub const MAX: u64 = 1 << 48;

    /// Every `cycles` ticks of the processor's clock, of which a second has [`ticks_per_second`].
    #[must_use]
    pub const fn cycles(cycles: u64) -> Self {
        Interval(Kind::Cycles(cycles))
    }

    /// Every `units` units of work. The same build with the same input is interrupted at the same points on every run.
    #[must_use]
    pub const fn instructions(units: u64) -> Self {
        Interval(Kind::Instructions(units))
    }

    /// Every `time`, by the processor's clock, or by the flag's timer in a build that has probes for nothing else.
    ///
    /// Registration converts it with [`ticks_per_second`], which the first time may take 10 ms.
    #[must_use]
    pub const fn time(time: Duration) -> Self {
        Interval(Kind::Time(time))
    }

    /// Whenever the thread's [flag](self::flag()) is set, which a timer thread does every `time`.
    #[must_use]
    pub const fn flag(time: Duration) -> Self {
        Interval(Kind::Flag(time))
    }

    /// Whenever the application set the thread's [flag](self::flag()).
    #[must_use]
    pub const fn flag_by_hand() -> Self {
        Interval(Kind::FlagByHand)
    }

    /// The clock that the interval is counted in by this build.
    #[must_use]
    pub fn clock(self) -> Clock {
        match self.0 {
            Kind::Cycles(_) => Clock::Cycles,
            Kind::Instructions(_) => Clock::Instructions,
            Kind::Time(_) if build_clock() == Clock::Flag => Clock::Flag,
            Kind::Time(_) => Clock::Cycles,
            Kind::Flag(_) | Kind::FlagByHand => Clock::Flag,
        }
    }

    /// As the C interface wants it. Checked here and not there, so that it fails without Weft as well.
    fn resolve(self) -> Result<(Clock, u64), Error> {
        let clock = self.clock();
        let length = match self.0 {
            Kind::FlagByHand => return Ok((clock, 0)),
            Kind::Cycles(length) | Kind::Instructions(length) => u128::from(length),
            Kind::Time(time) if clock == Clock::Cycles => {
                ticks_in(time.as_nanos(), ticks_per_second())
            }
            Kind::Time(time) | Kind::Flag(time) => time.as_nanos(),
        };
        match u64::try_from(length) {
            Ok(length @ 1..=Self::MAX) => Ok((clock, length)),
            _ => Err(Error::BadInterval),
        }
    }
}

/// At least one if it is any time at all.
fn ticks_in(nanoseconds: u128, ticks_per_second: u64) -> u128 {
    nanoseconds
        .saturating_mul(u128::from(ticks_per_second))
        .div_ceil(1_000_000_000)
}

/// Why a handler could not be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// The thread's handler is already somebody else's: another [`Registration`] lives, or a [`with`] is under way.
    AlreadyRegistered,
    /// The interval is zero or longer than [`Interval::MAX`].
    BadInterval,
    /// The program was woven with probes for another clock; see [`build_clock`].
    ClockNotWoven,
    /// No timer thread could be started, which [`Interval::flag`] needs.
    NoTimer,
    /// Another error number of the operating system.
    Os(i32),
}

impl Error {
    /// Of what the C interface returned.
    fn check(number: core::ffi::c_int) -> Result<(), Error> {
        // Linux has the same numbers on x86_64 and aarch64.
        const EAGAIN: core::ffi::c_int = 11;
        const ENOMEM: core::ffi::c_int = 12;
        const EINVAL: core::ffi::c_int = 22;
        const ENOTSUP: core::ffi::c_int = 95;
        match number {
            0 => Ok(()),
            EINVAL => Err(Error::BadInterval),
            ENOTSUP => Err(Error::ClockNotWoven),
            EAGAIN | ENOMEM => Err(Error::NoTimer),
            other => Err(Error::Os(other)),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::AlreadyRegistered => f.write_str("this thread already has an interrupt handler"),
            Error::BadInterval => write!(
                f,
                "an interval between interrupts is from 1 to {} cycles, units or nanoseconds",
                Interval::MAX
            ),
            Error::ClockNotWoven => f.write_str(
                "the program has no probes for this clock; build it with another --interrupts-clock",
            ),
            Error::NoTimer => f.write_str("the timer thread for interrupts could not be started"),
            Error::Os(number) => write!(f, "interrupts: operating system error {number}"),
        }
    }
}

impl core::error::Error for Error {}

/// Keeps handlers from being called on this thread until it is dropped. They nest.
///
/// An interrupt that falls due meanwhile comes at the first probe after the last of them is gone. Forgetting one
/// ([`core::mem::forget`]) ends interrupts on the thread for good.
///
/// ```
/// use weft::interrupts::Critical;
///
/// let outer = Critical::enter();
/// {
///     let _inner = Critical::enter();
/// } // still no interrupts
/// drop(outer);
/// ```
#[derive(Debug)]
#[must_use = "interrupts are enabled again when it is dropped"]
pub struct Critical {
    /// Neither `Send` nor `Sync`: it has to be dropped where it was made.
    thread: PhantomData<*mut ()>,
}

impl Critical {
    /// From here on no handler is called.
    #[inline]
    pub fn enter() -> Self {
        raw::disable();
        // What follows may share memory with a handler, and the optimiser may see through the call above.
        compiler_fence(Ordering::SeqCst);
        Critical {
            thread: PhantomData,
        }
    }
}

impl Drop for Critical {
    #[inline]
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        // SAFETY: it undoes this critical section's own call of `disable`.
        unsafe { raw::enable() };
    }
}

/// Does `work` with no handler called meanwhile; see [`Critical`].
///
/// ```
/// use std::cell::RefCell;
/// use weft::interrupts;
///
/// thread_local! {
///     static QUEUE: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
/// }
///
/// // A handler may now use QUEUE as well, if all other code does it like this.
/// let length = interrupts::critical(|| {
///     QUEUE.with_borrow_mut(|queue| {
///         queue.push(1);
///         queue.len()
///     })
/// });
/// assert_eq!(length, 1);
/// ```
#[inline]
pub fn critical<R>(work: impl FnOnce() -> R) -> R {
    let _critical = Critical::enter();
    work()
}

/// Does `work` without probes in its own code, so that not even their cost is left. What it calls keeps its probes, unless
/// it is inlined.
///
/// In a build without optimisation the closure is a function of its own and keeps its probes: there, put the code between
/// [`instr_disable`] and [`instr_enable`].
///
/// ```
/// let data = [3_u64, 5, 7];
/// let sum: u64 = weft::interrupts::uninstrumented(|| data.iter().sum());
/// assert_eq!(sum, 15);
/// ```
#[inline(always)]
pub fn uninstrumented<R>(work: impl FnOnce() -> R) -> R {
    instr_disable();
    let result = work();
    instr_enable();
    result
}

/// From here to [`instr_enable`], on every path through the code of this function as written, the compiler places no
/// probes. The call itself vanishes.
///
/// ```
/// use weft::interrupts;
///
/// let mut sum = 0_u64;
/// interrupts::instr_disable();
/// for i in 0..16 {
///     sum += i;
/// }
/// interrupts::instr_enable();
/// assert_eq!(sum, 120);
/// ```
#[inline(always)]
pub fn instr_disable() {
    runtime::weft_interrupts_instr_disable();
}

/// Ends what [`instr_disable`] began.
///
/// ```
/// weft::interrupts::instr_disable();
/// weft::interrupts::instr_enable();
/// ```
#[inline(always)]
pub fn instr_enable() {
    runtime::weft_interrupts_instr_enable();
}

/// Units of work of the calling thread since it began: instructions of the optimised program weighted by what they usually
/// cost, charged as probes are passed. 0 without Weft and in a build for [`Clock::Flag`].
///
/// ```
/// use weft::interrupts;
///
/// let before = interrupts::count();
/// let sum: u64 = (0..1000).map(std::hint::black_box).sum();
/// println!("{sum} took about {} units", interrupts::count() - before);
/// ```
#[inline]
#[must_use]
pub fn count() -> u64 {
    runtime::weft_interrupts_count()
}

/// Number of handler calls on the calling thread since it began. 0 without Weft.
///
/// ```
/// use weft::interrupts;
///
/// assert_eq!(interrupts::fired(), 0); // nothing is registered
/// ```
#[inline]
#[must_use]
pub fn fired() -> u64 {
    runtime::weft_interrupts_fired()
}

/// Whether the program was woven for interrupts.
///
/// ```
/// if !weft::interrupts::active() {
///     println!("no handler will be called; build with `weft cargo build --with interrupts`");
/// }
/// ```
#[inline]
#[must_use]
pub fn active() -> bool {
    runtime::weft_interrupts_active() != 0
}

/// Ticks of [`Clock::Cycles`] in a second.
///
/// Measured on the first call where the processor does not tell, which takes 10 ms. 1,000,000,000 without Weft.
///
/// ```
/// use weft::interrupts::{self, Interval};
///
/// let half_a_millisecond = Interval::cycles(interrupts::ticks_per_second() / 2000);
/// # let _ = half_a_millisecond;
/// ```
#[must_use]
pub fn ticks_per_second() -> u64 {
    runtime::weft_interrupts_ticks_per_second()
}

/// The clock that the build asked for with `--interrupts-clock`. [`Clock::Cycles`] if it did not, and without Weft.
///
/// ```
/// use weft::interrupts::{self, Clock, Interval};
///
/// let interval = match interrupts::build_clock() {
///     Clock::Instructions => Interval::instructions(10_000),
///     _ => Interval::cycles(5_000),
/// };
/// # let _ = interval;
/// ```
#[must_use]
pub fn build_clock() -> Clock {
    match runtime::weft_interrupts_build_clock() {
        2 => Clock::Instructions,
        3 => Clock::Flag,
        _ => Clock::Cycles,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_numbers_of_the_c_interface_are_mapped() {
        assert_eq!(Error::check(0), Ok(()));
        assert_eq!(Error::check(22), Err(Error::BadInterval));
        assert_eq!(Error::check(95), Err(Error::ClockNotWoven));
        assert_eq!(Error::check(11), Err(Error::NoTimer));
        assert_eq!(Error::check(12), Err(Error::NoTimer));
        assert_eq!(Error::check(1), Err(Error::Os(1)));
    }

    #[test]
    fn times_become_ticks_and_round_up() {
        assert_eq!(ticks_in(1_000_000_000, 2_100_000_000), 2_100_000_000);
        assert_eq!(ticks_in(50_000, 2_100_000_000), 105_000);
        assert_eq!(ticks_in(1, 24_000_000), 1);
        assert_eq!(ticks_in(0, 24_000_000), 0);
        assert!(ticks_in(Duration::MAX.as_nanos(), u64::MAX) > u128::from(Interval::MAX));
    }

    #[test]
    fn intervals_are_checked() {
        let resolve = |interval: Interval| interval.resolve();
        let second = Duration::from_secs(1);
        assert_eq!(resolve(Interval::cycles(1)), Ok((Clock::Cycles, 1)));
        assert_eq!(resolve(Interval::flag_by_hand()), Ok((Clock::Flag, 0)));
        assert_eq!(
            resolve(Interval::flag(second)),
            Ok((Clock::Flag, 1_000_000_000))
        );
        assert_eq!(
            resolve(Interval::instructions(Interval::MAX)),
            Ok((Clock::Instructions, Interval::MAX))
        );
        for bad in [
            Interval::cycles(0),
            Interval::instructions(0),
            Interval::time(Duration::ZERO),
            Interval::flag(Duration::ZERO),
            Interval::cycles(Interval::MAX + 1),
            Interval::instructions(u64::MAX),
            Interval::time(Duration::MAX),
            Interval::flag(Duration::MAX),
        ] {
            assert_eq!(resolve(bad), Err(Error::BadInterval), "{bad:?}");
        }
    }
}
