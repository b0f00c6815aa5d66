using Weft.Coverage.Regions.Placement;

namespace Weft.Coverage.Regions.Rust;

/// <summary>A function, closure or asynchronous block of a file.</summary>
/// <param name="Name">As the source has it.</param>
/// <param name="Whole">From its signature to its closing brace.</param>
/// <param name="Body">Its body.</param>
/// <param name="Read">Its regions, which count blocks of the graph beside them: the flow that rustc would build, by what its code shows if it has any; no graph for the outside of an asynchronous function.</param>
/// <param name="IsConditional">Whether an attribute may keep it from being compiled.</param>
/// <param name="IsAsynchronous">Whether its code is that of a state machine.</param>
internal sealed record RustFunction(string Name, Span Whole, Span Body, Func<RustCode?, (FunctionRegions Regions, CoverageGraph? Graph)> Read, bool IsConditional, bool IsAsynchronous = false)
{
    private readonly (FunctionRegions Regions, CoverageGraph? Graph) source = Read(null);

    /// <summary>Its regions, as far as the source alone tells.</summary>
    public FunctionRegions Regions => source.Regions;

    /// <summary>Whether it only makes a future, whose code is a function of its own.</summary>
    public bool IsOutside => source.Graph == null;

    /// <summary>Where it begins.</summary>
    public int Line => Regions.Regions is [var first, ..] ? first.StartLine : 0;
}

/// <summary>A file of Rust with its functions, and how they are found in the code that rustc makes of them.</summary>
internal sealed class RustUnit(SourceFile source, IReadOnlyList<RustFunction> functions, int file)
{
    public IReadOnlyList<RustFunction> Functions => functions;

    /// <summary>The function that most of some IR comes from, if it is one of the file's.</summary>
    public RustFunction? Find(LocatedFunction located)
    {
        var votes = new Dictionary<RustFunction, int>();
        foreach (var place in located.Located.Select(l => l.Place).Where(p => p.File == file))
            if (Innermost(place) is { } owner)
                votes[owner] = votes.GetValueOrDefault(owner) + 1;
        if (votes.Count == 0) return null;
        var found = votes.MaxBy(v => v.Value).Key;
        // An asynchronous function is two: one that makes the future, and the code of that.
        var isInner = located.Function.Name.Contains("closure", StringComparison.Ordinal);
        return functions.FirstOrDefault(f => f.Body == found.Body && f.IsOutside) is { } outside && !isInner ? outside : found;
    }

    /// <summary>The regions of a function that there is code of.</summary>
    /// <param name="function">The function.</param>
    /// <param name="located">Its code.</param>
    /// <param name="sites">Takes what the counts are sums of.</param>
    public FunctionRegions Regions(RustFunction function, LocatedFunction located, Sites sites)
    {
        var (regions, graph) = function.Read(new RustCode(source, file, located));
        var counts = graph == null ? [sites.Block(0)] : new RustPlacement(source, file, function, regions, graph, located, sites).Place();
        return regions with { Regions = [.. regions.Regions.Select(r => r with { Count = r.Count.Replace(b => counts[b]) })] };
    }

    /// <summary>The regions of a function that there is no code of.</summary>
    public static FunctionRegions Unused(RustFunction function) =>
        function.Regions with { Regions = [.. function.Regions.Regions.Select(r => r with { Count = Count.Zero })] };

    private RustFunction? Innermost(Place place)
    {
        var offset = source.LineStart(Math.Min(place.Line, source.LineCount)) + Math.Max(0, place.Column - 1);
        return functions.Where(f => !f.IsOutside && f.Whole.Low <= offset && offset <= f.Whole.High).MinBy(f => f.Whole.High - f.Whole.Low);
    }
}
