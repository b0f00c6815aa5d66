// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! The harness of the Rust kernels: what ../../main.c is for those in C, with the same settings and the same line of JSON.
//!
//! Unlike main.c it is woven with the kernel. What it does while a pass is measured is the handler, which no interrupt
//! interrupts, and little else.

use std::cell::Cell;
use std::env;
use std::ffi::{c_int, c_void};
use std::fmt::Write;
use std::process;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

/// One complete pass, from making its input to the checksum of its result. Every pass returns the same.
pub type Kernel = extern "C" fn() -> u64;

/// How many threads may be between `thread_begin()` and `thread_end()` at once, the main thread counted.
pub const THREADS: usize = 3;

/// Records of one slot; what comes after them is not recorded.
const RECORDS: usize = 1_000_000;

/// Intervals that are left out at the start of each thread: the runtime is still learning how often to look at the clock.
const CALIBRATION: usize = 32;

const DEFAULT_INTERVAL: u64 = 10_000;

type Handler = extern "C" fn(count: u64, argument: *mut c_void);

#[cfg(weft_interrupts)]
mod runtime {
    use super::*;

    extern "C" {
        pub fn weft_interrupts_register(
            clock: c_int,
            interval: u64,
            handler: Handler,
            argument: *mut c_void,
        ) -> c_int;
        pub fn weft_interrupts_deregister() -> c_int;
        pub fn weft_interrupts_fired() -> u64;
    }
}

/// What a kernel that was built without interrupts gets.
#[cfg(not(weft_interrupts))]
mod runtime {
    use super::*;

    pub unsafe fn weft_interrupts_register(_: c_int, _: u64, _: Handler, _: *mut c_void) -> c_int {
        0
    }

    pub unsafe fn weft_interrupts_deregister() -> c_int {
        0
    }

    pub unsafe fn weft_interrupts_fired() -> u64 {
        0
    }
}

#[derive(Clone, Copy)]
struct Record {
    ticks: u64,
    count: u64,
    /// How often the kernel had taken the thread, if that is asked for.
    kernel: u64,
}

/// What a thread writes to while its interrupts are on. Made before the first pass and used by one thread after the other,
/// so that starting a thread touches no new memory.
///
/// Atomics so that the handler needs no exclusive reference; relaxed ones are plain loads and stores.
#[repr(align(128))] // no cache line with another thread's
struct Slot {
    records: AtomicPtr<Record>,
    used: AtomicUsize,
    fired: AtomicU64,
    fired_before: AtomicU64,
    /// Where in the records each stretch between `thread_begin()` and `thread_end()` starts. Locked while it is taken.
    starts: Mutex<(bool, Vec<usize>)>,
}

struct Settings {
    kernel: &'static str,
    /// `enum weft_interrupts_clock`.
    clock: Option<c_int>,
    interval: u64,
    recording: bool,
    apart: bool,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();
static SLOTS: [Slot; THREADS] = [const { Slot::new() }; THREADS];

thread_local! {
    static MINE: Cell<Option<&'static Slot>> = const { Cell::new(None) };
}

impl Slot {
    const fn new() -> Slot {
        Slot {
            records: AtomicPtr::new(null_mut()),
            used: AtomicUsize::new(0),
            fired: AtomicU64::new(0),
            fired_before: AtomicU64::new(0),
            starts: Mutex::new((false, Vec::new())),
        }
    }

    /// The handler must not be the first to touch its memory.
    fn reserve(&self) {
        let records = vec![Record { ticks: u64::MAX, count: u64::MAX, kernel: u64::MAX }; RECORDS];
        self.records.store(records.leak().as_mut_ptr(), Relaxed);
        self.starts.lock().unwrap().1.reserve(1024);
    }

    fn take(&'static self) -> bool {
        let (taken, starts) = &mut *self.starts.lock().unwrap();
        if *taken {
            return false;
        }
        *taken = true;
        starts.push(self.used.load(Relaxed));
        true
    }

    fn recorded(&self) -> &[Record] {
        match self.used.load(Relaxed) {
            0 => &[],
            // SAFETY: the handler wrote so many to the reserved memory, and no interrupts are on any more.
            used => unsafe { std::slice::from_raw_parts(self.records.load(Relaxed), used) },
        }
    }
}

#[inline]
fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86_64 processor has a time-stamp counter.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(target_arch = "aarch64")]
    {
        let value: u64;
        // SAFETY: Linux lets programs read the virtual counter.
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) value, options(nomem, nostack)) };
        value
    }
}

