using Weft.Core;
using Weft.Coverage.Weaving;
using Weft.Coverage.Weaving.Binary;
using Weft.Coverage.Weaving.Own;
using Weft.Llvm;

namespace Weft.Coverage;

/// <summary>
/// Keeps the regions that rustc's and clang's own coverage finds, and counts them another way. The front end's counters
/// become marks, which inlining may copy but nothing may drop; after it, each mark becomes an addition to the counters of
/// the thread it runs on, and counters of loops that nothing leaves sideways gather in registers.
/// <code>
/// atomicrmw add ptr @__profc_f, i64 1         a mark: @__profc_f, 1 (see Marks)
///                                       ==>                          ...
///                                             %shift = the distance from the counters to this thread's own
///                                             add i64 1 to memory at @__profc_f + %shift
/// </code>
/// Guarantee: summed over the threads, each counter has the value that the front end's would have, at every point where
/// the program calls code that was not woven, and where it ends.
/// </summary>
public sealed class CoverageInstrument : IInstrument
{
    private const string Counters = "counters", Exact = "exact", Atomic = "atomic", Binary = "binary", Mcdc = "mcdc", Branches = "branches", Crates = "crates", Regions = "regions", FrontEnd = "frontend", Own = "own", Off = "off", On = "on";

    /// <summary>Values of the option for Rust's crates.</summary>
    internal const string Workspace = "workspace", AllCrates = "all";

    public string Name => "coverage";

    public string Description => "count what ran, by region of the source, in LLVM's formats";

    public IReadOnlyList<InstrumentOption> Options { get; } =
    [
        new(Counters, Exact, [Exact, Atomic, Binary], "exact: counters of each thread's own; atomic: one set for all threads; binary: only whether"),
        new(Crates, Workspace, [], "Rust crates to count: workspace, all, or names with commas between them"),
        new(Branches, Off, [Off, On], "on: conditions of Rust code, too, by an option of rustc that is unstable (those of C and C++ always count)"),
        new(Regions, FrontEnd, [FrontEnd, Own], "frontend: clang's and rustc's own; own: from the source and debug locations, for any code"),
        new(Mcdc, Off, [Off, On], "on: modified condition/decision coverage, where the front end has it (clang)"),
    ];

    public IReadOnlyList<Stage> Stages(InstrumentSettings settings) => [Stage.Front, Stage.Middle];

    public bool WantsCanonicalIr => false;

    public IReadOnlyList<string> SharedSymbols { get; } = ["__weft_coverage_*", "weft_coverage_*", "__llvm_profile_*"];

    public bool ReadsSource(InstrumentSettings settings) => settings.Option(Regions) == Own;

    public IReadOnlyList<string> ClangFlags(InstrumentSettings settings) =>
        ReadsSource(settings) ? [] : ["-fprofile-instrument=clang", "-fcoverage-mapping", .. settings.Option(Mcdc) == On ? ["-fcoverage-mcdc"] : Array.Empty<string>()];

    public IReadOnlyList<string> RustcFlags(InstrumentSettings settings, string crate, bool isMember) =>
        !IsCovered(settings, crate, isMember) ? []
        // One module for the crate tells which of its functions there is no code of.
        : ReadsSource(settings) ? ["-C", "codegen-units=1"]
        : ["-C", "instrument-coverage", .. settings.Option(Branches) == On ? ["-Z", "coverage-options=condition"] : Array.Empty<string>()];

    public string ProfileFolder => "coverage";

    public string? RuntimeBounds(InstrumentSettings settings) => settings.Option(Counters) == Binary ? "bounds_coverage.S" : null;

    public void Weave(Module module, WeaveContext context)
    {
        if (context.Stage == Stage.Front) Mark(module, context);
        else if (Probes.AreIn(module)) MarkLowering.Run(module, context.Option(Counters) == Atomic, promotes: context.Optimised);
    }

    private void Mark(Module module, WeaveContext context)
    {
        if (ReadsSource(context.Settings) && !FrontEndCounters.ArePresent(module)) WeaveOwn(module, context);
        if (!FrontEndCounters.ArePresent(module)) return;
        FrontEndCounters.ToMarks(module);
        if (context.Option(Counters) == Binary) BinaryCounters.Rewrite(module, context.Optimised);
    }

    private static void WeaveOwn(Module module, WeaveContext context)
    {
        if (context.Source == null && module.Functions.TrueForAll(f => f.Subprogram == 0))
            Terminal.Warning("coverage: the module has no debug information, so nothing in it is counted; compile it with -g");
        var source = context.Source ?? new SourceContext("", Environment.CurrentDirectory);
        OwnRegions.Weave(module, source, new CoveredFiles(context.Option(Crates), source).Contains);
    }

    private static bool IsCovered(InstrumentSettings settings, string crate, bool isMember) => settings.Option(Crates) switch
    {
        Workspace => isMember,
        AllCrates => true,
        var names => names.Split(',').Any(n => n.Replace('-', '_') == crate),
    };
}
