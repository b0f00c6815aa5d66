using Weft.Core;

namespace Weft.Tests;

/// <summary>What is called otherwise after a change: old code and closures that have been made keep the code that knows them.</summary>
public sealed class HotpatchRenewalTests : PatchedPrograms
{
    private const string Helper = """
        #include <stdio.h>
        #include <stdlib.h>
        static __attribute__((noinline)) int helper(int x, int y) { return x * 3; }
        __attribute__((noinline)) int outer(int x) { return helper(x, x + 1000); }
        int main(void) { char line[64]; while (fgets(line, sizeof line, stdin)) { int x = atoi(line); printf("%d %d\n", helper(x, x * 100), outer(x)); fflush(stdout); } return 0; }
        """;

    private const string Lambdas = """
        #include <cstdio>
        #include <cstdlib>
        #include <functional>
        #include <vector>
        static std::vector<std::function<int(int)>> all;
        __attribute__((noinline)) void add(int a, int b) { __asm__ volatile("" :: "r"(b)); all.push_back([a](int x) { return a + x; }); }
        __attribute__((noinline)) int sum(int x) { int s = 0; for (auto &f : all) s = s * 1000 + f(x); return s; }
        int main() { char line[64]; while (fgets(line, sizeof line, stdin)) { int x = atoi(line); add(x, x * 2); printf("%d\n", sum(x)); fflush(stdout); } return 0; }
        """;

    private const string Closures = """
        use std::io::BufRead;
        type All = Vec<Box<dyn Fn(u64) -> u64>>;
        #[inline(never)]
        pub fn add(all: &mut All, a: u64, b: u64) { std::hint::black_box(b); all.push(Box::new(move |x| a + x)); }
        #[inline(never)]
        pub fn sum(all: &All, x: u64) -> u64 { all.iter().fold(0, |s, f| s * 1000 + f(x)) }
        #[inline(never)]
        pub fn pair(x: u64) -> (u64, u64) { (one(x), other(x)) }
        #[inline(never)]
        pub fn one(x: u64) -> u64 { x * 7 + 1 }
        #[inline(never)]
        pub fn other(x: u64) -> u64 { x * 7 + 1 }
        pub fn run() {
            let mut all = All::new();
            for line in std::io::stdin().lock().lines() {
                let x = line.unwrap().trim().parse().unwrap();
                add(&mut all, x, x * 2);
                println!("{} {:?}", sum(&all, x), pair(x));
            }
        }
        """;

    [TheoryNeeds("clang-22", "clang-19")]
    [InlineData("clang-22", "-O2", "6 1008")] // main, which is under way, does not pass the argument
    [InlineData("clang-19", "-O2", "6 1008")]
    [InlineData("clang-22", "-O0", "206 1008")]
    public void A_caller_under_way_that_leaves_out_an_argument_keeps_the_function_that_does_not_want_it(string compiler, string level, string answer)
    {
        Harness.Environment["WEFT_CC"] = compiler;
        Compile("helper.c", Helper, "program", level);
        var program = Start(Harness.Path("program"));
        Assert.Equal("6 6", Ask(program, "2"));
        var built = BuildPatch("helper.c", Edit(Helper, ("return x * 3;", "return x * 3 + y;")), "one.patch", [level]);
        Assert.True(built.ExitCode == 0, built.ToString());
        Patch(program, "one.patch");
        Assert.Equal(answer, Ask(program, "2"));
    }

    [Needs("clang-22")]
    public void What_has_been_renewed_is_told_by_how_it_is_called_now()
    {
        Compile("helper.c", Helper, "program", "-O2");
        var program = Start(Harness.Path("program"));
        Ask(program, "2");
        (string Body, string Answer)[] steps = [("return x * 3 + y;", "6 1008"), ("return x * 4;", "6 8"), ("return x * 4 + y * 2;", "6 2012")];
        for (var i = 0; i < steps.Length; i++)
        {
            var built = BuildPatch("helper.c", Edit(Helper, ("return x * 3;", steps[i].Body)), $"{i}.patch", ["-O2"], [.. Enumerable.Range(0, i).SelectMany(n => (string[])["--after", $"{n}.patch"])]);
            Assert.True(built.ExitCode == 0, built.ToString());
            Patch(program, $"{i}.patch");
            Assert.Equal(steps[i].Answer, Ask(program, "2"));
        }
    }

