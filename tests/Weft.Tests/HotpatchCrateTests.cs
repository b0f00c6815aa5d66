namespace Weft.Tests;

/// <summary>The module <c>hotpatch</c> of the crate <c>weft</c>: programs in Rust that patch themselves.</summary>
public sealed class HotpatchCrateTests : IDisposable
{
    private static readonly string Crate = Path.Combine(Harness.Root, "crates/weft");
    private static readonly string Fixture = Path.Combine(Harness.Root, "tests/fixtures/hotpatch/within");

    private readonly Harness harness = new();

    public HotpatchCrateTests() => harness.Environment["CARGO_TARGET_DIR"] = harness.Path("target");

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("cargo")]
    [InlineData("debug")]
    [InlineData("release")]
    public void A_program_patches_itself_its_hooks_see_it_and_the_old_code_comes_back(string profile)
    {
        string[] options = profile == "release" ? ["--release"] : [];
        WriteProgram();
        var folder = Build(options);
        File.Copy(harness.Path($"{folder}/within"), harness.Path("program"));
        var source = harness.Path("src/lib.rs");
        File.WriteAllText(source, File.ReadAllText(source).Replace("\"old ", "\"new ", StringComparison.Ordinal));
        Build(options);
        harness.Must(Harness.Weft, "hotpatch", "build", "--program", "program", "-o", "fix.patch", $"{folder}/libwithin.rlib");
        Assert.Equal("""
            old answer 1
            before fix: old answer 2
            after fix, 2 functions or more: new answer 3
            within a hook: Err(Busy)
            apply: ok, 1 applied, new answer 4
            apply again: Applied, 1 applied, new answer 5: the patch is applied already
            before fix: new answer 6
            refused revert: Vetoed, 1 applied, new answer 7: the program's own hook said no
            revert: ok, 0 applied, old answer 8
            bytes: ok, 1 applied, new answer 9
            revert: ok, 0 applied, old answer 10
            half: Damaged, 0 applied, old answer 11: the patch is damaged (it is cut short): build it again
            1 switches seen
            wait: Running
            old end

            """, harness.Must(harness.Path("program"), "fix.patch").Output);
    }

    [Needs("cargo")]
    public void Without_Weft_the_program_is_told_so()
    {
        WriteProgram();
        harness.Environment["RUSTFLAGS"] = "-D warnings";
        Assert.Equal("apply: Absent, 0 applied, old answer 1: the program was built without hotpatch: build it with `weft cargo build --with hotpatch`\n",
            harness.Must("cargo", "run", "--quiet", "--offline", "--", "fix.patch").Output);
        Assert.DoesNotContain(" weft_hotpatch", harness.Must("nm", harness.Path("target/debug/within")).Output, StringComparison.Ordinal);
    }

    [TheoryNeeds("cargo")]
    [InlineData("--test", "hotpatch")]
    [InlineData("--release", "--test", "hotpatch")]
    [InlineData("--doc", "hotpatch")]
    public void The_tests_of_the_crate_pass_when_they_are_woven(params string[] options)
    {
        var outcome = harness.RunWeft(["cargo", "test", "--offline", "--manifest-path", Path.Combine(Crate, "Cargo.toml"), "--with", "hotpatch", .. options]);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        Assert.Contains(" passed; 0 failed", outcome.Output, StringComparison.Ordinal);
    }

    private void WriteProgram()
    {
        harness.Write("Cargo.toml", $"[package]\nname = \"within\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nweft = {"{"} path = \"{Crate}\" {"}"}\n");
        foreach (var file in (string[])["lib.rs", "main.rs"]) harness.Write($"src/{file}", File.ReadAllText(Path.Combine(Fixture, file)));
    }

    private string Build(string[] options)
    {
        harness.Must(Harness.Weft, ["cargo", "build", "--quiet", "--offline", "--with", "hotpatch", .. options]);
        return Path.GetDirectoryName(Directory.GetFiles(harness.Path("target/weft"), "libwithin.rlib", SearchOption.AllDirectories).Single())!;
    }
}
