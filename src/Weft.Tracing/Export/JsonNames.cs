using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Weft.Tracing;

/// <summary>Names as JSON strings, quotes included: each is escaped once.</summary>
internal sealed class JsonNames(Func<int, string> name)
{
    private readonly Dictionary<int, byte[]> known = [];

    public ReadOnlySpan<byte> this[int id]
    {
        get
        {
            ref var text = ref CollectionsMarshal.GetValueRefOrAddDefault(known, id, out _);
            return text ??= Quote(name(id));
        }
    }

    // By way of UTF-8: half a surrogate pair, which JSON has no way of writing, is replaced there.
    public static byte[] Quote(string text) => [(byte)'"', .. JsonEncodedText.Encode(Encoding.UTF8.GetBytes(text), JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes, (byte)'"'];
}
