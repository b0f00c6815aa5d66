using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

internal enum Region
{
    Code,
    Constants,
    Data,
}

/// <summary>A piece of an object that a patch takes in.</summary>
/// <param name="Place">Where it comes from.</param>
/// <param name="Region">Where it goes.</param>
/// <param name="Offset">In that region.</param>
internal sealed record Placed(Place Place, Region Region, uint Offset);

/// <summary>The memory of a patch as it grows: code, then what is only read, then what is written, each from a page's beginning.</summary>
internal sealed class PatchLayout(uint page)
{
    private readonly MemoryStream[] contents = [new(), new(), new()];

    /// <summary>Room for bytes of a region, filled with a byte up to where it begins.</summary>
    public uint Reserve(Region region, long size, long alignment, byte fill = 0)
    {
        var content = contents[(int)region];
        while (content.Length % Math.Max(1, alignment) != 0) content.WriteByte(fill);
        var at = checked((uint)content.Length);
        content.SetLength(content.Length + size);
        content.Position = content.Length;
        return at;
    }

    public Span<byte> Bytes(Region region, uint at, int size) => contents[(int)region].GetBuffer().AsSpan((int)at, size);

    /// <summary>Where a region begins; final once nothing more is reserved.</summary>
    public uint Start(Region region) => (uint)contents[..(int)region].Sum(c => Size(c));

    public uint Size(Region region) => Size(contents[(int)region]);

    /// <summary>All of it, without zeros at the end.</summary>
    public byte[] ToArray()
    {
        var all = new byte[Start(Region.Data) + contents[2].Length];
        for (var i = 0; i < contents.Length; i++) contents[i].GetBuffer().AsSpan(0, (int)contents[i].Length).CopyTo(all.AsSpan((int)Start((Region)i)));
        return all.AsSpan().TrimEnd((byte)0).ToArray();
    }

    private uint Size(MemoryStream content) => checked((uint)((content.Length + page - 1) / page * page));
}
