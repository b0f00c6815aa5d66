using System.Globalization;
using System.Text.RegularExpressions;
using Weft.Core;
using Weft.Hotpatch.Check;
using static Weft.Tests.HotpatchSeeds;

namespace Weft.Tests;

/// <summary>Seeded violations are found, in files of every kind; the oracle of what a binary holds is llvm-objdump.</summary>
public sealed partial class HotpatchCheckTests : HotpatchFiles
{
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
