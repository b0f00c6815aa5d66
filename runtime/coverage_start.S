// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// __weft_coverage_thread_start, as woven code calls it: preserve_mostcc, so that the way to it, which a thread takes
// once, costs a function no register. LLVM's convention leaves the caller its vector registers to save.

#if defined(__x86_64__)

        .text
        .weak   __weft_coverage_thread_start
        .hidden __weft_coverage_thread_start
        .type   __weft_coverage_thread_start, @function
__weft_coverage_thread_start:
        .cfi_startproc
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        pushq   %rdi
        pushq   %rsi
        pushq   %rdx
        pushq   %rcx
        pushq   %r8
        pushq   %r9
        pushq   %r10
        andq    $-16, %rsp
        call    weft_coverage_thread_start
        movq    -8(%rbp), %rdi
        movq    -16(%rbp), %rsi
        movq    -24(%rbp), %rdx
        movq    -32(%rbp), %rcx
        movq    -40(%rbp), %r8
        movq    -48(%rbp), %r9
        movq    -56(%rbp), %r10
        leave
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   __weft_coverage_thread_start, . - __weft_coverage_thread_start

#elif defined(__aarch64__)

        .text
        .weak   __weft_coverage_thread_start
        .hidden __weft_coverage_thread_start
        .type   __weft_coverage_thread_start, %function
__weft_coverage_thread_start:
        .cfi_startproc
        stp     x29, x30, [sp, #-80]!
        .cfi_def_cfa_offset 80
        .cfi_offset x29, -80
        .cfi_offset x30, -72
        mov     x29, sp
        stp     x9, x10, [sp, #16]
        stp     x11, x12, [sp, #32]
        stp     x13, x14, [sp, #48]
        str     x15, [sp, #64]
        bl      weft_coverage_thread_start
        ldp     x9, x10, [sp, #16]
        ldp     x11, x12, [sp, #32]
        ldp     x13, x14, [sp, #48]
        ldr     x15, [sp, #64]
        ldp     x29, x30, [sp], #80
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   __weft_coverage_thread_start, . - __weft_coverage_thread_start

#endif

        .section .note.GNU-stack, "", %progbits
