using System.Text.Json;
using Weft.Core;

namespace Weft.Tests;

/// <summary><c>weft hotpatch apply</c>, <c>revert</c> and <c>list</c> on running programs.</summary>
public sealed class HotpatchApplyTests : HotpatchedPrograms
{
    [Needs("clang-22")]
    public void A_program_gets_a_patch_and_one_on_top_and_loses_them_again()
    {
        var process = Ticking();
        Assert.Matches(@"^patch 1: 4 functions replaced in \d+\.\d{3} µs\n$", Must(Apply(process, Built.Second)).Output);
        AssertVersion(2, process);
        Must(Apply(process, Built.ThirdAfterSecond));
        AssertVersion(3, process);
        Assert.Matches(@"^   1  applied       4 functions +\d+\.\d{3} µs  [0-9a-f]{12}  second\n   2  applied       3 functions +\d+\.\d{3} µs  [0-9a-f]{12}  third-after-second\n$", List(process));
        Assert.Equal("1 taken back, 1 applied\n", Must(Revert(process)).Output);
        AssertVersion(2, process);
        Assert.Equal("1 taken back, 0 applied\n", Must(Revert(process, "--keep", "0")).Output);
        AssertVersion(1, process);
        Assert.Equal("0 taken back, 0 applied\n", Must(Revert(process)).Output);
        Assert.Matches(@"^   1  reverted .*\n   2  reverted .*\n$", List(process));
        Assert.StartsWith("patch 3: ", Must(Apply(process, Built.Second)).Output, StringComparison.Ordinal);
        AssertVersion(2, process);
    }

    [Needs("clang-22")]
    public void Of_several_patches_all_are_applied_or_none()
    {
        var process = Ticking();
        var refused = Apply(process, Built.Second, Built.ThirdAfterSecond, Built.Second);
        Harness.AssertToldWell(refused, ExitCode.Failure, "second.patch", "is applied already", "nothing is applied");
        Assert.Equal("", refused.Output);
        AssertVersion(1, process);
        Assert.Equal(2, Must(Apply(process, Built.Second, Built.ThirdAfterSecond)).Output.Split("functions replaced").Length - 1);
        AssertVersion(3, process);
    }

    [Needs("clang-22")]
    public void A_list_for_programs_says_all_of_a_patch()
    {
        var process = Ticking();
        Assert.Equal("[]", Must(Hotpatch(process, "list", "--json")).Output.Trim());
        Must(Apply(process, Built.Second));
        var patch = Assert.Single(JsonDocument.Parse(Must(Hotpatch(process, "list", "--json", "--functions")).Output).RootElement.EnumerateArray());
        Assert.Equal(1, patch.GetProperty("number").GetInt32());
        Assert.Equal("applied", patch.GetProperty("state").GetString());
        Assert.Equal("second", patch.GetProperty("name").GetString());
        Assert.Equal(4, patch.GetProperty("functionCount").GetInt32());
        Assert.InRange(patch.GetProperty("switchNanoseconds").GetInt64(), 1, 1_000_000_000);
        Assert.Matches("^[0-9a-f]{32}$", patch.GetProperty("id").GetString());
        Assert.Equal(["answer", "go_wrong", "linger", "twice"], patch.GetProperty("functions").EnumerateArray().Select(f => f.GetString()));
    }

    [Needs("clang-22")]
    public void A_patch_whose_turn_is_not_come_is_refused()
    {
        var process = Ticking();
        Harness.AssertToldWell(Apply(process, Built.ThirdAfterSecond), ExitCode.Failure, "builds on is not applied");
        Must(Apply(process, Built.Second));
        Harness.AssertToldWell(Apply(process, Built.Second), ExitCode.Failure, "is applied already");
        AssertVersion(2, process);
        Must(Revert(process));
        Harness.AssertToldWell(Apply(process, Built.ThirdAfterSecond), ExitCode.Failure, "builds on is not applied");
        AssertVersion(1, process);
    }

