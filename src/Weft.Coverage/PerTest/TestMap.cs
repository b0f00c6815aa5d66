using System.Text.RegularExpressions;
using Weft.Coverage.Model;
using Weft.Coverage.Sources;

namespace Weft.Coverage.PerTest;

/// <summary>What a test is.</summary>
public enum TestKind
{
    /// <summary>One test of a program that has Rust's test harness.</summary>
    Single,

    /// <summary>A test program without that harness, or a benchmark: all of it is one test.</summary>
    Program,

    /// <summary>The tests in a crate's documentation, together.</summary>
    Documentation,

    /// <summary>A command that somebody gave a name.</summary>
    Command,
}

/// <summary>A test that ran, and what of the program it reached.</summary>
/// <param name="Program">The file that it is in, without its folder; empty for a command.</param>
/// <param name="Name">As the harness has it.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Passed">Whether it ended well.</param>
/// <param name="Images">Indexes of the binaries that ran.</param>
/// <param name="Reached">Indexes of functions, each with that of one of its patterns; by function.</param>
public sealed partial record Test(string Program, string Name, TestKind Kind, bool Passed, IReadOnlyList<int> Images, IReadOnlyList<(int Function, int Pattern)> Reached)
{
    /// <summary>The program without the number that cargo puts to names.</summary>
    public string ProgramLabel => CargoNumber().Replace(Program, "");

    [GeneratedRegex("-[0-9a-f]{16}$")]
    private static partial Regex CargoNumber();
}

/// <summary>A source file as it was when the program was built.</summary>
/// <param name="Path">As compilers have it.</param>
/// <param name="Blob">git's name for its content, in hexadecimal digits; empty where it was gone or had changed since the build.</param>
public sealed record TestedSource(string Path, string Blob);

/// <summary>An executable or library that ran.</summary>
/// <param name="Path">Where it was.</param>
/// <param name="BuildId">The linker's name for it, in hexadecimal digits; may be empty.</param>
/// <param name="Functions">Indexes of its functions, in order.</param>
public sealed record TestedImage(string Path, string BuildId, IReadOnlyList<int> Functions);

/// <summary>A function, and what tests reach of it.</summary>
/// <param name="NameHash">Of its name in profiles.</param>
/// <param name="StructuralHash">Of its shape.</param>
/// <param name="Shape">Its regions, none of which ran.</param>
/// <param name="Sources">Those of its files, by their index.</param>
/// <param name="Patterns">What tests reach of it, each once: a bit for every region, and two for every branch (true, false).</param>
public sealed record TestedFunction(ulong NameHash, ulong StructuralHash, FunctionCoverage Shape, IReadOnlyList<TestedSource> Sources, IReadOnlyList<byte[]> Patterns)
{
    /// <summary>The function with counts of 1 and 0.</summary>
    public FunctionCoverage Reached(int pattern) => RegionBits.Apply(Shape, Patterns[pattern]);

    internal TestedFunction With(PathEquivalence paths) => this with
    {
        Shape = Shape with { Files = Array.ConvertAll(Shape.Files, paths.Find) },
        Sources = [.. Sources.Select(s => s with { Path = paths.Find(s.Path) })],
    };
}

/// <summary>
/// Which tests reach which regions of which functions. It says all that questions need, so neither the programs nor their
/// profiles have to be there any more.
/// </summary>
/// <param name="Functions">All functions of the images, also those that no test reaches.</param>
/// <param name="Images">What ran.</param>
/// <param name="Tests">By program and name.</param>
public sealed record TestMap(IReadOnlyList<TestedFunction> Functions, IReadOnlyList<TestedImage> Images, IReadOnlyList<Test> Tests)
{
    /// <summary>The same with sources where they are now.</summary>
    public TestMap With(PathEquivalence paths) => paths == PathEquivalence.None ? this : this with { Functions = [.. Functions.Select(f => f.With(paths))] };
}
