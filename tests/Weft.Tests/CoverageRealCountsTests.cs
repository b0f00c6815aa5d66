using System.Text.RegularExpressions;
using Weft.RealPrograms;
using Xunit.Abstractions;

namespace Weft.Tests;

/// <summary>
/// Whole real programs, built by the front end's own coverage and by Weft's: functions have the same names and hashes, the same
/// regions and branches, and the same counts; or, with <c>binary</c>, what ran in the one is what ran in the other.
/// </summary>
[Trait("Category", "Slow"), Collection("real programs")]
public sealed partial class CoverageRealCountsTests(ITestOutputHelper output) : CountedPrograms
{
    private static readonly string Work = Path.Combine(Harness.Root, "tests/fixtures/coverage-real");

    // Lua takes the seed of its strings' hashes from the clock and from addresses, pivots from the clock, and places in a cache from addresses.
    private const string Repeatable = "'-Dluai_makeseed(L)=1' '-Dl_randomizePivot()=1' -DSTRCACHE_N=1 -DSTRCACHE_M=2";

    // An error left them by longjmp, in the middle or as the second return of setjmp. clang's differences of counts say that code behind it ran.
    private static readonly string[] LeftByErrors = ["lbaselib.c:luaB_setmetatable", "liolib.c:io_lines", "loadlib.c:findloader", "loadlib.c:ll_require", "luaD_rawrunprotected"];

    [Needs("clang-22", "apt-get", "llvm-cov-22", "llvm-profdata-22", "llvm-cxxfilt-22")]
    public void Lua_counts_as_clangs_own_build_does() =>
        Compare(BuiltC(Repeatable, programs => programs.Lua()), lua => Printed(lua, [Path.Combine(Work, "work.lua"), Harness.Path("scratch")]), LeftByErrors);

    [Needs("clang-22", "apt-get", "llvm-cov-22", "llvm-profdata-22", "llvm-cxxfilt-22")]
    public void Sqlite_counts_as_clangs_own_build_does()
    {
        var statements = File.ReadAllBytes(Path.Combine(Work, "statements.sql"));
        Compare(BuiltC("-DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_RTREE", programs => programs.Sqlite()), sqlite => Printed(sqlite, [Harness.Path("scratch")], statements));
    }

    [Needs("clang-22", "apt-get", "llvm-cov-22", "llvm-profdata-22", "llvm-cxxfilt-22")]
    public void Zlib_counts_as_clangs_own_build_does()
    {
        var folders = BuiltC("", programs => programs.Zlib());
        Compare(folders.Of("example"), example => Printed(example, [Harness.Path("scratch")]));
        Compare(folders.Of("minigzip"), Compress);
    }

    [Needs("cargo", "apt-get", "llvm-cov-22", "llvm-profdata-22", "llvm-cxxfilt-22")]
    public void Ripgrep_with_its_crates_counts_as_rustcs_own_build_does() =>
        Compare(new(Ripgrep("rustc"), Ripgrep("exact"), Ripgrep("binary"), NeverRun), Search, "<rg::args::Args>::parse");

    // Closures for an error that cannot be: LLVM finds out before Weft makes records, and after rustc has made them. To llvm-cov they are the same.
    private static readonly string[] NeverRun =
    [
        "<regex_syntax::hir::translate::TranslatorI as regex_syntax::ast::visitor::Visitor>::visit_class_set_binary_op_post::{closure#0}",
        "<regex_syntax::hir::translate::TranslatorI as regex_syntax::ast::visitor::Visitor>::visit_class_set_binary_op_post::{closure#1}",
        "<regex_syntax::hir::translate::TranslatorI>::hir_from_char_case_insensitive::{closure#1}",
        "<regex_syntax::hir::translate::TranslatorI>::unicode_fold_and_negate::{closure#0}",
    ];

