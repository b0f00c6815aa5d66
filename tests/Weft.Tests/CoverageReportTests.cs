using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Weft.Core;
using Weft.Coverage.Export;

namespace Weft.Tests;

/// <summary><c>weft coverage report</c> and its formats, against llvm-cov's report, show and export of the same files.</summary>
public sealed partial class CoverageReportTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang-22", "clang++-22", "rustc", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("c 22")]
    [InlineData("c++ 22")]
    [InlineData("library 22")]
    [InlineData("rust")]
    public void The_table_has_the_numbers_of_llvm_cov_report(string name)
    {
        var sample = CoveragePrograms.Get(name);
        var theirs = Rows(LlvmCov("report", sample, "-show-mcdc-summary").Output).Where(row => row[4] != "0").ToList(); // files without functions are listed apart
        var ours = Rows(Report(sample).Output);
        var columns = ours[0].Length;
        Assert.True(columns >= 10);
        Assert.Contains("TOTAL", ours[^1][0], StringComparison.Ordinal);
        // Columns that have nothing at all are left out.
        Assert.All(theirs[^1].Skip(columns).Where((_, i) => i % 3 == 0), count => Assert.Equal("0", count));
        Assert.Equal(theirs.Select(row => string.Join(' ', row.Take(columns))), ours.Select(row => string.Join(' ', row)));
    }

    [TheoryNeeds("clang-22", "clang++-22", "rustc", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("c 22")]
    [InlineData("c++ 22")]
    [InlineData("library 22")]
    [InlineData("rust")]
    public void Annotated_source_is_that_of_llvm_cov_show(string name)
    {
        var sample = CoveragePrograms.Get(name);
        var theirs = LlvmCov("show", sample, "-show-line-counts-or-regions", "-show-instantiations=false").Output;
        Assert.Contains("^0", theirs, StringComparison.Ordinal);
        Assert.Equal(theirs, BranchBlock().Replace(Report(sample, "--text").Output, ""));
    }

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void Annotated_source_has_the_branches_of_llvm_cov_show()
    {
        var sample = Build("main.c", """
            #define MAX(a, b) ((a) > (b) ? (a) : (b))
            static int f(int a, int b) {
              if (a && b) return 1;
              return MAX(a, b);
            }
            int main(void) {
              int s = 0;
              for (int i = 0; i < 12345; i++) s += f(i, 0);
              while (0) s++;
              return s < 0;
            }
            """);
        var theirs = LlvmCov("show", sample, "-show-line-counts-or-regions", "-show-branches=count").Output;
        Assert.Contains("[True: 12.3k, False: 1]", theirs, StringComparison.Ordinal);
        Assert.Equal(theirs, Report(sample, "--text").Output);
        Report(sample, "--text", "--output-dir", "out");
        Assert.Equal(theirs.TrimEnd('\n'), File.ReadAllText(harness.Path("out/text/main.c.txt")).TrimEnd('\n'));
    }

    [TheoryNeeds("clang-22", "clang++-22", "rustc", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("c 22")]
    [InlineData("library 22")]
    [InlineData("rust")]
    public void Missing_lines_are_those_that_a_trace_file_counts_0_of(string name)
    {
        var sample = CoveragePrograms.Get(name);
        var expected = Trace(sample).ToDictionary(f => Path.GetFileName(f.Key), f => f.Value.Where(l => l.Value == 0).Select(l => l.Key).ToList());
        var listed = Report(sample, "--show-missing-lines").Output.Split("Uncovered Lines:\n")[1].Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .ToDictionary(l => Path.GetFileName(l.Split(": ")[0]), l => l.Split(": ")[1].Split(',').SelectMany(Range).ToList());
        Assert.NotEmpty(listed);
        Assert.Equal(expected.Where(f => f.Value.Count > 0).OrderBy(f => f.Key).Select(f => $"{f.Key} {string.Join(' ', f.Value)}"), listed.OrderBy(f => f.Key).Select(f => $"{f.Key} {string.Join(' ', f.Value)}"));
    }

    [TheoryNeeds("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("functions")]
    [InlineData("lines")]
    [InlineData("regions")]
    [InlineData("branches")]
    public void A_limit_holds_up_to_the_number_itself(string what)
    {
        var sample = CoveragePrograms.Get("c 22");
        var sums = JsonNode.Parse(LlvmCov("export", sample, "-summary-only").Output)!["data"]![0]!["totals"]![what]!;
        int count = (int)sums["count"]!, covered = (int)sums["covered"]!;
        Assert.InRange(covered, 1, count - 1);
        Check(ExitCode.Success, null, $"--fail-under-{what}", $"{Math.Floor(100.0 * covered / count)}");
        Check(ExitCode.CheckFailed, $"less than {Math.Floor(100.0 * covered / count) + 1}% (--fail-under-{what})", $"--fail-under-{what}", $"{Math.Floor(100.0 * covered / count) + 1}");
        var missing = what == "lines" ? Trace(sample).Sum(f => f.Value.Count(l => l.Value == 0)) : count - covered;
        Check(ExitCode.Success, null, $"--fail-uncovered-{what}", $"{missing}");
        Check(ExitCode.CheckFailed, $"more than {missing - 1} (--fail-uncovered-{what})", $"--fail-uncovered-{what}", $"{missing - 1}");

        void Check(ExitCode expected, string? said, params string[] options)
        {
            var outcome = harness.RunWeft(["coverage", "report", sample.Binaries[0], "--profile", sample.Indexed, .. options]);
            Assert.True((int)expected == outcome.ExitCode, outcome.ToString());
            Assert.Contains("TOTAL", outcome.Output, StringComparison.Ordinal); // the report is there all the same
            if (said != null) Assert.Contains("error: ", outcome.Errors, StringComparison.Ordinal);
            if (said != null) Assert.Contains(said, outcome.Errors, StringComparison.Ordinal);
            else Assert.DoesNotContain("error: ", outcome.Errors, StringComparison.Ordinal);
        }
    }

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void The_limit_of_files_names_the_file_and_lets_all_of_a_file_pass()
    {
        var sample = Build("main.c", "#include \"part.h\"\nint main(void) { return 0; }\n", ("part.h", "static int part(int x) {\n  return x;\n}\nint (*used)(int) = part;\n"));
        var outcome = harness.RunWeft("coverage", "report", "main", "--profile", sample.Indexed, "--fail-under-file-lines", "1");
        Harness.AssertToldWell(outcome, ExitCode.CheckFailed, "part.h: line coverage is 0.00% (0 of 3), less than 1% (--fail-under-file-lines)");
        harness.Must(Harness.Weft, "coverage", "report", "main", "--profile", sample.Indexed, "--fail-under-file-lines", "100", "--ignore-filename-regex", "part");
    }

    [TheoryNeeds("clang-22", "clang++-22", "rustc", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("c 22")]
    [InlineData("c++ 22")]
    [InlineData("rust")]
    public void Cobertura_adds_up_to_the_trace_file_of_llvm_cov(string name)
    {
        var sample = CoveragePrograms.Get(name);
        Report(sample, "--cobertura", "--output-path", "coverage.xml");
        var xml = XDocument.Load(harness.Path("coverage.xml")).Root!;
        var source = xml.Element("sources")!.Element("source")!.Value;
        var theirs = Trace(sample);
        var classes = xml.Descendants("class").ToDictionary(c => Path.Combine(source, c.Attribute("filename")!.Value));
        Assert.Equal(theirs.Keys.Order(StringComparer.Ordinal), classes.Keys.Order(StringComparer.Ordinal));
        foreach (var (file, lines) in theirs)
            Assert.Equal(lines.Select(l => $"{l.Key} {l.Value}"), classes[file].Element("lines")!.Elements("line").Select(l => $"{l.Attribute("number")!.Value} {l.Attribute("hits")!.Value}"));
        var all = classes.Values.SelectMany(c => c.Element("lines")!.Elements("line")).ToList();
        Assert.Equal($"{all.Count}", xml.Attribute("lines-valid")!.Value);
        Assert.Equal($"{all.Count(l => l.Attribute("hits")!.Value != "0")}", xml.Attribute("lines-covered")!.Value);
        var parts = all.Select(l => l.Attribute("condition-coverage")?.Value).OfType<string>().Select(c => Regex.Match(c, @"\((\d+)/(\d+)\)$")).ToList();
        Assert.Equal($"{parts.Sum(p => int.Parse(p.Groups[1].Value))}", xml.Attribute("branches-covered")!.Value);
        Assert.Equal($"{parts.Sum(p => int.Parse(p.Groups[2].Value))}", xml.Attribute("branches-valid")!.Value);
        var outcomes = LlvmCov("export", sample, "-format=lcov").Output.Split('\n').Where(l => l.StartsWith("BRDA:", StringComparison.Ordinal)).ToList();
        Assert.Equal($"{outcomes.Count}", xml.Attribute("branches-valid")!.Value);
        Assert.Equal($"{outcomes.Count(o => o.Split(',')[3] is not ("0" or "-"))}", xml.Attribute("branches-covered")!.Value);
    }

    [Needs("clang++-22", "xmllint", "llvm-profdata-22")]
    public void Cobertura_is_valid_for_the_DTD()
    {
        harness.Write("coverage-04.dtd", """
            <!ELEMENT coverage (sources?,packages)>
            <!ATTLIST coverage line-rate CDATA #REQUIRED branch-rate CDATA #REQUIRED lines-covered CDATA #REQUIRED lines-valid CDATA #REQUIRED branches-covered CDATA #REQUIRED branches-valid CDATA #REQUIRED complexity CDATA #REQUIRED version CDATA #REQUIRED timestamp CDATA #REQUIRED>
            <!ELEMENT sources (source*)> <!ELEMENT source (#PCDATA)> <!ELEMENT packages (package*)>
            <!ELEMENT package (classes)> <!ATTLIST package name CDATA #REQUIRED line-rate CDATA #REQUIRED branch-rate CDATA #REQUIRED complexity CDATA #REQUIRED>
            <!ELEMENT classes (class*)>
            <!ELEMENT class (methods,lines)> <!ATTLIST class name CDATA #REQUIRED filename CDATA #REQUIRED line-rate CDATA #REQUIRED branch-rate CDATA #REQUIRED complexity CDATA #REQUIRED>
            <!ELEMENT methods (method*)>
            <!ELEMENT method (lines)> <!ATTLIST method name CDATA #REQUIRED signature CDATA #REQUIRED line-rate CDATA #REQUIRED branch-rate CDATA #REQUIRED>
            <!ELEMENT lines (line*)>
            <!ELEMENT line (conditions*)> <!ATTLIST line number CDATA #REQUIRED hits CDATA #REQUIRED branch CDATA "false" condition-coverage CDATA "100%">
            <!ELEMENT conditions (condition*)> <!ELEMENT condition EMPTY> <!ATTLIST condition number CDATA #REQUIRED type CDATA #REQUIRED coverage CDATA #REQUIRED>
            """);
        Report(CoveragePrograms.Get("c++ 22"), "--cobertura", "--output-path", "coverage.xml");
        harness.Must("xmllint", "--noout", "--nonet", "--dtdvalid", "coverage-04.dtd", "coverage.xml");
    }

    /// <summary>By cargo-llvm-cov's rule, from llvm-cov's JSON: regions of one place count once, on each line that they are on.</summary>
    [TheoryNeeds("clang++-22", "rustc", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("c++ 22")]
    [InlineData("rust")]
    public void Codecov_counts_the_regions_of_llvm_covs_JSON_on_each_line(string name)
    {
        var sample = CoveragePrograms.Get(name);
        var regions = new Dictionary<(string File, int Line, int Column, int EndLine, int EndColumn), bool>();
        foreach (var function in JsonNode.Parse(LlvmCov("export", sample).Output)!["data"]![0]!["functions"]!.AsArray())
            foreach (var region in function!["regions"]!.AsArray())
            {
                if ((int)region![7]! > 1) continue;
                var key = ((string)function["filenames"]![(int)region[5]!]!, (int)region[0]!, (int)region[1]!, (int)region[2]!, (int)region[3]!);
                regions[key] = regions.GetValueOrDefault(key) || (long)region[4]! > 0;
            }
        var expected = new SortedDictionary<(string, int), (int Ran, int All)>();
        foreach (var (key, ran) in regions)
            for (var line = key.Line; line <= key.EndLine; line++)
                expected[(key.File, line)] = expected.GetValueOrDefault((key.File, line)) is var (before, all) ? (before + (ran ? 1 : 0), all + 1) : default;
        var ours = JsonNode.Parse(Report(sample, "--codecov").Output)!["coverage"]!.AsObject()
            .SelectMany(f => f.Value!.AsObject().Select(l => $"{f.Key} {l.Key} {l.Value}"));
        Assert.Equal(expected.Select(l => $"{l.Key.Item1} {l.Key.Item2} {l.Value.Ran}/{l.Value.All}").Order(StringComparer.Ordinal), ours.Order(StringComparer.Ordinal));
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_comment_for_a_pull_request_stays_below_what_GitHub_takes()
    {
        const int files = 500;
        var headers = Enumerable.Range(0, files).Select(i => ($"{new string('n', 120)}{i}.h", $"static inline int f{i}(int x) {{\n{string.Concat(Enumerable.Repeat("  if (x > 1)\n    x--;\n", i % 9 + 1))}  return x;\n}}\n")).ToArray();
        var sample = Build("main.c", string.Concat(headers.Select(h => $"#include \"{h.Item1}\"\n")) + $"int main(void) {{ return 0{string.Concat(Enumerable.Range(0, files).Select(i => $" + f{i}(0)"))}; }}\n", headers);
        var text = Report(sample, "--markdown").Output;
        Assert.InRange(text.Length, Markdown.MostCharacters / 2, Markdown.MostCharacters);
        var listed = Regex.Matches(text, @"^- n+(?<number>\d+)\\?\.h: ", RegexOptions.Multiline | RegexOptions.ExplicitCapture).Select(m => int.Parse(m.Groups["number"].Value)).ToList();
        Assert.Contains($"{files - listed.Count} files with the fewest missing lines are left out", text, StringComparison.Ordinal);
        Assert.True(listed.Min(i => i % 9) >= Enumerable.Range(0, files).Except(listed).Max(i => i % 9), "left out are those with the fewest missing lines");
        var total = Rows(Report(sample).Output)[^1];
        Assert.Contains($"| **Total** | {total[9]} | {total[6]} | {total[3]} |", text, StringComparison.Ordinal);
    }

    [Needs("clang++-22", "llvm-profdata-22")]
    public void Instantiations_that_did_not_reach_lines_are_named()
    {
        var sample = Build("main.cc", "template <class T> int pick(T a, T b) {\n  if (a < b)\n    return 1;\n  return 2;\n}\ntemplate <class T> int never(T a) {\n  return a;\n}\nint main(int c, char **) {\n  if (c > 5) never(1L);\n  return never(1) + pick(1, 2) + pick(3.0, 2.0) > 5;\n}\n");
        var text = Report(sample, "--show-instantiations").Output;
        Assert.EndsWith("Incomplete instantiations:\nmain.cc:1: int pick<int>(int, int): not lines 4\nmain.cc:1: int pick<double>(double, double): not lines 3\nmain.cc:6: int never<long>(long): never called\n", text, StringComparison.Ordinal);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Files_sort_by_what_they_miss()
    {
        var sample = CoveragePrograms.Get("c 22");
        var rows = Rows(Report(sample, "--sort", "lines").Output)[..^1];
        Assert.Equal(rows.Select(r => int.Parse(r[8])).OrderDescending(), rows.Select(r => int.Parse(r[8])));
        Assert.NotEqual(rows.Select(r => r[0]).Order(StringComparer.Ordinal), rows.Select(r => r[0]));
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void What_does_not_go_together_is_said()
    {
        var sample = CoveragePrograms.Get("c 22");
        foreach (var (mention, options) in ((string, string[])[])
        [
            ("--json and --lcov at once", ["--json", "--lcov"]),
            ("--output-path: for which form?", ["--output-path", "x"]),
            ("--output-dir is for", ["--lcov", "--output-dir", "x"]),
            ("'101' is not a number from 0 to 100", ["--fail-under-lines", "101"]),
            ("'x' is not one of name, regions", ["--sort", "x"]),
        ])
            Harness.AssertToldWell(harness.RunWeft(["coverage", "report", sample.Binaries[0], "--profile", sample.Indexed, .. options]), ExitCode.Usage, mention);
    }

    private Outcome Report(CoverageSample sample, params string[] options) => harness.Must(Harness.Weft,
        ["coverage", "report", .. sample.Binaries, "--profile", sample.Indexed, "--no-default-ignore-filename-regex", .. options]);

    private Outcome LlvmCov(string command, CoverageSample sample, params string[] options) => harness.Must("llvm-cov-22",
        [command, $"-instr-profile={sample.Indexed}", .. options, sample.Binaries[0], .. sample.Binaries.Skip(1).SelectMany(b => (string[])["-object", b])]);

    private CoverageSample Build(string main, string source, params (string Name, string Text)[] others)
    {
        foreach (var (name, text) in others) harness.Write(name, text);
        return CoverageBuild.Make(harness, main, source);
    }

    /// <summary>Counts by line, by file.</summary>
    private Dictionary<string, Dictionary<int, ulong>> Trace(CoverageSample sample)
    {
        var files = new Dictionary<string, Dictionary<int, ulong>>();
        foreach (var line in LlvmCov("export", sample, "-format=lcov").Output.Split('\n'))
        {
            if (line.StartsWith("SF:", StringComparison.Ordinal)) files.Add(line[3..], []);
            else if (line.StartsWith("DA:", StringComparison.Ordinal)) files.Values.Last().Add(int.Parse(line[3..].Split(',')[0]), ulong.Parse(line.Split(',')[1], CultureInfo.InvariantCulture));
        }
        return files;
    }

    private static IEnumerable<int> Range(string range) => range.Split('-') is [var first, var last] ? Enumerable.Range(int.Parse(first), int.Parse(last) - int.Parse(first) + 1) : [int.Parse(range)];

    /// <summary>Files and the total, in cells; a file without its folder.</summary>
    private static List<string[]> Rows(string table) => table.Split('\n').Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(r => r.Length > 9 && char.IsAsciiDigit(r[1][0]))
        .Select(r => (string[])[Path.GetFileName(r[0]), .. r[1..]]).ToList();

    [GeneratedRegex(@"  -+\n(  \|  Branch .*\n)+  -+\n")]
    private static partial Regex BranchBlock();
}

/// <summary>Builds and runs a small program of a test's own.</summary>
internal static class CoverageBuild
{
    public static CoverageSample Make(Harness harness, string main, string source, params string[] arguments)
    {
        harness.Write(main, source);
        return Make(harness, main, arguments);
    }

    /// <summary>Of sources that are there already.</summary>
    public static CoverageSample Make(Harness harness, string main, string[] arguments)
    {
        var program = Path.GetFileNameWithoutExtension(main).Replace("%", ""); // which names of profiles have other uses for
        harness.Must(main.EndsWith('c') && !main.EndsWith("cc", StringComparison.Ordinal) ? "clang-22" : "clang++-22", "-g0", "-fprofile-instr-generate", "-fcoverage-mapping", "-Wl,--build-id=sha1", main, "-o", program);
        return Run(harness, program, program, arguments);
    }

    /// <summary>Runs it, and has its profile say which file it is, as Weft's runtime does.</summary>
    public static CoverageSample Run(Harness harness, string program, string name, params string[] arguments)
    {
        harness.Environment["LLVM_PROFILE_FILE"] = harness.Path(name + ".llvm");
        harness.Run(harness.Path(program), arguments);
        harness.Environment.Remove("LLVM_PROFILE_FILE");
        File.WriteAllBytes(harness.Path(name + ".profraw"), WithPath(File.ReadAllBytes(harness.Path(name + ".llvm")), harness.Path(program)));
        harness.Must("llvm-profdata-22", "merge", name + ".profraw", "-o", name + ".profdata");
        return new CoverageSample([harness.Path(program)], [harness.Path(name + ".profraw")], harness.Path(name + ".profdata"));
    }

    /// <summary>A raw profile with one more binary id, which is the path of the file that counted.</summary>
    private static byte[] WithPath(byte[] profile, string path)
    {
        const int sizeAt = 16, headerSize = 128;
        var size = BitConverter.ToUInt64(profile, sizeAt);
        var id = System.Text.Encoding.UTF8.GetBytes("weft:" + path);
        byte[] entry = [.. BitConverter.GetBytes((ulong)id.Length), .. id, .. new byte[-id.Length & 7]];
        BitConverter.TryWriteBytes(profile.AsSpan(sizeAt), size + (ulong)entry.Length);
        return [.. profile[..headerSize], .. entry, .. profile[headerSize..]];
    }
}
