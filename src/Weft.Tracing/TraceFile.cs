using System.Buffers.Binary;
using System.Collections;
using Microsoft.Win32.SafeHandles;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>
/// A file that a program built <c>--with tracing</c> wrote or is writing; docs/tracing-format.md says what is in it. Opening it
/// reads the heads of its blocks and the metadata; events are read block by block. A file may end anywhere and be damaged
/// anywhere behind its header: what can be read is, and <see cref="TraceInfo.Complaints"/> says what could not.
/// </summary>
public sealed class TraceFile : ITraceSource
{
    private const uint BlockMagic = 0x42544657;
    private const int HeaderSize = 64;
    private const uint SwitchedOnLater = 16;
    private const int MetadataBlocks = 1 << 14; // a gibibyte, some ten million functions

    private readonly SafeFileHandle handle;
    private readonly string path;
    private readonly long length;
    private readonly TraceHeader header;
    private readonly TraceMetadata metadata;
    private readonly List<Block> blocks = [];
    private readonly Dictionary<int, Range> blocksOf = [];
    private readonly HashSet<long> damaged = [];
    private List<TraceFunction>? functions;

    private TraceFile(SafeFileHandle handle, string path, Func<string, string> demangle)
    {
        this.handle = handle;
        this.path = path;
        length = RandomAccess.GetLength(handle);
        var start = new byte[16384];
        header = TraceHeader.Read(start.AsSpan(0, Fill(start, 0)), path);
        metadata = new TraceMetadata(header.Clock, demangle);
        Threads = Index();
        metadata.SwitchedOff.Sort();
    }

    public TraceInfo Info => new(header.Program, header.Arguments, header.Started, metadata.AllNotes(), Complaints());

    public IReadOnlyList<TraceThread> Threads { get; }

    /// <summary>The trace's time at this moment, if its program runs on this machine.</summary>
    public long Now => System.Diagnostics.Stopwatch.GetTimestamp() - header.StartedMonotonic;

    /// <summary>Threads are read from the last block that began before this time, not from their first.</summary>
    public long Since { get; set; }

    public IReadOnlyCollection<TraceFunction> Functions => functions ??= metadata.Functions();

    internal static bool Recognises(ReadOnlySpan<byte> start) => start.StartsWith(TraceHeader.Magic);

    /// <param name="handle">Becomes the trace's.</param>
    /// <param name="path">To speak of it.</param>
    /// <param name="demangle">For functions whose name the file has as a symbol only.</param>
    internal static TraceFile Open(SafeFileHandle handle, string path, Func<string, string> demangle) => new(handle, path, demangle);

    public TraceFunction Function(int id) => metadata.Function(id);

    public SwitchedOff SwitchedOff => metadata.SwitchedOff;

    public string SpanName(int id) => metadata.Span(id);

    public string EventType(int id) => metadata.Event(id);

    public IEnumerable<RawEvent> Read(TraceThread thread)
    {
        if (!blocksOf.TryGetValue(thread.Index, out var range)) return [];
        var (start, end) = (range.Start.Value, range.End.Value);
        while (start + 1 < end && header.Clock.ToNanoseconds(blocks[start + 1].Clock) < Since) start++;
        return new ThreadEvents(this, start, end);
    }

    public bool IsWhole(TraceThread thread)
    {
        if (!blocksOf.TryGetValue(thread.Index, out var range) || Since != 0 || header.Lost > 0 || (header.State & SwitchedOnLater) != 0) return false;
        var (start, end) = (range.Start.Value, range.End.Value);
        return blocks[start].Number == 1 && blocks[end - 1].Number == (ulong)(end - start); // numbers ascend, and there are no twins
    }

    public void Dispose() => handle.Dispose();

    /// <summary>Reads the head of every block, and metadata.</summary>
    private List<TraceThread> Index()
    {
        var described = new List<(ulong Number, long Offset)>();
        var threads = new Dictionary<int, (TraceThread Thread, ulong Number)>();
        Span<byte> head = stackalloc byte[HeaderSize + 8];
        for (long offset = TraceHeader.BlockSize; offset < length; offset += TraceHeader.BlockSize)
        {
            head.Clear();
            if (Fill(head, offset) < HeaderSize) break;
            if (BinaryPrimitives.ReadUInt32LittleEndian(head) != BlockMagic)
            {
                if (head.ContainsAnyExcept((byte)0)) damaged.Add(offset);
                continue;
            }
            var kind = BinaryPrimitives.ReadUInt16LittleEndian(head[4..]);
            var number = BinaryPrimitives.ReadUInt64LittleEndian(head[16..]);
            if (kind == 2) described.Add((number, offset));
            else if (kind == 1) AddEvents(head, number, offset, threads);
        }
        ReadMetadata(described);
        return SortBlocks(threads);
    }

    private void AddEvents(ReadOnlySpan<byte> head, ulong number, long offset, Dictionary<int, (TraceThread Thread, ulong Number)> threads)
    {
        var index = BinaryPrimitives.ReadInt32LittleEndian(head[8..]);
        blocks.Add(new Block(index, number, offset, BinaryPrimitives.ReadUInt64LittleEndian(head[24..]), IsEmpty(head)));
        if (threads.TryGetValue(index, out var known) && known.Number > number) return;
        threads[index] = (new TraceThread(index, BinaryPrimitives.ReadUInt32LittleEndian(head[12..]), header.Process, TraceHeader.Text(head[40..56])), number);
    }

