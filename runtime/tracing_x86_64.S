// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where patched sleds go on x86_64. A sled has loaded the event's word (see tracing_abi.h) into %r10d.
//
//   entry, tail exit:  mov $word, %r10d; call here    live is what the callee is given: everything but %r10, at entries
//                                                     but for %r11 too
//   exit:              mov $word, %r10d; jmp here     live is what the function returns: %rax, %rdx, vector registers
//
// At all three the flags are dead, and so is everything below the stack pointer: the fast paths save two registers there
// without moving it. Room for a record is reserved by xadd, one instruction, so that a signal handler that is traced itself
// gets the next place and not the same. What does not fit into the block at hand goes the slow way.

#if defined(__x86_64__)

#include "tracing_abi.h"

        .text

.macro save tail
        movq    %rax, -8(%rsp)
        movq    %rdx, -16(%rsp)
  .if \tail
        movq    %r11, -24(%rsp)
  .endif
.endm

.macro leave tail
        movq    -8(%rsp), %rax
        movq    -16(%rsp), %rdx
  .if \tail
        movq    -24(%rsp), %r11
  .endif
        ret
.endm

// %rdx:%rax := the clock, high half first; %r11 := the thread's state.
.macro clock_exact
        rdtsc
        movq    __weft_tracing_v1@gottpoff(%rip), %r11
.endm

.macro clock_coarse
        movq    __weft_tracing_process_v1@GOTPCREL(%rip), %rax
        movq    WEFT_TRACING_TICK_AT(%rax), %rax
        movq    %rax, %rdx
        shrq    $32, %rdx
        movl    %eax, %eax
        movq    __weft_tracing_v1@gottpoff(%rip), %r11
.endm

// %rdx := the place of so many bytes. To \full when that is not within one block.
.macro reserve size full
        movl    $\size, %edx
        xaddq   %rdx, %fs:(%r11)
        testl   $(WEFT_TRACING_BLOCK - 1), %edx
        je      \full
.endm

// Two records, the second with the stack pointer at the function's entry. %eax: the low half of the clock.
.macro framed full
        reserve 16 \full
        leaq    8(%rdx), %r11
        testl   $(WEFT_TRACING_BLOCK - 1), %r11d
        je      \full
        subl    $WEFT_TRACING_FRAMED, %r10d
        leaq    8(%rsp), %r11
        movl    $WEFT_TRACING_FRAME_WORD, 8(%rdx)
        movl    %r11d, 12(%rdx)
        movl    %r10d, (%rdx)
        movl    %eax, 4(%rdx)
.endm

// One event. \clock: exact or coarse.
.macro event clock framed tail
        clock_\clock
        cmpl    %edx, %fs:WEFT_TRACING_HIGH_AT(%r11)
        jne     .Lturned\@
  .if \framed
        framed  .Lfull\@
  .else
        reserve 8 .Lfull\@
        movl    %r10d, (%rdx)
        movl    %eax, 4(%rdx)
  .endif
        leave   \tail

// The high half of the clock has changed, or the thread has no buffer yet: nothing is reserved.
.Lturned\@:
        shlq    $32, %rdx
        orq     %rdx, %rax
        xorl    %edx, %edx
        jmp     weft_tracing_slowly_\tail

// The room reserved at %rdx is the first of a block that has not begun, or reaches into it.
.Lfull\@:
        movq    __weft_tracing_v1@gottpoff(%rip), %r11
        movl    %fs:WEFT_TRACING_HIGH_AT(%r11), %r11d
        shlq    $32, %r11
        orq     %r11, %rax
        jmp     weft_tracing_slowly_\tail
.endm

// One event without a clock, which needs no %rax: \saved says whether that has been saved.
.macro untimed framed tail saved
        movq    __weft_tracing_v1@gottpoff(%rip), %r11
        cmpl    $-1, %fs:WEFT_TRACING_HIGH_AT(%r11)
        je      .Lbare\@
  .if \framed
        xorl    %eax, %eax
        framed  .Lfull\@
        leave   \tail
  .else
        reserve 8 .Lfull\@
        movq    %r10, (%rdx) // whose upper half is 0
    .if \saved
        movq    -8(%rsp), %rax
    .endif
        movq    -16(%rsp), %rdx
    .if \tail
        movq    -24(%rsp), %r11
    .endif
        ret
  .endif
.Lbare\@:
        xorl    %edx, %edx
.Lfull\@:
  .if !\saved
        movq    %rax, -8(%rsp)
  .endif
        xorl    %eax, %eax
        jmp     weft_tracing_slowly_\tail
.endm

.macro function name align
        .globl  \name
        .hidden \name
        .type   \name, @function
        .balign \align
\name:
        .cfi_startproc
.endm

.macro end name
        .cfi_endproc
        .size   \name, . - \name
.endm