extern "C" fn empty(_: u64, _: *mut c_void) {}

extern "C" fn record(count: u64, argument: *mut c_void) {
    let ticks = ticks();
    // SAFETY: the argument of every registration is a slot, and slots are static.
    let slot = unsafe { &*argument.cast_const().cast::<Slot>() };
    let used = slot.used.load(Relaxed);
    if used < RECORDS {
        // SAFETY: within the reserved memory, which only this thread writes to.
        unsafe { slot.records.load(Relaxed).add(used).write(Record { ticks, count, kernel: 0 }) };
        slot.used.store(used + 1, Relaxed);
    }
}

/// Page faults and switches of the thread so far. They cost an interval microseconds that no program can spend better.
fn taken_by_kernel() -> u64 {
    extern "C" {
        fn getrusage(who: c_int, usage: *mut [i64; 18]) -> c_int;
    }
    const RUSAGE_THREAD: c_int = 1;
    let mut usage = [0; 18];
    // SAFETY: 64-bit Linux's struct rusage is two times of two longs, and fourteen longs.
    unsafe { getrusage(RUSAGE_THREAD, &mut usage) };
    let [.., minor, major, _, _, _, _, _, _, voluntary, involuntary] = usage;
    (minor + major + voluntary + involuntary) as u64
}

extern "C" fn record_apart(count: u64, argument: *mut c_void) {
    // SAFETY: as in record().
    let slot = unsafe { &*argument.cast_const().cast::<Slot>() };
    let used = slot.used.load(Relaxed);
    record(count, argument);
    if used < RECORDS {
        // SAFETY: as in record(), which has written it.
        unsafe { (*slot.records.load(Relaxed).add(used)).kernel = taken_by_kernel() };
    }
}

fn fail(what: &str) -> ! {
    eprintln!("{what}");
    process::exit(1)
}

fn unavailable(kernel: &str, why: &str) -> ! {
    println!("{{\"kernel\":\"{kernel}\",\"unavailable\":\"{why}\"}}");
    process::exit(0)
}

/// Starts interrupts on the calling thread. `run()` calls it for the main thread before the first pass; a kernel with
/// threads of its own calls it first on each of them.
pub fn thread_begin() {
    let settings = SETTINGS.get().expect("run() comes first");
    let Some(clock) = settings.clock else { return };
    let Some(slot) = SLOTS.iter().find(|slot| slot.take()) else {
        fail("more threads than harness::THREADS have interrupts at once")
    };
    MINE.set(Some(slot));
    let handler = match (settings.recording, settings.apart) {
        (false, _) => empty,
        (true, false) => record,
        (true, true) => record_apart,
    };
    let argument: *const Slot = slot;
    // SAFETY: as in interrupts.h; the slot is static.
    let error = unsafe {
        slot.fired_before.store(runtime::weft_interrupts_fired(), Relaxed);
        runtime::weft_interrupts_register(
            clock,
            settings.interval,
            handler,
            argument.cast_mut().cast(),
        )
    };
    if error != 0 {
        unavailable(settings.kernel, &std::io::Error::from_raw_os_error(error).to_string());
    }
}

/// Ends interrupts on the calling thread. A thread that is about to wait for others calls this before and
/// `thread_begin()` after, or its waiting would count as one long interval.
pub fn thread_end() {
    let Some(slot) = MINE.take() else { return };
    // SAFETY: as in interrupts.h.
    let fired = unsafe {
        runtime::weft_interrupts_deregister();
        runtime::weft_interrupts_fired()
    };
    slot.fired.fetch_add(fired - slot.fired_before.load(Relaxed), Relaxed);
    slot.starts.lock().unwrap().0 = false;
}

// ---- Settings

