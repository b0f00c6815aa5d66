// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Spans and events of the program's own in a trace of its function calls, and control over what is traced.
//!
//! Tracing needs none of it: `weft tracing record`, `weft tracing attach` and `WEFT_TRACING=on` work without any code.
//! What a program can add is what its functions do not tell: which request it was, how large, and that now would be a good
//! moment to begin.
//!
//! ```
//! use weft::tracing::{event, span};
//!
//! fn serve(request: &str) -> usize {
//!     let _span = span!("request");
//!     event!("path", request);
//!     let found = request.len();
//!     event!("answer", "{found} bytes, {:.1} kB", found as f64 / 1000.0);
//!     found
//! }
//!
//! assert_eq!(serve("/index.html"), 11);
//! ```
//!
//! # What it costs
//!
//! In a program that was not built `--with tracing` everything here compiles to nothing. In one that was, [`span!`] and
//! [`event!`] are a load, a comparison and a branch until something is recorded: what they are given is not even evaluated.
//! Nothing here allocates but [`on`], [`off`] and [`file()`].
//!
//! # Where it may be used
//!
//! On any thread, also before `main` and in thread-local destructors. In signal handlers [`span!`], [`event!`] and
//! [`is_recording`] may be used, formatting as far as the formatted values' own code allows it; [`on`], [`off`] and
//! [`file()`] allocate, and so may not.
//!
//! A child of `fork` writes to a file of its own, which begins when it first has something to write.

use core::fmt;
use core::marker::PhantomData;

#[doc(inline)]
pub use crate::{
    __weft_tracing_always as always, __weft_tracing_event as event, __weft_tracing_never as never,
    __weft_tracing_span as span,
};

#[cfg(weft_tracing)]
mod runtime {
    use super::private::Name;
    use core::ffi::c_void;
    #[cfg(feature = "std")]
    use core::ffi::{c_char, c_long, c_uint};
    use core::sync::atomic::AtomicU32;

    #[cfg(feature = "std")]
    unsafe extern "C" {
        pub fn weft_tracing_on(globs: *const c_char, clock: c_uint) -> c_long;
        pub fn weft_tracing_off(globs: *const c_char) -> c_long;
        pub safe fn weft_tracing_file() -> *const c_char;
    }