    private static bool IsEmpty(ReadOnlySpan<byte> head) =>
        BinaryPrimitives.ReadUInt32LittleEndian(head[32..]) == HeaderSize || BinaryPrimitives.ReadUInt64LittleEndian(head[HeaderSize..]) == 0;

    private void ReadMetadata(List<(ulong Number, long Offset)> described)
    {
        described.Sort();
        foreach (var (_, offset) in described.Take(MetadataBlocks))
        {
            var block = new byte[TraceHeader.BlockSize];
            var read = Fill(block, offset);
            var used = BinaryPrimitives.ReadUInt32LittleEndian(block.AsSpan(32));
            var end = used is >= HeaderSize and <= TraceHeader.BlockSize ? Math.Min(read, (int)used) : read;
            if (!metadata.Add(block.AsMemory(HeaderSize, Math.Max(end, HeaderSize) - HeaderSize)) && read == block.Length) damaged.Add(offset);
        }
    }

    private List<TraceThread> SortBlocks(Dictionary<int, (TraceThread Thread, ulong Number)> threads)
    {
        blocks.Sort((a, b) => (a.Thread, a.Number, a.Offset).CompareTo((b.Thread, b.Number, b.Offset)));
        RemoveTwins();
        var found = new List<(ulong Clock, TraceThread Thread)>();
        for (var (start, end) = (0, 0); start < blocks.Count; start = end)
        {
            var (index, hasEvents) = (blocks[start].Thread, false);
            for (end = start; end < blocks.Count && blocks[end].Thread == index; end++) hasEvents |= !blocks[end].IsEmpty;
            if (!hasEvents) continue;
            blocksOf[index] = start..end;
            found.Add((blocks[start].Clock, threads[index].Thread));
        }
        return [.. found.OrderBy(f => f.Clock).Select(f => f.Thread)];
    }

    // Two blocks of one number: a damaged head, since a thread counts its blocks.
    private void RemoveTwins()
    {
        var kept = 0;
        for (var i = 0; i < blocks.Count; i++)
        {
            if (kept > 0 && blocks[kept - 1].Thread == blocks[i].Thread && blocks[kept - 1].Number == blocks[i].Number) damaged.Add(blocks[i].Offset);
            else blocks[kept++] = blocks[i];
        }
        blocks.RemoveRange(kept, blocks.Count - kept);
    }

    private void AddDamaged(long offset)
    {
        lock (damaged) damaged.Add(offset);
    }

    private List<string> Complaints()
    {
        const uint ended = 1, diskFull = 2, limit = 4, wrapped = 8;
        var complaints = new List<string>();
        void Add(bool holds, string complaint) { if (holds) complaints.Add($"'{path}': {complaint}"); }

        Add(length % TraceHeader.BlockSize != 0, "the file ends within a block; it was cut short");
        Add(damaged.Count > 0, $"{damaged.Count} of {length / TraceHeader.BlockSize} blocks are damaged; some of what they held is missing or wrong");
        Add((header.State & diskFull) != 0, "the disk was full; what came after is missing");
        Add((header.State & limit) != 0, "the size limit was reached; what came after is missing");
        Add(header.Lost > 0, $"{header.Lost} events were lost for want of memory or disk");
        Add((header.State & wrapped) != 0, "a ring that has wrapped: it has the last events only");
        Add((header.State & ended) == 0, "the program has not closed it: it was killed, or still runs");
        return complaints;
    }

    /// <summary>Reads as much as the file has.</summary>
    private int Fill(Span<byte> buffer, long offset)
    {
        try
        {
            var total = 0;
            while (total < buffer.Length && RandomAccess.Read(handle, buffer[total..], offset + total) is var read and > 0) total += read;
            return total;
        }
        catch (IOException e)
        {
            throw new WeftException($"cannot read '{path}': {e.Message}", null, ExitCode.Failure, e);
        }
    }

    /// <summary>A thread's events. An iterator method would store every one of them once more.</summary>
    private sealed class ThreadEvents(TraceFile file, int start, int end) : IEnumerable<RawEvent>
    {
        public IEnumerator<RawEvent> GetEnumerator() => new ThreadReader(file, start, end);

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class ThreadReader(TraceFile file, int start, int end) : IEnumerator<RawEvent>
    {
        private readonly BlockReader reader = new(file.header.Clock);
        private int block = start - 1;
        private bool isGap;

        public RawEvent Current => isGap ? new RawEvent(RawKind.Lost, reader.Time, 0) : reader.Current;

        object IEnumerator.Current => Current;

        public bool MoveNext()
        {
            isGap = false;
            while (block < start || !reader.TryRead())
                if (!NextBlock()) return false;
                else if (isGap) return true;
            return true;
        }

        public void Reset() => throw new NotSupportedException();

        public void Dispose() { }

        private bool NextBlock()
        {
            if (block >= start && reader.Damaged) file.AddDamaged(file.blocks[block].Offset);
            if (block == end - 1) return false;
            var next = file.blocks[++block];
            var length = file.Fill(reader.Buffer, next.Offset);
            reader.Begin(reader.Holds(next.Thread, next.Number) ? length : 0, block < end - 1 ? file.blocks[block + 1].Clock : ulong.MaxValue);
            // A ring has lost its beginning for good, and that is as it should be.
            isGap = block > start ? next.Number != file.blocks[block - 1].Number + 1 : next.Number != 1 && !file.header.IsRing && file.Since == 0;
            return true;
        }
    }

    private readonly record struct Block(int Thread, ulong Number, long Offset, ulong Clock, bool IsEmpty);
}
