using Weft.Core;
using Weft.Toolchain.Link;

namespace Weft.Toolchain.Clang;

/// <summary>Runs the plan's jobs in the driver's order, compilations and links in Weft's way and all others as they are.</summary>
internal sealed class PlanRunner(ClangCompiler compiler, DriverPlan plan, ClangSession session, IReadOnlyList<string> userArguments)
{
    private readonly HashSet<string> failedOutputs = [], bitcodeOutputs = [];
    private readonly Dictionary<string, string> sources = [];
    private int result;

    /// <summary>False when nothing in the plan is Weft's to change.</summary>
    public static bool Concerns(DriverPlan plan, Weaving weaving) =>
        plan.Jobs.Any(j => Cc1Command.TryRead(j, weaving) is { } c && (c.IsWoven || c.MakesTree) || !weaving.IsEmpty && IsWovenLink(j, weaving));

    /// <summary>
    /// The exit code of the first job that failed. Like the driver: inputs are compiled although one before them failed,
    /// but nothing is made of what is missing.
    /// </summary>
    public int Run()
    {
        foreach (var job in plan.Jobs.Where(j => !j.Arguments.Any(failedOutputs.Contains)))
        {
            var exit = RunJob(job);
            if (exit != 0) Fail(job, exit);
        }
        return result;
    }

    private int RunJob(DriverJob job)
    {
        if (Cc1Command.TryRead(job, session.Weaving) is { } command)
        {
            var continues = command.ReadsIr && bitcodeOutputs.Contains(command.Input);
            if (job.Output is { } output && command.Action == "-emit-llvm-bc") bitcodeOutputs.Add(output);
            if (command.IsWoven) return new CompileStep(session, job, command, continues).Run();
            if (command.MakesTree || IsPreprocessedForWeaving(command)) return session.Run(job with { Arguments = command.Agreeing(session.Weaving) });
        }
        if (!session.Weaving.IsEmpty && IsWovenLink(job, session.Weaving)) return Link(job);
        if (job.Output is { } made && job.Arguments is [.., var source]) sources[made] = sources.GetValueOrDefault(source, source);
        return session.Run(job);
    }

    // What is linked into an object is seen there for the last time.
    private static bool IsWovenLink(DriverJob job, Weaving weaving) => LinkCommand.Is(job) && (weaving.Deny != null || !LinkCommand.IsRelocatable(job));

    // A job of -save-temps: macros must have the values that the compilation of its output would have seen.
    private static bool IsPreprocessedForWeaving(Cc1Command command) => command.Action == "-E" && !command.Language.StartsWith("assembler", StringComparison.Ordinal);

    private int Link(DriverJob job)
    {
        var target = TargetArguments(job);
        if (LinkCommand.IsRelocatable(job)) return CheckedLink(job, target, []);
        var runtime = session.RuntimeObjects(compiler, target);
        var link = job with { Arguments = LinkCommand.Rewrite(job.Arguments, plan.Target, session.Weaving, runtime, session.Folder) };
        return session.Weaving.Link(link.Output!, link.Arguments, () => session.Weaving.Deny == null ? session.Run(link) : CheckedLink(link, target, [.. runtime.Objects, .. runtime.Bounds]));
    }

    private int CheckedLink(DriverJob link, List<string> target, IReadOnlyCollection<string> runtime)
    {
        var files = new List<LinkedFile>();
        if (session.Run(link, files) is var exit and not 0) return exit;
        var toolchain = ToolchainFiles.Of(compiler.Program, [.. compiler.Prefix, .. target]);
        try
        {
            new LinkCheck(session.Weaving.Deny!, toolchain, runtime) { NameOf = path => sources.GetValueOrDefault(path, path) }.Check(link.Output!, files);
        }
        catch (WeftException)
        {
            RemoveResult(link.Output!);
            throw;
        }
        return 0;
    }

    // clang has said what the arguments come to; -m flags (float ABI, architecture) come from the user alone.
    private List<string> TargetArguments(DriverJob link)
    {
        List<string> list = ["--target=" + plan.Target];
        list.AddRange(link.Arguments.Where(a => a.StartsWith("--sysroot=", StringComparison.Ordinal)));
        for (var i = 0; i < userArguments.Count; i++)
            if (userArguments[i] is "-mllvm" or "-Xclang" or "-Xlinker" or "-Xassembler") i++;
            else if (IsTargetFlag(userArguments[i])) list.Add(userArguments[i]);
        return list;
    }

    private static bool IsTargetFlag(string argument) =>
        (argument.StartsWith("-m", StringComparison.Ordinal) && argument is not ("-m32" or "-m64" or "-mx32")) || argument.StartsWith("--gcc-toolchain=", StringComparison.Ordinal) || argument.StartsWith("--gcc-install-dir=", StringComparison.Ordinal);

    private void Fail(DriverJob job, int exit)
    {
        if (result == 0) result = exit;
        if (job.Output is { } output)
        {
            failedOutputs.Add(output);
            RemoveResult(output);
        }
        if (LinkCommand.Is(job)) Terminal.Error($"linker command failed with exit code {exit}", LinkHelp(job));
        else if (exit > 128) Terminal.Error($"'{Path.GetFileName(job.Program)}' was ended by signal {exit - 128}");
    }

    private string? LinkHelp(DriverJob link)
    {
        if (!session.Weaving.IsEmpty && TargetSystem.IsElf(plan.Target) && !link.Arguments.Contains("-lc")) return "Weft's runtime needs the C library; what runs without one, build with WEFT_DISABLE=1";
        return Terminal.Verbosity > 0 ? null : "WEFT_VERBOSE=1 shows the command";
    }

    // As the driver does, which leaves /dev/null and pipes alone: a file without length is one of those, or no loss.
    private static void RemoveResult(string output)
    {
        if (new FileInfo(output) is { Exists: true, Length: > 0 }) AtomicFile.TryDelete(output);
    }
}