fn read_settings(kernel: &'static str) -> Settings {
    let clock = match env::var("KERNEL_CLOCK").as_deref().unwrap_or("none") {
        "none" => None,
        "cycles" => Some(1),
        "instructions" => Some(2),
        "flag" => Some(3),
        "timer" | "perf" => unavailable(kernel, "only for the kernels in C"),
        _ => fail("KERNEL_CLOCK is none, cycles, instructions, flag, timer or perf"),
    };
    let interval = match env::var("KERNEL_INTERVAL") {
        Ok(text) => text.parse().unwrap_or_else(|_| fail("KERNEL_INTERVAL is a number")),
        Err(_) => DEFAULT_INTERVAL,
    };
    let recording = match env::var("KERNEL_HANDLER").as_deref().unwrap_or("empty") {
        "empty" => false,
        "record" | "record-apart" => clock.is_some(),
        _ => fail("KERNEL_HANDLER is empty, record or record-apart"),
    };
    let apart = env::var("KERNEL_HANDLER").is_ok_and(|handler| handler == "record-apart");
    Settings { kernel, clock, interval, recording, apart }
}

// ---- The report

/// Processor time of all threads.
fn cpu_nanoseconds() -> u64 {
    #[repr(C)]
    struct Timespec {
        seconds: i64,
        nanoseconds: i64,
    }
    extern "C" {
        fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
    }
    const CLOCK_PROCESS_CPUTIME_ID: c_int = 2;
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the layout is that of 64-bit Linux.
    unsafe { clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

fn differences(of: fn(&Record) -> u64, undisturbed: bool) -> Vec<u64> {
    let mut differences = Vec::new();
    for slot in &SLOTS {
        let recorded = slot.recorded();
        let starts = &slot.starts.lock().unwrap().1;
        for (i, &start) in starts.iter().enumerate() {
            let end = starts.get(i + 1).copied().unwrap_or(recorded.len());
            let pairs = recorded[start..end].windows(2).skip(CALIBRATION);
            let pairs = pairs.filter(|pair| !undisturbed || pair[0].kernel == pair[1].kernel);
            differences.extend(pairs.map(|pair| of(&pair[1]).wrapping_sub(of(&pair[0]))));
        }
    }
    differences
}

/// Nearest rank.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

fn distribution(mut values: Vec<u64>) -> String {
    if values.is_empty() {
        return "null".into();
    }
    values.sort_unstable();
    let mut json = format!("{{\"n\":{}", values.len());
    for percent in [1, 10, 50, 90, 99] {
        write!(json, ",\"p{percent}\":{}", percentile(&values, percent)).unwrap();
    }
    write!(json, ",\"max\":{}}}", values[values.len() - 1]).unwrap();
    json
}

fn units() -> Vec<u64> {
    if SLOTS.iter().any(|slot| slot.recorded().last().is_some_and(|last| last.count != 0)) {
        differences(|record| record.count, false)
    } else {
        Vec::new()
    }
}

/// Measures a kernel and prints the line.
pub fn run(name: &'static str, passes: u32, kernel: Kernel) {
    let settings = SETTINGS.get_or_init(|| read_settings(name));
    if settings.recording {
        SLOTS.iter().for_each(Slot::reserve);
    }
    let mut checksum = 0;
    thread_begin();
    let (wall, cpu, cycles) = (Instant::now(), cpu_nanoseconds(), ticks());
    let (mut fastest, mut before) = (u64::MAX, cpu);
    for _ in 0..passes {
        checksum = mix(checksum, kernel());
        let now = cpu_nanoseconds();
        fastest = fastest.min(now - before);
        before = now;
    }
    let cycles = ticks() - cycles;
    let cpu = before - cpu;
    let wall = wall.elapsed().as_nanos();
    thread_end();

    let fired: u64 = SLOTS.iter().map(|slot| slot.fired.load(Relaxed)).sum();
    let mut intervals = distribution(differences(|record| record.ticks, false));
    if settings.apart {
        let undisturbed = distribution(differences(|record| record.ticks, true));
        write!(intervals, ",\"undisturbed\":{undisturbed}").unwrap();
    }
    let units = distribution(units());
    println!(
        "{{\"kernel\":\"{name}\",\"checksum\":\"{checksum:016x}\",\"nanoseconds\":{wall},\"cpu_nanoseconds\":{cpu},\
         \"fastest_pass_nanoseconds\":{fastest},\"cycles\":{cycles},\"fired\":{fired},\"intervals\":{intervals},\"units\":{units}}}"
    );
}

// ---- For kernels

/// xorshift64*, as in kernel.h.
pub struct Random(pub u64);

impl Random {
    #[inline]
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        (self.draw() >> 32) as usize % n
    }
}

/// Adds a value to a checksum.
#[inline]
pub fn mix(checksum: u64, value: u64) -> u64 {
    let checksum = (checksum ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    checksum ^ checksum >> 32
}
