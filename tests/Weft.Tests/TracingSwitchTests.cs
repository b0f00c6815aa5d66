using Weft.Tracing;

namespace Weft.Tests;

/// <summary>What is switched on and off in a running program, by itself or by the runtime, and what that costs.</summary>
public sealed class TracingSwitchTests : TracedPrograms
{
    [Needs("clang-22")]
    public void Adaptive_recording_gives_up_the_hot_function_and_keeps_the_others()
    {
        const int hot = 3_000_000, slow = 40;
        Harness.Write("a.c", $$"""
            __attribute__((noinline)) int hot(int n) { __asm__ volatile("" : "+r"(n)); return n + 1; }
            __attribute__((noinline)) int slow(int n) { for (int i = 0; i < {{hot / slow}}; i++) n = hot(n); return n; }
            int main(void) { int n = 0; for (int i = 0; i < {{slow}}; i++) n = slow(n); return n != {{hot}}; }
            """);
        Build("a.c", "-O1");
        Harness.Environment["WEFT_TRACING_ADAPTIVE"] = "3";
        MustRecord(Harness.Path("p"));
        var counts = Counts(Trace);
        Assert.Equal(slow, counts["slow"]);
        Assert.InRange(counts["hot"], 1, hot / 10);
        using var source = TraceSources.Open(Trace);
        Assert.Contains(source.Info.Notes, n => n.Text.StartsWith("hot: switched off to keep tracing cheap: ", StringComparison.Ordinal));
    }

    [Needs("clang-22")]
    public void A_call_whose_function_is_switched_off_meanwhile_ends_there()
    {
        Harness.Write("o.c", """
            #include <weft/tracing.h>
            __attribute__((noinline)) void later(void) { __asm__ volatile(""); }
            __attribute__((noinline)) void inner(void) { weft_tracing_off("outer,inner"); later(); }
            __attribute__((noinline)) void outer(void) { inner(); later(); __asm__ volatile(""); }
            int main(void) { outer(); later(); return 0; }
            """);
        Build("o.c", "-O1", "-fno-optimize-sibling-calls");
        MustRecord(Harness.Path("p"));
        using var source = TraceSources.Open(Trace);
        var events = CallStacks.Of(source, source.Threads[0]).Where(e => e.Kind is CallKind.Begin or CallKind.End).Select(e => $"{(e.Kind == CallKind.Begin ? "+" : "-")}{source.Function(e.Id).Name}{(e.Certainty == Certainty.Open ? "?" : "")}");
        Assert.Equal("+main +outer +inner -inner? -outer? +later -later +later -later +later -later -main", string.Join(' ', events));
    }

    [Needs("clang-22")]
    public void A_pattern_with_an_at_sign_means_the_functions_of_a_module()
    {
        Harness.Write("l.c", "__attribute__((noinline)) int in_library(int n) { __asm__ volatile(\"\" : \"+r\"(n)); return n; }");
        Harness.Write("m.c", "int in_library(int); __attribute__((noinline)) int in_program(int n) { return in_library(n) + 1; } int main(void) { return in_program(1) != 2; }");
        BuildAs("libmine.so", "l.c", "-shared", "-fPIC");
        Build("m.c", "-L.", "-lmine", "-Wl,-rpath,$ORIGIN");
        Harness.Environment["WEFT_TRACING_ONLY"] = "@libmine*";
        MustRecord(Harness.Path("p"));
        Assert.Equal(["in_library"], Counts(Trace).Keys);
        Harness.Environment["WEFT_TRACING_ONLY"] = "@p";
        MustRecord(Harness.Path("p"));
        Assert.Equal(["in_program", "main"], Counts(Trace).Keys.Order(StringComparer.Ordinal));
    }

    /// <summary>The part of an event's cost that does not depend on the machine.</summary>
    [Needs("clang-22", "valgrind")]
    public void An_event_takes_no_more_instructions_than_it_did()
    {
        const int calls = 20_000;
        Harness.Write("c.c", $$"""
            __attribute__((noinline)) int leaf(int n) { __asm__ volatile("" : "+r"(n)); return n + 1; }
            int main(void) { int n = 0; for (int i = 0; i < {{calls}}; i++) n = leaf(n); return n != {{calls}}; }
            """);
        Build("c.c", "-O1");
        Harness.Environment["WEFT_TRACING_FILE"] = Harness.Path("%p.trace");
        Harness.Environment["WEFT_TRACING_ONLY"] = "leaf";
        double Instructions(string tracing, string clock)
        {
            Harness.Environment["WEFT_TRACING"] = tracing;
            Harness.Environment["WEFT_TRACING_CLOCK"] = clock;
            return Harness.Instructions(["--smc-check=all", "--toggle-collect=main"], "p");
        }
        double off = Instructions("off", "exact"), exact = Instructions("on", "exact"), none = Instructions("on", "none");
        Assert.InRange((exact - off) / (2 * calls), 10, 18.5);
        Assert.InRange((none - off) / (2 * calls), 8, 17);
    }
}
