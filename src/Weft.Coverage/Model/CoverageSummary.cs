namespace Weft.Coverage.Model;

/// <summary>How many there are, and how many of those are covered.</summary>
public readonly record struct Ratio(long Count, long Covered)
{
    public long NotCovered => Count - Covered;

    /// <summary>0 to 100; 0 if there are none.</summary>
    public double Percent => Count == 0 ? 0 : (double)Covered / Count * 100;

    public static Ratio operator +(Ratio a, Ratio b) => new(a.Count + b.Count, a.Covered + b.Covered);

    /// <summary>The best of several instantiations.</summary>
    internal static Ratio Best(Ratio a, Ratio b) => new(long.Max(a.Count, b.Count), long.Max(a.Covered, b.Covered));
}

/// <summary>Sums over a function, a file, or all: each function of the source counts once, with the best of its instantiations.</summary>
/// <param name="Lines">Lines with code.</param>
/// <param name="Functions">Functions in the source.</param>
/// <param name="Instantiations">Functions in the binaries.</param>
/// <param name="Regions">Code regions.</param>
/// <param name="Branches">Outcomes of conditions: two each, less those that cannot be.</param>
/// <param name="Mcdc">Conditions of decisions, less constant ones.</param>
public readonly record struct CoverageSummary(Ratio Lines, Ratio Functions, Ratio Instantiations, Ratio Regions, Ratio Branches, Ratio Mcdc)
{
    public static CoverageSummary operator +(CoverageSummary a, CoverageSummary b) => new(
        a.Lines + b.Lines, a.Functions + b.Functions, a.Instantiations + b.Instantiations, a.Regions + b.Regions, a.Branches + b.Branches, a.Mcdc + b.Mcdc);
}
