using System.Globalization;
using System.Text.RegularExpressions;
using Weft.Core;
using Weft.Hotpatch.Check;

namespace Weft.Tests;

/// <summary>Seeded violations are found, in files of every kind; the oracle of what a binary holds is llvm-objdump.</summary>
public sealed partial class HotpatchCheckTests : HotpatchFiles
{
    private const string Macros = """
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

    private const string X86 = Macros + """
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

    private static readonly Dictionary<string, (string Conditions, string Why)> X86Expected = new()
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

    private const string Arm = Macros + """
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

    private static readonly Dictionary<string, (string Conditions, string Why)> ArmExpected = new()
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

    [Needs("clang-22")]
    public void Every_seeded_violation_on_x86_64_is_found_with_its_reason()
    {
        Assemble(X86, "x86_64-linux-gnu", "seeded.o");
        AssertFound(X86Expected, Check("seeded.o"));
        Assert.Equal(["framed_tail_call", "tail_call"], Check("seeded.o").Where(f => f.CallsItself).Select(f => f.Symbol).Order(StringComparer.Ordinal));
    }

    [Needs("clang-22")]
    public void Every_seeded_violation_on_aarch64_is_found_with_its_reason()
    {
        Assemble(Arm, "aarch64-linux-gnu", "seeded.o");
        AssertFound(ArmExpected, Check("seeded.o"));
    }

    // Where the linker has filled in what went through a symbol, a tail call to oneself looks like a loop.
    [Needs("clang-22", "ld.lld-22")]
    public void Linked_the_same_is_found_in_shared_libraries_and_when_they_are_stripped()
    {
        foreach (var (target, source, expected) in new[] { ("x86_64-linux-gnu", X86, X86Expected), ("aarch64-linux-gnu", Arm, ArmExpected) })
        {
            Assemble(source, target, "seeded.o");
            Harness.Must("ld.lld-22", "-shared", "-Bsymbolic", "seeded.o", "-o", "seeded.so");
            var linked = new Dictionary<string, (string Conditions, string Why)>(expected) { ["tail_call"] = ("branch", "leads to the entry") };
            AssertFound(linked, Check("seeded.so"));
            Harness.Must("llvm-strip-22", "seeded.so", "-o", "stripped.so");
            linked.Remove("has_cold_part"); // its part is a function of its own there, of which nothing tells
            AssertFound(linked, [.. Check("stripped.so").Where(f => f.Symbol != "has_cold_part")]);
        }
    }

    [Needs("clang-22")]
    public void A_function_whose_section_may_lie_anywhere_is_not_aligned()
    {
        Assemble(".byte 1\n" + Macros + ".section .text.f,\"ax\"\n.fill 8, 1, 0xcc\nfun f\nmovl %edi, %eax\nret\nend f\n", "x86_64-linux-gnu", "loose.o");
        var f = Assert.Single(Check("loose.o"));
        Assert.Equal(("instruction", 8), (f.Conditions, f.Room));
    }

    [Needs("clang-22", "ar")]
    public void Members_of_an_archive_are_checked_one_by_one_and_what_is_no_object_is_left_out()
    {
        Assemble(X86, "x86_64-linux-gnu", "seeded.o");
        Harness.Write("notes.txt", "not code");
        File.WriteAllBytes(Harness.Path("code.bc"), Harness.Bitcode("clang-22", "int f(void) { return 1; }"));
        Harness.Must("ar", "rcS", "lib.a", "notes.txt", "seeded.o", "code.bc");
        AssertFound(X86Expected, Check("lib.a"));
        var outcome = Harness.RunWeft("hotpatch", "check", "lib.a");
        Assert.Contains("1 member is LLVM bitcode", outcome.Errors);
        Assert.Contains("lib.a: 20 functions", outcome.Output);
    }

    [Needs("clang-22")]
    public void The_table_is_short_and_says_what_it_leaves_out()
    {
        Assemble(X86, "x86_64-linux-gnu", "seeded.o");
        var all = Harness.RunWeft("hotpatch", "check", "seeded.o");
        Assert.Equal(1, all.ExitCode);
        Assert.Contains("seeded.o: 20 functions, 7 replaceable, 13 not: 4 for instruction, 6 for branch, 3 for room; the smallest room is 0 bytes", all.Output);
        Assert.DoesNotContain("framed_tail_call", all.Output);
        var two = Harness.RunWeft("hotpatch", "check", "--top", "2", "seeded.o").Output.Split('\n');
        Assert.StartsWith("address", two[0], StringComparison.Ordinal);
        Assert.StartsWith("... and ", two[3], StringComparison.Ordinal);
        Assert.Contains("\nseeded.o: 2 functions, all replaceable", "\n" + Harness.Must(Harness.Weft, "hotpatch", "check", "--only", "good,mark*", "seeded.o").Output);
        Assert.Equal(1, Harness.RunWeft("hotpatch", "check", "--never", "good,mark*", "seeded.o").ExitCode);
    }

    [Needs("clang-22")]
    public void What_cannot_be_checked_is_told_well()
    {
        Harness.Write("text.txt", "int main(void) { return 0; }\n");
        File.WriteAllBytes(Harness.Path("empty"), []);
        File.WriteAllBytes(Harness.Path("code.bc"), Harness.Bitcode("clang-22", "int main(void) { return 1; }"));
        Harness.Must("clang-22", "source.c", "-o", "program");
        Harness.Must("clang-22", "--target=i686-linux-gnu", "-c", "source.c", "-o", "small.o");
        Harness.Must("llvm-objcopy-22", "--strip-all", "--remove-section=.eh_frame", "--remove-section=.eh_frame_hdr", "program", "bare");
        Harness.Must("llvm-ar-22", "rcsT", "thin.a", "small.o");
        Harness.Must("sh", "-c", "printf 'MZ\\220' > prog.exe; head -c 1000 program > cut; head -c 30 program > stub; printf 'BC' > two; mkdir folder");
        void Told(string file, params string[] mentions) => Harness.AssertToldWell(Harness.RunWeft("hotpatch", "check", file), ExitCode.Failure, [file, .. mentions]);
        Told("text.txt", "is not an executable");
        Told("empty", "is empty");
        Told("code.bc", "bitcode");
        Told("small.o", "processor");
        Told("bare", "does not tell where its functions are");
        Told("thin.a", "thin archive");
        Told("prog.exe", "Windows executable");
        Told("cut", "damaged ELF file");
        Told("stub", "cut short");
        Told("two");
        Told("folder");
        Told("nowhere");
        Harness.AssertToldWell(Harness.RunWeft("hotpatch", "check"), ExitCode.Usage, "FILE");
        Harness.AssertToldWell(Harness.RunWeft("hotpatch", "check", "--woven", "program"), ExitCode.CheckFailed, "--with hotpatch");
        Harness.AssertToldWell(Harness.RunWeft("hotpatch", "check", "--only", "nothing", "program"), ExitCode.CheckFailed, "matched as a whole");
    }

    // An assembler's own listing against what the check read: where functions are, and their first instructions' bytes.
    [Needs("clang-22", "llvm-objdump-22")]
    public void Functions_and_their_first_instructions_are_those_objdump_shows()
    {
        var sources = Corpus.Where(s => s.EndsWith(".c", StringComparison.Ordinal)).DistinctBy(Path.GetFileName).ToArray();
        Harness.Must("clang-22", ["-O1", "-w", "-c", .. sources]);
        var all = Check([.. sources.Select(s => Path.GetFileNameWithoutExtension(s) + ".o")]).ToLookup(f => f.File);
        foreach (var file in all.Select(f => f.Key))
        {
            var listing = Listing().Matches(Harness.Must("llvm-objdump-22", "-d", "--x86-asm-syntax=intel", file).Output).ToDictionary(m => m.Groups["name"].Value, m => m);
            var found = all[file].ToList();
            Assert.Equal(listing.Keys.Order(StringComparer.Ordinal), found.Select(f => f.Symbol).Order(StringComparer.Ordinal));
            foreach (var function in found)
            {
                var match = listing[function.Symbol];
                Assert.Equal(ulong.Parse(match.Groups["address"].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture), function.Address);
                var length = match.Groups["bytes"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
                Assert.Equal(length == 1, function.Conditions.Contains("instruction"));
                Assert.StartsWith(match.Groups["mnemonic"].Value.Replace("movabs", "mov"), function.Instruction, StringComparison.Ordinal);
            }
        }
    }

    [Needs("clang-22", "llvm-strip-22")]
    public void Of_a_stripped_program_unwinding_tables_tell_the_functions()
    {
        Harness.Must("clang-22", ["-O1", "-w", Corpus.First(s => s.EndsWith("coverage/state_machine.c", StringComparison.Ordinal)), "-o", "program"]);
        Harness.Must("llvm-strip-22", "program", "-o", "stripped");
        string[] startFiles = ["_init", "_fini", "deregister_tm_clones", "register_tm_clones", "__do_global_dtors_aux", "frame_dummy"];
        var whole = Check("program").Where(f => !startFiles.Contains(f.Symbol)).ToList();
        Assert.Equal(whole.Select(f => (f.Address, f.Conditions)), Check("stripped").Select(f => (f.Address, f.Conditions)));
        Assert.True(whole.Count > 4);
    }

    [Theory]
    [InlineData("seeded.o")]
    [InlineData("seeded.so")]
    [InlineData("seeded.obj")]
    public void Cut_or_flipped_a_file_is_refused_or_read_but_never_a_crash(string name)
    {
        if (name == "seeded.obj") Harness.Must("clang-22", "--target=x86_64-pc-windows-msvc", "-O1", "-c", Kernels[0], "-o", name);
        else Assemble(X86, "x86_64-linux-gnu", "seeded.o");
        if (name == "seeded.so") Harness.Must("ld.lld-22", "-shared", "seeded.o", "-o", name);
        var whole = File.ReadAllBytes(Harness.Path(name));
        var random = new Random(7);
        for (var i = 0; i < 400; i++)
        {
            var damaged = i < 100 ? whole[..(whole.Length * i / 100)] : (byte[])whole.Clone();
            if (i >= 100)
                for (var flips = 0; flips < 4; flips++) damaged[random.Next(16, damaged.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(Harness.Path("damaged"), damaged);
            try { _ = CheckedFile.Read(Harness.Path("damaged"), _ => { }); }
            catch (WeftException e) { Assert.Contains("damaged", e.Message); }
        }
    }

    private void Assemble(string source, string target, string output)
    {
        Harness.Write("source.s", source);
        Harness.Must("clang-22", $"--target={target}", "-c", "source.s", "-o", output);
    }

    private static void AssertFound(Dictionary<string, (string Conditions, string Why)> expected, List<Checked> found)
    {
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), found.Select(f => f.Symbol).Order(StringComparer.Ordinal));
        foreach (var function in found)
        {
            Assert.Equal((function.Symbol, expected[function.Symbol].Conditions), (function.Symbol, function.Conditions));
            Assert.Contains(expected[function.Symbol].Why, function.Why);
        }
    }

    [GeneratedRegex(@"^(?<address>[0-9a-f]{16}) <(?<name>[^>]+)>:\n +[0-9a-f]+: (?<bytes>[0-9a-f ]+)\t(?<mnemonic>\w+)", RegexOptions.Multiline)]
    private static partial Regex Listing();
}
