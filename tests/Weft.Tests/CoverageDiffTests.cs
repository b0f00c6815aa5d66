using System.Text.Json.Nodes;
using Weft.Core;
using Weft.Coverage.Diff;

namespace Weft.Tests;

/// <summary><c>weft coverage diff</c> in real repositories, and <c>weft coverage compare</c>.</summary>
public sealed class CoverageDiffTests : IDisposable
{
    private const string Before = "int f(int x) {\n  return x;\n}\nint main(int c, char **v) { return f(0); }\n";

    private const string After = """
        int f(int x) {
          if (x > 5)
            return 2;
          return x;
        }
        int added(int x) {
          return x;
        }
        int main(int c, char **v) { return f(c - 1); }
        """;

    private readonly Harness harness = new();

    public CoverageDiffTests()
    {
        foreach (var (name, value) in ((string, string)[])[("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null"), ("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@b"), ("GIT_COMMITTER_NAME", "a"), ("GIT_COMMITTER_EMAIL", "a@b")])
            harness.Environment[name] = value;
    }

    public void Dispose() => harness.Dispose();

    [Needs("git", "clang-22", "llvm-profdata-22")]
    public void Changed_lines_that_did_not_run_are_shown_with_why()
    {
        Commit(("main.c", Before), ("readme", "text\n"), ("gone.c", "int gone;\n"));
        File.Delete(harness.Path("gone.c"));
        File.WriteAllBytes(harness.Path("binary"), [0, 1, 2, 255]);
        Commit(("main.c", After), ("readme", "more\ntext\n"));
        var sample = CoverageBuild.Make(harness, "main.c", []);
        var outcome = Diff(sample, "HEAD~1");
        Assert.Equal("""
            main.c: 33.33% of 6 changed lines
              line 2: condition never true
                    2|~|   if (x > 5)
              line 3: not run
                    3|-|     return 2;
              lines 6-8: function never called
                    6|-| int added(int x) {
                    7|-|   return x;
                    8|-| }

            33.33% of 6 changed lines with code are covered; 1 changed file is outside coverage.

            """, outcome.Output);
        Harness.AssertToldWell(Diff(sample, ExitCode.CheckFailed, "HEAD~1", "--fail-under-lines", "34"), ExitCode.CheckFailed, "33.33% (2 of 6), less than 34%");
        Diff(sample, "HEAD~1", "--fail-under-lines", "33");
        Assert.Equal("No changed line has code.\n", Diff(sample, "HEAD", "--fail-under-lines", "100").Output);
    }

    /// <summary>Columns as an editor counts them, from the first character that did not run to the last.</summary>
    [Needs("git", "clang-22", "llvm-profdata-22")]
    public void What_did_not_run_of_a_line_is_told_by_its_columns()
    {
        Commit(("main.c", Before));
        Commit(("main.c", """
            int f(int x) {
              int y = x > 5 ? 2 : x < -3 ? 44 : 5;
              int z = x > 5 ? 2222 : 5; if (x < -3) {
                z++; }
              return y + (z && x);
            }
            int main(int c, char **v) { return f(c - 1); }
            """));
        var text = Diff(CoverageBuild.Make(harness, "main.c", []), "HEAD~1").Output;
        Assert.Contains("  line 2: condition 1 never true; condition 2 never true; columns 19 and 32-33 not run\n", text, StringComparison.Ordinal);
        Assert.Contains("  line 3: condition 1 never true; condition 2 never true; columns 19-22 and 41 to the end not run\n", text, StringComparison.Ordinal);
        Assert.Contains("  line 5: condition 1 never false; condition 2 never true\n", text, StringComparison.Ordinal);
    }

    /// <summary>Built by another machine, in a folder that is not here.</summary>
    [Needs("git", "clang-22", "llvm-profdata-22")]
    public void A_change_is_found_in_what_was_built_in_another_folder()
    {
        Commit(("main.c", Before));
        Commit(("main.c", After));
        harness.Write("elsewhere/main.c", After);
        harness.Write("elsewhere/other/main.c", After); // so that the end of the path is not enough
        harness.Must("clang-22", "-fprofile-instr-generate", "-fcoverage-mapping", "-Wl,--build-id=sha1", harness.Path("elsewhere/main.c"), "-o", "program");
        var sample = CoverageBuild.Run(harness, "program", "program");
        Directory.Delete(harness.Path("elsewhere"), recursive: true);
        var outcome = Diff(sample, "HEAD~1", "--path-equivalence", "elsewhere,.");
        Assert.StartsWith("main.c: 33.33% of 6 changed lines\n  line 2: condition never true\n        2|~|   if (x > 5)\n", outcome.Output, StringComparison.Ordinal);
        Assert.Equal("", outcome.Errors);
    }

