using System.Text;
using Weft.Llvm;

namespace Weft.Core;

/// <summary>The instruments of one build with the values of their options.</summary>
public sealed class Weaving(IReadOnlyList<IInstrument> instruments, IReadOnlyDictionary<string, string> options, DenyUninstrumented? deny = null)
{
    public static Weaving None { get; } = new([], new Dictionary<string, string>());

    public IReadOnlyList<IInstrument> Instruments { get; } = instruments;

    /// <summary>Only the options that differ from their defaults, by "instrument-option".</summary>
    public IReadOnlyDictionary<string, string> Options { get; } = options;

    /// <summary>What is said of code that is not woven; null: it is linked as it is.</summary>
    public DenyUninstrumented? Deny { get; } = deny;

    public bool IsEmpty => Instruments.Count == 0;

    public bool WantsCanonicalIr => Instruments.Any(i => i.WantsCanonicalIr);

    public bool WantsStage(Stage stage) => Instruments.Any(i => i.Stages(SettingsOf(i)).Contains(stage));

    /// <summary>"metering-tracing", or "plain" without instruments.</summary>
    public string Name => IsEmpty ? "plain" : string.Join('-', Instruments.Select(i => i.Name));

    /// <summary>Text that differs whenever what is woven differs.</summary>
    public string Fingerprint
    {
        get
        {
            if (Options.Count == 0 && Deny == null) return Name;
            var text = new StringBuilder(Name);
            foreach (var (name, value) in Options.OrderBy(o => o.Key, StringComparer.Ordinal)) text.Append(';').Append(name).Append('=').Append(value);
            if (Deny != null) text.Append(";deny=").Append(Deny.Allowed);
            return text.ToString();
        }
    }

    /// <summary>Whether an instrument reads the source: see <see cref="IInstrument.ReadsSource"/>.</summary>
    public bool ReadsSource => Instruments.Any(i => i.ReadsSource(SettingsOf(i)));

    /// <summary>Whether an instrument needs debug locations (see <see cref="IInstrument.WantsLocations"/>), or a refusal that names a line.</summary>
    public bool WantsLocations => Deny != null || Instruments.Any(i => i.WantsLocations(SettingsOf(i)));

    /// <summary>Whether an instrument reads what debug information says of types: see <see cref="IInstrument.WantsTypes"/>.</summary>
    public bool WantsTypes => Instruments.Any(i => i.WantsTypes);

    /// <summary>Whether an instrument works on each function by itself: see <see cref="IInstrument.KeepsFunctionsApart"/>.</summary>
    public bool KeepsFunctionsApart => Instruments.Any(i => i.KeepsFunctionsApart);

    /// <summary>Throws if a module that nothing has been woven into holds what is denied.</summary>
    public void Check(Module module, string name) => Deny?.Check(module, name, Instruments.SelectMany(i => i.FindUninstrumented(module)));

    public void Weave(Module module, Stage stage, OptLevel level, SourceContext? source, bool isLast)
    {
        foreach (var instrument in Instruments)
            if (SettingsOf(instrument) is var settings && instrument.Stages(settings).Contains(stage))
                instrument.Weave(module, new WeaveContext(stage, level, settings, source, isLast));
    }

    /// <summary>What clang's front end is told for all instruments.</summary>
    public IEnumerable<string> ClangFlags => Instruments.SelectMany(i => i.ClangFlags(SettingsOf(i)));

    /// <summary>What clang's code generator is told for all instruments.</summary>
    public IEnumerable<string> ClangCodeFlags => Instruments.SelectMany(i => i.ClangCodeFlags);

    /// <summary>What rustc is told for all instruments.</summary>
    public IEnumerable<string> RustcFlags(string crate, bool isMember) => Instruments.SelectMany(i => i.RustcFlags(SettingsOf(i), crate, isMember));

    /// <summary>Sources of the runtime whose objects go around all others.</summary>
    public IEnumerable<string> RuntimeBounds => Instruments.Select(i => i.RuntimeBounds(SettingsOf(i))).OfType<string>();

    /// <summary>What the instruments have to do to the object file of a woven module.</summary>
    public bool Finish(byte[] objectFile) => Instruments.Aggregate(false, (changed, instrument) => instrument.Finish(objectFile) | changed);

    /// <summary>What the linker is told for all instruments; of the user's flags, the last says more.</summary>
    public IReadOnlyList<string> LinkerFlags => SeesLinks ? ["--build-id"] : [];

    /// <summary>Whether an instrument works on what was linked: see <see cref="IInstrument.SeesLinks"/>.</summary>
    public bool SeesLinks => Instruments.Any(i => i.SeesLinks);

    /// <summary>Whether a flag of the linker would take away what an instrument needs of its output.</summary>
    public bool Drops(string linkerFlag) => linkerFlag.StartsWith("-Wl,", StringComparison.Ordinal) ? Drops(linkerFlag[4..]) : linkerFlag switch
    {
        "-s" or "--strip-all" => SeesLinks,
        "--icf=all" or "--icf=safe" => KeepsFunctionsApart,
        _ => false,
    };

    /// <summary>What the instruments have to do to a program or library that is linked.</summary>
    /// <param name="output">The file.</param>
    /// <param name="arguments">Of the linker.</param>
    /// <param name="link">Runs it, and returns its exit code.</param>
    /// <param name="toolchain">Folder of the toolchain's own libraries, which are not the user's build; or null.</param>
    public int Link(string output, IEnumerable<string> arguments, Func<int> link, string? toolchain = null)
    {
        var seeing = Instruments.Where(i => i.SeesLinks).ToList();
        if (seeing.Count == 0) return link();
        var (inputs, _) = FilesIn(arguments, output, toolchain);
        if (link() is var exit and not 0) return exit;
        foreach (var instrument in seeing) instrument.FinishLink(output, inputs);
        return 0;
    }

    /// <summary>Objects and archives among a linker's arguments: the user's build, and the toolchain.</summary>
    /// <param name="arguments">Of the linker.</param>
    /// <param name="output">What it makes.</param>
    /// <param name="toolchain">As for <see cref="Link"/>.</param>
    public static (List<string> Own, List<string> Toolchain) FilesIn(IEnumerable<string> arguments, string output, string? toolchain)
    {
        var files = arguments.Where(a => !a.StartsWith('-') && a != output && IsLinked(a) && File.Exists(a)).Distinct().ToLookup(a => toolchain != null && a.StartsWith(toolchain + "/", StringComparison.Ordinal));
        return ([.. files[false]], [.. files[true]]);
    }

    private static bool IsLinked(string path) => path.EndsWith(".o", StringComparison.Ordinal) || path.EndsWith(".a", StringComparison.Ordinal) || path.EndsWith(".rlib", StringComparison.Ordinal);

    private InstrumentSettings SettingsOf(IInstrument instrument) => new(name => OptionValue(instrument, name), name => Instruments.Any(i => i.Name == name));

    private string OptionValue(IInstrument instrument, string name) =>
        Options.TryGetValue($"{instrument.Name}-{name}", out var value) ? value : instrument.Options.First(o => o.Name == name).Default;
}
