using System.CommandLine;
using System.CommandLine.Parsing;
using Weft.Core;
using Weft.Llvm;
using Weft.Tracing;

namespace Weft.Cli.Commands.Tracing;

/// <summary>The trace that a command is of.</summary>
internal static class TraceFiles
{
    public static Argument<string?> Argument() => new("FILE") { Description = "A trace [default: the newest in WEFT_OUT or ./weft-out]", Arity = ArgumentArity.ZeroOrOne };

    public static Option<string?> Program() => new("--program") { HelpName = "FILE", Description = "The executable that wrote an XRay log of clang's -fxray-instrument: such logs do not name functions" };

    public static ITraceSource Open(string? file, string? program = null) => TraceSources.Open(file ?? Newest(), Demangler.Demangle, program);

    /// <summary>The part of the trace that filters leave, for as long as <paramref name="read"/> takes; then says what is wrong with it.</summary>
    /// <param name="file">Null for the newest.</param>
    /// <param name="options">The filters.</param>
    /// <param name="read">True if there was anything.</param>
    /// <param name="program">See <see cref="Program"/>.</param>
    public static void Read(string? file, FilterOptions options, Func<CallFilter, bool> read, string? program = null)
    {
        using var source = Open(file, program);
        var filter = new CallFilter(source, options);
        var found = read(filter);
        var unmatched = filter.Complaints().ToList();
        foreach (var complaint in source.Info.Complaints.Concat(unmatched)) Terminal.Warning(complaint);
        if (!found && unmatched.Count == 0) Terminal.Warning(WhyEmpty(source));
    }

    private static string WhyEmpty(ITraceSource source) => (source.Threads.Count, source.Functions.Count) switch
    {
        ( > 0, _) => "there is nothing to show: the filters leave none of the trace, or none of it is calls",
        (0, 0) => "the trace is empty: no function of the program was built --with tracing",
        (0, var count) => $"the trace is empty: none of the {count} functions built --with tracing was called while tracing was on",
        _ => "",
    };

    private static string Newest()
    {
        var wish = Environment.GetEnvironmentVariable("WEFT_OUT");
        var folder = string.IsNullOrEmpty(wish) ? "weft-out" : wish;
        var newest = Directory.Exists(folder) ? new DirectoryInfo(folder).EnumerateFiles("*.weft-trace").MaxBy(f => f.LastWriteTimeUtc) : null;
        return newest == null
            ? throw WeftException.Usage($"which trace? there is none in '{folder}'", "name a file, or record one: build with weft cc --with=tracing or weft cargo build --with tracing, and run the program")
            : Path.Combine(folder, newest.Name);
    }
}

/// <summary>Filters, with uftrace's letters.</summary>
internal sealed class FilterArguments
{
    private readonly Option<string[]> only = Patterns("--filter", "-F", "Show only functions that match, and what they call");
    private readonly Option<string[]> not = Patterns("--notrace", "-N", "Leave out functions that match, and what they call");
    private readonly Option<string[]> callers = Patterns("--caller-filter", "-C", "Show only functions that match and the calls that lead to them");
    private readonly Option<string[]> hide = Patterns("--hide", "-H", "Leave out functions that match, but not what they call");
    private readonly Option<string[]> modules = Patterns("--module", null, "Show only functions of these programs and libraries");
    private readonly Option<int?> depth = new("--depth", "-D") { HelpName = "N", Description = "Show only N levels of calls" };
    private readonly Option<string?> shortest = new("--time-filter", "-t") { HelpName = "TIME", Description = "Show only calls that take TIME or longer: 5us, 1.5ms, 2s" };
    private readonly Option<string?> range = new("--time-range", "-r") { HelpName = "FROM~TO", Description = "Show only a part: 1.2s~1.3s, ~100ms, 2s~" };
    private readonly Option<string?> threads = new("--tid") { HelpName = "LIST", Description = "Show only these threads: ids and names, with commas" };

    public FilterArguments()
    {
        depth.Validators.Add(RequirePositive);
        shortest.Validators.Add(RequireTime);
        range.Validators.Add(RequireRange);
    }

    public static void RequirePositive(OptionResult result)
    {
        if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var n) && n > 0)) result.AddError($"--depth: '{token.Value}' is not a positive number");
    }

    public static void RequireTime(OptionResult result)
    {
        if (result.Tokens is [var token] && Durations.Parse(token.Value) == null) result.AddError($"--time-filter: '{token.Value}' is not a time such as 5us or 1.5ms");
    }

    public static void RequireRange(OptionResult result)
    {
        if (result.Tokens is [var token] && ParseRange(token.Value) == null) result.AddError($"--time-range: '{token.Value}' is not a range such as 1.2s~1.3s, ~100ms or 2s~");
    }

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[only, not, callers, hide, modules, depth, shortest, range, threads]) command.Add(option);
    }

    public FilterOptions Of(ParseResult parsed)
    {
        var (from, to) = parsed.GetValue(range) is { } text ? ParseRange(text)!.Value : (0, long.MaxValue);
        return new FilterOptions
        {
            Only = parsed.GetValue(only) ?? [],
            Not = parsed.GetValue(not) ?? [],
            Callers = parsed.GetValue(callers) ?? [],
            Hide = parsed.GetValue(hide) ?? [],
            Modules = parsed.GetValue(modules) ?? [],
            Threads = parsed.GetValue(threads)?.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [],
            Depth = parsed.GetValue(depth) ?? int.MaxValue,
            Shortest = parsed.GetValue(shortest) is { } time ? Durations.Parse(time)!.Value : 0,
            From = from,
            To = to,
        };
    }

    private static Option<string[]> Patterns(string name, string? letter, string description) =>
        new(name, letter == null ? [] : [letter]) { HelpName = "GLOB", Description = description, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };

    public static (long From, long To)? ParseRange(string text)
    {
        if (text.Split('~') is not [var from, var to]) return null;
        var start = from.Length == 0 ? 0 : Durations.Parse(from);
        var end = to.Length == 0 ? long.MaxValue : Durations.Parse(to);
        return start <= end ? (start.Value, end.Value) : null;
    }
}
