using System.Text.Json.Nodes;

namespace Weft.Tests;

/// <summary>Branches of Rust code on a stable rustc.</summary>
public sealed class CoverageBranchTests : CountedPrograms
{
    [Needs("cargo", "llvm-cov-22", "llvm-profdata-22")]
    public void Branches_of_rust_unlock_rustc_for_the_counted_crate_alone()
    {
        Harness.Write("Cargo.toml", "[package]\nname = \"my-app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nother = { path = \"other\" }\n[workspace]\nexclude = [\"other\"]\n");
        Harness.Write("other/Cargo.toml", "[package]\nname = \"other\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
        Harness.Write("other/src/lib.rs", "pub const SEEN: Option<&str> = option_env!(\"RUSTC_BOOTSTRAP\");\n");
        Harness.Write("build.rs", "fn main() { println!(\"cargo:rustc-env=IN_BUILD={:?}\", std::env::var(\"RUSTC_BOOTSTRAP\")); }\n");
        Harness.Write("src/main.rs", """
            fn both(a: bool, b: bool) -> bool { let c = a && b; c }
            fn main() {
                let n = std::env::args().count();
                if n > 1 || both(n == 1, n < 9) { println!("{:?} {}", other::SEEN, env!("IN_BUILD")); }
                while n > 5 {}
                match n { x if x < 3 => {}, _ => {} }
            }
            """);
        var build = Harness.Must(Harness.Weft, "cargo", "run", "--with", "coverage", "--coverage-branches", "on");
        Assert.Equal("None Err(NotPresent)\n", build.Output);
        Assert.DoesNotContain("Compiling", Harness.Must(Harness.Weft, "cargo", "run", "--with", "coverage", "--coverage-branches", "on").Errors, StringComparison.Ordinal);

        var program = Assert.Single(Directory.GetFiles(Harness.Path("target/weft"), "my-app", SearchOption.AllDirectories));
        Harness.Must("llvm-profdata-22", ["merge", .. Profiles, "-o", "p.profdata"]);
        var totals = JsonNode.Parse(Harness.Must("llvm-cov-22", "export", "-summary-only", program, "-instr-profile", "p.profdata").Output)!["data"]![0]!["totals"]!["branches"]!;
        // a, b, n > 1, both(...), n > 5 and x < 3; comparisons that are arguments decide nothing.
        Assert.Equal((12, 6), ((int)totals["count"]!, (int)totals["covered"]!));
        Assert.Matches($@"TOTAL .*\s12\s+6\s+50\.00%\n$", Harness.Must(Harness.Weft, "coverage", "report").Output);
    }
}
