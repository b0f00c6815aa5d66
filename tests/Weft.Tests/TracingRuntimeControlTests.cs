using System.Diagnostics;
using Weft.Core;

namespace Weft.Tests;

/// <summary><c>weft tracing attach</c> on running programs.</summary>
public sealed class TracingRuntimeControlTests : TracedPrograms
{
    private readonly List<Process> started = [];

    public override void Dispose()
    {
        foreach (var process in started)
        {
            if (!process.HasExited) process.Kill();
            process.Dispose();
        }
        base.Dispose();
    }

    [Needs("clang-22")]
    public void A_service_under_load_is_switched_a_thousand_times_without_a_wrong_answer()
    {
        var program = Build("server.c", "-O2");
        var server = Serve(program);
        var client = Start(program, [], "client", Harness.Path("socket"), "30000000");
        var commands = string.Concat(Enumerable.Range(0, 500).Select(i => (i % 3) switch { 0 => "on\noff\n", 1 => "on step,answer\noff st*\n", _ => "on *a*\noff\n" }));
        var attached = Harness.Run(Harness.Weft, ["tracing", "attach", $"{server.Id}"], System.Text.Encoding.ASCII.GetBytes(commands + "on\n"));
        Assert.True(attached.ExitCode == 0, attached.ToString());
        Assert.Equal(1001, attached.Output.Split('\n').Count(l => l.Contains(" switched ", StringComparison.Ordinal)));
        Assert.False(client.HasExited, "the client was done too early");
        client.Kill();
        // Under load it did not go wrong, and what it answers while everything is traced is right.
        var checkedClient = Harness.Must(program, "client", Harness.Path("socket"), "20000");
        Assert.Equal("wrong 0\n", checkedClient.Output);
        Assert.Empty(Complaints(Trace).Where(c => !c.Contains("ring", StringComparison.Ordinal) && !c.Contains("not closed", StringComparison.Ordinal)).ToList());
        Assert.Contains("answer", Counts(Trace).Keys);
    }

    [Needs("clang-22")]
    public void A_program_is_watched_and_let_go()
    {
        var process = Slowly();
        Assert.Equal("4 functions switched on\n", Attach(process, "on l*,call,main,say").Output);
        Thread.Sleep(100);
        Assert.Contains("leaf", Attach(process, "top 1").Output, StringComparison.Ordinal);
        Assert.Contains("on   leaf", Attach(process, "list").Output.Replace("on  leaf", "on   leaf"), StringComparison.Ordinal);
        Assert.Contains("4 of ", Attach(process, "status").Output, StringComparison.Ordinal);
        Assert.True(Attach(process, "snapshot copy.trace-copy").ExitCode == 0);
        Assert.True(Counts(Harness.Path("copy.trace-copy"))["leaf"] > 1000);
        File.Delete(Harness.Path("copy.trace-copy"));
        Assert.Equal("4 functions switched off\n", Attach(process, "off").Output);
        Thread.Sleep(50);
        var before = Counts(Trace)["leaf"];
        Thread.Sleep(50);
        Assert.Equal(before, Counts(Trace)["leaf"]);
        Assert.False(process.HasExited);
    }

    [Needs("clang-22")]
    public void What_matches_nothing_or_is_no_command_is_told()
    {
        var process = Slowly();
        var outcome = Attach(process, "on nothing*");
        Assert.Equal("0 functions switched on\n", outcome.Output);
        Assert.Contains("no traced function matches 'nothing*'", outcome.Errors, StringComparison.Ordinal);
        Attach(process, "on leaf");
        Assert.Contains("on already", Attach(process, "on leaf").Errors, StringComparison.Ordinal);
        Harness.AssertToldWell(Attach(process, "sing"), ExitCode.Usage, "sing", "help");
    }

    [Needs("clang-22")]
    public void Two_at_once_are_told_apart()
    {
        var process = Slowly();
        var first = Start(Harness.Weft, [], "tracing", "attach", $"{process.Id}", "on leaf", "top 60");
        Wait(() => Directory.GetFiles("/tmp/weft-0", $"tracing-{process.Id}.lock").Length == 1 && Traces.Count == 1);
        Harness.AssertToldWell(Attach(process, "status"), ExitCode.Failure, "another command of Weft's is working on process");
        first.Kill();
        first.WaitForExit();
        Assert.Equal(0, Attach(process, "status").ExitCode); // what a killed one left is no hindrance
    }

    [Needs("clang-22")]
    public void Processes_that_cannot_be_attached_to_are_told_why()
    {
        Harness.Write("p.c", """
            #include <signal.h>
            #include <stdio.h>
            #include <string.h>
            #include <unistd.h>
            static void own(int s) { (void)s; }
            int main(int count, char **words) {
                sigset_t urgent;
                sigemptyset(&urgent);
                sigaddset(&urgent, SIGURG);
                if (!strcmp(words[1], "blocks")) sigprocmask(SIG_BLOCK, &urgent, NULL);
                if (!strcmp(words[1], "ignores")) signal(SIGURG, SIG_IGN);
                if (!strcmp(words[1], "handles")) signal(SIGURG, own);
                if (!strcmp(words[1], "stops")) raise(SIGSTOP);
                for (;;) usleep(1000);
            }
            """);
        var program = Build("p.c");
        foreach (var (how, words) in ((string, string)[])[("blocks", "does not answer"), ("ignores", "does not listen"), ("handles", "does not answer"), ("stops", "does not answer")])
        {
            var process = Start(program, [], how);
            Thread.Sleep(50);
            Harness.AssertToldWell(Attach(process, "status"), ExitCode.Failure, words);
            process.Kill();
        }
        var deaf = Start(program, new() { ["WEFT_TRACING"] = "off" }, "listens");
        Thread.Sleep(50);
        Harness.AssertToldWell(Attach(deaf, "status"), ExitCode.Failure, "does not listen", "WEFT_TRACING=off");
        var plain = Start("sleep", [], "100");
        Harness.AssertToldWell(Attach(plain, "status"), ExitCode.Failure, "does not listen", "weft cc --with=tracing");
        Harness.AssertToldWell(Harness.RunWeft("tracing", "attach", "999999999", "status"), ExitCode.Failure, "there is no process 999999999");
    }

