using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Weft.Coverage.Profiles;

/// <summary>The parts of one raw profile behind its header: records of functions, counters, bitmaps, names.</summary>
internal readonly ref struct RawParts
{
    private readonly RawHeader header;
    private readonly ReadOnlySpan<byte> records, counters, bitmap;
    private readonly Dictionary<ulong, string> names;

    public RawParts(scoped ref ByteReader reader, RawHeader header, ProfileNames.Cache names)
    {
        this.header = header;
        records = reader.Take(header.Records, header.Shape.RecordSize, "its records of functions");
        reader.Take(header.PaddingBeforeCounters, "padding");
        counters = reader.Take(header.Counters, header.SingleByte ? 1 : 8, "its counters");
        reader.Take(header.PaddingAfterCounters, "padding");
        bitmap = reader.Take(header.BitmapBytes, "its bitmaps");
        reader.Take(header.PaddingAfterBitmap, "padding");
        this.names = names.Read(reader.Take(header.NamesSize, "its names of functions"));
        reader.Take(Padding(header.NamesSize), "padding");
        reader.Take(header.Tables, header.Shape.TableSize, "its virtual tables");
        reader.Take(header.TableNamesSize, "its names of virtual tables");
        reader.Take(Padding(header.TableNamesSize), "padding");
    }

    /// <param name="profile">To add every function to.</param>
    /// <param name="values">Begins with the values profiled, of which there are some for each function that has sites.</param>
    /// <returns>What follows them.</returns>
    public ReadOnlySpan<byte> AddTo(Profile profile, ReadOnlySpan<byte> values)
    {
        var reader = new ByteReader(values, header.Shape.BigEndian);
        var size = header.Shape.RecordSize;
        for (var at = 0; at < records.Length; at += size)
        {
            var record = records.Slice(at, size);
            profile.Add(Function(record, (ulong)at));
            if (HasValues(record)) SkipValues(ref reader);
        }
        return reader.Rest;
    }

    private FunctionCounts Function(ReadOnlySpan<byte> record, ulong at)
    {
        var (shape, pointers) = (header.Shape, 16);
        ulong nameHash = U64(record), hash = U64(record[8..]);
        if (!names.TryGetValue(nameHash, out var name)) throw new DamageException($"function {at / (ulong)shape.RecordSize} has no name");
        // Pointers are relative to the record they are in, deltas to the first one.
        var counts = Counts(Offset(record[pointers..], header.CountersDelta - at), U32(record[shape.CountersAt..]));
        var bytes = shape.Version >= 9 ? Bitmap(Offset(record[(pointers + shape.Pointer)..], header.BitmapDelta - at), U32(record[shape.BitmapBytesAt..])) : [];
        return new FunctionCounts(name, nameHash, hash, counts, bytes);
    }

    private ulong[] Counts(ulong offset, uint count)
    {
        var size = header.SingleByte ? 1 : 8;
        if (count == 0) throw new DamageException("a function has no counters");
        if (offset > (ulong)counters.Length || count > ((ulong)counters.Length - offset) / (ulong)size) throw new DamageException("a function's counters are outside those of the file");
        var source = counters.Slice((int)offset, (int)count * size);
        var counts = new ulong[count];
        if (header.SingleByte) for (var i = 0; i < counts.Length; i++) counts[i] = source[i] == 0 ? 1UL : 0; // set when it did not run
        else MemoryMarshal.Cast<byte, ulong>(source).CopyTo(counts);
        if (!header.SingleByte && header.Shape.BigEndian == BitConverter.IsLittleEndian) BinaryPrimitives.ReverseEndianness(counts, counts);
        return counts;
    }

    private byte[] Bitmap(ulong offset, uint size)
    {
        if (size == 0) return [];
        if (offset > (ulong)bitmap.Length || size > (ulong)bitmap.Length - offset) throw new DamageException("a function's bitmap is outside those of the file");
        return bitmap.Slice((int)offset, (int)size).ToArray();
    }

    private bool HasValues(ReadOnlySpan<byte> record) =>
        record.Slice(header.Shape.CountersAt + 4, 2 * header.Shape.ValueKinds).ContainsAnyExcept((byte)0);

    private static void SkipValues(ref ByteReader reader)
    {
        const string what = "its values profiled";
        var size = reader.U32(what); // with itself
        if (size < 8 || size % 8 != 0) throw new DamageException($"{what} are damaged");
        reader.Take(size - 4, what);
    }

    private ulong Offset(ReadOnlySpan<byte> pointer, ulong delta) => header.Shape.Wide ? U64(pointer) - delta : (uint)(U32(pointer) - (uint)delta);

    private uint U32(ReadOnlySpan<byte> data) => new ByteReader(data, header.Shape.BigEndian).U32("a record");

    private ulong U64(ReadOnlySpan<byte> data) => new ByteReader(data, header.Shape.BigEndian).U64("a record");

    private static ulong Padding(ulong size) => (8 - size % 8) % 8;
}
