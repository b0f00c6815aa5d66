// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Replaces functions of the running program by those of a patch, and brings them back.
//!
//! A program needs none of it to be patched from outside: `weft hotpatch watch` and `weft hotpatch apply` work without any
//! code. What a program can do itself is to fetch its patches where it likes, choose the moment, and be told of patches that
//! others apply.
//!
//! ```
//! use weft::hotpatch;
//!
//! fn take(patch: &[u8]) -> Result<(), hotpatch::Error> {
//!     // SAFETY: it was built by `weft hotpatch build` of this program's next version.
//!     unsafe { hotpatch::apply_bytes(patch)? };
//!     println!("{} patches applied", hotpatch::count());
//!     Ok(())
//! }
//!
//! let error = take(b"not a patch").unwrap_err();
//! let expected = if hotpatch::active() { hotpatch::ErrorKind::Damaged } else { hotpatch::ErrorKind::Absent };
//! assert_eq!(error.kind(), expected);
//! ```
//!
//! # What is switched when
//!
//! Calls that are under way end in the code that they began in; calls that begin after [`apply`] has returned are of the new
//! code, on every thread. No thread is stopped for it. A function that never returns goes on as it was. [`wait`] tells when
//! nobody is inside replaced code any more.
//!
//! Patches lie on top of each other, and come off the newest first: [`revert_to`]. The memory of a patch stays as long as the
//! process lives, so references to its constants, pointers to its functions and its trait objects stay valid when it is taken
//! back.
//!
//! # Threads and signals
//!
//! Everything here may be called from any thread. One patch is applied at a time: a call that comes while another thread, or
//! somebody outside, is at it does not wait, but fails with [`ErrorKind::Busy`]. In signal handlers only [`count`] may be
//! called. A child of `fork` has the patches of its parent, and goes its own way from there.
//!
//! # Without Weft
//!
//! In a program that was not built `--with hotpatch` [`active`] is false, [`count`] is 0, hooks are never called, and all else
//! fails with [`ErrorKind::Absent`].

use core::fmt;
use core::time::Duration;

#[cfg(weft_hotpatch)]
mod hooks;
#[cfg(weft_hotpatch)]
use hooks::{clear, set};

#[cfg(weft_hotpatch)]
mod runtime {
    use core::ffi::{c_char, c_int, c_void};

    pub type Hook = unsafe extern "C" fn(*mut c_void, *const c_char, u32) -> c_int;

    unsafe extern "C" {
        #[cfg(feature = "std")]
        pub fn weft_hotpatch_apply(path: *const c_char, why: *mut c_char, why_size: usize)
            -> c_int;
        pub fn weft_hotpatch_apply_bytes(
            bytes: *const c_void,
            size: usize,
            why: *mut c_char,
            why_size: usize,
        ) -> c_int;
        pub safe fn weft_hotpatch_revert_to(keep: u32) -> c_int;
        pub fn weft_hotpatch_wait(milliseconds: u32, why: *mut c_char, why_size: usize) -> c_int;
        pub safe fn weft_hotpatch_count() -> u32;
        pub fn weft_hotpatch_set_hooks(
            before: Option<Hook>,
            after: Option<Hook>,
            context: *mut c_void,
        );
    }
}

/// What a program that was built without hotpatch gets: the same as from the header.
#[cfg(not(weft_hotpatch))]
mod runtime {
    use core::ffi::{c_char, c_int, c_void};

    const ABSENT: c_int = 13;

    #[cfg(feature = "std")]
    #[inline]
    pub unsafe fn weft_hotpatch_apply(
        _path: *const c_char,
        _why: *mut c_char,
        _why_size: usize,
    ) -> c_int {
        ABSENT
    }

    #[inline]
    pub unsafe fn weft_hotpatch_apply_bytes(
        _bytes: *const c_void,
        _size: usize,
        _why: *mut c_char,
        _why_size: usize,
    ) -> c_int {
        ABSENT
    }

    #[inline]
    pub fn weft_hotpatch_revert_to(_keep: u32) -> c_int {
        ABSENT
    }

    #[inline]
    pub unsafe fn weft_hotpatch_wait(
        _milliseconds: u32,
        _why: *mut c_char,
        _why_size: usize,
    ) -> c_int {
        ABSENT
    }

    #[inline]
    pub fn weft_hotpatch_count() -> u32 {
        0
    }
}

/// Whether the program was built `--with hotpatch`.
///
/// ```
/// if !weft::hotpatch::active() {
///     println!("nothing can be replaced; build with `weft cargo build --with hotpatch`");
/// }
/// ```
#[inline]
#[must_use]
pub const fn active() -> bool {
    cfg!(weft_hotpatch)
}

