namespace Weft.Hotpatch.Check;

/// <summary>What a function must fulfil to be replaceable.</summary>
public enum Condition
{
    /// <summary>The first instruction can be exchanged by one store that no thread sees half of.</summary>
    Instruction,

    /// <summary>Nothing but calls leads to what is exchanged.</summary>
    Branch,

    /// <summary>Before the function there are bytes that nobody uses.</summary>
    Room,
}

/// <param name="Condition">What does not hold.</param>
/// <param name="Why">In words.</param>
public sealed record Violation(Condition Condition, string Why);

/// <summary>What the check found of one function.</summary>
/// <param name="Function">Which.</param>
/// <param name="PatchPoint">Where its first instruction is, behind a mark for indirect branches: offset from its entry.</param>
/// <param name="Instruction">The first instruction in words.</param>
/// <param name="Room">Unused bytes right before it.</param>
/// <param name="IsWoven">The room is as Weft makes it.</param>
/// <param name="CallsItself">By a jump to its entry, which is harmless: it is one more call.</param>
/// <param name="Violations">Empty if it can be replaced.</param>
public sealed record Verdict(CodeFunction Function, int PatchPoint, string Instruction, int Room, bool IsWoven, bool CallsItself, IReadOnlyList<Violation> Violations);
