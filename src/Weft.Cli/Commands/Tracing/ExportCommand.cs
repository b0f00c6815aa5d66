using System.CommandLine;
using Microsoft.Win32.SafeHandles;
using Weft.Core;
using Weft.Llvm;
using Weft.Tracing;
using Weft.Tracing.Page;

namespace Weft.Cli.Commands.Tracing;

/// <summary><c>weft tracing export</c>: a trace for other programs.</summary>
internal static class ExportCommand
{
    private delegate void Exporter(Request request, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls);

    private sealed record Request(string Format, string? Output, bool Count);

    // A new format: one line here.
    private static readonly (string Name, Exporter Export)[] Formats =
    [
        ("chrome", (request, source, calls) => Write(request, output => ChromeExport.Write(output, source, calls))),
        ("perfetto", (request, source, calls) => Write(request, output => PerfettoExport.Write(output, source, calls), isText: false)),
        ("speedscope", (request, source, calls) => Write(request, output => SpeedscopeExport.Write(output, source, calls))),
        ("folded", (request, source, calls) => Write(request, output => FoldedExport.Write(output, source, calls, request.Count))),
        ("flamegraph", (request, source, calls) => Write(request, output => FlamegraphExport.Write(output, source, calls, request.Count))),
        ("xray", WriteXRay),
        ("html", (request, source, calls) => Write(request, output => TracePage.Write(output, source, calls, new PageOptions()))),
    ];

    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "What a traced program wrote; also an XRay log of clang's -fxray-instrument" };
        var format = new Option<string>("--format") { HelpName = "FORMAT", Description = $"One of {string.Join(", ", Formats.Select(f => f.Name))}", Required = true };
        var output = new Option<string?>("--output", "-o") { HelpName = "FILE", Description = "Write to a file [default: standard output; perfetto and xray need a file]" };
        var count = new Option<bool>("--count") { Description = "folded, flamegraph: count calls instead of time" };
        var program = new Option<string?>("--program") { HelpName = "FILE", Description = "The executable that wrote an XRay log, for the names of its functions" };
        format.Validators.Add(result => { if (result.Tokens is [var token] && !Formats.Any(f => f.Name == token.Value)) result.AddError($"--format: '{token.Value}' is not one of {string.Join(", ", Formats.Select(f => f.Name))}"); });
        var command = new Command("export", "Write a trace in a format that other programs read.") { file, format, output, count, program };
        command.SetAction(parsed =>
        {
            using var source = TraceSources.Open(parsed.GetRequiredValue(file), Demangler.Demangle, parsed.GetValue(program));
            Run(new Request(parsed.GetRequiredValue(format), parsed.GetValue(output), parsed.GetValue(count)), source);
        });
        return command;
    }

    private static void Run(Request request, ITraceSource source)
    {
        if (request.Count && request.Format is not ("folded" or "flamegraph")) throw WeftException.Usage($"--count says nothing to --format {request.Format}", "it is for folded and flamegraph");
        try
        {
            var progress = new Progress();
            Formats.First(f => f.Name == request.Format).Export(request, source, thread => progress.Watch(CallStacks.Of(source, thread)));
        }
        finally
        {
            Terminal.Progress("");
        }
        foreach (var complaint in source.Info.Complaints) Terminal.Warning(complaint);
        if (source.Threads.Count == 0) Terminal.Warning("the trace has no events");
    }

    private static void WriteXRay(Request request, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls)
    {
        var path = request.Output ?? throw WeftException.Usage("--format xray needs -o FILE", "it writes FILE and, for llvm-xray's option -m, FILE.map");
        AtomicFile.Write(path, log => AtomicFile.Write(path + ".map", map => XRayExport.Write(log, map, source, calls)));
    }

    private static void Write(Request request, Action<Stream> write, bool isText = true)
    {
        if (request.Output is { } path)
        {
            AtomicFile.Write(path, write);
            return;
        }
        if (!isText && !Console.IsOutputRedirected) throw WeftException.Usage($"--format {request.Format} is not text for a terminal", "add -o FILE");
        try
        {
            using var output = StandardOutput();
            write(output);
        }
        catch (IOException e)
        {
            throw new WeftException($"cannot write to standard output: {e.Message}", "what was written of the trace is not all of it", ExitCode.Failure, e);
        }
    }

    // The console's stream does not tell when a pipe's reader has gone; a FileStream would not move a file's own position on.
    private static Stream StandardOutput()
    {
        var output = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return output.CanSeek ? Console.OpenStandardOutput() : output;
    }

    private sealed class Progress
    {
        private const int Every = 1 << 17;

        private long events;

        public IEnumerable<CallEvent> Watch(IEnumerable<CallEvent> calls) => Terminal.Interactive ? Counted(calls) : calls;

        private IEnumerable<CallEvent> Counted(IEnumerable<CallEvent> calls)
        {
            foreach (var call in calls)
            {
                if (++events % Every == 0) Terminal.Progress($"{events:N0} events");
                yield return call;
            }
        }
    }
}
