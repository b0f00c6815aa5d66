using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Weft.Core;
using Weft.Coverage.Model;
using Weft.Coverage.Page;
using Weft.Coverage.Profiles;

namespace Weft.Tests;

/// <summary>The page that shows coverage: that it stands alone, that nothing in sources gets out of its data, and that its numbers are llvm-cov's.</summary>
public sealed class CoveragePageTests : IDisposable
{
    private const string Browser = "chromium-headless-shell";

    private static readonly string[] Hostile = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "--><!--<script>", "]]>", "`${alert(1)}", "{{files}}{{script}}", "\u202egnp.exe", "a\0b\u001b[31m", "\\\"'&lt;&amp;", "𝒳 ü 中文\t\u2028x"];

    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_page_is_well_formed_and_needs_nothing_beside_it()
    {
        var page = Page(CoveragePrograms.Get("c 22"));
        var frame = XDocument.Parse(Blocks().Replace(page, "<${tag}${attributes}></${tag}>"));

        var names = frame.Descendants().SelectMany(e => e.Attributes()).Select(a => a.Name.LocalName).ToList();
        Assert.DoesNotContain("src", names);
        Assert.DoesNotContain("href", names);
        Assert.DoesNotContain("style", names); // the policy forbids them
        Assert.DoesNotContain(names, name => name.StartsWith("on", StringComparison.Ordinal));
        Assert.DoesNotContain("://", WithoutData(page));
        Assert.DoesNotContain("@import", page);
        Assert.DoesNotContain("url(", page);
        var ids = frame.Descendants().Attributes("id").Select(a => a.Value).ToList();
        Assert.Equal(ids.Distinct(), ids);
        Assert.All(Regex.Matches(page, "element\\(\"([a-z-]+)\"\\)"), m => Assert.Contains(m.Groups[1].Value, ids));
        foreach (var reference in (string[])["for", "aria-labelledby", "aria-controls"])
            Assert.All(frame.Descendants().Attributes(reference), a => Assert.Contains(a.Value, ids));
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Only_the_pages_own_script_and_style_are_allowed()
    {
        var page = Page(CoveragePrograms.Get("c 22"));
        var policy = Regex.Match(page, "Content-Security-Policy\" content=\"([^\"]*)\"").Groups[1].Value;

        Assert.StartsWith("default-src 'none'; ", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy);
        Assert.Contains($"script-src 'sha256-{Hash(Script(page))}'", policy, StringComparison.Ordinal);
        Assert.Contains($"style-src 'sha256-{Hash(Blocks().Matches(page).First(m => m.Groups["tag"].Value == "style").Groups["content"].Value)}'", policy, StringComparison.Ordinal);
        foreach (var way in (string[])["innerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function("]) Assert.DoesNotContain(way, page);
    }

    /// <summary>Files and names that would be elements, and a text with all that has a meaning in HTML or JavaScript.</summary>
    [Needs("clang-22", "llvm-profdata-22")]
    public void Hostile_sources_stay_in_the_data()
    {
        var (sample, file) = HostileProgram();
        var page = Page(sample);

        var harmless = Page(CoveragePrograms.Get("c 22"));
        Assert.Equal(WithoutStatic(WithoutData(harmless)), WithoutStatic(WithoutData(page)));
        Assert.DoesNotContain("<img", page);
        Assert.All(Data(page).Values, data => Assert.Matches("^[A-Za-z0-9+/]+=*$", data));
        XDocument.Parse(Blocks().Replace(page, "<${tag}${attributes}></${tag}>"));
        var source = File(page, file).GetProperty("source").GetString();
        Assert.Equal(Encoding.UTF8.GetString(System.IO.File.ReadAllBytes(file)), source);
        Assert.Contains('\ufffd', source!);
    }

    [TheoryNeeds("clang-22", "rustc", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("c 22")]
    [InlineData("c++ 22")]
    [InlineData("decisions 22")]
    [InlineData("rust")]
    public void Numbers_are_those_of_llvm_cov(string name)
    {
        var sample = CoveragePrograms.Get(name);
        var page = Page(sample);
        using var json = JsonDocument.Parse(harness.Must("llvm-cov-22", "export", sample.Binaries[0], "-instr-profile", sample.Indexed).Output);
        var theirs = json.RootElement.GetProperty("data")[0];

        AssertSums(theirs.GetProperty("totals"), Index(page).GetProperty("totals"));
        Assert.Equal(theirs.GetProperty("files").EnumerateArray().Select(f => f.GetProperty("filename").GetString()), Index(page).GetProperty("files").EnumerateArray().Select(f => Index(page).GetProperty("root").GetString() + f.GetProperty("path").GetString()));
        foreach (var (their, listed) in theirs.GetProperty("files").EnumerateArray().Zip(Index(page).GetProperty("files").EnumerateArray()))
        {
            AssertSums(their.GetProperty("summary"), listed);
            var path = their.GetProperty("filename").GetString()!;
            AssertFile(their, File(page, path), System.IO.File.ReadAllLines(path, Encoding.Latin1));
        }
        var instances = AllFiles(page).SelectMany(f => f.GetProperty("functions").EnumerateArray()).SelectMany(f => f.GetProperty("instances").EnumerateArray());
        Assert.Equal(
            theirs.GetProperty("functions").EnumerateArray().Select(f => (f.GetProperty("name").GetString(), f.GetProperty("count").GetInt64())).Order(),
            instances.Select(i => (i.GetProperty("symbol").GetString(), i.GetProperty("count").GetInt64())).Order());
        Assert.Equal(Functions(page).Count, AllFiles(page).Sum(f => f.GetProperty("functions").GetArrayLength()));
    }

    [Needs("clang-22", "rustc", "llvm-profdata-22")]
    public void Instantiations_are_told_apart()
    {
        var file = AllFiles(Page(CoveragePrograms.Get("c++ 22"))).First(f => f.GetProperty("path").GetString()!.EndsWith("program.cc", StringComparison.Ordinal));
        var pick = file.GetProperty("functions").EnumerateArray().Single(f => f.GetProperty("name").GetString() == "pick");
        var counts = pick.GetProperty("instances").EnumerateArray().Select(i => (i.GetProperty("name").GetString(), i.GetProperty("count").GetInt32(), i.GetProperty("segments")[0][2].GetInt32())).Order();
        Assert.Equal([("double pick<double>(double, double)", 1, 1), ("int pick<int>(int, int)", 3, 3), ("long pick<long>(long, long)", 1, 1)], counts);

        var rust = AllFiles(Page(CoveragePrograms.Get("rust"))).Single().GetProperty("functions").EnumerateArray().Select(f => f.GetProperty("instances")).ToList();
        Assert.Equal([2], rust.Where(i => i.GetArrayLength() > 1).Select(i => i[0].GetProperty("segments")[0][0].GetInt32()));
    }

    [Needs("rustc", "clang-22", "llvm-profdata-22")]
    public void Functions_that_nothing_uses_are_said_to_have_no_instantiation()
    {
        var unused = (string name) => AllFiles(Page(CoveragePrograms.Get(name))).SelectMany(f => f.GetProperty("functions").EnumerateArray())
            .Where(f => f.GetProperty("instances").EnumerateArray().All(i => i.TryGetProperty("unused", out _))).Select(f => f.GetProperty("name").GetString()).ToList();
        Assert.Equal(["never_used"], unused("c 22").Distinct());
        Assert.Single(unused("rust")); // the closure that is never called
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Sources_that_are_gone_or_newer_are_said_to_be()
    {
        harness.Write("gone.h", "static int gone(int x) {\r\n  return x ? 1 :\r\n    2;\r\n}\r\n");
        harness.Write("kept.c", "#include \"gone.h\"\nint main(int c, char **v) {\n  return gone(c) - 1;\n}\n");
        var sample = Build("kept", "kept.c");
        System.IO.File.Delete(harness.Path("gone.h"));
        System.IO.File.SetLastWriteTimeUtc(harness.Path("kept.c"), DateTime.UtcNow.AddHours(1));
        var page = Page(sample);

        Assert.Equal("gone", File(page, harness.Path("gone.h")).GetProperty("state").GetString());
        Assert.Equal(JsonValueKind.Null, File(page, harness.Path("gone.h")).GetProperty("source").ValueKind);
        Assert.Equal(4, File(page, harness.Path("gone.h")).GetProperty("lines").GetArrayLength());
        Assert.Equal("changed", File(page, harness.Path("kept.c")).GetProperty("state").GetString());
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Those_without_script_see_the_sums()
    {
        var page = Page(CoveragePrograms.Get("c 22"));
        var text = Regex.Match(page, "<noscript>.*?</noscript>", RegexOptions.Singleline).Value;
        var lines = Index(page).GetProperty("totals").GetProperty("lines");
        Assert.Contains($"({lines[0]} of {lines[1]})", text, StringComparison.Ordinal);
        Assert.Contains(">part.c<", text, StringComparison.Ordinal);
    }

    /// <summary>What is shown of a line is the line, whatever is in it; and lines count as in C#, which counts as LLVM.</summary>
    [Needs("node", "clang-22", "rustc", "llvm-profdata-22")]
    public void The_script_shows_every_line_as_it_is()
    {
        foreach (var sample in (CoverageSample[])[CoveragePrograms.Get("c 22"), CoveragePrograms.Get("c++ 22"), CoveragePrograms.Get("rust"), HostileProgram().Sample])
        {
            var found = RunScript(Page(sample), """
                const wrong = [];
                for (const file of files) {
                  const model = new page.FileModel(file), lines = file.source.split("\n").map(l => l.replace(/\r$/, ""));
                  for (let line = 1; line <= model.count; line++) {
                    const pieces = model.spans.pieces(line);
                    if (pieces.map(p => p.text).join("") !== lines[line - 1] || pieces.some(p => !p.text)) wrong.push([file.path, line]);
                  }
                  if (JSON.stringify([...model.spans.lineCounts]) !== JSON.stringify(file.lines)) wrong.push([file.path, "lines"]);
                  const replaced = page.countLines(page.replaceSegments(file.segments, [1, 1, 1, 1], []));
                  if (JSON.stringify([...replaced]) !== JSON.stringify(file.lines)) wrong.push([file.path, "replaced"]);
                }
                return { wrong: wrong.slice(0, 10), files: files.length };
                """);
            Assert.Equal("[]", found.GetProperty("wrong").ToString());
            Assert.True(found.GetProperty("files").GetInt32() > 0);
        }
    }

    [Needs("node", "clang-22", "llvm-profdata-22")]
    public void The_tokenizer_takes_any_text()
    {
        var found = RunScript(Page(CoveragePrograms.Get("c 22")), """
            const parts = ["\"", "'", "\\", "/*", "*/", "//", "\n", "r#\"", "\"#", "R\"x(", ")x\"", "'a", "#[", "]", "#include <", "0x1'f", "e+", "fn", "if", " ", "é", "𝒳", "\ud800", "\0", "!", "b'", "r####"];
            let seed = 1;
            const random = n => (seed = seed * 48271 % 2147483647) % n, wrong = [];
            for (let round = 0; round < 400; round++) {
              const text = Array.from({ length: random(60) }, () => parts[random(parts.length)]).join("");
              for (const path of ["a.rs", "a.cpp", "a.txt"]) {
                const spans = new page.Spans(text, [[1, 1, 2, 3], [1, 3, 0, 3], [1, 5, 2, 1], [2, 1, 0, 3], [4, 1, 0, 0]], path);
                const tokens = page.tokenize(text, page.languageOf(path));
                for (let i = 0, end = 0; i < tokens.length; end = tokens[i + 1], i += 3) if (tokens[i] < end || tokens[i + 1] <= tokens[i] || tokens[i + 1] > text.length) wrong.push([path, text]);
                const lines = text.split("\n");
                for (let line = 1; line <= spans.count; line++) if (spans.pieces(line).map(p => p.text).join("") !== lines[line - 1]) wrong.push([path, line, text]);
              }
            }
            const kinds = (text, path) => { const t = page.tokenize(text, page.languageOf(path)), all = []; for (let i = 0; i < t.length; i += 3) all.push(text.slice(t[i], t[i + 1]) + ":" + page.tokenKinds[t[i + 2]]); return all.join(" "); };
            const long = "r#\"".repeat(200000), start = Date.now();
            page.tokenize(long, page.languageOf("a.rs")); page.tokenize("R\"(".repeat(200000), page.languageOf("a.c")); page.tokenize("/*".repeat(400000), page.languageOf("a.rs"));
            return { wrong: wrong.slice(0, 5), rust: kinds("let s = r#\"a\"b\"#; /* a /* b */ c */ 'x' 'a: \"\\\"\"", "a.rs"), c: kinds("#include <a.h>\nint x = 0x1'f; // no \"string\"\nchar *s = R\"(a\")\" \"\\\"\";", "a.c"), slow: Date.now() - start > 5000 };
            """);
        Assert.Equal("[]", found.GetProperty("wrong").ToString());
        Assert.Equal("let:keyword r#\"a\"b\"#:string /* a /* b */ c */:comment 'x':string 'a:type \"\\\"\":string", found.GetProperty("rust").GetString());
        Assert.Equal("#include <a.h>:meta int:type 0x1'f:number // no \"string\":comment char:type R\"(a\")\":string \"\\\"\":string", found.GetProperty("c").GetString());
        Assert.False(found.GetProperty("slow").GetBoolean());
    }

    [Needs("node", "rustc", "llvm-profdata-22")]
    public void An_else_that_nobody_wrote_is_said_in_words()
    {
        harness.Write("price.rs", "fn price(p: i32, m: bool) -> i32 {\n    let mut p = p;\n    if m {\n        p -= 1;\n    }\n    if p > 100 {\n        p = 100;\n    }\n    p\n}\nfn main() {\n    println!(\"{}\", price(5, true));\n}\n");
        harness.Must("rustc", "-C", "instrument-coverage", "price.rs", "-o", "price");
        var found = RunScript(Page(Run("price")), """
            const model = new page.FileModel(files[0]);
            return { elses: [...model.elses].map(([i, kind]) => [model.spans.segments[i][0], kind, model.spans.segments[i][2]]), states: [3, 5, 7, 9].map(l => model.stateOf(l)), missing: model.missing.map(m => [m.line, m.endLine]) };
            """);
        Assert.Equal("[[5,\"else\",0],[8,\"else\",1],[10,\"end\",1],[13,\"end\",1]]", found.GetProperty("elses").ToString());
        Assert.Equal("[\"covered\",\"partial\",\"missing\",\"covered\"]", found.GetProperty("states").ToString());
        Assert.Equal("[[5,5],[6,7]]", found.GetProperty("missing").ToString());
    }

    [Needs("node", "clang-22", "llvm-profdata-22")]
    public void Addresses_lead_where_they_say()
    {
        var found = RunScript(Page(CoveragePrograms.Get("c 22")), """
            const paths = ["src/a.c", "a b#c?d%e.rs", "ü/:12", "x:7:y"], wrong = [];
            for (const path of paths) for (const line of [0, 12]) {
              const read = page.readHash(page.writeHash(path, line));
              if (path !== "ü/:12" && (read.path !== path || read.line !== line)) wrong.push([path, line, read]);
            }
            return { wrong, numbers: [0, 999, 1000, 1234, 99949, 999499, 999999, 1234567, "18446744073709551615"].map(page.short), sum: page.add(9007199254740991, 5), shares: [[0, 0], [9999, 10000], [5, 5]].map(page.percent) };
            """);
        Assert.Equal("[]", found.GetProperty("wrong").ToString());
        Assert.Equal("[\"0\",\"999\",\"1k\",\"1.2k\",\"100k\",\"999k\",\"1M\",\"1.2M\",\"18E\"]", found.GetProperty("numbers").ToString());
        Assert.Equal("9007199254740996", found.GetProperty("sum").GetString());
        Assert.Equal("[\"–\",\"99.9 %\",\"100 %\"]", found.GetProperty("shares").ToString());
    }

    [Needs(Browser, "rustc", "llvm-profdata-22")]
    public void A_browser_shows_the_list_and_a_file()
    {
        var page = harness.Write("page.html", Page(CoveragePrograms.Get("rust")));
        Assert.Contains("program.rs</a>", Shown(page, ""), StringComparison.Ordinal);
        var file = Shown(page, "#program.rs:2");
        Assert.Contains("class=\"row covered target\" data-line=\"2\"", file, StringComparison.Ordinal);
        Assert.Contains("2 instantiations", file, StringComparison.Ordinal);
        Assert.Contains("r-missing", file, StringComparison.Ordinal);
        Assert.Contains("id=\"busy\" role=\"status\" hidden=\"\"", file, StringComparison.Ordinal);
    }

    /// <summary>Against questions about single lines, and reports of each test alone.</summary>
    [Needs("node", "clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void Tests_that_reach_a_line_are_at_it()
    {
        harness.Write("main.c", "int f(int x) {\n  if (x > 2)\n    return 1;\n  return 2;\n}\n\nint never(void) { return 3; }\nint main(int c, char **v) {\n  return f(c) < 0;\n}\n");
        harness.Must("clang-22", "-fprofile-instr-generate", "-fcoverage-mapping", "main.c", "-o", "main");
        (string Name, string[] Arguments)[] tests = [("few", []), ("</script><b>many", ["x", "y"]), ("more", ["x", "y", "z"])];
        var expected = new SortedDictionary<int, List<string>>();
        foreach (var (name, arguments) in tests)
        {
            harness.Must(Harness.Weft, ["coverage", "record-test", name, "--object", "main", "--", harness.Path("main"), .. arguments]);
            harness.Environment["LLVM_PROFILE_FILE"] = harness.Path("one.profraw");
            harness.Must(harness.Path("main"), arguments);
            harness.Environment.Remove("LLVM_PROFILE_FILE");
            harness.Must("llvm-profdata-22", "merge", "one.profraw", "-o", "one.profdata");
            foreach (Match line in Regex.Matches(harness.Must("llvm-cov-22", "export", "-format=lcov", "-instr-profile=one.profdata", "main").Output, "^DA:(?<line>[0-9]+),[1-9]", RegexOptions.Multiline))
            {
                var number = int.Parse(line.Groups["line"].Value);
                if (!expected.TryGetValue(number, out var names)) expected.Add(number, names = []);
                names.Add(name);
            }
        }
        string[] command = ["coverage", "html", "main", "--tests", "weft-out/coverage/tests.weftmap"];
        Assert.Equal("", Regex.Replace(harness.Must(Harness.Weft, command).Errors, "^ +Wrote .*\n", ""));
        var page = System.IO.File.ReadAllText(harness.Path("coverage.html"));
        var all = Index(page).GetProperty("tests").EnumerateArray().Select(t => t.GetString()!).ToList();
        var found = RunScript(page, "const model = new page.FileModel(files[0]); return { tests: Array.from({ length: model.count }, (_, i) => model.testsAt(i + 1)) };").GetProperty("tests");
        Assert.Equal(expected.Select(l => $"{l.Key}: {string.Join(' ', l.Value.Order(StringComparer.Ordinal))}"), found.EnumerateArray().Select((t, i) => $"{i + 1}: {string.Join(' ', t.EnumerateArray().Select(n => all[n.GetInt32()]).Order(StringComparer.Ordinal))}").Where(l => !l.EndsWith(": ", StringComparison.Ordinal)));
        Assert.Contains(expected, l => l.Value.Count == 2);
        harness.Write("main.c", "// more\n" + System.IO.File.ReadAllText(harness.Path("main.c")));
        Assert.Contains("source file 'main.c' was changed since the tests ran", harness.Must(Harness.Weft, command).Errors, StringComparison.Ordinal);
        Assert.Equal(0, File(System.IO.File.ReadAllText(harness.Path("coverage.html")), harness.Path("main.c")).GetProperty("tests").GetArrayLength());
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void The_command_writes_a_page()
    {
        var sample = CoveragePrograms.Get("c 22");
        harness.Must(Harness.Weft, ["coverage", "html", .. sample.Binaries, "--profile", sample.Indexed, "-o", "out/", "--ignore-filename-regex", "part\\.c$"]);
        var index = Index(System.IO.File.ReadAllText(harness.Path("out/coverage.html")));
        Assert.Equal("c22", index.GetProperty("program").GetString());
        Assert.StartsWith("weft coverage html ", index.GetProperty("command").GetString(), StringComparison.Ordinal);
        var paths = index.GetProperty("files").EnumerateArray().Select(f => f.GetProperty("path").GetString()).ToList();
        Assert.Contains("main.c", paths);
        Assert.DoesNotContain("part.c", paths);
        var failed = harness.RunWeft("coverage", "html", sample.Binaries[0], "--profile", sample.Indexed, "-o", "no/such/page.html");
        Harness.AssertToldWell(failed with { Errors = string.Concat(failed.Errors.Split('\n').Where(l => !l.StartsWith("warning: ", StringComparison.Ordinal))) }, ExitCode.Failure, "no/such/page.html");
    }

    private (CoverageSample Sample, string File) HostileProgram()
    {
        var name = "<img src=x onerror=alert(1)> & 'b' {{script}}.c";
        var text = new StringBuilder("int main(void) {\n  int x = 0;\n");
        foreach (var hostile in Hostile) text.Append($"  x++; /* {hostile.Replace("*/", "")} */ if (x > 3) x += 1;\r\n");
        byte[] bytes = [.. Encoding.UTF8.GetBytes(text.ToString()), .. "  x--; /* "u8, 0xff, 0xc3, 0x28, .. " */ return x && x > 100;\n}\n"u8];
        System.IO.File.WriteAllBytes(harness.Path(name), bytes);
        return (Build("hostile", "-Wno-everything", name), harness.Path(name));
    }

    private CoverageSample Build(string name, params string[] arguments)
    {
        harness.Must("clang-22", ["-fprofile-instr-generate", "-fcoverage-mapping", CoveragePrograms.Mcdc, .. arguments, "-o", name]);
        return Run(name);
    }

    private CoverageSample Run(string name)
    {
        harness.Environment["LLVM_PROFILE_FILE"] = harness.Path(name + ".profraw");
        harness.Run(harness.Path(name));
        harness.Must("llvm-profdata-22", "merge", name + ".profraw", "-o", name + ".profdata");
        return new CoverageSample([harness.Path(name)], [harness.Path(name + ".profraw")], harness.Path(name + ".profdata"));
    }

    private static string Page(CoverageSample sample)
    {
        var data = CoverageData.Load(sample.Binaries, ProfileFile.Read(sample.Indexed), Llvm.Demangler.Demangle);
        using var page = new MemoryStream();
        CoveragePage.Write(page, data, data.Files, new PageFacts(string.Concat(Hostile), Hostile[0], Hostile[1], DateTimeOffset.UnixEpoch, System.IO.File.GetLastWriteTimeUtc(sample.Binaries[0]), Hostile));
        return Encoding.UTF8.GetString(page.ToArray());
    }

    private string Shown(string page, string hash) =>
        harness.Must(Browser, "--no-sandbox", "--disable-gpu", $"--user-data-dir={harness.Path("profile")}", "--virtual-time-budget=5000", "--dump-dom", $"file://{page}{hash}").Output;

    private static void AssertSums(JsonElement theirs, JsonElement ours)
    {
        foreach (var kind in (string[])["lines", "functions", "instantiations", "regions", "branches", "mcdc"])
            Assert.Equal((theirs.GetProperty(kind).GetProperty("covered").GetInt64(), theirs.GetProperty(kind).GetProperty("count").GetInt64()), (ours.GetProperty(kind)[0].GetInt64(), ours.GetProperty(kind)[1].GetInt64()));
    }

    /// <param name="theirs">Of llvm-cov.</param>
    /// <param name="ours">Of the page.</param>
    /// <param name="lines">The source, a character for each byte.</param>
    private static void AssertFile(JsonElement theirs, JsonElement ours, string[] lines)
    {
        Assert.Equal(
            theirs.GetProperty("segments").EnumerateArray().Select(s => (s[0].GetInt32(), Column(s[0], s[1]), s[2].GetInt64(), (s[3].GetBoolean() ? 1 : 0) + (s[4].GetBoolean() ? 2 : 0) + (s[5].GetBoolean() ? 4 : 0))),
            ours.GetProperty("segments").EnumerateArray().Select(s => (s[0].GetInt32(), s[1].GetInt64(), s[2].GetInt64(), s[3].GetInt32())));
        Assert.Equal(
            theirs.GetProperty("branches").EnumerateArray().GroupBy(Place).Select(g => (g.Key, g.Sum(b => b[4].GetInt64()), g.Sum(b => b[5].GetInt64()))).Order(),
            ours.GetProperty("branches").EnumerateArray().Select(b => ((b[0].GetInt32(), b[1].GetInt64(), b[2].GetInt32(), b[3].GetInt64()), b[4].GetInt64(), b[5].GetInt64())).Order());
        Assert.Equal(
            theirs.GetProperty("mcdc_records").EnumerateArray().Select(d => (Place(d), string.Join(' ', d[9].EnumerateArray().Select(c => c.GetBoolean())), d[4].GetInt32() + d[5].GetInt32())),
            ours.GetProperty("decisions").EnumerateArray().Select(d => (Place(d.GetProperty("at")), string.Join(' ', d.GetProperty("conditions").EnumerateArray().Select(c => c.TryGetProperty("pair", out _))), d.GetProperty("vectors").GetArrayLength())));

        (int, long, int, long) Place(JsonElement r) => (r[0].GetInt32(), Column(r[0], r[1]), r[2].GetInt32(), Column(r[2], r[3]));

        long Column(JsonElement line, JsonElement column)
        {
            var bytes = lines[line.GetInt32() - 1];
            return column.GetInt64() > bytes.Length + 1 ? column.GetInt64() : Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(bytes[..(column.GetInt32() - 1)])).Length + 1;
        }
    }

    // ---- what is in a page

    private static Regex Blocks() => new("<(?<tag>script|style)(?<attributes>[^>]*)>(?<content>.*?)</\\k<tag>>", RegexOptions.Singleline);

    private static Dictionary<string, string> Data(string page) => Regex.Matches(page, "<script type=\"application/octet-stream\" id=\"(?<id>[^\"]*)\">(?<data>[^<]*)</script>").ToDictionary(m => m.Groups["id"].Value, m => m.Groups["data"].Value);

    private static string WithoutData(string page) => Regex.Replace(page, "<script type=\"application/octet-stream\" id=\"[^\"]*\">[^<]*</script>\n?", "");

    private static string WithoutStatic(string page) => Regex.Replace(page, "<noscript>[^\0]*</noscript>", "");

    private static string Script(string page) => Blocks().Matches(page)[^1].Groups["content"].Value;

    private static string Hash(string text) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static JsonElement Unpack(string base64)
    {
        using var packed = new DeflateStream(new MemoryStream(Convert.FromBase64String(base64)), CompressionMode.Decompress);
        return JsonDocument.Parse(packed).RootElement;
    }

    private static JsonElement Index(string page) => Unpack(Data(page)["index-data"]);

    private static List<JsonElement> Functions(string page) => [.. Unpack(Data(page)["function-data"]).EnumerateArray()];

    private static IEnumerable<JsonElement> AllFiles(string page) => Data(page).Where(d => d.Key.StartsWith("file-", StringComparison.Ordinal)).Select(d => Unpack(d.Value));

    private static JsonElement File(string page, string path) => AllFiles(page).Single(f => f.GetProperty("path").GetString() == path);

    /// <summary>Runs the page's own script without a document, then a function of (page: what the script exports, files: their data).</summary>
    private JsonElement RunScript(string page, string function)
    {
        harness.Write("page.js", Script(page));
        harness.Write("data.json", $"[{string.Join(',', Data(page).Where(d => d.Key.StartsWith("file-", StringComparison.Ordinal)).Select(d => $"\"{d.Value}\""))}]");
        harness.Write("run.js", $$"""
            const page = require("./page.js");
            const run = (page, files) => { {{function}} };
            Promise.all(require("./data.json").map(page.unpack)).then(files => console.log(JSON.stringify(run(page, files))));
            """);
        return JsonDocument.Parse(harness.Must("node", "run.js").Output).RootElement;
    }
}
