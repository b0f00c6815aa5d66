using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Weft.Core;
using Weft.Coverage.PerTest;

namespace Weft.Tests;

/// <summary>A package with tests of all kinds, which have run one by one.</summary>
public sealed class PerTestPackage : IDisposable
{
    public PerTestPackage()
    {
        Harness.Write(".gitignore", "/target\n/plain\nweft-out\n*.prof*\n");
        Harness.Write("Cargo.toml", "[package]\nname = \"shapes\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[[test]]\nname = \"whole\"\nharness = false\n[workspace]\n");
        Harness.Write("src/lib.rs", Library);
        Harness.Write("src/main.rs", "fn main() {\n    println!(\"{}\", shapes::kind(1, 2));\n}\n");
        Harness.Write("tests/program.rs", """
            use std::process::Command;

            #[test]
            fn prints() {
                let out = Command::new(env!("CARGO_BIN_EXE_shapes")).output().unwrap();
                assert_eq!(out.stdout, b"rectangle\n");
            }

            #[test]
            fn killed() {
                assert_eq!(shapes::area(3, 3), 9);
                std::process::abort();
            }

            #[test]
            fn fails() {
                println!("said");
                std::thread::spawn(|| assert_eq!(shapes::kind(3, 3), "circle")).join().unwrap();
            }
            """);
        Harness.Write("tests/whole.rs", "fn main() {\n    assert_eq!(shapes::area(1, 1), 1);\n}\n");
        Test = Run();
    }

    public const string Library = """
        //! Shapes.
        //! ```
        //! assert_eq!(shapes::area(2, 3), 6);
        //! ```
        const SIDES: usize = 4;

        pub fn area(w: u32, h: u32) -> u32 {
            if w == 0 {
                return 0;
            }
            w * h
        }

        pub fn kind(w: u32, h: u32) -> &'static str {
            if w == h && SIDES == 4 {
                "square"
            } else {
                "rectangle"
            }
        }

        pub fn never<T: Default>(x: T) -> T {
            let same = |y: T| y;
            same(x)
        }

        #[cfg(test)]
        mod tests {
            use super::*;

            #[test]
            fn square() {
                assert_eq!(kind(2, 2), "square");
            }

            #[test]
            fn empty() {
                let twice = |n| area(0, n) + area(0, n);
                assert_eq!(twice(2), 0);
            }

            #[test]
            #[should_panic]
            fn panics() {
                assert_eq!(area(1, 2), 0);
            }

            #[test]
            #[ignore]
            fn ignored() {
                assert_eq!(kind(1, 2), "rectangle");
            }
        }

        """;

    internal Harness Harness { get; } = new();

    internal Outcome Test { get; }

    internal Outcome Run(params string[] options) => Harness.RunWeft(["cargo", "test", "--with", "coverage", "--coverage-per-test", "--no-fail-fast", .. options]);

    internal Outcome Tests(params string[] options) => Harness.Must(Harness.Weft, ["coverage", "tests", .. options]);

    /// <summary>Names of tests that are an answer, sorted.</summary>
    internal string Names(params string[] options) => string.Join(' ', Tests([.. options, "--format", "names"]).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));

    public void Dispose() => Harness.Dispose();
}

/// <summary>Tests that run one by one, and who of them reaches what.</summary>
public sealed partial class CoveragePerTestTests(PerTestPackage package) : IClassFixture<PerTestPackage>
{
    private const int DigestAt = 12, PayloadAt = 44;

    private Harness Harness => package.Harness;

    private string MapPath => Harness.Path("weft-out/coverage/tests.weftmap");

    [Needs("cargo", "llvm-cov-22", "llvm-profdata-22")]
    public void What_each_test_reaches_is_what_it_covers_alone_by_rustcs_own_coverage()
    {
        Fresh();
        Harness.Environment["RUSTFLAGS"] = "-C instrument-coverage";
        Harness.Run("cargo", "test", "--no-run", "--target-dir", "plain");
        Harness.Environment.Remove("RUSTFLAGS");
        var plain = Directory.GetFiles(Harness.Path("plain/debug/deps")).Where(f => CargoNumber().IsMatch(f)).ToList();
        var reach = new TestReach(TestMapFile.Read(MapPath), Llvm.Demangler.Demangle);
        var compared = 0;
        foreach (var test in Enumerable.Range(0, reach.Map.Tests.Count).Where(t => reach.Map.Tests[t].Kind is TestKind.Single or TestKind.Program))
        {
            // LLVM's runtime loses what a killed program counted.
            if (reach.Map.Tests[test].Name == "killed") continue;
            var (program, name) = (CargoNumber().Replace(reach.Map.Tests[test].Program, ""), reach.Map.Tests[test].Name);
            // The library's tests and the program's have one name.
            var theirs = plain.Where(p => Path.GetFileName(CargoNumber().Replace(p, "")) == program).Single(p => program != "shapes" || Harness.Run(p, "--list").Output.Contains("square"));
            var ours = reach.SourcesOf(test).SelectMany(s => reach.Lines(test, s, withTests: true).Select(l => $"{s.Path}:{l}"));
            Assert.Equal((name, string.Join('\n', Alone(theirs, name))), (name, string.Join('\n', ours.Order(StringComparer.Ordinal))));
            compared++;
        }
        Assert.Equal(6, compared);
    }

