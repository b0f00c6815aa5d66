using System.Globalization;
using System.Text;
using Weft.Tracing;

namespace Weft.Tests;

/// <summary>Filters at recording leave what the same filters leave of a trace of everything.</summary>
public sealed class TracingRecordFilterTests : TracedPrograms
{
    private const string Program = """
        #include <stdio.h>
        #define F __attribute__((noinline, noclone))
        static volatile int sink;
        extern "C" int library(int);
        F static int thrower(int n) { if (n % 3 == 0) throw n; return n; }
        F static int parse(int n) { sink += n; return n + 1; }
        F static int read(int n) { sink += parse(n); return sink; }
        F static int load(int n) { return read(n) + parse(n) + library(n); }
        F static int deep(int n) { return n == 0 ? read(n) : deep(n - 1) + 1; }
        F static int work(int n) { int s = load(n); for (int i = 0; i < 3; i++) s += read(i); return s; }
        F static int risky(int n) { try { return thrower(n) + parse(n); } catch (int) { return parse(-n); } }
        F static int through(int n) { int s = thrower(n); sink += s; return s; }
        F static int guarded(int n) { try { return through(n); } catch (int) { return 0; } }
        int main() { for (int i = 0; i < 5; i++) sink += work(i) + deep(i) + risky(i) + guarded(i); load(1); return 0; }
        """;

    private const string Library = """
        static volatile int sink;
        __attribute__((noinline)) static int inner(int n) { sink += n; return n; }
        int library(int n) { int s = inner(n); sink += s; return s; }
        """;

    [TheoryNeeds("clang-22")]
    [InlineData("-F load")]
    [InlineData("-F read -F work")]
    [InlineData("-F main -N load")]
    [InlineData("-N main")]
    [InlineData("-N work,deep")]
    [InlineData("-N *r*")]
    [InlineData("-C parse")]
    [InlineData("-C thrower,inner")]
    [InlineData("-C deep -F deep")]
    [InlineData("-C load -N work")]
    [InlineData("-C read -D 3")]
    [InlineData("-D 1")]
    [InlineData("-D 3")]
    [InlineData("-D 2 -F work,guarded")]
    [InlineData("-H load -H read")]
    [InlineData("-H main -D 1")]
    [InlineData("--module libinner.so")]
    public void Recording_by_name_depth_and_module_leaves_what_looking_would(string arguments)
    {
        Harness.Write("p.cc", Program);
        Harness.Write("library.c", Library);
        var options = arguments.Split(' ');
        BuildAs("libinner.so", "library.c", "-O1", "-shared", "-fPIC");
        var program = Build("p.cc", "-O1", "-L.", "-linner", "-Wl,-rpath,$ORIGIN");
        var everything = Shown(RecordWith(program), Options(options));
        var recorded = Shown(RecordWith(program, options), new FilterOptions());
        Assert.Equal(everything, recorded);
        Assert.Equal(arguments == "-N main", everything.Length == 0);
    }

    [Needs("clang-22")]
    public void Only_is_what_is_switched_on_and_what_that_calls_is_not()
    {
        Harness.Write("p.cc", Program);
        Harness.Write("library.c", Library);
        BuildAs("libinner.so", "library.c", "-O1", "-shared", "-fPIC");
        var program = Build("p.cc", "-O1", "-L.", "-linner", "-Wl,-rpath,$ORIGIN");
        var counts = Counts(RecordWith(program, "--only", "work,@libinner*", "-H", "library"));
        Assert.Equal([("inner", 6L), ("work", 5)], counts.Select(c => (c.Key, c.Value)).Order());
    }

    [Needs("clang-22")]
    public void Calls_that_lead_to_others_keep_their_own_times_and_duration_filters_apply_to_them()
    {
        Harness.Write("p.c", """
            #include <unistd.h>
            static volatile int sink;
            __attribute__((noinline)) static void leaf(void) { sink++; }
            __attribute__((noinline)) static void quick(void) { leaf(); sink++; }
            __attribute__((noinline)) static void slow(void) { usleep(30000); leaf(); sink++; }
            int main() { slow(); quick(); usleep(10000); return 0; }
            """);
        var program = Build("p.c", "-O1");
        using var source = TraceSources.Open(RecordWith(program, "-C", "leaf"));
        var calls = CallStacks.Of(source, Assert.Single(source.Threads)).Where(c => c.Kind == CallKind.End).ToDictionary(c => (source.Function(c.Id).Name, c.Depth, c.Start));
        Assert.Equal(["leaf", "leaf", "main", "quick", "slow"], calls.Keys.Select(k => k.Name).Order());
        Assert.All(calls, c => Assert.True(c.Value.Time - c.Value.Start >= (c.Key.Name switch { "slow" => 30_000_000, "main" => 40_000_000, _ => 0 }), c.Key.Name));
        Assert.Equal("main{ slow }", Shown(RecordWith(program, "-C", "leaf", "-t", "20ms"), new FilterOptions()));
    }

