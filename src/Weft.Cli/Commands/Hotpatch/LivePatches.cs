using System.CommandLine;
using System.Globalization;
using Weft.Core;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary>A patch that a running program knows.</summary>
/// <param name="IsActive">Whether its code runs; else it was taken back.</param>
/// <param name="Number">In the order in which patches were applied.</param>
/// <param name="Functions">How many it replaces.</param>
/// <param name="Switched">How long the switch took.</param>
/// <param name="Id">Of the file, in hexadecimal.</param>
/// <param name="Name">As it was built.</param>
internal sealed record LivePatch(bool IsActive, int Number, int Functions, TimeSpan Switched, string Id, string Name);

/// <summary>The hotpatch runtime of a running program (runtime/hotpatch_control.c).</summary>
internal sealed class LivePatches(LiveProcess process) : IDisposable
{
    public static Option<string> ProcessOption() => new("--pid") { HelpName = "PROCESS", Description = "The program: its id, or its name if it is the only one", Required = true };

    /// <param name="who">Its id or name.</param>
    /// <param name="patience">How long it may take to be ready: it may just have begun.</param>
    public static LivePatches Attach(string who, TimeSpan patience = default)
    {
        for (var until = DateTime.UtcNow + patience; ; Thread.Sleep(5))
            try
            {
                return new(LiveProcess.Attach(LiveProcess.Find(who), "hotpatch", "build it with 'weft cargo build --with hotpatch' or 'weft cc --with=hotpatch'"));
            }
            catch (WeftException) when (DateTime.UtcNow < until)
            {
            }
    }

    public int ProcessId => process.Id;

    /// <summary>Number of the patch, how many functions it replaces, and how long the switch took.</summary>
    public (int Number, int Functions, TimeSpan Switched) Apply(byte[] patch)
    {
        var answer = process.Ask($"apply {patch.Length}", patch).Split(' ');
        return (Number(answer[0]), Number(answer[1]), Nanoseconds(answer[2]));
    }

    /// <summary>Takes back the newest until so many are left, and returns how many are.</summary>
    public int RevertTo(int keep) => Number(process.Ask($"revert {keep}"));

    /// <summary>In the order in which they were first applied.</summary>
    public List<LivePatch> List() => [.. process.Ask("list").Split('\n').Skip(1).Select(line => line.Split(' ', 6)).Select(w => new LivePatch(w[0] == "1", Number(w[1]), Number(w[2]), Nanoseconds(w[3]), w[4], w[5]))];

    /// <summary>Names of the functions that a patch replaces.</summary>
    public string[] Functions(int number) => process.Ask($"functions {number}").Split('\n')[1..];

    public void Dispose() => process.Dispose();

    private static int Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw new WeftException("the program's answer makes no sense", "it may have been built by another version of Weft");

    private static TimeSpan Nanoseconds(string text) => TimeSpan.FromTicks(Number(text) / 100);
}
