using System.Text;

namespace Weft.Tracing;

/// <summary>What a program attached to an event, for people.</summary>
internal static class EventData
{
    /// <summary>As text if it is; else in hexadecimal.</summary>
    public static string Text(ReadOnlySpan<byte> data)
    {
        var text = data.TrimEnd((byte)0);
        if (text.ContainsAnyInRange((byte)0, (byte)8) || text.ContainsAnyInRange((byte)14, (byte)31)) return Convert.ToHexStringLower(data);
        try
        {
            return Strict.GetString(text);
        }
        catch (DecoderFallbackException)
        {
            return Convert.ToHexStringLower(data);
        }
    }

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
}