    [Needs("clang-22")]
    public void Recursion_deeper_than_filters_follow_is_left_out_and_the_rest_is_whole()
    {
        Harness.Write("p.c", """
            __attribute__((noinline)) static long deep(long n)
            {
                long result = n ? deep(n - 1) : 0;
                __asm__ volatile("" : "+r"(result));
                return result + 1;
            }
            int main(void) { return deep(99999) + deep(9) != 100010; }
            """);
        using var source = TraceSources.Open(RecordWith(Build("p.c", "-O1"), "-F", "main"));
        var functions = CallStatistics.Of(new CallFilter(source, new FilterOptions())).Functions.Select(f => (source.Function(f.Id).Name, f.Calls, f.Whole)).Order();
        Assert.Equal([("deep", 65535 + 10, 65535 + 10), ("main", 1, 1)], functions);
    }

    [Needs("clang-22")]
    public void Only_the_threads_with_the_given_names_and_ids_are_recorded()
    {
        Harness.Write("p.c", """
            #define _GNU_SOURCE
            #include <pthread.h>
            #include <stdint.h>
            #include <sys/prctl.h>
            #include <weft/tracing.h>
            static volatile long sinks[8];
            __attribute__((noinline)) static void step(long n) { sinks[n]++; }
            static void *thread(void *name)
            {
                WEFT_TRACING_NEVER;
                if (*(char *)name != '-') prctl(PR_SET_NAME, name);
                for (int i = 0; i < 100000; i++) step(1);
                if (*(char *)name == '-') prctl(PR_SET_NAME, name + 1);
                for (int i = 0; i < 100000; i++) step(2);
                return 0;
            }
            int main(void)
            {
                WEFT_TRACING_NEVER;
                char *names[] = {"reader", "writer-1", "-writer-late", "writer-2", "other"};
                for (int round = 0; round < 3; round++) {
                    pthread_t threads[5];
                    for (int i = 0; i < 5; i++) pthread_create(&threads[i], 0, thread, names[i]);
                    for (int i = 0; i < 5; i++) pthread_join(threads[i], 0);
                }
                step(3);
                return 0;
            }
            """);
        var program = Build("p.c", "-O1", "-pthread");
        using (var source = TraceSources.Open(RecordWith(program, "--tid", "writer*")))
        {
            Assert.Equal(["writer-1", "writer-2", "writer-late"], source.Threads.Select(t => t.Name).Distinct().Order());
            foreach (var thread in source.Threads)
            {
                var count = source.Read(thread).Count(e => e.Kind == RawKind.Entry);
                // A thread that gets its name late is noticed at the latest when a block of memory is full.
                if (thread.Name == "writer-late") Assert.InRange(count, 100000 - 4096, 100000);
                else Assert.Equal(200000, count);
            }
            Assert.Equal(9, source.Threads.Count);
            Assert.Empty(source.Info.Complaints);
        }
        using (var source = TraceSources.Open(RecordWith(program, "--tid", "p")))
        {
            Assert.Equal(["p"], source.Threads.Select(t => t.Name).Distinct()); // main's, and that of threads that have not got theirs yet
            Assert.Equal(4, source.Threads.Count);
            Assert.Equal(1, source.Threads.Min(t => source.Read(t).Count(e => e.Kind == RawKind.Entry)));
        }
        using (var source = TraceSources.Open(RecordWith(program, "--tid", "writer*", "--tid", "1,2", "-D", "1", "--ring", "256K")))
            Assert.Equal(["writer-1", "writer-2", "writer-late"], source.Threads.Select(t => t.Name).Distinct().Order());
        var none = Harness.Run(Harness.Weft, "tracing", "record", "--tid", "nobody", "-o", Harness.Path("none.trace"), program);
        Assert.Equal(0, none.ExitCode);
        Assert.Empty(none.Output);
        Assert.Contains("no thread matches WEFT_TRACING_THREADS='nobody': nothing is recorded", none.Errors, StringComparison.Ordinal);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("-F", "no function matches WEFT_TRACING_FILTER='nothing': no call is recorded")]
    [InlineData("-C", "no function matches WEFT_TRACING_CALLERS='nothing': no call is recorded")]
    [InlineData("--only", "no function matches WEFT_TRACING_ONLY='nothing' (and is not hidden)")]
    [InlineData("--module", "no function that is wanted lies in WEFT_TRACING_MODULE='nothing': nothing is recorded")]
    public void A_pattern_that_leaves_nothing_is_said(string option, string expected)
    {
        Harness.Write("p.cc", "int main() { return 0; }");
        var outcome = Harness.Run(Harness.Weft, "tracing", "record", option, "nothing", "-o", Harness.Path("p.trace"), Build("p.cc"));
        Assert.Equal(0, outcome.ExitCode);
        Assert.Contains(expected, outcome.Errors, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void Only_a_range_of_time_is_recorded_in_children_too()
    {
        Harness.Write("p.c", """
            #include <stdio.h>
            #include <sys/wait.h>
            #include <time.h>
            #include <unistd.h>
            static volatile long sink;
            __attribute__((noinline)) static void beat(long n) { sink += n; }
            static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
            int main(void)
            {
                double start = now();
                int child = fork();
                long n = 0;
                while (now() < start + 3) { beat(n++); usleep(1000); }
                if (child) waitpid(child, 0, 0);
                return 0;
            }
            """);
        var program = Build("p.c", "-O1", "--tracing-never=now");
        Harness.Must(Harness.Weft, "tracing", "record", "-a", "-r", "500ms~1.5s", "-o", Harness.Path("%p.trace"), program);
        Assert.Equal(2, Traces.Count);
        foreach (var trace in Traces) AssertPart(trace, 500_000_000, endsEarly: true);
        foreach (var old in Traces) File.Delete(old);
        Harness.Must(Harness.Weft, "tracing", "record", "-a", "-r", "1s~", "-o", Harness.Path("%p.trace"), program);
        foreach (var trace in Traces) AssertPart(trace, 1_000_000_000, endsEarly: false);
        foreach (var old in Traces) File.Delete(old);
        var late = Harness.Run(Harness.Weft, "tracing", "record", "-r", "1h~", "-o", Harness.Path("%p.trace"), program);
        Assert.Contains("before WEFT_TRACING_RANGE began: nothing is recorded", late.Errors, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void A_range_that_begins_at_once_misses_nothing()
    {
        Harness.Write("p.cc", "int main() { return 0; }");
        Assert.Equal("main", Tree(RecordWith(Build("p.cc"), "-r", "~1h")));
    }

    [Needs("clang-22")]
    public void Settings_that_are_no_range_or_time_are_said_and_do_not_stop_the_program()
    {
        Harness.Write("p.cc", "int main() { return 0; }");
        var program = Build("p.cc");
        foreach (var range in (string[])["5s", "2s~1s", "soon~", "~-1s", "1.2.3s~"])
        {
            Harness.Environment["WEFT_TRACING_RANGE"] = range;
            Assert.Contains($"WEFT_TRACING_RANGE='{range}' is not a range such as 500ms~2s", MustRecord(program).Errors, StringComparison.Ordinal);
            Assert.Equal("main", Tree(Trace));
            Assert.Equal(2, Harness.Run(Harness.Weft, "tracing", "record", "-r", range, program).ExitCode);
        }
    }

    // beat(n) for one run of n, which neither begins nor (if so) ends with the program's.
    private static void AssertPart(string trace, long from, bool endsEarly)
    {
        using var source = TraceSources.Open(trace);
        var thread = Assert.Single(source.Threads);
        var beats = CallStacks.Of(source, thread).Where(c => c.Kind == CallKind.Begin && source.Function(c.Id).Name == "beat").ToList();
        Assert.True(beats.Count > 0 && beats[0].Time >= from, $"{beats.Count}");
        Assert.Empty(source.Info.Complaints);
        var numbers = source.Read(thread).Where(e => e.Kind == RawKind.Entry && source.Function(e.Id).Name == "beat").Select(e => BitConverter.ToInt64(e.Data.Span)).ToList();
        Assert.Equal(Enumerable.Range((int)numbers[0], numbers.Count).Select(n => (long)n), numbers);
        Assert.NotEqual(0, numbers[0]);
        Assert.Equal(endsEarly, beats[^1].Time < 2_500_000_000);
    }

    private string RecordWith(string program, params string[] options)
    {
        foreach (var old in Traces) File.Delete(old);
        Harness.Must(Harness.Weft, ["tracing", "record", .. options, "-o", Harness.Path("%p.trace"), program]);
        return Trace;
    }

    private static FilterOptions Options(string[] words)
    {
        List<string> Of(string name) => [.. words.Index().Where(w => w.Index % 2 == 1 && words[w.Index - 1] == name).SelectMany(w => w.Item.Split(','))];
        return new FilterOptions
        {
            Only = Of("-F"),
            Not = Of("-N"),
            Callers = Of("-C"),
            Hide = Of("-H"),
            Modules = Of("--module"),
            Depth = Of("-D") is [var depth] ? int.Parse(depth, CultureInfo.InvariantCulture) : int.MaxValue,
            Shortest = Of("-t") is [var time] ? Durations.Parse(time)!.Value : 0,
        };
    }

    private static string Shown(string trace, FilterOptions options)
    {
        using var source = TraceSources.Open(trace);
        var text = new StringBuilder();
        var isOpen = false;
        foreach (var thread in source.Threads)
            foreach (var call in new CallFilter(source, options).Calls(thread))
            {
                if (call.Kind == CallKind.Begin) text.Append(isOpen ? "{ " : "").Append(FunctionNames.Plain(source.Function(call.Id).Name));
                else if (call.Kind == CallKind.End) text.Append(isOpen ? "" : "}").Append(call.Certainty == Certainty.Unwound ? "! " : " ");
                isOpen = call.Kind == CallKind.Begin;
            }
        return text.ToString().TrimEnd();
    }
}
