using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>
/// A loop whose one latch compares an induction variable with a bound that does not change:
/// <code>
/// header:  %iv = phi [%start, outside...], [%next, %latch]
/// latch:   %next = add %iv, STEP          (or getelementptr for pointers)
///          %more = icmp ne %next, %bound  (ne with any step; slt, ult, sgt, ugt along the step; either order, either sense)
///          br %more, %header, %exit
/// </code>
/// </summary>
/// <param name="Variable">The phi.</param>
/// <param name="Next">The variable after a step.</param>
/// <param name="Comparison">The latch's comparison.</param>
/// <param name="Bound">Its operand that stays the same.</param>
/// <param name="BoundIsSecond">Whether the bound is the comparison's second operand.</param>
/// <param name="ComparesNext">Whether the other operand is <paramref name="Next"/>, not <paramref name="Variable"/>.</param>
/// <param name="Order">What holds between variable and bound, in this order, as long as the loop goes on.</param>
/// <param name="Step">In elements, or in bytes for pointers; never 0.</param>
/// <param name="Latch">Number of the latch's block.</param>
/// <param name="ExitIndex">Which successor of the latch leaves.</param>
public sealed record CountedLoop(Instruction Variable, Instruction Next, Instruction Comparison, Value Bound, bool BoundIsSecond, bool ComparesNext, Predicate Order, long Step, int Latch, int ExitIndex)
{
    private const long LargestStep = 1 << 16;

    /// <summary>How far a step goes.</summary>
    public ulong Stride => (ulong)Math.Abs(Step);

    /// <summary>How often the body runs when the start and the bound are constants, else 0.</summary>
    public ulong ConstantTrips
    {
        get
        {
            var start = Start;
            if (!start.IsConstantInt || !Bound.IsConstantInt || Order != Predicate.NotEqual) return 0;
            var mask = ulong.MaxValue >> (64 - start.Type.IntWidth);
            var distance = (Step > 0 ? Bound.ZExtValue - start.ZExtValue : start.ZExtValue - Bound.ZExtValue) & mask;
            var step = (ulong)Math.Abs(Step);
            return distance % step == 0 ? distance / step + (ComparesNext ? 0u : 1u) : 0;
        }
    }

    /// <summary>The variable's value on entry, if it is the same on every way in.</summary>
    private Value Start
    {
        get
        {
            Value start = default;
            for (var i = 0; i < Variable.IncomingCount; i++)
                if (Variable.IncomingValue(i) is var value && value.Handle != Next.Handle)
                    start = !start.Exists || start == value ? value : Variable.AsValue;
            return start;
        }
    }

    public static CountedLoop? Match(Loop loop, FlowGraph graph, Module module)
    {
        if (!loop.IsReducible) return null;
        var latches = graph.Predecessors[loop.Header].Where(loop.Contains).ToList();
        if (latches.Count != 1) return null;
        var branch = graph.Blocks[latches[0]].Terminator;
        if (branch.Opcode != Opcode.Br || branch.SuccessorCount != 2) return null;
        var exit = graph.Successors[latches[0]].AsSpan().IndexOf(loop.Header) == 0 ? 1 : 0;
        if (loop.Contains(graph.Successors[latches[0]][exit])) return null;
        if (!branch.Condition.IsInstruction || branch.Condition.AsInstruction is not { Opcode: Opcode.ICmp } comparison) return null;
        if (!loop.Contains(graph.NumberOf(comparison.Block))) return null;
        for (var side = 0; side < 2; side++)
        {
            var bound = comparison.AsValue.Operand(1 - side);
            if (IsInvariant(bound, loop, graph) && Induction(comparison.AsValue.Operand(side), loop, graph, latches[0], module) is var (variable, next, step))
                return Make(comparison, variable, next, step, bound, boundIsSecond: side == 0, comparison.AsValue.Operand(side), latches[0], exit);
        }
        return null;
    }