    [Needs("cargo")]
    public void Results_look_as_the_harness_prints_them_and_a_crash_costs_one_test()
    {
        Assert.Equal(101, package.Test.ExitCode);
        Assert.Contains("test killed ... FAILED (signal 6)\n", package.Test.Output, StringComparison.Ordinal);
        Assert.Contains("---- fails stdout ----\nsaid\n", package.Test.Output, StringComparison.Ordinal);
        Assert.Contains("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in", package.Test.Output, StringComparison.Ordinal);
        foreach (var options in (string[][])[["--skip", "killed"], ["--skip=killed", "--include-ignored"], ["tests::", "--skip", "square", "--test-threads", "1"], ["--exact", "tests::empty", "prints"], ["--ignored"], ["square", "-q"]])
        {
            var theirs = Harness.RunWeft(["cargo", "test", "--with", "coverage", "--no-fail-fast", "--lib", "--bins", "--test", "program", "--", .. options]);
            var ours = package.Run(["--lib", "--bins", "--test", "program", "--", .. options]);
            Assert.Equal((string.Join(' ', options), theirs.ExitCode, Results(theirs)), (string.Join(' ', options), ours.ExitCode, Results(ours)));
        }
        Harness.AssertToldWell(Last(package.Run("--lib", "--", "--shuffle-seed", "1")), (ExitCode)101, "'--shuffle-seed 1' cannot be done with --coverage-per-test");
        Assert.Contains("    tests::square: test\n".Trim(), package.Run("--lib", "--", "--list").Output, StringComparison.Ordinal);
        Assert.Contains("said\n", package.Run("--test", "program", "--", "--nocapture", "fails").Output, StringComparison.Ordinal);

        // Tests of a harness of several threads end in any order.
        static string Results(Outcome outcome) => string.Join('\n', outcome.Output.Split('\n').Where(l => l.StartsWith("test ", StringComparison.Ordinal)).Select(l => Duration().Replace(l, "")).Order(StringComparer.Ordinal));
        static Outcome Last(Outcome outcome) => outcome with { Errors = outcome.Errors[outcome.Errors.IndexOf("error: '--shuffle", StringComparison.Ordinal)..] };
    }

    [Needs("cargo")]
    public void Reports_are_those_of_the_same_tests_in_one_process()
    {
        string[] chosen = ["--lib", "--bins", "--test", "program", "--", "--skip", "killed"];
        package.Run(chosen);
        var apart = Harness.Must(Harness.Weft, "coverage", "export", "--format", "lcov").Output;
        var map = File.ReadAllBytes(MapPath);
        Harness.RunWeft(["cargo", "test", "--with", "coverage", "--no-fail-fast", .. chosen]);
        Assert.False(File.Exists(MapPath));
        Assert.Equal(Harness.Must(Harness.Weft, "coverage", "export", "--format", "lcov").Output, apart);
        package.Run([.. chosen, "--test-threads=1"]);
        Assert.Equal(map, File.ReadAllBytes(MapPath));
        package.Run(["--no-clean", .. chosen]);
        Assert.Equal(map, File.ReadAllBytes(MapPath));
    }

