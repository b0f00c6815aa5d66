// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Uses, from inside a program, the instruments that Weft weaves into it.
//!
//! Each instrument is a module. A program that uses them builds and runs without Weft too: every count is then 0, no
//! handler is called, nothing is traced or replaced, and `active()` tells the difference. Nothing has to be switched on in
//! `Cargo.toml`; Weft says by a `cfg` that the instrument is woven.
//!
//! The crate has no dependencies and is `no_std` without its default feature `std`.

#![cfg_attr(not(feature = "std"), no_std)]
// What the text mentions is only there with it.
#![cfg_attr(not(feature = "std"), allow(rustdoc::broken_intra_doc_links))]

pub mod coverage;
pub mod hotpatch;
pub mod interrupts;
pub mod metering;
pub mod tracing;
