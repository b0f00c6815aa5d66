using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Weft.Tests;

/// <summary>Builds programs <c>--with coverage</c>, runs them, and reads their profiles by LLVM's own tools.</summary>
public abstract partial class CountedPrograms : IDisposable
{
    /// <summary>Programs that between them use every construct of C, C++ and Rust.</summary>
    protected static readonly string Programs = Path.Combine(Harness.Root, "tests/fixtures/coverage");

    protected static readonly string Fixtures = Path.Combine(Harness.Root, "tests/fixtures/coverage-runtime");

    protected CountedPrograms() => Harness.Environment["WEFT_CC"] = "clang-22";

    protected Harness Harness { get; } = new();

    public virtual void Dispose()
    {
        Harness.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>A source is a file of this test, or a fixture.</summary>
    protected string Build(string output, string source, params string[] flags)
    {
        var path = File.Exists(Harness.Path(source)) ? source : Path.Combine(Fixtures, source);
        Harness.Must(Harness.Weft, [source.EndsWith(".cc", StringComparison.Ordinal) ? "c++" : "cc", "--with=coverage", "-pthread", .. flags, path, "-o", output]);
        return Harness.Path(output);
    }

    /// <summary>
    /// Two crates, <c>program</c> and the library <c>sizes</c> that it uses, of sources that are there: by rustc's own coverage and by Weft's.
    /// </summary>
    /// <param name="profile">Lines of the release profile.</param>
    /// <param name="options">Of Weft.</param>
    protected (string Theirs, string Ours) BuildTwoCrates(string profile, params string[] options)
    {
        Harness.Write("Cargo.toml", $"[workspace]\nmembers = [\"sizes\", \"program\"]\nresolver = \"2\"\n[profile.release]\n{profile}\n");
        Harness.Write("sizes/Cargo.toml", "[package]\nname = \"sizes\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
        Harness.Write("program/Cargo.toml", "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nsizes = { path = \"../sizes\" }\n");
        Harness.Must(Harness.Weft, ["cargo", "build", "--release", "--with", "coverage", .. options]);
        Harness.Environment["RUSTFLAGS"] = "-C instrument-coverage";
        Harness.Must("cargo", "build", "--release", "--target-dir", "plain");
        return (Harness.Path("plain/release/program"), Released("program"));
    }

    /// <summary>What <c>weft cargo build --release</c> made.</summary>
    protected string Released(string name) => Directory.GetFiles(Harness.Path("target/weft"), name, SearchOption.AllDirectories).Single(f => f.EndsWith($"/release/{name}", StringComparison.Ordinal));

    protected IReadOnlyList<string> Profiles =>
        Directory.Exists(Harness.Path("weft-out/coverage")) ? [.. Directory.GetFiles(Harness.Path("weft-out/coverage")).Order(StringComparer.Ordinal)] : [];

    /// <summary>How often each function was entered, added up over profiles; llvm-profdata must take all of them.</summary>
    protected Dictionary<string, long> Counts(params IReadOnlyList<string> profiles)
    {
        Harness.Must("llvm-profdata-22", ["merge", "-failure-mode=any", .. profiles, "-o", "counts.profdata"]);
        var shown = Harness.Must("llvm-profdata-22", "show", "--all-functions", "--counts", "counts.profdata").Output;
        return FunctionCount().Matches(shown).ToDictionary(m => m.Groups["name"].Value[(m.Groups["name"].Value.LastIndexOf(';') + 1)..], m => long.Parse(m.Groups["count"].Value, CultureInfo.InvariantCulture));
    }

    /// <summary>The sum of a program's lines "NAME COUNT" of one name, whatever stands before it.</summary>
    protected static long Said(Outcome outcome, string name) =>
        outcome.Output.Split('\n').Select(l => l.Split(' ')).Where(w => w.Length >= 2 && w[^2] == name).Sum(w => long.Parse(w[^1], CultureInfo.InvariantCulture));

    /// <summary>What llvm-cov says of a program. Rust's symbols hold a number that depends on flags; a function's regions say which it is.</summary>
    protected JsonNode Exported(string program, string profile)
    {
        var data = JsonNode.Parse(Harness.Must("llvm-cov-22", "export", program, "-instr-profile", profile).Output)!["data"]![0]!;
        var functions = data["functions"]!.AsArray().Select(f => f!.DeepClone()).ToList();
        foreach (var function in functions) function.AsObject().Remove("name");
        data["functions"] = Sorted(functions);
        foreach (var file in data["files"]!.AsArray()) file!["branches"] = Sorted(file["branches"]!.AsArray().Select(b => b!.DeepClone()));
        return data.DeepClone();
    }

    private static JsonArray Sorted(IEnumerable<JsonNode> nodes) => new([.. nodes.OrderBy(n => n.ToJsonString(), StringComparer.Ordinal)]);

    [GeneratedRegex(@"^  (?<name>\S.*):\n    Hash.*\n    Counters: .*\n    Function count: (?<count>\d+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex FunctionCount();
}
