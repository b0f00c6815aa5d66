using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Weft.Core;
using Weft.Coverage.Model;

namespace Weft.Coverage.PerTest;

/// <summary>Test maps as files; the format is in docs/coverage-format.md.</summary>
public static class TestMapFile
{
    private const uint Version = 1;
    private const int DigestSize = 32, LongestPayload = 1 << 30, LastLine = 1 << 24;
    private const int NeverTrue = 0x10, NeverFalse = 0x20, KindMask = 0x0F;

    private static ReadOnlySpan<byte> Magic => "WEFTTEST"u8;

    public static byte[] Encode(TestMap map)
    {
        var payload = new MemoryStream();
        using (var writer = new BinaryWriter(payload, Encoding.UTF8, leaveOpen: true)) WritePayload(writer, map);
        var plain = payload.GetBuffer().AsSpan(0, (int)payload.Length);
        using var file = new MemoryStream();
        using (var writer = new BinaryWriter(file, Encoding.UTF8, leaveOpen: true))
        {
            writer.Write(Magic);
            writer.Write(Version);
            writer.Write(SHA256.HashData(plain));
        }
        using (var packed = new BrotliStream(file, CompressionLevel.Optimal, leaveOpen: true)) packed.Write(plain);
        return file.ToArray();
    }

    /// <exception cref="WeftException">The file cannot be read, is no test map, or is damaged.</exception>
    public static TestMap Read(string path)
    {
        try { return Decode(AtomicFile.Read(path)); }
        catch (DamageException e) { throw new WeftException($"cannot read test map '{path}': {e.Message}", "run the tests again to make it anew, or leave it out", ExitCode.Failure, e); }
    }

    private static void WritePayload(BinaryWriter writer, TestMap map)
    {
        var sources = map.Functions.SelectMany(f => f.Sources).Distinct().OrderBy(s => s.Path, StringComparer.Ordinal).ThenBy(s => s.Blob, StringComparer.Ordinal).ToList();
        var sourceIndex = sources.Select((s, i) => (s, i)).ToDictionary(p => p.s, p => p.i);
        WriteList(writer, sources, source =>
        {
            writer.Write(source.Path);
            WriteHex(writer, source.Blob);
        });
        WriteList(writer, map.Functions, function =>
        {
            writer.Write(function.NameHash);
            writer.Write(function.StructuralHash);
            WriteShape(writer, function.Shape);
            foreach (var source in function.Sources) writer.Write7BitEncodedInt(sourceIndex[source]);
            WriteList(writer, function.Patterns, pattern => writer.Write(pattern));
        });
        WriteList(writer, map.Images, image =>
        {
            writer.Write(image.Path);
            WriteHex(writer, image.BuildId);
            WriteSorted(writer, image.Functions);
        });
        WriteList(writer, map.Tests, test =>
        {
            writer.Write(test.Program);
            writer.Write(test.Name);
            writer.Write((byte)test.Kind);
            writer.Write(test.Passed);
            WriteSorted(writer, test.Images);
            WriteSorted(writer, [.. test.Reached.Select(r => r.Function)]);
            foreach (var (_, pattern) in test.Reached) writer.Write7BitEncodedInt(pattern);
        });
    }

    /// <summary>All of a function but its sources.</summary>
    internal static void WriteShape(BinaryWriter writer, FunctionCoverage shape)
    {
        writer.Write(shape.Name);
        writer.Write(shape.IsUnused);
        writer.Write7BitEncodedInt(shape.Files.Length);
        writer.Write7BitEncodedInt(shape.MainFile + 1);
        WriteRegions(writer, shape.Regions);
        WriteRegions(writer, shape.Branches);
    }

    private static void WriteRegions(BinaryWriter writer, CountedRegion[] regions)
    {
        var line = 0;
        WriteList(writer, regions, region =>
        {
            writer.Write((byte)((int)region.Kind | (region.IsNeverTrue ? NeverTrue : 0) | (region.IsNeverFalse ? NeverFalse : 0)));
            writer.Write7BitEncodedInt(region.File);
            writer.Write7BitEncodedInt(region.ExpandedFile);
            writer.Write7BitEncodedInt(ZigZag(region.StartLine - line));
            writer.Write7BitEncodedInt(region.StartColumn);
            writer.Write7BitEncodedInt(region.EndLine - region.StartLine);
            writer.Write7BitEncodedInt(region.EndColumn);
            line = region.StartLine;
        });
    }

    private static void WriteList<T>(BinaryWriter writer, IReadOnlyCollection<T> items, Action<T> write)
    {
        writer.Write7BitEncodedInt(items.Count);
        foreach (var item in items) write(item);
    }

    /// <summary>Numbers that grow: how many are between them.</summary>
    private static void WriteSorted(BinaryWriter writer, IReadOnlyList<int> numbers)
    {
        var last = -1;
        WriteList(writer, numbers, number =>
        {
            writer.Write7BitEncodedInt(number - last - 1);
            last = number;
        });
    }

    private static void WriteHex(BinaryWriter writer, string digits)
    {
        var bytes = Convert.FromHexString(digits);
        writer.Write7BitEncodedInt(bytes.Length);
        writer.Write(bytes);
    }

    private static int ZigZag(int value) => value << 1 ^ value >> 31;

    private static TestMap Decode(ReadOnlySpan<byte> file)
    {
        var header = new ByteReader(file);
        if (!header.Take(ulong.Min((ulong)Magic.Length, (ulong)file.Length), "its header").SequenceEqual(Magic)) throw new DamageException("its beginning is not that of a test map");
        var version = header.U32("its header");
        if (version != Version) throw new DamageException($"it is of version {version}; version {Version} is read");
        var digest = header.Take(DigestSize, "its header");
        var payload = Inflate(header.Rest);
        if (!SHA256.HashData(payload).AsSpan().SequenceEqual(digest)) throw new DamageException("its check sum is wrong");
        return new PayloadReader(payload).Read();
    }

