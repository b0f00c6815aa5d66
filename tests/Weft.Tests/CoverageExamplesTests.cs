namespace Weft.Tests;

/// <summary>The examples of the coverage instrument say what their READMEs show, and run without Weft.</summary>
public sealed class CoverageExamplesTests : IDisposable
{
    private const string Clang = "clang-22";

    private static readonly string Examples = Path.Combine(Harness.Root, "examples");

    private readonly Harness harness = new();

    public CoverageExamplesTests()
    {
        harness.Environment["WEFT_CC"] = Clang;
        harness.Environment["CARGO_TARGET_DIR"] = harness.Path("target");
    }

    public void Dispose() => harness.Dispose();

    [Needs(Clang)]
    public void Pieces_of_work_are_told_apart_and_put_together()
    {
        Roman(Harness.Weft, "cc", "--with=coverage");
        harness.Run(harness.Path("roman"), [], "1994\nMCMXCIV\n4000\nIIX\n!write first.profraw\n!reset\nXIV\n!write second.profraw\n"u8.ToArray());
        Shown("coverage-c", Weft("compare", "first.profraw", "second.profraw"));
        Assert.EndsWith(": 68,71-74,76,83\n", Weft("report", "--profile", "first.profraw", "--show-missing-lines"), StringComparison.Ordinal);

        Directory.Delete(harness.Path("weft-out"), recursive: true);
        var killed = harness.Must("sh", "-c", "{ printf '%s\\n' '!add first.profraw' XIV; sleep 1; kill -9 \"$(cat pid)\"; } | { sh -c 'echo $$ > pid; exec ./roman'; echo $?; }");
        Assert.EndsWith("137\n", killed.Output, StringComparison.Ordinal);
        Assert.EndsWith(": 68,73-74,76,83\n", Weft("report", "--show-missing-lines"), StringComparison.Ordinal);
    }

    [Needs(Clang)]
    public void The_program_in_C_runs_without_Weft()
    {
        Roman(Clang);
        Assert.Equal("(built without Weft: nothing is counted)\n1994 = MCMXCIV\n", harness.Run(harness.Path("roman"), [], "1994\n!write first.profraw\n"u8.ToArray()).Output);
        Assert.False(File.Exists(harness.Path("first.profraw")));
    }

    [Needs("cargo", "git")]
    public void Tests_of_the_library_in_Rust_leave_out_what_its_README_says()
    {
        CopyLibrary();
        harness.Must(Harness.Weft, "cargo", "test", "--quiet", "--offline", "--with", "coverage");
        Shown("coverage-rust", Weft("report", "--show-missing-lines"));
        Assert.EndsWith("\nsrc/lib.rs: 22-27,29-33,35-38,40-43,48\n", Weft("report", "--profile", "printing.profraw", "--show-missing-lines"), StringComparison.Ordinal);

        harness.Must("sh", "-c", "git init -q . && git add src && git -c user.name=a -c user.email=a@b commit -qm first");
        var library = harness.Path("src/lib.rs");
        File.WriteAllText(library, File.ReadAllText(library).Replace("    let number = &part", """
                if unit == 'd' && part.starts_with('-') {
                    return Err(Error::Number(part.to_string()));
                }
                let number = &part
            """));
        harness.Must(Harness.Weft, "cargo", "test", "--quiet", "--offline", "--with", "coverage");
        var outcome = harness.RunWeft("coverage", "diff", "HEAD", "--format", "github", "--fail-under-lines", "80");
        Assert.Equal(1, outcome.ExitCode);
        Shown("coverage-rust", outcome.Output + outcome.Errors);
    }

    [Needs("cargo")]
    public void The_library_in_Rust_is_tested_without_Weft_and_without_warnings()
    {
        CopyLibrary();
        harness.Environment["RUSTFLAGS"] = "-D warnings";
        Assert.Contains("3 passed", harness.Must("cargo", "test", "--quiet", "--offline").Output, StringComparison.Ordinal);
        Assert.False(File.Exists(harness.Path("printing.profraw")));
    }

    private static void Shown(string example, string output) => Assert.Contains(output, File.ReadAllText(Path.Combine(Examples, example, "README.md")), StringComparison.Ordinal);

    private string Weft(params string[] arguments) => harness.Must(Harness.Weft, ["coverage", .. arguments]).Output;

    private void Roman(string compiler, params string[] options)
    {
        File.Copy(Path.Combine(Examples, "coverage-c/roman.c"), harness.Path("roman.c"));
        harness.Must(compiler, [.. options, "-O2", "-Wall", "-Wextra", "-Werror", "-isystem", Path.Combine(Harness.Root, "runtime/include"), "roman.c", "-o", "roman"]);
    }

    private void CopyLibrary()
    {
        foreach (var file in (string[])["Cargo.toml", "src/lib.rs", "tests/alone.rs", "tests/durations.rs"])
            harness.Write(file, File.ReadAllText(Path.Combine(Examples, "coverage-rust", file)).Replace("../../crates", Path.Combine(Harness.Root, "crates")));
    }
}
