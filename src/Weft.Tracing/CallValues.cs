using System.Buffers.Binary;
using System.Globalization;

namespace Weft.Tracing;

/// <summary>Arguments and results of calls, for people. Types are those of <see cref="TraceFunction.Types"/>.</summary>
public static class CallValues
{
    /// <summary>As <c>(1, 0x7ffe) = true</c>, or what of it is known.</summary>
    public static string Text(uint types, ReadOnlySpan<byte> arguments, ReadOnlySpan<byte> result)
    {
        var text = arguments.Length >= sizeof(ulong) ? $"({List(types >> 4, arguments)})" : "";
        return result.Length >= sizeof(ulong) ? $"{text} = {Text(types & 15, result)}" : text;
    }

    /// <summary>Values with commas between them: eight bytes for each, and four bits of type.</summary>
    public static string List(uint types, ReadOnlySpan<byte> values)
    {
        var texts = new List<string>();
        for (; values.Length >= sizeof(ulong) && texts.Count < 7; values = values[sizeof(ulong)..], types >>= 4) texts.Add(Text(types & 15, values));
        return string.Join(", ", texts);
    }

    private static string Text(uint type, ReadOnlySpan<byte> value)
    {
        var word = BinaryPrimitives.ReadInt64LittleEndian(value);
        return type switch
        {
            1 => (word & 1) != 0 ? "true" : "false",
            2 => Invariant($"{(sbyte)word}"),
            3 => Invariant($"{(short)word}"),
            4 => Invariant($"{(int)word}"),
            5 => Invariant($"{word}"),
            7 => Invariant($"{BitConverter.Int32BitsToSingle((int)word)}"),
            8 => Invariant($"{BitConverter.Int64BitsToDouble(word)}"),
            _ => Invariant($"0x{word:x}"),
        };
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
