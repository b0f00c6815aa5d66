using Weft.Core;
using Weft.Llvm;

namespace Weft.Metering;

/// <summary>
/// Counts canonical units of work (<see cref="CanonicalCost"/>) on IR as the front end wrote it. A block is charged whole
/// when control enters it; the charges of a function gather in a local and reach the thread's count before anybody else
/// could look: before each call and each way out.
/// <code>
/// define i32 @f(i32 %n) {               define i32 @f(i32 %n) {
/// entry:                                entry:
///                                         %units = alloca i64
///                                         store i64 0, ptr %units
///                                         call void @weft.metering.enter(ptr @record.f)
///                                         %units += 2
///   %c = icmp sgt i32 %n, 0               %c = icmp sgt i32 %n, 0
///   br i1 %c, label %then, label %out     br i1 %c, label %then, label %out
/// then:                           ==>   then:
///                                         %units += 1
///                                         call void @weft.metering.flush(i64 %units, ptr @record.f)
///                                         %units = 0
///   call void @g()                        call void @g()
///   br label %out                         br label %out
/// out:                                  out:
///                                         %units += 1
///                                         call void @weft.metering.flush(i64 %units, ptr @record.f)
///   ret i32 %n                            ret i32 %n
/// }                                     }
/// </code>
/// Guarantee: the sum of what is flushed equals the sum over executed blocks of their units, on every path out of the
/// function (return, unwinding, longjmp, exit, musttail call), because nothing is pending while a callee runs. The same
/// sum at every optimisation level: what would let the optimiser drop, merge or duplicate a charged call is taken off
/// first (<see cref="Canonicaliser"/>).
/// </summary>
public sealed class MeteringInstrument : IInstrument
{
    private const string Mode = "mode", Register = "register", Reference = "reference";

    public string Name => "metering";

    public string Description => "count the work a program does, the same on every run and at every -O level";

    public IReadOnlyList<InstrumentOption> Options { get; } =
    [
        new(Mode, Register, [Register, Reference], "register: gather charges in a register between calls; reference: charge memory at every block"),
    ];

    public IReadOnlyList<Stage> Stages(InstrumentSettings settings) => [Stage.Front];

    public bool WantsCanonicalIr => true;

    public IReadOnlyList<string> SharedSymbols { get; } = ["__weft_metering_*", "weft_metering_*"];

    public void Weave(Module module, WeaveContext context)
    {
        if (Probes.ArePresent(module)) return; // woven before, for example bitcode that went through link-time optimisation
        Canonicaliser.Run(module);
        var resolvers = module.IndirectResolvers;
        var functions = module.Functions.Where(f => IsCharged(f) && !resolvers.Contains(f)).ToList();
        if (functions.Count == 0) return;
        var probes = Probes.LinkInto(module);
        using var weaver = new FunctionWeaver(module, probes, eachBlock: context.Option(Mode) == Reference);
        foreach (var function in functions) weaver.Weave(function);
        probes.Seal();
    }

    // Naked functions have no frame to count in; noprofile is clang's no_profile_instrument_function.
    private static bool IsCharged(Function function) =>
        !function.IsDeclaration && !function.HasAttribute("naked"u8) && !function.HasAttribute("noprofile"u8) && !RustAllocatorShim.Is(function);
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
}
