using Microsoft.Win32.SafeHandles;

namespace Weft.Tracing;

/// <summary>The first four as logs number them.</summary>
internal enum XRayKind : byte { Entry, Exit, TailExit, EntryWithArgument, Argument, Custom, Typed }

/// <summary>Goes through a thread's records in the order they were written. Not an iterator: that would copy each record twice more.</summary>
internal abstract class XRayReader
{
    public XRayKind Kind { get; protected set; }

    /// <summary>Ticks; of an argument its value.</summary>
    public ulong Clock { get; protected set; }

    /// <summary>Function, or the type of a typed event.</summary>
    public int Id { get; protected set; }

    /// <summary>Of a custom or typed event.</summary>
    public ReadOnlyMemory<byte> Data { get; protected set; }

    public abstract bool Next();
}

/// <summary>A thread of an XRay log: where its records are, and the clock of its first.</summary>
internal sealed class XRayThread(int process, int id)
{
    public int Process { get; } = process;

    public int Id { get; } = id;

    public ulong First { get; set; } = ulong.MaxValue;

    public List<XRayPart> Parts { get; } = [];
}

/// <summary>A part of the file with records of a thread (and in basic mode of others as well).</summary>
internal readonly record struct XRayPart(long Offset, long Size, ulong Clock);

/// <summary>Either way of writing XRay logs: basic or FDR.</summary>
internal abstract class XRayRecords(SafeFileHandle file, string path)
{
    /// <summary>More are taken for damage: an index of them would not fit in memory.</summary>
    private const int MostThreads = 1 << 18;

    private readonly Dictionary<(int Process, int Id), XRayThread> threads = [];

    public IReadOnlyCollection<XRayThread> Threads => threads.Values;

    /// <summary>One sentence each; the same thing is said once.</summary>
    public List<string> Complaints { get; } = [];

    /// <summary>In bytes, when it was opened.</summary>
    protected long Length { get; } = RandomAccess.GetLength(file);

    public abstract XRayReader Read(XRayThread thread);

    public void Complain(string what)
    {
        var sentence = $"'{path}': {what}";
        lock (Complaints)
            if (!Complaints.Contains(sentence)) Complaints.Add(sentence);
    }

    protected FileWindow Window() => new(file, path);

    protected XRayThread? Thread(int process, int id)
    {
        if (threads.TryGetValue((process, id), out var thread)) return thread;
        if (threads.Count == MostThreads)
        {
            Complain($"there are more than {MostThreads} threads: the log is damaged, or the rest of them is left out");
            return null;
        }
        return threads[(process, id)] = new XRayThread(process, id);
    }
}
