using Weft.Core;

namespace Weft.Toolchain;

/// <summary>
/// What a build is asked to weave, the same for every door: from flags (<c>--with metering --metering-mode reference
/// --skip CRATE --std</c>), else from <c>WEFT_WITH</c>, <c>WEFT_METERING_MODE</c> and so on, else from a project's metadata.
/// </summary>
public sealed record BuildOptions
{
    public IReadOnlyList<string> With { get; init; } = [];

    /// <summary>By "instrument-option"; only those that differ from the default.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = new Dictionary<string, string>();

    /// <summary>Crates (cargo) that are lowered without instruments.</summary>
    public IReadOnlyList<string> Skip { get; init; } = [];

    /// <summary>Also weave Rust's standard library.</summary>
    public bool Std { get; init; }

    /// <summary>Whether code that is not woven is refused, and what of it is allowed.</summary>
    public DenyUninstrumented? Deny { get; init; }

    /// <summary>Report stage times at the end.</summary>
    public bool Timings { get; init; }

    /// <summary>Folder that gets every module before it is lowered; null: none.</summary>
    public string? Repro { get; init; }

    /// <summary>Text that differs whenever the result of the build differs.</summary>
    public string Fingerprint =>
        $"{string.Join(',', With)};{string.Join(',', Options.OrderBy(o => o.Key, StringComparer.Ordinal).Select(o => $"{o.Key}={o.Value}"))};{string.Join(',', Skip.Order(StringComparer.Ordinal))};{Std}{(Deny == null ? "" : $";deny={Deny.Allowed}")}";

    /// <summary>Takes Weft's own flags out of a command line (up to a lone <c>--</c>) and adds what the environment says.</summary>
    /// <param name="arguments">Left with what is not Weft's.</param>
    /// <param name="instruments">Every instrument there is.</param>
    /// <param name="metadata">Lowest precedence: keys as the flags without dashes ("with", "skip", "metering-mode").</param>
    /// <param name="rust">Look for what only means something to cargo; <c>--std</c> is an option of clang's too.</param>
    public static BuildOptions Parse(List<string> arguments, InstrumentSet instruments, IReadOnlyDictionary<string, string>? metadata = null, bool rust = true)
    {
        var flags = new FlagReader(arguments);
        string? Setting(string name) => flags.TakeValue("--" + name) ?? Variable(name) ?? metadata?.GetValueOrDefault(name);

        var with = Words(Setting("with"));
        var options = new Dictionary<string, string>();
        foreach (var instrument in instruments.All)
            foreach (var option in instrument.Options)
                if (Setting($"{instrument.Name}-{option.Name}") is { } value && value != option.Default)
                    options[$"{instrument.Name}-{option.Name}"] = Checked(instrument, option, value);
        foreach (var name in with) instruments.Find(name);
        return new BuildOptions
        {
            With = [.. instruments.All.Select(i => i.Name).Where(with.Contains)],
            Options = options,
            Skip = rust ? Words(Setting("skip")) : [],
            Std = rust && (flags.TakeSwitch("--std") || Truth(Variable("std") ?? metadata?.GetValueOrDefault("std"))),
            Deny = ReadDeny(flags, instruments.All.Where(i => with.Contains(i.Name)), metadata),
            Timings = flags.TakeSwitch("--weft-timings") || Truth(Variable("timings")),
            Repro = Setting("repro") is { } folder ? Path.GetFullPath(folder) : null,
        };
    }

    // Beside the options of instruments.
    private static readonly string[] OtherVariables = ["ALLOW_UNINSTRUMENTED", "BACKTRACE", "CACHE_SIZE", "CC", "CXX", "DENY_UNINSTRUMENTED", "DISABLE", "FORCE_LOWER", "LLVM", "OUT", "REPRO", "SKIP", "STD", "TIMINGS", "VERBOSE", "WITH"];

