// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The way from a probe into the runtime: a function that keeps what LLVM's preserve_most promises (every register but
// the one for linkage, and not the vector ones), goes on in C, and lets unwinders pass.
//
// WEFT_PRESERVING_ENTRY(name, arguments, body) defines `name`, weak and hidden, which calls the C function `body`. `arguments` is
// WEFT_AS_THEY_ARE, WEFT_ZERO to give the body 0, or WEFT_RETURN_ADDRESS to give the body where the probe's call returns to as its only argument.

#ifndef WEFT_PRESERVE_MOST_H
#define WEFT_PRESERVE_MOST_H

#define WEFT_ENTRY_FRAME(name, text)                                                                                             \
    __asm__(".section .text." name ", \"axG\", %progbits, " name ", comdat\n"                                                   \
            ".weak " name "\n.hidden " name "\n.type " name ", %function\n"                                                      \
            ".balign 16\n" name ":\n.cfi_startproc\n" text                                                                      \
            ".cfi_endproc\n.size " name ", . - " name "\n.text\n")

#define WEFT_AS_THEY_ARE ""

#if defined(_WIN32) && defined(__x86_64__)
// The C function itself keeps rsi, rdi and the vector registers from xmm6 on. Below what is kept lies its room for arguments.
#define WEFT_ZERO "xor %ecx, %ecx\n"
#define WEFT_PRESERVING_ENTRY(name, arguments, body)                                                                             \
    __asm__(".text\n.globl " name "\n.def " name "\n.scl 2\n.type 32\n.endef\n"                                              \
            ".balign 16\n" name ":\n.seh_proc " name "\n"                                                                       \
            "sub $88, %rsp\n.seh_stackalloc 88\n.seh_endprologue\n"                                                             \
            "mov %rax, 32(%rsp)\nmov %rcx, 40(%rsp)\nmov %rdx, 48(%rsp)\nmov %r8, 56(%rsp)\nmov %r9, 64(%rsp)\nmov %r10, 72(%rsp)\n" \
            arguments                                                                                                            \
            "call " body "\n"                                                                                                    \
            "mov 32(%rsp), %rax\nmov 40(%rsp), %rcx\nmov 48(%rsp), %rdx\nmov 56(%rsp), %r8\nmov 64(%rsp), %r9\nmov 72(%rsp), %r10\n" \
            "add $88, %rsp\nret\n.seh_endproc\n")
#elif defined(__x86_64__)
#define WEFT_RETURN_ADDRESS "mov 72(%rsp), %rdi\n"
#define WEFT_ZERO "xor %edi, %edi\n"
#define WEFT_PUSH(reg, at) "push %" reg "\n.cfi_adjust_cfa_offset 8\n.cfi_offset " reg ", " at "\n"
#define WEFT_POP(reg) "pop %" reg "\n.cfi_adjust_cfa_offset -8\n.cfi_restore " reg "\n"
#define WEFT_PRESERVING_ENTRY(name, arguments, body)                                                                             \
    WEFT_ENTRY_FRAME(name, "endbr64\n"                                                                                           \
        WEFT_PUSH("rax", "-16") WEFT_PUSH("rcx", "-24") WEFT_PUSH("rdx", "-32") WEFT_PUSH("rsi", "-40")                          \
        WEFT_PUSH("rdi", "-48") WEFT_PUSH("r8", "-56") WEFT_PUSH("r9", "-64") WEFT_PUSH("r10", "-72")                            \
        "sub $8, %rsp\n.cfi_adjust_cfa_offset 8\n"                                                                               \
        arguments                                                                                                                \
        "call " body "\n"                                                                                                        \
        "add $8, %rsp\n.cfi_adjust_cfa_offset -8\n"                                                                              \
        WEFT_POP("r10") WEFT_POP("r9") WEFT_POP("r8") WEFT_POP("rdi")                                                            \
        WEFT_POP("rsi") WEFT_POP("rdx") WEFT_POP("rcx") WEFT_POP("rax")                                                          \
        "ret\n")
#elif defined(__aarch64__)
#define WEFT_RETURN_ADDRESS "mov x0, x30\n"
#define WEFT_ZERO "mov x0, xzr\n"
#define WEFT_PRESERVING_ENTRY(name, arguments, body)                                                                             \
    WEFT_ENTRY_FRAME(name,                                                                                                       \
        "stp x29, x30, [sp, #-80]!\n.cfi_def_cfa_offset 80\n.cfi_offset x29, -80\n.cfi_offset x30, -72\n"                        \
        "mov x29, sp\n"                                                                                                          \
        "stp x9, x10, [sp, #16]\n.cfi_offset x9, -64\n.cfi_offset x10, -56\n"                                                    \
        "stp x11, x12, [sp, #32]\n.cfi_offset x11, -48\n.cfi_offset x12, -40\n"                                                  \
        "stp x13, x14, [sp, #48]\n.cfi_offset x13, -32\n.cfi_offset x14, -24\n"                                                  \
        "str x15, [sp, #64]\n.cfi_offset x15, -16\n"                                                                             \
        arguments                                                                                                                \
        "bl " body "\n"                                                                                                          \
        "ldp x9, x10, [sp, #16]\n"                                                                                               \
        "ldp x11, x12, [sp, #32]\n"                                                                                              \
        "ldp x13, x14, [sp, #48]\n"                                                                                              \
        "ldr x15, [sp, #64]\n"                                                                                                   \
        "ldp x29, x30, [sp], #80\n.cfi_def_cfa_offset 0\n.cfi_restore x29\n.cfi_restore x30\n"                                  \
        "ret\n")
#else
#error "Weft's runtimes need x86_64 or aarch64"
#endif

#endif
