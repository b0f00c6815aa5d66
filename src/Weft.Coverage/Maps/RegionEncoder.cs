namespace Weft.Coverage.Maps;

/// <summary>
/// Encodes the record of a function, which <see cref="CoverageMapFile.Decode"/> reads; LLVM's CoverageMappingWriter.
/// </summary>
public sealed class RegionEncoder
{
    private const ulong GapBit = 1u << 31;
    private const int ExpressionTag = 2, KindShift = 3;

    private readonly List<byte> bytes = [];
    private readonly IReadOnlyList<CounterExpression> expressions;

    private RegionEncoder(IReadOnlyList<CounterExpression> expressions) => this.expressions = expressions;

    /// <param name="files">Of each file of the function, its index in the compilation's list.</param>
    /// <param name="expressions">All of them are written, used or not.</param>
    /// <param name="regions">In any order; what an expansion counts is not written.</param>
    public static byte[] Encode(IReadOnlyList<int> files, IReadOnlyList<CounterExpression> expressions, IReadOnlyList<MappedRegion> regions)
    {
        var encoder = new RegionEncoder(expressions);
        encoder.WriteFiles(files);
        encoder.WriteExpressions();
        var byFile = regions.ToLookup(r => r.File);
        for (var file = 0; file < files.Count; file++) encoder.WriteRegions([.. byFile[file].OrderBy(r => (r.StartLine, r.StartColumn, Rank(r.Kind)))]);
        return [.. encoder.bytes];
    }

    // A decision comes before the branches of its conditions.
    private static int Rank(RegionKind kind) => kind == RegionKind.Decision ? 2 * (int)RegionKind.Branch - 1 : 2 * (int)kind;

    private void WriteFiles(IReadOnlyList<int> files)
    {
        Write(files.Count);
        foreach (var file in files) Write(file);
    }

    private void WriteExpressions()
    {
        Write(expressions.Count);
        foreach (var expression in expressions)
        {
            Write(expression.Left);
            Write(expression.Right);
        }
    }

    private void WriteRegions(MappedRegion[] regions)
    {
        Write(regions.Length);
        var line = 0;
        foreach (var region in regions)
        {
            WriteKind(region);
            var isWholeLines = (region.StartColumn, region.EndColumn) == (1, int.MaxValue);
            Write(region.StartLine - line);
            Write(isWholeLines ? 0 : region.StartColumn);
            Write(region.EndLine - region.StartLine);
            Leb((isWholeLines ? 0 : (ulong)region.EndColumn) | (region.Kind == RegionKind.Gap ? GapBit : 0));
            line = region.StartLine;
        }
    }

    private void WriteKind(MappedRegion region)
    {
        switch (region.Kind)
        {
            case RegionKind.Code or RegionKind.Gap:
                Write(region.Count);
                return;
            case RegionKind.Expansion:
                Write(region.ExpandedFile << KindShift | 1 << KindShift - 1);
                return;
        }
        Write((int)region.Kind << KindShift);
        switch (region.Kind)
        {
            case RegionKind.Decision:
                Write(region.Decision.BitmapEnd);
                Write(region.Decision.Conditions);
                return;
            case RegionKind.Branch or RegionKind.ConditionBranch:
                Write(region.Count);
                Write(region.FalseCount);
                break;
        }
        if (region.Kind != RegionKind.ConditionBranch) return;
        Write(region.Condition.Id + 1);
        Write(region.Condition.WhenTrue + 1);
        Write(region.Condition.WhenFalse + 1);
    }

    private void Write(Counter counter) => Write(counter.Kind switch
    {
        CounterKind.Reference => counter.Id << 2 | (int)CounterKind.Reference,
        CounterKind.Expression => counter.Id << 2 | ExpressionTag + (expressions[counter.Id].IsSum ? 1 : 0),
        _ => 0,
    });

    private void Write(int number) => Leb((ulong)number);

    private void Leb(ulong number)
    {
        for (; number >= 0x80; number >>= 7) bytes.Add((byte)(number | 0x80));
        bytes.Add((byte)number);
    }
}
