namespace Weft.Coverage.Profiles;

/// <summary>
/// Raw profiles (<c>.profraw</c>), which programs write: versions 8 (LLVM 14 to 17), 9 (18) and 10 (19 to 22), of 32 and 64
/// bits, in either byte order. A file may have several, one behind the other. What is read is described in LLVM's
/// <c>InstrProfData.inc</c> and <c>docs/InstrProfileFormat.rst</c>. Values profiled (of calls, sizes, tables) are skipped.
/// </summary>
public static class RawProfile
{
    private const ulong Magic64 = 0xFF6C70726F667281, Magic32 = 0xFF6C70726F665281;
    private const ulong VariantMask = 0xFF00_0000_0000_0000 | 1UL << 55;

    internal static bool Recognises(ReadOnlySpan<byte> data) => Recognise(data, out _, out _);

    /// <exception cref="DamageException">The file is damaged, or of a version or kind that is not read.</exception>
    internal static Profile Read(ReadOnlySpan<byte> data, ProfileNames.Cache names)
    {
        var profile = new Profile();
        var first = true;
        while (!data.IsEmpty)
        {
            if (data[0] == 0 && !first) data = data[1..];
            else if (!Recognise(data, out var wide, out var bigEndian)) throw new DamageException(first ? "its beginning is not that of a raw profile" : "what follows its first profile is not another");
            else data = ReadOne(data, new Shape(wide, bigEndian), names, profile, first);
            first = false;
        }
        return profile;
    }

    private static bool Recognise(ReadOnlySpan<byte> data, out bool wide, out bool bigEndian)
    {
        wide = bigEndian = false;
        if (data.Length < 8) return false;
        foreach (var big in (ReadOnlySpan<bool>)[false, true])
        {
            var magic = new ByteReader(data, big).U64("its magic number");
            if (magic is not (Magic64 or Magic32)) continue;
            (wide, bigEndian) = (magic == Magic64, big);
            return true;
        }
        return false;
    }

    /// <returns>What follows it.</returns>
    private static ReadOnlySpan<byte> ReadOne(ReadOnlySpan<byte> data, Shape shape, ProfileNames.Cache names, Profile profile, bool first)
    {
        var reader = new ByteReader(data, shape.BigEndian);
        var header = RawHeader.Read(ref reader, shape);
        Admit(header, profile, first);
        ReadBinaryIds(reader.Take(header.BinaryIdsSize, "its binary ids"), shape.BigEndian, profile);
        var parts = new RawParts(ref reader, header, names);
        return parts.AddTo(profile, reader.Rest);
    }

    private static void Admit(RawHeader header, Profile profile, bool first)
    {
        var variants = (ProfileVariants)(header.Version & VariantMask);
        if (variants.HasFlag(ProfileVariants.DebugInfoCorrelation)) throw new DamageException("it has no names: the program was built to find them in its debug information (-profile-correlate)");
        if (variants.HasFlag(ProfileVariants.Temporal)) throw new DamageException("it is a temporal profile, which has times in place of counts");
        if (!first && variants != profile.Variants) throw new DamageException("it has profiles of several kinds");
        profile.Variants = variants;
        profile.BitmapsByCondition = header.Shape.Version == 9;
    }

    /// <summary>Binary ids are a size each and so many bytes, padded to eight.</summary>
    internal static void ReadBinaryIds(ReadOnlySpan<byte> ids, bool bigEndian, Profile profile)
    {
        var reader = new ByteReader(ids, bigEndian);
        while (reader.Left >= 8)
        {
            var size = reader.U64("a binary id");
            if (size == 0) throw new DamageException("a binary id has no bytes");
            profile.AddBinaryId(reader.Take(size, "a binary id").ToArray());
            reader.Take(ulong.Min((8 - size % 8) % 8, (ulong)reader.Left), "padding");
        }
    }
}
