using Weft.Core;

namespace Weft.Hotpatch.Objects;

/// <summary>
/// What a relocation points at. Of what has a name, that name, whoever defines it; of strings, constants, jump tables and the like,
/// which a compiler gives none that lasts, the piece of a section that they are.
/// </summary>
/// <param name="File">The object that points.</param>
/// <param name="Symbol">What has a name: a function or variable, defined in the object or not; null for a piece.</param>
/// <param name="Section">Of the object; 0 for what another defines.</param>
/// <param name="Start">Where in the section it begins.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Addend">What the relocation adds to the address of the beginning.</param>
internal readonly record struct Place(ObjectFile File, ElfSymbol? Symbol, int Section, long Start, long Size, long Addend);
