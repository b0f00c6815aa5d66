namespace Weft.Coverage.Profiles;

/// <summary>What of a raw profile's layout depends on who wrote it.</summary>
/// <param name="Wide">Whether pointers have 64 bits.</param>
/// <param name="BigEndian">The byte order.</param>
/// <param name="Version">Of the format; 0 until the header has told.</param>
internal readonly record struct Shape(bool Wide, bool BigEndian, int Version = 0)
{
    public int Pointer => Wide ? 8 : 4;

    /// <summary>Where, in a record of a function, the number of counters is; behind it is the number of sites of each kind of value.</summary>
    public int CountersAt => 16 + Pointer * (Version >= 9 ? 4 : 3);

    public int ValueKinds => Version >= 10 ? 3 : 2;

    public int BitmapBytesAt => CountersAt + 4 + (2 * ValueKinds + 3) / 4 * 4;

    public int RecordSize => ((Version >= 9 ? BitmapBytesAt + 4 : CountersAt + 4 + 2 * ValueKinds) + 7) / 8 * 8;

    /// <summary>A record of a virtual table: a hash, a pointer, a size.</summary>
    public int TableSize => Wide ? 24 : 16;
}

/// <summary>The header of a raw profile: 64-bit numbers in the order that each version has them.</summary>
internal readonly record struct RawHeader(
    Shape Shape, ulong Version, ulong BinaryIdsSize, ulong Records, ulong PaddingBeforeCounters, ulong Counters, ulong PaddingAfterCounters,
    ulong BitmapBytes, ulong PaddingAfterBitmap, ulong NamesSize, ulong CountersDelta, ulong BitmapDelta, ulong Tables, ulong TableNamesSize)
{
    public bool SingleByte => ((ProfileVariants)Version).HasFlag(ProfileVariants.SingleByte);

    public static RawHeader Read(ref ByteReader reader, Shape shape)
    {
        const string what = "its header";
        reader.Take(8, what); // the magic number
        var version = reader.U64(what);
        shape = shape with { Version = Supported(version) };
        ulong binaryIds = reader.U64(what), records = reader.U64(what), before = reader.U64(what), counters = reader.U64(what), after = reader.U64(what);
        var (bitmap, afterBitmap) = shape.Version >= 9 ? (reader.U64(what), reader.U64(what)) : (0, 0);
        ulong names = reader.U64(what), countersDelta = reader.U64(what);
        var bitmapDelta = shape.Version >= 9 ? reader.U64(what) : 0;
        reader.Take(8, what); // where the names were in memory
        var (tables, tableNames) = shape.Version >= 10 ? (reader.U64(what), reader.U64(what)) : (0, 0);
        reader.Take(8, what); // the last kind of value
        return new RawHeader(shape, version, binaryIds, records, before, counters, after, bitmap, afterBitmap, names, countersDelta, bitmapDelta, tables, tableNames);
    }

    private static int Supported(ulong version)
    {
        var number = version & 0x00FF_FFFF_FFFF_FFFF & ~(1UL << 55);
        return number is >= 8 and <= 10 ? (int)number : throw new DamageException($"it is of version {number}; those of 8 to 10 are read, which LLVM 14 to 22 write");
    }
}
