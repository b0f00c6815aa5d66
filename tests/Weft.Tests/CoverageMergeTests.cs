using Weft.Core;
using Weft.Coverage.Sources;

namespace Weft.Tests;

/// <summary>Reports over several programs: of two clones, of two processors, of two versions; against LLVM's tools.</summary>
public sealed class CoverageMergeTests : IDisposable
{
    private const string Header = "#define LARGER(a, b) ((a) > (b) ? (a) : (b))\nstatic int twice(int x) {\n  return x > 3 ? 2 * x : x;\n}\n";

    private const string Program = """
        #include <stdlib.h>
        #include "part.h"
        static int helper(int x) {
          if (x > 4 && x < 9)
            return 1;
          return LARGER(x, 2);
        }
        int never(int x) { return x || LARGER(x, 3); }
        int main(int count, char **arguments) {
          int n = 0;
          for (int i = 0; i < atoi(arguments[1]); i++)
            n += helper(i) + twice(i);
          return n < 0;
        }
        """;

    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("clang-22", "-fprofile-instr-generate", "-fcoverage-mapping", "-fcoverage-mcdc")]
    [InlineData("weft", "cc", "--with=coverage", "-O2")]
    [InlineData("weft", "cc", "--with=coverage", "--coverage-regions=own")]
    public void Runs_of_two_clones_are_as_two_runs_of_one(string builder, params string[] options)
    {
        foreach (var clone in (string[])["one", "two"]) Build(builder == "weft" ? Harness.Weft : builder, clone, options);
        Run("one", "3");
        Run("two", "12");
        Run("one", "12", "again");
        harness.Must("llvm-profdata-22", "merge", "one.profraw", "again.profraw", "-o", "expected.profdata");
        string[] ours = ["coverage", "export", "one/program", "two/program", "--profile", "one.profraw", "--profile", "two.profraw", "--path-equivalence", "two,one", "--format"];
        foreach (var (format, theirs) in ((string, string)[])[("json", "text"), ("lcov", "lcov")])
        {
            var expected = harness.Must("llvm-cov-22", "export", "one/program", "-instr-profile=expected.profdata", "-format=" + theirs).Output;
            var outcome = harness.Must(Harness.Weft, [.. ours, format]);
            Assert.Equal("", outcome.Errors);
            Assert.Equal(expected, outcome.Output);
        }
        Assert.Contains("/two/", harness.Must(Harness.Weft, [.. ours.SkipLast(3), "--format", "lcov"]).Output, StringComparison.Ordinal);
    }

    /// <summary>The first clone is gone when the report is made; text and comments are those of the other.</summary>
    [Needs("clang-22", "llvm-profdata-22")]
    public void Sources_are_read_where_they_are_now()
    {
        harness.Write("two/program.c", Program.Replace("never(int x) {", "never(int x) { // weft: no coverage"));
        harness.Write("two/part.h", Header);
        Build("clang-22", "one", "-fprofile-instr-generate", "-fcoverage-mapping");
        Run("one", "3");
        File.Delete(harness.Path("one/program.c"));
        File.Delete(harness.Path("one/part.h"));
        var outcome = Report("--text", "--path-equivalence", harness.Path("one") + "/," + harness.Path("two/"));
        Assert.Equal("", outcome.Errors);
        Assert.StartsWith(harness.Path("two/part.h") + ":\n", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("   12|      3|    n += helper(i) + twice(i);\n", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("    8|       |int never(int x) { // weft: no coverage", outcome.Output, StringComparison.Ordinal);
        File.SetLastWriteTimeUtc(harness.Path("two/program.c"), DateTime.UtcNow.AddDays(1)); // as in a clone that is newer than the program
        Assert.Equal("", Report("--path-equivalence", "one,two").Errors);
        Assert.Contains("warning: --path-equivalence: no source was built in '/nowhere'", Report("--path-equivalence", "/nowhere,two", "--path-equivalence", "one,two").Errors, StringComparison.Ordinal);
        foreach (var wrong in (string[])["one", "one,", ",two", ""])
            Harness.AssertToldWell(harness.RunWeft("coverage", "report", "one/program", "--profile", "one.profraw", "--path-equivalence", wrong), ExitCode.Usage, $"--path-equivalence: '{wrong}' is not FROM,TO");

        Outcome Report(params string[] options) => harness.Must(Harness.Weft, ["coverage", "report", "one/program", "--profile", "one.profraw", .. options]);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Runs_of_two_clones_are_compared_as_of_one_file()
    {
        foreach (var clone in (string[])["one", "two"]) Build("clang-22", clone, "-fprofile-instr-generate", "-fcoverage-mapping");
        Run("one", "12");
        Run("two", "3");
        string[] command = ["coverage", "compare", "one.profraw", "two.profraw", "--old-object", "one/program", "--new-object", "two/program"];
        var outcome = harness.Must(Harness.Weft, [.. command, "--path-equivalence", "one,gone"]);
        Assert.Contains("gone/part.h' and 1 other are not there to be read", outcome.Errors, StringComparison.Ordinal);
        outcome = harness.Must(Harness.Weft, [.. command, "--path-equivalence", "one,two"]);
        Assert.Equal("", outcome.Errors);
        Assert.Contains("    no longer covered: 5\n", outcome.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/a/x.c", "/b/x.c")]
    [InlineData("/a/sub/../x.c", "/b/x.c")]
    [InlineData("/ab/x.c", "/ab/x.c")]
    [InlineData("/a", "/b")]
    [InlineData("/a/deep/x.c", "/b/deep/x.c")] // the first that fits
    [InlineData("/elsewhere/../y.c", "/elsewhere/../y.c")]
    [InlineData("relative/x.c", "/c, d/x.c")]
    [InlineData("x.c", "/f/x.c")]
    public void The_first_folder_that_fits_is_replaced(string path, string expected)
    {
        var paths = new PathEquivalence(((string[])["/a/,/b", "/a/deep,/e", "relative,/c, d/", ".,/f"]).Select(p => PathEquivalence.Parse(p)!.Value));
        Assert.Equal(expected, paths.Find(path));
        Assert.Equal(path != expected, paths.HasMoved(expected));
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Tests_are_asked_about_sources_that_were_built_elsewhere()
    {
        Build("clang-22", "one", "-fprofile-instr-generate", "-fcoverage-mapping");
        harness.Must(Harness.Weft, "coverage", "record-test", "short", "--object", "one/program", "--", harness.Path("one/program"), "3");
        harness.Must(Harness.Weft, "coverage", "record-test", "long", "--object", "one/program", "--", harness.Path("one/program"), "12");
        Directory.Move(harness.Path("one"), harness.Path("two"));
        Assert.Equal("long\n", harness.Must(Harness.Weft, "coverage", "tests", "--line", "two/program.c:5", "--format", "names", "--path-equivalence", "one,two").Output);
        Harness.AssertToldWell(harness.RunWeft("coverage", "tests", "--line", harness.Path("two/program.c") + ":5"), ExitCode.Usage, "no function of the map is from");
    }

    [TheoryNeeds("clang-22", "aarch64-linux-gnu-gcc", "qemu-aarch64", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("frontend")]
    [InlineData("own")]
    public void Runs_on_two_processors_add_up(string regions)
    {
        Build(Harness.Weft, "one", "cc", "--with=coverage", "--coverage-regions=" + regions, "-O2");
        BuildAs("arm", Harness.Weft, "one", "cc", "--with=coverage", "--coverage-regions=" + regions, "-O2", "--target=aarch64-linux-gnu", "-static");
        Run("one", "3");
        harness.Environment["LLVM_PROFILE_FILE"] = harness.Path("arm.profraw");
        harness.Must("qemu-aarch64", harness.Path("one/arm"), "12");
        var expected = Theirs("one/program", "one").Zip(Theirs("one/arm", "arm"), Sum).OrderBy(f => f.Name, StringComparer.Ordinal).ToList();
        var outcome = harness.Must(Harness.Weft, "coverage", "export", "one/program", "one/arm", "--profile", "one.profraw", "--profile", "arm.profraw", "--format", "json");
        Assert.Equal("", outcome.Errors);
        Assert.Equal(expected.Select(Text), CoverageReference.Parse(outcome.Output).OrderBy(f => f.Name, StringComparer.Ordinal).Select(Text));

        List<ReferenceFunction> Theirs(string program, string profile)
        {
            harness.Must("llvm-profdata-22", "merge", profile + ".profraw", "-o", profile + ".profdata");
            return [.. CoverageReference.Parse(harness.Must("llvm-cov-22", "export", program, $"-instr-profile={profile}.profdata").Output).OrderBy(f => f.Name, StringComparer.Ordinal)];
        }

        static ReferenceFunction Sum(ReferenceFunction a, ReferenceFunction b)
        {
            Assert.Equal((a.Name, a.Regions.Count), (b.Name, b.Regions.Count));
            return a with { Regions = [.. a.Regions.Zip(b.Regions, (x, y) => x with { Count = x.Count + y.Count, FalseCount = x.FalseCount + y.FalseCount })] };
        }

        static string Text(ReferenceFunction function) => $"{function.Name} {string.Join(' ', function.Regions)}";
    }

    /// <summary>Their counters differ, and so do the hashes; regions are the same.</summary>
    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void Programs_with_other_counters_add_up()
    {
        Build(Harness.Weft, "one", "cc", "--with=coverage", "-O2");
        BuildAs("whether", Harness.Weft, "one", "cc", "--with=coverage", "--coverage-counters=binary", "-O2");
        Run("one", "3");
        Run("one", "12", "whether", "whether");
        Run("one", "12", "again");
        harness.Must("llvm-profdata-22", "merge", "one.profraw", "again.profraw", "-o", "both.profdata");
        var expected = CoverageReference.Parse(harness.Must("llvm-cov-22", "export", "one/program", "-instr-profile=both.profdata").Output);
        var outcome = harness.Must(Harness.Weft, "coverage", "export", "one/program", "one/whether", "--profile", "one.profraw", "--profile", "whether.profraw", "--format", "json");
        Assert.Equal("", outcome.Errors);
        Assert.Equal(expected.Select(Ran), CoverageReference.Parse(outcome.Output).Select(Ran));

        static string Ran(ReferenceFunction function) => $"{function.Name} {string.Join(' ', function.Regions.Select(r => (r.Line, r.Column, r.Kind, r.Count > 0, r.FalseCount > 0)))}";
    }

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void Two_versions_of_a_file_are_named_once_with_both_programs()
    {
        Build("clang-22", "one", "-fprofile-instr-generate", "-fcoverage-mapping");
        harness.Write("one/program.c", Program.Replace("return 1;", "if (x == 7) return 7; else return 1;").Replace("n < 0", "n < 0 && n < -1"));
        harness.Must("clang-22", "-fprofile-instr-generate", "-fcoverage-mapping", harness.Path("one/program.c"), "-o", "one/newer");
        Run("one", "3");
        Run("one", "12", "newer", "newer");
        harness.Must("llvm-profdata-22", "merge", "one.profraw", "newer.profraw", "-o", "both.profdata");
        var outcome = harness.Must(Harness.Weft, "coverage", "export", "one/program", "one/newer", "--profile", "both.profdata", "--format", "json");
        Assert.Equal(harness.Must("llvm-cov-22", "export", "one/program", "-object", "one/newer", "-instr-profile=both.profdata").Output, outcome.Output);
        var warning = Assert.Single(outcome.Errors.Split('\n'), l => l.Contains("was another", StringComparison.Ordinal));
        Assert.Equal($"warning: source file '{harness.Path("one/program.c")}' was another when 'one/program' was built than for 'one/newer': function 'main' and 1 other differ, and counts may not add up; build both from one version and with the same macros, or make a report of each", warning);
        outcome = harness.Must(Harness.Weft, "coverage", "report", "one/newer", "--profile", "one.profraw");
        Assert.Contains("warning: the profile has counts of another build: function 'main' and 1 other are not the same in 'one/newer' ", outcome.Errors, StringComparison.Ordinal);
        Assert.Contains($"(source file '{harness.Path("one/program.c")}')", outcome.Errors, StringComparison.Ordinal);
    }

    /// <summary>What a header declares inline has a record without counters where nothing calls it.</summary>
    [TheoryNeeds("clang++-22", "llvm-profdata-22")]
    [InlineData("used", "unused")]
    [InlineData("unused", "used")]
    public void A_function_that_one_program_does_not_use_counts_as_in_the_other(string first, string second)
    {
        harness.Write("f.h", "inline int f(int x) {\n  if (x) return 1;\n  return 2;\n}\n");
        harness.Write("unused.cc", "#include \"f.h\"\nint main() { return 0; }\n");
        harness.Write("used.cc", "#include \"f.h\"\nint main(int count, char **) { return f(count - 1) - 2; }\n");
        foreach (var name in (string[])["unused", "used"])
        {
            harness.Must("clang++-22", "-fprofile-instr-generate", "-fcoverage-mapping", name + ".cc", "-o", name);
            harness.Environment["LLVM_PROFILE_FILE"] = harness.Path(name + ".profraw");
            harness.Must(harness.Path(name));
        }
        // Whether it ran or not.
        foreach (var profiles in (string[][])[["--profile", "unused.profraw"], ["--profile", "unused.profraw", "--profile", "used.profraw"]])
        {
            var outcome = harness.Must(Harness.Weft, ["coverage", "export", first, second, .. profiles, "--ignore-filename-regex", "used", "--format", "lcov"]);
            Assert.Equal("", outcome.Errors);
            Assert.Contains(profiles.Length > 2 ? "DA:2,1\nDA:3,1\n" : "DA:2,0\nDA:3,0\n", outcome.Output, StringComparison.Ordinal);
            Assert.Contains("BRDA:2,0,1,", outcome.Output, StringComparison.Ordinal);
        }
    }

    private void Build(string builder, string folder, params string[] options) => BuildAs("program", builder, folder, options);

    private void BuildAs(string name, string builder, string folder, params string[] options)
    {
        if (!File.Exists(harness.Path(folder + "/program.c"))) harness.Write(folder + "/program.c", Program);
        harness.Write(folder + "/part.h", Header);
        harness.Must(builder, [.. options, harness.Path(folder + "/program.c"), "-o", $"{folder}/{name}"]);
    }

    private void Run(string folder, string argument, string? profile = null, string name = "program")
    {
        harness.Environment["LLVM_PROFILE_FILE"] = harness.Path((profile ?? folder) + ".profraw");
        harness.Must(harness.Path($"{folder}/{name}"), argument);
    }
}
