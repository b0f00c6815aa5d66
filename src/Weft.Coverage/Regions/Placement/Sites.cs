using Weft.Llvm;

namespace Weft.Coverage.Regions.Placement;

/// <summary>What can be counted in the IR.</summary>
internal enum SiteKind
{
    /// <summary>How often a block runs, from the flow around it.</summary>
    Block,

    /// <summary>How often an edge is taken.</summary>
    Edge,

    /// <summary>How often a block runs, counted there: flow around it does not tell, since exceptions leave it.</summary>
    Landing,

    /// <summary>How often a condition holds that no branch asks.</summary>
    Value,

    /// <summary>What never happens. It has a counter like everything else: a count that is zero for everybody to see means something else to readers of maps.</summary>
    Never,
}

/// <summary>Something to count.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Block">The block; of an edge, where it begins; of a value, where it is counted.</param>
/// <param name="Successor">Of an edge, its number at the terminator.</param>
/// <param name="Condition">Of a value.</param>
/// <param name="Before">Of a value, where it is counted.</param>
internal readonly record struct Site(SiteKind Kind, int Block, int Successor = 0, Value Condition = default, Instruction Before = default);

/// <summary>The sites of a function that its points are sums of, numbered.</summary>
internal sealed class Sites
{
    private readonly Dictionary<Site, int> numbers = [];
    private readonly List<Site> all = [];

    public IReadOnlyList<Site> All => all;

    public Count Never => Of(new(SiteKind.Never, 0));

    public Count Block(int block) => Of(new(SiteKind.Block, block));

    public Count Edge(int block, int successor) => Of(new(SiteKind.Edge, block, successor));

    public Count Landing(int block) => Of(new(SiteKind.Landing, block));

    public Count Value(int block, Value condition, Instruction before) => Of(new(SiteKind.Value, block, 0, condition, before));

    private Count Of(Site site)
    {
        if (!numbers.TryGetValue(site, out var number))
        {
            numbers[site] = number = all.Count;
            all.Add(site);
        }
        return Count.Of(number);
    }
}
