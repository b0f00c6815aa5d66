using System.Text.Json;
using Weft.Core;

namespace Weft.Tests;

/// <summary>
/// <c>weft interrupts profile</c> on real programs. What a profile says is held against what the program itself prints and
/// against sleeps and sorts of known place; how long anything takes decides about nothing.
/// </summary>
public sealed class InterruptsProfileTests : IDisposable
{
    private const string Program = """
        #include <pthread.h>
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/prctl.h>
        #include <sys/wait.h>
        #include <unistd.h>
        #include <weft/interrupts.h>

        static unsigned long long fired[3], seen;
        __attribute__((noinline)) unsigned work(unsigned n) { unsigned x = 1; for (unsigned i = 0; i < n; i++) x = x * 1664525u + (x >> 7) + i; return x; }
        __attribute__((noinline)) static void dwell(void) { usleep(300 * 1000); }
        __attribute__((no_profile_instrument_function)) static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
        __attribute__((noinline)) static int sort_much(void) {
            int count = 1000000, *numbers = malloc(count * sizeof *numbers);
            for (int i = 0; i < count; i++) numbers[i] = rand();
            qsort(numbers, count, sizeof *numbers, compare);
            return numbers[count / 2];
        }
        static void *run(void *argument) {
            long k = (long)argument;
            prctl(PR_SET_NAME, k == 1 ? "one" : "two");
            unsigned x = work(3000000);
            fired[k] = weft_interrupts_fired();
            return (void *)(long)(x & 1);
        }
        static void count(uint64_t units, void *argument) { seen++; }
        int main(int argc, char **argv) {
            const char *mode = argc > 1 ? argv[1] : "";
            unsigned x = work(3000000);
            pthread_t threads[2];
            for (long k = 0; k < 2; k++) pthread_create(&threads[k], NULL, run, (void *)(k + 1));
            for (int k = 0; k < 2; k++) pthread_join(threads[k], NULL);
            if (!strcmp(mode, "own")) { weft_interrupts_register(WEFT_INTERRUPTS_DEFAULT, 20000, count, NULL); x += work(4000000); }
            if (!strcmp(mode, "gaps")) { dwell(); x += sort_much(); }
            if (!strcmp(mode, "kill")) raise(SIGKILL);
            if (!strcmp(mode, "_exit")) _exit(0);
            if (!strcmp(mode, "fork") && fork() == 0) { x += work(4000000); exit(x == 0); }
            if (!strcmp(mode, "fork")) wait(NULL);
            fired[0] = weft_interrupts_fired();
            printf("%llu %llu %llu %llu %u\n", fired[0], fired[1], fired[2], seen, x & 1);
            return 3;
        }
        """;

    private const string Sound = """
        {"format":"weft-interrupts-profile","version":1,"program":"/nowhere/prog","pid":12,"clock":"cycles","interval":10000,"ticks_per_second":2500000000,"refused":0,"threads_left_out":0,
        "threads":[{"id":12,"name":"<b>&","ended":false,"own_handler":false,"interrupts":3,"ticks":60000,"units":9,"handler_ticks":30,"longest_ticks":40000,"longest_units":4,
        "ticks_histogram":[[9728,2],[38912,1]],"units_histogram":[[2,1],[3,1],[4,1]],"gaps":[{"ticks":40000,"units":4,"from":4198401,"to":4198500}]}],
        "modules":[{"path":"/nowhere/prog","build_id":"ab","base":0,"start":4194304,"end":4202496}]}
        """;

    private readonly Harness harness = new();

    public InterruptsProfileTests() => harness.Environment["WEFT_CC"] = "clang-22";

    public void Dispose() => harness.Dispose();

