using System.Globalization;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>What <c>--interrupts-debug on</c> prints.</summary>
internal static class Explanation
{
    public static string Of(Function function, FunctionPlan plan)
    {
        var text = new System.Text.StringBuilder(function.Name);
        if (plan.Probes.Count == 0 && plan.Regions.Count == 0 && plan.Unrolled.Count == 0 && plan.Checks.Count == 0)
            text.Append(CultureInfo.InvariantCulture, $": no probes, callers pay {plan.Summary.Uncharged} units");
        text.Append('\n');
        foreach (var probe in plan.Probes) Line("probe", probe.Before, $"{probe.Cost} units: {probe.Why}");
        foreach (var call in plan.WaysBack) Line("probe", call, $"{FunctionPlan.WayBack} units: the way back from recursion");
        foreach (var (from, _) in plan.WaysOut) Line("probe", from.Terminator, $"{FunctionPlan.WayBack} units: the way back from recursion");
        foreach (var call in plan.Checks) Line("look at the clock", call, "after a call that may take long");
        foreach (var unrolled in plan.Unrolled) text.Append(CultureInfo.InvariantCulture, $"  probe: {unrolled.Cost} units: {unrolled.Copies} rounds of a tiny loop\n");
        foreach (var region in plan.Regions)
        {
            foreach (var spend in region.Spends) Line("probe in a register", spend.Before, $"{spend.Cost} units: {spend.Why}");
            foreach (var unrolled in region.Unrolled) text.Append(CultureInfo.InvariantCulture, $"  probe in a register: {unrolled.Cost} units: {unrolled.Copies} rounds of a loop\n");
            foreach (var prepaid in region.Prepaid) Line("prepaid loop", prepaid.Counted.Comparison, $"{prepaid.Cost} units a round");
        }
        return text.ToString();

        void Line(string what, Instruction where, string why) =>
            text.Append("  ").Append(what).Append(where.DebugLine is > 0 and var line ? string.Create(CultureInfo.InvariantCulture, $" at line {line}") : "").Append(": ").Append(why).Append('\n');
    }
}
