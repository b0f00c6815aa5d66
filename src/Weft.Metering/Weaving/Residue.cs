using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// What a function that is only called from its own module leaves to its callers to charge: a constant. A leaf that always costs the same
/// touches no memory then.
/// <code>
/// define internal i32 @f(i32 %x) {      define internal i32 @f(i32 %x) {    ; leaves 3
///   mark 3                                ret i32 %x
///   ret i32 %x                          }
/// }                                ==>
///   mark 4                                call i32 @f(i32 1)
///   call i32 @f(i32 1)                    call i32 @f(i32 2)
///   call i32 @f(i32 2)                    call void @weft.metering.charge(i64 10)
/// </code>
/// Guarantee: where the function returns exactly that is pending, whichever way it came there.
/// </summary>
internal static class Residue
{
    /// <summary>Stands for what a function leaves while that is not known yet: it calls itself.</summary>
    public const ulong Unknown = 1ul << 40;

    // So much may be pending longer than it would be.
    private const ulong Most = 1 << 16;

    /// <summary>Whether every caller can charge what is left. None has been lowered, and none returns by a jump into the function.</summary>
    public static bool IsPossible(FunctionFlow flow, Observers observers)
    {
        var function = flow.Function;
        return function.IsOnlyCalled && observers.IsKnown(function) && !function.HasAttribute("presplitcoroutine"u8) && !flow.HasTailCalls
            && function.AsValue.AllUsers.TrueForAll(u => u.AsInstruction is var call && observers.CanStillCharge(call) && !FunctionFlow.IsTail(call));
    }

    /// <summary>What is pending on the ways to the returns that are taken most, calls of the function itself apart.</summary>
    public static ulong Choose(FunctionFlow flow, ChargePlan plan)
    {
        var frequencies = new BlockFrequencies(flow.Graph, new LoopForest(flow.Graph));
        var shares = new SortedDictionary<ulong, double>();
        for (var block = 0; block < flow.Graph.Count; block++)
            if (plan.AtStart[block].Reached && flow.Steps[block] is [.., { At.Opcode: Opcode.Ret }])
                foreach (var (units, share) in Ways(block, flow, plan, frequencies))
                    if (units <= Most) shares[units] = shares.GetValueOrDefault(units) + share;
        return shares.Count == 0 ? 0 : shares.MaxBy(s => s.Value).Key;
    }

    private static IEnumerable<(ulong Units, double Share)> Ways(int block, FunctionFlow flow, ChargePlan plan, BlockFrequencies frequencies)
    {
        if (plan.BeforeReturn(block) is { Varies: false } pending) yield return (pending.Units, frequencies.Of(block));
        else if (plan.CanSettle(block))
            foreach (var before in flow.Graph.Predecessors[block])
                if (plan.AtStart[before].Reached && plan.AtEnd(before) is { Varies: false } end)
                    yield return (end.Units + plan.UnitsOf(block), frequencies.Of(before) / flow.Graph.Successors[before].Length);
    }
}
