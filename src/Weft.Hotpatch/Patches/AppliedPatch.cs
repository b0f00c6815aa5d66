using System.Buffers.Binary;
using Weft.Core;

namespace Weft.Hotpatch.Patches;

/// <summary>A patch that a program has got, as far as the next one has to know it.</summary>
internal sealed class AppliedPatch
{
    private const int ContentAt = 120, SnapshotAt = 136;

    private readonly ReadOnlyMemory<byte> content;

    private AppliedPatch(byte[] id, ReadOnlyMemory<byte> content, Snapshot snapshot)
    {
        Id = id;
        this.content = content;
        Snapshot = snapshot;
    }

    public byte[] Id { get; }

    /// <summary>What it has replaced, and what is new in it.</summary>
    public Snapshot Snapshot { get; }

    /// <param name="file">Its content.</param>
    /// <param name="path">What messages call it.</param>
    /// <exception cref="WeftException">No patch, or a damaged one.</exception>
    public static AppliedPatch Read(byte[] file, string path)
    {
        if (file.Length < PatchFile.HeaderSize || !file.AsSpan().StartsWith(PatchFile.Magic)) throw new WeftException($"'{path}' is no patch of this Weft's", "name what 'weft hotpatch build' has made");
        return new(file[PatchFile.IdAt..(PatchFile.IdAt + PatchFile.IdSize)], Table(file, ContentAt, path), Snapshot.Read(Table(file, SnapshotAt, path), path));
    }

    /// <summary>Its memory; empty where it says nothing.</summary>
    public ReadOnlySpan<byte> At(ulong offset, int size) => offset + (ulong)size <= (ulong)content.Length ? content.Span.Slice((int)offset, size) : default;

    private static ReadOnlyMemory<byte> Table(byte[] file, int at, string path)
    {
        uint offset = BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at)), size = BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 4));
        if (offset > file.Length || size > file.Length - offset) throw new WeftException($"'{path}' is damaged: it is cut short", "build it again");
        return file.AsMemory((int)offset, (int)size);
    }
}
