// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! From the runtime's hooks, a function with a context, to [`Hooks`]. Nothing here allocates or takes a lock.

use super::{runtime, Hooks, Patch};
use core::ffi::{c_char, c_int, c_void, CStr};
use core::ptr;

pub fn set<H: Hooks + 'static>(hooks: &'static H) {
    let context = ptr::from_ref(hooks).cast_mut().cast();
    // SAFETY: the hooks live for good, and both functions take them for what they are.
    unsafe { runtime::weft_hotpatch_set_hooks(Some(before::<H>), Some(after::<H>), context) };
}

pub fn clear() {
    // SAFETY: there is nothing to call.
    unsafe { runtime::weft_hotpatch_set_hooks(None, None, ptr::null_mut()) };
}

unsafe extern "C" fn before<H: Hooks>(
    context: *mut c_void,
    name: *const c_char,
    functions: u32,
) -> c_int {
    // SAFETY: as the runtime has it, and as `set` has given it.
    let (hooks, name) = unsafe { (&*context.cast::<H>(), text(name)) };
    c_int::from(!hooks.before(&Patch { name, functions }))
}

unsafe extern "C" fn after<H: Hooks>(
    context: *mut c_void,
    name: *const c_char,
    functions: u32,
) -> c_int {
    // SAFETY: as the runtime has it, and as `set` has given it.
    let (hooks, name) = unsafe { (&*context.cast::<H>(), text(name)) };
    hooks.after(&Patch { name, functions });
    0
}

/// As far as it is text: the name is whatever the patch's maker wrote there.
unsafe fn text<'a>(name: *const c_char) -> &'a str {
    // SAFETY: the runtime's names end with NUL and stay as long as the hook runs.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    match core::str::from_utf8(name) {
        Ok(name) => name,
        // SAFETY: so much of it is.
        Err(error) => unsafe { core::str::from_utf8_unchecked(&name[..error.valid_up_to()]) },
    }
}