    [Needs("git", "clang-22", "llvm-profdata-22")]
    public void Formats_say_the_same()
    {
        Commit(("odd, name%.c", Before));
        Commit(("odd, name%.c", After));
        var sample = CoverageBuild.Make(harness, "odd, name%.c", []);
        var github = Diff(sample, "HEAD~1", "--format", "github").Output.Split('\n');
        Assert.Equal("::warning file=odd%2C name%25.c,line=3,endLine=3,title=Not covered::line 3: not run", github[0]);
        Assert.Equal("::warning file=odd%2C name%25.c,line=6,endLine=8,title=Not covered::lines 6-8: function never called", github[1]);
        Assert.StartsWith("::notice title=Coverage of this change::33.33%25 of 6", github[2], StringComparison.Ordinal);
        Assert.Contains("| odd, name%.c | 6 | 33.33% | 3,6-8 |", Diff(sample, "HEAD~1", "--format", "markdown").Output, StringComparison.Ordinal);
        Diff(sample, "HEAD~1", "--format", "json", "-o", "out.json");
        var json = JsonNode.Parse(File.ReadAllText(harness.Path("out.json")))!;
        Assert.Equal(("weft-coverage-diff", 6, 2), ((string)json["format"]!, (int)json["lines"]!, (int)json["covered"]!));
        Assert.Equal([(2, 2, true), (3, 3, false), (6, 8, false)], json["files"]![0]!["gaps"]!.AsArray().Select(g => ((int)g!["line"]!, (int)g["endLine"]!, (bool)g["partial"]!)));
    }

    [Needs("git", "clang-22", "llvm-profdata-22")]
    public void Lines_are_those_of_the_working_tree_since_the_branch_left_its_base()
    {
        Commit(("main.c", Before));
        harness.Must("git", "checkout", "-q", "-b", "work");
        harness.Must("git", "mv", "main.c", "moved.c");
        Commit(("moved.c", Before + "int more(void) { return 1; }\n"));
        harness.Must("git", "checkout", "-q", "-");
        Commit(("main.c", "// on the base\n" + Before)); // not a change of the branch
        harness.Must("git", "checkout", "-q", "work");
        harness.Write("moved.c", "// not committed\n" + Before + "int more(void) { return 1; }\n");
        var sample = CoverageBuild.Make(harness, "moved.c", []);
        Directory.CreateDirectory(harness.Path("deeper"));
        var text = Diff(sample, "master").Output;
        Assert.StartsWith("moved.c: 0.00% of 1 changed lines\n  line 6: function never called\n", text, StringComparison.Ordinal);
        harness.Must("git", "-c", "diff.noprefix=true", "config", "diff.mnemonicPrefix", "true");
        harness.Must("git", "config", "diff.noprefix", "true");
        Assert.Equal(text, Diff(sample, "master").Output);
        File.WriteAllText(harness.Path("p"), harness.Must("git", "diff", "--src-prefix=a/", "--dst-prefix=b/", "master...work").Output); // with context, and without what is not committed
        Assert.Equal("100.00% of 1 changed lines with code are covered.\n", Diff(sample, "--patch", "p").Output); // line 5 is now another one
    }

    [Needs("git", "clang-22", "llvm-profdata-22")]
    public void What_cannot_be_found_out_is_said()
    {
        var sample = CoverageBuild.Make(harness, "main.c", Before);
        Told(ExitCode.Usage, "is in no git repository", "HEAD");
        Told(ExitCode.Usage, "changed since what?");
        Told(ExitCode.Failure, "cannot read the patch 'absent'", "--patch", "absent");
        harness.Write("notes", "no patch\n");
        Told(ExitCode.Failure, "it is no unified diff", "--patch", "notes");
        Commit(("main.c", Before));
        Told(ExitCode.Usage, "git knows no commit 'nowhere'", "nowhere");
        Told(ExitCode.Usage, "BASE and --patch at once", "HEAD", "--patch", "notes");
        harness.Environment["PATH"] = "/nowhere";
        Told(ExitCode.Failure, "git is not installed", "HEAD");

        void Told(ExitCode expected, string mention, params string[] options) => Harness.AssertToldWell(Diff(sample, expected, options), expected, mention);
    }

