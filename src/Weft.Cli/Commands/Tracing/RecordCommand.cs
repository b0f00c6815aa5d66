using System.CommandLine;
using System.Globalization;
using Weft.Core;
using Weft.Tracing;

namespace Weft.Cli.Commands.Tracing;

/// <summary><c>weft tracing record</c>: runs a program with the variables set that make its runtime record.</summary>
internal static class RecordCommand
{
    public static Command Create()
    {
        var program = new Argument<string[]>("PROGRAM") { HelpName = "PROGRAM...", Description = "A program built --with tracing, and its arguments", Arity = ArgumentArity.OneOrMore };
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = "Where the trace goes; %p is the process id, %n the program's name [default: weft-out/%n.%p.weft-trace]" };
        var clock = new Option<string?>("--clock") { HelpName = "CLOCK", Description = "exact, coarse (a tick of microseconds) or none (order only) [default: exact]" };
        var values = new Option<bool>("--args", "-a") { Description = "Record arguments and results" };
        var size = new Option<string?>("--size") { HelpName = "SIZE", Description = "Stop at this size: 500M, 4G [default: 1G]" };
        var ring = new Option<string?>("--ring") { HelpName = "SIZE", Description = "Keep the latest events only, so much for each thread" };
        var adaptive = new Option<string?>("--adaptive") { HelpName = "PERCENT", Description = "Switch hot functions off until recording costs at most so much of a thread's time" };
        clock.AcceptOnlyFromAmong("exact", "coarse", "none");
        var filters = new RecordFilters();
        var command = new Command("record", "Run a program and record its calls.") { program, output, clock, values, size, ring, adaptive };
        filters.AddTo(command);
        command.SetAction(parsed =>
        {
            var environment = new Dictionary<string, string?> { ["WEFT_TRACING"] = "on" };
            void Set(string variable, string? value) { if (value != null) environment[variable] = value; }
            Set("WEFT_TRACING_FILE", parsed.GetValue(output) is { } path ? Path.GetFullPath(path) : null);
            foreach (var (variable, value) in filters.Of(parsed)) Set(variable, value);
            Set("WEFT_TRACING_CLOCK", parsed.GetValue(clock));
            Set("WEFT_TRACING_ARGS", parsed.GetValue(values) ? "on" : null);
            Set("WEFT_TRACING_SIZE", parsed.GetValue(size));
            Set("WEFT_TRACING_RING", parsed.GetValue(ring));
            Set("WEFT_TRACING_ADAPTIVE", parsed.GetValue(adaptive));
            return Run(parsed.GetRequiredValue(program), environment);
        });
        return command;
    }

    private static int Run(string[] words, Dictionary<string, string?> environment)
    {
        var program = ChildProcess.Find(words[0]) ?? throw new WeftException($"there is no program '{words[0]}'");
        RequireSleds(program);
        var pattern = environment.GetValueOrDefault("WEFT_TRACING_FILE") ?? DefaultPattern();
        var folder = Path.GetDirectoryName(Path.GetFullPath(pattern))!;
        var before = Traces(folder, pattern);
        var exit = ChildProcess.Run(program, words[1..], environment);
        var made = Traces(folder, pattern).Where(t => !before.ContainsKey(t.Key) || before[t.Key] != t.Value).Select(t => t.Key).Order(StringComparer.Ordinal).ToList();
        foreach (var file in made) Tell(file);
        if (made.Count == 0) Terminal.Warning($"'{words[0]}' recorded nothing: it ended before it began, runs with raised privileges, or starts another program with an environment of its own");
        return exit;
    }

    private static string DefaultPattern()
    {
        if (Environment.GetEnvironmentVariable("WEFT_TRACING_FILE") is { Length: > 0 } file) return file;
        return Path.Combine(Environment.GetEnvironmentVariable("WEFT_OUT") is { Length: > 0 } folder ? folder : "weft-out", "%n.%p.weft-trace");
    }

    // A file of the given name, or with a number behind it: the runtime never overwrites a trace.
    private static Dictionary<string, long> Traces(string folder, string pattern)
    {
        if (!Directory.Exists(folder)) return [];
        var glob = new Glob(Path.GetFileName(pattern).Replace("%p", "*").Replace("%n", "*") + "*");
        return Directory.EnumerateFiles(folder).Where(f => glob.Matches(Path.GetFileName(f))).ToDictionary(f => f, f => new FileInfo(f).CreationTimeUtc.Ticks);
    }

    private static void Tell(string file)
    {
        using var trace = TraceSources.Open(file);
        var size = new FileInfo(file).Length / 1048576.0;
        Terminal.Note(string.Create(CultureInfo.InvariantCulture, $"{Path.GetRelativePath(Environment.CurrentDirectory, file)}: {size:0.#} MB, {trace.Threads.Count} {(trace.Threads.Count == 1 ? "thread" : "threads")}, {trace.Functions.Count} functions"));
    }

    /// <summary>A program without sleds in it or in a library would record nothing, and say nothing.</summary>
    private static void RequireSleds(string program)
    {
        if (ElfFile.TryRead(AtomicFile.Read(program), program) is not { } elf) return; // a script, which starts something else
        if (elf.SectionContent("weft_trc_sleds").Length > 0 || elf.SectionContent("xray_instr_map").Length > 0) return;
        if (elf.SectionContent(".dynstr").IndexOf("__weft_tracing_process_v1"u8) >= 0)
            Terminal.Warning($"'{program}' has no function to trace itself: all are below the threshold; --tracing-threshold 1 at the build traces every function");
        else
            throw new WeftException($"'{program}' was not built --with tracing", "build it with 'weft cargo build --with tracing' or 'weft cc --with=tracing'");
    }
}
