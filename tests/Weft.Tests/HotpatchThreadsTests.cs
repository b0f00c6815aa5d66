using Weft.Core;

namespace Weft.Tests;

/// <summary>Threads that are inside what is replaced, and threads that call it while it is.</summary>
public sealed class HotpatchThreadsTests : HotpatchedPrograms
{
    [TheoryNeeds("clang-22")]
    [InlineData("sleeps")]
    [InlineData("spins")]
    [InlineData("handler")]
    public void A_thread_that_stays_inside_has_the_patch_taken_back_and_one_that_leaves_lets_it_stay(string how)
    {
        var process = Ticking("linger", how);
        var late = Apply(process, Built.Second, "--wait", "0.3");
        Harness.AssertToldWell(late, ExitCode.CheckFailed, "after 0.3 seconds", "was taken back", "(worker) is in linger");
        Assert.Equal("", late.Output);
        AssertVersion(1, process);
        var told = Must(Apply(process, Built.Second));
        Assert.Contains("(worker) is in linger, and goes on with the code that it had", told.Errors, StringComparison.Ordinal);
        AssertVersion(2, process);
        Must(Revert(process, "--wait", "5"));
        AssertVersion(1, process);
        var waiting = StartProgram(Harness.Weft, "hotpatch", "apply", "--wait", "20", "--pid", $"{process.Id}", Built.Third);
        Thread.Sleep(300);
        Assert.False(waiting.HasExited);
        Harness.Must("kill", "-USR1", $"{process.Id}");
        Assert.True(waiting.WaitForExit(10_000));
        Assert.True(waiting.ExitCode == 0, waiting.StandardError.ReadToEnd());
        if (how != "handler") Assert.Contains("ended 1", Until(process, "ended"), StringComparison.Ordinal);
        AssertVersion(3, process);
    }

    [Needs("clang-22")]
    public void A_thread_that_lingers_in_a_patch_keeps_it_from_being_taken_back()
    {
        Assert.Equal(["revert 0", "wait 15", " is in linger", "wait 0", "version 2"], Run("waiting-in-patch", Built.Second));
    }

    [Needs("clang-22")]
    public void A_thread_that_cannot_be_looked_at_counts_as_inside()
    {
        var process = Ticking("linger", "deaf");
        Harness.AssertToldWell(Apply(process, Built.Second, "--wait", "0.3"), ExitCode.CheckFailed, "(worker) cannot be looked at: it runs, and blocks SIGURG", "was taken back");
        AssertVersion(1, process);
    }

    [Needs("clang-22")]
    public void Other_signals_do_not_cut_a_request_short()
    {
        var process = Ticking("alarms");
        for (var i = 0; i < 8; i++)
        {
            Must(Apply(process, "--wait", "5", i % 2 == 0 ? Built.Second : Built.Third));
            Must(Revert(process, "--wait", "5"));
        }
        AssertVersion(1, process);
    }

    [Needs("clang-22")]
    public void A_program_waits_from_within() =>
        Assert.Equal(["nothing applied 0", "wait 15", " is in linger", "wait 0", "version 1"], Run("waiting", Built.Second));

    [TheoryNeeds("clang-22")]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("1e3")]
    public void A_time_to_wait_that_is_none_is_told(string seconds)
    {
        var outcome = Harness.RunWeft("hotpatch", "apply", "--pid", "1", "--wait", seconds, Built.Second);
        Assert.True(outcome.ExitCode == (int)ExitCode.Usage, outcome.ToString());
        Assert.Contains("no number of seconds", outcome.Errors, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void Four_threads_get_no_wrong_result_while_two_patches_flip()
    {
        AssertFlips("-", Built.Third, 6_000);
        AssertFlips(Built.Second, Built.ThirdAfterSecond, 12_000);
    }

    [Needs("clang-22"), Trait("Category", "Slow")]
    public void Four_threads_get_no_wrong_result_in_a_million_flips()
    {
        Harness.Patience = TimeSpan.FromHours(1);
        AssertFlips("-", Built.Third, 500_000);
        AssertFlips(Built.Second, Built.ThirdAfterSecond, 500_000);
    }

    [Needs("clang-22")]
    public void A_server_under_load_is_patched_fifty_times_without_a_failed_request() => AssertServed(50);

    [Needs("clang-22"), Trait("Category", "Slow")]
    public void A_server_under_load_is_patched_a_thousand_times_without_a_failed_request() => AssertServed(1000);

    private void AssertFlips(string kept, string other, int flips)
    {
        var lines = Run("flip", kept, kept == "-" ? Built.Second : other, kept == "-" ? other : Built.Third, $"{flips}");
        Assert.Equal(0, Value(lines, "wrong"));
        Assert.True(Value(lines, "calls") > flips);
        Assert.InRange(Value(lines, "grown"), -4, 4); // what libc maps is its own affair
    }

    private void AssertServed(int patches)
    {
        Harness.Environment["WEFT_CC"] = "clang-22";
        var source = Path.Combine(HotpatchedProgram.Fixtures, "server.c");
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O2", "-D_GNU_SOURCE", "-c", source, "-o", "server.o");
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O2", "-DVERSION=1", "-c", Path.Combine(HotpatchedProgram.Fixtures, "reply.c"), "-o", "reply.o");
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "server.o", "reply.o", "-o", "server", "-lpthread");
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O2", "-DVERSION=2", "-c", Path.Combine(HotpatchedProgram.Fixtures, "reply.c"), "-o", "reply.o");
        Harness.Must(Harness.Weft, "hotpatch", "build", "--program", "server", "-o", "reply.patch", "reply.o");
        var server = StartProgram(Harness.Path("server"), "serve", Harness.Path("socket"));
        Assert.Equal("ready", server.StandardOutput.ReadLine());
        var client = StartProgram(Harness.Path("server"), "load", Harness.Path("socket"));
        for (var i = 0; i < patches / 2; i++)
        {
            Must(Apply(server, Harness.Path("reply.patch")));
            Must(Revert(server));
        }
        Assert.False(client.HasExited, "the load was over too early");
        Harness.Must("kill", "-USR1", $"{client.Id}");
        var lines = client.StandardOutput.ReadToEnd().TrimEnd('\n').Split('\n');
        Assert.Equal(0, Value(lines, "failed"));
        Assert.True(Value(lines, "of-1") > 0 && Value(lines, "of-2") > 0, string.Join(' ', lines));
    }

    private static string Until(System.Diagnostics.Process process, string beginning)
    {
        for (var i = 0; i < 20_000; i++)
            if (process.StandardOutput.ReadLine() is { } line && line.StartsWith(beginning, StringComparison.Ordinal)) return line;
        return "";
    }
}