    [Needs("clang-22")]
    public void Every_thread_has_its_distribution_and_every_interval_is_in_it()
    {
        var outcome = Profile("threads");
        Assert.Equal(3, outcome.ExitCode);
        var printed = outcome.Output.Split(' ').Take(3).Select(ulong.Parse).ToArray();
        using var profile = Kept("kept.json");
        var threads = Threads(profile.RootElement);
        Assert.Equal(["one", "prog", "two"], threads.Select(t => Name(t)).Order(StringComparer.Ordinal));
        foreach (var (name, counted) in ((string[])["prog", "one", "two"]).Zip(printed))
        {
            var thread = threads.Single(t => Name(t) == name);
            var interrupts = thread.GetProperty("interrupts").GetUInt64();
            Assert.InRange(interrupts, Math.Max(counted, 1), counted + 2); // the last may come after the thread looked
            Assert.Equal((interrupts, interrupts), (Sum(thread, "ticks_histogram"), Sum(thread, "units_histogram")));
            Assert.Equal(name != "prog", thread.GetProperty("ended").GetBoolean());
        }
        var text = harness.Must(Harness.Weft, "interrupts", "report", "kept.json").Output;
        foreach (var mention in (string[])["3 threads", "p99", "longest gaps", " one: ", " work"]) Assert.Contains(mention, text, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void Points_on_the_canonical_count_have_a_profile_that_every_run_repeats()
    {
        harness.Write("prog.c", Program);
        List<string> runs = [];
        foreach (var level in (string[])["-O0", "-O2", "-O2"])
        {
            harness.Must(Harness.Weft, "cc", "--with=interrupts,metering", "--interrupts-clock=instructions", level, "-w", "-pthread", "prog.c", "-o", "prog");
            harness.RunWeft("interrupts", "profile", "--interval", "5000", "--keep", "kept.json", "--", "./prog");
            using var profile = Kept("kept.json");
            var threads = Threads(profile.RootElement);
            Assert.Equal(["one", "prog", "two"], threads.Select(t => Name(t)).Order(StringComparer.Ordinal));
            Assert.All(threads, t => Assert.True(t.GetProperty("interrupts").GetUInt64() > 1000));
            runs.Add(string.Join(' ', threads.OrderBy(Name, StringComparer.Ordinal).Select(t => $"{t.GetProperty("interrupts")} {t.GetProperty("units_histogram").GetRawText()}")));
        }
        Assert.Single(runs.Distinct());
    }

    [Needs("clang-22")]
    public void A_long_gap_ends_in_the_function_that_made_it()
    {
        Profile("gaps", "--json", "--top", "1000", "-o", "out.json");
        using var json = Kept("out.json");
        var process = json.RootElement.GetProperty("processes")[0];
        var gaps = process.GetProperty("longest_gaps").EnumerateArray().ToList();
        var slept = gaps.First(g => g.GetProperty("to").GetProperty("function").GetString() == "dwell");
        Assert.True(slept.GetProperty("ticks").GetUInt64() > process.GetProperty("ticks_per_second").GetUInt64() / 4);
        Assert.Contains(gaps, g => g.GetProperty("to").GetProperty("function").GetString() == "sort_much");
        if (ChildProcess.Find("addr2line") == null) return;
        var line = 1 + Array.FindIndex(Program.Split('\n'), l => l.Contains("void dwell(void)", StringComparison.Ordinal));
        Assert.Equal(line, slept.GetProperty("to").GetProperty("line").GetInt32());
        Assert.EndsWith("prog.c", slept.GetProperty("to").GetProperty("file").GetString(), StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void A_stripped_program_and_one_built_again_still_have_a_report()
    {
        Profile("threads");
        harness.Must("cc", "-x", "c", "-o", "prog", "/dev/null", "-Wl,--defsym=main=0");
        var outcome = harness.Must(Harness.Weft, "interrupts", "report", "kept.json");
        Assert.Contains("built again", outcome.Errors, StringComparison.Ordinal);
        Assert.Contains("longest gaps", outcome.Output, StringComparison.Ordinal);
        Build("prog", "-s");
        Assert.Contains("longest gaps", harness.RunWeft("interrupts", "profile", "--", "./prog").Errors, StringComparison.Ordinal);
    }

    [Needs("cargo")]
    public void Rust_programs_have_profiles_with_Rust_names()
    {
        harness.Write("Cargo.toml", "[package]\nname = \"spin\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[profile.release]\ndebug = 1\n");
        harness.Write("src/main.rs", """
            #[inline(never)]
            fn churn(n: u32) -> u32 { (0..n).fold(1u32, |x, i| x.wrapping_mul(1664525).wrapping_add(x >> 7).wrapping_add(i)) }
            fn main() {
                let threads: Vec<_> = (0..2).map(|k| std::thread::Builder::new().name(format!("worker{k}")).spawn(move || churn(std::hint::black_box(3_000_000))).unwrap()).collect();
                let sum = threads.into_iter().fold(churn(std::hint::black_box(3_000_000)), |s, t| s ^ t.join().unwrap());
                println!("{}", sum & 1);
            }
            """);
        harness.Must(Harness.Weft, "cargo", "build", "--release", "--with", "interrupts");
        var program = Directory.EnumerateFiles(harness.Path("target/weft"), "spin", SearchOption.AllDirectories).First(f => f.EndsWith("release/spin", StringComparison.Ordinal));
        var outcome = harness.Must(Harness.Weft, "interrupts", "profile", "--keep", "kept.json", "--", program);
        Assert.Contains("spin::churn", outcome.Errors, StringComparison.Ordinal);
        using var profile = Kept("kept.json");
        var threads = Threads(profile.RootElement);
        Assert.Equal(["spin", "worker0", "worker1"], threads.Select(t => Name(t)).Order(StringComparer.Ordinal));
        Assert.All(threads, t => Assert.Equal(t.GetProperty("interrupts").GetUInt64(), Sum(t, "ticks_histogram")));
    }

    [Needs("clang-22")]
    public void The_programs_own_handler_wins_and_the_profile_says_so()
    {
        var outcome = Profile("own");
        Assert.NotEqual("0", outcome.Output.Split(' ')[3]);
        using var profile = Kept("kept.json");
        Assert.Equal(["prog"], Threads(profile.RootElement).Where(t => t.GetProperty("own_handler").GetBoolean()).Select(t => Name(t)));
        Assert.Contains("handler of its own", outcome.Errors, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void A_build_whose_probes_poll_is_profiled_by_the_flag_and_by_nothing_else()
    {
        Build("prog", "--interrupts-clock=flag");
        var outcome = harness.RunWeft("interrupts", "profile", "--", "./prog");
        Assert.Equal(3, outcome.ExitCode);
        Assert.Contains("one every 100,000 ns", outcome.Errors, StringComparison.Ordinal);
        var refused = harness.RunWeft("interrupts", "profile", "--clock", "cycles", "--", "./prog");
        Assert.Equal((int)ExitCode.Failure, refused.ExitCode);
        Assert.Contains("no probes for the clock 'cycles'", refused.Errors, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void A_forked_child_begins_at_zero_and_writes_a_file_of_its_own()
    {
        Build("prog");
        harness.Environment["WEFT_INTERRUPTS_PROFILE"] = "p.json";
        Assert.Equal(3, harness.Run(harness.Path("prog"), "fork").ExitCode);
        var child = Assert.Single(Directory.EnumerateFiles(harness.Folder), f => Path.GetFileName(f).StartsWith("p.json.", StringComparison.Ordinal));
        using var profile = Kept(child);
        var thread = Assert.Single(Threads(profile.RootElement));
        Assert.InRange(Sum(thread, "ticks_histogram"), 1UL, ulong.MaxValue);
        using var parent = Kept("p.json");
        Assert.Equal(3, Threads(parent.RootElement).Count);
    }

    [Needs("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    public void On_aarch64_too()
    {
        harness.Write("prog.c", Program);
        harness.Must(Harness.Weft, "cc", "--with=interrupts", "--target=aarch64-linux-gnu", "-O2", "-g", "prog.c", "-o", "arm");
        harness.Environment["WEFT_INTERRUPTS_PROFILE"] = "p.json";
        harness.Environment["WEFT_INTERRUPTS_INTERVAL"] = "1000";
        Assert.Equal(3, harness.Run("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", harness.Path("arm")).ExitCode);
        Assert.Contains(" work", harness.Must(Harness.Weft, "interrupts", "report", "p.json").Output, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void The_cost_is_told_against_the_plain_program()
    {
        Build("prog");
        harness.Must("clang-22", "-O2", "-I", Path.Combine(Harness.Root, "runtime/include"), "prog.c", "-o", "plain");
        var outcome = harness.RunWeft("interrupts", "profile", "--plain", "./plain", "--", "./prog");
        Assert.Matches(@"plain [\d.]+ s; woven, nothing registered [\d.]+ s \(.*\); profiled", outcome.Errors);
    }

    [Needs("clang-22")]
    public void A_program_that_writes_no_profile_is_told_why()
    {
        Build("prog");
        var killed = harness.RunWeft("interrupts", "profile", "--", "./prog", "kill");
        Assert.Equal(128 + 9, killed.ExitCode);
        Assert.Contains("error: signal 9 ended", killed.Errors, StringComparison.Ordinal);
        Harness.AssertToldWell(harness.RunWeft("interrupts", "profile", "--", "./prog", "_exit"), ExitCode.Failure, "left no profile", "_exit()");
    }

    [Needs("cc")]
    public void What_is_not_woven_or_not_there_is_refused()
    {
        Harness.AssertToldWell(harness.RunWeft("interrupts", "profile", "--", "/bin/true"), ExitCode.Failure, "not built with interrupts", "--with interrupts");
        Harness.AssertToldWell(harness.RunWeft("interrupts", "profile", "--unchecked", "--", "/bin/true"), ExitCode.Failure, "no code built with interrupts");
        Harness.AssertToldWell(harness.RunWeft("interrupts", "profile", "--", "./nowhere"), ExitCode.Failure, "no program './nowhere'");
        Harness.AssertToldWell(harness.RunWeft("interrupts", "profile", "--", "/tmp"), ExitCode.Failure, "folder");
        harness.Write("script", "#!/bin/sh\n");
        Harness.AssertToldWell(harness.RunWeft("interrupts", "profile", "--", "./script"), ExitCode.Failure, "cannot run");
        Harness.AssertToldWell(harness.RunWeft("interrupts", "report", "nowhere"), ExitCode.Failure, "no profile 'nowhere'");
    }

    [Fact]
    public void The_page_needs_nothing_beside_it_and_escapes_what_it_shows()
    {
        harness.Must(Harness.Weft, "interrupts", "report", harness.Write("p.json", Sound), "--html", "p.html");
        var page = File.ReadAllText(harness.Path("p.html"));
        foreach (var outside in (string[])["http", "src=", "href=", "url(", "@import", "<script", "<b>"]) Assert.DoesNotContain(outside, page, StringComparison.Ordinal);
        foreach (var part in (string[])["<svg", "&lt;b&gt;&amp;", "color-scheme: light dark", "40,000", "p99"]) Assert.Contains(part, page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_profile_cut_short_anywhere_is_refused()
    {
        for (var length = 0; length < Sound.TrimEnd().Length; length += 97)
            Harness.AssertToldWell(harness.RunWeft("interrupts", "report", harness.Write($"cut-{length}.json", Sound[..length])), ExitCode.Failure, $"cut-{length}.json");
    }

    [Theory]
    [InlineData("\"format\":\"weft-interrupts-profile\"", "\"format\":\"weft-metering\"", "not an interrupts profile")]
    [InlineData("\"version\":1", "\"version\":2", "version 2")]
    [InlineData("\"pid\":12", "\"pid\":\"12\"", "field")]
    [InlineData("\"interrupts\":3", "\"interrupts\":4", "field")]
    [InlineData("[9728,2]", "[9728,18446744073709551615]", "field")]
    [InlineData("[9728,2]", "[9728,0]", "field")]
    [InlineData("[9728,2]", "[48912,2]", "field")]
    [InlineData("[9728,2]", "[9728]", "field")]
    [InlineData("[9728,2]", "7", "field")]
    [InlineData("\"units\":4", "\"units\":-4", "field")]
    public void What_is_no_profile_is_refused(string sound, string damaged, string mention) =>
        Harness.AssertToldWell(harness.RunWeft("interrupts", "report", harness.Write("r.json", Sound.Replace(sound, damaged, StringComparison.Ordinal))), ExitCode.Failure, "r.json", mention);

    [Theory]
    [InlineData("/dev/zero")]
    [InlineData("-o")]
    [InlineData("/bin/sh\\u0000x")]
    public void Names_of_strange_modules_do_no_harm(string path) =>
        Assert.Contains("longest gaps", harness.Must(Harness.Weft, "interrupts", "report", harness.Write("r.json", Sound.Replace("\"path\":\"/nowhere/prog\"", $"\"path\":\"{path}\"", StringComparison.Ordinal))).Output, StringComparison.Ordinal);

    [Fact]
    public void Extreme_figures_are_printed_all_the_same()
    {
        var extreme = Sound.Replace("[38912,1]", "[18446744073709551615,1]", StringComparison.Ordinal).Replace("2500000000", "0", StringComparison.Ordinal)
            .Replace("\"to\":4198500", "\"to\":0", StringComparison.Ordinal).Replace("\"longest_ticks\":40000", "\"longest_ticks\":18446744073709551615", StringComparison.Ordinal);
        Assert.Contains("18,446,744,073,709,551,615", harness.Must(Harness.Weft, "interrupts", "report", harness.Write("r.json", extreme), "--html", "p.html").Output, StringComparison.Ordinal);
    }

    private Outcome Profile(string mode, params string[] options)
    {
        Build("prog");
        var outcome = harness.RunWeft(["interrupts", "profile", "--keep", "kept.json", .. options, "--", "./prog", mode]);
        Assert.True(outcome.ExitCode == 3, outcome.ToString());
        return outcome;
    }

    private void Build(string name, params string[] options)
    {
        harness.Write("prog.c", Program);
        harness.Must(Harness.Weft, ["cc", "--with=interrupts", "-O2", "-g", "-Wl,--build-id", .. options, "prog.c", "-o", name, "-lpthread"]);
    }

    private JsonDocument Kept(string name) => JsonDocument.Parse(File.ReadAllText(harness.Path(name)));

    private static List<JsonElement> Threads(JsonElement profile) => [.. profile.GetProperty("threads").EnumerateArray()];

    private static string? Name(JsonElement thread) => thread.GetProperty("name").GetString();

    private static ulong Sum(JsonElement thread, string histogram) => thread.GetProperty(histogram).EnumerateArray().Aggregate(0UL, (sum, b) => sum + b[1].GetUInt64());
}
