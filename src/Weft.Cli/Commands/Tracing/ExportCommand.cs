using System.CommandLine;
using Weft.Core;
using Weft.Tracing;
using Weft.Tracing.Page;

namespace Weft.Cli.Commands.Tracing;

/// <summary><c>weft tracing export</c>: a trace for other programs.</summary>
internal static class ExportCommand
{
    // A new format: one line here.
    private static readonly (string Name, Action<Export> Write)[] Formats =
    [
        ("chrome", e => e.Write(output => ChromeExport.Write(output, e.Source, e.Calls))),
        ("perfetto", e => e.Write(output => PerfettoExport.Write(output, e.Source, e.Calls), isText: false)),
        ("speedscope", e => e.Write(output => SpeedscopeExport.Write(output, e.Source, e.Calls))),
        ("folded", e => e.Write(output => Tell(FoldedExport.Write(output, e.Source, e.Calls, e.Count)))),
        ("flamegraph", e => e.Write(output => Tell(FlamegraphExport.Write(output, e.Source, e.Calls, e.Count)))),
        ("html", e => e.Write(output => TracePage.Write(output, e.Source, e.Calls, new PageOptions()))),
        ("xray", WriteXRay),
    ];

    public static Command Create()
    {
        var names = string.Join(", ", Formats.Select(f => f.Name));
        var file = TraceFiles.Argument();
        var format = new Option<string>("--format") { HelpName = "FORMAT", Description = $"One of {names}", Required = true };
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = "Write to a file [default: standard output]; xray also writes FILE.map, for the option -m of llvm-xray" };
        var count = new Option<bool>("--count") { Description = "Count calls instead of time, in folded and flamegraph" };
        var program = TraceFiles.Program();
        var filters = new FilterArguments();
        format.Validators.Add(result => { if (result.Tokens is [var token] && !Formats.Any(f => f.Name == token.Value)) result.AddError($"--format: '{token.Value}' is not one of {names}"); });
        var command = new Command("export", "Write a trace in a format that other programs read.") { file, format, output, count, program };
        filters.AddTo(command);
        command.SetAction(parsed =>
        {
            var (name, counts) = (parsed.GetRequiredValue(format), parsed.GetValue(count));
            if (counts && name is not ("folded" or "flamegraph")) throw WeftException.Usage($"--count says nothing to --format {name}", "it is for folded and flamegraph");
            TraceFiles.Read(parsed.GetValue(file), filters.Of(parsed), filter =>
            {
                var export = new Export(filter, name, parsed.GetValue(output), counts);
                Formats.First(f => f.Name == name).Write(export);
                return export.Events > 0;
            }, parsed.GetValue(program));
        });
        return command;
    }

    private static void WriteXRay(Export export)
    {
        var path = export.Output ?? throw WeftException.Usage("--format xray needs -o FILE", "it writes two files: FILE, and FILE.map for the option -m of llvm-xray");
        AtomicFile.Write(path, log => AtomicFile.Write(path + ".map", map => XRayExport.Write(log, map, export.Source, export.Calls)));
        Terminal.Progress("");
    }

    private static void Tell(long folded)
    {
        if (folded > 0) Terminal.Warning($"there are more stacks than memory should be spent on; {folded:N0} calls count as their callers' own (--depth N leaves fewer)");
    }

    /// <summary>What is to be written, and where to.</summary>
    private sealed class Export(CallFilter filter, string format, string? output, bool count)
    {
        private const int ProgressEvery = 1 << 17;

        public ITraceSource Source { get; } = new Selected(filter);

        public string? Output => output;

        public bool Count => count;

        /// <summary>Read so far.</summary>
        public long Events { get; private set; }

        public IEnumerable<CallEvent> Calls(TraceThread thread)
        {
            foreach (var call in filter.Calls(thread))
            {
                if (++Events % ProgressEvery == 0) Terminal.Progress($"{Events:N0} events");
                yield return call;
            }
        }

        public void Write(Action<Stream> write, bool isText = true)
        {
            if (output != null) AtomicFile.Write(output, write);
            else if (isText || Console.IsOutputRedirected) StandardOutput.Bytes(write);
            else throw WeftException.Usage($"{format} is not text for a terminal", "write it to a file with -o FILE");
            Terminal.Progress("");
        }
    }

    /// <summary>A trace with those of its threads that are wanted.</summary>
    private sealed class Selected(CallFilter filter) : ITraceSource
    {
        public TraceInfo Info => filter.Source.Info;

        public IReadOnlyList<TraceThread> Threads => filter.Threads;

        public IReadOnlyCollection<TraceFunction> Functions => filter.Source.Functions;

        public TraceFunction Function(int id) => filter.Source.Function(id);

        public string SpanName(int id) => filter.Source.SpanName(id);

        public string EventType(int id) => filter.Source.EventType(id);

        public IEnumerable<RawEvent> Read(TraceThread thread) => filter.Source.Read(thread);

        public void Dispose() { }
    }
}
