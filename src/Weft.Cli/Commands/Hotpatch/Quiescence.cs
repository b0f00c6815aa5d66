using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Weft.Core;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary>
/// Waits until no thread is inside code that was replaced. The program is asked again and again, and does its work in between: it is
/// here that time passes.
/// </summary>
internal static class Quiescence
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(5), LongestPause = TimeSpan.FromMilliseconds(200);

    public static Option<double?> WaitOption(string undone) => new("--wait")
    {
        HelpName = "SECONDS",
        Description = $"Wait until no thread is inside the code that was replaced; if one still is after so long, {undone}",
        CustomParser = result => double.TryParse(result.Tokens[0].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds <= 1_000_000
            ? seconds
            : throw WeftException.Usage($"--wait: '{result.Tokens[0].Value}' is no number of seconds"),
    };

    /// <summary>Returns who is still inside when the time is up; nobody when it was not needed.</summary>
    public static IReadOnlyList<Inside> Wait(LivePatches process, IReadOnlyList<int> numbers, double seconds)
    {
        var watch = Stopwatch.StartNew();
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            var inside = process.Inside(numbers);
            var left = TimeSpan.FromSeconds(seconds) - watch.Elapsed;
            if (inside.Count == 0 || left <= TimeSpan.Zero) return inside;
            Thread.Sleep(pause < left ? pause : left);
        }
    }

    /// <summary>What is told when no time was left.</summary>
    public static WeftException Failure(LivePatches process, IReadOnlyList<Inside> inside, double seconds, string undone) =>
        new(string.Create(CultureInfo.InvariantCulture, $"process {process.ProcessId}: after {seconds:0.###} seconds {(inside.Count == 1 ? "a thread is" : "threads are")} still inside code that was replaced; {undone}:\n  {string.Join("\n  ", inside.Select(i => Describe(process, i)))}"),
            "wait longer, or do it without --wait: each call ends in the code that it began in", ExitCode.CheckFailed);

    public static string Describe(LivePatches process, Inside inside) =>
        $"thread {inside.Thread}{NameOf(process.ProcessId, inside.Thread)} {(inside.Function is { } function ? $"is in {function}" : "cannot be looked at: it runs, and blocks SIGURG")}";

    /// <summary>Notes on who goes on with the code that it had. The patches are applied: what comes of asking must not look as if they were not.</summary>
    public static void TellWhoIsInside(LivePatches process, IReadOnlyList<int> numbers)
    {
        const int most = 10;
        try
        {
            var inside = process.Inside(numbers);
            foreach (var one in inside.Take(most)) Terminal.Note($"{Describe(process, one)}{(one.Function == null ? "" : ", and goes on with the code that it had until it returns")}");
            if (inside.Count > most) Terminal.Note($"and {inside.Count - most} more");
        }
        catch (WeftException e)
        {
            Terminal.Warning($"whether threads are inside code that was replaced is not known: {e.Message}");
        }
    }

    private static string NameOf(int process, int thread)
    {
        try
        {
            return $" ({File.ReadAllText($"/proc/{process}/task/{thread}/comm").TrimEnd('\n')})";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
