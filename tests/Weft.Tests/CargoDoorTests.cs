using System.Text.Json;
using System.Text.RegularExpressions;
using Weft.Core;

namespace Weft.Tests;

/// <summary>Real cargo workspaces through <c>weft cargo</c>; the oracle is plain cargo on the same sources.</summary>
public sealed partial class CargoDoorTests : IDisposable
{
    // What a plain release build counts: the same for every test, by the promise under test.
    private static ulong? releaseCount;

    private readonly Harness harness = new();

    public CargoDoorTests()
    {
        CopyFolder(Path.Combine(Harness.Root, "tests/fixtures/workspace"), harness.Folder);
        harness.Environment["WEFT_FORCE_LOWER"] = "1"; // so that builds without an instrument show what lowering alone does
    }

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("cargo")]
    [InlineData("")]
    [InlineData("metering")]
    public void A_woven_workspace_prints_what_plain_cargo_prints(string with)
    {
        var plain = harness.Must("cargo", "run", "-q", "-p", "app", "--", "--panic");
        var woven = Weft([.. Words("cargo run -q -p app"), .. With(with), "--", "--panic"]);
        Assert.Equal(plain.Output, woven.Output);
        Assert.Contains("build script: plain rustc", woven.Output, StringComparison.Ordinal);
    }

    [TheoryNeeds("cargo")]
    [InlineData("")]
    [InlineData("metering")]
    public void Every_crate_type_builds_and_its_tests_pass_doc_tests_too(string with)
    {
        var outcome = Weft([.. Words("cargo test"), .. With(with)]);
        Assert.Equal(4, Passed().Matches(outcome.Output).Sum(m => int.Parse(m.Groups[1].ValueSpan)));
        if (with.Length > 0) Assert.Contains("documentation are not instrumented", outcome.Errors, StringComparison.Ordinal);
    }

    [TheoryNeeds("cargo")]
    [InlineData("profile.release.opt-level=0")]
    [InlineData("profile.release.opt-level=\"s\"")]
    [InlineData("profile.release.lto=\"fat\"")]
    [InlineData("profile.release.panic=\"abort\"")]
    [InlineData("profile.release.debug=2")]
    public void Counts_do_not_depend_on_the_profile(string setting)
    {
        Assert.True(ReleaseCount > 10_000, $"only {ReleaseCount} units");
        Assert.Equal(ReleaseCount, Count(setting));
    }

    [TheoryNeeds("cargo"), Trait("Category", "Slow")]
    [InlineData("profile.release.opt-level=1")]
    [InlineData("profile.release.opt-level=2")]
    [InlineData("profile.release.opt-level=\"z\"")]
    [InlineData("profile.release.lto=\"thin\"")]
    [InlineData("profile.release.codegen-units=64")]
    [InlineData("profile.release.strip=true")]
    [InlineData("profile.release.split-debuginfo=\"packed\"")]
    [InlineData("profile.release.incremental=true")]
    public void Counts_do_not_depend_on_the_rest_of_the_profile(string setting) => Counts_do_not_depend_on_the_profile(setting);

    [Needs("cargo")]
    public void The_register_mode_counts_what_the_reference_mode_counts() =>
        Assert.Equal(ReleaseCount, Count("profile.release.opt-level=3", "--metering-mode", "reference"));

    [Needs("cargo")]
    public void A_dev_build_without_assertions_counts_as_a_release_build()
    {
        Weft(Words("cargo build -q -p app --with metering --config profile.dev.debug-assertions=false --config profile.dev.overflow-checks=false"));
        Assert.Equal(ReleaseCount, Report(Binary("debug/app")).Total);
    }

    [Needs("cargo")]
    public void Std_is_woven_only_when_asked()
    {
        Assert.True(Count("profile.release.opt-level=3", "--std") > ReleaseCount);
    }

    [Needs("cargo")]
    public void A_skipped_crate_is_not_counted()
    {
        Weft(Words("cargo build -q --release -p app --with metering --metering-detail functions --skip fixture-lib"));
        var functions = Report(Binary("release/app")).Functions;
        Assert.Contains(functions, f => f.Contains("with_space", StringComparison.Ordinal) || f.Contains("app", StringComparison.Ordinal));
        Assert.DoesNotContain(functions, f => f.Contains("fixture_lib14sum_of_squares", StringComparison.Ordinal));
    }

    [Needs("cargo", "cc")]
    public void A_static_library_brings_the_runtime_along()
    {
        Weft(Words("cargo build -q --release -p archive --with metering --metering-detail functions"));
        harness.Write("main.c", "unsigned long archive_work(unsigned long); int main(void) { return archive_work(4) == 15 ? 0 : 1; }");
        harness.Must("cc", "main.c", Binary("release/libarchive.a"), "-lpthread", "-ldl", "-lm", "-o", "main");
        Assert.Contains(Report(harness.Path("main")).Functions, f => f.Contains("archive_work", StringComparison.Ordinal));
    }

    [Needs("cargo", "cc")]
    public void Two_libraries_loaded_apart_into_a_plain_program_share_one_runtime()
    {
        Weft(Words("cargo build -q --release -p archive -p plugin --with metering --metering-detail functions"));
        harness.Write("main.c", """
            #include <dlfcn.h>
            int main(int argc, char **argv) {
                unsigned long (*f)(unsigned long) = dlsym(dlopen(argv[1], RTLD_NOW | RTLD_LOCAL), "plugin_work");
                unsigned long (*g)(unsigned long) = dlsym(dlopen(argv[2], RTLD_NOW | RTLD_LOCAL), "archive_work");
                return f(4) == 14 && g(4) == 15 ? argc - 3 : 1;
            }
            """);
        harness.Must("cc", "main.c", "-ldl", "-o", "main");
        var report = Report(harness.Path("main"), Binary("release/libplugin.so"), Binary("release/libarchive.so"));
        Assert.Contains(report.Functions, f => f.Contains("plugin_work", StringComparison.Ordinal));
        Assert.Contains(report.Functions, f => f.Contains("archive_work", StringComparison.Ordinal));
        Assert.Single(report.Threads);
    }

    [Needs("cargo")]
    public void A_warm_build_lowers_nothing_and_a_clean_one_takes_all_from_the_cache()
    {
        harness.Environment["XDG_CACHE_HOME"] = harness.Path("cache");
        var first = Weft(Words("cargo build --release -p app --with metering --weft-timings"));
        Assert.Matches("Lowered [1-9][0-9]* modules", first.Errors);
        Assert.DoesNotContain("Lowered", Weft(Words("cargo build --release -p app --with metering --weft-timings")).Errors, StringComparison.Ordinal);
        Directory.Delete(harness.Path("target"), recursive: true);
        Assert.Contains("Lowered 0 modules", Weft(Words("cargo build --release -p app --with metering --weft-timings")).Errors, StringComparison.Ordinal);
    }

    [Needs("cargo")]
    public void The_users_own_wrapper_linker_and_flags_are_called_not_replaced()
    {
        Script("wrapper", "echo \"$*\" >> wrapped.log; exec \"$@\"");
        Script("linker", "echo \"linked ${GLIBC_TUNABLES-with the allocator as it was}\" >> linked.log; exec cc \"$@\"");
        harness.Write(".cargo/config.toml", $"""
            [build]
            rustc-wrapper = "{harness.Path("wrapper")}"
            rustflags = ["--cfg", "from_config"]
            [target.x86_64-unknown-linux-gnu]
            linker = "{harness.Path("linker")}"
            """);
        // Under LTO there is enough to lower for the linker role to set its allocator up, which is nobody else's business.
        Weft([.. Words("cargo build -q --release -p app --with metering --config"), "profile.release.lto=\"fat\""]);
        Assert.Contains("from_config", File.ReadAllText(harness.Path("wrapped.log")), StringComparison.Ordinal);
        Assert.All(File.ReadAllLines(harness.Path("linked.log")), line => Assert.Equal("linked with the allocator as it was", line));
        Assert.True(Report(Binary("release/app")).Total > 0);
    }

    [Needs("cargo")]
    public void A_linker_that_fails_fails_the_build_with_its_own_words_and_leaves_no_program()
    {
        Script("linker", "echo 'my linker is out of paper' >&2; exit 3");
        harness.Environment["CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER"] = harness.Path("linker");
        var outcome = harness.RunWeft([.. Words("cargo build --release -p app --with metering")]);
        Assert.Equal(101, outcome.ExitCode);
        Assert.Contains("my linker is out of paper", outcome.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(Binary("release/app", mustExist: false)));
        Assert.Empty(Directory.EnumerateFileSystemEntries(harness.Path("target"), "*.weft-*", SearchOption.AllDirectories));
    }

    [Needs("cargo")]
    public void Without_cargo_or_rustc_the_message_says_what_to_install()
    {
        harness.Environment["PATH"] = "/nowhere";
        Harness.AssertToldWell(harness.RunWeft("cargo", "build"), ExitCode.Failure, "cargo", "install Rust");
    }

    [Needs("cargo")]
    public void An_unknown_instrument_or_value_is_a_usage_error()
    {
        Harness.AssertToldWell(harness.RunWeft("cargo", "build", "--with", "magic"), ExitCode.Usage, "magic", "metering");
        Harness.AssertToldWell(harness.RunWeft("cargo", "build", "--metering-mode", "fast"), ExitCode.Usage, "fast", "reference");
    }

    [Needs("cargo")]
    public void Work_of_rustcs_own_optimiser_is_refused_by_name()
    {
        harness.Environment["RUSTFLAGS"] = "-C profile-generate";
        var outcome = harness.RunWeft("cargo", "build", "-p", "app");
        Assert.Equal(101, outcome.ExitCode);
        Assert.Contains("-C profile-generate is work of rustc's own optimiser", outcome.Errors, StringComparison.Ordinal);
    }

    [Needs("cargo")]
    public void Two_builds_at_once_both_succeed()
    {
        var builds = Enumerable.Range(0, 2).Select(i => Task.Run(() => harness.RunWeft("cargo", "build", "-p", "app", "--with", "metering", "--target-dir", $"target{i}"))).ToArray();
        foreach (var build in builds) Assert.True(build.Result.ExitCode == 0, build.Result.ToString());
    }

    [Needs("cargo")]
    public void A_build_that_is_killed_leaves_nothing_that_the_next_one_takes_for_good()
    {
        for (var delay = 300; delay < 3000; delay += 700)
        {
            using var build = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(Harness.Weft, Words("cargo build -q --release -p app --with metering")) { WorkingDirectory = harness.Folder })!;
            if (!build.WaitForExit(delay)) build.Kill(entireProcessTree: true);
            build.WaitForExit();
        }
        Weft(Words("cargo build -q --release -p app --with metering"));
        Assert.Equal(ReleaseCount, Report(Binary("release/app")).Total);
    }

    [Needs("cargo", "can-mount")]
    public void A_full_target_folder_fails_the_build_and_the_next_one_with_room_is_whole()
    {
        Directory.CreateDirectory(harness.Path("target"));
        var kilobytes = 300;
        for (var full = true; full; kilobytes += 300)
        {
            harness.Must("mount", "-t", "tmpfs", "-o", $"size={kilobytes}k", "tmpfs", "target");
            try
            {
                var outcome = harness.RunWeft(Words("cargo build -q --release -p app --with metering"));
                full = outcome.ExitCode != 0;
                // Whose words they are depends on who ran out of room: cargo, rustc, the linker or Weft.
                if (full) Assert.Contains("error: ", outcome.Errors, StringComparison.Ordinal);
                Assert.DoesNotContain("internal error", outcome.Errors, StringComparison.Ordinal);
                if (!full || kilobytes > 300) continue;
                harness.Must("mount", "-o", "remount,size=100m", "target"); // what the full build left must not spoil this one
                Weft(Words("cargo build -q --release -p app --with metering"));
                Assert.Equal(ReleaseCount, Report(Binary("release/app")).Total);
            }
            finally
            {
                harness.Must("umount", "target");
            }
        }
        Assert.True(kilobytes > 600, "no build ran out of room");
    }

    [Needs("cargo", "can-mount")]
    public void A_target_folder_that_is_read_only_is_named()
    {
        Directory.CreateDirectory(harness.Path("target"));
        harness.Must("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "target");
        try
        {
            Harness.AssertToldWell(harness.RunWeft(Words("cargo build -q -p app --with metering")), ExitCode.Failure, "target/weft", "--target-dir");
        }
        finally
        {
            harness.Must("umount", "target");
        }
    }

    [Needs("cargo")]
    public void A_folder_that_is_not_utf8_is_told_in_words()
    {
        var outcome = harness.Run("sh", "-c", "d=\"$(printf 'p\\377')\" && cp -r \"$1\" \"$d\" && cd \"$d\" && exec \"$0\" cargo build --with metering", Harness.Weft, Path.Combine(Harness.Root, "tests/fixtures/workspace"));
        Harness.AssertToldWell(outcome, ExitCode.Failure, "UTF-8");
    }

    [Needs("cargo")]
    public void A_cache_folder_that_cannot_be_made_is_named()
    {
        harness.Environment["XDG_CACHE_HOME"] = "/dev/null/cache";
        var outcome = harness.RunWeft(Words("cargo build -q --release -p app --with metering"));
        Assert.Equal(101, outcome.ExitCode);
        Assert.Contains("/dev/null/cache", outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("XDG_CACHE_HOME", outcome.Errors, StringComparison.Ordinal);
    }

    [Needs("cargo")]
    public void Paths_with_spaces_and_quotes_work()
    {
        var folder = harness.Path("it's a \"test\" é");
        CopyFolder(Path.Combine(Harness.Root, "tests/fixtures/workspace"), folder);
        var outcome = harness.RunWeft("cargo", "run", "-q", "--manifest-path", Path.Combine(folder, "app/Cargo.toml"), "--with", "metering");
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        Assert.Contains("sum: 328350", outcome.Output, StringComparison.Ordinal);
    }

    [Needs("cargo")]
    public void Without_an_instrument_the_build_is_plain_cargo_and_says_so()
    {
        harness.Environment["WEFT_FORCE_LOWER"] = null;
        harness.Environment["WEFT_WTIH"] = "metering";
        var outcome = Weft("cargo", "build", "-p", "app");
        Assert.Contains("this is plain cargo", outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("WEFT_WTIH", outcome.Errors, StringComparison.Ordinal);
        Assert.True(File.Exists(harness.Path("target/debug/app")));
        Assert.False(Directory.Exists(harness.Path("target/weft")));
    }

    [TheoryNeeds("cargo", "objdump")]
    [InlineData("", true, true)]
    [InlineData("-C no-vectorize-loops", false, true)]
    [InlineData("-Cno_vectorize_slp", true, false)]
    [InlineData("-C opt-level=s", false, false)]
    [InlineData("-C no-vectorize-loops -C llvm-args=-vectorize-loops=false", false, true)]
    public void What_rustc_is_told_not_to_vectorise_stays_scalar(string flags, bool loops, bool straight)
    {
        harness.Write("app/src/main.rs", """
            #[unsafe(no_mangle)]
            fn total(values: &[u32]) -> u32 { values.iter().fold(0, |a, b| a.wrapping_add(*b)) }
            #[unsafe(no_mangle)]
            fn add(a: &mut [f32; 4], b: &[f32; 4]) { a[0] += b[0]; a[1] += b[1]; a[2] += b[2]; a[3] += b[3]; }
            fn main() {
                let mut a = [1.0; 4];
                std::hint::black_box(add as fn(&mut [f32; 4], &[f32; 4]))(&mut a, &[2.0; 4]);
                println!("{} {:?}", std::hint::black_box(total as fn(&[u32]) -> u32)(&[1, 2]), a);
            }
            """);
        harness.Environment["RUSTFLAGS"] = flags;
        harness.Must("cargo", "build", "-q", "--release", "-p", "app");
        Weft("cargo", "build", "-q", "--release", "-p", "app");
        bool Has(string program, string function, string instruction) => harness.Must("objdump", "-d", $"--disassemble={function}", program).Output.Contains(instruction, StringComparison.Ordinal);
        foreach (var program in (string[])["target/release/app", Binary("release/app")])
            Assert.Equal((program, loops, straight), (program, Has(program, "total", "paddd"), Has(program, "add", "addps")));
    }

    [Needs("cargo", "nm")]
    public void Fat_lto_drops_what_rustcs_own_drops()
    {
        string[] arguments = ["build", "-q", "--release", "-p", "app", "--config", "profile.release.lto=\"fat\""];
        harness.Must("cargo", arguments);
        Weft(["cargo", .. arguments]);
        int Functions(string program) => harness.Must("nm", program).Output.Split('\n').Count(l => l.Contains(" t ") || l.Contains(" T "));
        int plain = Functions("target/release/app"), woven = Functions(Directory.GetFiles(harness.Path("target/weft"), "app", SearchOption.AllDirectories).Single(f => f.EndsWith("/release/app", StringComparison.Ordinal)));
        Assert.True(woven <= plain * 1.02, $"{woven} functions remain, {plain} with rustc's own");
    }

    [Needs("cargo")]
    public void The_programs_exit_code_is_wefts() => Assert.Equal(7, harness.RunWeft("cargo", "run", "-q", "-p", "app", "--", "--exit").ExitCode);

    [Needs("cargo")]
    public void Check_and_disabled_builds_are_plain_cargo()
    {
        Assert.Equal(0, harness.RunWeft("cargo", "check", "-q", "-p", "app", "--with", "metering").ExitCode);
        harness.Environment["WEFT_DISABLE"] = "1";
        Assert.Equal(0, harness.RunWeft("cargo", "build", "-q", "-p", "app").ExitCode);
        Assert.False(Directory.Exists(harness.Path("target/weft")));
    }

    private Outcome Weft(params string[] arguments)
    {
        var outcome = harness.RunWeft(arguments);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        return outcome;
    }

    private ulong ReleaseCount => releaseCount ??= Count("profile.release.opt-level=3");

    private ulong Count(string setting, params string[] more)
    {
        var folder = $"target-{Guid.NewGuid():N}";
        Weft([.. Words("cargo build -q --release -p app --with metering --target-dir"), folder, "--config", setting, .. more]);
        return Report(Directory.GetFiles(harness.Path(folder), "app", SearchOption.AllDirectories).First(f => f.EndsWith("/release/app", StringComparison.Ordinal))).Total;
    }

    private sealed record Counts(ulong Total, List<ulong> Threads, List<string> Functions);

    /// <summary>Runs a program and reads its report, whose three sums must agree.</summary>
    private Counts Report(string program, params string[] arguments)
    {
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report.json");
        harness.Must(program, arguments);
        harness.Environment.Remove("WEFT_METERING_REPORT");
        var json = JsonDocument.Parse(File.ReadAllBytes(harness.Path("report.json"))).RootElement;
        var functions = json.GetProperty("functions").EnumerateArray().ToList();
        var counts = new Counts(json.GetProperty("total").GetUInt64(), [.. json.GetProperty("threads").EnumerateArray().Select(t => t.GetProperty("units").GetUInt64())], [.. functions.Select(f => f.GetProperty("name").GetString()!)]);
        Assert.Equal(counts.Total, counts.Threads.Aggregate(0ul, (a, b) => a + b));
        Assert.Equal(counts.Total, functions.Aggregate(0ul, (sum, f) => sum + f.GetProperty("units").GetUInt64()));
        return counts;
    }

    private string Binary(string name, bool mustExist = true)
    {
        var variant = Directory.GetDirectories(harness.Path("target/weft")).Single();
        var path = Path.Combine(variant, "x86_64-unknown-linux-gnu", name);
        Assert.True(!mustExist || File.Exists(path), $"no {path}");
        return path;
    }

    private void Script(string name, string body)
    {
        harness.Write(name, $"#!/bin/sh\n{body}\n");
        File.SetUnixFileMode(harness.Path(name), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static string[] With(string instruments) => instruments.Length == 0 ? [] : ["--with", instruments];

    private static string[] Words(string text) => text.Split(' ');

    private static void CopyFolder(string source, string destination)
    {
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(destination, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    [GeneratedRegex(@"test result: ok\. (\d+) passed")]
    private static partial Regex Passed();
}