    [Needs("cargo")]
    public void Questions_have_answers()
    {
        Fresh();
        Assert.Equal("(all) (documentation) killed tests::empty tests::panics", package.Names("--function", "area"));
        Assert.Equal("fails prints tests::square", package.Names("--function", "shapes::kind"));
        Assert.Equal("tests::empty", package.Names("--line", "src/lib.rs:9"));
        Assert.Equal("prints", package.Names("--file", "main.rs"));
        Assert.Equal("tests::square", package.Names("--line", Harness.Path("src/lib.rs") + ":32"));
        var all = JsonNode.Parse(package.Tests("--format", "json").Output)!["tests"]!.AsArray().ToDictionary(t => (string)t!["name"]!, t => t!);
        Assert.Equal(8, all.Count);
        // The two lines of area() that only it runs; lines of tests themselves do not count.
        Assert.Equal((1, 4, 1, "passed"), ((int)all["tests::empty"]["functions"]!, (int)all["tests::empty"]["lines"]!, (int)all["tests::empty"]["onlyLines"]!, (string)all["tests::empty"]["result"]!));
        Assert.Equal("failed", (string)all["killed"]["result"]!);
        Assert.Equal(4, package.Names("--minimal").Split(' ').Length);
        Told("no function of the map has the name 'kin'", () => Harness.RunWeft("coverage", "tests", "--function", "kin"), "did you mean shapes::kind?");
        Told("line 1 of 'src/lib.rs' has no code", () => Harness.RunWeft("coverage", "tests", "--line", "src/lib.rs:1"));
        Told("no function of the map is from 'nowhere.rs'", () => Harness.RunWeft("coverage", "tests", "--file", "nowhere.rs"));
        Told("'x' is no place", () => Harness.RunWeft("coverage", "tests", "--line", "x"));
        Told("--function and --file at once", () => Harness.RunWeft("coverage", "tests", "--file", "x", "--function", "y"));

        void Told(string mention, Func<Outcome> run, string? help = null)
        {
            Harness.AssertToldWell(run(), ExitCode.Usage, mention);
            if (help != null) Assert.Contains(help, run().Errors, StringComparison.Ordinal);
        }
    }

    [Needs("cargo", "git")]
    public void A_patch_needs_the_tests_that_reach_what_it_changes_before_and_after_it()
    {
        Fresh();
        foreach (var (name, value) in ((string, string)[])[("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null"), ("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@b"), ("GIT_COMMITTER_NAME", "a"), ("GIT_COMMITTER_EMAIL", "a@b")])
            Harness.Environment[name] = value;
        Harness.Must("git", "init", "-q", "-b", "main");
        Harness.Must("git", "add", "-A");
        Harness.Must("git", "commit", "-q", "-m", "before");
        try
        {
            // The map is of the commit: lines are those before the change.
            Assert.Equal("tests::empty", Needed(("        return 0;\n", "        return 1 - 1;\n")));
            Assert.Equal("tests::empty", Needed(("        return 0;\n", "        // nothing\n")));
            Assert.Equal("fails prints tests::square", Needed(("    if w == h && SIDES", "    if h == w && SIDES")));
            Assert.Equal("fails prints tests::square", Needed(("        \"square\"\n    } else {", "        // round?\n\n        \"square\"\n    } else {"))); // a place within kind()
            Assert.Equal("tests::square", Needed(("        assert_eq!(kind(2, 2), \"square\");", "        assert_eq!(kind(5, 5), \"square\");")));
            Assert.Equal("", Needed(("pub fn area", "// about area\n\npub fn area")));
            Assert.Equal(8, Needed(("const SIDES: usize = 4;", "const SIDES: usize = 3 + 1;")).Split(' ').Length);
            var added = Since(("    #[test]\n    fn empty()", "    #[test]\n    fn added() {}\n\n    #[test]\n    fn empty()"));
            Assert.Contains("test function 'added' is new", added.Errors, StringComparison.Ordinal);
            Assert.Contains("No test reaches src/lib.rs:24.", Since(("    same(x)\n", "    same(same(x))\n")).Output, StringComparison.Ordinal);
            Harness.Write("Cargo.toml", File.ReadAllText(Harness.Path("Cargo.toml")) + "\n");
            Assert.Equal(8, package.Names("--since", "HEAD").Split(' ').Length);
            Harness.Must("git", "checkout", "-q", ".");

            // Another version than either: nothing is known of lines.
            Harness.Write("src/main.rs", "fn main() { println!(\"{}\", shapes::kind(1, 2)); }\n");
            Harness.Must("git", "commit", "-q", "-a", "-m", "other");
            Harness.Write("src/main.rs", "fn main() { println!(\"{}\", shapes::kind(2, 1)); }\n");
            var other = package.Tests("--since", "HEAD");
            Assert.Contains("src/main.rs: the map is of another version of it", other.Errors, StringComparison.Ordinal);
            Assert.Contains("program prints  (src/main.rs (of another version))", other.Output, StringComparison.Ordinal);

            // The map is of the change.
            Harness.Write("src/lib.rs", PerTestPackage.Library.Replace("        return 0;\n    }\n", "        return 0;\n    }\n    let w = w + 0;\n").Replace("    fn square() {", "    fn square() {\n        assert_eq!(area(5, 1), 5);"));
            package.Run();
            Assert.Equal("(all) (documentation) killed tests::panics tests::square", Names("--since", "HEAD", "src/main.rs"));

            // What it prints runs just these.
            var command = package.Tests("--since", "HEAD~1", "--format", "cargo").Output;
            Assert.Equal("cargo test --tests -- killed prints tests::panics tests::square --exact\ncargo test --test whole\ncargo test --doc\n", command);
            var ran = Harness.Run("sh", "-c", command.Split('\n')[0].Replace("cargo test", "cargo test --no-fail-fast")).Output;
            Assert.Contains("running 2 tests\n", ran, StringComparison.Ordinal);
            Assert.Matches("test tests::panics - should panic ... ok", ran);
        }
        finally
        {
            Directory.Delete(Harness.Path(".git"), recursive: true);
            Harness.Write("src/lib.rs", PerTestPackage.Library);
            Harness.Write("src/main.rs", "fn main() {\n    println!(\"{}\", shapes::kind(1, 2));\n}\n");
            Harness.Write("Cargo.toml", File.ReadAllText(Harness.Path("Cargo.toml")).TrimEnd() + "\n");
        }

        string Needed((string, string) change) => string.Join(' ', Json(change)["tests"]!.AsArray().Select(t => (string)t!["name"]!).Order(StringComparer.Ordinal));
        JsonNode Json((string Old, string New) change) => JsonNode.Parse(Since(change, "--format", "json").Output)!;
        Outcome Since((string Old, string New) change, params string[] options)
        {
            Harness.Write("src/lib.rs", PerTestPackage.Library.Replace(change.Old, change.New));
            try { return package.Tests(["--since", "HEAD", .. options]); }
            finally { Harness.Write("src/lib.rs", PerTestPackage.Library); }
        }
        string Names(string option, string value, string without) =>
            string.Join(' ', JsonNode.Parse(package.Tests(option, value, "--format", "json").Output)!["tests"]!.AsArray().Where(t => ((string)t!["why"]!).Split("; ").Any(w => !w.StartsWith(without, StringComparison.Ordinal))).Select(t => (string)t!["name"]!).Order(StringComparer.Ordinal));
    }

