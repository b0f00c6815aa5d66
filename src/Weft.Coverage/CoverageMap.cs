namespace Weft.Coverage;

/// <summary>What a counter of a coverage map stands for.</summary>
public enum CounterKind
{
    /// <summary>Never executed.</summary>
    Zero,

    /// <summary>Entry <see cref="Counter.Id"/> of the function's counters.</summary>
    Reference,

    /// <summary>Entry <see cref="Counter.Id"/> of the function's expressions.</summary>
    Expression,
}

/// <summary>A count that a coverage map names: a physical counter, or an expression over counters.</summary>
public readonly record struct Counter(CounterKind Kind, int Id)
{
    public static Counter Zero => default;
}

/// <summary>A sum or a difference of two counters.</summary>
public readonly record struct CounterExpression(bool IsSum, Counter Left, Counter Right);

/// <summary>Kinds of regions, as LLVM's coverage mapping format has them.</summary>
public enum RegionKind { Code, Expansion, Skipped, Gap, Branch, Decision, ConditionBranch }

/// <summary>
/// A stretch of source with a count. Lines and columns begin at 1, columns count bytes of UTF-8, and the end is exclusive.
/// </summary>
/// <param name="Kind">What the counts mean.</param>
/// <param name="File">Index into the function's files.</param>
/// <param name="ExpandedFile">For an expansion, the file index of what the macro or include became.</param>
/// <param name="Count">How often the region ran; for a branch, how often the condition was true.</param>
/// <param name="FalseCount">For branches, how often the condition was false.</param>
/// <param name="StartLine">First line.</param>
/// <param name="StartColumn">First column.</param>
/// <param name="EndLine">Last line.</param>
/// <param name="EndColumn">The column behind the last one.</param>
/// <param name="Decision">For MC/DC: where the decision's bits end in the function's bitmap, and how many conditions it has.</param>
/// <param name="Condition">For MC/DC branches: number of the condition, and of those that follow when it is true and false (-1: none).</param>
public readonly record struct MappedRegion(
    RegionKind Kind, int File, int ExpandedFile, Counter Count, Counter FalseCount,
    int StartLine, int StartColumn, int EndLine, int EndColumn,
    (int BitmapEnd, int Conditions) Decision = default, (int Id, int WhenTrue, int WhenFalse) Condition = default);

/// <summary>One function record of a coverage map (section <c>__llvm_covfun</c>).</summary>
/// <param name="NameHash">Low 64 bits of the MD5 of the function's profile name.</param>
/// <param name="StructuralHash">Hash of the function's shape, which its counts must carry too; 0 for a function that was never instantiated.</param>
/// <param name="Files">Paths as the compiler wrote them, resolved against its working directory.</param>
/// <param name="Expressions">What counters of kind <see cref="CounterKind.Expression"/> mean.</param>
/// <param name="Regions">In the order of the record.</param>
public sealed record MappedFunction(
    ulong NameHash, ulong StructuralHash, IReadOnlyList<string> Files, IReadOnlyList<CounterExpression> Expressions, IReadOnlyList<MappedRegion> Regions)
{
    /// <summary>The first file that is no expansion.</summary>
    public string DefiningFile => Files.Where((_, i) => !Regions.Any(r => r.Kind == RegionKind.Expansion && r.ExpandedFile == i)).Concat(Files).FirstOrDefault("");
}