    /// <summary>As far as the data go: a size could be a lie.</summary>
    private static byte[] Inflate(ReadOnlySpan<byte> packed)
    {
        try
        {
            using var plain = new MemoryStream();
            using var stream = new BrotliStream(new MemoryStream(packed.ToArray()), CompressionMode.Decompress);
            var buffer = new byte[1 << 16];
            for (int read; (read = stream.Read(buffer)) > 0;)
            {
                plain.Write(buffer, 0, read);
                if (plain.Length > LongestPayload) throw new DamageException("it has more than a gibibyte");
            }
            return plain.ToArray();
        }
        catch (Exception e) when (e is InvalidDataException or InvalidOperationException or IOException)
        {
            throw new DamageException("it cannot be decompressed");
        }
    }

    private ref struct PayloadReader(ReadOnlySpan<byte> payload)
    {
        private const string What = "its contents";

        private ByteReader reader = new(payload);

        public TestMap Read()
        {
            var sources = new TestedSource[reader.Count(What)];
            for (var i = 0; i < sources.Length; i++) sources[i] = new TestedSource(Text(), Hex());
            var functions = new TestedFunction[reader.Count(What)];
            for (var i = 0; i < functions.Length; i++) functions[i] = Function(sources);
            var images = new TestedImage[reader.Count(What)];
            for (var i = 0; i < images.Length; i++) images[i] = new TestedImage(Text(), Hex(), Sorted(functions.Length));
            var members = Array.ConvertAll(images, image => image.Functions.ToHashSet());
            var tests = new Test[reader.Count(What)];
            for (var i = 0; i < tests.Length; i++) tests[i] = Test(functions, members);
            if (reader.Left > 0) throw new DamageException($"{reader.Left} bytes follow {What}");
            return new TestMap(functions, images, tests);
        }

        private TestedFunction Function(TestedSource[] sources)
        {
            var (nameHash, structuralHash) = (reader.U64(What), reader.U64(What));
            var (name, isUnused) = (Text(), reader.U8(What) != 0);
            var files = reader.Count(What);
            var mainFile = reader.Leb(What, files) - 1;
            var (regions, branches) = (Regions(files), Regions(files));
            var own = new TestedSource[files];
            for (var i = 0; i < files; i++) own[i] = sources[Index(sources.Length)];
            var shape = new FunctionCoverage(name, 0, Array.ConvertAll(own, s => s.Path), regions, branches, [], mainFile) { IsUnused = isUnused };
            var patterns = new byte[reader.Count(What)][];
            for (var i = 0; i < patterns.Length; i++) patterns[i] = reader.Take((ulong)(RegionBits.Count(shape) + 7) / 8, What).ToArray();
            return new TestedFunction(nameHash, structuralHash, shape, own, patterns);
        }

        private CountedRegion[] Regions(int files)
        {
            var regions = new CountedRegion[reader.Count(What)];
            var line = 0;
            for (var i = 0; i < regions.Length; i++)
            {
                var flags = reader.U8(What);
                var kind = (RegionKind)(flags & KindMask);
                if (kind > RegionKind.ConditionBranch || files == 0) throw new DamageException("a region is of no kind or no file");
                var (file, expanded) = (Index(files), Index(files));
                var step = reader.Leb(What, 2 * LastLine + 1);
                line += step >> 1 ^ -(step & 1);
                var (column, lines, endColumn) = (reader.Leb(What, int.MaxValue), reader.Leb(What, LastLine), reader.Leb(What, int.MaxValue));
                var (start, end) = (CountedRegion.Place(line, column), CountedRegion.Place(line + lines, endColumn));
                if (line < 0 || line + lines > LastLine || start > end) throw new DamageException("a region ends before it begins, or is on no line");
                regions[i] = new CountedRegion(start, end, 0, 0, file, expanded, kind, (flags & NeverTrue) != 0, (flags & NeverFalse) != 0);
            }
            return regions;
        }

        private Test Test(TestedFunction[] functions, HashSet<int>[] images)
        {
            var (program, name, kind, passed) = (Text(), Text(), (TestKind)reader.U8(What), reader.U8(What) != 0);
            if (kind > TestKind.Command) throw new DamageException("a test is of no kind");
            var (own, reached) = (Sorted(images.Length), Sorted(functions.Length));
            if (!Array.TrueForAll(reached, f => Array.Exists(own, i => images[i].Contains(f)))) throw new DamageException("a test reaches a function of a program that it does not run");
            var patterns = new (int, int)[reached.Length];
            for (var i = 0; i < reached.Length; i++) patterns[i] = (reached[i], Index(functions[reached[i]].Patterns.Count));
            return new Test(program, name, kind, passed, own, patterns);
        }

        private int[] Sorted(int limit)
        {
            var numbers = new int[reader.Count(What)];
            var last = -1;
            for (var i = 0; i < numbers.Length; i++)
            {
                last += 1 + Index(limit - 1 - last);
                numbers[i] = last;
            }
            return numbers;
        }

        private int Index(int count) => count > 0 ? reader.Leb(What, count - 1) : throw new DamageException("a list that is referred to is empty");

        private string Text() => Encoding.UTF8.GetString(reader.Take(reader.Leb(What), What));

        private string Hex() => Convert.ToHexStringLower(reader.Take(reader.Leb(What), What));
    }
}