    [Needs("clang-22")]
    public void An_argument_that_callers_of_an_exported_function_leave_undefined_is_not_looked_at_by_a_patch()
    {
        var source = Edit(Helper, ("static __attribute__((noinline)) int helper", "__attribute__((noinline)) int helper"));
        Compile("helper.c", source, "program", "-O2");
        Harness.AssertToldWell(BuildPatch("helper.c", Edit(source, ("return x * 3;", "return x * 3 + y;")), "one.patch", ["-O2"]), ExitCode.Failure, "helper looks at its argument 2 now, which optimised callers in its file leave undefined");
        Assert.Equal("replaces  helper\n", BuildPatch("helper.c", Edit(source, ("return x * 3;", "return x * 4;")), "two.patch", ["-O2"]).Output);
        Compile("helper.c", source, "program", "-O0");
        Assert.Equal("replaces  helper\n", BuildPatch("helper.c", Edit(source, ("return x * 3;", "return x * 3 + y;")), "three.patch", ["-O0"]).Output);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("-O0")]
    [InlineData("-O2")]
    public void A_lambda_that_has_been_made_keeps_the_code_that_knows_what_it_has_captured(string level)
    {
        Compile("lambdas.cpp", Lambdas, "program", level);
        var program = Start(Harness.Path("program"));
        Assert.Equal("2", Ask(program, "1"));
        var built = BuildPatch("lambdas.cpp", Edit(Lambdas, ("[a](int x) { return a + x; }", "[b, c = a * 100L](int x) { return int(c + b + x); }")), "one.patch", [level]);
        Assert.True(built.ExitCode == 0, built.ToString());
        Patch(program, "one.patch");
        Assert.Equal("3206", Ask(program, "2"));
        // The captures are as at first again, but what the patch has made since is not.
        built = BuildPatch("lambdas.cpp", Edit(Lambdas, ("return a + x;", "return a * x;")), "two.patch", [level], "--after", "one.patch");
        Assert.True(built.ExitCode == 0, built.ToString());
        Patch(program, "two.patch");
        Assert.Equal("4207009", Ask(program, "3"));
    }

    [TheoryNeeds("cargo")]
    [InlineData("debug")]
    [InlineData("release")]
    public void A_closure_that_has_been_made_keeps_the_code_that_knows_what_it_has_captured(string profile)
    {
        BuildClosures(Closures, profile);
        var program = Start(Harness.Path("program"));
        Assert.Equal("2 (8, 8)", Ask(program, "1"));
        BuildClosurePatch(profile, "one.patch", ("move |x| a + x", "move |x| a * 100 + b + x"), ("x * 7 + 1 }\n#[inline(never)]\npub fn other", "x * 9 + 1 }\n#[inline(never)]\npub fn other"));
        Patch(program, "one.patch");
        Assert.Equal("3206 (19, 15)", Ask(program, "2")); // of two functions with the same code, one has been replaced
    }

    [TheoryNeeds("cargo")]
    [InlineData("debug")]
    [InlineData("release")]
    public void A_closure_that_another_was_written_before_is_not_taken_for_it(string profile)
    {
        BuildClosures(Closures, profile);
        var program = Start(Harness.Path("program"));
        Assert.Equal("2 (8, 8)", Ask(program, "1"));
        BuildClosurePatch(profile, "one.patch", ("black_box(b); all.push", "black_box(b); all.push(Box::new(move |x| b * 10 + x)); all.push"));
        Patch(program, "one.patch");
        Assert.Equal("3042004 (15, 15)", Ask(program, "2"));
    }

