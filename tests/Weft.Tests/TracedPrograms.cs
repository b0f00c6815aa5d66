using System.Globalization;
using System.Text;
using Weft.Tracing;

namespace Weft.Tests;

/// <summary>Builds programs <c>--with tracing</c>, runs them and reads what they have written.</summary>
public abstract class TracedPrograms : IDisposable
{
    protected static readonly string Fixtures = Path.Combine(Harness.Root, "tests/fixtures/tracing");

    protected TracedPrograms() => Harness.Environment["WEFT_CC"] = "clang-22";

    protected Harness Harness { get; } = new();

    public virtual void Dispose()
    {
        Harness.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Every function is traced unless the flags say otherwise; a source is a file of this test, or a fixture.</summary>
    protected string Build(string source, params string[] flags) => BuildAs("p", source, flags);

    protected string BuildAs(string output, string source, params string[] flags)
    {
        var path = File.Exists(Harness.Path(source)) ? source : Path.Combine(Fixtures, source);
        string[] threshold = flags.Any(f => f.StartsWith("--tracing-threshold", StringComparison.Ordinal)) ? [] : ["--tracing-threshold=1"];
        Harness.Must(Harness.Weft, [source.EndsWith(".cc", StringComparison.Ordinal) ? "c++" : "cc", "--with=tracing", .. threshold, .. flags, path, "-o", output]);
        return Harness.Path(output);
    }

    /// <summary>Runs a program with tracing on; the traces of runs before are gone.</summary>
    protected Outcome Record(string program, params string[] arguments)
    {
        foreach (var old in Traces) File.Delete(old);
        Harness.Environment["WEFT_TRACING"] = "on";
        Harness.Environment.TryAdd("WEFT_TRACING_FILE", Harness.Path("%p.trace"));
        return Harness.Run(program, arguments);
    }

    protected Outcome MustRecord(string program, params string[] arguments)
    {
        var outcome = Record(program, arguments);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        return outcome;
    }

    protected IReadOnlyList<string> Traces => Directory.GetFiles(Harness.Folder, "*.trace*");

    protected string Trace => Assert.Single(Traces);

    /// <summary>How often each function was called, by its name without arguments.</summary>
    protected static Dictionary<string, long> Counts(string trace)
    {
        using var source = TraceSources.Open(trace);
        return CallStatistics.Of(new CallFilter(source, new FilterOptions())).Functions
            .GroupBy(f => FunctionNames.Plain(source.Function(f.Id).Name)).ToDictionary(g => g.Key, g => g.Sum(f => f.Calls));
    }

    /// <summary>What is wrong with a trace, once all of it has been read.</summary>
    protected static IReadOnlyList<string> Complaints(string trace)
    {
        using var source = TraceSources.Open(trace);
        foreach (var thread in source.Threads)
            foreach (var _ in source.Read(thread)) { }
        return source.Info.Complaints;
    }

    /// <summary>The calls of a trace's only thread: <c>main{ work{ leaf } }</c>; ! where a call was left by an exception, ? where it did not end.</summary>
    protected static string Tree(string trace)
    {
        using var source = TraceSources.Open(trace);
        return Tree(source, Assert.Single(source.Threads));
    }

    protected static string Tree(ITraceSource source, TraceThread thread)
    {
        var text = new StringBuilder();
        var isOpen = false;
        foreach (var call in CallStacks.Of(source, thread))
        {
            if (call.Kind == CallKind.Begin)
            {
                text.Append(isOpen ? "{ " : "").Append(call.Certainty == Certainty.Open ? "?" : "").Append(FunctionNames.Plain(source.Function(call.Id).Name));
                isOpen = true;
            }
            else if (call.Kind == CallKind.End)
            {
                text.Append(isOpen ? "" : "}").Append(call.Certainty == Certainty.Unwound ? "!" : call.Certainty == Certainty.Open ? "?" : "").Append(' ');
                isOpen = false;
            }
        }
        return text.ToString().TrimEnd();
    }

    /// <summary>A program's lines <c>NAME COUNT</c> are its own count of calls; every other line is let be.</summary>
    protected static void AssertCounts(Outcome outcome, IReadOnlyDictionary<string, long> counts)
    {
        var compared = 0;
        foreach (var words in outcome.Output.Split('\n').Select(l => l.Split(' ')))
        {
            if (words.Length != 2 || words[0] == "checksum" || !long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var expected)) continue;
            Assert.Equal((words[0], expected), (words[0], counts.GetValueOrDefault(words[0])));
            compared++;
        }
        Assert.True(compared > 0, outcome.ToString());
    }

    /// <summary>Records, and compares the trace with what the program says of itself.</summary>
    protected Outcome MustCount(string program, params string[] arguments)
    {
        var outcome = MustRecord(program, arguments);
        AssertCounts(outcome, Counts(Trace));
        Assert.Empty(Complaints(Trace));
        return outcome;
    }
}