    [Theory]
    [InlineData("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n++++ b/y\n+b\n", "x: 1 2")]
    [InlineData("--- x\t2020-01-01\n+++ x\t2020-01-02\n@@ -1,3 +1,3 @@ int f(void)\n a\n-b\n+c\n d\n\\ No newline at end of file\n", "x: 2")]
    [InlineData("--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "")]
    [InlineData("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n", "")]
    [InlineData("diff --git a/x b/x\nBinary files a/x and b/x differ\ndiff --git a/z b/z\n--- a/z\n+++ \"b/gr\\303\\266\\303\\237e\\t.c\"\r\n@@ -0,0 +7 @@\r\n+a\r\n", "größe\t.c: 7")]
    [InlineData("", "")]
    public void Patches_of_all_kinds_are_read(string patch, string expected) =>
        Assert.Equal(expected, string.Join('|', PatchFile.Read(patch).Select(f => $"{f.Path}: {string.Join(' ', f.Lines)}")));

    [Needs("clang-22", "llvm-profdata-22")]
    public void Two_runs_of_a_build_differ_in_lines_and_functions()
    {
        CoverageBuild.Make(harness, "main.c", "int f(void) {\n  return 1;\n}\nint g(void) {\n  return 1;\n}\nint main(int c, char **v) {\n  if (c > 1)\n    return f();\n  return g();\n}\n", []);
        CoverageBuild.Run(harness, "main", "old");
        CoverageBuild.Run(harness, "main", "new", "argument");
        var outcome = harness.Must(Harness.Weft, "coverage", "compare", "old.profraw", "new.profdata");
        Assert.Contains("lines     63.64% -> 63.64% (0.00)\n", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("    no longer covered: 4-6,10\n    now covered: 1-3,9\n", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("\nFunctions that ran less:\n  main.c: g: 100.00% -> 0.00% (-100.00) of regions\n", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("\nFunctions that ran more:\n  main.c: f: 0.00% -> 100.00% (+100.00) of regions\n", outcome.Output, StringComparison.Ordinal);
        Harness.AssertToldWell(harness.RunWeft("coverage", "compare", "old.profraw", "new.profraw", "--fail-on-loss"), ExitCode.CheckFailed, "no longer is (--fail-on-loss)");
        Assert.Contains("Nothing differs.", harness.Must(Harness.Weft, "coverage", "compare", "old.profraw", "old.profdata", "--fail-on-loss").Output, StringComparison.Ordinal);
        var json = JsonNode.Parse(harness.Must(Harness.Weft, "coverage", "compare", "old.profraw", "new.profraw", "--json").Output)!;
        Assert.Equal("4-6,10", (string)json["files"]![0]!["lost"]!);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Lines_of_two_checkouts_are_found_again_by_their_text()
    {
        const string body = "int f(int x) {\n  if (x > 1)\n    return 1;\n  return 2;\n}\n";
        harness.Write("old/src/main.c", body + "int main(int c, char **v) {\n  return f(c);\n}\n");
        harness.Write("new/src/main.c", "// A line more.\n\n" + body + "int added(void) {\n  return 3;\n}\nint main(int c, char **v) {\n  return f(c);\n}\n");
        foreach (var side in (string[])["old", "new"]) harness.Must("clang-22", "-fprofile-instr-generate", "-fcoverage-mapping", "-Wl,--build-id=sha1", $"{side}/src/main.c", "-o", $"{side}/main");
        CoverageBuild.Run(harness, "old/main", "before", "argument");
        CoverageBuild.Run(harness, "new/main", "after");
        var text = harness.Must(Harness.Weft, "coverage", "compare", "before.profraw", "after.profraw").Output;
        Assert.Contains("    no longer covered: 5\n    now covered: 6\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("not compared", text, StringComparison.Ordinal);
        // The same path, and another text: which line was which nobody knows.
        harness.Write("old/src/main.c", "// A line more.\n" + body + "int main(int c, char **v) {\n  return f(c);\n}\n");
        harness.Must("clang-22", "-fprofile-instr-generate", "-fcoverage-mapping", "-Wl,--build-id=sha1", "old/src/main.c", "-o", "old/changed");
        CoverageBuild.Run(harness, "old/changed", "changed");
        Assert.Contains("lines not compared: it changed, and its old source is not there", harness.Must(Harness.Weft, "coverage", "compare", "before.profraw", "changed.profraw").Output, StringComparison.Ordinal);
    }

    private void Commit(params (string Name, string Text)[] files)
    {
        if (!Directory.Exists(harness.Path(".git"))) harness.Must("git", "init", "-q", "-b", "master");
        foreach (var (name, text) in files) harness.Write(name, text);
        harness.Must("git", "add", "-A");
        harness.Must("git", "commit", "-q", "-m", "change");
    }

    private Outcome Diff(CoverageSample sample, params string[] options) => Diff(sample, ExitCode.Success, options);

    private Outcome Diff(CoverageSample sample, ExitCode expected, params string[] options)
    {
        var outcome = harness.RunWeft(["coverage", "diff", .. options, "--profile", sample.Indexed]);
        Assert.True(outcome.ExitCode == (int)expected, outcome.ToString());
        return outcome;
    }
}