    [Needs("clang-22")]
    public void A_process_is_found_by_its_name_if_it_is_the_only_one()
    {
        var name = $"weft-{Guid.NewGuid():N}";
        var program = BuildAs(name, "endings.c", "-O1", "-D_GNU_SOURCE");
        Harness.AssertToldWell(Harness.RunWeft("tracing", "attach", name, "status"), ExitCode.Failure, $"no process is called '{name}'");
        var one = Start(program, [], "slowly");
        Wait(() => Harness.RunWeft("tracing", "attach", name, "status").ExitCode == 0);
        var two = Start(program, [], "slowly");
        Thread.Sleep(50);
        Harness.AssertToldWell(Harness.RunWeft("tracing", "attach", name, "status"), ExitCode.Failure, "several processes", $"{one.Id}", $"{two.Id}");
    }

    [Needs("clang-22", "setpriv")]
    public void Another_user_is_refused()
    {
        if (Environment.UserName != "root") return;
        var process = Slowly();
        var outcome = Harness.Run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/tmp", Harness.Weft, "tracing", "attach", $"{process.Id}", "status");
        Harness.AssertToldWell(outcome, ExitCode.Failure, "belongs to another user");
    }

    [Needs("clang-22", "setpriv")]
    public void Root_attaches_to_a_program_of_another_user()
    {
        if (Environment.UserName != "root") return;
        var program = Build("endings.c", "-O1", "-D_GNU_SOURCE");
        File.SetUnixFileMode(Harness.Folder, (UnixFileMode)0x1FF);
        var process = Start("setpriv", [], "--reuid=65534", "--regid=65534", "--clear-groups", program, "slowly");
        Thread.Sleep(100);
        Assert.Equal("1 function switched on\n", Attach(process, "on leaf").Output);
        Thread.Sleep(50);
        Assert.True(Counts(Trace)["leaf"] > 0);
    }

    [Needs("clang-22")]
    public void A_program_that_ends_meanwhile_ends_the_conversation()
    {
        var process = Slowly();
        var script = $"{{ echo 'on leaf'; sleep 0.5; kill -9 {process.Id}; sleep 0.3; echo status; }} | \"$0\" tracing attach {process.Id}";
        var outcome = Harness.Run("sh", "-c", script, Harness.Weft);
        Assert.Equal((int)ExitCode.Failure, outcome.ExitCode);
        Assert.Contains($"error: process {process.Id} has ended", outcome.Errors, StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void A_program_that_is_killed_while_it_is_switched_leaves_a_trace_that_can_be_read()
    {
        var program = Build("server.c", "-O2");
        for (var i = 0; i < 3; i++)
        {
            foreach (var old in Traces) File.Delete(old);
            File.Delete(Harness.Path("socket"));
            var server = Serve(program);
            // More than it gets to before it is killed.
            var commands = string.Concat(Enumerable.Repeat("on\noff\n", 100_000));
            var killer = Task.Run(async () => { await Task.Delay(250 + 100 * i); server.Kill(); });
            var outcome = Harness.Run(Harness.Weft, ["tracing", "attach", $"{server.Id}"], System.Text.Encoding.ASCII.GetBytes(commands));
            killer.Wait();
            Assert.NotEqual(0, outcome.ExitCode);
            if (Traces.Count == 1) Counts(Trace);
        }
    }

    private Process Slowly()
    {
        var process = Start(Build("endings.c", "-O1", "-D_GNU_SOURCE"), [], "slowly");
        Thread.Sleep(50);
        return process;
    }

    private Process Serve(string program)
    {
        var server = Start(program, [], "server", Harness.Path("socket"));
        Assert.Equal("ready", server.StandardOutput.ReadLine());
        return server;
    }

    private Outcome Attach(Process process, params string[] commands) => Harness.RunWeft(["tracing", "attach", $"{process.Id}", .. commands]);

    private Process Start(string program, Dictionary<string, string> environment, params string[] arguments)
    {
        var info = new ProcessStartInfo(program, arguments) { WorkingDirectory = Harness.Folder, RedirectStandardOutput = true, UseShellExecute = false };
        info.Environment["WEFT_TRACING_FILE"] = Harness.Path("%p.trace");
        foreach (var (name, value) in environment) info.Environment[name] = value;
        started.Add(Process.Start(info)!);
        return started[^1];
    }

    private static void Wait(Func<bool> until)
    {
        for (var i = 0; !until(); i++)
        {
            Assert.True(i < 200, "waited for 10 seconds");
            Thread.Sleep(50);
        }
    }
}