    [Needs("clang-22")]
    public void Any_command_can_be_a_test()
    {
        using var own = new Harness();
        own.Environment["WEFT_CC"] = "clang-22";
        const string source = "#include <stdlib.h>\nint one(void) { return 1; }\nint two(void) { return 2; }\nint main(int c, char **v) {\n  return c > 2 ? 7 : c > 1 ? one() - 1 : two() - 2;\n}\n";
        own.Write("main.c", source);
        own.Must(Harness.Weft, "cc", "--with=coverage", "main.c", "-o", "main");
        own.Must(Harness.Weft, "coverage", "record-test", "first", "--", "./main", "x");
        own.Must(Harness.Weft, "coverage", "record-test", "second", "--", "sh", "-c", "./main; ./main x");
        Assert.Equal(7, own.RunWeft("coverage", "record-test", "third", "--", "./main", "x", "y").ExitCode);
        Assert.Equal("first\nsecond\n", Ask("--function", "one"));
        Assert.Equal("second\n", Ask("--function", "two"));
        Assert.Equal("first\nsecond\nthird\n", Ask("--line", "main.c:5"));
        Assert.Equal("second\nthird\n", Ask("--minimal"));
        Assert.Contains("4       0  100.00%", own.Must(Harness.Weft, "coverage", "report").Output.Split('\n')[^2], StringComparison.Ordinal);
        // Built again: tests that ran since know its new lines, others the old ones.
        own.Write("main.c", "// moved\n" + source);
        own.Must(Harness.Weft, "cc", "--with=coverage", "main.c", "-o", "main");
        own.Must(Harness.Weft, "coverage", "record-test", "second", "--", "./main");
        Assert.Equal("first\n", Ask("--line", "main.c:2"));
        Assert.Equal("", Ask("--line", "main.c:3"));
        // clang's own coverage does not say which program it is of.
        own.Must("clang-22", "-fprofile-instr-generate", "-fcoverage-mapping", "main.c", "-o", "theirs");
        own.Environment["WEFT_OUT"] = "other";
        own.Must(Harness.Weft, "coverage", "record-test", "plain", "--object", "theirs", "--", "./theirs");
        Assert.Equal("plain\n", Ask("--function", "two"));
        Assert.Contains("left no profile", own.Must(Harness.Weft, "coverage", "record-test", "nothing", "--", "true").Errors, StringComparison.Ordinal);
        Assert.Equal("first\nplain\nsecond\n", Ask("--file", "main.c", "--map", "other/coverage/tests.weftmap", "--map", "weft-out/coverage/tests.weftmap").Replace("third\n", ""));

        string Ask(params string[] options) => own.Must(Harness.Weft, ["coverage", "tests", .. options, "--format", "names"]).Output;
    }

