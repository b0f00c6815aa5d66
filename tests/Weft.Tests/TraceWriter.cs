using System.Buffers.Binary;
using System.Text;

namespace Weft.Tests;

/// <summary>Writes trace files as docs/tracing-format.md has them, with numbers of its own: nothing here is shared with what reads them.</summary>
internal sealed class TraceWriter
{
    public const int Block = 65536;

    /// <summary>The clock at the trace's time 0.</summary>
    public const ulong Start = 5_000_000_000_000;

    private readonly List<LogWriter> threads = [];
    private readonly List<byte> metadata = [];

    public TraceWriter()
    {
        "WEFTTRC\0"u8.CopyTo(Header);
        Put16(8, 1);
        Header[10] = 1;
        Header[11] = 2;
        Put32(12, Block);
        Put64(16, 4321);
        Put64(24, 1);
        Put64(32, Start);
        Put64(40, 1_000_000_000);
        Put64(48, 1_700_000_000_000_000_000);
        Put64(56, Start);
        Put64(64, 1_000_000_000);
        Put64(72, 1_000_000_000);
        Put32(88, 1);
        Encoding.UTF8.GetBytes("/opt/prog").CopyTo(Header.AsSpan(256));
        Encoding.UTF8.GetBytes("prog\0--fast\0").CopyTo(Header.AsSpan(8192));
        Entry(1, [.. U32(1), .. U32(1), .. U32(1000), .. U32(0), .. U64(0x1000), .. U32(2), .. U32(9), 0xAB, 0xCD, .. "/opt/prog"u8]);
    }

    public byte[] Header { get; } = new byte[Block];

    /// <summary>The order blocks have in the file, if not that in which they were written; gets their number.</summary>
    public Func<int, IEnumerable<int>> Order { get; set; } = count => Enumerable.Range(0, count);

    public void Put16(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Header.AsSpan(offset), value);

    public void Put32(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Header.AsSpan(offset), value);

    public void Put64(int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Header.AsSpan(offset), value);

    public TraceWriter Functions(params string[] names)
    {
        for (var i = 0; i < names.Length; i++) Function(i + 1, names[i]);
        return this;
    }

    public TraceWriter Function(int id, string name, string symbol = "", string file = "", int line = 0, uint types = 0, uint module = 1)
    {
        byte[] nameBytes = Encoding.UTF8.GetBytes(name), symbolBytes = Encoding.UTF8.GetBytes(symbol), fileBytes = Encoding.UTF8.GetBytes(file);
        return Entry(2, [.. U32((uint)id), .. U32(module), .. U64(0x400 + (ulong)id), .. U32((uint)line), .. U32(types), .. U16(symbolBytes.Length), .. U16(nameBytes.Length), .. U16(fileBytes.Length), .. U16(0), .. symbolBytes, .. nameBytes, .. fileBytes]);
    }

    public TraceWriter Module(uint index, string path) =>
        Entry(1, [.. U32(index), .. U32(1), .. U32(1000), .. U32(0), .. U64(0), .. U32(0), .. U32((uint)path.Length), .. Encoding.UTF8.GetBytes(path)]);

    public TraceWriter Span(int id, string name) => Name(id, 0, name);

    public TraceWriter EventType(int id, string name) => Name(id, 1, name);

    public TraceWriter Note(ulong clock, int function, string text) =>
        Entry(4, [.. U64(Start + clock), .. U32((uint)function), .. U32((uint)Encoding.UTF8.GetByteCount(text)), .. Encoding.UTF8.GetBytes(text)]);

    public TraceWriter Entry(uint type, byte[] content)
    {
        metadata.AddRange([.. U32(type), .. U32((uint)content.Length), .. content, .. new byte[-content.Length & 7]]);
        return this;
    }

    public LogWriter Thread(int index = 1, int id = 0, string name = "")
    {
        var thread = new LogWriter(index, id == 0 ? 4320 + index : id, name);
        threads.Add(thread);
        return thread;
    }

    public byte[] ToArray()
    {
        var blocks = MetadataBlocks().Concat(threads.SelectMany(t => t.Finish())).ToList();
        return [.. Header, .. Order(blocks.Count).SelectMany(i => blocks[i])];
    }

    private TraceWriter Name(int id, uint kind, string name) =>
        Entry(3, [.. U32((uint)id), .. U32(kind), .. U32((uint)Encoding.UTF8.GetByteCount(name)), .. Encoding.UTF8.GetBytes(name)]);