    private static Builds BuiltC(string flags, Func<CPrograms, string> build)
    {
        string Built(string variant, string cc) => build(new CPrograms($"{cc} {flags}", "", "counts-" + variant));
        var weft = $"env WEFT_CC=clang-22 {Harness.Weft} cc --with=coverage";
        return new(Built("clang", "clang-22 -fprofile-instr-generate -fcoverage-mapping"), Built("exact", weft), Built("binary", weft + " --coverage-counters=binary"), []);
    }

    // Units that nothing names are not linked, and what is in them is not in the map: as many units as Weft takes.
    // By default Weft counts the workspace's crates alone; rustc's own counts all that RUSTFLAGS reach.
    private static string Ripgrep(string variant)
    {
        var (folder, target) = (RustPrograms.Ripgrep(), "target/counts-" + variant);
        string[] build = ["build", "--offline", "--release", "--target", "x86_64-unknown-linux-gnu", "--target-dir", target];
        string[] weaving = ["--with", "coverage", "--coverage-crates", "all", "--coverage-counters", variant];
        // ripgrep has the commit that it is built from in a function, which would be this repository's.
        var environment = new Dictionary<string, string?> { ["GIT_DIR"] = "none" };
        if (variant == "rustc") environment["RUSTFLAGS"] = "-C instrument-coverage -C codegen-units=1";
        DebianSource.Must(variant == "rustc" ? "cargo" : Harness.Weft, variant == "rustc" ? build : ["cargo", .. build, .. weaving], folder, environment);
        return Directory.GetFiles(Path.Combine(folder, target), "rg", SearchOption.AllDirectories).First(f => f.EndsWith("/release/rg", StringComparison.Ordinal));
    }

    // By how a buffer is aligned, and by how many digits a time has.
    private static bool IsSteered(string name) => name.StartsWith("memchr::memchr::x86::", StringComparison.Ordinal) || name.Contains(" as itoa::private::Sealed>", StringComparison.Ordinal);

    /// <summary>What a program does by its addresses, which differ in each run and in each build, is left out: functions whose counts differ between runs of the front end's own build.</summary>
    private void Compare(Builds builds, Func<string, string> load, params string[] betterInBinary)
    {
        var (printed, expected) = WholeProgramCounts.Of(Harness, builds.FrontEnd, load);
        var again = Enumerable.Range(0, 3).Select(_ => WholeProgramCounts.Of(Harness, builds.FrontEnd, load).Counts).ToList();
        var stable = expected.Functions.Where(f => !IsSteered(WholeProgramCounts.Name(f.Key)) && again.TrueForAll(a => a.Functions[f.Key].SequenceEqual(f.Value))).ToDictionary();
        Report(expected, stable);
        Assert.True(stable.Count >= 0.99 * expected.Functions.Count, $"only {stable.Count} of {expected.Functions.Count} functions do the same in each run");

        var (printedByExact, exact) = WholeProgramCounts.Of(Harness, builds.Exact, load);
        Assert.Equal(printed, printedByExact);
        Assert.Equal(expected.Hashes.Where(h => !builds.WithoutRecord.Any(n => h.StartsWith(n + " ", StringComparison.Ordinal))), exact.Hashes);
        Assert.Equal(expected.Functions.Keys.Order(StringComparer.Ordinal), exact.Functions.Keys.Order(StringComparer.Ordinal));
        AssertDifferences([], stable, exact, counts => counts);

        var (printedByBinary, binary) = WholeProgramCounts.Of(Harness, builds.Binary, load);
        Assert.Equal(printed, printedByBinary);
        Assert.Equal(expected.Functions.Keys.Order(StringComparer.Ordinal), binary.Functions.Keys.Order(StringComparer.Ordinal));
        AssertDifferences(betterInBinary, stable, binary, Ran);
    }

    private static string Ran(string counts) => string.Join('/', counts.Split('/').Select(c => c == "0" ? "not" : "ran"));