    [Needs("clang-22")]
    public void Hooks_see_each_switch_and_may_refuse_it_and_nothing_comes_in_between()
    {
        string[] during = ["meanwhile 5", "another patch is being applied"];
        Assert.Equal(
            ["before second", .. during, "count 0", "within 5", "after second", "functions 4", "apply 0", "before second", .. during, "count 1", "within 5", "revert 10", "answer 2", "revert 0", "answer 1"],
            Run("hooked", Built.Second));
    }

    [Needs("clang-22")]
    public void A_forked_child_has_the_patches_and_goes_its_own_way() =>
        Assert.Equal(["child 2", "child 1", "child 3", "count 1", "status 0", "parent 2"], Run("fork", Built.Second, Built.Third));

    [TheoryNeeds("clang-22")]
    [InlineData("SIGSEGV", 139, "SIGSEGV in go_wrong of patch second (number 1)\n")]
    [InlineData("SIGILL", 132, "SIGILL in go_wrong of patch second (number 1)\n")]
    [InlineData("SIGFPE", 136, "SIGFPE in go_wrong of patch second (number 1)\n")]
    [InlineData("SIGABRT", 134, "SIGABRT in what go_wrong of patch second (number 1) called\n")]
    [InlineData("library", 139, "SIGSEGV in what go_wrong of patch second (number 1) called\n")]
    [InlineData("elsewhere", 134, "")]
    [InlineData("own-SIGSEGV", 3, "SIGSEGV in go_wrong of patch second (number 1)\n")]
    public void A_crash_names_the_patch_that_it_is_in_and_ends_as_it_would_have(string how, int exitCode, string told)
    {
        var outcome = Harness.Run("sh", "-c", "ulimit -c 0; \"$@\"; exit $?", "sh", Built.Program, "crash", how, Built.Second);
        Assert.Equal(exitCode, outcome.ExitCode);
        Assert.Equal(told.Length > 0 ? $"weft: hotpatch: {told}" : "", string.Concat(outcome.Errors.Split('\n').Where(l => l.StartsWith("weft:", StringComparison.Ordinal)).Select(l => l + "\n")));
        Assert.Equal(exitCode == 3 ? "own handler\n" : "", outcome.Output);
    }

    [Needs("clang-22")]
    public void A_program_that_is_killed_by_its_patch_is_reported_as_ended()
    {
        var process = Ticking();
        process.Kill();
        process.WaitForExit();
        Harness.AssertToldWell(Apply(process, Built.Second), ExitCode.Failure, $"there is no process {process.Id}");
    }

    [Needs("clang-22")]
    public void Programs_that_cannot_be_patched_are_told_apart()
    {
        var plain = StartProgram("sleep", "100");
        Harness.AssertToldWell(Apply(plain, Built.Second), ExitCode.Failure, "does not listen", "--with hotpatch");
        var deaf = Ticking("deaf");
        Harness.AssertToldWell(Apply(deaf, Built.Second), ExitCode.Failure, "does not answer", "block SIGURG");
        AssertVersion(1, deaf);
    }

    [Needs("clang-22")]
    public void Two_tools_at_once_do_not_get_into_each_others_way()
    {
        var process = Ticking("linger", "sleeps");
        var first = StartProgram(Harness.Weft, "hotpatch", "apply", "--wait", "20", "--pid", $"{process.Id}", Built.Second);
        AssertVersion(2, process);
        Harness.AssertToldWell(Apply(process, Built.Third), ExitCode.Failure, "another 'weft hotpatch' is working on process");
        Harness.Must("kill", "-USR1", $"{process.Id}");
        Assert.True(first.WaitForExit(10_000));
        Assert.True(first.ExitCode == 0, first.StandardError.ReadToEnd());
        Must(Revert(process));
    }

    [Needs("clang-22", "setpriv")]
    public void Another_user_is_refused()
    {
        if (Environment.UserName != "root") return;
        var process = Ticking();
        File.SetUnixFileMode(Built.Harness.Folder, (UnixFileMode)0x1FF);
        var outcome = Harness.Run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/tmp", Harness.Weft, "hotpatch", "apply", "--pid", $"{process.Id}", Built.Second);
        Harness.AssertToldWell(outcome, ExitCode.Failure, "belongs to another user");
        AssertVersion(1, process);
    }

