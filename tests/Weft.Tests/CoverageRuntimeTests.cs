using System.Diagnostics;

namespace Weft.Tests;

/// <summary>What threads, processes and their ends do to counts: the programs count themselves, and llvm-profdata reads what Weft wrote.</summary>
public sealed class CoverageRuntimeTests(CoverageRuntimeTests.Counting counting) : CountedPrograms, IClassFixture<CoverageRuntimeTests.Counting>
{
    /// <summary>The program that most tests run, built once for each level.</summary>
    public sealed class Counting : CountedPrograms
    {
        private readonly Dictionary<string, string> programs = [];

        public string At(string level) => programs.TryGetValue(level, out var known) ? known : programs[level] = Build("p" + level, "counting.c", level);
    }

    [TheoryNeeds("clang-22", "llvm-profdata-22")]
    [InlineData("-O0")]
    [InlineData("-O2")]
    public void One_set_of_counters_for_all_threads_counts_the_same(string level)
    {
        var program = Build("p", "counting.c", level, "--coverage-counters=atomic");
        foreach (var way in (string[])["work 5", "threads 16", "signals", "detached", "jump", "spin", "forks 3", "exec", "kill 3"])
        {
            foreach (var profile in Profiles) File.Delete(profile);
            var outcome = Harness.Run(program, way.Split(' '));
            Assert.Equal((way, Said(outcome, "step") + Said(outcome, "before")), (way, Counts(Profiles)["step"]));
        }
    }

    public static TheoryData<string, string, int> Ways
    {
        get
        {
            var data = new TheoryData<string, string, int>();
            foreach (var level in (string[])["-O0", "-O2"])
            {
                foreach (var way in (string[])["work 5", "threads 16", "requests 300", "signals", "detached", "jump", "spin", "forks 3"]) data.Add(way, level, 0);
                foreach (var way in (string[])["_exit 3", "quick_exit 3"]) data.Add(way, level, 3);
                data.Add("abort 3", level, 134);
                data.Add("crash 3", level, 139);
                data.Add("kill 3", level, 137);
            }
            return data;
        }
    }

