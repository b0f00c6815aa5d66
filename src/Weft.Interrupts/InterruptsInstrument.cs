using System.Globalization;
using Weft.Core;
using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>
/// Places probes in optimised IR, so that vectorised and unrolled loops stay what they are. A probe subtracts the cost of
/// the code since the last one from the thread's budget and calls the runtime when nothing is left:
/// <code>
/// define void @f(ptr %p) {            define void @f(ptr %p) {
///                                       call void @weft.interrupts.probe(i64 17)   ; sub; js
///   call void @g(ptr %p)                call void @g(ptr %p)
///   ret void                            ret void
/// }                                   }
/// </code>
/// <see cref="Planner"/> says where, <see cref="PrepaidWeaver"/> shows what becomes of a counted loop. Guarantee: every
/// cycle of loops and calls through woven code passes a probe, and a path without one costs at most the gap asked for, as
/// <see cref="CostModel"/> counts (a chain of calls of functions without probes, and of returns, at most a quarter of it each). The woven
/// code computes what it computed before.
/// </summary>
public sealed class InterruptsInstrument : IInstrument
{
    private const string Clock = "clock", MaxGap = "max-gap", Placement = "placement", Debug = "debug";
    public const int SmallestGap = 32, LargestGap = 1_000_000;

    public string Name => "interrupts";

    public string Description => "calls a handler on the program's own thread every few microseconds, without signals";

    public IReadOnlyList<InstrumentOption> Options { get; } =
    [
        new(Clock, "cycles", ["cycles", "instructions", "flag"], "what WEFT_INTERRUPTS_DEFAULT and register_ci() mean; flag: probes poll, nothing is counted"),
        new(MaxGap, Settings.DefaultMaxGap.ToString(CultureInfo.InvariantCulture), [], "units that a path without probes may cost"),
        new(Placement, "planned", ["planned", "naive"], "naive: a probe in every block, to compare with"),
        new(Debug, "off", ["off", "on"], "say on standard error which probes went into which function, and why"),
    ];

    public IReadOnlyList<Stage> Stages(InstrumentSettings settings) => IsCanonical(settings) ? [Stage.Front, Stage.Back] : [Stage.Back];

    public bool WantsCanonicalIr => false;

    public IReadOnlyList<string> SharedSymbols { get; } = ["__weft_interrupts_*", "weft_interrupts_*"];

    public void Weave(Module module, WeaveContext context)
    {
        if (Probes.ArePresent(module)) return; // woven before, for example bitcode that went through link-time optimisation
        if (context.Stage == Stage.Front) CanonicalPoints.Mark(module);
        else if (IsCanonical(context.Settings)) CanonicalPoints.Probe(module);
        else Place(module, context);
    }

    private static bool IsCanonical(InstrumentSettings settings) => settings.Option(Clock) == "instructions" && settings.IsWovenWith("metering");

    private static void Place(Module module, WeaveContext context)
    {
        var settings = new Settings(Gap(context.Option(MaxGap)), context.Optimised);
        var clock = context.Option(Clock);
        var resolvers = module.IndirectResolvers;
        var functions = module.Functions.Where(f => MayHold(f) && !resolvers.Contains(f)).ToList();
        if (functions.Count == 0) return;
        var probes = Probes.LinkInto(module, polling: clock == "flag", settings.MaxGap);
        Probes.Declare(module, clock switch { "cycles" => 1, "instructions" => 2, _ => 3 }, clock == "flag" ? ProbeKind.Polling : ProbeKind.Counting);
        var weights = new BranchWeights(module.Context);
        var summaries = new Summaries();
        var model = new CostModel(module);
        using var weaver = new FunctionWeaver(module, probes, weights);
        var holds = false;
        foreach (var function in CallOrder.CalleesFirst(functions))
        {
            var graph = new FlowGraph(function, weights);
            var facts = new FunctionFacts(function, graph, model, summaries);
            var planner = new Planner(module, graph, facts, model, settings);
            var plan = context.Option(Placement) == "naive" ? Planner.ProbeEveryBlock(graph, facts) : planner.Plan();
            summaries.Set(function, plan.Summary);
            if (context.Option(Debug) == "on") BuildNotes.Write(Explanation.Of(function, plan));
            weaver.Weave(function, graph, facts, planner.Loops, plan);
            holds |= plan.Regions.Count > 0 || plan.Unrolled.Count > 0;
        }
        probes.Seal();
        module.RunPasses(holds ? "always-inline,function(mem2reg)" : "always-inline", machine: null, default);
    }

    private static int Gap(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var gap) && gap is >= SmallestGap and <= LargestGap
            ? gap
            : throw WeftException.Usage($"--interrupts-max-gap: '{text}' is not a number from {SmallestGap} to {LargestGap}");

    // Naked functions have no frame; noprofile is clang's no_profile_instrument_function.
    internal static bool MayHold(Function function) =>
        !function.IsDeclaration && function.Linkage != Linkage.AvailableExternally && !function.HasAttribute("naked"u8) && !function.HasAttribute("noprofile"u8);
}
