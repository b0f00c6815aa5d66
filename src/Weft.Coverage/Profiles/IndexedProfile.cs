using System.Text;

namespace Weft.Coverage.Profiles;

/// <summary>
/// Indexed profiles (<c>.profdata</c>), which <c>llvm-profdata merge</c> writes: a header, a summary for the optimiser, an on-disk
/// hash table from names to counts, binary ids. Versions 5 to 13 are read. Layouts from InstrProf.h (IndexedInstrProf) and
/// OnDiskHashTable.h of LLVM. What other sections there are, of memory profiles and the like, is left unread.
/// </summary>
public static class IndexedProfile
{
    internal const ulong Magic = 0x8169666F72706CFF;
    internal const int Oldest = 5, Newest = 13;

    /// <summary>The first version whose MC/DC bitmaps are by number of test vector.</summary>
    internal const int BitmapsByVector = 12;

    private const uint NumberMask = 0xFFFF;

    internal static bool Recognises(ReadOnlySpan<byte> data) => data.Length >= 8 && new ByteReader(data).U64("its magic number") == Magic;

    /// <exception cref="DamageException">The file is damaged, or of a version that is not read.</exception>
    internal static Profile Read(ReadOnlySpan<byte> data)
    {
        const string what = "its header";
        var reader = new ByteReader(data);
        reader.Take(8, what); // the magic number
        var version = reader.U64(what);
        var number = (int)(version & NumberMask);
        if (number is < Oldest or > Newest) throw new DamageException($"it is of version {number}; those of {Oldest} to {Newest} are read, which LLVM up to 22 writes");
        var profile = new Profile { Variants = (ProfileVariants)(version & ~0xFFFF_FFFFUL), BitmapsByCondition = number < BitmapsByVector };
        reader.Take(8, what);
        if (reader.U64(what) != 0) throw new DamageException("its hash table is not by MD5");
        var table = reader.U64(what);
        if (number >= 8) reader.Take(8, what); // where a memory profile is
        var ids = number >= 9 ? reader.U64(what) : 0;
        if (number >= 10) reader.Take(8, what); // where temporal traces are
        if (number >= 12) reader.Take(8, what); // where names of virtual tables are
        SkipSummary(ref reader);
        if (profile.Variants.HasFlag(ProfileVariants.ContextSensitive)) SkipSummary(ref reader);
        ReadTable(reader.Rest, Entries(data, table), number, profile);
        if (number >= 9) ReadBinaryIds(data, ids, profile);
        return profile;
    }

    private static void SkipSummary(ref ByteReader reader)
    {
        const string what = "its summary";
        ulong fields = reader.U64(what), cutoffs = reader.U64(what);
        reader.Take(fields, 8, what);
        reader.Take(cutoffs, 24, what);
    }

    /// <summary>At the end of the table: how many buckets there are, how many entries, and where each bucket is.</summary>
    private static ulong Entries(ReadOnlySpan<byte> data, ulong table)
    {
        const string what = "its hash table";
        var reader = new ByteReader(data);
        reader.Take(table, what);
        reader.U64(what);
        return reader.U64(what);
    }

    private static void ReadTable(ReadOnlySpan<byte> payload, ulong entries, int version, Profile profile)
    {
        const string what = "its hash table";
        var reader = new ByteReader(payload);
        for (ulong read = 0; read < entries;)
        {
            var inBucket = reader.U16(what);
            if (inBucket == 0) throw new DamageException("a bucket of its hash table has no entries");
            for (var i = 0; i < inBucket; i++, read++)
            {
                reader.Take(8, what); // the hash
                ulong keySize = reader.U64(what), dataSize = reader.U64(what);
                var key = reader.Take(keySize, "a name");
                ReadFunctions(key, reader.Take(dataSize, "counts"), version, profile);
            }
        }
    }

    private static void ReadFunctions(ReadOnlySpan<byte> key, ReadOnlySpan<byte> data, int version, Profile profile)
    {
        const string what = "a function's counts";
        if (key.IsEmpty) throw new DamageException("a function has no name");
        var (name, nameHash) = (Encoding.UTF8.GetString(key), ProfileNames.Hash(key));
        var reader = new ByteReader(data);
        while (reader.Left > 0)
        {
            var hash = reader.U64(what);
            var counts = U64s(ref reader, what);
            if (counts.Length == 0) throw new DamageException($"'{name}' has no counters");
            var bitmap = version >= 11 ? Array.ConvertAll(U64s(ref reader, what), wide => (byte)wide) : [];
            var values = reader.U32(what); // with itself
            if (values < 8) throw new DamageException("values profiled are damaged");
            reader.Take(values - 4, what);
            profile.Add(new FunctionCounts(name, nameHash, hash, counts, bitmap));
        }
    }

    private static ulong[] U64s(ref ByteReader reader, string what)
    {
        var source = new ByteReader(reader.Take(reader.U64(what), 8, what));
        var numbers = new ulong[source.Left / 8];
        for (var i = 0; i < numbers.Length; i++) numbers[i] = source.U64(what);
        return numbers;
    }

    private static void ReadBinaryIds(ReadOnlySpan<byte> data, ulong offset, Profile profile)
    {
        var reader = new ByteReader(data);
        reader.Take(offset, "its binary ids");
        RawProfile.ReadBinaryIds(reader.Take(reader.U64("its binary ids"), "its binary ids"), bigEndian: false, profile);
    }
}