    unsafe extern "C" {
        /// Its first word is 0 while nothing is recorded.
        pub safe static __weft_tracing_process_v1: AtomicU32;
        pub safe fn weft_tracing_begin(name: &'static Name);
        pub safe fn weft_tracing_end(name: &'static Name);
        pub fn weft_tracing_event(name: &'static Name, data: *const c_void, size: usize);
        /// The instrument takes calls of it out of functions, and marks those.
        pub safe fn __weft_tracing_always();
        /// The same.
        pub safe fn __weft_tracing_never();
    }
}

/// Bytes that an event can carry; more is cut off.
pub const EVENT_BYTES: usize = 512;

/// What the calls of a function are timed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Clock {
    /// The processor's counter: nanoseconds.
    #[default]
    Exact,
    /// A tick that a helper thread advances every few microseconds.
    Coarse,
    /// Order only: enough for counts and call trees, and the cheapest.
    None,
}

/// Whether the program was built `--with tracing`.
///
/// ```
/// if !weft::tracing::active() {
///     println!("nothing can be traced; build with `weft cargo build --with tracing`");
/// }
/// ```
#[inline]
#[must_use]
pub const fn active() -> bool {
    cfg!(weft_tracing)
}

/// Whether anything is being recorded: [`span!`] and [`event!`] do something now.
///
/// A load, so it may stand before anything that is done for the trace alone.
///
/// ```
/// use weft::tracing::{event, is_recording};
///
/// if is_recording() {
///     let queue = [1, 2, 3]; // something that is not there without tracing
///     event!("queue", "{} waiting", queue.len());
/// }
/// ```
#[cfg(weft_tracing)]
#[inline(always)]
#[must_use]
pub fn is_recording() -> bool {
    runtime::__weft_tracing_process_v1.load(core::sync::atomic::Ordering::Relaxed) != 0
}

/// Whether anything is being recorded: [`span!`] and [`event!`] do something now.
///
/// ```
/// assert!(weft::tracing::active() || !weft::tracing::is_recording());
/// ```
#[cfg(not(weft_tracing))]
#[inline(always)]
#[must_use]
pub fn is_recording() -> bool {
    false
}

/// Switches functions on in the running program, and begins to record if nothing is being recorded yet. Returns how many
/// that changes: they were off, or had another clock.
///
/// `globs` are patterns with `*` and `?`, separated by commas. Each is compared with a function's name as people write it
/// (`service::parse`) and with its symbol. `None` stands for every function, also of libraries that are loaded later.
/// Other threads may be running the functions meanwhile; of a call that is under way the trace has the end only.
///
/// Without Weft nothing is switched on, and that is no error: the result is 0.
///
/// # Errors
///
/// When `globs` holds a NUL byte, when the trace file cannot be created, and where the system forbids code to be written.
///
/// ```
/// use weft::tracing::{self, Clock};
///
/// let functions = tracing::on(Some("*::parse*,*::read_*"), Clock::Exact)?;
/// assert!(tracing::active() || functions == 0);
/// tracing::off(None)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(feature = "std")]
pub fn on(globs: Option<&str>, clock: Clock) -> std::io::Result<usize> {
    switch_on(globs, clock)
}

/// Switches functions off, and returns how many were on. Calls that are under way have no end in the trace. Spans and
/// events are still recorded.
///
/// # Errors
///
/// As for [`on`].
///
/// ```
/// assert!(weft::tracing::active() || weft::tracing::off(None)? == 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[cfg(feature = "std")]
pub fn off(globs: Option<&str>) -> std::io::Result<usize> {
    switch_off(globs)
}

/// The trace file, if something is being recorded. `WEFT_TRACING_FILE` or `WEFT_OUT` in the environment decide where it is.
/// It changes when the process forks.
///
/// ```
/// if let Some(file) = weft::tracing::file() {
///     println!("see {} with `weft tracing replay`", file.display());
/// }
/// ```
#[cfg(feature = "std")]
#[must_use]
pub fn file() -> Option<std::path::PathBuf> {
    trace_file()
}

#[cfg(all(feature = "std", weft_tracing))]
mod control {
    use super::{runtime, Clock};
    use core::ffi::{c_char, c_long, c_uint, CStr};
    use std::ffi::{CString, OsStr};
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    pub fn switch_on(globs: Option<&str>, clock: Clock) -> io::Result<usize> {
        let number: c_uint = match clock {
            Clock::Exact => 0,
            Clock::Coarse => 1,
            Clock::None => 2,
        };
        // SAFETY: the text is NUL-terminated or null and is not kept.
        with_text(globs, |text| unsafe {
            runtime::weft_tracing_on(text, number)
        })
    }

    pub fn switch_off(globs: Option<&str>) -> io::Result<usize> {
        // SAFETY: the text is NUL-terminated or null and is not kept.
        with_text(globs, |text| unsafe { runtime::weft_tracing_off(text) })
    }

    /// Whatever comes back is a count or the negative of an error number.
    fn with_text(
        globs: Option<&str>,
        switch: impl FnOnce(*const c_char) -> c_long,
    ) -> io::Result<usize> {
        let globs = globs.map(CString::new).transpose()?;
        let text = globs.as_deref().map_or(core::ptr::null(), CStr::as_ptr);
        let result = switch(text);
        usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result as i32))
    }

    pub fn trace_file() -> Option<PathBuf> {
        let path = runtime::weft_tracing_file();
        if path.is_null() {
            return None;
        }
        // SAFETY: it is text that stays where it is; it is written again only by a child of fork that has one thread.
        let path = unsafe { CStr::from_ptr(path) };
        Some(OsStr::from_bytes(path.to_bytes()).into())
    }
}

/// What a program that was built without tracing gets.
#[cfg(all(feature = "std", not(weft_tracing)))]
mod control {
    use super::Clock;

    #[inline]
    pub fn switch_on(_globs: Option<&str>, _clock: Clock) -> std::io::Result<usize> {
        Ok(0)
    }

    #[inline]
    pub fn switch_off(_globs: Option<&str>) -> std::io::Result<usize> {
        Ok(0)
    }

    #[inline]
    pub fn trace_file() -> Option<std::path::PathBuf> {
        None
    }
}

#[cfg(feature = "std")]
use control::{switch_off, switch_on, trace_file};

/// A span that [`span!`] has begun on this thread. It ends when this is dropped, be it by a panic.
///
/// It stays on its thread. In `async` code that is held across an `.await` this shows as a future that is not [`Send`]:
/// end the span before, since what runs on the thread meanwhile is none of the span's.
#[must_use = "the span ends when it is dropped, so at once; bind it to a variable that is not `_`"]
pub struct Span {
    /// `None` when nothing was being recorded at its begin: it gets no end either.
    #[cfg(weft_tracing)]
    name: Option<&'static private::Name>,
    thread: PhantomData<*mut ()>,
}

