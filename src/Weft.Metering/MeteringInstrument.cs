using System.Buffers.Text;
using Weft.Core;
using Weft.Core.Flow;
using Weft.Llvm;
using Weft.Metering.Costs;
using Weft.Metering.Weaving;

namespace Weft.Metering;

/// <summary>
/// Counts units of work (<see cref="CostModel"/>) of IR as the front end wrote it, and stops at a limit. FRONT marks
/// what each block costs (<see cref="Marker"/>), so that the optimiser may inline and simplify as it does without; MIDDLE turns the
/// marks into a sum in a register that goes to the thread's meter where somebody may look (<see cref="MarkLowering"/>); BACK
/// puts in the instructions that do so (<see cref="Probes"/>): a subtraction from memory, and a jump where the limit is looked at.
/// <code>
/// define i32 @f(i32 %n) {               define i32 @f(i32 %n) {
/// entry:                                entry:
///   %c = icmp sgt i32 %n, 0               %c = icmp sgt i32 %n, 0
///   br i1 %c, label %then, label %out     br i1 %c, label %then, label %out
/// then:                           ==>   then:
///                                         call void @weft.metering.check(i64 3)      ; sub; js
///   call void @g()                        call void @g()
///   br label %out                         br label %out
/// out:                                  out:
///                                         %units = phi i64 [ 2, %entry ], [ 1, %then ]
///                                         call void @weft.metering.charge(i64 %units) ; sub
///   ret i32 %n                            ret i32 %n
/// }                                     }
/// </code>
/// Guarantee: what is charged equals the sum over executed blocks of their units, on every path out of the function (return,
/// unwinding, longjmp, exit, musttail call), whenever code runs that is not woven. The same at every optimisation level: what
/// would let the optimiser drop, merge or duplicate a call is taken off first (<see cref="Canonicaliser"/>), and marks stay.
/// </summary>
public sealed class MeteringInstrument : IInstrument
{
    private const string Mode = "mode", Register = "register", Reference = "reference", Detail = "detail", Total = "total", Functions = "functions", Lines = "lines", Calls = "calls", Limits = "limits", On = "on", Off = "off", Exact = "exact", Costs = "costs";

    public string Name => "metering";

    public string Description => "count the work a program does, the same on every run and at every -O level, and stop it at a limit";

    public IReadOnlyList<InstrumentOption> Options { get; } =
    [
        new(Mode, Register, [Register, Reference], "register: gather charges in a register between calls; reference: charge memory at every block"),
        new(Detail, Total, [Total, Functions, Lines, Calls], "what the report tells apart beside threads: functions, their lines too, or calls by who called whom as well; each costs time"),
        new(Limits, On, [On, Off, Exact], "on: loops look for the limit; off: calls of code that is not woven do, loops do not; exact: as on, memory is as the source says, and a callback may throw"),
        new(Costs, CostModel.CanonicalName, [CostModel.CanonicalName, CostModel.InstructionsName], "what a unit is: canonical; instructions: every one of the front end's IR; or as a file says", CostFile.Read),
    ];

    public IReadOnlyList<Stage> Stages(InstrumentSettings settings) => settings.Option(Mode) == Reference ? [Stage.Front] : [Stage.Front, Stage.Middle, Stage.Back];

    public bool WantsCanonicalIr => true;

    public bool IsForWindows => true;

    /// <summary>C, too, must be fit to be unwound.</summary>
    public IReadOnlyList<string> ClangFlags(InstrumentSettings settings) => settings.Option(Limits) == Exact ? ["-fexceptions"] : [];

    /// <summary>The crate weft asks by it whether a limit may unwind.</summary>
    public IReadOnlyList<string> RustcFlags(InstrumentSettings settings, string crate, bool isMember) =>
        settings.Option(Limits) == Exact ? ["--cfg", "weft_metering_exact", "--check-cfg", "cfg(weft_metering_exact)"] : [];
    public bool WantsLocations(InstrumentSettings settings) => settings.Option(Detail) is Lines or Calls;

    public IReadOnlyList<string> SharedSymbols { get; } = ["__weft_metering_*", "weft_metering_*"];

    public bool FindsUninstrumented => true;

    public IEnumerable<Uninstrumented> FindUninstrumented(Module module)
    {
        var resolvers = module.IndirectResolvers;
        return Uncounted.In(module, f => resolvers.Contains(f) || (!MayCharge(f) && !RustAllocatorShim.IsHarmless(f, module)));
    }

