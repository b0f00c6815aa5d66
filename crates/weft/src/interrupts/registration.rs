// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Closures as handlers.

use super::{raw, Error, Interval};
use core::ffi::c_void;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use std::any::Any;
use std::boxed::Box;
use std::cell::Cell;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::Arc;

std::thread_local! {
    /// Whether a `Registration` lives or a `with` is under way.
    static REGISTERED: Cell<bool> = const { Cell::new(false) };
}

/// What the C interface keeps as the argument.
///
/// Interrupted code and the handler both get at it, so it is shared, and read after a call of the C interface only.
struct State {
    handler: *mut dyn FnMut(u64),
    phase: Cell<Phase>,
    panic: Cell<Option<Box<dyn Any + Send>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Running,
    /// Running, and its `Registration` is gone already: dropped by the handler itself.
    RunningAndDropped,
    Panicked,
}

impl State {
    fn new(handler: *mut (dyn FnMut(u64) + '_)) -> Self {
        State {
            // SAFETY: only a lifetime changes. The two users see to it that the handler outlives its registration.
            handler: unsafe {
                core::mem::transmute::<*mut (dyn FnMut(u64) + '_), *mut (dyn FnMut(u64) + 'static)>(
                    handler,
                )
            },
            phase: Cell::new(Phase::Waiting),
            panic: Cell::new(None),
        }
    }

    /// Of a `Registration`: frees the handler too.
    ///
    /// # Safety
    ///
    /// The state and the handler come from boxes and nobody uses them any more.
    unsafe fn free(state: NonNull<State>) -> Option<Box<dyn Any + Send>> {
        // SAFETY: promised by the caller.
        unsafe {
            let state = Box::from_raw(state.as_ptr());
            drop(Box::from_raw(state.handler));
            state.panic.into_inner()
        }
    }
}

/// # Safety
///
/// The state and its handler must stay until `stop` was called, and the handler must be sound to call at any probe.
unsafe fn start(interval: Interval, state: *const State) -> Result<(), Error> {
    if REGISTERED.get() {
        return Err(Error::AlreadyRegistered);
    }
    // First, since the handler may be called before the registration returns.
    REGISTERED.set(true);
    // SAFETY: promised by the caller; nothing is written through the pointer but cells.
    let result = unsafe { raw::register(interval, call, state.cast_mut().cast::<c_void>()) };
    if result.is_err() {
        REGISTERED.set(false);
    }
    result
}

fn stop() {
    raw::deregister();
    REGISTERED.set(false);
}

/// What is registered with the C interface.
unsafe extern "C" fn call(count: u64, argument: *mut c_void) {
    let state = argument.cast::<State>();
    // SAFETY: whoever registered the state keeps it until the registration ends, and while the handler runs.
    let (phase, panic, handler) = unsafe { (&(*state).phase, &(*state).panic, (*state).handler) };
    // A handler that enables interrupts is not called within itself: its closure is borrowed.
    if phase.get() != Phase::Waiting {
        return;
    }
    phase.set(Phase::Running);
    // SAFETY: the handler is as alive as its state, and borrowed by this call alone.
    let result = catch_unwind(AssertUnwindSafe(|| unsafe { (*handler)(count) }));
    if phase.get() == Phase::RunningAndDropped {
        // The panic of a handler that ended its own registration has nowhere to go; its message was printed.
        // SAFETY: `Registration::drop` left it to us, and the registration has ended.
        drop(unsafe { State::free(NonNull::new_unchecked(state)) });
        return;
    }
    match result {
        Ok(()) => phase.set(Phase::Waiting),
        Err(payload) => {
            panic.set(Some(payload));
            phase.set(Phase::Panicked);
            raw::deregister();
        }
    }
}

/// Calls `handler` on this thread every `interval`, until the [`Registration`] is dropped. The first call comes one
/// interval from now; the handler gets [`count`](super::count).
///
/// # Errors
///
/// [`Error::AlreadyRegistered`] while another registration of the thread lives: to replace it, drop it first. Dropping one
/// restores nothing. All others depend on the interval: [`Error::BadInterval`], also without Weft;
/// [`Error::ClockNotWoven`] and [`Error::NoTimer`], only with it.
///
/// # Safety
///
/// The handler must be sound to call between any two instructions of woven code of this thread. It may use what code of
/// another thread could use at that moment. It must not use state of the thread that interrupted code may be using, such as
/// a thread-local [`RefCell`](std::cell::RefCell), unless that code does so in [critical sections](super::critical). See
/// [what a handler may touch](super#what-a-handler-may-touch).
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use weft::interrupts::{self, Interval};
///
/// let (sender, receiver) = mpsc::channel();
/// let mut last = 0;
/// // SAFETY: the handler uses its own captures only, and a channel is for several threads.
/// let registration = unsafe {
///     interrupts::register(Interval::time(Duration::from_micros(50)), move |count| {
///         let _ = sender.send(count - last);
///         last = count;
///     })
/// }?;
/// let sum: u64 = (0..1_000_000).map(std::hint::black_box).sum();
/// registration.finish();
///
/// println!("{sum}, with {} calls on the way", receiver.iter().count());
/// # Ok::<(), interrupts::Error>(())
/// ```
pub unsafe fn register(
    interval: Interval,
    handler: impl FnMut(u64) + Send + 'static,
) -> Result<Registration, Error> {
    let handler: Box<dyn FnMut(u64)> = Box::new(handler);
    let state = Box::into_raw(Box::new(State::new(Box::into_raw(handler))));
    // SAFETY: the state is freed after the registration ended, and the caller answers for the handler.
    let started = unsafe { start(interval, state) };
    // SAFETY: a box is never null.
    let state = unsafe { NonNull::new_unchecked(state) };
    match started {
        Ok(()) => Ok(Registration { state }),
        Err(error) => {
            // SAFETY: it was not registered.
            drop(unsafe { State::free(state) });
            Err(error)
        }
    }
}

/// Sets `flag` every `interval`, until the [`Registration`] is dropped. The code looks at the flag, and clears it, where it
/// suits it; that makes this the safe way of registering.
///
/// # Errors
///
/// As for [`register`].
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::sync::Arc;
/// use std::time::Duration;
/// use weft::interrupts::{self, Interval};
///
/// let due = Arc::new(AtomicBool::new(false));
/// let _registration =
///     interrupts::register_atomic(Interval::time(Duration::from_millis(1)), due.clone())?;
/// for _ in 0..1000 {
///     // work
///     if due.swap(false, Ordering::Relaxed) {
///         // look after other things
///     }
/// }
/// # Ok::<(), interrupts::Error>(())
/// ```
pub fn register_atomic(interval: Interval, flag: Arc<AtomicBool>) -> Result<Registration, Error> {
    // SAFETY: an atomic is all that the handler touches.
    unsafe { register(interval, move |_| flag.store(true, Ordering::Release)) }
}

/// Calls `handler` every `interval` while this thread does `work`, and returns what `work` did. Both may borrow from the
/// caller; what the handler borrows mutably, `work` cannot touch.
///
/// A panic of `work` ends the registration and goes on. A panic of the handler does not disturb `work`: the handler is not
/// called again, and the panic goes on when `work` is done.
///
/// # Errors
///
/// As for [`register`]. `work` is not done then.
///
/// # Panics
///
/// When the handler did, with its payload.
///
/// # Safety
///
/// As for [`register`]; and `work` must not leave this function other than by returning or panicking.
///
/// ```
/// use std::time::Duration;
/// use weft::interrupts::{self, Interval};
///
/// let mut calls = 0;
/// let mut primes = 0;
/// // SAFETY: the handler touches `calls` only, which nothing else can use meanwhile.
/// unsafe {
///     interrupts::with(
///         Interval::time(Duration::from_micros(50)),
///         |_count| calls += 1,
///         || primes = (2..2000_u32).filter(|n| (2..*n).all(|d| n % d != 0)).count(),
///     )
/// }?;
/// assert_eq!(primes, 303);
/// println!("{calls} calls");
/// # Ok::<(), interrupts::Error>(())
/// ```
pub unsafe fn with<R>(
    interval: Interval,
    mut handler: impl FnMut(u64) + Send,
    work: impl FnOnce() -> R,
) -> Result<R, Error> {
    struct Stop;

    impl Drop for Stop {
        fn drop(&mut self) {
            stop();
        }
    }

    let state = State::new(&raw mut handler);
    // SAFETY: `Stop` ends the registration before the state and the handler go, however `work` ends, and the caller answers
    // for the handler.
    unsafe { start(interval, &raw const state) }?;
    let stop = Stop;
    let result = work();
    drop(stop);
    match state.panic.take() {
        None => Ok(result),
        Some(payload) => resume_unwind(payload),
    }
}

/// Keeps a handler [registered](register) on the thread, and ends that when it is dropped.
///
/// When the handler panics, interrupts end and the payload is kept. The panic goes on where the registration is dropped or
/// [finished](Registration::finish), unless the thread is panicking already. A registration that its own handler drops,
/// through a thread-local, ends at once; the handler still runs to its end.
///
/// Forgetting it ([`core::mem::forget`]) leaves the handler registered until the thread ends.
#[must_use = "the handler is deregistered when it is dropped"]
pub struct Registration {
    /// Makes it neither `Send` nor `Sync`, as it must be.
    state: NonNull<State>,
}

impl Registration {
    /// Ends the registration. The same as dropping it, in a word that says that a panic may come out here.
    ///
    /// # Panics
    ///
    /// When the handler did, with its payload.
    ///
    /// ```
    /// use std::time::Duration;
    /// use weft::interrupts::{self, Interval};
    ///
    /// let interval = Interval::time(Duration::from_millis(1));
    /// // SAFETY: the handler touches nothing.
    /// let registration = unsafe { interrupts::register(interval, |_| ()) }?;
    /// registration.finish();
    /// # Ok::<(), interrupts::Error>(())
    /// ```
    pub fn finish(self) {}
}

impl Drop for Registration {
    fn drop(&mut self) {
        stop();
        // SAFETY: only `drop` and, after it, `call` free the state.
        let phase = unsafe { &self.state.as_ref().phase };
        if phase.get() == Phase::Running {
            phase.set(Phase::RunningAndDropped);
            return;
        }
        // SAFETY: the registration has ended and the handler does not run.
        let panic = unsafe { State::free(self.state) };
        if let Some(payload) = panic {
            if !std::thread::panicking() {
                resume_unwind(payload);
            }
        }
    }
}

impl core::fmt::Debug for Registration {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Registration").finish_non_exhaustive()
    }
}
