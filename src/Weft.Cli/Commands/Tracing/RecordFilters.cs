using System.CommandLine;
using System.Globalization;
using Weft.Tracing;

namespace Weft.Cli.Commands.Tracing;

/// <summary>What is recorded at all, with the letters of <see cref="FilterArguments"/>. The runtime in the program does the rest.</summary>
internal sealed class RecordFilters
{
    private readonly Option<string[]> only = Patterns("--only", null, "Switch on only functions that match; nothing is cheaper");
    private readonly Option<string[]> hide = Patterns("--hide", "-H", "Do not switch on functions that match");
    private readonly Option<string[]> modules = Patterns("--module", null, "Switch on only functions of these programs and libraries");
    private readonly Option<string[]> filter = Patterns("--filter", "-F", "Record only functions that match, and what they call");
    private readonly Option<string[]> not = Patterns("--notrace", "-N", "Leave out functions that match, and what they call");
    private readonly Option<string[]> callers = Patterns("--caller-filter", "-C", "Record only functions that match and the calls that lead to them");
    private readonly Option<int?> depth = new("--depth", "-D") { HelpName = "N", Description = "Record only N levels of calls" };
    private readonly Option<string?> shortest = new("--time-filter", "-t") { HelpName = "TIME", Description = "Record only calls that take TIME or longer: 5us, 1.5ms, 2s" };
    private readonly Option<string?> range = new("--time-range", "-r") { HelpName = "FROM~TO", Description = "Record only this part of the run: 1.2s~1.3s, ~100ms, 2s~" };
    private readonly Option<string[]> threads = Patterns("--tid", null, "Record only these threads: names, and ids");

    public RecordFilters()
    {
        depth.Validators.Add(FilterArguments.RequirePositive);
        shortest.Validators.Add(FilterArguments.RequireTime);
        range.Validators.Add(FilterArguments.RequireRange);
    }

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[only, hide, modules, filter, not, callers, depth, shortest, range, threads]) command.Add(option);
    }

    /// <summary>The runtime's variables; null for those that stay what they are.</summary>
    public IEnumerable<(string Variable, string? Value)> Of(ParseResult parsed) =>
    [
        ("WEFT_TRACING_ONLY", Joined(parsed, only)),
        ("WEFT_TRACING_HIDE", Joined(parsed, hide)),
        ("WEFT_TRACING_MODULE", Joined(parsed, modules)),
        ("WEFT_TRACING_FILTER", Joined(parsed, filter)),
        ("WEFT_TRACING_NOTRACE", Joined(parsed, not)),
        ("WEFT_TRACING_CALLERS", Joined(parsed, callers)),
        ("WEFT_TRACING_THREADS", Joined(parsed, threads)),
        ("WEFT_TRACING_DEPTH", parsed.GetValue(depth)?.ToString(CultureInfo.InvariantCulture)),
        ("WEFT_TRACING_MIN_DURATION", parsed.GetValue(shortest) is { } time ? Nanoseconds(Durations.Parse(time)!.Value) : null),
        ("WEFT_TRACING_RANGE", parsed.GetValue(range) is { } text ? Range(FilterArguments.ParseRange(text)!.Value) : null),
    ];

    private static Option<string[]> Patterns(string name, string? letter, string description) =>
        new(name, letter == null ? [] : [letter]) { HelpName = "GLOB,...", Description = description, Arity = ArgumentArity.OneOrMore, AllowMultipleArgumentsPerToken = false };

    private static string? Joined(ParseResult parsed, Option<string[]> patterns) => parsed.GetValue(patterns) is { Length: > 0 } given ? string.Join(',', given) : null;

    private static string Nanoseconds(long time) => string.Create(CultureInfo.InvariantCulture, $"{time}ns");

    private static string Range((long From, long To) range) => $"{Nanoseconds(range.From)}~{(range.To == long.MaxValue ? "" : Nanoseconds(range.To))}";
}
