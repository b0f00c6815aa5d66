using System.Text.Json.Nodes;

namespace Weft.Tests;

/// <summary>
/// <c>--coverage-counters binary</c> against the front ends' own counts: a region ran in the one if it has a count in the other.
/// </summary>
public sealed class CoverageBinaryTests : CountedPrograms
{
    private static readonly string[] Binary = ["--coverage-counters=binary"];

    // setjmp returns twice: clang's difference of two counts says that what ran then did not.
    private static readonly HashSet<string> BetterThanClang = ["noreturn.c"];

    // Destructors of static objects run after LLVM's runtime has written its profile.
    private static readonly HashSet<string> CountedLater = ["statics.cc"];

    [TheoryNeeds("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("switches.c", "-O2")]
    [InlineData("gotos.c", "-O0")]
    [InlineData("if_else.c", "-g")] // jumps of our own need locations, too
    [InlineData("expressions.c", "-Os")]
    [InlineData("templates.cc", "-O2")]
    public void Every_region_that_clangs_own_build_counts_has_run_and_no_other(string source, string level) => Assert.Equal(0, CompareC(source, level));

    [TheoryNeeds("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("*.c", "-O0", 0)]
    [InlineData("*.c", "-O2", 0)]
    [InlineData("*.cc", "-O0", 4)]
    [InlineData("*.cc", "-O2", 3)]
    [Trait("Category", "Slow")]
    public void Every_region_of_all_programs_is_right_and_few_functions_keep_counting(string pattern, string level, int most)
    {
        var sources = Directory.GetFiles(Programs, pattern).Select(Path.GetFileName).OfType<string>().Where(s => !BetterThanClang.Contains(s) && !CountedLater.Contains(s)).ToList();
        Assert.True(sources.Count >= 14);
        Assert.InRange(sources.Sum(s => CompareC(s, level)), 0, most);
    }

    [TheoryNeeds("cargo", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("closures.rs", "loops.rs", "matches.rs", "modules.rs", "panics.rs")]
    public void Every_region_that_rustcs_own_build_counts_has_run_and_no_other(params string[] programs) => Assert.Equal(0, CompareRust(programs));

    [Needs("cargo", "llvm-cov-22", "llvm-profdata-22")]
    [Trait("Category", "Slow")]
    public void Every_region_of_all_programs_in_rust_is_right_and_no_function_keeps_counting() => Assert.Equal(0, CompareRust([.. Directory.GetFiles(Programs, "*.rs").Select(Path.GetFileName).OfType<string>()]));

    /// <summary>
    /// Both crates have <c>sign</c> and what constants leave of <c>pick</c>, with other numbers for its file: under another hash the
    /// counts of one crate would be lost.
    /// </summary>
    [Needs("cargo", "llvm-cov-22", "llvm-profdata-22")]
    public void What_ran_of_an_inline_function_in_another_crate_has_run()
    {
        Harness.Write("sizes/src/lib.rs", """
            mod signs;
            pub use signs::{pick, sign};
            #[inline(never)]
            pub fn positive(value: i32) -> i32 {
                if value > 100 { return 7; }
                sign(value) + sign(value - 1) + sign(value - 2) + pick(false, 3)
            }
            """);
        Harness.Write("sizes/src/signs.rs", """
            #[inline]
            pub fn sign(value: i32) -> i32 {
                if value < 0 {
                    return -1;
                }
                if value == 0 {
                    return 0;
                }
                1
            }
            #[inline]
            pub fn pick(flag: bool, value: i32) -> i32 {
                let mut result = 1;
                if flag {
                    result += value;
                } else {
                    result -= value;
                }
                if value > 1 && flag {
                    result *= 2;
                }
                result
            }
            """);
        Harness.Write("program/src/one.rs", "pub fn one(value: i32) -> i32 {\n    if value > 3 { 5 } else { 6 }\n}\n");
        Harness.Write("program/src/two.rs", "pub fn two(value: i32) -> i32 {\n    if value > 3 { 7 } else { 8 }\n}\n");
        Harness.Write("program/src/main.rs", """
            mod one;
            mod two;
            use sizes::*;
            fn main() {
                let given = std::env::args().count() as i32;
                println!("{} {} {}", positive(given), one::one(two::two(given)), sign(-given) + pick(true, given));
            }
            """);
        var (theirs, ours) = BuildTwoCrates("", "--coverage-counters", "binary");
        Assert.Equal(0, Compare(theirs, ours));
    }

    [TheoryNeeds("clang-22", "llvm-profdata-22")]
    [InlineData("work 5", 0, 1)]
    [InlineData("threads 16", 0, 1)]
    [InlineData("signals", 0, 1)]
    [InlineData("forks 3", 0, 4)]
    [InlineData("exec", 0, 1, 2)]
    [InlineData("quick_exit 3", 3, 1)]
    [InlineData("crash 3", 139, 1)]
    [InlineData("kill 3", 137, 1)]
    public void What_ran_is_in_the_file_however_the_process_ends(string way, int exit, int processes, int programsEach = 1)
    {
        var outcome = Harness.Run(Build("p", "counting.c", ["-O2", .. Binary]), way.Split(' '));
        Assert.True(outcome.ExitCode == exit, outcome.ToString());
        Assert.Empty(outcome.Errors);
        Assert.Equal(processes, Profiles.Count);
        Assert.Equal(processes * programsEach, Counts(Profiles)["step"]);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_child_has_only_what_it_ran_itself()
    {
        Harness.Write("fork.c", "#include <signal.h>\n#include <sys/wait.h>\n#include <unistd.h>\nvoid before(void) {}\nvoid child(void) {}\nvoid after(void) {}\nint main(void) { before(); if (fork() == 0) { child(); kill(getpid(), SIGKILL); } wait(0); after(); return 0; }\n");
        Harness.Must(Build("p", "fork.c", ["-O0", .. Binary]));
        var counts = Profiles.Select(p => Counts(p)).OrderBy(c => c["child"]).ToList();
        Assert.Equal(2, counts.Count);
        Assert.Equal((1, 0, 1), (counts[0]["before"], counts[0]["child"], counts[0]["after"]));
        Assert.Equal((0, 1, 0), (counts[1]["before"], counts[1]["child"], counts[1]["after"]));
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_library_that_comes_and_goes_keeps_what_ran_in_it()
    {
        Build("library.so", "library.c", ["-O2", "-shared", "-fPIC", .. Binary]);
        Harness.Must(Build("p", "counting.c", ["-O2", .. Binary]), "library", "50", Harness.Path("library.so"));
        var counts = Counts(Profiles);
        Assert.True(counts["inside"] > 0 && counts["call"] > 0 && counts["main"] == 1);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void What_ran_can_be_written_and_forgotten_while_the_program_runs()
    {
        Harness.Must(Build("p", "counting.c", ["-O2", .. Binary]), "api");
        Assert.True(Counts(Harness.Path("first.out"))["step"] > 0);
        Assert.True(Counts(Harness.Path("second.out"))["step"] > 0);
        Assert.True(Counts(Profiles)["step"] > 0);
    }

    /// <summary>A loop whose counters are all set runs without them: it must start over where they are forgotten.</summary>
    [TheoryNeeds("clang-22", "llvm-profdata-22")]
    [InlineData("-O1")]
    [InlineData("-O3")]
    public void A_loop_that_had_run_is_found_out_again_after_a_reset_and_in_a_child(string level)
    {
        Harness.Write("loop.c", """
            #include <signal.h>
            #include <sys/wait.h>
            #include <unistd.h>
            #include <weft/coverage.h>
            static int values[1000];
            int odd(int v) { return v * 3; }
            int even(int v) { return v >> 1; }
            __attribute__((noinline)) int loop(int n) { int sum = 0; for (int i = 0; i < n; i++) sum += values[i] & 1 ? odd(values[i]) : even(values[i]); return sum; }
            static void many(void) { for (int i = 0; i < 3; i++) values[0] += loop(1000) & 2; }
            int main(void) {
                for (int i = 0; i < 1000; i++) values[i] = i;
                many();
                weft_coverage_reset();
                for (int i = 0; i < 1000; i++) values[i] |= 1;
                many();
                weft_coverage_write(0);
                if (fork() == 0) { values[0] = 2; many(); kill(getpid(), SIGKILL); }
                wait(0);
                return 0;
            }

            """);
        Harness.Must(Build("p", "loop.c", [level, .. Binary]));
        var counts = Profiles.Select(p => Counts(p)).OrderBy(c => c["even"]).ToList();
        Assert.Equal([(1, 1, 0), (1, 1, 1)], counts.Select(c => (c["loop"], c["odd"], c["even"])));
    }

    [TheoryNeeds("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("-O1", 0)]
    [InlineData("-O3", 1)]
    public void Every_region_of_generated_loops_is_right(string level, int seed) => CompareLoops(level, seed, 1);

    [TheoryNeeds("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    [InlineData("-O1")]
    [InlineData("-O2")]
    [InlineData("-O3")]
    [Trait("Category", "Slow")]
    public void Every_region_of_many_generated_loops_is_right(string level) => CompareLoops(level, 100, 40);

    /// <summary>The link knows nothing of the option, so counters share their pages with other data and cannot be mapped.</summary>
    [Needs("clang-22", "llvm-profdata-22")]
    public void Objects_that_another_link_takes_in_say_at_the_end_what_ran()
    {
        Build("p.o", "counting.c", ["-O2", "-c", .. Binary]);
        Harness.Must(Harness.Weft, "cc", "--with=coverage", "-pthread", "p.o", "-o", "p");
        Harness.Must(Harness.Path("p"), "work", "5");
        Assert.Equal(1, Counts(Profiles)["step"]);
    }

    private void CompareLoops(string level, int first, int count)
    {
        for (var seed = first; seed < first + count; seed++)
        {
            Harness.Write("loops.c", LoopPrograms.Generate(seed));
            Assert.Equal(0, CompareC(Harness.Path("loops.c"), level));
        }
    }

    /// <summary>How many functions keep counting.</summary>
    private int CompareC(string source, string level)
    {
        var isC = source.EndsWith(".c", StringComparison.Ordinal);
        string[] flags = [level, "-g", "-w", isC ? "-std=gnu17" : "-std=c++20", "-I", Path.Combine(Harness.Root, "runtime/include")];
        Harness.Must(isC ? "clang-22" : "clang++-22", [.. flags, Path.Combine(Programs, source), "-fprofile-instr-generate", "-fcoverage-mapping", "-o", "theirs"]);
        Build("ours", Path.Combine(Programs, source), [.. flags, .. Binary]);
        return Compare(Harness.Path("theirs"), Harness.Path("ours"));
    }

    private int CompareRust(string[] programs)
    {
        Harness.Write("Cargo.toml", "[package]\nname = \"programs\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
        Directory.CreateDirectory(Harness.Path("src/bin"));
        foreach (var source in programs) File.Copy(Path.Combine(Programs, source), Harness.Path("src/bin/" + source));
        Harness.Must(Harness.Weft, "cargo", "build", "--release", "--with", "coverage", "--coverage-counters", "binary", "--config", "profile.release.debug=true");
        Harness.Environment["RUSTFLAGS"] = "-C instrument-coverage";
        Harness.Must("cargo", "build", "--target-dir", "plain");
        return programs.Select(p => p[..^3]).Sum(name => Compare(Harness.Path($"plain/debug/{name}"), Released(name)));
    }

    private int Compare(string theirs, string ours)
    {
        foreach (var profile in Profiles) File.Delete(profile);
        Harness.Environment["LLVM_PROFILE_FILE"] = "theirs.profraw";
        var expected = Harness.Run(theirs);
        Harness.Environment.Remove("LLVM_PROFILE_FILE");
        Assert.Equal(expected, Harness.Run(ours));
        Harness.Must("llvm-profdata-22", "merge", "theirs.profraw", "-o", "theirs.profdata");
        Harness.Must("llvm-profdata-22", ["merge", .. Profiles, "-o", "ours.profdata"]);
        Assert.Equal(Reached(theirs, "theirs.profdata"), Reached(ours, "ours.profdata"));
        var hashes = Hashes("theirs.profdata");
        return Hashes("ours.profdata").Count(hashes.Contains);
    }

    /// <summary>Of each function its regions and branches, and whether they ran.</summary>
    private List<string> Reached(string program, string profile)
    {
        var data = JsonNode.Parse(Harness.Must("llvm-cov-22", "export", program, "-instr-profile", profile).Output)!["data"]![0]!;
        return [.. data["functions"]!.AsArray().Select(f => $"{f!["filenames"]!.ToJsonString()} {Whether(f["regions"]!, 4)} {Whether(f["branches"]!, 4, 5)}").Order(StringComparer.Ordinal)];
    }

    private static string Whether(JsonNode regions, params int[] counts) =>
        string.Join(' ', regions.AsArray().Select(r => string.Join(',', r!.AsArray().Select((n, i) => counts.Contains(i) ? (ulong)n! > 0 ? "ran" : "not" : n!.ToJsonString()))));

    // A function that says only whether has a hash of its own.
    private List<string> Hashes(string profile) =>
        [.. Harness.Must("llvm-profdata-22", "show", "--all-functions", profile).Output.Split('\n').Select(l => l.Trim()).Where(l => l.StartsWith("Hash: ", StringComparison.Ordinal))];
}
