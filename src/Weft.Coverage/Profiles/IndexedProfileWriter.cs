using System.Buffers.Binary;
using System.Text;

namespace Weft.Coverage.Profiles;

/// <summary>
/// Writes indexed profiles of version 12 (LLVM 19 and later read it) or 13 (LLVM 22): the same bytes as <c>llvm-profdata merge</c>
/// of that version, as long as no function has several shapes.
/// </summary>
public static class IndexedProfileWriter
{
    public const int OldestVersion = IndexedProfile.BitmapsByVector, NewestVersion = IndexedProfile.Newest;

    private const int HeaderSize = 72;
    private const int OffsetsAt = 32;

    /// <param name="profile">Of any kind of bitmaps but those by condition, which only older versions have.</param>
    /// <param name="version">Of the format.</param>
    /// <param name="output">Where to.</param>
    public static void Write(Profile profile, int version, Stream output)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(version, OldestVersion);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(version, NewestVersion);
        var functions = ProfileOrder.ByName(profile);
        using var file = new MemoryStream();
        var writer = new Writer(file);
        writer.U64(IndexedProfile.Magic);
        writer.U64((uint)version | (ulong)profile.Variants);
        writer.Zeros(HeaderSize - 16); // unused, MD5, and offsets that follow
        ProfileSummary.Of(functions.Where(f => !f.SeemsContextSensitive)).Write(writer);
        var table = WriteTable(writer, functions);
        var ids = WriteBinaryIds(writer, profile.BinaryIds);
        var tableNames = file.Position;
        writer.U64(0);

        file.Position = OffsetsAt;
        foreach (var offset in (ReadOnlySpan<long>)[table, 0, ids, 0, tableNames]) writer.U64((ulong)offset);
        file.WriteTo(output);
    }

    /// <summary>LLVM's OnDiskChainedHashTableGenerator: chains of entries by the lower bits of their hash, then where each begins.</summary>
    private static long WriteTable(Writer writer, FunctionCounts[] functions)
    {
        var keys = Keys(functions);
        var chains = new HashChains(keys);
        var offsets = new long[chains.Buckets];
        for (var bucket = 0; bucket < offsets.Length; bucket++)
        {
            var count = 0;
            for (var key = chains.First(bucket); key >= 0; key = chains.Next(key)) count++;
            if (count == 0) continue;
            offsets[bucket] = writer.Position;
            writer.U16((ushort)count);
            for (var key = chains.First(bucket); key >= 0; key = chains.Next(key)) WriteEntry(writer, functions.AsSpan(keys[key].Functions));
        }
        writer.Zeros((int)(-writer.Position & 7));
        var at = writer.Position;
        writer.U64((ulong)offsets.Length);
        writer.U64((ulong)keys.Count);
        foreach (var offset in offsets) writer.U64((ulong)offset);
        return at;
    }

    /// <summary>Functions of one name make one entry.</summary>
    private static List<(ulong Hash, Range Functions)> Keys(FunctionCounts[] functions)
    {
        var keys = new List<(ulong, Range)>();
        for (int start = 0, end; start < functions.Length; start = end)
        {
            for (end = start + 1; end < functions.Length && functions[end].NameHash == functions[start].NameHash; end++) { }
            keys.Add((functions[start].NameHash, start..end));
        }
        return keys;
    }

    private static void WriteEntry(Writer writer, ReadOnlySpan<FunctionCounts> functions)
    {
        const int noValues = 8;
        var name = Encoding.UTF8.GetBytes(functions[0].Name);
        ulong size = 0;
        foreach (var function in functions) size += (ulong)(24 + 8L * function.Counts.Length + 8L * function.Bitmap.Length + noValues);
        writer.U64(functions[0].NameHash);
        writer.U64((ulong)name.Length);
        writer.U64(size);
        writer.Bytes(name);
        foreach (var function in functions)
        {
            writer.U64(function.StructuralHash);
            writer.U64((ulong)function.Counts.Length);
            foreach (var count in function.Counts) writer.U64(count);
            writer.U64((ulong)function.Bitmap.Length);
            foreach (var bits in function.Bitmap) writer.U64(bits);
            writer.U64(noValues); // a size with itself, and no kinds
        }
    }

    private static long WriteBinaryIds(Writer writer, IReadOnlyList<byte[]> binaryIds)
    {
        var at = writer.Position;
        writer.U64(0);
        foreach (var id in binaryIds.OrderBy(id => Convert.ToHexString(id), StringComparer.Ordinal))
        {
            writer.U64((ulong)id.Length);
            writer.Bytes(id);
            writer.Zeros(-id.Length & 7);
        }
        var end = writer.Position;
        writer.Position = at;
        writer.U64((ulong)(end - at - 8));
        writer.Position = end;
        return at;
    }

    /// <summary>Little-endian numbers.</summary>
    internal sealed class Writer(MemoryStream file)
    {
        public long Position { get => file.Position; set => file.Position = value; }

        public void U16(ushort value)
        {
            Span<byte> bytes = stackalloc byte[2];
            BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
            file.Write(bytes);
        }

        public void U64(ulong value)
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
            file.Write(bytes);
        }

        public void Bytes(ReadOnlySpan<byte> bytes) => file.Write(bytes);

        public void Zeros(int count)
        {
            for (; count > 0; count--) file.WriteByte(0);
        }
    }
}
