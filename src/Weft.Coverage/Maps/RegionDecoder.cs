namespace Weft.Coverage.Maps;

/// <summary>
/// Decodes the record of a function: its files, its expressions, and for each file its regions; LLVM's RawCoverageMappingReader.
/// </summary>
internal ref struct RegionDecoder
{
    private const string What = "a record of a function";

    /// <summary>No source has so many lines; reports go through them one by one.</summary>
    private const int MostLines = 1 << 24;

    private const int LargestNumber = int.MaxValue;
    private const uint GapBit = 1u << 31;

    private ByteReader reader;
    private readonly int fileCount;
    private readonly CounterExpression[] expressions;
    private readonly List<MappedRegion> regions;

    /// <summary>Most of what decoding takes would else be lists that grow.</summary>
    [ThreadStatic]
    private static List<MappedRegion>? reused;

    private RegionDecoder(ReadOnlySpan<byte> encoded, int mostFiles, out int[] files)
    {
        reader = new ByteReader(encoded);
        fileCount = reader.Count(What);
        files = new int[fileCount];
        for (var i = 0; i < fileCount; i++) files[i] = reader.Leb(What, mostFiles - 1);
        expressions = new CounterExpression[reader.Count(What)];
        regions = reused ??= [];
        regions.Clear();
    }

    /// <exception cref="DamageException">It is damaged.</exception>
    public static MappedFunction Decode(MapRecord record)
    {
        var (files, expressions, regions) = Decode(record.Encoded.Span, record.SourceFiles.Length);
        return new MappedFunction(record.NameHash, record.StructuralHash, [.. files.Select(f => record.SourceFiles[f])], expressions, regions);
    }

    /// <summary>The record as it stands: the function's files are indexes into its compilation's list.</summary>
    /// <exception cref="DamageException">It is damaged.</exception>
    public static (int[] Files, CounterExpression[] Expressions, MappedRegion[] Regions) Decode(ReadOnlySpan<byte> encoded, int mostFiles)
    {
        var decoder = new RegionDecoder(encoded, mostFiles, out var files);
        decoder.ReadExpressions();
        for (var file = 0; file < files.Length; file++) decoder.ReadRegions(file);
        if (decoder.regions.Count == 0) throw new DamageException("a function has no regions");
        var decoded = decoder.regions.ToArray();
        ExpansionCounts.Set(decoded, files.Length);
        return (files, decoder.expressions, decoded);
    }

    private void ReadExpressions()
    {
        // Whether it is a sum is told where it is used.
        for (var i = 0; i < expressions.Length; i++)
        {
            var left = ReadCounter();
            var right = ReadCounter();
            expressions[i] = expressions[i] with { Left = left, Right = right };
        }
    }

    private void ReadRegions(int file)
    {
        var line = 0;
        for (var left = reader.Count(What); left > 0; left--)
        {
            var region = ReadKind(file);
            line += reader.Leb(What, MostLines - line);
            int column = reader.Leb(What, LargestNumber), endLine = line + reader.Leb(What, MostLines - line);
            var end = reader.Leb(What);
            if (end >= uint.MaxValue) throw new DamageException("a column is too large");
            var endColumn = (int)(end & ~GapBit);
            // The whole of its lines.
            if (column == 0 && endColumn == 0) (column, endColumn) = (1, int.MaxValue);
            if (CompareTo(line, column, endLine, endColumn) > 0) throw new DamageException("a region ends before it begins");
            regions.Add(region with { Kind = (end & GapBit) != 0 ? RegionKind.Gap : region.Kind, StartLine = line, StartColumn = column, EndLine = endLine, EndColumn = endColumn });
        }
    }

    private static int CompareTo(int line, int column, int endLine, int endColumn) => line != endLine ? line.CompareTo(endLine) : column.CompareTo(endColumn);

    /// <summary>All of a region but where it is.</summary>
    private MappedRegion ReadKind(int file)
    {
        var head = reader.Leb(What, LargestNumber);
        if ((head & 3) != 0) return Region(RegionKind.Code, file, ToCounter(head));
        if ((head & 4) != 0)
        {
            return head >> 3 < fileCount ? Region(RegionKind.Expansion, file, default) with { ExpandedFile = head >> 3 } : throw new DamageException("an expansion is of no file");
        }
        return (RegionKind)(head >> 3) switch
        {
            RegionKind.Code => Region(RegionKind.Code, file, default),
            RegionKind.Skipped => Region(RegionKind.Skipped, file, default),
            RegionKind.Branch => ReadBranch(file, RegionKind.Branch),
            RegionKind.ConditionBranch => ReadCondition(ReadBranch(file, RegionKind.ConditionBranch)),
            RegionKind.Decision => Region(RegionKind.Decision, file, default) with { Decision = (reader.Leb(What, LargestNumber), reader.Leb(What, short.MaxValue - 1)) },
            _ => throw new DamageException($"regions of kind {head >> 3} are not known"),
        };
    }

    private static MappedRegion Region(RegionKind kind, int file, Counter count, Counter falseCount = default) => new(kind, file, 0, count, falseCount, 0, 0, 0, 0);

    private MappedRegion ReadBranch(int file, RegionKind kind)
    {
        var whenTrue = ReadCounter();
        return Region(kind, file, whenTrue, ReadCounter());
    }

    private MappedRegion ReadCondition(MappedRegion region)
    {
        int id = reader.Leb(What, short.MaxValue - 1), whenTrue = reader.Leb(What, short.MaxValue - 1), whenFalse = reader.Leb(What, short.MaxValue - 1);
        return id > 0 ? region with { Condition = (id - 1, whenTrue - 1, whenFalse - 1) } : throw new DamageException("a condition has no number");
    }

    private Counter ReadCounter() => ToCounter(reader.Leb(What, LargestNumber));

    private readonly Counter ToCounter(int encoded)
    {
        var id = encoded >> 2;
        if ((encoded & 3) < 2) return (encoded & 3) == 0 ? Counter.Zero : new Counter(CounterKind.Reference, id);
        if (id >= expressions.Length) throw new DamageException("an expression is not there");
        expressions[id] = expressions[id] with { IsSum = (encoded & 3) == 3 };
        return new Counter(CounterKind.Expression, id);
    }
}
