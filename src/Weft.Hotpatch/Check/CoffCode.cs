using System.Buffers.Binary;
using Weft.Core;
using Weft.Hotpatch.Weaving;

namespace Weft.Hotpatch.Check;

/// <summary>Code of a COFF object. Its symbols have no sizes: a function reaches to the next one.</summary>
internal static class CoffCode
{
    /// <exception cref="WeftException">Damaged.</exception>
    public static MachineCode Read(byte[] data, CoffFile coff, string name)
    {
        try
        {
            var places = new Places(isObject: true);
            var sections = coff.Sections().ToList();
            for (var i = 0; i < sections.Count; i++)
                if (sections[i] is { IsCode: true, Size: > 0 } section) places.Add(i + 1, section.Name, 0, section.Alignment, coff.Content(section));
            var processor = coff.Machine == CoffFile.Amd64 ? Processor.X86 : Processor.Arm;
            foreach (var index in places.Indices) places.Refer(index, [.. References(coff, processor, places, sections[index - 1]).OrderBy(r => r.Offset)]);
            var functions = coff.Symbols().Where(s => s.IsFunction).Select(s => (s.Name, Place: places.At(s.Section, s.Value))).Where(s => s.Place != null);
            return new(processor, IsObject: true, places.Sections, ElfCode.Ordered([.. functions.Select(s => ElfCode.Function(s.Name, s.Place!.Value.Section, s.Place.Value.Place, 0))]), CodeViewFlag.IsSet(data));
        }
        catch (Exception e) when (e is ArgumentException or IndexOutOfRangeException or OverflowException)
        {
            throw new WeftException($"{name}: damaged COFF object", "build it again", ExitCode.Failure, e);
        }
    }

    private static IEnumerable<CodeReference> References(CoffFile coff, Processor processor, Places places, CoffSection section)
    {
        var content = coff.Content(section);
        foreach (var (offset, index, _) in coff.Relocations(section))
        {
            var symbol = coff.Symbol(index);
            var addend = Addend(processor, content.Span[offset..]);
            var place = symbol.Section > 0 ? places.At(symbol.Section, (ulong)(symbol.Value + addend)) : null;
            yield return new(offset, place?.Place, !symbol.IsSection && addend == 0);
        }
    }

    // What is to be added stands in the field itself; of what is no branch it does not matter.
    private static long Addend(Processor processor, ReadOnlySpan<byte> field)
    {
        if (field.Length < 4) return 0;
        return processor == Processor.X86 ? BinaryPrimitives.ReadInt32LittleEndian(field) : ArmRules.Distance(BinaryPrimitives.ReadUInt32LittleEndian(field)) ?? 0;
    }
}