    /// <summary>Variables that look like Weft's and mean nothing to it: misspelt, they would be silent. An instrument's name, and those that begin with it, may be its runtime's.</summary>
    public static IReadOnlyList<string> UnknownVariables(InstrumentSet instruments)
    {
        var known = OtherVariables.Concat(instruments.All.Select(i => i.Name.ToUpperInvariant())).Select(v => "WEFT_" + v).ToHashSet();
        var prefixes = instruments.All.Select(i => $"WEFT_{i.Name.ToUpperInvariant()}_").ToList();
        return [.. Environment.GetEnvironmentVariables().Keys.Cast<string>()
            .Where(v => v.StartsWith("WEFT_", StringComparison.Ordinal) && !known.Contains(v) && !prefixes.Any(p => v.StartsWith(p, StringComparison.Ordinal) || v == p[..^1]))
            .Order(StringComparer.Ordinal)];
    }

    // A project may say it for its builds with metering; whoever asks for it in a build without is told.
    private static DenyUninstrumented? ReadDeny(FlagReader flags, IEnumerable<IInstrument> with, IReadOnlyDictionary<string, string>? metadata)
    {
        const string deny = "deny-uninstrumented", allow = "allow-uninstrumented";
        var given = flags.TakeValues("--" + allow);
        var isAsked = flags.TakeSwitch("--" + deny) || Truth(Variable(deny));
        if (!isAsked && !Truth(metadata?.GetValueOrDefault(deny)))
            return given.Count == 0 ? null : throw WeftException.Usage($"--{allow} means nothing without --{deny}", $"add --{deny}");
        if (!with.Any(i => i.FindsUninstrumented))
            return !isAsked ? null : throw WeftException.Usage($"--{deny} is about metering, which this build does not have", "add --with metering");
        return new DenyUninstrumented(given.Count > 0 ? string.Join(',', given) : Variable(allow) ?? metadata?.GetValueOrDefault(allow) ?? "");
    }

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable("WEFT_" + name.Replace('-', '_').ToUpperInvariant()) is { Length: > 0 } value ? value : null;

    private static bool Truth(string? text) => text is "1" or "true" or "on" or "yes";

    private static string[] Words(string? text) => text?.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    private static string Checked(IInstrument instrument, InstrumentOption option, string value)
    {
        if (option.Values.Contains(value) || option is { Values.Count: 0, Read: null }) return value;
        if (option.Read != null && (option.Values.Count == 0 || File.Exists(value))) return option.Read(Path.GetFileName(value), AtomicFile.Read(value));
        throw WeftException.Usage($"--{instrument.Name}-{option.Name}: '{value}' is not one of {string.Join(", ", option.Values)}{(option.Read != null ? ", nor a file" : "")}");
    }
}

/// <summary>The instruments Weft has, in the order they are woven.</summary>
public sealed class InstrumentSet(IReadOnlyList<IInstrument> all)
{
    public IReadOnlyList<IInstrument> All { get; } = all;

    public IInstrument Find(string name) => All.FirstOrDefault(i => i.Name == name)
        ?? throw WeftException.Usage($"there is no instrument '{name}'", $"the instruments are {string.Join(", ", All.Select(i => i.Name))}");

    public Weaving Weaving(BuildOptions options) => new([.. options.With.Select(Find)], options.Options, options.Deny);
}

/// <summary>Takes single flags out of a list of arguments, up to a lone "--".</summary>
public sealed class FlagReader(List<string> arguments)
{
    private int End => arguments.IndexOf("--") is var at and >= 0 ? at : arguments.Count;

    /// <summary>The value of the last <c>--name VALUE</c> or <c>--name=VALUE</c>, or null; all of them are removed.</summary>
    public string? TakeValue(string name) => TakeValues(name) is [.., var last] ? last : null;

    /// <summary>The values of all of them.</summary>
    public List<string> TakeValues(string name)
    {
        var values = new List<string>();
        for (var i = 0; i < End;)
        {
            if (arguments[i].StartsWith(name + "=", StringComparison.Ordinal)) values.Add(arguments[i][(name.Length + 1)..]);
            else if (arguments[i] != name) { i++; continue; }
            else if (i + 1 < End)
            {
                values.Add(arguments[i + 1]);
                arguments.RemoveAt(i + 1);
            }
            else throw WeftException.Usage($"{name} needs a value");
            arguments.RemoveAt(i);
        }
        return values;
    }

    public bool TakeSwitch(string name)
    {
        var taken = false;
        for (var i = End - 1; i >= 0; i--)
            if (arguments[i] == name)
            {
                arguments.RemoveAt(i);
                taken = true;
            }
        return taken;
    }
}
