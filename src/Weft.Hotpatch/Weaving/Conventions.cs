using System.Text;
using Weft.Llvm;

namespace Weft.Hotpatch.Weaving;

/// <summary>
/// Where optimised functions are called otherwise than their source says. Callers that were compiled with them know it, and those that
/// are under way when a patch comes go on calling like that.
/// <code>
/// C helper	0 2 void    only this file knows it, and LLVM has left the first and third argument and taken away the result
/// U handle	1,2         callers in this file leave these arguments undefined, since it does not look at them
/// </code>
/// Arguments are marked at FRONT by attributes, which go where they go; what comes of splitting one has none.
/// Sources: ArgumentPromotion.cpp and DeadArgumentElimination.cpp of LLVM.
/// </summary>
internal static class Conventions
{
    private static ReadOnlySpan<byte> Argument => "weft-argument"u8;

    private static ReadOnlySpan<byte> Result => "weft-result"u8;

    /// <summary>At FRONT: has no effect on what the optimiser does.</summary>
    public static void Mark(Module module)
    {
        foreach (var function in module.Functions.Where(f => !f.IsDeclaration && IsLocal(f)))
        {
            function.Add(module.Context.StringAttribute(Result, Encoding.UTF8.GetBytes(OriginalOf(function))));
            for (var i = 0; i < Count(function); i++) function.Add(i, module.Context.StringAttribute(Argument, Encoding.UTF8.GetBytes($"{i}")));
        }
    }

    /// <summary>At BACK: what became of them. Removes the marks.</summary>
    public static SortedDictionary<string, string> TakeMarks(Module module)
    {
        var lines = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var function in module.Functions)
            if (function.StringAttribute(Result) is { } original)
            {
                if (Take(function) is var now && now != original) lines["C " + function.Name] = now;
            }
            else if (!function.IsDeclaration && function.Linkage is Linkage.External or Linkage.DllExport && Unused(function) is { Length: > 0 } unused && IsCalled(function)) lines["U " + function.Name] = unused;
        return lines;
    }

    private static bool IsLocal(Function function) => function.Linkage is Linkage.Internal or Linkage.Private;

    private static int Count(Function function) => function.FunctionType.Parameters.Count;

    private static string OriginalOf(Function function) => string.Concat(Enumerable.Range(0, Count(function)).Select(i => $"{i} ")) + function.FunctionType.Result.Text;

    private static string Take(Function function)
    {
        var text = new StringBuilder();
        for (var i = 0; i < Count(function); i++)
        {
            text.Append(function.StringAttribute(i, Argument) ?? $"part:{function.FunctionType.Parameters[i].Text}").Append(' ');
            function.RemoveStringAttribute(i, Argument);
        }
        function.RemoveStringAttribute(Result);
        return text.Append(function.FunctionType.Result.Text).ToString();
    }

    private static string Unused(Function function) => string.Join(',', Enumerable.Range(0, Count(function)).Where(i => !function.Parameter(i).HasUses));

    private static bool IsCalled(Function function)
    {
        foreach (var user in function.AsValue.AllUsers)
            if (user.IsInstruction && user.AsInstruction.IsCall && user.AsInstruction.CalledValue == function.AsValue) return true;
        return false;
    }
}
