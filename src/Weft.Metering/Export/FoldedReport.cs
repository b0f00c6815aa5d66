using Weft.Core;

namespace Weft.Metering.Export;

/// <summary>Who called whom as <see cref="FoldedStacks"/>, with units.</summary>
public static class FoldedReport
{
    public static void Write(Stream output, ReportView view)
    {
        using var stacks = new FoldedStacks(output);
        foreach (var context in view.Stacks.Walk(view.Name)) stacks.Write(context.Depth, view.Name(context.Function), context.Self);
    }
}
