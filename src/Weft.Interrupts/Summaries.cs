using System.Text;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>What callers need to know of a function.</summary>
/// <param name="Uncharged">Units on its way from entry to return that none of its own probes charges: callers charge them.</param>
/// <param name="Syncs">Whether it, or what it calls, has probes: callers may not keep the count in a register across the call.</param>
internal readonly record struct Summary(int Uncharged, bool Syncs);

internal enum CallKind { Inert, Known, Unknown, Recursive, Slow, DisableRegion, EnableRegion }

/// <summary>
/// Knows what each call means. Functions of the module are summed up once planned. For all others one convention does what
/// lists of costs between modules would: a function may leave at most <see cref="Settings.LeafLimit"/> units uncharged,
/// and every unknown call is charged <see cref="UnknownCost"/>. It holds for any order and any set of modules, so builds
/// stay parallel and repeatable.
/// </summary>
internal sealed class Summaries
{
    public const int UnknownCost = 16;
    private const int ShortCost = 20, SlowCost = 100;

    private readonly Dictionary<nint, Summary> known = [];
    private readonly Dictionary<nint, (CallKind Kind, int Cost)> declared = [];
    private readonly uint cold = Llvm.Attribute.Kind("cold"u8), noReturn = Llvm.Attribute.Kind("noreturn"u8), returnsTwice = Llvm.Attribute.Kind("returns_twice"u8);

    public void Set(Function function, Summary summary) => known[function.Handle] = summary;

    /// <summary>What a call does beyond its own instruction.</summary>
    public (CallKind Kind, int Cost, bool Syncs) Of(Instruction call)
    {
        var callee = call.CalledValue;
        if (callee.IsInlineAsm) return (CallKind.Inert, 0, false);
        if (!callee.IsFunction) return (CallKind.Unknown, UnknownCost, true);
        var function = callee.AsFunction;
        if (function.IsIntrinsic) return (CallKind.Inert, 0, false);
        if (known.TryGetValue(function.Handle, out var summary)) return (CallKind.Known, summary.Uncharged, summary.Syncs);
        if (!function.IsDeclaration) return (CallKind.Recursive, UnknownCost, true); // planned later: it calls this one, as far as names go
        if (!declared.TryGetValue(function.Handle, out var kind)) declared[function.Handle] = kind = KindOf(function);
        return (kind.Kind, kind.Cost, kind.Kind is CallKind.Unknown or CallKind.Slow);
    }

    public bool IsCold(Instruction call) => Has(call, cold) || Has(call, noReturn);

    public bool ReturnsTwice(Instruction call) => Has(call, returnsTwice);

    private static bool Has(Instruction call, uint kind) =>
        call.HasCallSiteAttribute(kind) || call.CalledValue is { IsFunction: true } callee && callee.AsFunction.HasAttribute(kind);

    private static (CallKind, int) KindOf(Function function)
    {
        var name = Encoding.UTF8.GetString(function.AsValue.NameBytes);
        return name switch
        {
            "weft_interrupts_instr_disable" or "instr_disable" => (CallKind.DisableRegion, 0),
            "weft_interrupts_instr_enable" or "instr_enable" => (CallKind.EnableRegion, 0),
            _ => Externals.KindOf(name) switch
            {
                External.Short => (CallKind.Inert, ShortCost),
                External.Slow => (CallKind.Slow, SlowCost),
                _ => (CallKind.Unknown, UnknownCost),
            },
        };
    }
}
