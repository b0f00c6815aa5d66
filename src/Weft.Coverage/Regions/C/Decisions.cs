using Weft.Coverage.Regions.Placement;
using Weft.Llvm;

namespace Weft.Coverage.Regions.C;

/// <summary>How often something was true and false, as sums of sites.</summary>
internal readonly record struct Outcomes(Count True, Count False);

/// <summary>
/// What clang's code for a function decides: branches, <c>select</c>s, switches, and truth values that flow into a phi. Each
/// is taken once, by what stands at its place in the source; those of a macro all have the place of its invocation, and are
/// taken in the order in which clang made them, which is that of its syntax tree.
/// </summary>
internal sealed class Decisions
{
    private const int PlacesOfDecision = 3;

    private readonly LocatedFunction function;
    private readonly Sites sites;
    private readonly List<Decision> conditions = [], values = [], switches = [];

    public Decisions(LocatedFunction function, Sites sites)
    {
        this.function = function;
        this.sites = sites;
        for (var block = 0; block < function.Graph.Count; block++)
            foreach (var instruction in function.Graph.Blocks[block].Instructions)
                Read(instruction, block);
    }

    /// <param name="At">The instruction; of a truth value, the phi.</param>
    /// <param name="Block">Where it is; of a truth value, where that comes from.</param>
    /// <param name="Condition">What is decided by.</param>
    /// <param name="Places">Where that stands, what is compared in it, and the instruction: clang gives loops' and what is compared with zero the place of what is around.</param>
    private sealed record Decision(Instruction At, int Block, Value Condition, Place?[] Places)
    {
        public bool Taken { get; set; }
    }

    /// <summary>The branch or select that asks a condition at one of some places.</summary>
    public Outcomes? TakeCondition(IReadOnlySet<Place> places)
    {
        if (Take(conditions, places) is not { } decision) return null;
        if (decision.At.Opcode == Opcode.Br) return new(sites.Edge(decision.Block, 0), sites.Edge(decision.Block, 1));
        return Counted(decision, decision.At);
    }

    /// <summary>A truth value that is computed at one of some places and goes on without a branch.</summary>
    public Outcomes? TakeValue(IReadOnlySet<Place> places) =>
        Take(values, places) is { } decision ? Counted(decision, function.Graph.Blocks[decision.Block].Terminator) : null;

    /// <summary>The block that ends in the switch at one of some places.</summary>
    public int? TakeSwitch(IReadOnlySet<Place> places) => Take(switches, places)?.Block;

    private Outcomes Counted(Decision decision, Instruction before)
    {
        var holds = sites.Value(decision.Block, decision.Condition, before);
        return new(holds, sites.Block(decision.Block) - holds);
    }

    private static Decision? Take(List<Decision> from, IReadOnlySet<Place> places)
    {
        for (var i = 0; i < PlacesOfDecision; i++)
            if (from.Find(d => !d.Taken && PlaceOf(d, i) is { } place && places.Contains(place)) is { } found)
            {
                found.Taken = true;
                return found;
            }
        return null;
    }

    // A branch may have the place of all that it decides; that is asked only where nothing better is known.
    private static Place? PlaceOf(Decision decision, int number) =>
        number < PlacesOfDecision - 1 || decision.Places.AsSpan(0, number).IndexOfAnyExcept((Place?)null) < 0 ? decision.Places[number] : null;

    private void Read(Instruction instruction, int block)
    {
        switch (instruction.Opcode)
        {
            case Opcode.Br when instruction.SuccessorCount == 2 && !IsOfCast(instruction):
                Add(conditions, instruction, block, instruction.Condition);
                break;
            case Opcode.Select when IsBit(instruction.AsValue.Operand(0)):
                Add(conditions, instruction, block, instruction.AsValue.Operand(0));
                break;
            case Opcode.Switch:
                Add(switches, instruction, block, instruction.AsValue.Operand(0));
                break;
            case Opcode.Phi when IsBit(instruction.AsValue):
                for (var i = 0; i < instruction.IncomingCount; i++)
                    if (!instruction.IncomingValue(i).IsConstant && function.Graph.Find(instruction.IncomingBlock(i)) is { } from)
                        Add(values, instruction, from, instruction.IncomingValue(i));
                break;
        }
    }

    // dynamic_cast asks for null first.
    private bool IsOfCast(Instruction branch)
    {
        foreach (var instruction in branch.Successor(1).Instructions)
            if (instruction.IsCall && instruction.CalledValue.NameBytes.SequenceEqual("__dynamic_cast"u8))
                return branch.Condition is { IsInstruction: true } condition && condition.AsInstruction.Opcode == Opcode.ICmp && condition.Operand(1).IsNullConstant;
        return false;
    }

    private void Add(List<Decision> to, Instruction at, int block, Value condition)
    {
        var compared = condition.IsInstruction && condition.AsInstruction.Opcode != Opcode.Phi && condition.OperandCount > 0 ? condition.Operand(0) : default;
        to.Add(new(at, block, condition, [PlaceOf(condition), PlaceOf(compared), function.PlaceOf(at)]));
    }

    private Place? PlaceOf(Value value) => value is { Exists: true, IsInstruction: true } ? function.PlaceOf(value.AsInstruction) : null;

    private static bool IsBit(Value value) => value.Type is { Kind: TypeKind.Integer, IntWidth: 1 };
}
