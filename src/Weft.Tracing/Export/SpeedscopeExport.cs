using System.Text;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>
/// The file format of speedscope.app: for every thread the calls in order, as frames that open and close. It has no place for
/// spans and events.
/// </summary>
public static class SpeedscopeExport
{
    /// <param name="output">Gets the JSON.</param>
    /// <param name="source">For names.</param>
    /// <param name="calls">What each thread did.</param>
    public static void Write(Stream output, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls)
    {
        using var writer = new ByteWriter(output);
        writer.Write("{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"weft\",\"name\":"u8);
        writer.Write(JsonNames.Quote(source.Info.Program is { Length: > 0 } program ? Path.GetFileName(program) : "program"));
        writer.Write(",\"profiles\":["u8);
        var frames = new Frames();
        var any = false;
        foreach (var thread in source.Threads)
        {
            writer.Write(any ? ",\n"u8 : "\n"u8);
            WriteProfile(writer, thread, calls(thread), frames);
            any = true;
        }
        writer.Write("\n],\"shared\":{\"frames\":["u8); // last: only now is known which there are
        WriteFrames(writer, source, frames);
        writer.Write("\n]}}\n"u8);
    }

    private static void WriteProfile(ByteWriter writer, TraceThread thread, IEnumerable<CallEvent> events, Frames frames)
    {
        writer.Write("{\"type\":\"evented\",\"unit\":\"nanoseconds\",\"name\":"u8);
        writer.Write(JsonNames.Quote(thread.Name.Length > 0 ? $"{thread.Name} ({thread.Id})" : $"thread {thread.Id}"));
        writer.Write(",\"events\":["u8);
        long? first = null;
        var last = 0L;
        foreach (var e in events)
        {
            if (e.Kind is not (CallKind.Begin or CallKind.End)) continue;
            writer.Write(first == null ? "\n"u8 : ",\n"u8);
            writer.Write(e.Kind == CallKind.Begin ? "{\"type\":\"O\",\"frame\":"u8 : "{\"type\":\"C\",\"frame\":"u8);
            writer.Write(frames.Number(e.Id));
            writer.Write(",\"at\":"u8);
            writer.Write(e.Time);
            writer.Write("}"u8);
            first ??= e.Time;
            last = e.Time;
        }
        writer.Write(Encoding.UTF8.GetBytes($"],\"startValue\":{first ?? 0},\"endValue\":{last}}}"));
    }

    private static void WriteFrames(ByteWriter writer, ITraceSource source, Frames frames)
    {
        var any = false;
        foreach (var id in frames.Ids)
        {
            var function = source.Function(id);
            writer.Write(any ? ",\n{\"name\":"u8 : "\n{\"name\":"u8);
            writer.Write(JsonNames.Quote(function.Name));
            if (function.File.Length > 0)
            {
                writer.Write(",\"file\":"u8);
                writer.Write(JsonNames.Quote(function.File));
            }
            if (function.Line > 0) writer.Write(Encoding.UTF8.GetBytes($",\"line\":{function.Line}"));
            writer.Write("}"u8);
            any = true;
        }
    }

    /// <summary>Functions by their place in the table of frames.</summary>
    private sealed class Frames
    {
        private readonly IdTable<int> numbers = new(); // from 1: 0 is none yet

        public List<int> Ids { get; } = [];

        public int Number(int id)
        {
            ref var number = ref numbers[id];
            if (number == 0)
            {
                Ids.Add(id);
                number = Ids.Count;
            }
            return number - 1;
        }
    }
}