    [Needs("clang-22", "setpriv")]
    public void Root_patches_the_program_of_another_user()
    {
        if (Environment.UserName != "root") return;
        File.SetUnixFileMode(Built.Harness.Folder, (UnixFileMode)0x1FF);
        var process = StartProgram("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", Built.Program);
        AssertVersion(1, process);
        Must(Apply(process, Built.Second, "--wait", "5"));
        AssertVersion(2, process);
    }

    [Needs("clang-22")]
    public void A_program_whose_file_is_gone_is_patched()
    {
        File.Copy(Built.Program, Harness.Path("copy"));
        var process = StartProgram(Harness.Path("copy"));
        AssertVersion(1, process);
        File.Delete(Harness.Path("copy"));
        Must(Apply(process, Built.Second));
        AssertVersion(2, process);
    }

    [Needs("clang-22")]
    public void A_program_that_is_not_position_independent_is_patched()
    {
        Built.Link("fixed", "-no-pie");
        AssertPatched("fixed");
    }

    [Needs("clang-22", "/usr/lib/x86_64-linux-gnu/libc.a")]
    public void A_static_program_is_patched()
    {
        Built.Link("static", "-static");
        AssertPatched("static");
    }

    [Needs("clang-22")]
    public void A_library_that_is_loaded_and_unloaded_takes_its_patches_along()
    {
        Harness.Environment["WEFT_CC"] = "clang-22";
        Harness.Write("library.c", "int inner(int x) { __asm__ volatile(\"\" : \"+r\"(x)); return x + VERSION; }\nint outer(int x) { return inner(x); }\n");
        Harness.Write("host.c", """
            #include <dlfcn.h>
            #include <stdio.h>
            #include <weft/hotpatch.h>
            static void *library;
            static int call(void) { return ((int (*)(int))dlsym(library, "outer"))(0); }
            static void load(void) { library = dlopen("./lib.so", RTLD_NOW | RTLD_LOCAL); }
            static void unload(void) {
                dlclose(library);
                if (dlopen("./lib.so", RTLD_NOW | RTLD_NOLOAD)) puts("still there");
            }
            int main(int count, char **words) {
                char why[256] = "";
                (void)count;
                for (int i = 0; i < 3; i++) {
                    printf("%d %s\n", weft_hotpatch_apply(words[1], why, sizeof why), why);
                    load();
                    printf("%d\n", weft_hotpatch_apply(words[1], why, sizeof why));
                    printf("%d %u\n", call(), weft_hotpatch_count());
                    unload();
                    printf("%u\n", weft_hotpatch_count());
                }
                load();
                printf("%d\n", call());
                return weft_hotpatch_revert_to(0);
            }
            """);
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O2", "-fPIC", "-DVERSION=1", "-c", "library.c", "-o", "library.o");
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-shared", "library.o", "-o", "lib.so");
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O2", "-fPIC", "-DVERSION=2", "-c", "library.c", "-o", "library.o");
        Harness.Must(Harness.Weft, "hotpatch", "build", "--program", "lib.so", "-o", "l.patch", "library.o");
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O2", "host.c", "-o", "host");
        const string round = "2 the patch is for another build of the program: build it for the one that runs|0|2 1|0|";
        Assert.Equal($"{round}{round}{round}1|", Harness.Must(Harness.Path("host"), "l.patch").Output.Replace('\n', '|'));
    }

