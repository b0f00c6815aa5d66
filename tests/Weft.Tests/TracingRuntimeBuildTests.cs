using Weft.Tracing;

namespace Weft.Tests;

/// <summary>What is traced in builds of every kind; the oracles are programs that count their own calls, and plain clang.</summary>
public sealed class TracingRuntimeBuildTests : TracedPrograms
{
    [TheoryNeeds("clang-22", "ld.lld-22")]
    [InlineData("-O0")]
    [InlineData("-O2", "-g")]
    [InlineData("-Os", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")]
    [InlineData("-O2", "-ffunction-sections", "-Wl,--gc-sections", "-fuse-ld=lld")]
    [InlineData("-O1", "-static")]
    [InlineData("-O2", "-static-pie", "-mavx")]
    [InlineData("-O2", "-no-pie", "-fcf-protection=full")]
    [InlineData("-O2", "-flto", "-fuse-ld=lld")]
    [InlineData("-O2", "-flto=thin", "-fuse-ld=lld")]
    [InlineData("-O1", "-fsanitize=undefined")]
    [InlineData("-O2", "-save-temps")]
    public void Builds_of_every_kind_compute_the_same_and_count_each_call(params string[] flags)
    {
        var program = Build("calls.c", flags);
        Assert.Equal(Expected, MustCount(program).Output);
        Assert.Equal(Expected, Harness.Must(program).Output);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("-fsanitize=address")]
    [InlineData("-fsanitize=thread")]
    public void Sanitized_programs_are_traced_and_not_complained_of(string sanitizer)
    {
        // Sanitizers have a qsort() of their own, which compares more often.
        var outcome = MustCount(Build("calls.c", "-O1", sanitizer));
        Assert.Equal(Expected.Split('\n')[0], outcome.Output.Split('\n')[0]);
        Assert.Equal("", outcome.Errors);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("WEFT_TRACING_CLOCK", "coarse")]
    [InlineData("WEFT_TRACING_CLOCK", "none")]
    [InlineData("WEFT_TRACING_ARGS", "on")]
    [InlineData("WEFT_TRACING_DEPTH", "1000")]
    [InlineData("WEFT_TRACING_RING", "64M")]
    public void Every_way_of_recording_keeps_results_and_counts(string setting, string value)
    {
        Harness.Environment[setting] = value;
        Assert.Equal(Expected, MustCount(Build("calls.c", "-O2")).Output);
    }

    [Needs("clang-19")]
    public void Clang_19_builds_the_same()
    {
        Harness.Environment["WEFT_CC"] = "clang-19";
        Assert.Equal(Expected, MustCount(Build("calls.c", "-O2")).Output);
    }

    [TheoryNeeds("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    [InlineData("exact")]
    [InlineData("none")]
    public void On_aarch64_results_and_counts_are_the_same(string clock)
    {
        BuildAs("arm", "calls.c", "-O2", "--target=aarch64-linux-gnu");
        Harness.Environment["WEFT_TRACING_CLOCK"] = clock;
        var outcome = MustRecord("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", Harness.Path("arm"));
        AssertCounts(outcome, Counts(Trace));
        Assert.Equal(CountsOf(Expected), CountsOf(outcome.Output)); // a long double has another format there: no checksum
    }

    [Needs("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    public void Values_are_recorded_on_aarch64()
    {
        Harness.Write("p.c", "__attribute__((noinline)) double f(long a, double b, int c) { return b * 2 + (a == 8 || c == 3); } int main(void) { return (int)f(7, 1.5, -3); }");
        BuildAs("arm", "p.c", "-O1", "--target=aarch64-linux-gnu", "-static");
        Harness.Environment["WEFT_TRACING_ARGS"] = "on";
        Assert.Equal(3, Record("qemu-aarch64", Harness.Path("arm")).ExitCode);
        Assert.Contains("f(7, 1.5, -3) = 3", Harness.RunWeft("tracing", "replay", Trace).Output, StringComparison.Ordinal);
    }

    [TheoryNeeds("clang-22", "strip")]
    [InlineData]
    [InlineData("-static")]
    [InlineData("-fuse-ld=lld")]
    public void A_stripped_program_has_names_and_lines(params string[] flags)
    {
        var program = Build("calls.c", ["-O2", "-g", .. flags]);
        Harness.Must("strip", "-s", program);
        MustCount(program);
        using var source = TraceSources.Open(Trace);
        var leaf = source.Functions.Single(f => f.Name == "leaf");
        Assert.True(leaf.File.EndsWith("calls.c", StringComparison.Ordinal) && leaf.Line > 0, leaf.ToString());
        Assert.Equal(program, leaf.Module!.Path);
    }

    [Needs("clang-22")]
    public void Debug_information_and_the_linker_change_nothing_about_what_is_selected()
    {
        string[] Selected(params string[] flags)
        {
            var program = Build("calls.c", ["-O2", "--tracing-threshold=60", "--tracing-loops=off", .. flags]);
            MustRecord(program);
            return [.. Functions(Trace)];
        }
        var plain = Selected();
        Assert.InRange(plain.Length, 1, 10);
        Assert.Equal(plain, Selected("-g"));
        Assert.Equal(plain, Selected("-g3", "-fdebug-info-for-profiling", "-fno-omit-frame-pointer"));
    }

    private static string Selection => """
        #include <stdio.h>
        int loops(int n) { int s = 0; for (int i = 0; i < n; i++) s += s * i ^ n; return s; }
        int straight(int n) { return n * 3; }
        __attribute__((xray_always_instrument)) int always(int n) { return n + 2; }
        __attribute__((xray_never_instrument)) int never(int n) { int s = 0; for (int i = 0; i < n; i++) s += s * i ^ n; return s; }
        int large(int n) { volatile int a[300]; for (int i = 0; i < 300; i++) a[i] = n; 
            return a[0] + a[1] * a[2] + a[3] * a[4] + a[5] * a[6] + a[7] * a[8] + a[9] * a[10] + a[11] * a[12] + a[13] * a[14] + a[15] * a[16] + a[17]; }
        int (*volatile all[])(int) = {loops, straight, always, never, large};
        int main(void) { int s = 0; for (int i = 0; i < 5; i++) s += all[i](i); printf("%d\n", s); }
        """;

    [TheoryNeeds("clang-22")]
    [InlineData("always large loops main", "--tracing-threshold=200")]
    [InlineData("always", "--tracing-threshold=200", "--tracing-loops=off")]
    [InlineData("always large", "--tracing-threshold=40", "--tracing-loops=off")]
    [InlineData("always large loops main straight", "--tracing-threshold=1")]
    [InlineData("always straight", "--tracing-only=straight")]
    [InlineData("always large main straight", "--tracing-threshold=1", "--tracing-never=lo*")]
    [InlineData("always large straight", "--tracing-threshold=200", "--tracing-attr-list=list")]
    public void A_build_traces_what_its_options_select(string expected, params string[] flags)
    {
        Harness.Write("list", "[always]\nfun:straight=arg1\n# a comment\n[never]\nfun:mai*\nfun:loops\n");
        Harness.Write("p.c", Selection);
        MustRecord(Build("p.c", ["-O1", .. flags]));
        Assert.Equal(expected, string.Join(' ', Functions(Trace)));
    }

    [TheoryNeeds("clang-22", "clang-19", "llvm-objdump-22")]
    [InlineData("clang-22", "-O2")]
    [InlineData("clang-22", "-Os", "-ffunction-sections")]
    [InlineData("clang-19", "-O1")]
    public void Functions_that_are_off_begin_with_one_instruction_that_does_nothing(string compiler, params string[] flags)
    {
        Harness.Environment["WEFT_CC"] = compiler;
        Harness.Write("p.c", """
            __attribute__((noinline)) int first(int n) { return n * n; }
            int (*next)(int);
            __attribute__((noinline)) int second(int n) { return next(n + 1); }
            """);
        Build("p.c", ["-c", .. flags]);
        var lines = Harness.Must("llvm-objdump-22", "-d", "--no-show-raw-insn", "p").Output.Split('\n').Select(l => string.Join(' ', l.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))).ToList();
        foreach (var function in (string[])["<first>:", "<second>:"])
            Assert.EndsWith(": nopw %cs:(%rax,%rax)", lines[lines.FindIndex(l => l.EndsWith(function, StringComparison.Ordinal)) + 1], StringComparison.Ordinal);
        Assert.Equal(3, lines.Count(l => l.EndsWith(": nopw %cs:(%rax,%rax)", StringComparison.Ordinal))); // a tail call's too
    }

    [Needs("clang-22")]
    public void Unused_sections_are_dropped_with_their_sleds_and_names()
    {
        Harness.Write("p.c", "int unused_function(int n) { return n * 7; }\nint main(void) { return 0; }");
        // GNU ld keeps what sections named like C identifiers refer to, unless told otherwise.
        foreach (var linker in (string[])["-Wl,-z,start-stop-gc", "-fuse-ld=lld"])
        {
            var program = Build("p.c", "-O1", "-ffunction-sections", "-Wl,--gc-sections", linker);
            MustRecord(program);
            Assert.Equal(["main"], Functions(Trace));
            Assert.DoesNotContain("unused_function", File.ReadAllText(program, System.Text.Encoding.Latin1), StringComparison.Ordinal);
        }
    }

    [Needs("clang-22")]
    public void Objects_built_for_xray_by_clang_alone_are_traced_too()
    {
        Harness.Write("a.c", "#include <stdio.h>\n__attribute__((noinline)) int theirs(int n) { for (volatile int i = 0; i < n; i++) ; return n; } int ours(int n); int main(void) { printf(\"theirs %d\\nours %d\\n\", 1 + theirs(2) / 2, ours(3) ? 1 : 0); }");
        Harness.Write("b.c", "int theirs(int); int ours(int n) { return theirs(n) + 1; }");
        Harness.Must("clang-22", "-O1", "-fxray-instrument", "-fxray-instruction-threshold=1", "-c", "a.c", "-o", "a.o");
        Harness.Must(Harness.Weft, "cc", "--with=tracing", "--tracing-threshold=1", "-O1", "-c", "b.c", "-o", "b.o");
        Harness.Must(Harness.Weft, "cc", "--with=tracing", "a.o", "b.o", "-o", "p");
        AssertCounts(MustRecord(Harness.Path("p")), Counts(Trace));
        Assert.Equal("main{ theirs ours{ theirs } }", Tree(Trace).Replace("ours theirs", "ours{ theirs }"));
    }

    private string Expected
    {
        get
        {
            Harness.Must("clang-22", "-O1", Path.Combine(Fixtures, "calls.c"), "-o", "plain");
            return Harness.Must(Harness.Path("plain")).Output;
        }
    }

    private static string[] CountsOf(string output) => output.Split('\n')[1..];

    private static IEnumerable<string> Functions(string trace)
    {
        using var source = TraceSources.Open(trace);
        return [.. source.Functions.Select(f => f.Name).Order(StringComparer.Ordinal)];
    }
}