// For each place three trampolines. A sled calls that of the clock which it was first switched on with; should it be
// switched on with another one later, its word says so.
.macro trampolines name tail framed
        function \name\()_exact 64
        save    \tail
        testb   $WEFT_TRACING_VARIANT, %r10b
        jne     \name\()_variant
        event   exact 0 \tail
        end     \name\()_exact

        function \name\()_coarse 64
        save    \tail
        movl    %r10d, %eax
        andl    $WEFT_TRACING_VARIANT, %eax
        cmpl    $WEFT_TRACING_COARSE, %eax
        jne     \name\()_variant
        event   coarse 0 \tail
        end     \name\()_coarse

        function \name\()_untimed 64
        movq    %rdx, -16(%rsp)
  .if \tail
        movq    %r11, -24(%rsp)
  .endif
        movl    %r10d, %edx
        andl    $WEFT_TRACING_VARIANT, %edx
        cmpl    $WEFT_TRACING_UNTIMED, %edx
        jne     1f
        untimed 0 \tail 0
1:      movq    %rax, -8(%rsp)
        jmp     \name\()_variant
        end     \name\()_untimed

        function \name\()_variant 16
        movl    %r10d, %eax
        andl    $WEFT_TRACING_CLOCKS, %eax
        cmpl    $WEFT_TRACING_CALLED, %eax
        je      weft_tracing_by_call_\tail
  .if \framed
        testb   $WEFT_TRACING_FRAMED, %r10b
        jne     weft_tracing_framed
  .endif
        cmpl    $WEFT_TRACING_UNTIMED, %eax
        je      2f
        cmpl    $WEFT_TRACING_COARSE, %eax
        je      1f
        event   exact 0 \tail
1:      event   coarse 0 \tail
2:      untimed 0 \tail 1
        end     \name\()_variant
.endm

        trampolines weft_tracing_entry 0 1
        trampolines weft_tracing_exit 0 0
        trampolines weft_tracing_tail_exit 1 0

        function weft_tracing_framed 16
        testl   %eax, %eax
        jne     1f
        event   exact 1 0
1:      cmpl    $WEFT_TRACING_COARSE, %eax
        je      2f
        untimed 1 0 1
2:      event   coarse 1 0
        end     weft_tracing_framed

// Everything that a function may be given or return, and what a tail call's target may be in.
.macro push_general
        subq    $32, %rsp // what was saved below the stack pointer
        pushq   %rbp
        movq    %rsp, %rbp
        .cfi_def_cfa %rbp, 48
        .cfi_offset %rbp, -48
        pushq   %rdi
        pushq   %rsi
        pushq   %rcx
        pushq   %r8
        pushq   %r9
        pushq   %r10
        pushq   %r11
.endm

.macro pop_general
        movq    -56(%rbp), %r11
        movq    -48(%rbp), %r10
        movq    -40(%rbp), %r9
        movq    -32(%rbp), %r8
        movq    -24(%rbp), %rcx
        movq    -16(%rbp), %rsi
        movq    -8(%rbp), %rdi
        movq    %rbp, %rsp
        popq    %rbp
        .cfi_def_cfa %rsp, 40
        addq    $32, %rsp
        .cfi_adjust_cfa_offset -32
.endm

// void weft_tracing_slow(uint32_t word, uint64_t clock, uint64_t stack, char *place); touches no vector register.
.macro slowly tail
        function weft_tracing_slowly_\tail 16
        push_general
        movl    %r10d, %edi
        movq    %rax, %rsi
        movq    %rdx, %rcx
        leaq    48(%rbp), %rdx // behind %rbp, 32 bytes and the return address
        andq    $-16, %rsp
        call    weft_tracing_slow
        pop_general
        leave   \tail
        end     weft_tracing_slowly_\tail
.endm

        slowly 0
        slowly 1

// void weft_tracing_called(uint32_t word, struct weft_tracing_registers *registers); handlers may use vector registers.
.macro by_call tail
        function weft_tracing_by_call_\tail 16
        push_general
        leaq    48(%rbp), %rax
        andq    $-64, %rsp
        subq    $256, %rsp
        movq    %rdi, (%rsp)
        movq    %rsi, 8(%rsp)
        movq    24(%rbp), %rdi // %rdx
        movq    %rdi, 16(%rsp)
        movq    %rcx, 24(%rsp)
        movq    %r8, 32(%rsp)
        movq    %r9, 40(%rsp)
        movq    32(%rbp), %rdi // %rax
        movq    %rdi, 48(%rsp)
        movq    %rax, 56(%rsp) // the stack pointer at the function's entry
        movups  %xmm0, 64(%rsp)
        movups  %xmm1, 80(%rsp)
        movups  %xmm2, 96(%rsp)
        movups  %xmm3, 112(%rsp)
        movups  %xmm4, 128(%rsp)
        movups  %xmm5, 144(%rsp)
        movups  %xmm6, 160(%rsp)
        movups  %xmm7, 176(%rsp)
        movl    %r10d, %edi
        movq    %rsp, %rsi
        call    weft_tracing_called
        movups  64(%rsp), %xmm0
        movups  80(%rsp), %xmm1
        movups  96(%rsp), %xmm2
        movups  112(%rsp), %xmm3
        movups  128(%rsp), %xmm4
        movups  144(%rsp), %xmm5
        movups  160(%rsp), %xmm6
        movups  176(%rsp), %xmm7
        pop_general
        leave   \tail
        end     weft_tracing_by_call_\tail
.endm

        by_call 0
        by_call 1

#endif

        .section .note.GNU-stack, "", %progbits