    private IEnumerable<byte[]> MetadataBlocks()
    {
        var rest = metadata.ToArray().AsMemory();
        for (var number = 1UL; rest.Length > 0; number++)
        {
            var block = new byte[Block];
            var used = 64;
            while (rest.Length > 0)
            {
                var size = 8 + (BinaryPrimitives.ReadInt32LittleEndian(rest.Span[4..]) + 7 & ~7);
                if (used + size > Block) break;
                rest[..size].CopyTo(block.AsMemory(used));
                rest = rest[size..];
                used += size;
            }
            Head(block, 2, 0, 0, number, 0, (uint)used, "");
            yield return block;
        }
    }

    internal static void Head(byte[] block, ushort kind, int thread, int id, ulong number, ulong clock, uint used, string name)
    {
        "WFTB"u8.CopyTo(block);
        BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(4), kind);
        BinaryPrimitives.WriteInt32LittleEndian(block.AsSpan(8), thread);
        BinaryPrimitives.WriteInt32LittleEndian(block.AsSpan(12), id);
        BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(16), number);
        BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(24), clock);
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(32), used);
        Encoding.UTF8.GetBytes(name).CopyTo(block.AsSpan(40));
    }

    private static byte[] U16(int value) => BitConverter.GetBytes((ushort)value);

    private static byte[] U32(uint value) => BitConverter.GetBytes(value);

    private static byte[] U64(ulong value) => BitConverter.GetBytes(value);
}

/// <summary>One thread's log. Times are nanoseconds since the trace's time 0.</summary>
internal sealed class LogWriter(int index, int id, string name)
{
    private readonly List<byte[]> blocks = [];
    private byte[]? block;
    private int used;
    private ulong high;
    private ulong now = TraceWriter.Start;

    /// <summary>Whether the last block is left as a program leaves it that was killed.</summary>
    public bool LeaveOpen { get; set; }

    /// <summary>Number of the block that is begun next.</summary>
    public ulong Number { get; set; } = 1;

    public LogWriter Enter(int function, ulong time, int clock = 0) => At(time, low => Record((uint)function << 5 | (uint)clock << 2, clock == 1 ? 0 : low));

    public LogWriter Exit(int function, ulong time, int clock = 0) => At(time, low => Record((uint)function << 5 | (uint)clock << 2 | 1, clock == 1 ? 0 : low));

    public LogWriter Tail(int function, ulong time) => At(time, low => Record((uint)function << 5 | 2, low));

    public LogWriter Frame(uint pointer) => Other(1, 0, pointer);

    public LogWriter Landed(uint pointer, ulong time, uint function = 0) => At(time, low => Other(2, 16, low, [.. BitConverter.GetBytes((ulong)pointer), .. BitConverter.GetBytes((ulong)function)]));

    public LogWriter Values(params ulong[] values) => Other(3, (uint)values.Length, 0, [.. values.SelectMany(BitConverter.GetBytes)]);

    public LogWriter Event(uint type, string text, ulong time)
    {
        var data = Encoding.UTF8.GetBytes(text);
        return At(time, low => Other(4, (uint)data.Length, low, [.. BitConverter.GetBytes((ulong)type), .. data, .. new byte[-data.Length & 7]]));
    }

    public LogWriter Begin(int span, ulong time) => At(time, low => Other(5, (uint)span, low));

    public LogWriter End(int span, ulong time) => At(time, low => Other(6, (uint)span, low));

    public LogWriter Lost(uint count) => Other(7, 0, count);

    public LogWriter Pad(int bytes) => Other(8, (uint)bytes, 0, new byte[bytes]);

    public LogWriter Other(uint type, uint argument, uint second, byte[]? payload = null) => Record(3 | type << 5 | argument << 10, second, payload);

    public LogWriter Record(uint what, uint second, byte[]? payload = null)
    {
        if (block == null || used + 8 + (payload?.Length ?? 0) > TraceWriter.Block) NextBlock();
        BitConverter.GetBytes(what | (ulong)second << 32).CopyTo(block!, used);
        payload?.CopyTo(block!, used + 8);
        used += 8 + (payload?.Length ?? 0);
        return this;
    }

    public LogWriter NextBlock()
    {
        Close(used);
        block = new byte[TraceWriter.Block];
        TraceWriter.Head(block, 1, index, id, Number++, now, 0, name);
        blocks.Add(block);
        used = 64;
        high = now >> 32;
        return this;
    }

    public List<byte[]> Finish()
    {
        if (!LeaveOpen) Close(used);
        return blocks;
    }

    private LogWriter At(ulong time, Func<uint, LogWriter> write)
    {
        now = Math.Max(now, TraceWriter.Start + time);
        if (block == null || used + 16 > TraceWriter.Block) NextBlock();
        if (high != now >> 32) Other(0, 0, (uint)(high = now >> 32));
        return write((uint)(TraceWriter.Start + time));
    }

    private void Close(int length)
    {
        if (block != null) BitConverter.GetBytes(length).CopyTo(block, 32);
    }
}
