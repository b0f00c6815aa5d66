using System.Globalization;
using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>
/// What it costs to be replaceable, and how fast a change comes into the running program. Parts are chosen by name; a number says how
/// many flips there are. Fails when something that is the same on every run is worse than its bound.
/// </summary>
internal static class HotpatchBench
{
    private const long DefaultFlips = 200_000;

    public static readonly string Output = Path.Combine(DebianSource.Folder, "bench/hotpatch");

    /// <summary>Nothing comes from the cache: what is measured has to be done.</summary>
    public static readonly Dictionary<string, string?> Clang22 = new() { ["WEFT_CC"] = "clang-22", ["WEFT_CACHE_SIZE"] = "0" };

    private static readonly List<string> Failures = [];

    public static void Run(string[] arguments)
    {
        Directory.CreateDirectory(Output);
        var all = !arguments.Any(a => a is "kernels" or "sqlite" or "ripgrep" or "save" or "switch" or "flips");
        if (all || arguments.Contains("kernels")) HotpatchKernels.Run();
        if (all || arguments.Contains("sqlite")) new HotpatchSqlite().Run();
        if (all || arguments.Contains("ripgrep")) HotpatchRipgrep.Run();
        if (all || arguments.Contains("save"))
        {
            HotpatchSaves.Run();
            HotpatchSavedSqlite.Run();
        }
        if (all || arguments.Contains("switch")) HotpatchSwitch.Run();
        if (all || arguments.Contains("flips"))
        {
            HotpatchFlips.Run(arguments.Select(a => long.TryParse(a, NumberStyles.None, CultureInfo.InvariantCulture, out var flips) ? flips : 0).FirstOrDefault(f => f > 0, DefaultFlips));
            HotpatchFlips.Serve();
        }
        if (Failures.Count > 0) throw new WeftException("hotpatch is worse than its bounds:\n  " + string.Join("\n  ", Failures));
    }

    /// <summary>Fails the bench, once all of it has run.</summary>
    public static void Bound(string what, double value, double most)
    {
        if (value > most) Failures.Add(string.Create(CultureInfo.InvariantCulture, $"{what}: {value:0.####}, the bound is {most:0.####}"));
    }

    public static string Out(string name) => Path.Combine(Output, name);

    public static string Ratio(double value) => value.ToString("F3", CultureInfo.InvariantCulture);

    /// <summary>Runs a command that has to succeed; returns what it printed.</summary>
    public static string Must(string program, params string[] arguments)
    {
        var result = ChildProcess.Capture(program, arguments, Clang22, Output);
        return result.ExitCode == 0 ? result.Output : throw new WeftException($"{program} {string.Join(' ', arguments)} failed with {result.ExitCode}:\n{result.Errors}");
    }

    /// <summary>Compiles and links with <c>weft cc --with=hotpatch -O2</c>.</summary>
    public static void Woven(params string[] arguments) => Must(Measured.Weft, ["cc", "--with=hotpatch", "-O2", "-D_GNU_SOURCE", .. arguments]);
}
