using Weft.Core;

namespace Weft.Tests;

public sealed class LowerTests : IDisposable
{
    private const string Program = """
        struct node { struct node *next; int value; };
        extern int printf(const char *, ...);
        static struct node nodes[10];
        int add(const struct node *n) { int s = 0; for (; n; n = n->next) s += n->value; return s; }
        __thread int counter = 3;
        int main(int argc, char **argv) {
            (void)argv;
            for (int i = 0; i < 10; i++) { nodes[i].value = i * argc; nodes[i].next = i ? &nodes[i - 1] : 0; }
            printf("%d %d %.2f\n", add(&nodes[9]), counter++, argc * 1.5);
            return counter;
        }
        """;

    private const string Llvm19 = "/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1", Llvm22 = "/usr/lib/x86_64-linux-gnu/libLLVM.so.22.1";

    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang-22", "cc")]
    [InlineData("-O0")]
    [InlineData("-O1")]
    [InlineData("-O2")]
    [InlineData("-O3")]
    [InlineData("-Os")]
    [InlineData("-Oz")]
    public void An_object_of_any_level_links_and_runs(string level)
    {
        harness.Bitcode("clang-22", Program, "-fPIC");
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "source.o", level);
        AssertRuns("source.o");
    }

    [Needs("clang-22")]
    public void Levels_give_different_code()
    {
        harness.Bitcode("clang-22", Program);
        var texts = new HashSet<string>();
        foreach (var level in (string[])["-O0", "-O2", "-Oz"]) texts.Add(harness.Must(Harness.Weft, "lower", "source.bc", "-o", "-", "--emit", "asm", level).Output);
        Assert.Equal(3, texts.Count);
    }

    [Needs("clang-22")]
    public void The_same_input_gives_the_same_bytes_with_and_without_the_cache()
    {
        harness.Bitcode("clang-22", Program);
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "a.o");
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "b.o");
        harness.Environment["WEFT_CACHE_SIZE"] = "0";
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "c.o");
        Assert.Equal(File.ReadAllBytes(harness.Path("a.o")), File.ReadAllBytes(harness.Path("b.o")));
        Assert.Equal(File.ReadAllBytes(harness.Path("a.o")), File.ReadAllBytes(harness.Path("c.o")));
    }

    [Needs("clang-22", "cc")]
    public void Textual_IR_is_read_too()
    {
        harness.Write("source.c", Program);
        harness.Must("clang-22", "-O1", "-fPIC", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-S", "source.c", "-o", "source.ll");
        harness.Must(Harness.Weft, "lower", "source.ll", "-o", "source.o");
        AssertRuns("source.o");
    }

    [Needs("clang-22", "cc")]
    public void Standard_input_and_output_stand_in_for_files()
    {
        var bitcode = harness.Bitcode("clang-22", Program, "-fPIC");
        var outcome = harness.Run("sh", ["-c", $"'{Harness.Weft}' lower - -o - > piped.o"], bitcode);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        AssertRuns("piped.o");
    }

    /// <summary>As configure scripts name /dev/null, which a file renamed over it would replace for the whole machine.</summary>
    [Needs("clang-22")]
    public void A_device_is_written_to_and_not_replaced()
    {
        harness.Bitcode("clang-22", Program);
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "source.o");
        harness.Must("sh", "-c", "exec 3> device.o; '" + Harness.Weft + "' lower source.bc -o /dev/fd/3");
        Assert.Equal(File.ReadAllBytes(harness.Path("source.o")), File.ReadAllBytes(harness.Path("device.o")));
    }

    [Needs("clang-14", "cc")]
    public void Bitcode_with_typed_pointers_of_LLVM_14_lowers_and_runs()
    {
        harness.Bitcode("clang-14", Program, "-fPIC");
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "source.o", "-O2");
        AssertRuns("source.o");
    }

    [TheoryNeeds("clang-19", "cc", Llvm19, Llvm22)]
    [InlineData(Llvm19)]
    [InlineData(Llvm22)]
    public void Every_supported_LLVM_lowers_bitcode_of_LLVM_19(string library)
    {
        harness.Bitcode("clang-19", Program, "-fPIC");
        harness.Environment["WEFT_LLVM"] = library;
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "source.o", "-O2");
        AssertRuns("source.o");
    }

    [Needs("clang-22", Llvm19)]
    public void Bitcode_newer_than_the_library_names_both_releases()
    {
        harness.Bitcode("clang-22", Program);
        harness.Environment["WEFT_LLVM"] = Llvm19;
        var outcome = harness.RunWeft("lower", "source.bc", "-o", "source.o");
        Harness.AssertToldWell(outcome, ExitCode.Failure, "source.bc", "LLVM 22", "LLVM 19", "WEFT_LLVM");
        Assert.False(File.Exists(harness.Path("source.o")));
    }

    [Fact]
    public void A_library_that_is_not_LLVM_is_refused_by_name()
    {
        harness.Write("a.ll", "define void @f() { ret void }");
        harness.Environment["WEFT_LLVM"] = harness.Write("libLLVM.so", "not a library");
        Harness.AssertToldWell(harness.RunWeft("lower", "a.ll", "-o", "a.o"), ExitCode.Failure, "libLLVM.so");
        harness.Environment["WEFT_LLVM"] = "/nowhere/libLLVM.so";
        Harness.AssertToldWell(harness.RunWeft("lower", "a.ll", "-o", "a.o"), ExitCode.Failure, "/nowhere/libLLVM.so");
    }

    [Fact]
    public void An_unknown_target_is_named()
    {
        harness.Write("a.ll", "target triple = \"nosuch-unknown-none\"\ndefine void @f() { ret void }");
        Harness.AssertToldWell(harness.RunWeft("lower", "a.ll", "-o", "a.o"), ExitCode.Failure, "a.ll", "nosuch");
        harness.Write("b.ll", "define void @f() { ret void }");
        Harness.AssertToldWell(harness.RunWeft("lower", "b.ll", "-o", "b.o"), ExitCode.Failure, "--target");
        Harness.AssertToldWell(harness.RunWeft("lower", "b.ll", "-o", "b.o", "--target", "nosuch-unknown-none"), ExitCode.Failure, "nosuch");
        Assert.Empty(Directory.EnumerateFiles(harness.Folder, "*.o*"));
    }

    [Needs("qemu-aarch64", "aarch64-linux-gnu-gcc", "clang-22")]
    public void A_module_for_another_CPU_runs_there()
    {
        harness.Bitcode("clang-22", Program, "--target=aarch64-linux-gnu", "-fPIC");
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "source.o", "-O2");
        harness.Must("aarch64-linux-gnu-gcc", "-static", "source.o", "-o", "program");
        Assert.Equal("45 3 1.50\n", harness.Run("qemu-aarch64", harness.Path("program")).Output);
    }

    [Needs("clang-22", "readelf")]
    public void Functions_have_sections_of_their_own_unless_told_otherwise()
    {
        harness.Bitcode("clang-22", Program);
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "a.o");
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "b.o", "--no-sections");
        Assert.Contains(".text.add", harness.Must("readelf", "-SW", "a.o").Output);
        Assert.DoesNotContain(".text.add", harness.Must("readelf", "-SW", "b.o").Output);
    }

    [Needs("clang-22")]
    public void An_unused_function_with_a_jump_table_is_dropped_by_the_linker()
    {
        var cases = string.Concat(Enumerable.Range(0, 20).Select(i => $"case {i}: return other({i * i % 7}) + {i};"));
        File.WriteAllBytes(harness.Path("p.bc"), harness.Bitcode("clang-22", $"int other(int); static int used(int x) {{ switch (x) {{ {cases} }} return 0; }} int unused(int x) {{ switch (x) {{ {cases} }} return 1; }} int other(int x) {{ return x; }} int main(int c, char **v) {{ return used(c + 2); }}"));
        harness.Must(Harness.Weft, "lower", "p.bc", "-o", "p.o");
        harness.Must("clang-22", "p.o", "-Wl,--gc-sections", "-o", "p");
        Assert.Equal(5, harness.Run(harness.Path("p")).ExitCode);
        var symbols = harness.Must("nm", "p").Output;
        Assert.Contains(" T main", symbols, StringComparison.Ordinal);
        Assert.DoesNotContain("unused", symbols, StringComparison.Ordinal);
    }

    [Needs("readelf")]
    public void The_relocation_model_is_the_one_asked_for()
    {
        harness.Write("source.ll", "target triple = \"x86_64-unknown-linux-gnu\"\n@here = dso_local global i32 1\ndefine ptr @f() { ret ptr @here }");
        harness.Must(Harness.Weft, "lower", "source.ll", "-o", "static.o", "--relocation-model", "static");
        harness.Must(Harness.Weft, "lower", "source.ll", "-o", "pic.o", "--relocation-model", "pic");
        Assert.Contains("R_X86_64_32 ", harness.Must("readelf", "-rW", "static.o").Output);
        Assert.DoesNotContain("R_X86_64_32 ", harness.Must("readelf", "-rW", "pic.o").Output);
    }

    [Needs("clang-22")]
    public void A_chosen_CPU_reaches_the_code_generator()
    {
        harness.Bitcode("clang-22", "int f(unsigned x) { return __builtin_popcount(x); }");
        var ll = harness.Must(Harness.Weft, "lower", "source.bc", "-o", "-", "--emit", "asm").Output;
        Assert.DoesNotContain("popcnt", ll);
        harness.Write("plain.ll", "target triple = \"x86_64-unknown-linux-gnu\"\ndeclare i32 @llvm.ctpop.i32(i32)\ndefine i32 @f(i32 %x) { %r = call i32 @llvm.ctpop.i32(i32 %x) ret i32 %r }");
        Assert.Contains("popcnt", harness.Must(Harness.Weft, "lower", "plain.ll", "-o", "-", "--emit", "asm", "--cpu", "x86-64-v2").Output);
        Assert.Contains("popcnt", harness.Must(Harness.Weft, "lower", "plain.ll", "-o", "-", "--emit", "asm", "--features", "+popcnt").Output);
        Assert.DoesNotContain("popcnt", harness.Must(Harness.Weft, "lower", "plain.ll", "-o", "-", "--emit", "asm").Output);
    }

    [Needs("clang-22")]
    public void Timings_name_the_stages()
    {
        harness.Environment["WEFT_CACHE_SIZE"] = "0";
        harness.Bitcode("clang-22", Program);
        var outcome = harness.Must(Harness.Weft, "lower", "source.bc", "-o", "a.o", "--timings");
        foreach (var stage in (string[])["read", "optimise", "emit"]) Assert.Contains(stage, outcome.Errors);
        Assert.Empty(outcome.Output);
    }

    [Needs("clang-22")]
    public void A_repro_folder_holds_the_module_and_a_command_that_repeats_it()
    {
        harness.Environment["WEFT_CACHE_SIZE"] = "0";
        var bitcode = harness.Bitcode("clang-22", Program);
        harness.Must(Harness.Weft, "lower", "source.bc", "-o", "a.o", "-O1", "--repro", "kept");
        Assert.Equal(bitcode, File.ReadAllBytes(harness.Path("kept/source.bc.bc")));
        Assert.Contains("weft lower source.bc.bc -o source.bc.o -O1", File.ReadAllText(harness.Path("kept/source.bc.txt")));
    }

    [Fact]
    public void Missing_and_unusable_files_are_told_with_their_names()
    {
        harness.Write("a.ll", "target triple = \"x86_64-unknown-linux-gnu\"\ndefine void @f() { ret void }");
        Harness.AssertToldWell(harness.RunWeft("lower", "nowhere.bc", "-o", "a.o"), ExitCode.Failure, "nowhere.bc");
        Harness.AssertToldWell(harness.RunWeft("lower", ".", "-o", "a.o"), ExitCode.Failure, "'.'");
        Harness.AssertToldWell(harness.RunWeft("lower", "a.ll", "-o", "no/such/folder/a.o"), ExitCode.Failure, "no/such/folder/a.o");
        Harness.AssertToldWell(harness.RunWeft("lower", "a.ll", "-o", "/proc/a.o"), ExitCode.Failure, "/proc/a.o");
        Directory.CreateDirectory(harness.Path("folder"));
        Harness.AssertToldWell(harness.RunWeft("lower", "a.ll", "-o", "folder"), ExitCode.Failure, "folder");
        Harness.AssertToldWell(harness.RunWeft("lower", harness.Write("empty", ""), "-o", "a.o"), ExitCode.Failure, "empty");
        Harness.AssertToldWell(harness.RunWeft("lower", harness.Write("text", "hello\n\u001b[31m"), "-o", "a.o"), ExitCode.Failure, "text", "neither");
        Assert.Empty(Directory.EnumerateFiles(harness.Folder, "*.o*"));
        Assert.Empty(Directory.EnumerateFiles(harness.Folder, "folder.*"));
    }

    [Fact]
    public void An_output_that_fails_leaves_the_old_one()
    {
        harness.Write("a.ll", "target triple = \"x86_64-unknown-linux-gnu\"\ndefine void @f() { ret i32 1 }");
        harness.Write("a.o", "old");
        Harness.AssertToldWell(harness.RunWeft("lower", "a.ll", "-o", "a.o"), ExitCode.Failure, "a.ll");
        Assert.Equal("old", File.ReadAllText(harness.Path("a.o")));
    }

    [Needs("clang-22", "can-mount")]
    public void A_full_disk_is_told_and_leaves_nothing()
    {
        harness.Bitcode("clang-22", $"const char big[65536] = {{{string.Join(',', Enumerable.Range(0, 65536).Select(i => i % 100))}}};");
        Directory.CreateDirectory(harness.Path("tiny"));
        harness.Must("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", "tiny");
        try
        {
            Harness.AssertToldWell(harness.RunWeft("lower", "source.bc", "-o", "tiny/a.o"), ExitCode.Failure, "tiny/a.o", "space");
            Assert.Empty(Directory.EnumerateFileSystemEntries(harness.Path("tiny")));
        }
        finally
        {
            harness.Must("umount", "tiny");
        }
    }

    [Fact]
    public void An_interrupt_ends_with_130_and_no_output()
    {
        // timeout(1) signals the whole group, as a terminal does; weft waits for its input until then.
        var outcome = harness.Run("sh", "-c", $"sleep 20 | timeout --preserve-status -s INT 1.5 '{Harness.Weft}' lower - -o a.o; echo code $?");
        Assert.Contains("code 130", outcome.Output);
        Assert.DoesNotContain("Exception", outcome.Errors);
        Assert.Empty(Directory.EnumerateFiles(harness.Folder));
    }

    private void AssertRuns(string obj)
    {
        harness.Must("cc", obj, "-o", "program");
        var outcome = harness.Run(harness.Path("program"));
        Assert.Equal("45 3 1.50\n", outcome.Output);
        Assert.Equal(4, outcome.ExitCode);
    }
}
