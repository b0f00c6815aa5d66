using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>
/// A log that the runtime of clang's <c>-fxray-instrument</c> wrote, in basic mode (version 1 to 3) or as a flight data
/// recorder (version 1 to 5). Layouts from LLVM's lib/XRay and compiler-rt/lib/xray.
/// </summary>
public sealed class XRayLog : ITraceSource
{
    internal const int HeaderSize = 32;
    private const int Basic = 0, FlightData = 1;
    private const int MostArguments = 7;
    private const long Latest = 1L << 60; // no sum of two overflows

    private readonly SafeFileHandle file;
    private readonly XRayRecords records;
    private readonly Dictionary<int, TraceFunction> functions;
    private readonly Dictionary<TraceThread, XRayThread> threads = [];
    private readonly ulong start;
    private readonly double nanosecondsPerTick;

    private XRayLog(SafeFileHandle file, string path, ReadOnlySpan<byte> header, string? program, Dictionary<int, TraceFunction> functions)
    {
        this.file = file;
        this.functions = functions;
        int version = header[0], type = header[2];
        records = type == Basic ? new XRayBasic(file, path, version) : new XRayFlightData(file, path, version, BinaryPrimitives.ReadInt64LittleEndian(header[16..]));
        var known = records.Threads.Where(t => t.First != ulong.MaxValue).OrderBy(t => t.First).ToList();
        foreach (var thread in known) threads.Add(new TraceThread(threads.Count + 1, (uint)thread.Id, (uint)thread.Process, ""), thread);
        start = known is [var first, ..] ? first.First : 0;
        nanosecondsPerTick = NanosecondsPerTick(BinaryPrimitives.ReadUInt64LittleEndian(header[8..]));
        Threads = [.. threads.Keys];
        Info = new TraceInfo(program ?? "", [], null, [], records.Complaints); // a flight recorder's "wall time" is that of the monotonic clock
    }

    public TraceInfo Info { get; }

    public IReadOnlyList<TraceThread> Threads { get; }

    public IReadOnlyCollection<TraceFunction> Functions => functions.Values;

    /// <summary>Whether a file that starts so is an XRay log.</summary>
    internal static bool Recognises(ReadOnlySpan<byte> start) =>
        start.Length >= 4 && start[1] == 0 && start[3] == 0 && (start[2], start[0]) is (Basic, >= 1 and <= 3) or (FlightData, >= 1 and <= 5);

    /// <param name="handle">Becomes the log's.</param>
    /// <param name="path">To speak of it.</param>
    /// <param name="demangle">For functions of the program.</param>
    /// <param name="program">The executable that wrote it, for names; without it functions are called #1 and so on.</param>
    /// <exception cref="WeftException">Not a log, or the program has no instrumentation map.</exception>
    internal static XRayLog Open(SafeFileHandle handle, string path, Func<string, string> demangle, string? program)
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        var read = RandomAccess.Read(handle, header, 0);
        if (!Recognises(header[..read])) throw new WeftException($"'{path}' is not an XRay log", "give the file that a program built with -fxray-instrument wrote");
        if (read < HeaderSize) throw new WeftException($"'{path}' is cut short within its header", "run the program again");
        return new XRayLog(handle, path, header, program, program == null ? [] : XRayMap.Read(program, demangle));
    }

    public TraceFunction Function(int id) => functions.GetValueOrDefault(id) ?? new TraceFunction(id, $"#{id}", "", "", 0, 0, null, XRayMap.FirstArgumentOnly);

    public string SpanName(int id) => $"#{id}";

    public string EventType(int id) => id == 0 ? "custom event" : $"typed event {id - 1}";

    public IEnumerable<RawEvent> Read(TraceThread thread)
    {
        if (!threads.TryGetValue(thread, out var place)) yield break;
        var reader = records.Read(place);
        var time = 0L;
        for (var more = reader.Next(); more;)
        {
            if (reader.Kind == XRayKind.Argument) // of no entry
            {
                more = reader.Next();
                continue;
            }
            time = Math.Max(time, Nanoseconds(reader.Clock));
            var next = Event(reader, time);
            more = reader.Next();
            if (next.Kind == RawKind.Entry)
                for (; more && reader.Kind == XRayKind.Argument; more = reader.Next()) next = next with { Data = Append(next.Data, reader.Clock) };
            yield return next;
        }
    }

    public void Dispose() => file.Dispose();

    private static RawEvent Event(XRayReader record, long time) => record.Kind switch
    {
        XRayKind.Exit => new RawEvent(RawKind.Exit, time, record.Id),
        XRayKind.TailExit => new RawEvent(RawKind.TailExit, time, record.Id),
        XRayKind.Custom => new RawEvent(RawKind.Event, time, 0, Data: record.Data),
        XRayKind.Typed => new RawEvent(RawKind.Event, time, record.Id + 1, Data: record.Data),
        _ => new RawEvent(RawKind.Entry, time, record.Id),
    };

    private static ReadOnlyMemory<byte> Append(ReadOnlyMemory<byte> values, ulong value)
    {
        if (values.Length == MostArguments * sizeof(ulong)) return values;
        var longer = new byte[values.Length + sizeof(ulong)];
        values.CopyTo(longer);
        BinaryPrimitives.WriteUInt64LittleEndian(longer.AsSpan(values.Length), value);
        return longer;
    }

    private double NanosecondsPerTick(ulong frequency)
    {
        if (frequency == 0) records.Complain("the log does not say how fast its clock is: times are taken as nanoseconds");
        return frequency == 0 ? 1 : 1e9 / frequency;
    }

    // Exact for clocks in nanoseconds, and for others to the nanosecond in logs of less than a hundred days.
    private long Nanoseconds(ulong clock) => clock <= start ? 0 : (long)Math.Min((clock - start) * nanosecondsPerTick, Latest);
}
