using System.Text;
using Weft.Core;
using Weft.Toolchain.Cargo;

namespace Weft.Toolchain.Link;

/// <summary>
/// The role rustc starts as its linker: lowers the bitcode among the inputs, adds the runtime, takes out what was meant
/// for a linker plugin, and calls the linker rustc would have called.
/// </summary>
public static class LinkDoor
{
    // Set when this process was started again after it had told of the link.
    private const string IsTold = "__WEFT_TOLD";

    /// <param name="arguments">The linker's arguments, as rustc passes them.</param>
    /// <param name="instruments">Every instrument there is.</param>
    public static int Run(IReadOnlyList<string> arguments, InstrumentSet instruments)
    {
        var link = LinkPlan.TryRead() ?? throw new WeftException("not started by weft's compiler wrapper", "this linker only works inside 'weft cargo'");
        var plan = BuildPlan.Read();
        Terminal.Verbosity = plan.Verbosity;
        var weaving = instruments.Weaving(plan.Build);
        var given = arguments.SelectMany(ResponseFile).ToList();
        var output = ValueAfter(given, "-o") ?? "a.out";
        var isMerged = link.Lto || plan.Build.Std; // what is linked is made of all that is given
        if (!isMerged && Environment.GetEnvironmentVariable(IsTold) == null) PendingLink.Tell(output, given);
        Allocator.Restart(given.Where(a => !a.StartsWith('-') && (Bitcode.IsFile(a) || (link.Lto && a.EndsWith(".rlib", StringComparison.Ordinal) && File.Exists(a)))).Sum(a => new FileInfo(a).Length), IsTold);
        var folder = Directory.CreateDirectory($"{output}.weft-{Environment.ProcessId}").FullName;
        try
        {
            using var lowering = new BitcodeLowering(plan, link, weaving, Environment.CurrentDirectory);
            var job = new LinkJob(plan, link, weaving, lowering, output, folder);
            var rewritten = job.Rewrite(given);
            if (isMerged) PendingLink.Tell(output, rewritten);
            int Link() => weaving.Deny == null ? ChildProcess.Run(link.Linker, Fitting(rewritten, folder)) : CheckedLink(weaving.Deny, link.Linker, job, given, rewritten, folder);
            return weaving.Link(output, rewritten, Link, plan.Sysroot);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static int CheckedLink(DenyUninstrumented deny, string linker, LinkJob job, List<string> given, List<string> rewritten, string folder)
    {
        var files = new List<LinkedFile>();
        if (LinkTrace.Run(linker, Fitting([.. rewritten, .. LinkTrace.Flags(job.IsDriver)], folder), files) is var exit and not 0) return exit;
        try
        {
            job.Check(deny, given, files);
        }
        catch (WeftException)
        {
            AtomicFile.TryDelete(job.Output);
            throw;
        }
        return 0;
    }

    // A command line can outgrow what the kernel takes; every linker and driver reads @files.
    private static List<string> Fitting(List<string> arguments, string folder)
    {
        const int safeLength = 100_000;
        if (arguments.Sum(a => a.Length + 1) < safeLength) return arguments;
        var file = Path.Combine(folder, "arguments");
        File.WriteAllLines(file, arguments.Select(a => "\"" + a.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\""));
        return ["@" + file];
    }

    // rustc writes them one argument a line, with backslashes before spaces and backslashes.
    private static IEnumerable<string> ResponseFile(string argument)
    {
        if (!argument.StartsWith('@') || !File.Exists(argument[1..])) return [argument];
        return File.ReadLines(argument[1..]).Select(Unescape);
    }

    private static string Unescape(string line)
    {
        var text = new StringBuilder();
        var quoted = line.Length > 1 && line[0] == '"' && line[^1] == '"';
        for (var i = quoted ? 1 : 0; i < line.Length - (quoted ? 1 : 0); i++)
        {
            if (line[i] == '\\' && i + 1 < line.Length) i++;
            text.Append(line[i]);
        }
        return text.ToString();
    }

    private static string? ValueAfter(List<string> arguments, string name) => arguments.IndexOf(name) is var at and >= 0 && at + 1 < arguments.Count ? arguments[at + 1] : null;
}