impl Span {
    /// Ends the span here. The same as dropping it.
    ///
    /// ```
    /// let span = weft::tracing::span!("phase one");
    /// // work
    /// span.end();
    /// ```
    #[inline(always)]
    pub fn end(self) {}
}

impl Drop for Span {
    #[inline(always)]
    fn drop(&mut self) {
        #[cfg(weft_tracing)]
        if let Some(name) = self.name {
            runtime::weft_tracing_end(name);
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span").finish_non_exhaustive()
    }
}

/// What the macros expand to. Always inlined: none of it is to be seen in a trace.
#[doc(hidden)]
#[cfg(weft_tracing)]
pub mod private {
    use super::{runtime, Span, EVENT_BYTES};
    use core::ffi::{c_char, CStr};
    use core::fmt;
    use core::marker::PhantomData;
    use core::sync::atomic::AtomicU32;

    pub use super::runtime::{__weft_tracing_always as always, __weft_tracing_never as never};

    /// `struct weft_tracing_name`: one for each place in the source.
    #[repr(C)]
    pub struct Name {
        text: *const c_char,
        id: AtomicU32,
    }

    // SAFETY: nobody writes to the text.
    unsafe impl Sync for Name {}

    impl Name {
        /// Of text that ends with NUL.
        #[must_use]
        pub const fn new(text: &'static str) -> Self {
            super::check_name(text);
            match CStr::from_bytes_with_nul(text.as_bytes()) {
                Ok(text) => Name {
                    text: text.as_ptr(),
                    id: AtomicU32::new(0),
                },
                Err(_) => panic!("a name of a span or an event holds a NUL byte"),
            }
        }
    }

    #[inline(always)]
    pub fn begin(name: &'static Name) -> Span {
        let recording = super::is_recording();
        if recording {
            runtime::weft_tracing_begin(name);
        }
        Span {
            name: recording.then_some(name),
            thread: PhantomData,
        }
    }

    #[inline(always)]
    pub fn event(name: &'static Name, data: &[u8]) {
        // SAFETY: the data is that long and is not kept.
        unsafe { runtime::weft_tracing_event(name, data.as_ptr().cast(), data.len()) };
    }

    #[cold]
    pub fn formatted_event(name: &'static Name, text: fmt::Arguments<'_>) {
        super::never!();
        let mut buffer = Text {
            bytes: [0; EVENT_BYTES],
            used: 0,
        };
        // What does not fit, and what a value refuses to format, is left out.
        let _ = fmt::write(&mut buffer, text);
        event(name, &buffer.bytes[..buffer.used]);
    }

    struct Text {
        bytes: [u8; EVENT_BYTES],
        used: usize,
    }

    impl fmt::Write for Text {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            super::never!();
            let mut fits = text.len().min(EVENT_BYTES - self.used);
            while !text.is_char_boundary(fits) {
                fits -= 1;
            }
            self.bytes[self.used..self.used + fits].copy_from_slice(&text.as_bytes()[..fits]);
            self.used += fits;
            if fits == text.len() {
                Ok(())
            } else {
                Err(fmt::Error)
            }
        }
    }
}

/// The same without Weft.
#[doc(hidden)]
#[cfg(not(weft_tracing))]
pub mod private {
    use super::Span;
    use core::fmt;
    use core::marker::PhantomData;

    pub struct Name(());

    impl Name {
        #[must_use]
        pub const fn new(text: &'static str) -> Self {
            super::check_name(text);
            Name(())
        }
    }

    #[inline(always)]
    pub fn begin(_name: &'static Name) -> Span {
        Span {
            thread: PhantomData,
        }
    }

