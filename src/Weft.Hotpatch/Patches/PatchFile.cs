using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Weft.Hotpatch.Patches;

/// <summary>What the loader does at a place of a patch, by the numbers of runtime/hotpatch_abi.h.</summary>
internal enum PatchRelocationKind : byte
{
    /// <summary>Eight bytes: an address.</summary>
    Address64,
    /// <summary>Four bytes: an address below 2 GB.</summary>
    Address32,
    /// <summary>Four bytes: the distance from the place itself.</summary>
    Distance32,
    /// <summary>The immediate of an adrp instruction: the distance in pages.</summary>
    Page21,
}

/// <param name="At">Where in the patch.</param>
/// <param name="Kind">What is written.</param>
/// <param name="Home">0: the program, n: the n-th patch before this one, or one of the two below.</param>
/// <param name="Value">Distance from the beginning of that; of an external name, its number.</param>
internal readonly record struct PatchRelocation(uint At, PatchRelocationKind Kind, byte Home, long Value)
{
    public const byte Self = 0xFE, External = 0xFF;
}

/// <param name="Home">As of a relocation.</param>
/// <param name="Entry">Where the function is that is replaced.</param>
/// <param name="Point">How far behind that the instruction is that is exchanged.</param>
/// <param name="Code">Where in the patch its new code is.</param>
/// <param name="Name">Demangled.</param>
/// <param name="Size">Of the code that was there when the patch was built.</param>
/// <param name="CodeSize">Of the new code.</param>
internal readonly record struct PatchedFunction(byte Home, ulong Entry, uint Point, uint Code, string Name, uint Size, uint CodeSize);

/// <summary>A patch, ready to be written: docs/hotpatch-format.md says how.</summary>
internal sealed class PatchFile
{
    public const int HeaderSize = 192, IdAt = 16, IdSize = 16;

    public static ReadOnlySpan<byte> Magic => "weftpat\u0001"u8;

    public required string Name { get; init; }

    public required int Machine { get; init; }

    /// <summary>Of the program that it is for, in hexadecimal.</summary>
    public required string BuildId { get; init; }

    /// <summary>Ids of patches that have to be there before.</summary>
    public IReadOnlyList<byte[]> Parents { get; init; } = [];

    /// <summary>Executable, then read only, then written: each a whole number of pages.</summary>
    public required uint CodeSize { get; init; }

    public required uint ConstantSize { get; init; }

    public required uint DataSize { get; init; }

    /// <summary>From the beginning; the rest is zero.</summary>
    public required byte[] Content { get; init; }

    public required IReadOnlyList<PatchRelocation> Relocations { get; init; }

    public required IReadOnlyList<PatchedFunction> Functions { get; init; }

    public required IReadOnlyList<string> Externals { get; init; }

    /// <summary>Where in the patch the table of frames is, in the form of .eh_frame_hdr; 0: none.</summary>
    public uint Frames { get; init; }

    /// <summary>What the next patch has to know of this one.</summary>
    public required byte[] Snapshot { get; init; }

    public byte[] Write()
    {
        using var file = new MemoryStream();
        file.Write(new byte[HeaderSize]);
        var names = new MemoryStream();
        uint NameAt(string name)
        {
            var at = (uint)names.Length;
            names.Write(Encoding.UTF8.GetBytes(name));
            names.WriteByte(0);
            return at;
        }
        Span<byte> header = new byte[HeaderSize];
        Magic.CopyTo(header);
        Put(header, 8, (uint)Machine);
        var build = Convert.FromHexString(BuildId);
        Put(header, 32, (uint)build.Length);
        build.AsSpan(0, Math.Min(build.Length, 32)).CopyTo(header[36..]);
        Put(header, 68, CodeSize);
        Put(header, 72, ConstantSize);
        Put(header, 76, DataSize);
        Put(header, 80, Frames);
        Put(header, 84, NameAt(Name));
        Table(header, 88, file, Parents.Count, () => { foreach (var parent in Parents) file.Write(parent); });
        Table(header, 96, file, Relocations.Count, () => { foreach (var relocation in Relocations) Write(file, relocation); });
        Table(header, 104, file, Functions.Count, () => { foreach (var function in Functions) Write(file, function, NameAt(function.Name)); });
        Table(header, 112, file, Externals.Count, () => { foreach (var name in Externals) Write32(file, NameAt(name)); });
        Table(header, 120, file, Content.Length, () => file.Write(Content));
        Table(header, 128, file, (int)names.Length, () => names.WriteTo(file));
        Table(header, 136, file, Snapshot.Length, () => file.Write(Snapshot));
        Put(header, 12, (uint)file.Length);
        var bytes = file.ToArray();
        header.CopyTo(bytes);
        SHA256.HashData(bytes).AsSpan(0, IdSize).CopyTo(bytes.AsSpan(IdAt)); // over itself as zeros
        return bytes;
    }

    private static void Table(Span<byte> header, int at, MemoryStream file, int count, Action write)
    {
        while (file.Length % 8 != 0) file.WriteByte(0);
        Put(header, at, (uint)file.Length);
        Put(header, at + 4, (uint)count);
        write();
    }

    private static void Write(MemoryStream file, PatchRelocation relocation)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        Put(bytes, 0, relocation.At);
        bytes[4] = (byte)relocation.Kind;
        bytes[5] = relocation.Home;
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], relocation.Value);
        file.Write(bytes);
    }

    private static void Write(MemoryStream file, PatchedFunction function, uint name)
    {
        Span<byte> bytes = stackalloc byte[32];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, function.Entry);
        Put(bytes, 8, function.Code);
        Put(bytes, 12, name);
        Put(bytes, 16, function.Home);
        Put(bytes, 20, function.Point);
        Put(bytes, 24, function.Size);
        Put(bytes, 28, function.CodeSize);
        file.Write(bytes);
    }

    private static void Write32(MemoryStream file, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        Put(bytes, 0, value);
        file.Write(bytes);
    }

    private static void Put(Span<byte> bytes, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], value);
}