/// Applies the patch in a file, which `weft hotpatch build` has made.
///
/// It is applied as a whole or not at all: after an error the program is as it was. The file may be removed afterwards.
///
/// # Safety
///
/// A patch is machine code, and what it does is up to who made it. What is damaged, or made for another build, is refused. What
/// nobody can check is whether the new code is right for the state that the running program has. `weft hotpatch build` does its
/// part by comparing types, as long as both builds have debug information.
///
/// # Errors
///
/// See [`ErrorKind`]. A path that holds a NUL byte is [`ErrorKind::NoFile`].
///
/// ```no_run
/// // SAFETY: who may write to this folder may replace the program, too.
/// match unsafe { weft::hotpatch::apply("/srv/patches/fix.patch") } {
///     Ok(()) => println!("fixed"),
///     Err(error) => eprintln!("not fixed: {error}"),
/// }
/// ```
#[cfg(feature = "std")]
pub unsafe fn apply(path: impl AsRef<std::path::Path>) -> Result<(), Error> {
    let Ok(path) = std::ffi::CString::new(path.as_ref().as_os_str().as_encoded_bytes()) else {
        return Err(Error {
            kind: ErrorKind::NoFile,
            why: "the path holds a NUL byte".to_owned(),
        });
    };
    // SAFETY: the path is NUL-terminated and not kept; the patch is the caller's to answer for.
    answer(|why, size| unsafe { runtime::weft_hotpatch_apply(path.as_ptr(), why, size) })
}

/// The same for a patch in memory, which is not kept.
///
/// # Safety
///
/// As for [`apply`](apply#safety).
///
/// # Errors
///
/// As for [`apply`](apply#errors).
pub unsafe fn apply_bytes(patch: &[u8]) -> Result<(), Error> {
    // SAFETY: the patch is that long, is not kept, and is the caller's to answer for.
    answer(|why, size| unsafe {
        runtime::weft_hotpatch_apply_bytes(patch.as_ptr().cast(), patch.len(), why, size)
    })
}

/// Takes back the patches that were applied last, until `keep` are left: 0 takes back all.
///
/// Those that others have applied count as well. The code from before has to be right for the state that the patch leaves:
/// who applied it has promised that.
///
/// # Errors
///
/// When a hook says no, another patch is being applied, or the system does not let code be changed. Patches that were taken
/// back before that happened stay away.
///
/// ```
/// use weft::hotpatch::{self, ErrorKind};
///
/// match hotpatch::revert_to(0) {
///     Ok(()) => assert_eq!(hotpatch::count(), 0),
///     Err(error) => assert_eq!(error.kind(), ErrorKind::Absent),
/// }
/// ```
pub fn revert_to(keep: u32) -> Result<(), Error> {
    answer(|_why, _size| runtime::weft_hotpatch_revert_to(keep))
}

/// Waits, at most so long, until no thread is inside code that is not its function's code any more, the calling thread among
/// them. Nothing is taken back when the time is up; that is up to the caller.
///
/// A thread is taken to be inside when any word of its stack is an address of such code, which may be one that an earlier call
/// has left there. It is never taken to be outside while it is inside, unless it has left the stack that the system gave it:
/// what a coroutine that is suspended has on a stack of its own is not seen. A future that is not being polled has no stack,
/// and its next poll runs new code.
///
/// # Errors
///
/// [`ErrorKind::Running`] when the time is up; the text says which threads are where. [`ErrorKind::Busy`] when another patch
/// was being applied all the time.
///
/// ```
/// use std::time::Duration;
/// use weft::hotpatch;
///
/// fn settled() -> bool {
///     hotpatch::wait(Duration::from_secs(2)).is_ok()
/// }
/// assert_eq!(settled(), hotpatch::active()); // no patch, nobody inside
/// ```
pub fn wait(at_most: Duration) -> Result<(), Error> {
    let milliseconds = u32::try_from(at_most.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: the buffer is that long.
    answer(|why, size| unsafe { runtime::weft_hotpatch_wait(milliseconds, why, size) })
}

/// How many patches are applied, by whomever. 0 without Weft.
#[inline]
#[must_use]
pub fn count() -> u32 {
    runtime::weft_hotpatch_count()
}

/// Is told of each patch that is applied or taken back, whether by the program or from outside, on the thread that does it.
///
/// A panic in a hook aborts the process.
///
/// ```
/// use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
/// use weft::hotpatch::{self, Hooks, Patch};
///
/// struct Guard {
///     closed: AtomicBool,
///     switched: AtomicU32,
/// }
///
/// impl Hooks for Guard {
///     fn before(&self, _patch: &Patch<'_>) -> bool {
///         !self.closed.load(Ordering::Acquire)
///     }
///
///     fn after(&self, patch: &Patch<'_>) {
///         self.switched.fetch_add(patch.functions(), Ordering::Relaxed);
///     }
/// }
///
/// static GUARD: Guard = Guard { closed: AtomicBool::new(false), switched: AtomicU32::new(0) };
///
/// // SAFETY: atomics are all that the hooks touch.
/// unsafe { hotpatch::set_hooks(&GUARD) };
/// GUARD.closed.store(true, Ordering::Release); // no patches from here on
/// # hotpatch::clear_hooks();
/// ```
pub trait Hooks: Sync {
    /// Called before anything is switched. `false` refuses it: the patch stays away, or stays applied.
    fn before(&self, patch: &Patch<'_>) -> bool {
        let _ = patch;
        true
    }

    /// Called after everything is switched.
    fn after(&self, patch: &Patch<'_>) {
        let _ = patch;
    }
}

/// A patch that is about to be switched, or was.
#[derive(Clone, Copy, Debug)]
pub struct Patch<'a> {
    name: &'a str,
    functions: u32,
}

