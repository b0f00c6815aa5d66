using Weft.Core;

namespace Weft.Metering.Costs;

/// <summary>What a call costs in place of the weight of its opcode.</summary>
/// <param name="Units">In any case.</param>
/// <param name="Linear">What an argument adds; null: nothing.</param>
/// <param name="IsFree">Nor is charged what the function does itself.</param>
public sealed record CallCost(ulong Units, LinearCost? Linear = null, bool IsFree = false);

/// <summary>Units for each whole <paramref name="Per"/> of an argument.</summary>
/// <param name="Argument">Counted from 0; an integer, taken as unsigned.</param>
/// <param name="Units">At least 1.</param>
/// <param name="Per">At least 1.</param>
public sealed record LinearCost(int Argument, ulong Units, ulong Per)
{
    /// <summary>An argument adds no more: a meter that is looked at after each charge of this size cannot wrap around.</summary>
    public const ulong Most = 1ul << 48;

    /// <summary>How often <see cref="Units"/> fit into the most.</summary>
    public ulong MostTimes => Most / Units;

    public ulong Of(ulong argument) => Math.Min(argument / Per, MostTimes) * Units;
}

/// <summary>A cost and whose it is.</summary>
/// <param name="Name">A name, or a pattern.</param>
/// <param name="Cost">The cost.</param>
public sealed record CallRule(string Name, CallCost Cost)
{
    private readonly Glob glob = new(Name);

    public bool Matches(string name) => glob.Matches(name);
}

/// <summary>The costs of calls: a name as it is goes before patterns, of which the first counts.</summary>
public sealed class CallRules(IReadOnlyList<CallRule> rules)
{
    public static CallRules None { get; } = new([]);

    public IReadOnlyList<CallRule> All { get; } = rules;

    /// <summary>The rule for a function with these names, or null.</summary>
    public CallRule? Find(params IReadOnlyList<string> names) =>
        All.FirstOrDefault(r => names.Contains(r.Name)) ?? All.FirstOrDefault(r => names.Any(r.Matches));
}
