namespace Weft.Hotpatch.Check;

public enum Processor { X86, Arm }

/// <summary>The code of one executable, shared library or object, as far as the check wants it, whatever the format of the file.</summary>
/// <param name="Processor">Whose instructions they are.</param>
/// <param name="IsObject">Addresses are offsets in sections yet.</param>
/// <param name="Sections">Those that hold code.</param>
/// <param name="Functions">By place, one for each: of several names at one place the one that says the most.</param>
/// <param name="IsMarked">Of a COFF object: whether it says that it can be patched, so that linkers give it room. Else null.</param>
/// <param name="IsFilled">Linked by one that fills gaps between functions with what Weft's room is made of.</param>
public sealed record MachineCode(Processor Processor, bool IsObject, IReadOnlyList<CodeSection> Sections, IReadOnlyList<CodeFunction> Functions, bool? IsMarked = null, bool IsFilled = false);

/// <summary>
/// A section with code. All sections of a file lie in one space of places: addresses, or in an object places that are made up, far from
/// each other and aligned as the sections are.
/// </summary>
public sealed class CodeSection(string name, ulong start, ulong address, ulong alignment, ArraySegment<byte> bytes, IReadOnlyList<CodeReference> references)
{
    public string Name => name;

    public ulong Start => start;

    /// <summary>What is to be printed for its start.</summary>
    public ulong Address => address;

    /// <summary>In an object: what is known of where it will be. Else 1 and of no meaning.</summary>
    public ulong Alignment => alignment;

    public ArraySegment<byte> Bytes => bytes;

    /// <summary>What the linker has yet to fill in, by offset.</summary>
    public IReadOnlyList<CodeReference> References => references;

    public ulong End => start + (ulong)bytes.Count;

    public bool Contains(ulong place) => place >= start && place < End;

    public ReadOnlySpan<byte> From(ulong place) => bytes.AsSpan((int)(place - start));

    public ReadOnlySpan<byte> Between(ulong place, ulong end) => bytes.AsSpan((int)(place - start), (int)(end - place));
}

/// <param name="Offset">Of the field that is filled in, in its section.</param>
/// <param name="Target">The place that a branch with this field leads to; null if it is in another file or in no code.</param>
/// <param name="ByName">It names a symbol, and leads to that very place.</param>
public sealed record CodeReference(int Offset, ulong? Target, bool ByName);

/// <param name="Symbol">As the file has it, mangled; empty where only unwinding tables tell of it.</param>
/// <param name="Section">Where it is.</param>
/// <param name="Entry">Its place.</param>
/// <param name="Size">In bytes; 0 where nothing tells.</param>
public sealed record CodeFunction(string Symbol, CodeSection Section, ulong Entry, ulong Size)
{
    /// <summary>The address, or in an object the offset in the section.</summary>
    public ulong Address => Entry - Section.Start + Section.Address;
}
