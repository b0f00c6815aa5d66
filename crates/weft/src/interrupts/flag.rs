// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! The flag of a thread, for other threads.

use super::{critical, raw};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the flag is, while its thread runs. The lock keeps the thread from ending while another raises it.
type Place = Mutex<Option<Target>>;

struct Target(NonNull<AtomicU32>);

// SAFETY: an atomic, which its thread keeps until it has taken it out of the `Place`.
unsafe impl Send for Target {}

/// The thread's own handle; its destructor runs before the flag goes.
struct Owner(Arc<Place>);

std::thread_local! {
    static OWNER: Owner = Owner(Arc::new(Mutex::new(
        NonNull::new(raw::flag().cast_mut()).map(Target),
    )));
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Critical, here and below: a handler may raise flags, and would wait for its own thread's lock.
        critical(|| *lock(&self.0) = None);
    }
}

fn lock(place: &Place) -> MutexGuard<'_, Option<Target>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// By which any thread may interrupt the one that asked for it; see [`flag`].
#[derive(Clone)]
pub struct Flag(Arc<Place>);

/// The calling thread's flag. With [`Interval::flag_by_hand`](super::Interval::flag_by_hand) its handler is called at the
/// next probe after any thread raised it; raising it twice before that is like once.
///
/// ```
/// use std::thread;
/// use weft::interrupts::{self, Interval};
///
/// // SAFETY: the handler touches nothing.
/// let registration = unsafe { interrupts::register(Interval::flag_by_hand(), |_| ()) }?;
/// let flag = interrupts::flag();
/// thread::spawn(move || assert!(flag.raise())).join().unwrap();
/// registration.finish();
/// # Ok::<(), interrupts::Error>(())
/// ```
#[must_use]
pub fn flag() -> Flag {
    critical(|| {
        OWNER
            .try_with(|owner| Flag(Arc::clone(&owner.0)))
            // The thread is ending and the flag is gone for everybody.
            .unwrap_or_else(|_| Flag(Arc::new(Mutex::new(None))))
    })
}

impl Flag {
    /// Asks for an interrupt. Returns whether the thread still ran, which says nothing about its handler: without one, and
    /// without Weft, nothing comes of it.
    ///
    /// Not for signal handlers, since it takes a lock: they use [`raw::flag`].
    ///
    /// ```
    /// use std::thread;
    /// use weft::interrupts;
    ///
    /// let flag = thread::spawn(interrupts::flag).join().unwrap();
    /// assert!(!flag.raise()); // that thread has ended
    /// assert!(interrupts::flag().raise());
    /// ```
    pub fn raise(&self) -> bool {
        critical(|| match &*lock(&self.0) {
            Some(Target(flag)) => {
                // SAFETY: its thread does not end before it has the lock.
                unsafe { flag.as_ref() }.store(1, Ordering::Release);
                true
            }
            None => false,
        })
    }
}

impl core::fmt::Debug for Flag {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Flag").finish_non_exhaustive()
    }
}
