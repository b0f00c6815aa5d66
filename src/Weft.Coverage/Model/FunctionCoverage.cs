namespace Weft.Coverage.Model;

/// <summary>One instantiation of a function, and what ran of it.</summary>
/// <param name="Name">Mangled; local functions keep the file that the compiler put before it, unless that is their first file.</param>
/// <param name="Count">How often it was called.</param>
/// <param name="Files">Where its code is from: its own file, and for each expansion the file of the macro or include. May have one several times.</param>
/// <param name="Regions">All but branches, in the order of the map.</param>
/// <param name="Branches">In the order of the map.</param>
/// <param name="Decisions">For MC/DC.</param>
/// <param name="MainFile">Index of the file with its definition: the first that is no expansion; -1 if all are.</param>
public sealed record FunctionCoverage(
    string Name, ulong Count, string[] Files, CountedRegion[] Regions, CountedRegion[] Branches, Decision[] Decisions, int MainFile)
{
    /// <summary>Whether compilers made no code of it, since nothing uses it: a generic function without instantiations, or an inline function without calls.</summary>
    public bool IsUnused { get; init; }

    /// <summary>The path of the main file.</summary>
    public string DefiningFile => Files.Length == 0 ? "" : Files[Math.Max(0, MainFile)];

    /// <summary>The name without the file before it, as a demangler wants it.</summary>
    public string Symbol => SymbolOf(Name);

    internal static string SymbolOf(string name) => name.LastIndexOfAny([';', ':']) is var at and >= 0 && !name.StartsWith('_') ? name[(at + 1)..] : name;
}

/// <summary>A boolean expression of several conditions, for MC/DC.</summary>
/// <param name="Region">Where it is.</param>
/// <param name="Conditions">In the order of the source.</param>
/// <param name="Vectors">The test vectors that ran: first those for which the expression is false.</param>
public sealed record Decision(CountedRegion Region, Condition[] Conditions, TestVector[] Vectors)
{
    public int TrueVectors => Vectors.Count(v => v.Result);
}

/// <summary>A condition of a decision.</summary>
/// <param name="Line">Where it begins.</param>
/// <param name="Column">Where it begins.</param>
/// <param name="IsFolded">Whether the compiler knew its value: it cannot be covered, and is not asked to be.</param>
/// <param name="Pair">
/// The first two vectors that show that it alone decides: numbers into the decision's vectors, from 0, false before true. Null if
/// there are none: it is not covered.
/// </param>
public readonly record struct Condition(int Line, int Column, bool IsFolded, (int False, int True)? Pair);

/// <summary>Values of conditions that occurred together.</summary>
/// <param name="Values">By condition, in the order of the source; null if it was not evaluated.</param>
/// <param name="Result">Of the decision.</param>
public readonly record struct TestVector(bool?[] Values, bool Result);

/// <summary>A use of a macro, or an include, in the file of a function.</summary>
/// <param name="Function">Whose code it is.</param>
/// <param name="Region">The use.</param>
public readonly record struct Expansion(FunctionCoverage Function, CountedRegion Region);

/// <summary>Functions of one source: instantiations of a template or a generic function, or copies in several binaries.</summary>
/// <param name="Line">Where the first of their regions begins.</param>
/// <param name="Column">Where the first of their regions begins.</param>
/// <param name="Functions">One at least.</param>
public sealed record InstantiationGroup(int Line, int Column, IReadOnlyList<FunctionCoverage> Functions);
