using System.Globalization;

namespace Weft.Tracing;

/// <summary>Times as people write and read them.</summary>
public static class Durations
{
    private static readonly (string Unit, double Nanoseconds)[] Units =
    [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("sec", 1e9), ("m", 60e9), ("min", 60e9), ("h", 3600e9),
    ];

    /// <summary>Three digits behind the point and a unit of two letters, <c>  1.234 us</c>: ten characters, more only from a thousand hours on.</summary>
    public static string Format(long nanoseconds)
    {
        Span<char> text = stackalloc char[32];
        return new string(text[..Format(nanoseconds, text)]);
    }

    /// <summary>As <see cref="Format(long)"/>, into a place with room for 32 characters; returns how many there are.</summary>
    public static int Format(long nanoseconds, Span<char> text)
    {
        var (scale, unit) = nanoseconds switch
        {
            < 1_000_000 => (1L, "us"),
            < 1_000_000_000 => (1_000L, "ms"),
            < 1_000_000_000_000 => (1_000_000L, " s"),
            < 60_000_000_000_000 => (60_000_000L, " m"),
            _ => (3_600_000_000L, " h"),
        };
        var thousandths = nanoseconds / scale;
        (thousandths / 1000).TryFormat(text[3..], out var digits, default, CultureInfo.InvariantCulture);
        var start = Math.Min(3, digits);
        text[..3].Fill(' ');
        var end = 3 + digits;
        text[end++] = '.';
        for (var (rest, digit) = ((int)(thousandths % 1000), 100); digit > 0; rest %= digit, digit /= 10) text[end++] = (char)('0' + rest / digit);
        text[end++] = ' ';
        unit.CopyTo(text[end..]);
        end += unit.Length;
        text[start..end].CopyTo(text);
        return end - start;
    }

    /// <summary>Null for what is no number with a unit. Only zero needs none.</summary>
    public static long? Parse(string text)
    {
        var number = text.AsSpan().TrimEnd("abcdefghijklmnopqrstuvwxyzµ");
        var unit = text[number.Length..];
        if (!double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value)) return null;
        if (unit.Length == 0) return value == 0 ? 0 : null;
        var scale = Units.FirstOrDefault(u => u.Unit == unit).Nanoseconds;
        return scale == 0 || value * scale > long.MaxValue / 4 ? null : (long)Math.Round(value * scale);
    }
}
