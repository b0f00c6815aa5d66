using System.Text;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Weft.Core;
using Weft.Coverage.Exclusions;
using Weft.Coverage.Sources;

namespace Weft.Tests;

/// <summary>What reports take from sources and programs: comments that exclude code, text of any kind, files that are gone or changed.</summary>
public sealed class CoverageSourceTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    /// <summary>All that does not run is marked, and one of two conditions.</summary>
    private const string Marked = """
        int never(int x); /* weft: coverage is text here */
        int f(int x) {
          if (x > 100)
            return x; // weft: no coverage
          return 1;
        }
        // LCOV_EXCL_START
        int never(int x) {
          return x ? x : 1;
        }
        /* LCOV_EXCL_STOP */
        int g(int x) {
          if (x) x++; // GCOV_EXCL_BR_LINE
          if (x > 100) { /* weft: coverage off */
            x--;
            x = x ? never(x) : x;
          }
          // weft: coverage on
          const char *s = "// weft: coverage off";
          return x + (s == 0);
        }
        int main(void) { return f(1) + g(1) - 3; }
        """;

    [Needs("clang-22", "llvm-profdata-22")]
    public void Marked_lines_functions_regions_and_branches_are_in_no_format()
    {
        var sample = CoverageBuild.Make(harness, "main.c", Marked);
        string[] arguments = ["coverage", "report", "main", "--profile", sample.Indexed];
        int[] expected = [2, 3, 5, 6, 12, 13, 19, 20, 21, 22];
        var trace = harness.Must(Harness.Weft, [.. arguments, "--lcov"]).Output.Split('\n');
        Assert.Equal(expected, trace.Where(l => l.StartsWith("DA:", StringComparison.Ordinal)).Select(l => int.Parse(l[3..].Split(',')[0])));
        Assert.Contains("FNF:3", trace);
        Assert.DoesNotContain(trace, l => l.StartsWith("FN:", StringComparison.Ordinal) && l.EndsWith(",never", StringComparison.Ordinal));
        Assert.Equal([3, 3], trace.Where(l => l.StartsWith("BRDA:", StringComparison.Ordinal)).Select(l => int.Parse(l[5..].Split(',')[0])));
        Assert.Contains("BRF:2", trace);
        Assert.Contains($"LF:{expected.Length}", trace);

        harness.Must(Harness.Weft, [.. arguments, "--cobertura", "--output-path", "c.xml"]);
        Assert.Equal(expected, XDocument.Load(harness.Path("c.xml")).Descendants("class").Single().Element("lines")!.Elements().Select(l => (int)l.Attribute("number")!));
        Assert.Equal(expected, JsonNode.Parse(harness.Must(Harness.Weft, [.. arguments, "--codecov"]).Output)!["coverage"]![harness.Path("main.c")]!.AsObject().Select(l => int.Parse(l.Key)));
        Assert.Equal(expected, harness.Must(Harness.Weft, [.. arguments, "--text"]).Output.Split('\n').Where(l => l.Length > 14 && l[5] == '|' && l[12] != ' ').Select(l => int.Parse(l[..5])));
        var sums = JsonNode.Parse(harness.Must(Harness.Weft, [.. arguments, "--json", "--summary-only"]).Output)!["data"]![0]!["totals"]!;
        Assert.Equal((expected.Length, 3, 2), ((int)sums["lines"]!["count"]!, (int)sums["functions"]!["count"]!, (int)sums["branches"]!["count"]!));
        Assert.Equal(expected.Length, (int)sums["lines"]!["covered"]!);
        harness.Must(Harness.Weft, [.. arguments, "--fail-under-lines", "100", "--fail-uncovered-functions", "0"]);
    }

    [Theory]
    [InlineData("a.c", "x\n// weft: coverage off\nx\n// weft: coverage on\nx", "2-3")]
    [InlineData("a.c", "x /* GCOVR_EXCL_LINE */\nx // cov:excl-line\nx", "1-2")]
    [InlineData("a.c", "/* cov:excl-start\n */ x\n/* cov:excl-stop */ x", "1-2")]
    [InlineData("a.c", "\"// LCOV_EXCL_LINE\"\n'\"' // LCOV_EXCL_LINE\n", "2")]
    [InlineData("a.cc", "R\"x( // LCOV_EXCL_LINE )\" \n )x\" // LCOV_EXCL_LINE\n1'000'000 // LCOV_EXCL_LINE", "2-3")]
    [InlineData("a.rs", "fn f<'a>(x: &'a str) {} // LCOV_EXCL_LINE\nlet c = '\"'; // LCOV_EXCL_LINE\nlet s = r#\"\" // LCOV_EXCL_LINE\"#; \"\n// LCOV_EXCL_LINE\"; // LCOV_EXCL_LINE", "1-2,4")]
    [InlineData("a.rs", "/* /* */ LCOV_EXCL_LINE */\n/// LCOV_EXCL_LINE\n//! weft: no coverage\nx", "1-3")]
    [InlineData("a.c", "/* /* */ LCOV_EXCL_LINE */\n// nothing: LCOV_EXCL_LINES, XLCOV_EXCL_LINE, LCOV_EXCL_BR_LINE", "")]
    public void Markers_count_in_comments_only(string name, string source, string expected)
    {
        var path = harness.Write(name, source);
        var found = Markers.Find(new SourceTexts().Find(path)!, name.EndsWith("rs", StringComparison.Ordinal));
        Assert.Equal(expected, found?.Lines.ToString() ?? "");
        Assert.Empty(found?.Problems ?? []);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Markers_without_a_partner_are_named_with_their_line()
    {
        var sample = CoverageBuild.Make(harness, "main.c", "// weft: coverage on\nint f(void) { return 1; } // weft: coverage off\n// LCOV_EXCL_START\nint main(void) { return 0; }\n");
        var errors = harness.Must(Harness.Weft, "coverage", "report", "main", "--profile", sample.Indexed).Errors;
        Assert.Contains("warning: " + harness.Path("main.c") + ":1: 'weft: coverage on' ends nothing", errors, StringComparison.Ordinal);
        Assert.Contains("main.c:2: 'weft: coverage off' is never ended", errors, StringComparison.Ordinal);
        Assert.Contains("main.c:3: 'LCOV_EXCL_START' follows 'weft: coverage off' of line 2", errors, StringComparison.Ordinal);
    }

    [Needs("clang-22", "llvm-profdata-22", "llvm-cov-22")]
    public void Sources_that_are_gone_changed_or_no_UTF8_are_named_once_and_reports_work()
    {
        harness.Write("gone.h", "static int gone(void) { return 1; }\n");
        harness.Write("changed.h", "static int changed(int x) {\n  return x;\n}\n");
        File.WriteAllBytes(harness.Path("latin.h"), Encoding.Latin1.GetBytes("static int latin(void) { return \"ä\"[0] != 0; } // größe\r\n"));
        var sample = CoverageBuild.Make(harness, "main.c", "#include \"gone.h\"\n#include \"changed.h\"\n#include \"latin.h\"\nint main(void) { return gone() + changed(1) + latin() == 9; }\r\n");
        var before = harness.Must(Harness.Weft, "coverage", "report", "main", "--profile", sample.Indexed);
        Assert.Equal("", before.Errors);
        var table = before.Output;
        File.Delete(harness.Path("gone.h"));
        harness.Write("changed.h", "\n");
        File.SetLastWriteTimeUtc(harness.Path("changed.h"), DateTime.UtcNow.AddMinutes(1));
        var after = harness.Must(Harness.Weft, "coverage", "report", "main", "--profile", sample.Indexed);
        Assert.Equal(table, after.Output);
        Assert.Equal(2, after.Errors.Split("warning: ").Length - 1);
        Assert.Contains($"warning: source file '{harness.Path("gone.h")}' is not there to be read", after.Errors, StringComparison.Ordinal);
        Assert.Contains($"warning: source file '{harness.Path("changed.h")}' was changed since the program was built", after.Errors, StringComparison.Ordinal);
        var text = harness.Must(Harness.Weft, "coverage", "report", "main", "--profile", sample.Indexed, "--text");
        Assert.Contains("      1|static int latin(void) { return \"ä\"[0] != 0; } // größe\n", text.Output, StringComparison.Ordinal);
        Assert.Contains("      1|int main(void) { return gone() + changed(1) + latin() == 9; }\n", text.Output, StringComparison.Ordinal);
        Assert.Contains("latin.h' is not in UTF-8", text.Errors, StringComparison.Ordinal);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_line_of_fifty_megabytes_is_no_trouble()
    {
        harness.Write("long.c", $"int main(void) {{ return 0; }} /* {new string('x', 50 << 20)} */ // weft: no coverage\nint f(void) {{ return 1; }}\n");
        var sample = CoverageBuild.Make(harness, "long.c", []);
        var trace = harness.Must(Harness.Weft, "coverage", "report", "long", "--profile", sample.Indexed, "--lcov").Output;
        Assert.Contains("DA:2,0\n", trace, StringComparison.Ordinal);
        Assert.DoesNotContain("DA:1,", trace, StringComparison.Ordinal);
        harness.Write("patch", "--- a/long.c\n+++ b/long.c\n@@ -1,0 +1,2 @@\n+x\n+y\n");
        Assert.Contains("2|-| int f(void)", harness.Must(Harness.Weft, "coverage", "diff", "--patch", "patch", "--object", "long", "--profile", sample.Indexed).Output, StringComparison.Ordinal);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Programs_are_those_that_profiles_name_raw_or_indexed()
    {
        var sample = CoverageBuild.Make(harness, "main.c", "int f(void) { return 1; }\nint main(void) { return 0; }\n");
        var expected = harness.Must(Harness.Weft, "coverage", "report", "main", "--profile", "main.profraw").Output;
        Assert.Contains("50.00%", expected, StringComparison.Ordinal);
        Assert.Equal(expected, harness.Must(Harness.Weft, "coverage", "report", "--profile", "main.profraw").Output);
        Assert.Equal(expected, harness.Must(Harness.Weft, "coverage", "report", "--profile", sample.Indexed).Output);
        harness.Must(Harness.Weft, "coverage", "merge", "main.profraw", "-o", "ours.profdata");
        Assert.Equal(expected, harness.Must(Harness.Weft, "coverage", "report", "--profile", "ours.profdata", "--object", "main").Output);
        Assert.Equal(expected, harness.Must(Harness.Weft, "coverage", "report", "--profile", "ours.profdata").Output);
        Assert.Contains("SF:", harness.Must(Harness.Weft, "coverage", "export", "--format", "lcov", "--profile", "ours.profdata").Output, StringComparison.Ordinal);

        harness.Must("clang-22", "-O1", "-fprofile-instr-generate", "-fcoverage-mapping", "-Wl,--build-id=sha1", "main.c", "-o", "main");
        Harness.AssertToldWell(harness.RunWeft("coverage", "report", "--profile", "main.profraw"), ExitCode.Failure, $"'{harness.Path("main")}' was built again since it wrote the profile", "help: run it again");
        File.Delete(harness.Path("main"));
        Harness.AssertToldWell(harness.RunWeft("coverage", "report", "--profile", "ours.profdata"), ExitCode.Failure, $"'{harness.Path("main")}', which wrote the profile, is not there any more");
        Harness.AssertToldWell(harness.RunWeft("coverage", "report", "--profile", "main.llvm"), ExitCode.Usage, "which program?");
    }

    [Needs("rustc", "cargo", "llvm-profdata-22")]
    public void In_a_cargo_workspace_tests_and_what_is_not_of_it_are_left_out()
    {
        harness.Write("Cargo.toml", "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n");
        harness.Write("src/main.rs", "#[path = \"../tests/helper.rs\"]\nmod helper;\n#[path = \"../target/made.rs\"]\nmod made;\nfn main() {\n    helper::help();\n    made::made();\n}\n");
        harness.Write("tests/helper.rs", "pub fn help() {}\n");
        harness.Write("target/made.rs", "pub fn made() {}\n");
        harness.Must("rustc", "-C", "instrument-coverage", "src/main.rs", "-o", "small");
        var sample = CoverageBuild.Run(harness, "small", "small");
        var report = harness.Must(Harness.Weft, "coverage", "report", "small", "--profile", sample.Indexed).Output;
        Assert.Contains("src/main.rs", report, StringComparison.Ordinal);
        Assert.DoesNotContain("helper.rs", report, StringComparison.Ordinal);
        Assert.DoesNotContain("made.rs", report, StringComparison.Ordinal);
        var all = harness.Must(Harness.Weft, "coverage", "report", "small", "--profile", sample.Indexed, "--no-default-ignore-filename-regex").Output;
        Assert.Contains("tests/helper.rs", all, StringComparison.Ordinal);
        Assert.Contains("target/made.rs", all, StringComparison.Ordinal);
    }
}
