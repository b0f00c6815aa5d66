using Weft.Core;
using Weft.Toolchain.Link;

namespace Weft.Toolchain.Clang;

/// <summary>What the jobs of one plan share: the weaving, the library it works with, the cache and a temporary folder.</summary>
internal sealed class ClangSession
{
    // A longer command line may not fit the kernel's limit; clang and all linkers read @files.
    private const int SafeCommandLength = 500_000;

    private readonly DriverPlan plan;
    private readonly BuildOptions options;
    private readonly Task library;

    public ClangSession(DriverPlan plan, BuildOptions options, Weaving weaving, bool forced, TemporaryFolder folder)
    {
        this.plan = plan;
        this.options = options;
        Weaving = weaving;
        WantsFront = forced || weaving.WantsStage(Stage.Front);
        Folder = folder;
        // Loading takes as long as clang's front end does for a small file: let them run side by side.
        library = weaving.IsEmpty ? Task.CompletedTask : Task.Run(LoadLibrary);
    }

    public Weaving Weaving { get; }

    public bool WantsFront { get; }

    public TemporaryFolder Folder { get; }

    public LoweringCache Cache { get; } = new();

    public Timings Timings { get; } = new();

    public int Run(DriverJob job) => Run(job, listen: false, out _);

    /// <summary>Runs a command as the driver would.</summary>
    /// <param name="job">The command.</param>
    /// <param name="listen">Find out whether it prints anything.</param>
    /// <param name="spoke">True when it did.</param>
    public int Run(DriverJob job, bool listen, out bool spoke)
    {
        var arguments = Fitting(job.Arguments);
        spoke = false;
        if (!listen) return ChildProcess.Run(job.Program, arguments);
        var result = ChildProcess.Capture(job.Program, arguments);
        Console.Out.Write(result.Output);
        Console.Error.Write(result.Errors);
        spoke = result.Errors.Length > 0 || result.Output.Length > 0;
        return result.ExitCode;
    }

    /// <summary>Runs a linker and learns what it took in.</summary>
    public int Run(DriverJob link, List<LinkedFile> files) => LinkTrace.Run(link.Program, Fitting([.. link.Arguments, .. LinkTrace.Flags(isDriver: false)]), files);

    public byte[] Weave(LoweringInput input, Stage stage, LoweringSettings settings, bool isLast)
    {
        if (!Weaving.WantsStage(stage)) return input.Bitcode;
        library.GetAwaiter().GetResult();
        var queue = new LoweringQueue(settings, Weaving, Cache, options.Repro);
        var woven = queue.Weave(input, stage, isLast);
        Timings.Add(queue.Timings);
        return woven;
    }

    /// <summary>Of the result of the steps after the front.</summary>
    public string Key(byte[] bitcode, string source, List<string> finish)
    {
        library.GetAwaiter().GetResult(); // it is part of every key
        var program = new FileInfo(Path.Combine(plan.InstalledFolder, "clang"));
        var identity = program.Exists ? $"{program.Length} {program.LastWriteTimeUtc.Ticks}" : "";
        return LoweringCache.Key(bitcode, "clang", plan.Version, identity, Weaving.Fingerprint, source, string.Join('\n', finish));
    }

    /// <summary>The runtime's objects; from the temporary folder when the cache cannot be written.</summary>
    public LinkedRuntime RuntimeObjects(ClangCompiler compiler, IReadOnlyList<string> targetArguments)
    {
        List<string> arguments = [.. compiler.Prefix, ClangCompiler.CMode, .. targetArguments];
        try
        {
            return new Runtime(Cache).Linked(compiler.Program, arguments, Weaving);
        }
        catch (Exception e) when (e is WeftException or IOException or UnauthorizedAccessException)
        {
            return new Runtime(new LoweringCache(Folder.Path)).Linked(compiler.Program, arguments, Weaving);
        }
    }

    public void ReportTimings()
    {
        if (!options.Timings) return;
        foreach (var (stage, time) in Timings.Stages) Terminal.Status(stage, $"{time,8:F1} ms");
    }

    private void LoadLibrary() =>
        LlvmLocator.Load(LlvmLocator.MajorIn(plan.Version)!.Value, [Path.GetFullPath(Path.Combine(plan.InstalledFolder, "../lib"))], plan.Version);

    private IReadOnlyList<string> Fitting(IReadOnlyList<string> arguments) => arguments.Sum(a => a.Length + 1) < SafeCommandLength ? arguments : ["@" + ResponseFile(arguments)];

    private string ResponseFile(IReadOnlyList<string> arguments)
    {
        var file = Folder.File("arguments");
        File.WriteAllLines(file, arguments.Select(a => "\"" + a.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\""));
        return file;
    }
}
