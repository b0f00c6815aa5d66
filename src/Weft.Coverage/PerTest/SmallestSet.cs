namespace Weft.Coverage.PerTest;

/// <summary>
/// A small set of tests that reaches all that many reach, by the greedy rule: the test that adds most is next. It is at most
/// ln(n) times as large as the smallest there is, and nobody knows a much better one in reasonable time.
/// </summary>
public static class SmallestSet
{
    /// <param name="reach">Who reaches what.</param>
    /// <param name="tests">Indexes of those to choose from.</param>
    /// <param name="isWanted">Which sources matter.</param>
    /// <returns>Those chosen, the most important first.</returns>
    public static IReadOnlyList<int> Of(TestReach reach, IEnumerable<int> tests, Func<string, bool> isWanted)
    {
        var places = new PlaceNumbers(reach, isWanted);
        var left = tests.Select(test => (Test: test, Places: places.Of(test))).ToList();
        var queue = new PriorityQueue<(int Test, int[] Places), (int Fewer, int Test)>(left.Select(t => (t, (-t.Places.Length, t.Test))));
        var covered = new HashSet<int>();
        var chosen = new List<int>();
        while (queue.TryDequeue(out var next, out var order))
        {
            var gain = next.Places.Count(p => !covered.Contains(p));
            if (gain == 0) continue;
            if (gain < -order.Fewer)
            {
                queue.Enqueue(next, (-gain, next.Test)); // what it adds has become less: perhaps another adds more now
                continue;
            }
            covered.UnionWith(next.Places);
            chosen.Add(next.Test);
        }
        return chosen;
    }

    /// <summary>Numbers for regions and outcomes of conditions, the same in all instantiations and programs.</summary>
    private sealed class PlaceNumbers(TestReach reach, Func<string, bool> isWanted)
    {
        private readonly Dictionary<(string, ulong, ulong, RegionKind, bool), int> numbers = [];
        private readonly Dictionary<(int, int), int[]> known = [];

        public int[] Of(int test) => [.. reach.Map.Tests[test].Reached.Where(r => !reach.IsTestCode[r.Function]).SelectMany(Of).Distinct()];

        private int[] Of((int Function, int Pattern) reached)
        {
            if (known.TryGetValue(reached, out var places)) return places;
            var function = reach.Map.Functions[reached.Function].Reached(reached.Pattern);
            var found = new List<int>();
            foreach (var region in function.Regions.Concat(function.Branches))
            {
                if (!isWanted(function.Files[region.File])) continue;
                if (region.Count > 0) found.Add(Number((function.Files[region.File], region.Start, region.End, region.Kind, true)));
                if (region.FalseCount > 0) found.Add(Number((function.Files[region.File], region.Start, region.End, region.Kind, false)));
            }
            return known[reached] = [.. found];
        }

        private int Number((string, ulong, ulong, RegionKind, bool) place)
        {
            if (!numbers.TryGetValue(place, out var number)) numbers.Add(place, number = numbers.Count);
            return number;
        }
    }
}