    [TheoryNeeds("clang-22", "/usr/lib/x86_64-linux-gnu/libc.a")]
    [InlineData("-O2")]
    [InlineData("-static")]
    [InlineData("-static-libgcc", "-static-libstdc++")]
    public void Exceptions_go_through_patches_however_the_unwinder_is_linked(params string[] flags)
    {
        Harness.Environment["WEFT_CC"] = "clang-22";
        Harness.Environment["WEFT_CXX"] = "clang++-22";
        Harness.Write("middle.cc", "int middle(int (*f)(int), int x) { struct Guard { int *c; ~Guard() { ++*c; } }; extern int cleaned; Guard guard{&cleaned}; return f(x) + VERSION; }\n");
        Harness.Write("main.cc", """
            #include <cstdio>
            #include <weft/hotpatch.h>
            int cleaned;
            int middle(int (*)(int), int);
            static int thrower(int x) { if (x > 5) throw x; return x; }
            static void call(int x) { try { printf("%d\n", middle(thrower, x)); } catch (int e) { printf("caught %d, cleaned %d\n", e, cleaned); } }
            int main(int, char **words) {
                char why[256] = "";
                call(1), call(7);
                printf("%d%s\n", weft_hotpatch_apply(words[1], why, sizeof why), why);
                call(1), call(7);
            }
            """);
        Harness.Must(Harness.Weft, "c++", "--with=hotpatch", "-O1", "-DVERSION=1", "-c", "middle.cc", "-o", "middle.o");
        Harness.Must(Harness.Weft, ["c++", "--with=hotpatch", "-O1", "main.cc", "middle.o", "-o", "throws", .. flags]);
        Harness.Must(Harness.Weft, "c++", "--with=hotpatch", "-O1", "-DVERSION=2", "-c", "middle.cc", "-o", "middle.o");
        Harness.Must(Harness.Weft, "hotpatch", "build", "--program", "throws", "-o", "t.patch", "middle.o");
        Assert.Equal("2\ncaught 7, cleaned 2\n0\n3\ncaught 7, cleaned 4\n", Harness.Must(Harness.Path("throws"), "t.patch").Output);
    }

    [TheoryNeeds("clang-22", "gcc", "aarch64-linux-gnu-gcc")]
    [InlineData("clang-22")]
    [InlineData("gcc")]
    [InlineData("aarch64-linux-gnu-gcc")]
    public void The_runtime_compiles_without_a_warning(string compiler)
    {
        foreach (var source in Directory.GetFiles(Path.Combine(Harness.Root, "runtime"), "hotpatch*.c"))
            Harness.Must(compiler, "-std=c11", "-D_GNU_SOURCE", "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror", "-I", Path.Combine(Harness.Root, "runtime/include"), "-c", source, "-o", "/dev/null");
    }

    [Needs("clang-22")]
    public void The_time_of_a_switch_of_a_thousand_functions_is_told()
    {
        Harness.Environment["WEFT_CC"] = "clang-22";
        string Functions(int version) => string.Concat(Enumerable.Range(0, 1000).Select(i => $"int f{i}(int x) {{ return x * {i + 3} + {version}; }}\n"));
        Harness.Write("main.c", "#include <stdio.h>\n#include <unistd.h>\nint f999(int);\nint main(void) { for (;;) { printf(\"answer %d\\n\", f999(0)); fflush(stdout); usleep(2000); } }\n");
        Harness.Write("many.c", Functions(1));
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O1", "main.c", "many.c", "-o", "many");
        Harness.Write("many.c", Functions(2));
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O1", "-c", "many.c", "-o", "many.o");
        Harness.Must(Harness.Weft, "hotpatch", "build", "--program", "many", "-o", "many.patch", "many.o");
        var process = StartProgram(Harness.Path("many"));
        AssertVersion(1, process);
        Assert.Matches(@"^patch 1: 1000 functions replaced in \d+\.\d{3} µs\n$", Must(Apply(process, Harness.Path("many.patch"), "--wait", "5")).Output);
        AssertVersion(2, process);
        Assert.Matches(@"^   1  applied    1000 functions +\d+\.\d{3} µs  [0-9a-f]{12}  many\n$", List(process));
        Assert.Equal(1000, Must(Hotpatch(process, "list", "--functions")).Output.Split("\n      f").Length - 1);
        Must(Revert(process, "--wait", "5"));
        AssertVersion(1, process);
    }

    private void AssertPatched(string program)
    {
        var patch = Built.BuildFor(program, $"for-{program}", 2);
        var process = StartProgram(Built.Harness.Path(program));
        AssertVersion(1, process);
        Must(Apply(process, patch));
        AssertVersion(2, process);
        Must(Revert(process));
        AssertVersion(1, process);
    }
}