    [TheoryNeeds("clang-22", "llvm-profdata-22")]
    [MemberData(nameof(Ways))]
    public void Every_call_is_counted_however_threads_and_processes_come_and_go(string way, string level, int exit)
    {
        var program = counting.At(level);
        var outcome = Harness.Run(program, way.Split(' '));
        Assert.True(outcome.ExitCode == exit, outcome.ToString());
        Assert.Empty(outcome.Errors);
        Assert.Equal(Said(outcome, "step"), Counts(Profiles)["step"]);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Handlers_at_exit_and_destructors_are_counted()
    {
        var program = counting.At("-O2");
        Harness.Must(program, "atexit");
        Assert.Equal(2, Counts(Profiles)["step"]);
        Harness.Environment["AT_END"] = "1";
        File.Delete(Profiles[0]);
        Assert.Contains("step 6", Harness.Must(program, "work", "5").Output, StringComparison.Ordinal);
        Assert.Equal(6, Counts(Profiles)["step"]);
    }

    [TheoryNeeds("clang-22", "llvm-profdata-22")]
    [InlineData("-O0")]
    [InlineData("-O2")]
    public void Counts_that_gather_between_calls_are_told_apart_when_one_of_them_does_not_come_back(string level)
    {
        Harness.Write("inlined.c", """
            #include <stdlib.h>
            #define INLINED static inline __attribute__((always_inline)) void
            INLINED one(int *x) { *x += 1; }
            INLINED like_one(int *x) { *x += 1; }
            INLINED two(int *x) { *x += 1; }
            __attribute__((noinline)) void leave(int x, int limit) { if (x >= limit) exit(0); }
            int main(int argc, char **argv) {
                for (int x = 0;;) {
                    one(&x); like_one(&x); one(&x); like_one(&x);
                    leave(x, argc * 20);
                    two(&x); two(&x);
                }
            }
            """);
        Harness.Must(Build("inlined", "inlined.c", level));
        var counts = Counts(Assert.Single(Profiles));
        Assert.Equal((8, 8, 6, 4), (counts["inlined.c:one"], counts["inlined.c:like_one"], counts["inlined.c:two"], counts["leave"]));
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_program_that_executes_another_goes_on_in_its_file()
    {
        var outcome = Harness.Must(counting.At("-O0"), "exec");
        Assert.Equal("before 4\nstep 6\n", outcome.Output);
        Assert.Equal(10, Counts(Assert.Single(Profiles))["step"]);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_file_of_an_older_process_with_the_same_id_is_replaced()
    {
        var program = counting.At("-O0");
        Harness.Must(program, "work", "4");
        var old = File.ReadAllBytes(Assert.Single(Profiles));
        // A shell's $$ is the id of what it executes.
        var outcome = Harness.Must("sh", "-c", "mkdir -p weft-out/coverage; cp kept weft-out/coverage/$$.profraw 2>/dev/null; exec \"$0\" work 3", program);
        Assert.Equal(4 + 3, Counts(Profiles)["step"]);
        File.WriteAllBytes(Harness.Path("kept"), old);
        foreach (var profile in Profiles) File.Delete(profile);
        outcome = Harness.Must("sh", "-c", "cp kept weft-out/coverage/$$.profraw; touch -d '1 hour ago' weft-out/coverage/$$.profraw; exec \"$0\" work 3", program);
        Assert.Equal(Said(outcome, "step"), Counts(Assert.Single(Profiles))["step"]);
    }

    [TheoryNeeds("clang-22", "llvm-profdata-22")]
    [InlineData("-O0")]
    [InlineData("-O2")]
    public void A_library_that_is_loaded_and_unloaded_again_and_again_keeps_its_counts(string level)
    {
        Build("library.so", "library.c", level, "-shared", "-fPIC");
        var outcome = Harness.Must(counting.At(level), "library", "50", Harness.Path("library.so"));
        var counts = Counts(Assert.Single(Profiles));
        Assert.Equal(Said(outcome, "inside"), counts["inside"]);
        Assert.Equal(50, counts["call"]);
        Assert.Equal(1, counts["main"]);
    }

    [Needs("clang-22", "llvm-profdata-22", "cc")]
    public void A_library_counts_in_a_program_that_was_not_woven()
    {
        Build("library.so", "library.c", "-O2", "-shared", "-fPIC");
        Harness.Write("plain.c", "void call(int); int main(void) { call(12); return 0; }");
        Harness.Must("cc", "plain.c", "library.so", "-Wl,-rpath,.", "-o", "plain");
        Harness.Must(Harness.Path("plain"));
        Assert.Equal(12, Counts(Profiles)["inside"]);
    }

    [TheoryNeeds("clang-22", "llvm-profdata-22")]
    [InlineData("-O0")]
    [InlineData("-O2")]
    public void A_program_can_write_reset_and_add_its_counts(string level)
    {
        Harness.Must(counting.At(level), "api");
        Assert.Equal(11, Counts(Harness.Path("first.out"))["step"]);
        Assert.Equal(22, Counts(Harness.Path("second.out"))["step"]);
        Assert.Equal(33, Counts(Profiles)["step"]);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_program_with_the_header_runs_without_Weft()
    {
        Harness.Must("clang-22", "-pthread", "-isystem", Path.Combine(Harness.Root, "runtime/include"), Path.Combine(Fixtures, "counting.c"), "-o", "p");
        Assert.Equal(2, Harness.Run(Harness.Path("p"), "api").ExitCode); // nothing fails, which the program takes for a fault
        Assert.Empty(Profiles);
    }

    [TheoryNeeds("cargo")]
    [InlineData("--test", "coverage")]
    [InlineData("--release", "--test", "coverage")]
    [InlineData("--doc", "coverage")]
    public void The_tests_of_the_crate_pass_when_they_are_woven(params string[] options)
    {
        var outcome = Harness.RunWeft(["cargo", "test", "--offline", "--manifest-path", Path.Combine(Harness.Root, "crates/weft/Cargo.toml"), "--target-dir", Harness.Path("target"), "--with", "coverage", .. options]);
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        Assert.Contains(options[^2] == "--doc" ? "test result: ok. 1 passed" : "test result: ok. 2 passed", outcome.Output, StringComparison.Ordinal);
        Assert.NotEmpty(Profiles);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void Processes_at_once_add_up_in_a_pool_of_files()
    {
        var program = counting.At("-O2");
        Harness.Environment["LLVM_PROFILE_FILE"] = "pool-%4m.profraw";
        Harness.Must("sh", "-c", "for i in $(seq 200); do \"$0\" threads 2 > /dev/null & done; wait", program);
        var files = Directory.GetFiles(Harness.Folder, "pool-*");
        Assert.Equal(4, files.Length);
        Assert.Equal(200 * 20002, Counts(files)["step"]);
        Assert.Equal(200, Counts(files)["main"]);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    [Trait("Category", "Slow")]
    public void A_thousand_processes_that_are_killed_lose_nothing()
    {
        var program = counting.At("-O2");
        Harness.Must("sh", "-c", "for i in $(seq 1000); do \"$0\" kill 100 > /dev/null 2>&1 & done; wait", program);
        Assert.Equal(1000 * 100, Counts(Profiles)["step"]);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_name_without_process_id_holds_the_last_process()
    {
        var program = counting.At("-O0");
        Harness.Environment["LLVM_PROFILE_FILE"] = "fixed.profraw";
        Harness.Must(program, "work", "4");
        Harness.Must(program, "work", "5");
        Assert.Equal(5, Counts(Assert.Single(Directory.GetFiles(Harness.Folder, "fixed*")))["step"]);
        Harness.Run(program, "kill", "6");
        Assert.Equal(5, Counts(Harness.Path("fixed.profraw"))["step"]);
        Assert.Equal(6, Counts(Assert.Single(Directory.GetFiles(Harness.Folder, "fixed*"), f => !f.EndsWith("profraw", StringComparison.Ordinal)))["step"]);
    }

    [Needs("clang-22", "llvm-profdata-22", "hostname")]
    public void Patterns_of_names_mean_what_they_mean_to_LLVM()
    {
        var program = counting.At("-O0");
        Harness.Environment["LLVM_PROFILE_FILE"] = "%t/%p/%h-%c%x.profraw";
        Harness.Environment["TMPDIR"] = Harness.Path("tmp");
        Harness.Must(program, "work", "4");
        var file = Assert.Single(Directory.GetFiles(Harness.Path("tmp"), "*", SearchOption.AllDirectories));
        Assert.Equal(Harness.Must("hostname").Output.Trim() + "-%x.profraw", Path.GetFileName(file));
        Assert.True(int.TryParse(Path.GetFileName(Path.GetDirectoryName(file)), out _), file);
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_profile_can_be_read_while_its_program_runs()
    {
        var program = counting.At("-O2");
        using var running = Process.Start(new ProcessStartInfo(program, ["wait", "77"]) { WorkingDirectory = Harness.Folder, RedirectStandardOutput = true, UseShellExecute = false })!;
        running.StandardOutput.ReadLine();
        Assert.Equal(77, Counts(Profiles)["step"]);
        running.Kill();
        running.WaitForExit();
        Assert.Equal(77, Counts(Profiles)["step"]);
    }

    [Needs("clang-22")]
    public void A_file_that_cannot_be_written_is_one_line_and_changes_nothing_else()
    {
        var program = counting.At("-O2");
        Harness.Environment["LLVM_PROFILE_FILE"] = "/proc/nowhere/%p";
        var outcome = Harness.Run(program, "threads", "8");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Matches("^weft: coverage: cannot write '/proc/nowhere/[0-9]+': No such file or directory\n$", outcome.Errors);
    }

    [Needs("clang-22", "llvm-profdata-22", "can-mount")]
    public void A_full_disk_is_one_line_and_room_made_later_is_used()
    {
        var program = counting.At("-O2");
        Directory.CreateDirectory(Harness.Path("small"));
        Harness.Must("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", Harness.Path("small"));
        try
        {
            Harness.Environment["LLVM_PROFILE_FILE"] = Harness.Path("small/%p.profraw");
            Harness.Must("sh", "-c", "head -c 16384 /dev/zero > small/fill");
            var outcome = Harness.Run(program, "threads", "8");
            Assert.Equal(0, outcome.ExitCode);
            Assert.Matches("^weft: coverage: cannot write '.*': No space left on device\n$", outcome.Errors);
            // Threads' counters find no room, and are added to the first's at the end.
            Harness.Must("sh", "-c", "head -c 12288 /dev/zero > small/fill; rm small/*.profraw");
            outcome = Harness.Run(program, "threads", "8");
            Assert.Equal(0, outcome.ExitCode);
            Assert.Equal(Said(outcome, "step"), Counts(Directory.GetFiles(Harness.Path("small"), "*.profraw"))["step"]);
        }
        finally
        {
            Harness.Must("umount", Harness.Path("small"));
        }
    }

    [Needs("clang-22", "aarch64-linux-gnu-gcc", "qemu-aarch64", "llvm-profdata-22")]
    public void Another_processor_counts_the_same()
    {
        var program = Build("p", "counting.c", "-O2", "--target=aarch64-linux-gnu", "-static");
        var outcome = Harness.Must("qemu-aarch64", program, "threads", "8");
        Assert.Equal(Said(outcome, "step"), Counts(Profiles)["step"]);
    }
}
