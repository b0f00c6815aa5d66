namespace Weft.Coverage.Regions.C;

/// <summary>
/// What clang calls a file id: one inclusion of a file, one expansion of a macro, or what one argument of a macro became.
/// A macro's expansion is a file of its own whose text is the macro's definition.
/// </summary>
/// <param name="Source">Where the text is spelled; null for tokens that pasting made.</param>
/// <param name="Start">Offset of the text in <paramref name="Source"/>.</param>
/// <param name="End">Offset behind it.</param>
/// <param name="Parent">The include directive, the macro's name, or the parameter; null for the main file.</param>
/// <param name="Kind">What it is.</param>
/// <param name="SpelledIn">Of an argument, the file or expansion that the macro was invoked in.</param>
/// <param name="ExpansionEnd">The closing parenthesis of the invocation of a function-like macro; for what pasting made, its last token.</param>
internal sealed record VirtualFile(SourceFile? Source, int Start, int End, Location? Parent, VirtualFileKind Kind, Location? ExpansionEnd = null, VirtualFile? SpelledIn = null)
{
    public bool IsMacro => Kind != VirtualFileKind.Inclusion;

    /// <summary>How many inclusions and expansions lie around it.</summary>
    public int Depth { get; } = Parent is { } parent ? parent.File.Depth + 1 : 1;

    // One file is spelled often: identity is what tells two expansions of a macro apart.
    public bool Equals(VirtualFile? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}

internal enum VirtualFileKind { Inclusion, Expansion, Argument }

/// <summary>A place in a virtual file: an offset into the text that it spells.</summary>
internal readonly record struct Location(VirtualFile File, int Offset)
{
    /// <summary>The place in the file or macro around this one.</summary>
    public Location? Parent => File.Parent;

    public Location StartOfFile => this with { Offset = File.Start };

    public Location EndOfFile => this with { Offset = File.End };

    /// <summary>Where the user wrote what led here: no macro's text.</summary>
    public Location InFile
    {
        get
        {
            var at = this;
            while (at.File.IsMacro) at = at.Parent!.Value;
            return at;
        }
    }

    /// <summary>The place in a file that debug locations have: an argument's is where it was written, that of a macro's own text the invocation.</summary>
    public Location Debugged
    {
        get
        {
            var at = this;
            while (at.File.IsMacro) at = at.File is { Kind: VirtualFileKind.Argument, SpelledIn: { } spelled } ? at with { File = spelled } : at.Parent!.Value;
            return at;
        }
    }

    public (int Line, int Column) Position => File.Source!.Position(Offset);

    /// <summary>Whether the location is in something included or expanded, directly or not, from <paramref name="ancestor"/>.</summary>
    public bool IsNestedIn(VirtualFile ancestor)
    {
        for (var at = Parent; at is { } outer; at = outer.Parent)
            if (outer.File == ancestor)
                return true;
        return false;
    }
}
