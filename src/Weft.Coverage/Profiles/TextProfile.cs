using System.Globalization;
using System.Text;

namespace Weft.Coverage.Profiles;

/// <summary>
/// Profiles as text (<c>.proftext</c>), one value a line; see TextInstrProfReader and writeRecordInText of LLVM. Values profiled
/// are skipped, and not written.
/// </summary>
public static class TextProfile
{
    private static readonly (string Word, string Comment, ProfileVariants Variants)[] Directives =
    [
        (":csir", "CSIR level Instrumentation Flag", ProfileVariants.IntermediateRepresentation | ProfileVariants.ContextSensitive),
        (":ir", "IR level Instrumentation Flag", ProfileVariants.IntermediateRepresentation),
        (":entry_first", "Always instrument the function entry block", ProfileVariants.EntryFirst),
        (":single_byte_coverage", "Instrument block coverage", ProfileVariants.SingleByte),
    ];

    /// <summary>Any text may be one: whether the first bytes are text.</summary>
    internal static bool Recognises(ReadOnlySpan<byte> data)
    {
        foreach (var character in data[..Math.Min(8, data.Length)])
            if (character is not ((>= 32 and < 127) or (>= 9 and <= 13))) return false;
        return !data.IsEmpty;
    }

    /// <exception cref="DamageException">A line is not what should be there.</exception>
    internal static Profile Read(ReadOnlySpan<byte> data)
    {
        var profile = new Profile();
        var lines = new Lines(Encoding.UTF8.GetString(data));
        while (lines.Peek() is { } line && line.StartsWith(':'))
        {
            var directive = Array.Find(Directives, d => line.Equals(d.Word, StringComparison.OrdinalIgnoreCase));
            if (directive.Word == null && !line.Equals(":fe", StringComparison.OrdinalIgnoreCase)) throw lines.Bad($"'{line}' is not known");
            profile.Variants |= directive.Variants;
            lines.Next();
        }
        while (lines.Peek() != null) profile.Add(ReadFunction(lines));
        return profile;
    }

    public static void Write(Profile profile, TextWriter output)
    {
        var rest = profile.Variants;
        foreach (var (word, comment, variants) in Directives)
        {
            if (!rest.HasFlag(variants)) continue;
            output.Write($"# {comment}\n{word}\n");
            rest &= ~variants;
        }
        foreach (var function in ProfileOrder.ByName(profile)) WriteFunction(function, output);
    }

    private static void WriteFunction(FunctionCounts function, TextWriter output)
    {
        output.Write($"{function.Name}\n# Func Hash:\n{function.StructuralHash}\n# Num Counters:\n{function.Counts.Length}\n# Counter Values:\n");
        foreach (var count in function.Counts) output.Write($"{count}\n");
        if (function.Bitmap.Length > 0)
        {
            output.Write($"# Num Bitmap Bytes:\n${function.Bitmap.Length}\n# Bitmap Byte Values:\n");
            foreach (var bits in function.Bitmap) output.Write($"0x{bits:x}\n");
            output.Write('\n');
        }
        output.Write('\n');
    }

    private static FunctionCounts ReadFunction(Lines lines)
    {
        var name = lines.Next();
        var hash = lines.Number(lines.Next());
        var counts = new ulong[lines.Count(lines.Next())];
        if (counts.Length == 0) throw lines.Bad($"'{name}' has no counters");
        for (var i = 0; i < counts.Length; i++) counts[i] = lines.Number(lines.Next());
        var bitmap = ReadBitmap(lines);
        SkipValues(lines);
        return new FunctionCounts(name, ProfileNames.Hash(name), hash, counts, bitmap);
    }

    private static byte[] ReadBitmap(Lines lines)
    {
        if (lines.Peek() is not { } line || !line.StartsWith('$')) return [];
        var bitmap = new byte[lines.Count(lines.Next()[1..])];
        for (var i = 0; i < bitmap.Length; i++)
            bitmap[i] = lines.Number(lines.Next()) is var bits and <= 255 ? (byte)bits : throw lines.Bad("a byte is more than 255");
        return bitmap;
    }

    /// <summary>A number of kinds; for each its number, a number of sites, and for each a number of values and so many lines.</summary>
    private static void SkipValues(Lines lines)
    {
        if (lines.Peek() is not { } line || !uint.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var kinds)) return;
        lines.Next();
        for (; kinds > 0; kinds--)
        {
            lines.Next();
            for (var sites = lines.Count(lines.Next()); sites > 0; sites--)
                for (var values = lines.Count(lines.Next()); values > 0; values--) lines.Next();
        }
    }

    /// <summary>The lines of a text that are neither empty nor a comment.</summary>
    private sealed class Lines(string text)
    {
        private int at, number = 1;

        public string? Peek()
        {
            while (at < text.Length && text[at] is '#' or '\n' or '\r')
            {
                at = End() + 1;
                number++;
            }
            return at < text.Length ? text[at..End()].TrimEnd('\r') : null;
        }

        public string Next()
        {
            var line = Peek() ?? throw new DamageException("it is cut short");
            at = End() + 1;
            number++;
            return line;
        }

        public ulong Number(string line)
        {
            var isHex = line.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
            return ulong.TryParse(isHex ? line.AsSpan(2) : line, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out var value)
                ? value
                : throw Bad($"'{line}' is not a number");
        }

        /// <summary>Of lines that follow: as many as there are characters, at most.</summary>
        public int Count(string line) => Number(line) is var count && count <= (ulong)(text.Length - Math.Min(at, text.Length)) ? (int)count : throw new DamageException("it is cut short");

        public DamageException Bad(string what) => new($"line {number - 1}: {what}");

        private int End() => text.IndexOf('\n', at) is var end and >= 0 ? end : text.Length;
    }
}
