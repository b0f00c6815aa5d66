namespace Weft.Tracing;

/// <summary>A module (executable or shared object) that traced functions belong to.</summary>
/// <param name="Index">Unique in the trace.</param>
/// <param name="Path">Its file when the program ran.</param>
/// <param name="BuildId">In hexadecimal, or empty.</param>
/// <param name="Bias">Address in memory less address in the file.</param>
public sealed record TraceModule(int Index, string Path, string BuildId, ulong Bias);

/// <summary>A function that events name.</summary>
/// <param name="Id">As in the trace; unique in it.</param>
/// <param name="Name">As people write it.</param>
/// <param name="Symbol">As the linker knows it.</param>
/// <param name="File">Source file, or empty.</param>
/// <param name="Line">In it, or 0.</param>
/// <param name="Address">In the module's file, or 0.</param>
/// <param name="Module">Null where the trace does not say.</param>
/// <param name="Types">Types of result and arguments, see docs/tracing-format.md; 0 unknown.</param>
public sealed record TraceFunction(int Id, string Name, string Symbol, string File, int Line, ulong Address, TraceModule? Module, uint Types);

/// <summary>A thread with events.</summary>
/// <param name="Index">Unique in the trace.</param>
/// <param name="Id">The kernel's; another thread of the trace may have had the same before.</param>
/// <param name="Process">Its process.</param>
/// <param name="Name">As the program called it, or empty.</param>
public sealed record TraceThread(int Index, long Id, long Process, string Name);

/// <summary>What a trace is of.</summary>
/// <param name="Program">Path of the executable, or empty.</param>
/// <param name="Arguments">The command line.</param>
/// <param name="Started">Wall-clock time of the trace's time 0, if known.</param>
/// <param name="Notes">What the runtime noted of itself, with times in nanoseconds.</param>
/// <param name="Complaints">What is wrong with the trace (cut short, damaged blocks, lost events): one sentence each. Complete when all threads have been read.</param>
public sealed record TraceInfo(string Program, IReadOnlyList<string> Arguments, DateTimeOffset? Started, IReadOnlyList<(long Time, string Text)> Notes, IReadOnlyList<string> Complaints);

public enum RawKind : byte
{
    /// <summary>A function was entered. Value: low half of the stack pointer when <see cref="RawEvent.HasFrame"/>.</summary>
    Entry,

    /// <summary>A function returned.</summary>
    Exit,

    /// <summary>A function ended in a tail call: what is entered next has its caller.</summary>
    TailExit,

    /// <summary>An exception or panic arrived in a frame whose stack pointer is Value, of the function Id (0: one that is not traced).</summary>
    Landed,

    /// <summary>A user's event; Id is its type, Data what came with it.</summary>
    Event,

    /// <summary>A span of the name Id.</summary>
    SpanBegin,

    SpanEnd,

    /// <summary>Value events are missing here; 0: nobody knows how many.</summary>
    Lost,
}

/// <summary>What a thread did, as the log has it.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Time">Nanoseconds since the trace began; never decreases within a thread.</param>
/// <param name="Id">Function, name of span or type of event.</param>
/// <param name="Value">See <see cref="RawKind"/>.</param>
/// <param name="HasFrame">Whether an entry's Value is a stack pointer.</param>
/// <param name="Data">Values of an entry or exit (8 bytes each), or the data of an event; mostly empty.</param>
public readonly record struct RawEvent(RawKind Kind, long Time, int Id, uint Value = 0, bool HasFrame = false, ReadOnlyMemory<byte> Data = default);

/// <summary>A trace to read, of whatever format. Threads may be read several times and in any order, one after the other, interleaved or at the same time; nothing is kept of what was read.</summary>
public interface ITraceSource : IDisposable
{
    TraceInfo Info { get; }

    /// <summary>Threads that have events, by the time of their first.</summary>
    IReadOnlyList<TraceThread> Threads { get; }

    /// <summary>Never throws and never null: an id that the trace does not explain gets a made-up name.</summary>
    TraceFunction Function(int id);

    /// <summary>The functions that the trace describes, whether called or not.</summary>
    IReadOnlyCollection<TraceFunction> Functions { get; }

    /// <summary>Name of a span or type of event; made up where the trace does not say.</summary>
    string SpanName(int id);

    string EventType(int id);

    SwitchedOff SwitchedOff => SwitchedOff.Never;

    /// <summary>Whether it is known that every exit of the thread has its entry: the log begins with the thread, and nothing is missing.</summary>
    bool IsWhole(TraceThread thread) => false;

    /// <summary>The thread's events in order, in bounded memory.</summary>
    IEnumerable<RawEvent> Read(TraceThread thread);
}

public enum CallKind : byte
{
    /// <summary>A call begins, at Depth.</summary>
    Begin,

    /// <summary>The call that began last and has not ended ends; Depth is that of its begin. A call that began as Open may end in any way.</summary>
    End,

    /// <summary>A user's event within the calls that are open.</summary>
    Event,

    SpanBegin,

    SpanEnd,

    /// <summary>Events are missing here; all open calls have been ended before.</summary>
    Lost,
}

/// <summary>How sure the end or begin of a call is.</summary>
public enum Certainty : byte
{
    /// <summary>The log has it.</summary>
    Seen,

    /// <summary>The call was left by an exception, a panic or longjmp.</summary>
    Unwound,

    /// <summary>The call was under way when the log began (begin) or ended (end), or its function was switched on or off in between.</summary>
    Open,

    /// <summary>The call ended in a tail call.</summary>
    Tail,
}

/// <summary>
/// One step of a thread's call tree. Begins and ends are balanced in every thread, whatever the log was like.
/// </summary>
/// <param name="Kind">What happened.</param>
/// <param name="Certainty">How sure it is.</param>
/// <param name="Time">Nanoseconds since the trace began; never decreases within a thread.</param>
/// <param name="Id">Function, span name or event type; of <see cref="CallKind.Lost"/> how many are missing, 0 if nobody knows.</param>
/// <param name="Depth">Of the call; 0 for the outermost.</param>
/// <param name="Start">Of an end: when the call began.</param>
/// <param name="Data">As in <see cref="RawEvent"/>.</param>
public readonly record struct CallEvent(CallKind Kind, Certainty Certainty, int Depth, long Time, int Id, long Start = 0, ReadOnlyMemory<byte> Data = default);