    private static CountedLoop? Make(Instruction comparison, Instruction variable, Instruction next, long step, Value bound, bool boundIsSecond, Value compared, int latch, int exit)
    {
        var order = comparison.Predicate;
        if (!boundIsSecond) order = Swapped(order);
        if (exit == 0) order = Negated(order);
        var runsTowards = order switch
        {
            Predicate.NotEqual => true,
            Predicate.SignedLess or Predicate.UnsignedLess => step > 0,
            Predicate.SignedGreater or Predicate.UnsignedGreater => step < 0,
            _ => false,
        };
        var width = variable.AsValue.Type.Kind == TypeKind.Integer ? variable.AsValue.Type.IntWidth : 64;
        if (!runsTowards || width is > 64 or < 8 || bound.Type != variable.AsValue.Type) return null;
        return new CountedLoop(variable, next, comparison, bound, boundIsSecond, compared.Handle == next.Handle, order, step, latch, exit);
    }

    private static (Instruction Variable, Instruction Next, long Step)? Induction(Value compared, Loop loop, FlowGraph graph, int latch, Module module)
    {
        if (!compared.IsInstruction) return null;
        var instruction = compared.AsInstruction;
        var header = graph.Blocks[loop.Header];
        if (instruction.Opcode == Opcode.Phi)
        {
            if (instruction.Block != header) return null;
            var next = instruction.IncomingFrom(graph.Blocks[latch]);
            return next.IsInstruction && StepOf(next.AsInstruction, instruction, module) is { } step ? (instruction, next.AsInstruction, step) : null;
        }
        var variable = instruction.AsValue.Operand(0);
        if (!variable.IsInstruction || variable.AsInstruction is not { Opcode: Opcode.Phi } phi || phi.Block != header || phi.IncomingFrom(graph.Blocks[latch]) != compared) return null;
        return StepOf(instruction, phi, module) is { } found ? (phi, instruction, found) : null;
    }

    private static long? StepOf(Instruction next, Instruction variable, Module module)
    {
        if (next.Opcode is not (Opcode.Add or Opcode.GetElementPtr) || next.AsValue.OperandCount != 2) return null;
        if (next.AsValue.Operand(0) != variable.AsValue || !next.AsValue.Operand(1).IsConstantInt) return null;
        var constant = next.AsValue.Operand(1);
        var width = constant.Type.IntWidth;
        if (width > 64) return null;
        var step = (long)(constant.ZExtValue << (64 - width)) >> (64 - width);
        if (Math.Abs(step) > LargestStep) return null;
        if (next.Opcode == Opcode.GetElementPtr) step *= (long)module.SizeOf(next.SourceElementType);
        return step == 0 || Math.Abs(step) > LargestStep ? null : step;
    }

    private static bool IsInvariant(Value value, Loop loop, FlowGraph graph) => !value.IsInstruction || !loop.Contains(graph.NumberOf(value.AsInstruction.Block));

    private static Predicate Swapped(Predicate predicate) => predicate switch
    {
        Predicate.UnsignedGreater => Predicate.UnsignedLess,
        Predicate.UnsignedGreaterOrEqual => Predicate.UnsignedLessOrEqual,
        Predicate.UnsignedLess => Predicate.UnsignedGreater,
        Predicate.UnsignedLessOrEqual => Predicate.UnsignedGreaterOrEqual,
        Predicate.SignedGreater => Predicate.SignedLess,
        Predicate.SignedGreaterOrEqual => Predicate.SignedLessOrEqual,
        Predicate.SignedLess => Predicate.SignedGreater,
        Predicate.SignedLessOrEqual => Predicate.SignedGreaterOrEqual,
        _ => predicate,
    };

    private static Predicate Negated(Predicate predicate) => predicate switch
    {
        Predicate.Equal => Predicate.NotEqual,
        Predicate.NotEqual => Predicate.Equal,
        Predicate.UnsignedGreater => Predicate.UnsignedLessOrEqual,
        Predicate.UnsignedGreaterOrEqual => Predicate.UnsignedLess,
        Predicate.UnsignedLess => Predicate.UnsignedGreaterOrEqual,
        Predicate.UnsignedLessOrEqual => Predicate.UnsignedGreater,
        Predicate.SignedGreater => Predicate.SignedLessOrEqual,
        Predicate.SignedGreaterOrEqual => Predicate.SignedLess,
        Predicate.SignedLess => Predicate.SignedGreaterOrEqual,
        _ => Predicate.SignedGreater,
    };
}
