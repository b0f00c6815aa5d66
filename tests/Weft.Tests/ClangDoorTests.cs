using System.Text.Json;
using Weft.Core;

namespace Weft.Tests;

/// <summary>Real compilations through <c>weft cc</c> and <c>weft c++</c>; the oracle is clang alone on the same sources.</summary>
public sealed class ClangDoorTests : IDisposable
{
    private const string Program = """
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <setjmp.h>
        #include <weft/metering.h>
        static jmp_buf back;
        static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
        static int collatz(long n) { int steps = 0; for (; n != 1; steps++) n = n % 2 ? 3 * n + 1 : n / 2; return steps; }
        static void leave(int depth) { if (depth == 0) longjmp(back, 1); leave(depth - 1); }
        __attribute__((pure)) static int twice(int x) { return 2 * x; }
        int main(void) {
            int values[500], sum = 0;
            for (int i = 0; i < 500; i++) values[i] = (i * 7919) % 1009;
            qsort(values, 500, sizeof *values, compare);
            for (int i = 1; i < 2000; i++) sum += collatz(i) + twice(i) - twice(i);
            char *text = malloc(100); strcpy(text, "woven"); free(malloc(10));
            if (!setjmp(back)) leave(20);
            printf("%d %d %s\n", values[250], sum, text);
            free(text);
            return weft_metering_active() ? 0 : 9;
        }
        """;

    private readonly Harness harness = new();

    public ClangDoorTests() => harness.Environment["WEFT_CC"] = "clang-22";

    public void Dispose() => harness.Dispose();

    [Needs("clang-22")]
    public void Counts_are_equal_at_every_level_and_with_debug_information()
    {
        var reference = Count("-O2");
        Assert.True(reference > 100_000, $"only {reference} units");
        foreach (var flag in (string[])["-O0", "-O1", "-O3", "-Os", "-Oz", "-g", "-fPIC"]) Assert.Equal((flag, reference), (flag, Count(flag)));
    }

    [Needs("clang-22")]
    public void The_register_mode_counts_what_the_reference_mode_counts() => Assert.Equal(Count("-O2"), Count("-O2", "--metering-mode=reference"));

