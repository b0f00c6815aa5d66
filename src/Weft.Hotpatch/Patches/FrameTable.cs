using System.Buffers.Binary;
using Weft.Core;
using Weft.Hotpatch.Objects;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// What unwinders need to get through a patch's functions: their records of .eh_frame, and the sorted table in the form of
/// .eh_frame_hdr (Linux Standard Base) by which the runtime finds them.
/// </summary>
internal sealed class FrameTable(PatchLinker linker)
{
    private const int HeaderSize = 12, EntrySize = 8, PcBegin = 8;
    private const byte Version = 1, RelativeSigned4 = 0x1B, Unsigned4 = 0x03, DataRelativeSigned4 = 0x3B;

    private readonly List<(Placed Function, Frame Frame)> frames = [];
    private readonly Dictionary<(ObjectFile File, int Section, int Start), uint> commons = [];
    private readonly List<uint> places = [];
    private uint header, records;

    /// <summary>Takes in what a function's frame refers to.</summary>
    public void Scan(Placed piece)
    {
        var file = piece.Place.File;
        if (file.FrameOf(piece.Place.Section, piece.Place.Start) is not { } frame) return;
        frames.Add((piece, frame));
        if (frame.Landings is { } landings) linker.Bind(file.Resolve(landings, inCode: false), isInside: false);
        if (!commons.TryAdd((file, frame.Section, frame.CieStart), 0)) return;
        foreach (var relocation in file.RelocationsIn(frame.Section, frame.CieStart, frame.CieSize)) linker.Bind(file.Resolve(relocation, inCode: false), isInside: false);
    }

    /// <summary>Makes room for all of it.</summary>
    public void Reserve()
    {
        if (frames.Count == 0) return;
        header = linker.Layout.Reserve(Region.Constants, HeaderSize + frames.Count * EntrySize, 4);
        records = linker.Layout.Reserve(Region.Constants, 0, 8);
        foreach (var (key, _) in commons.ToList()) commons[key] = Place(frames.First(f => f.Function.Place.File == key.File && f.Frame.CieStart == key.Start).Frame.CieSize);
        foreach (var (_, frame) in frames) places.Add(Place(frame.Size));
        linker.Layout.Reserve(Region.Constants, 4, 1); // a length of zero ends them
    }

    /// <summary>From the patch's beginning; 0 without frames.</summary>
    public uint Fill()
    {
        if (frames.Count == 0) return 0;
        foreach (var (key, at) in commons) Copy(key.File, key.Section, key.Start, at, function: null);
        for (var i = 0; i < frames.Count; i++)
        {
            var (function, frame) = frames[i];
            Copy(function.Place.File, frame.Section, frame.Start, places[i], function);
            BinaryPrimitives.WriteUInt32LittleEndian(Bytes(places[i] + 4, 4), places[i] + 4 - commons[(function.Place.File, frame.Section, frame.CieStart)]);
        }
        WriteTable();
        return linker.Layout.Start(Region.Constants) + header;
    }

    private uint Place(int size) => linker.Layout.Reserve(Region.Constants, size, 1);

    private void Copy(ObjectFile file, int section, int start, uint at, Placed? function)
    {
        var content = file.Elf.Content(file.SectionOf(section)).Span;
        var size = BinaryPrimitives.ReadInt32LittleEndian(content[start..]) + 4;
        content.Slice(start, size).CopyTo(Bytes(at, size));
        foreach (var relocation in file.RelocationsIn(section, start, size))
        {
            if (!file.Architecture.IsRelative(relocation.Type) || file.Architecture.Width(relocation.Type) != 4) throw new WeftException($"'{file.Name}': its frames are not of the kind that position-independent code has", "compile it as most programs are, with -fPIC or -fPIE");
            var target = file.Resolve(relocation, inCode: false);
            var isOwn = function != null && relocation.Offset == start + PcBegin;
            linker.Relocator.PutDistance(Region.Constants, at + (uint)(relocation.Offset - start), isOwn ? new Destination(PatchRelocation.Self, function!.Offset, Region.Code) : linker.Bind(target, isInside: false), isOwn ? 0 : target.Addend);
        }
    }

    private void WriteTable()
    {
        var start = linker.Layout.Start(Region.Constants) + header;
        var bytes = Bytes(header, HeaderSize + frames.Count * EntrySize);
        bytes[0] = Version;
        bytes[1] = RelativeSigned4;
        bytes[2] = Unsigned4;
        bytes[3] = DataRelativeSigned4;
        BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], (int)records - (int)(header + 4));
        BinaryPrimitives.WriteInt32LittleEndian(bytes[8..], frames.Count);
        var at = HeaderSize;
        foreach (var (function, place) in frames.Select((f, i) => (linker.AddressOf(f.Function), places[i])).OrderBy(p => p.Item1))
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes[at..], (int)((long)function - start));
            BinaryPrimitives.WriteInt32LittleEndian(bytes[(at + 4)..], (int)place - (int)header);
            at += EntrySize;
        }
    }

    private Span<byte> Bytes(uint at, int size) => linker.Layout.Bytes(Region.Constants, at, size);
}
