// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where patched sleds go on aarch64. A sled has saved x30 at [sp], loaded the event's word (see tracing_abi.h) into w17 and
// called. Live is what the callee is given or the function returns: x0 to x8, vector registers, and for a tail call its
// target. x16 and x17 are the linker's and free; what else is used is saved. The flags are dead.
//
// Room for a record is reserved by an exclusive pair, which a signal breaks: a handler that is traced itself gets the next
// place and not the same. What does not fit into the block at hand goes the slow way.

#if defined(__aarch64__)

#include "tracing_abi.h"

        .text

#define SAVED 48 // bytes: x9 to x13

.macro save
        stp     x9, x10, [sp, #-SAVED]!
        stp     x11, x12, [sp, #16]
        str     x13, [sp, #32]
.endm

.macro leave
        ldr     x13, [sp, #32]
        ldp     x11, x12, [sp, #16]
        ldp     x9, x10, [sp], #SAVED
        ret
.endm

// x10 := the thread's state
.macro state
        adrp    x16, :gottprel:__weft_tracing_v1
        ldr     x16, [x16, #:gottprel_lo12:__weft_tracing_v1]
        mrs     x10, tpidr_el0
        add     x10, x10, x16
.endm

// One event. \clock: exact, coarse or untimed; \framed: with the stack pointer at the function's entry.
.macro event clock framed
        state
        ldr     w12, [x10, #WEFT_TRACING_HIGH_AT]
  .ifc \clock, untimed
        mov     x9, #0
        cmn     w12, #1
        b.eq    .Lbare\@
  .else
    .ifc \clock, exact
        mrs     x9, cntvct_el0
    .else
        adrp    x9, :got:__weft_tracing_process_v1
        ldr     x9, [x9, #:got_lo12:__weft_tracing_process_v1]
        ldr     x9, [x9, #WEFT_TRACING_TICK_AT]
    .endif
        lsr     x11, x9, #32
        cmp     w11, w12
        b.ne    .Lbare\@
  .endif
1:      ldxr    x11, [x10]
        add     x13, x11, #(8 + 8 * \framed)
        stxr    w16, x13, [x10]
        cbnz    w16, 1b
        tst     x11, #(WEFT_TRACING_BLOCK - 1)
        b.eq    .Lfull\@
  .if \framed
        add     x13, x11, #8
        tst     x13, #(WEFT_TRACING_BLOCK - 1)
        b.eq    .Lfull\@
        sub     w17, w17, #WEFT_TRACING_FRAMED
        mov     w16, #WEFT_TRACING_FRAME_WORD
        add     x13, sp, #(SAVED + 8) // the sled's 16 bytes, less 8: below what the caller has
        stp     w16, w13, [x11, #8]
  .endif
        stp     w17, w9, [x11]
        leave

// The high half of the clock has changed, or the thread has no buffer yet: nothing is reserved.
.Lbare\@:
        mov     x11, #0
        b       weft_tracing_slowly

// The room reserved at x11 is the first of a block that has not begun, or reaches into it.
.Lfull\@:
        b       weft_tracing_slowly
.endm

.macro function name
        .globl  \name
        .hidden \name
        .type   \name, %function
        .balign 64
\name:
        .cfi_startproc
.endm

.macro end name
        .cfi_endproc
        .size   \name, . - \name
.endm

.macro trampoline name framed
        function \name
        save
        tst     w17, #WEFT_TRACING_VARIANT
        b.ne    2f
        event   exact 0
2:      and     w9, w17, #WEFT_TRACING_CLOCKS
        cmp     w9, #WEFT_TRACING_CALLED
        b.eq    weft_tracing_by_call
  .if \framed
        tbnz    w17, #4, weft_tracing_framed
  .endif
        cmp     w9, #WEFT_TRACING_COARSE
        b.eq    3f
        event   untimed 0
3:      event   coarse 0
        end     \name
.endm

        trampoline weft_tracing_entry 1
        trampoline weft_tracing_exit 0
        trampoline weft_tracing_tail_exit 0

        function weft_tracing_framed
        cbnz    w9, 2f
        event   exact 1
2:      cmp     w9, #WEFT_TRACING_COARSE
        b.eq    3f
        event   untimed 1
3:      event   coarse 1
        end     weft_tracing_framed

.macro push_general
        sub     sp, sp, #112
        stp     x29, x30, [sp]
        mov     x29, sp
        stp     x0, x1, [sp, #16]
        stp     x2, x3, [sp, #32]
        stp     x4, x5, [sp, #48]
        stp     x6, x7, [sp, #64]
        stp     x8, x14, [sp, #80]
        stp     x15, x18, [sp, #96]
.endm

.macro pop_general
        ldp     x15, x18, [sp, #96]
        ldp     x8, x14, [sp, #80]
        ldp     x6, x7, [sp, #64]
        ldp     x4, x5, [sp, #48]
        ldp     x2, x3, [sp, #32]
        ldp     x0, x1, [sp, #16]
        ldp     x29, x30, [sp]
        add     sp, sp, #112
.endm

// void weft_tracing_slow(uint32_t word, uint64_t clock, uint64_t stack, char *place); touches no vector register. The
// clock is in x9, the place in x11.
        function weft_tracing_slowly
        push_general
        mov     w0, w17
        mov     x1, x9
        // A timed event at a block's start brings all of the clock; its upper half is the one in effect.
        add     x2, sp, #(112 + SAVED + 8)
        mov     x3, x11
        bl      weft_tracing_slow
        pop_general
        leave
        end     weft_tracing_slowly

// void weft_tracing_called(uint32_t word, struct weft_tracing_registers *registers); handlers may use vector registers.
        function weft_tracing_by_call
        push_general
        sub     sp, sp, #208
        stp     x0, x1, [sp]
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        add     x0, sp, #(208 + 112 + SAVED + 8)
        stp     x8, x0, [sp, #64]
        stp     q0, q1, [sp, #80]
        stp     q2, q3, [sp, #112]
        stp     q4, q5, [sp, #144]
        stp     q6, q7, [sp, #176]
        mov     w0, w17
        mov     x1, sp
        bl      weft_tracing_called
        ldp     q0, q1, [sp, #80]
        ldp     q2, q3, [sp, #112]
        ldp     q4, q5, [sp, #144]
        ldp     q6, q7, [sp, #176]
        add     sp, sp, #208
        pop_general
        leave
        end     weft_tracing_by_call

#endif

        .section .note.GNU-stack, "", %progbits
