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
    private readonly List<MappedRegion> regions = [];

    private RegionDecoder(MapRecord record, out string[] files)
    {
        reader = new ByteReader(record.Encoded.Span);
        fileCount = reader.Count(What);
        files = new string[fileCount];
        for (var i = 0; i < fileCount; i++) files[i] = record.SourceFiles[reader.Leb(What, record.SourceFiles.Length - 1)];
        expressions = new CounterExpression[reader.Count(What)];
    }

    /// <exception cref="DamageException">It is damaged.</exception>
    public static MappedFunction Decode(MapRecord record)
    {
        var decoder = new RegionDecoder(record, out var files);
        decoder.ReadExpressions();
        for (var file = 0; file < files.Length; file++) decoder.ReadRegions(file);
        if (decoder.regions.Count == 0) throw new DamageException("a function has no regions");
        var decoded = decoder.regions.ToArray();
        ExpansionCounts.Set(decoded, files.Length);
        return new MappedFunction(record.NameHash, record.StructuralHash, files, decoder.expressions, decoded);
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
            var region = ReadKind(new MappedRegion(RegionKind.Code, file, 0, default, default, 0, 0, 0, 0));
            line += reader.Leb(What, MostLines - line);
            region = region with { StartLine = line, StartColumn = reader.Leb(What, LargestNumber), EndLine = line + reader.Leb(What, MostLines - line) };
            var endColumn = reader.Leb(What);
            if (endColumn >= uint.MaxValue) throw new DamageException("a column is too large");
            if ((endColumn & GapBit) != 0) region = region with { Kind = RegionKind.Gap };
            region = region with { EndColumn = (int)(endColumn & ~GapBit) };
            // The whole of its lines.
            if (region is { StartColumn: 0, EndColumn: 0 }) region = region with { StartColumn = 1, EndColumn = int.MaxValue };
            if ((region.StartLine, region.StartColumn).CompareTo((region.EndLine, region.EndColumn)) > 0) throw new DamageException("a region ends before it begins");
            regions.Add(region);
        }
    }

    private MappedRegion ReadKind(MappedRegion region)
    {
        var head = reader.Leb(What, LargestNumber);
        if ((head & 3) != 0) return region with { Count = ToCounter(head) };
        if ((head & 4) != 0)
        {
            return head >> 3 < fileCount ? region with { Kind = RegionKind.Expansion, ExpandedFile = head >> 3 } : throw new DamageException("an expansion is of no file");
        }
        return (RegionKind)(head >> 3) switch
        {
            RegionKind.Code => region,
            RegionKind.Skipped => region with { Kind = RegionKind.Skipped },
            RegionKind.Branch => ReadBranch(region, RegionKind.Branch),
            RegionKind.ConditionBranch => ReadCondition(ReadBranch(region, RegionKind.ConditionBranch)),
            RegionKind.Decision => region with { Kind = RegionKind.Decision, Decision = (reader.Leb(What, LargestNumber), reader.Leb(What, short.MaxValue - 1)) },
            _ => throw new DamageException($"regions of kind {head >> 3} are not known"),
        };
    }

    private MappedRegion ReadBranch(MappedRegion region, RegionKind kind)
    {
        var whenTrue = ReadCounter();
        return region with { Kind = kind, Count = whenTrue, FalseCount = ReadCounter() };
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
