using System.Globalization;
using System.Text.RegularExpressions;
using Weft.Core;

namespace Weft.Bench;

/// <summary>Functions are exchanged while four threads call them, and a server's while it answers.</summary>
internal static partial class HotpatchFlips
{
    private const int Patches = 1000;

    public static void Run(long flips)
    {
        Terminal.Status("Flipping", $"{flips:N0} times, twice");
        var source = Path.Combine(Measured.Repository, "bench/hotpatch/flips.c");
        string program = HotpatchBench.Out("flips"), second = Patch(program, source, 2), third = Patch(program, source, 3), upon = Patch(program, source, 3, "--after", second);
        Console.WriteLine("\n| two functions, four threads that call them | switches | calls meanwhile | wrong results | ns a switch |\n|---|---|---|---|---|");
        Row("code changes: a patch is applied and taken back", flips, program, second, third);
        Row("slots change: on top of a patch that stays", flips, program, upon, upon, second);
    }

    private static string Patch(string program, string source, int version, params string[] options)
    {
        string stem = HotpatchBench.Out($"flips-{version}{(options.Length > 0 ? "-upon" : "")}"), library = "-lpthread";
        if (version == 2) HotpatchBench.Woven(source, "-o", program, library);
        HotpatchBench.Woven($"-DVERSION={version}", "-c", source, "-o", stem + ".o");
        HotpatchBench.Must(Measured.Weft, ["hotpatch", "build", "--program", program, .. options, "-o", stem + ".patch", stem + ".o"]);
        return stem + ".patch";
    }

    private static void Row(string name, long flips, string program, params string[] patches)
    {
        var result = ChildProcess.Capture(program, [flips.ToString(CultureInfo.InvariantCulture), .. patches], null, HotpatchBench.Output);
        var told = Told().Match(result.Output);
        if (!told.Success) throw new WeftException($"{program} failed with {result.ExitCode}: {result.Errors}");
        double Number(string group) => double.Parse(told.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
        Console.WriteLine($"| {name} | {Number("switches"):N0} | {Number("calls"):N0} | {Number("wrong"):N0} | {Number("each") * 1000:N0} |");
        HotpatchBench.Bound("wrong results, " + name, Number("wrong"), 0);
    }

    /// <summary>The server of the tests, with their load of four connections at a time.</summary>
    public static void Serve()
    {
        Terminal.Status("Patching", $"a server, {Patches:N0} times");
        var sources = Path.Combine(Measured.Repository, "tests/fixtures/hotpatch");
        string server = HotpatchBench.Out("server"), reply = HotpatchBench.Out("reply.o"), patch = HotpatchBench.Out("reply.patch"), socket = HotpatchBench.Out("socket");
        HotpatchBench.Woven("-c", Path.Combine(sources, "reply.c"), "-o", reply);
        HotpatchBench.Woven(Path.Combine(sources, "server.c"), reply, "-o", server, "-lpthread");
        HotpatchBench.Woven("-DVERSION=2", "-c", Path.Combine(sources, "reply.c"), "-o", reply);
        HotpatchBench.Must(Measured.Weft, "hotpatch", "build", "--program", server, "-o", patch, reply);
        File.Delete(socket);
        using var serving = new SpokenProgram(server, ["serve", socket], HotpatchBench.Output);
        serving.Next();
        using var load = new SpokenProgram(server, ["load", socket], HotpatchBench.Output);
        for (var i = 0; i < Patches / 2; i++)
        {
            HotpatchBench.Must(Measured.Weft, "hotpatch", "apply", "--pid", $"{serving.Id}", patch);
            HotpatchBench.Must(Measured.Weft, "hotpatch", "revert", "--pid", $"{serving.Id}");
        }
        HotpatchBench.Must("kill", "-USR1", $"{load.Id}");
        long Count(string name) => load.Next().Line is var line && line.StartsWith(name + " ", StringComparison.Ordinal) ? long.Parse(line.AsSpan(name.Length + 1), CultureInfo.InvariantCulture) : throw new WeftException($"the load says '{line}'");
        long first = Count("of-1"), second = Count("of-2"), failed = Count("failed");
        Console.WriteLine($"\n| a server, patched {Patches:N0} times under load | requests |\n|---|---|\n| answered by the first version | {first:N0} |\n| answered by the second | {second:N0} |\n| failed | {failed:N0} |");
        HotpatchBench.Bound("requests that failed", failed, 0);
    }

    [GeneratedRegex(@"(?<switches>\d+) switches in [\d.]+ s, (?<each>[\d.]+) us each; (?<calls>\d+) calls meanwhile, (?<wrong>\d+) wrong")]
    private static partial Regex Told();
}
