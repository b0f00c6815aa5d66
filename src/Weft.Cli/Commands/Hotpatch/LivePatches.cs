using System.CommandLine;
using System.Globalization;
using Weft.Core;

namespace Weft.Cli.Commands.Hotpatch;

internal enum PatchState
{
    /// <summary>It was taken back.</summary>
    Reverted,
    Applied,
    /// <summary>The library that it is for has been unloaded.</summary>
    Unloaded,
}

/// <summary>A patch that a running program knows.</summary>
/// <param name="State">What became of it.</param>
/// <param name="Number">In the order in which patches were applied.</param>
/// <param name="Functions">How many it replaces.</param>
/// <param name="Nanoseconds">How long the last switch took.</param>
/// <param name="Id">Of the file, in hexadecimal.</param>
/// <param name="Name">As it was built.</param>
internal sealed record LivePatch(PatchState State, int Number, int Functions, long Nanoseconds, string Id, string Name)
{
    public bool IsActive => State == PatchState.Applied;
}

/// <summary>A thread that is inside code which has been replaced.</summary>
/// <param name="Thread">Its id.</param>
/// <param name="Function">Where it is; null when that cannot be told.</param>
internal readonly record struct Inside(int Thread, string? Function);

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
    public (int Number, int Functions, long Nanoseconds) Apply(byte[] patch)
    {
        var answer = process.Ask($"apply {patch.Length}", patch).Split(' ');
        return answer is [var number, var functions, var nanoseconds] ? ((int)Number(number), (int)Number(functions), Number(nanoseconds)) : throw Senseless();
    }

    /// <summary>Takes back the newest until so many are left, and returns how many are.</summary>
    public int RevertTo(int keep) => (int)Number(process.Ask($"revert {keep}"));

    /// <summary>Applies what was taken back again, under its number.</summary>
    public void Restore(int number) => process.Ask($"restore {number}");

    /// <summary>Who is inside code that these patches have replaced, or that they had and has been replaced since.</summary>
    public IReadOnlyList<Inside> Inside(IEnumerable<int> numbers) =>
        [.. process.Ask($"inside {string.Join(' ', numbers)}").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split(' ', 3)).Select(w => new Inside((int)Number(w[0]), w is [_, "in", var function] ? function : null)).Distinct()];

    /// <summary>In the order in which they were first applied.</summary>
    public List<LivePatch> List() =>
        [.. process.Ask("list").Split('\n').Skip(1).Select(line => line.Split(' ', 6)).Select(w => w.Length == 6 ? new LivePatch((PatchState)Number(w[0]), (int)Number(w[1]), (int)Number(w[2]), Number(w[3]), w[4], w[5]) : throw Senseless())];

    /// <summary>Names of the functions that a patch replaces.</summary>
    public string[] Functions(int number) => process.Ask($"functions {number}").Split('\n')[1..];

    public void Dispose() => process.Dispose();

    /// <summary>Three digits behind the point are nanoseconds.</summary>
    public static string Microseconds(long nanoseconds) => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1000.0:0.000} µs");

    private static long Number(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw Senseless();

    private static WeftException Senseless() => new("the program's answer makes no sense", "it may have been built by another version of Weft");
}
