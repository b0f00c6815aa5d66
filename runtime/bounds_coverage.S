// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linked before and behind everything else into programs woven with --coverage-counters binary: their counters then begin
// and end at page boundaries, and the runtime can map a file in their place (coverage.c).

#if defined(__x86_64__)
#define PAGE_SHIFT 12
#else
#define PAGE_SHIFT 16 // the largest of aarch64
#endif

        .section __llvm_prf_cnts, "awR", %progbits
        .p2align PAGE_SHIFT

        .section .note.GNU-stack, "", %progbits