    private static void AssertDifferences(string[] names, Dictionary<string, string[]> stable, WholeProgramCounts actual, Func<string, string> meaning)
    {
        var different = stable.Where(f => !f.Value.Select(meaning).SequenceEqual(actual.Functions[f.Key].Select(meaning))).ToList();
        var told = different.Select(f => $"{f.Key}\n  {string.Join(' ', f.Value)}\n  {string.Join(' ', actual.Functions[f.Key])}");
        Assert.True(names.SequenceEqual(different.Select(f => WholeProgramCounts.Name(f.Key)).Order(StringComparer.Ordinal)), $"{different.Count} functions differ\n{string.Join('\n', told.Take(20))}");
    }

    private void Report(WholeProgramCounts expected, Dictionary<string, string[]> stable)
    {
        var counts = stable.Values.SelectMany(c => c).ToList();
        output.WriteLine($"{stable.Count} of {expected.Functions.Count} functions compared, {stable.Values.Count(f => f.Any(c => c.Trim('0', '/').Length > 0))} of them ran; {counts.Count(c => !c.Contains('/'))} regions, {counts.Count(c => c.Contains('/'))} branches");
        foreach (var (function, _) in expected.Functions.Where(f => !stable.ContainsKey(f.Key))) output.WriteLine($"not the same in each run: {WholeProgramCounts.Name(function)}");
    }

    private string Printed(string program, string[] arguments, byte[]? input = null)
    {
        File.Delete(Harness.Path("scratch"));
        var outcome = Harness.Run(program, arguments, input);
        Assert.True(outcome.ExitCode is 0 or 1 or 2, outcome.ToString());
        return outcome.ToString();
    }

    private string Compress(string minigzip)
    {
        var source = DebianSource.Unpack("zlib");
        File.Copy(Path.Combine(source, "deflate.c"), Harness.Path("text"), overwrite: true);
        File.Copy("/usr/bin/ls", Harness.Path("code"), overwrite: true);
        string[][] ways = [["-1", "text"], ["-d", "text.gz"], ["-9", "code"], ["-d", "code.gz"], ["-f", "code"], ["-d", "code.gz"], ["-h", "text"], ["-d", "text.gz"], ["-r", "text", "code"], ["-c", "-d", "text.gz"]];
        return string.Concat(ways.Select(way => Printed(minigzip, way)));
    }

    private string Search(string rg)
    {
        var corpus = DebianSource.Unpack("zlib");
        string[][] ways =
        [
            ["-n", @"(\w+)e(r|d)\s\w{5}\s"], ["-i", "-c", "--sort", "path", "deflate"], ["-w", "-F", "-C2", "window"], ["--json", "-U", @"\{\n\s+int"], ["-o", "-r", "<$1>", @"#define\s+(\w+)"],
            ["-v", "-l", "zlib"], ["--files", "-g", "*.[ch]"], ["-tc", "--stats", "-M80", "[[:upper:]]{5,}"], ["(unfinished"], ["--help"],
        ];
        return string.Concat(ways.Select(way => Times().Replace(Printed(rg, ["--no-config", "-j1", "-uuu", .. way, corpus]), "0")));
    }

    [GeneratedRegex("""\d+\.\d+ ?s(econds)?\b|"nanos":\d+|"secs":\d+""", RegexOptions.ExplicitCapture)]
    private static partial Regex Times();

    /// <param name="FrontEnd">The program with the front end's own coverage.</param>
    /// <param name="Exact">With Weft's.</param>
    /// <param name="Binary">With Weft's, of what ran.</param>
    /// <param name="WithoutRecord">Functions that the front end's profile has and Weft's has not.</param>
    private sealed record Builds(string FrontEnd, string Exact, string Binary, string[] WithoutRecord)
    {
        public Builds Of(string file) => new(Path.Combine(FrontEnd, file), Path.Combine(Exact, file), Path.Combine(Binary, file), WithoutRecord);
    }
}