impl<'a> Patch<'a> {
    /// What `weft hotpatch build --name` called it, by default its file's name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// How many functions it replaces.
    #[must_use]
    pub fn functions(&self) -> u32 {
        self.functions
    }
}

/// Sets what is called around each switch, for the whole process, in place of what was set before.
///
/// When this returns, no thread is within the hooks that were set before. Called from within a hook it does nothing. Hooks that
/// are made while the program runs get there by [`Box::leak`](std::boxed::Box::leak).
///
/// # Safety
///
/// A patch from outside is applied in a signal handler, on whichever thread the system chooses. Hooks of a program that is
/// patched from outside may do only what a signal handler may: use atomics, and call functions of the system that are
/// async-signal-safe. They must not allocate, take a lock, print, use thread-locals, or call anything of this module.
///
/// Where every patch comes by [`apply`] or [`apply_bytes`] they are ordinary functions, for which this module is busy.
pub unsafe fn set_hooks<H: Hooks + 'static>(hooks: &'static H) {
    set(hooks);
}

/// No hooks any more: what [`set_hooks`] does, for nothing.
pub fn clear_hooks() {
    clear();
}

#[cfg(not(weft_hotpatch))]
fn set<H: Hooks + 'static>(_hooks: &'static H) {}

#[cfg(not(weft_hotpatch))]
fn clear() {}

/// Why something was refused. The program is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It is no patch, or not whole.
    Damaged,
    /// The patch is for another build, or another processor.
    OtherProgram,
    /// It is applied already.
    Applied,
    /// An earlier patch that it builds on is missing, or a later one builds on it.
    Order,
    /// Another patch is being applied.
    Busy,
    /// There is no memory, or none that is near enough to the program.
    NoMemory,
    /// Neither the program nor its libraries have what it needs.
    UnknownSymbol,
    /// A function's code is not as it was built.
    ChangedCode,
    /// The system does not let code be changed.
    Denied,
    /// A hook said no.
    Vetoed,
    /// There is no such patch.
    UnknownPatch,
    /// The file cannot be read.
    NoFile,
    /// The program was built without hotpatch.
    Absent,
    /// It is not signed with the key that the program was told of.
    Unsigned,
    /// A thread is still inside code that was replaced.
    Running,
    /// Something that this version of the crate has no name for.
    Other,
}

impl ErrorKind {
    fn of(result: core::ffi::c_int) -> Self {
        use ErrorKind::*;
        const KINDS: [ErrorKind; 15] = [
            Damaged,
            OtherProgram,
            Applied,
            Order,
            Busy,
            NoMemory,
            UnknownSymbol,
            ChangedCode,
            Denied,
            Vetoed,
            UnknownPatch,
            NoFile,
            Absent,
            Unsigned,
            Running,
        ];
        usize::try_from(result - 1)
            .ok()
            .and_then(|index| KINDS.get(index).copied())
            .unwrap_or(Other)
    }

    /// For where the runtime says no more than this.
    fn text(self) -> &'static str {
        match self {
            Self::Damaged => "it is no patch, or not whole",
            Self::OtherProgram => "the patch is for another program",
            Self::Applied => "the patch is applied already",
            Self::Order => "patches come and go in their order",
            Self::Busy => "another patch is being applied",
            Self::NoMemory => "there is no memory for it",
            Self::UnknownSymbol => "the patch needs what the program has not got",
            Self::ChangedCode => "a function's code is not as it was built",
            Self::Denied => "the system does not let code be changed",
            Self::Vetoed => "the program's own hook said no",
            Self::UnknownPatch => "there is no such patch",
            Self::NoFile => "the file cannot be read",
            Self::Absent => "the program was built without hotpatch: build it with `weft cargo build --with hotpatch`",
            Self::Unsigned => "the patch is not signed with the program's key",
            Self::Running => "a thread is still inside code that was replaced",
            Self::Other => "the runtime refused it",
        }
    }
}

/// Why something was refused, as a sentence for people and as an [`ErrorKind`] for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    #[cfg(feature = "std")]
    why: std::string::String,
}

impl Error {
    /// For programs.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "std")]
        if !self.why.is_empty() {
            return f.write_str(&self.why);
        }
        f.write_str(self.kind.text())
    }
}

impl core::error::Error for Error {}

/// Calls the runtime with room for its reason.
fn answer(
    call: impl FnOnce(*mut core::ffi::c_char, usize) -> core::ffi::c_int,
) -> Result<(), Error> {
    let mut why = [0_u8; 512];
    let result = call(why.as_mut_ptr().cast(), why.len());
    if result == 0 {
        return Ok(());
    }
    Err(Error {
        kind: ErrorKind::of(result),
        #[cfg(feature = "std")]
        why: std::string::String::from_utf8_lossy(
            why.split(|byte| *byte == 0).next().unwrap_or_default(),
        )
        .into_owned(),
    })
}
