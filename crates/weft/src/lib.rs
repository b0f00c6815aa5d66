// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//! Reads, from inside a program, what the instruments that Weft weaves into it have counted.
//!
//! Each instrument is a module. A program that uses them builds and runs without Weft too: every count is then 0, and
//! `active()` tells the difference. Nothing has to be switched on in `Cargo.toml`; Weft says by a `cfg` that the
//! instrument is woven.
//!
//! The crate has no dependencies and is `no_std` without its default feature `std`.

#![cfg_attr(not(feature = "std"), no_std)]

pub mod metering;
