using Weft.Llvm;

namespace Weft.Core.Flow;

/// <summary>Writes code that computes how often a counted loop goes round, as an unsigned 64-bit number.</summary>
public sealed class LoopRounds(Builder builder, LlvmType word)
{
    /// <summary>Rounds from here to the bound. One that lies behind (which only an ordered comparison allows) is one round away.</summary>
    public Value Until(Value first, Value bound, CountedLoop counted)
    {
        var distance = Distance(first, bound, counted.Step);
        if (!counted.ComparesNext) distance = builder.Add(distance, word.Const(counted.Stride));
        if (counted.Order != Predicate.NotEqual)
            distance = builder.Select(builder.Compare(counted.Order, first, bound), distance, word.Const(counted.Stride));
        return counted.Order == Predicate.NotEqual ? DivideExactly(distance, counted.Stride) : Divide(distance, counted.Stride);
    }

    /// <summary>
    /// The quotient where there is no remainder, and otherwise a number above 2^64 / divisor: a loop that steps over its
    /// bound runs on, and has to be looked at for as long as it does. (Multiply by the inverse of the odd part, rotate by
    /// the rest; Granlund and Montgomery 1994.)
    /// </summary>
    private Value DivideExactly(Value value, ulong divisor)
    {
        var shift = ulong.TrailingZeroCount(divisor);
        ulong odd = divisor >> (int)shift, inverse = odd;
        while (odd * inverse != 1) inverse *= 2 - odd * inverse;
        if (inverse != 1) value = builder.Mul(value, word.Const(inverse));
        return shift == 0 ? value : builder.Binary(Opcode.Or, builder.Binary(Opcode.LShr, value, word.Const(shift)), builder.Binary(Opcode.Shl, value, word.Const(64 - shift)));
    }

    /// <summary>(to - from) along the step, as an unsigned 64-bit number.</summary>
    private Value Distance(Value from, Value to, long step)
    {
        if (from.Type.Kind == TypeKind.Pointer)
        {
            from = builder.PointerToInt(from, word);
            to = builder.PointerToInt(to, word);
        }
        return builder.Resize(step > 0 ? builder.Sub(to, from) : builder.Sub(from, to), word);
    }

    /// <summary>Rounds between two values of the loop's variable.</summary>
    public Value Between(Value from, Value to, CountedLoop counted) => Divide(Distance(from, to, counted.Step), counted.Stride);

    /// <summary>What the variable is compared with behind so many rounds.</summary>
    public Value After(Value first, Value rounds, CountedLoop counted)
    {
        var steps = counted.ComparesNext ? rounds : builder.Sub(rounds, word.Const(1));
        var way = builder.Mul(steps, word.Const(unchecked((ulong)counted.Step)));
        return first.Type.Kind == TypeKind.Pointer ? builder.Advance(first, way) : builder.Add(first, builder.Resize(way, first.Type));
    }

    private Value Divide(Value value, ulong divisor) =>
        ulong.IsPow2(divisor) ? builder.Binary(Opcode.LShr, value, word.Const((ulong)ulong.TrailingZeroCount(divisor))) : builder.Binary(Opcode.UDiv, value, word.Const(divisor));
}
