using System.Globalization;

namespace Weft.Coverage.Maps;

/// <summary>Where the members of an archive are, which may be too large for memory: see <see cref="Core.ArchiveFile"/> for others.</summary>
internal static class ArchiveMembers
{
    private const int HeaderSize = 60;

    public static bool Recognises(ReadOnlySpan<byte> head) => head.StartsWith("!<arch>\n"u8);

    public static bool RecognisesThin(ReadOnlySpan<byte> head) => head.StartsWith("!<thin>\n"u8);

    /// <exception cref="DamageException">A member is not whole.</exception>
    public static IEnumerable<(ulong Begin, ulong Size)> Of(MappedFile file)
    {
        for (var at = 8UL; at < (ulong)file.Length; at += at & 1)
        {
            var size = Size(file.Slice(at, HeaderSize, "a member's header").Span);
            at += HeaderSize;
            if (size > (ulong)file.Length - at) throw new DamageException("it is cut short in a member");
            yield return (at, size);
            at += size;
        }
    }

    private static ulong Size(ReadOnlySpan<byte> header) =>
        ulong.TryParse(header[48..58], NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var size) ? size : throw new DamageException("a member has no size");
}