    [Needs("clang-22")]
    public void State_that_the_optimiser_keeps_in_another_form_is_not_lost_without_a_word()
    {
        const string source = """
            #include <stdio.h>
            #include <stdlib.h>
            static struct { int count, last; } state;
            static int mode;
            __attribute__((noinline)) void set(int x) { state.count++; state.last = x; if (x == 3) mode = 5; }
            __attribute__((noinline)) int get(void) { return state.count * 100 + state.last * 10 + mode; }
            int main(void) { char line[64]; while (fgets(line, sizeof line, stdin)) { set(atoi(line)); printf("%d\n", get()); fflush(stdout); } return 0; }
            """;
        (string, string) whole = ("state.last = x;", "state.last = x; __asm__ volatile(\"\" :: \"r\"(&state) : \"memory\");"), wide = ("mode = 5;", "mode += x;");
        foreach (var (edit, reason) in (((string, string), string)[])[(whole, "the optimiser keeps the variable state in another form now"), (wide, "the variable mode has ")])
        {
            Compile("mode.c", source, "program", "-O2");
            Harness.AssertToldWell(BuildPatch("mode.c", Edit(source, edit), "one.patch", ["-O2"]), ExitCode.Failure, reason);
            Compile("mode.c", Edit(source, edit), "program", "-O2");
            Harness.AssertToldWell(BuildPatch("mode.c", source, "two.patch", ["-O2"]), ExitCode.Failure, reason);
        }
    }

    [Needs("clang-22", "ld.lld-22")]
    public void Functions_that_a_linker_would_fold_are_replaced_one_by_one()
    {
        const string source = """
            #include <stdio.h>
            #include <stdlib.h>
            __attribute__((noinline)) int one(int x) { return x * 7 + 1; }
            __attribute__((noinline)) int other(int x) { return x * 7 + 1; }
            int main(void) { char line[64]; while (fgets(line, sizeof line, stdin)) { int x = atoi(line); printf("%d %d\n", one(x), other(x)); fflush(stdout); } return 0; }
            """;
        Compile("folded.c", source, "program", "-O1", "-fuse-ld=/usr/bin/ld.lld-22", "-Wl,--icf=all");
        var program = Start(Harness.Path("program"));
        Assert.Equal("8 8", Ask(program, "1"));
        Assert.Equal("replaces  one\n", BuildPatch("folded.c", source.Replace("one(int x) { return x * 7", "one(int x) { return x * 9", StringComparison.Ordinal), "one.patch", ["-O1"]).Output);
        Patch(program, "one.patch");
        Assert.Equal("10 8", Ask(program, "1"));
        Compile("folded.c", Edit(source, ("other(int x) { return x * 7 + 1; }", "other(int x) __attribute__((alias(\"one\")));")), "program", "-O1"); // by its author
        Harness.AssertToldWell(BuildPatch("folded.c", source.Replace("one(int x) { return x * 7", "one(int x) { return x * 9", StringComparison.Ordinal), "two.patch", ["-O1"]), ExitCode.Failure, "one shares its code with other, which has not changed");
    }

    private void BuildClosures(string source, string profile)
    {
        Harness.Environment["CARGO_TARGET_DIR"] = Harness.Path("target");
        Harness.Write("Cargo.toml", "[package]\nname = \"closures\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
        Harness.Write("src/lib.rs", source);
        Harness.Write("src/main.rs", "fn main() { closures::run() }\n");
        Cargo(profile);
        File.Copy(Library(profile).Replace("libclosures.rlib", "closures", StringComparison.Ordinal), Harness.Path("program"));
    }

    private void BuildClosurePatch(string profile, string patch, params (string Old, string New)[] edits)
    {
        Harness.Write("src/lib.rs", Edit(Closures, edits));
        Cargo(profile);
        Harness.Must(Harness.Weft, "hotpatch", "build", "--program", "program", "-o", patch, Library(profile));
    }

    private void Cargo(string profile) => Harness.Must(Harness.Weft, ["cargo", "build", "--quiet", "--offline", "--with", "hotpatch", .. (string[])(profile == "release" ? ["--release"] : [])]);

    private string Library(string profile) => Directory.GetFiles(Harness.Path("target/weft"), "libclosures.rlib", SearchOption.AllDirectories).Single(f => f.Contains($"/{profile}/", StringComparison.Ordinal));
}