    [Needs("cargo")]
    public void A_damaged_map_is_told_and_never_believed()
    {
        Fresh();
        using var own = new Harness();
        var whole = File.ReadAllBytes(MapPath);
        var payload = Unpacked(whole);
        var path = own.Path("damaged");
        Assert.NotEmpty(Read(whole)!.Tests);
        Assert.Equal(TestMapFile.Encode(Read(whole)!), whole);
        for (var round = 0; round < 1000; round++)
        {
            var random = new Random(round);
            var file = (byte[])whole.Clone();
            file[random.Next(file.Length)] ^= (byte)(1 << random.Next(8));
            // Some bits of compressed data mean nothing.
            if (Read(round % 5 == 0 ? file[..random.Next(file.Length)] : file) is { } same) Assert.Equal(whole, TestMapFile.Encode(same));
            // With a check sum that is right, damage must still do no harm.
            var inner = (byte[])payload.Clone();
            for (var changes = random.Next(1, 4); changes > 0; changes--) inner[random.Next(inner.Length)] = (byte)random.Next(256);
            if (Read(Packed(whole, inner)) is not { } map) continue;
            var reach = new TestReach(map, name => name);
            for (var test = 0; test < map.Tests.Count; test++)
                foreach (var source in reach.SourcesOf(test)) reach.Lines(test, source, withTests: true);
            var builder = new TestMapBuilder();
            builder.Add(map);
            TestMapFile.Encode(builder.Build());
        }
        File.WriteAllBytes(path, whole[..100]);
        Harness.AssertToldWell(own.RunWeft("coverage", "tests", "--map", "damaged"), ExitCode.Failure, "cannot read test map 'damaged'");

        TestMap? Read(byte[] bytes)
        {
            File.WriteAllBytes(path, bytes);
            try { return TestMapFile.Read(path); }
            catch (WeftException e)
            {
                Assert.Contains(path, e.Message, StringComparison.Ordinal);
                return null;
            }
        }
    }

    private static byte[] Unpacked(byte[] file)
    {
        using var brotli = new BrotliStream(new MemoryStream(file[PayloadAt..]), CompressionMode.Decompress);
        using var plain = new MemoryStream();
        brotli.CopyTo(plain);
        return plain.ToArray();
    }

    private static byte[] Packed(byte[] file, byte[] payload)
    {
        using var packed = new MemoryStream();
        packed.Write(file, 0, DigestAt);
        packed.Write(SHA256.HashData(payload));
        using (var brotli = new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true)) brotli.Write(payload);
        return packed.ToArray();
    }

    /// <summary>All tests have run, whatever another test made of it.</summary>
    private void Fresh()
    {
        if (!File.Exists(MapPath) || TestMapFile.Read(MapPath).Tests.Count != 8) package.Run();
    }

    /// <summary>Lines that a test covers by LLVM's own tools.</summary>
    private IEnumerable<string> Alone(string program, string test)
    {
        foreach (var old in Directory.GetFiles(Harness.Folder, "alone-*")) File.Delete(old);
        Harness.Environment["LLVM_PROFILE_FILE"] = Harness.Path("alone-%p.profraw");
        Harness.Run(program, "--exact", test);
        Harness.Environment.Remove("LLVM_PROFILE_FILE");
        Harness.Must("llvm-profdata-22", ["merge", .. Directory.GetFiles(Harness.Folder, "alone-*"), "-o", "alone.profdata"]);
        var (file, lines) = ("", new List<string>());
        foreach (var line in Harness.Must("llvm-cov-22", "export", "-format=lcov", program, "-object", "plain/debug/shapes", "-instr-profile", "alone.profdata").Output.Split('\n'))
        {
            if (line.StartsWith("SF:", StringComparison.Ordinal)) file = line[3..];
            if (line.StartsWith("DA:", StringComparison.Ordinal) && !line.EndsWith(",0", StringComparison.Ordinal)) lines.Add($"{file}:{line[3..].Split(',')[0]}");
        }
        return lines.Order(StringComparer.Ordinal);
    }

    [GeneratedRegex("-[0-9a-f]{16}$")]
    private static partial Regex CargoNumber();

    [GeneratedRegex("; finished in .*$")]
    private static partial Regex Duration();
}
