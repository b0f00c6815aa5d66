namespace Weft.Coverage.Model;

/// <summary>
/// Collects the conditions of each decision of a function, in the order of its map, and reads the decision's test vectors from the
/// function's bitmap when it has all: LLVM's MCDCDecisionRecorder.
/// </summary>
/// <param name="bitmap">Of the function; empty if nothing ran.</param>
/// <param name="byCondition">See <see cref="Profiles.Profile.BitmapsByCondition"/>.</param>
internal sealed class McdcEvaluator(byte[] bitmap, bool byCondition)
{
    private readonly List<Open> open = [];
    private readonly List<Decision> decisions = [];

    /// <summary>Those that are complete.</summary>
    public Decision[] Decisions => decisions.Count == 0 ? [] : [.. decisions];

    public void Begin(in MappedRegion decision) => open.Add(new Open(decision));

    /// <summary>Conditions may be in a macro that the decision uses.</summary>
    public void AddExpansion(in MappedRegion expansion)
    {
        foreach (var decision in open)
        {
            if (!decision.Dominates(expansion)) continue;
            decision.Expanded.Add(expansion.ExpandedFile);
            return;
        }
    }

    public void AddCondition(in MappedRegion condition)
    {
        for (var i = 0; i < open.Count; i++)
        {
            if (!open[i].Add(condition)) continue;
            if (open[i].Conditions.Count < open[i].Region.Decision.Conditions) return;
            if (TestVectors.Evaluate(open[i].Region, open[i].Conditions, bitmap, byCondition) is { } decision) decisions.Add(decision);
            open.RemoveAt(i);
            return;
        }
    }

    /// <summary>A decision, some of whose conditions are missing.</summary>
    private sealed class Open(MappedRegion region)
    {
        private readonly HashSet<int> numbers = [];

        public MappedRegion Region => region;

        public List<MappedRegion> Conditions { get; } = [];

        public HashSet<int> Expanded { get; } = [];

        public bool Dominates(in MappedRegion other) => Expanded.Contains(other.File) || (other.File == region.File
            && (other.StartLine, other.StartColumn).CompareTo((region.StartLine, region.StartColumn)) >= 0
            && (other.EndLine, other.EndColumn).CompareTo((region.EndLine, region.EndColumn)) <= 0);

        public bool Add(in MappedRegion condition)
        {
            var number = condition.Condition.Id;
            if (number >= region.Decision.Conditions || numbers.Contains(number) || !Dominates(condition)) return false;
            numbers.Add(number);
            if (number == 0) Conditions.Insert(0, condition);
            else Conditions.Add(condition);
            return true;
        }
    }
}
