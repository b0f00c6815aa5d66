using System.Buffers.Binary;
using Weft.Core;

namespace Weft.Hotpatch.Objects;

/// <summary>
/// What .eh_frame says of one function: an FDE and the CIE that it shares with others (Linux Standard Base, chapter "Exception
/// Frames").
/// </summary>
/// <param name="Section">The section that holds both.</param>
/// <param name="Start">Where the FDE begins, with its length.</param>
/// <param name="Size">Of the FDE.</param>
/// <param name="CieStart">Where the CIE begins.</param>
/// <param name="CieSize">Of the CIE.</param>
/// <param name="Landings">The relocation that points at the function's table of landing pads, if it has one.</param>
internal sealed record Frame(int Section, int Start, int Size, int CieStart, int CieSize, ElfRelocation? Landings)
{
    private const int PcBegin = 8; // behind length and pointer to the CIE

    /// <summary>All of an object, by the place of the function.</summary>
    public static Dictionary<(int Section, long Start), Frame> ReadAll(ObjectFile file)
    {
        var frames = new Dictionary<(int Section, long Start), Frame>();
        for (var i = 0; i < file.Elf.Sections.Count; i++)
            if (file.SectionOf(i).Name == ".eh_frame")
                Read(file, i, frames);
        return frames;
    }

    private static void Read(ObjectFile file, int section, Dictionary<(int Section, long Start), Frame> frames)
    {
        var content = file.Elf.Content(file.SectionOf(section)).Span;
        for (var at = 0; at + 8 <= content.Length;)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(content[at..]);
            if (length == 0) break;
            var size = (long)length + 4;
            if (length == uint.MaxValue || size > content.Length - at) throw file.Damaged("damaged .eh_frame");
            var back = BinaryPrimitives.ReadInt32LittleEndian(content[(at + 4)..]);
            if (back != 0) Add(file, section, at, (int)size, at + 4 - back, frames);
            at += (int)size;
        }
    }

    private static void Add(ObjectFile file, int section, int start, int size, int cie, Dictionary<(int Section, long Start), Frame> frames)
    {
        var content = file.Elf.Content(file.SectionOf(section)).Span;
        if (cie < 0 || cie >= start) throw file.Damaged("damaged .eh_frame");
        var relocations = file.RelocationsIn(section, start, size).ToList();
        if (relocations.Count == 0 || relocations[0].Offset != start + PcBegin) return;
        var function = file.Resolve(relocations[0], inCode: false);
        var cieSize = BinaryPrimitives.ReadInt32LittleEndian(content[cie..]) + 4;
        frames[(function.Section, function.Start + (function.Symbol == null ? function.Addend : 0))] =
            new Frame(section, start, size, cie, cieSize, relocations.Count > 1 ? relocations[1] : null);
    }
}
