using System.Globalization;
using Weft.Core;

namespace Weft.Cli.Testing;

/// <summary>The arguments of a program with Rust's test harness, as far as they decide which tests run and how results look.</summary>
internal sealed class LibtestArguments
{
    private readonly List<string> filters = [];

    /// <summary>What chooses tests, for <c>--list</c>.</summary>
    public IReadOnlyList<string> Filters => filters;

    /// <summary>False when it is asked for help or a list, or runs benchmarks.</summary>
    public bool RunsTests { get; private set; } = true;

    public bool OnlyIgnored { get; private set; }

    public bool IncludesIgnored { get; private set; }

    public bool NoCapture { get; private set; }

    public bool ShowOutput { get; private set; }

    public bool Quiet { get; private set; }

    public int Threads { get; private set; } = ThreadsByDefault();

    /// <exception cref="WeftException">There is an option that cannot be done test by test.</exception>
    public static LibtestArguments Parse(IReadOnlyList<string> arguments)
    {
        var parsed = new LibtestArguments();
        for (var i = 0; i < arguments.Count; i++)
        {
            var argument = arguments[i];
            if (!argument.StartsWith('-')) parsed.filters.Add(argument);
            else if (!parsed.Take(argument))
            {
                var (name, value) = argument.IndexOf('=') is var at and > 0 ? (argument[..at], argument[(at + 1)..]) : (argument, i + 1 < arguments.Count ? arguments[++i] : null);
                parsed.Take(name, value);
            }
        }
        return parsed;
    }

    private bool Take(string option)
    {
        switch (option)
        {
            case "--list" or "--help" or "-h" or "--bench": RunsTests = false; break;
            case "--test": break;
            case "--exact": filters.Add(option); break;
            case "--ignored": OnlyIgnored = true; break;
            case "--include-ignored": IncludesIgnored = true; break;
            case "--nocapture" or "--no-capture": NoCapture = true; break;
            case "--show-output": ShowOutput = true; break;
            case "--quiet" or "-q": Quiet = true; break;
            default: return false;
        }
        return true;
    }

    private void Take(string option, string? value)
    {
        if (value == null) throw WeftException.Usage($"test option {option} needs a value, or is not known");
        switch (option)
        {
            case "--skip": filters.AddRange([option, value]); break;
            case "--color": break; // nothing is coloured
            case "--format" when value is "pretty": break;
            case "--format" when value is "terse": Quiet = true; break;
            case "--test-threads" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var threads) && threads > 0: Threads = threads; break;
            default: throw WeftException.Usage($"'{option} {value}' cannot be done with --coverage-per-test", "tests run one by one: leave it out, or run without --coverage-per-test");
        }
    }

    private static int ThreadsByDefault() =>
        int.TryParse(Environment.GetEnvironmentVariable("RUST_TEST_THREADS"), NumberStyles.None, CultureInfo.InvariantCulture, out var wish) && wish > 0 ? wish : Environment.ProcessorCount;
}
