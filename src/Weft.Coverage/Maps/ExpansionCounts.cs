namespace Weft.Coverage.Maps;

/// <summary>Expansions are written without counters: each has that of the first region in the file it expands to.</summary>
internal static class ExpansionCounts
{
    /// <summary>Far more than preprocessors nest macros.</summary>
    private const int MostDepth = 4096;

    /// <exception cref="DamageException">Expansions are not a tree: then going through them would not end.</exception>
    public static void Set(MappedRegion[] regions, int files)
    {
        var expansionOf = new int[files];
        Array.Fill(expansionOf, -1);
        var firstIn = new int[files];
        Array.Fill(firstIn, -1);
        for (var i = 0; i < regions.Length; i++)
        {
            var region = regions[i];
            if (firstIn[region.File] < 0) firstIn[region.File] = i;
            if (region.Kind != RegionKind.Expansion) continue;
            if (expansionOf[region.ExpandedFile] >= 0) throw new DamageException("two expansions are of one file");
            expansionOf[region.ExpandedFile] = i;
        }
        foreach (var file in InnermostFirst(regions, expansionOf))
            if (expansionOf[file] is var expansion and >= 0 && firstIn[file] >= 0) regions[expansion] = regions[expansion] with { Count = regions[firstIn[file]].Count };
    }

    /// <summary>Every file behind those that it is expanded to.</summary>
    private static int[] InnermostFirst(MappedRegion[] regions, int[] expansionOf)
    {
        var depths = new int[expansionOf.Length]; // from 1; 0 if not known yet
        var order = new int[expansionOf.Length];
        var path = new Stack<int>();
        for (var file = 0; file < order.Length; file++)
        {
            order[file] = file;
            var outer = file;
            for (; outer >= 0 && depths[outer] == 0; outer = Outer(outer))
            {
                path.Push(outer);
                if (path.Count > order.Length) throw new DamageException("an expansion is within itself");
            }
            var depth = outer < 0 ? 0 : depths[outer];
            while (path.TryPop(out var inner)) depths[inner] = ++depth;
            if (depth > MostDepth) throw new DamageException("expansions are nested too deeply");
        }
        Array.Sort(depths, order);
        Array.Reverse(order);
        return order;

        int Outer(int inner) => expansionOf[inner] < 0 ? -1 : regions[expansionOf[inner]].File;
    }
}
