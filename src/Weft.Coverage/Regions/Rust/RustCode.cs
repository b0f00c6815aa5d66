using Weft.Coverage.Regions.Placement;
using Weft.Llvm;

namespace Weft.Coverage.Regions.Rust;

/// <summary>What the code that rustc made of a function shows of its types: they decide which spans there are, and the source does not say them.</summary>
internal sealed class RustCode
{
    private readonly SourceFile source;
    private readonly int file;
    private readonly LocatedFunction located;
    private readonly HashSet<Value> dropped = [];
    private readonly HashSet<Place> drops = [], unsized = [];

    public RustCode(SourceFile source, int file, LocatedFunction located)
    {
        (this.source, this.file, this.located) = (source, file, located);
        foreach (var block in located.Graph.Blocks)
            foreach (var instruction in block.Instructions)
                if (Calls(instruction, "drop_in_place") && instruction.AsValue.OperandCount > 0)
                    dropped.Add(instruction.AsValue.Operand(0));
        foreach (var (instruction, _, place) in located.Located)
        {
            if (Calls(instruction, "drop_in_place") || dropped.Contains(Target(instruction))) drops.Add(place);
            if (instruction.Opcode == Opcode.Store && IsTable(instruction.AsValue.Operand(0))) unsized.Add(place);
        }
    }

    /// <summary>Whether an assignment to a place drops the value that it had.</summary>
    public bool Drops(int place) => drops.Contains(At(place));

    /// <summary>Whether a value becomes one of a type that is known at run time only.</summary>
    public bool Unsizes(int value) => unsized.Contains(At(value));

    /// <summary>Whether the receiver of a method call is dereferenced by a function of its type's, as that of a vector is for a slice's method.</summary>
    /// <param name="receiver">Where the receiver begins.</param>
    /// <param name="method">Where the method's name stands.</param>
    public bool Dereferences(int receiver, int method)
    {
        var (first, name) = (At(receiver), At(method));
        var found = false;
        foreach (var (instruction, _, place) in located.Located.Where(l => l.Instruction.IsCall))
        {
            if (place == name) return found;
            if (place == first && (Calls(instruction, "Deref$GT$5deref") || Calls(instruction, "DerefMut$GT$9deref_mut"))) found = true;
            else if (IsWithin(place, first, name)) found = false; // it was for a method before this one
        }
        return false;
    }

    // A constant that holds functions.
    private static bool IsTable(Value value)
    {
        if (value.AddressedGlobal is not { Handle: not 0 } global || global.Initializer is not { Handle: not 0 } content) return false;
        return Enumerable.Range(0, content.OperandCount).Any(i => content.Operand(i).IsFunction);
    }

    private static bool IsWithin(Place place, Place first, Place end) =>
        place.File == first.File && (place.Line, place.Column).CompareTo((first.Line, first.Column)) >= 0 && (place.Line, place.Column).CompareTo((end.Line, end.Column)) < 0;

    private static bool Calls(Instruction instruction, string name) => instruction.IsCall && instruction.CalledValue.Name.Contains(name, StringComparison.Ordinal);

    private static Value Target(Instruction instruction) => instruction.Opcode switch
    {
        Opcode.Store => instruction.AsValue.Operand(1),
        Opcode.Call when Calls(instruction, "llvm.memcpy") => instruction.AsValue.Operand(0),
        _ => default,
    };

    private Place At(int offset)
    {
        if (offset >= source.Text.Length) return default; // in what a macro became
        var (line, column) = source.Position(offset);
        return new Place(file, line, column);
    }
}