    [Needs("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    public void The_same_program_counts_the_same_on_aarch64()
    {
        harness.Write("p.c", Program);
        harness.Must(Harness.Weft, "cc", "--with=metering", "--target=aarch64-linux-gnu", "-O2", "-fno-builtin", "p.c", "-o", "arm");
        Assert.Equal(Count("-O2", "-fno-builtin"), Total("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", harness.Path("arm")));
    }

    [Needs("clang-19")]
    public void Clang_19_weaves_too()
    {
        harness.Environment["WEFT_CC"] = "clang-19";
        Assert.True(Count("-O2") > 100_000);
    }

    [Needs("clang-22")]
    public void Exceptions_cross_woven_frames_and_separate_steps_link()
    {
        harness.Write("a.cc", "#include <stdexcept>\n#include <string>\nint thrower(int n) { if (n == 0) throw std::runtime_error(\"deep\"); return thrower(n - 1); }");
        harness.Write("b.cc", "#include <iostream>\n#include <stdexcept>\nint thrower(int);\nint main() { try { thrower(10); } catch (const std::runtime_error &e) { std::cout << e.what() << '\\n'; } }");
        harness.Must(Harness.Weft, "c++", "--with=metering", "-O1", "-c", "a.cc", "b.cc");
        harness.Must(Harness.Weft, "c++", "--with=metering", "a.o", "b.o", "-o", "p");
        Assert.Equal("deep\n", harness.Must(harness.Path("p")).Output);
        Assert.True(Total(harness.Path("p")) > 0);
    }

    [Needs("clang-22")]
    public void Without_an_instrument_the_long_way_makes_the_object_that_clang_makes()
    {
        harness.Write("p.c", Program.Replace("#include <weft/metering.h>", "").Replace("weft_metering_active()", "1"));
        harness.Environment["WEFT_FORCE_LOWER"] = "1";
        harness.Must(Harness.Weft, "cc", "-O2", "-c", "p.c", "-o", "weft.o");
        harness.Must("clang-22", "-O2", "-c", "p.c", "-o", "clang.o");
        Assert.Equal(File.ReadAllBytes(harness.Path("clang.o")), File.ReadAllBytes(harness.Path("weft.o")));
    }

    [Needs("clang-22")]
    public void What_is_no_compilation_prints_what_clang_prints()
    {
        harness.Write("p.c", "int main(void) { return X; }\n");
        foreach (var arguments in (string[][])[["--version"], ["-E", "-DX=3", "p.c"], ["-M", "p.c"], ["-dumpmachine"]])
            Assert.Equal(harness.Must("clang-22", arguments).Output, harness.Must(Harness.Weft, ["cc", "--with=metering", .. arguments]).Output);
        var wrong = harness.RunWeft("cc", "--with=metering", "-c", "p.c");
        Assert.Equal(harness.Run("clang-22", "-c", "p.c"), wrong);
        Assert.False(File.Exists(harness.Path("p.o")));
    }

    [Needs("clang-22")]
    public void Odd_paths_work()
    {
        const string name = "it's a \"test\"\nwith é";
        harness.Write($"{name}/p.c", "int main(void) { return 0; }");
        harness.Must(Harness.Weft, "cc", "--with=metering", $"{name}/p.c", "-o", $"{name}/p");
        harness.Must(harness.Path($"{name}/p"));
    }

    [Needs("clang-22")]
    public void A_linker_that_fails_gives_its_own_words_and_leaves_nothing()
    {
        harness.Write("p.c", "int missing(void); int main(void) { return missing(); }");
        var outcome = harness.RunWeft("cc", "--with=metering", "p.c", "-o", "p");
        Assert.NotEqual(0, outcome.ExitCode);
        Assert.Contains("undefined reference", outcome.Errors, StringComparison.Ordinal);
        Assert.Equal(["p.c"], Directory.GetFileSystemEntries(harness.Folder).Select(Path.GetFileName));
    }

    [Needs("clang-22")]
    public void Without_a_supported_clang_the_message_says_what_to_install()
    {
        harness.Write("p.c", "int main(void) { return 0; }");
        harness.Environment["WEFT_CC"] = null;
        harness.Environment["PATH"] = "/nowhere";
        Harness.AssertToldWell(harness.RunWeft("cc", "--with=metering", "p.c"), ExitCode.Failure, "clang", "install clang-22");
    }

    [Needs("clang-22")]
    public void Precompiled_headers_agree_with_what_includes_them()
    {
        harness.Write("p.h", "#ifndef __WEFT_METERING__\n#error not told\n#endif\n#include <stdio.h>\n#include <weft/metering.h>\nstatic int twice(int x) { return 2 * x; }");
        harness.Write("p.c", "int main(void) { printf(\"%d\\n\", twice(21)); return weft_metering_active() && weft_metering_count() > 0 ? 0 : 9; }");
        harness.Must(Harness.Weft, "cc", "--with=metering", "-O0", "-x", "c-header", "p.h", "-o", "p.h.pch");
        harness.Must(Harness.Weft, "cc", "--with=metering", "-O0", "-include-pch", "p.h.pch", "p.c", "-o", "p");
        Assert.Equal("42\n", harness.Must(harness.Path("p")).Output);
    }

    [Needs("clang-22")]
    public void Response_files_standard_input_and_several_inputs_are_taken_as_clang_takes_them()
    {
        harness.Write("a.c", "int a(void) { return 40; }");
        harness.Write("b.s", ".globl b\nb: movl $2, %eax\nret\n.section .note.GNU-stack\n");
        harness.Write("arguments", "-O1 \"a.c\" b.s -x c - -o p");
        var built = harness.Run(Harness.Weft, ["cc", "--with=metering", "@arguments"], "int a(void), b(void); int main(void) { return a() + b(); }"u8.ToArray());
        Assert.True(built.ExitCode == 0 && built.Errors.Length == 0, built.ToString());
        Assert.Equal(42, harness.Run(harness.Path("p")).ExitCode);
    }

    [Needs("clang-22")]
    public void Saved_temporaries_are_the_ones_that_clang_saves()
    {
        harness.Write("p.c", "int main(void) { return 0; }");
        harness.Must(Harness.Weft, "cc", "--with=metering", "-O2", "-save-temps", "-c", "p.c");
        Assert.Equal(["p.bc", "p.c", "p.i", "p.o", "p.s"], Directory.GetFiles(harness.Folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Contains("weft_metering", File.ReadAllText(harness.Path("p.s")), StringComparison.Ordinal);
    }

    [TheoryNeeds("clang-22", "ld.lld-22")]
    [InlineData("-flto", "-fuse-ld=lld")]
    [InlineData("-flto=thin", "-fuse-ld=lld")]
    [InlineData("-static")]
    [InlineData("-static-pie")]
    [InlineData("-no-pie")]
    [InlineData("-fsanitize=undefined", "-fno-sanitize-recover")]
    [InlineData("-fsanitize=address")]
    [InlineData("-gsplit-dwarf")]
    [InlineData("-g", "-fdebug-types-section")]
    public void Builds_of_every_kind_count_the_same(params string[] flags)
    {
        // Sanitizers add checks to what they count: their total only has to be there.
        var total = Count(["-O2", .. flags]);
        if (flags[0].StartsWith("-fsanitize", StringComparison.Ordinal)) Assert.True(total > 100_000);
        else Assert.Equal(Count("-O2"), total);
    }

    [Needs("clang-22")]
    public void A_program_and_its_shared_library_share_one_count()
    {
        harness.Write("a.c", "int work(int n) { int s = 0; for (int i = 0; i < n; i++) s += i % 7; return s; }");
        harness.Write("b.c", "int work(int); int main(void) { return work(1000) == 2997 ? 0 : 1; }");
        harness.Must(Harness.Weft, "cc", "--with=metering", "-fPIC", "-shared", "a.c", "-o", "liba.so");
        harness.Must(Harness.Weft, "cc", "--with=metering", "b.c", "-L.", "-la", "-Wl,-rpath," + harness.Folder, "-o", "apart");
        harness.Must(Harness.Weft, "cc", "--with=metering", "a.c", "b.c", "-o", "together");
        Assert.Equal(Total(harness.Path("together")), Total(harness.Path("apart")));
    }

    [Needs("clang-22")]
    public void Nothing_is_left_of_an_object_that_cannot_be_written()
    {
        harness.Write("p.c", Program);
        var full = harness.RunWeft("cc", "--with=metering", "-c", "p.c", "-o", "/dev/full");
        Assert.NotEqual(0, full.ExitCode);
        Assert.Contains("No space left on device", full.Errors, StringComparison.Ordinal);
        var nowhere = harness.RunWeft("cc", "--with=metering", "-c", "p.c", "-o", "missing/p.o");
        Assert.Equal(1, nowhere.ExitCode);
        Assert.Contains("missing/p.o", nowhere.Errors, StringComparison.Ordinal);
        Assert.Equal(["p.c"], Directory.GetFileSystemEntries(harness.Folder).Select(Path.GetFileName));
    }

    [Needs("clang-22")]
    public void A_cache_that_cannot_be_written_only_costs_time()
    {
        harness.Write("cache", "a file where the folder should be");
        harness.Environment["XDG_CACHE_HOME"] = harness.Path("cache");
        Assert.True(Count("-O1") > 0);
    }

    [Needs("clang-22")]
    public void Builds_at_once_and_killed_builds_leave_whole_objects_or_none()
    {
        harness.Write("p.c", Program);
        harness.Environment["XDG_CACHE_HOME"] = harness.Path("fresh-cache");
        Parallel.For(0, 6, i =>
        {
            // Times at which the build may be in any of its steps.
            var outcome = harness.Run("timeout", "-s", "KILL", $"0.{i + 1}", Harness.Weft, "cc", "--with=metering", "-c", "p.c", "-o", $"killed{i}.o");
            var made = harness.Path($"killed{i}.o");
            Assert.True(outcome.ExitCode is 0 or 137 or -9, outcome.ToString());
            if (outcome.ExitCode == 0 || File.Exists(made)) harness.Must("llvm-readobj-22", "--symbols", made);
        });
        Parallel.For(0, 4, i => harness.Must(Harness.Weft, "cc", "--with=metering", "p.c", "-o", $"p{i}"));
        Assert.All(Enumerable.Range(0, 4), i => Assert.Equal(Total(harness.Path("p0")), Total(harness.Path($"p{i}"))));
    }

    [Needs("clang-22", "gcc")]
    public void A_compiler_that_is_not_clang_is_named()
    {
        harness.Write("p.c", "int main(void) { return 0; }");
        harness.Environment["WEFT_CC"] = "gcc";
        Harness.AssertToldWell(harness.RunWeft("cc", "--with=metering", "p.c"), ExitCode.Failure, "gcc", "clang");
    }

    [Needs("clang-22")]
    public void A_path_that_is_not_utf8_is_refused_in_words_and_compiles_when_disabled()
    {
        harness.Write("run.sh", "printf 'int main(void) { return 0; }' > \"$(printf 'p\\377.c')\"\nexec \"$0\" cc --with=metering \"$(printf 'p\\377.c')\" -o p\n");
        Harness.AssertToldWell(harness.Run("sh", "-c", File.ReadAllText(harness.Path("run.sh")), Harness.Weft), ExitCode.Failure, "not valid UTF-8", "WEFT_DISABLE=1");
        harness.Environment["WEFT_DISABLE"] = "1";
        Assert.Equal(0, harness.Run("sh", "-c", File.ReadAllText(harness.Path("run.sh")), Harness.Weft).ExitCode);
    }

    private ulong Count(params string[] flags)
    {
        harness.Write("p.c", Program);
        harness.Must(Harness.Weft, ["cc", "--with=metering", .. flags, "p.c", "-o", "p"]);
        return Total(harness.Path("p"));
    }

    private ulong Total(string program, params string[] arguments)
    {
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report.json");
        harness.Must(program, arguments);
        harness.Environment.Remove("WEFT_METERING_REPORT");
        return JsonDocument.Parse(File.ReadAllBytes(harness.Path("report.json"))).RootElement.GetProperty("total").GetUInt64();
    }
}
