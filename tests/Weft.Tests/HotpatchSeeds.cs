namespace Weft.Tests;

/// <summary>Assembly in which single functions violate single conditions of hot patching, and what is to be found of each.</summary>
internal static class HotpatchSeeds
{
    public const string Macros = """
        .macro fun name
        .globl \name
        .type \name,@function
        \name:
        .L\name:
        .endm
        .macro end name
        .size \name, .-\name
        .endm

        """;

    public const string X86 = Macros + """
        .macro room
        .p2align 4
        .fill 16, 1, 0xcc
        .endm
        room
        fun good
            movl %edi, %eax
            ret
        end good
        room
        fun marked
            endbr64
            movl %edi, %eax
            ret
        end marked
        room
        fun one_byte
            pushq %rbp
            popq %rbp
            ret
        end one_byte
        room
        fun one_byte_marked
            endbr64
            pushq %rbp
            popq %rbp
            ret
        end one_byte_marked
        room
        fun loop_to_entry
            movb (%rdi), %al
            testb %al, %al
            jne .Lloop_to_entry
            ret
        end loop_to_entry
        room
        fun loop_behind_mark
            endbr64
        .Lbehind:
            movb (%rdi), %al
            testb %al, %al
            jne .Lbehind
            ret
        end loop_behind_mark
        room
        fun far_loop_to_entry
            movb (%rdi), %al
            .fill 300, 1, 0x90
            jmp .Lfar_loop_to_entry
        end far_loop_to_entry
        room
        fun into_second
            movb (%rdi), %al
            testb %al, %al
            jne .Linto_second + 1
            ret
        end into_second
        room
        fun tail_call
            movl (%rdi), %eax
            jmp tail_call@PLT
        end tail_call
        room
        fun framed_tail_call
            subq $8, %rsp
            testl %edi, %edi
            je 1f
            addq $8, %rsp
            jmp .Lframed_tail_call
        1:  addq $8, %rsp
            ret
        end framed_tail_call
        room
        fun recursive
            subq $8, %rsp
            call .Lrecursive
            addq $8, %rsp
            ret
        end recursive
        room
        fun entered
            movb (%rdi), %al
            ret
        end entered
        room
        fun enters
            xorl %eax, %eax
            jmp .Lentered + 1
        end enters
        room
        fun has_cold_part
            endbr64
        .Lcold_back:
            movb (%rdi), %al
            ret
        end has_cold_part
        .type has_cold_part.cold,@function
        has_cold_part.cold:
            xorl %eax, %eax
            jmp .Lcold_back
        .size has_cold_part.cold, .-has_cold_part.cold
        room
        fun before
            xorl %eax, %eax
            .fill 14, 1, 0x90
        end before
        fun no_room
            movl %edi, %eax
            .fill 9, 1, 0x90
            ret
        end no_room
        .fill 4, 1, 0xcc
        fun small_room
            movl %edi, %eax
            .fill 9, 1, 0x90
            ret
        end small_room
            .byte 0x0f, 0x1f, 0x44, 0x00, 0x00, 0x66, 0x90, 0x0f, 0x1f, 0x00, 0xc3, 0xcc
        fun nops_are_room_but_not_the_end_of_others
            movl %edi, %eax
            ret
        end nops_are_room_but_not_the_end_of_others
        room
        .byte 0xcc
        fun odd
            movl %edi, %eax
            ret
        end odd
        room
        .fill 7, 1, 0xcc
        fun straddling
            movl %edi, %eax
            ret
        end straddling
        """;

    public static Dictionary<string, (string Conditions, string Why)> X86Expected { get; } = new()
    {
        ["good"] = ("", ""),
        ["marked"] = ("", ""),
        ["one_byte"] = ("instruction", "the first instruction has one byte: push rbp"),
        ["one_byte_marked"] = ("instruction", "the first instruction has one byte: push rbp"),
        ["loop_to_entry"] = ("branch", "a jump at +0x4 leads to the entry"),
        ["loop_behind_mark"] = ("branch", "a jump at +0x8 leads to +0x4"),
        ["far_loop_to_entry"] = ("branch", "a jump at +0x12e leads to the entry"),
        ["into_second"] = ("branch", "a jump at +0x4 leads to +0x1"),
        ["tail_call"] = ("", ""),
        ["framed_tail_call"] = ("", ""),
        ["recursive"] = ("", ""),
        ["entered"] = ("branch", "a jump in enters leads to +0x1"),
        ["enters"] = ("", ""),
        ["has_cold_part"] = ("branch", "a jump in has_cold_part leads to +0x4"),
        ["before"] = ("", ""),
        ["no_room"] = ("room", "0 bytes of room before it, 6 are needed"),
        ["small_room"] = ("room", "4 bytes of room before it, 6 are needed"),
        ["nops_are_room_but_not_the_end_of_others"] = ("room", "1 byte of room before it, 6 are needed"),
        ["odd"] = ("instruction", "it is not aligned to two bytes"),
        ["straddling"] = ("instruction", "both sides of a multiple of eight"),
    };

    public const string Arm = Macros + """
        .macro room words
        .p2align 4
        .rept \words
        brk #0
        .endr
        .endm
        room 4
        fun good
            nop
            ret
        end good
        room 4
        fun marked
            bti c
            nop
            ret
        end marked
        room 4
        fun no_nop
            ret
        end no_nop
        room 4
        fun marked_without_nop
            bti c
            ret
        end marked_without_nop
        room 4
        fun loop_to_entry
            nop
            ldrb w1, [x0], #1
            cbnz w1, .Lloop_to_entry
            ret
        end loop_to_entry
        room 4
        fun loop_by_condition
            nop
            cmp w0, #0
            b.ne .Lloop_by_condition
            ret
        end loop_by_condition
        room 4
        fun loop_by_bit
            nop
            tbz w0, #3, .Lloop_by_bit
            ret
        end loop_by_bit
        room 4
        fun loop_by_jump
            nop
            b .Lloop_by_jump
        end loop_by_jump
        room 4
        fun recursive
            nop
            stp x29, x30, [sp, #-16]!
            bl .Lrecursive
            ldp x29, x30, [sp], #16
            b .Lrecursive
        end recursive
        room 4
        fun tail_call
            nop
            b tail_call
        end tail_call
        room 4
        fun before
            nop
            ret
            nop
            ret
        end before
        fun no_room
            nop
            ret
            nop
            ret
        end no_room
        brk #0
        brk #0
        fun small_room
            nop
            ret
        end small_room
        """;

    public static Dictionary<string, (string Conditions, string Why)> ArmExpected { get; } = new()
    {
        ["good"] = ("", ""),
        ["marked"] = ("", ""),
        ["no_nop"] = ("instruction", "the first instruction may not be exchanged under running threads"),
        ["marked_without_nop"] = ("instruction", "the first instruction may not be exchanged under running threads"),
        ["loop_to_entry"] = ("branch", "a jump at +0x8 leads to the entry"),
        ["loop_by_condition"] = ("branch", "a jump at +0x8 leads to the entry"),
        ["loop_by_bit"] = ("branch", "a jump at +0x4 leads to the entry"),
        ["loop_by_jump"] = ("branch", "a jump at +0x4 leads to the entry"),
        ["recursive"] = ("", ""),
        ["tail_call"] = ("", ""),
        ["before"] = ("", ""),
        ["no_room"] = ("room", "0 bytes of room before it, 12 are needed"),
        ["small_room"] = ("room", "8 bytes of room before it, 12 are needed"),
    };
}