    #[inline(always)]
    pub fn event(_name: &'static Name, _data: &[u8]) {}

    #[inline(always)]
    pub fn formatted_event(_name: &'static Name, _text: fmt::Arguments<'_>) {}

    #[inline(always)]
    pub fn always() {}

    #[inline(always)]
    pub fn never() {}
}

/// Fails the compilation for what the trace file has no room for.
const fn check_name(text: &str) {
    assert!(
        text.len() <= 60_001,
        "a name of a span or an event is longer than 60,000 bytes"
    );
}

/// Fails the compilation for a literal, as the source has it, that was meant to be formatted.
#[doc(hidden)]
pub const fn check_data(source: &str) {
    let bytes = source.as_bytes();
    let mut i = 0;
    while i < bytes.len() && bytes[0] != b'b' {
        assert!(
            bytes[i] != b'{',
            "write event!(\"name\", \"{{}}\", value) for formatted text, and b\"...\" for braces"
        );
        i += 1;
    }
}

/// Begins a span of the calling thread, which ends when the [`Span`] is dropped. The name is a literal.
///
/// Spans may enclose calls, and calls may enclose spans; spans of a thread should be nested in each other. One that began
/// before anything was recorded is not in the trace.
///
/// ```
/// use weft::tracing::span;
///
/// fn answer() -> u32 {
///     let _span = span!("answer");
///     6 * 7
/// } // the span ends here, also if the code above panics
///
/// assert_eq!(answer(), 42);
/// ```
///
/// `let _ = span!("answer");` would end it at once.
#[doc(hidden)]
#[macro_export]
macro_rules! __weft_tracing_span {
    ($name:literal $(,)?) => {{
        static NAME: $crate::tracing::private::Name =
            $crate::tracing::private::Name::new(::core::concat!($name, "\0"));
        $crate::tracing::private::begin(&NAME)
    }};
}

/// Records an event of the calling thread: a name, which is a literal, and up to [`EVENT_BYTES`] of data.
///
/// The data is anything that is `AsRef<[u8]>`, such as byte slices and text, or a format string with at least one value
/// behind it. Text is formatted without allocation and cut off where it gets too long. Nothing of it is evaluated unless
/// events are being recorded.
///
/// ```
/// use weft::tracing::event;
///
/// let (packet, attempt) = (vec![1, 2, 3], 2);
/// event!("connected");
/// event!("packet", packet);
/// event!("peer", "localhost");
/// event!("retry", "attempt {attempt} of {}", 5);
/// ```
///
/// A literal alone is data, so one with braces in it, which expects to be formatted, is refused:
///
/// ```compile_fail
/// let attempt = 2;
/// weft::tracing::event!("retry", "attempt {attempt}");
/// ```
///
/// [`EVENT_BYTES`]: crate::tracing::EVENT_BYTES
#[doc(hidden)]
#[macro_export]
macro_rules! __weft_tracing_event {
    ($name:literal $(,)?) => {
        $crate::__weft_tracing_event!(@ event, $name, b"")
    };
    ($name:literal, $data:literal $(,)?) => {{
        const { $crate::tracing::check_data(::core::stringify!($data)) };
        $crate::__weft_tracing_event!(@ event, $name, ::core::convert::AsRef::<[u8]>::as_ref(&$data))
    }};
    ($name:literal, $data:expr $(,)?) => {
        $crate::__weft_tracing_event!(@ event, $name, ::core::convert::AsRef::<[u8]>::as_ref(&$data))
    };
    ($name:literal, $format:literal, $($values:tt)+) => {
        $crate::__weft_tracing_event!(@ formatted_event, $name, ::core::format_args!($format, $($values)+))
    };
    (@ $how:ident, $name:literal, $data:expr) => {
        if $crate::tracing::is_recording() {
            static NAME: $crate::tracing::private::Name =
                $crate::tracing::private::Name::new(::core::concat!($name, "\0"));
            $crate::tracing::private::$how(&NAME, $data);
        }
    };
}

/// As a statement in a function's body: the function can be traced whatever its size, and is not inlined.
///
/// It does nothing when the program runs. In a closure or an `async` block it means the closure or the block. It has no
/// business in a function that is `#[inline(always)]`: it may come to mean the caller.
///
/// ```
/// fn small(x: u32) -> u32 {
///     weft::tracing::always!();
///     x + 1
/// }
/// assert_eq!(small(1), 2);
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __weft_tracing_always {
    () => {
        $crate::__weft_tracing_mark!(always)
    };
}

/// As a statement in a function's body: the function is never traced.
///
/// It does nothing when the program runs. In a closure or an `async` block it means the closure or the block. It has no
/// business in a function that is `#[inline(always)]`: it may come to mean the caller.
///
/// ```
/// fn hot(x: u32) -> u32 {
///     weft::tracing::never!();
///     (0..x).sum()
/// }
/// assert_eq!(hot(4), 6);
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __weft_tracing_never {
    () => {
        $crate::__weft_tracing_mark!(never)
    };
}

/// rustc inlines small functions before Weft sees them, and the mark would then be their caller's. A handful of calls makes a
/// function too expensive for that; all of them vanish.
#[doc(hidden)]
#[macro_export]
macro_rules! __weft_tracing_mark {
    ($mark:ident) => {{
        $crate::tracing::private::$mark();
        $crate::tracing::private::$mark();
        $crate::tracing::private::$mark();
        $crate::tracing::private::$mark();
        $crate::tracing::private::$mark();
    }};
}
