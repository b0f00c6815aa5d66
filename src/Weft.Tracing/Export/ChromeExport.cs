using System.Text;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>
/// Chrome's trace_event format, which chrome://tracing, ui.perfetto.dev and many more show: a begin and an end for every call,
/// asynchronous ones for spans, which need not nest with calls, and instants for events. Times are microseconds since the
/// trace began.
/// </summary>
public static class ChromeExport
{
    /// <param name="output">Gets the JSON.</param>
    /// <param name="source">For names.</param>
    /// <param name="calls">What each thread did.</param>
    public static void Write(Stream output, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls)
    {
        using var writer = new ByteWriter(output);
        writer.Write("{\"displayTimeUnit\":\"ns\",\"traceEvents\":["u8);
        var events = new Events(writer, source);
        events.WriteNames();
        foreach (var thread in source.Threads) events.Write(thread, calls(thread));
        writer.Write("\n]}\n"u8);
    }

    private sealed class Events(ByteWriter writer, ITraceSource source)
    {
        private readonly JsonNames functions = new(id => source.Function(id).Name);
        private readonly JsonNames modules = new(id => Path.GetFileName(source.Function(id).Module?.Path) is { Length: > 0 } module ? module : "function");
        private readonly JsonNames spans = new(source.SpanName);
        private readonly JsonNames types = new(source.EventType);
        private byte[] place = [];
        private int thread;
        private bool any;

        public void WriteNames()
        {
            var program = source.Info.Program is { Length: > 0 } path ? Path.GetFileName(path) : "program";
            foreach (var process in source.Threads.Select(t => t.Process).Distinct()) Name("process_name", "name", JsonNames.Quote(program), process, process);
            foreach (var of in source.Threads)
            {
                if (of.Name.Length > 0) Name("thread_name", "name", JsonNames.Quote(of.Name), of.Process, of.Id);
                Name("thread_sort_index", "sort_index", Encoding.UTF8.GetBytes($"{of.Index}"), of.Process, of.Id);
            }
        }

        public void Write(TraceThread of, IEnumerable<CallEvent> events)
        {
            thread = of.Index;
            place = Encoding.UTF8.GetBytes($$""","pid":{{of.Process}},"tid":{{of.Id}},"ts":""");
            foreach (var e in events)
            {
                Write(e);
                writer.Write("}"u8);
            }
        }

        private void Write(in CallEvent e)
        {
            switch (e.Kind)
            {
                case CallKind.Begin:
                    Begin("{\"ph\":\"B\",\"name\":"u8, functions[e.Id], modules[e.Id], e.Time);
                    if (e.Data.Length > 0) WriteArgument(",\"args\":{\"arguments\":"u8, JsonNames.Quote(CallValues.Text(source.Function(e.Id).Types, e.Data.Span, [])));
                    break;
                case CallKind.End:
                    Start("{\"ph\":\"E\""u8);
                    At(e.Time);
                    writer.Write(Explain(e.Certainty));
                    if (e.Data.Length > 0 && e.Certainty == Certainty.Seen) WriteArgument(",\"args\":{\"result\":"u8, JsonNames.Quote(CallValues.Text(source.Function(e.Id).Types, [], e.Data.Span).TrimStart(' ', '=')));
                    break;
                case CallKind.SpanBegin:
                    Begin("{\"ph\":\"b\",\"name\":"u8, spans[e.Id], "\"span\""u8, e.Time);
                    WriteSpan(e.Id);
                    break;
                case CallKind.SpanEnd:
                    Begin("{\"ph\":\"e\",\"name\":"u8, spans[e.Id], "\"span\""u8, e.Time);
                    WriteSpan(e.Id);
                    break;
                case CallKind.Event:
                    Begin("{\"ph\":\"i\",\"s\":\"t\",\"name\":"u8, types[e.Id], "\"event\""u8, e.Time);
                    if (e.Data.Length > 0) WriteArgument(",\"args\":{\"data\":"u8, JsonNames.Quote(EventData.Text(e.Data.Span)));
                    break;
                default:
                    Begin("{\"ph\":\"i\",\"s\":\"t\",\"name\":"u8, "\"lost events\""u8, "\"weft\""u8, e.Time);
                    WriteArgument(",\"args\":{\"count\":"u8, Encoding.UTF8.GetBytes($"{e.Id}"));
                    break;
            }
        }

        private void Name(string kind, string key, byte[] value, long process, long of)
        {
            Start(Encoding.UTF8.GetBytes($$"""{"ph":"M","name":"{{kind}}","pid":{{process}},"tid":{{of}}"""));
            WriteArgument(Encoding.UTF8.GetBytes($$""","args":{"{{key}}":"""), value);
            writer.Write("}"u8);
        }

        private void Start(ReadOnlySpan<byte> start)
        {
            writer.Write(any ? ",\n"u8 : "\n"u8);
            writer.Write(start);
            any = true;
        }

        private void Begin(ReadOnlySpan<byte> start, ReadOnlySpan<byte> name, ReadOnlySpan<byte> category, long time)
        {
            Start(start);
            writer.Write(name);
            writer.Write(",\"cat\":"u8);
            writer.Write(category);
            At(time);
        }

        private void At(long time)
        {
            writer.Write(place);
            writer.WriteMicroseconds(time);
        }

        // Asynchronous events belong together by their id: those of a name in a thread do.
        private void WriteSpan(int id)
        {
            writer.Write(",\"id\":\""u8);
            writer.Write(thread);
            writer.Write("."u8);
            writer.Write(id);
            writer.Write("\""u8);
        }

        private void WriteArgument(ReadOnlySpan<byte> start, byte[] value)
        {
            writer.Write(start);
            writer.Write(value);
            writer.Write("}"u8);
        }

        private static ReadOnlySpan<byte> Explain(Certainty certainty) => certainty switch
        {
            Certainty.Unwound => ",\"args\":{\"end\":\"unwound\"}"u8,
            Certainty.Open => ",\"args\":{\"end\":\"open\"}"u8,
            Certainty.Tail => ",\"args\":{\"end\":\"tail call\"}"u8,
            _ => [],
        };
    }
}