    public void Weave(Module module, WeaveContext context)
    {
        var isReference = context.Option(Mode) == Reference;
        if (context.Stage == Stage.Front) Mark(module, context, isReference);
        if (context.Stage == Stage.Middle) Lower(module, context);
        if ((context.Stage == Stage.Back || context.IsLast || isReference) && Probes.AreIn(module)) Probes.Expand(module);
    }

    private static void Mark(Module module, WeaveContext context, bool isReference)
    {
        if (WorkMarks.AreIn(module) || Probes.AreIn(module) || Probes.AreExpanded(module)) return; // woven before: bitcode that went through link-time optimisation
        Canonicaliser.Run(module);
        var model = CostModel.Of(context.Option(Costs));
        var calls = new CallCosts(module, model);
        calls.Check();
        var functions = module.Functions.Where(IsCharged(module, calls)).ToList();
        if (functions.Count == 0) return;
        CostRecord.Add(module, model);
        var (detail, isExact) = (context.Option(Detail), context.Option(Limits) == Exact);
        var probes = new Probes(module, isExact);
        using var builder = new Builder(module.Context);
        var marker = new Marker(module, builder, new InstructionCosts(module, model, calls), detail == Total ? null : new Records(module, hasLines: detail is Lines or Calls), detail == Calls ? new CallContexts(module, builder, probes) : null);
        if (isReference) marker.Charge(functions, probes, looks: !isExact);
        else marker.Mark(functions, new WorkMarks(module));
        if (isExact) LimitPoints.Insert(module, functions, builder);
        if (isExact && isReference) LimitPoints.Find(module)!.Seal(probes);
        probes.Seal();
    }

    private static void Lower(Module module, WeaveContext context)
    {
        if (!WorkMarks.AreIn(module)) return;
        var calls = new CallCosts(module, CostModel.Of(context.Option(Costs)));
        MarkLowering.Run(module, IsCharged(module, calls), context.Option(Limits) != Off, context.Optimised, context.Settings.IsWovenWith("hotpatch"));
    }

    private static Func<Function, bool> IsCharged(Module module, CallCosts calls)
    {
        var resolvers = module.IndirectResolvers;
        return f => MayCharge(f) && !resolvers.Contains(f) && !calls.IsFree(f);
    }

    // Naked functions have no frame to count in; noprofile is clang's no_profile_instrument_function.
    private static bool MayCharge(Function function) =>
        !function.IsDeclaration && !function.HasAttribute("naked"u8) && !function.HasAttribute("noprofile"u8) &&
        !function.AsValue.NameBytes.StartsWith("weft."u8) && !RustAllocatorShim.Is(function) && !MingwStdio.Is(function);
}

/// <summary>
/// rustc makes forwarders from <c>__rust_alloc</c> and its kin to the global allocator in each final artefact. They are
/// not the program's work, and rustc gives some of them a body only at some settings.
/// </summary>
internal static class RustAllocatorShim
{
    public static bool Is(Function function)
    {
        var name = function.Name;
        return name.StartsWith("__rust_", StringComparison.Ordinal) || name.Contains("7___rustc") && name.Contains("__rust_");
    }

    /// <summary>Whether its own work is bounded, as that of rustc's is: a function that somebody else named so may loop or call itself.</summary>
    public static bool IsHarmless(Function function, Module module)
    {
        if (!Is(function) || new LoopForest(new FlowGraph(function, new BranchWeights(module.Context))).All.Count > 0) return false;
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (instruction.IsCall && instruction.CalledValue is { IsFunction: true } callee && Is(callee.AsFunction)) return false;
        return true;
    }
}

/// <summary>
/// printf, scanf and their kin, which mingw's headers define: each only hands on to one of the library's, such as <c>__mingw_vfprintf</c>. They
/// are the C library, and cost their call.
/// </summary>
internal static class MingwStdio
{
    public static bool Is(Function function)
    {
        if (!IsName(function.AsValue.NameBytes)) return false;
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (instruction.IsCall && instruction.CalledValue is { IsFunction: true } callee && callee.NameBytes.StartsWith("__mingw_"u8))
                    return true;
        return false;
    }

    // In C++ they are mangled: _Z6printfPKcz.
    private static bool IsName(ReadOnlySpan<byte> name)
    {
        if (name.StartsWith("_Z"u8) && Utf8Parser.TryParse(name[2..], out int length, out var digits) && length > 0 && length <= name.Length - 2 - digits)
            name = name.Slice(2 + digits, length);
        return name.EndsWith("printf"u8) || name.EndsWith("scanf"u8);
    }
}
