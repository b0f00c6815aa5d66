using System.Buffers.Binary;

namespace Weft.Tracing;

/// <summary>The metadata blocks of a trace file. Where everything is, is found out at once; functions are decoded when asked for, since a program has many more than a report shows.</summary>
internal sealed class TraceMetadata(TraceClock clock, Func<string, string> demangle)
{
    private const int Notes = 10_000;

    private readonly Dictionary<int, ReadOnlyMemory<byte>> functions = [];
    private readonly Dictionary<int, TraceFunction> decoded = [];
    private readonly Dictionary<int, TraceModule> modules = [];
    private readonly Dictionary<int, string> spans = [];
    private readonly Dictionary<int, string> events = [];
    private readonly List<(long Time, int Function, string Text)> notes = [];

    public SwitchedOff SwitchedOff { get; } = new();

    /// <summary>False if the block is damaged; what came before the damage is kept.</summary>
    public bool Add(ReadOnlyMemory<byte> block)
    {
        while (block.Length >= 8)
        {
            var type = BinaryPrimitives.ReadUInt32LittleEndian(block.Span);
            var size = BinaryPrimitives.ReadUInt32LittleEndian(block.Span[4..]);
            if (type == 0) return true;
            if (size > block.Length - 8) return false;
            if (!AddEntry(type, block.Slice(8, (int)size))) return false;
            block = block[Math.Min(block.Length, 8 + (((int)size + 7) & ~7))..];
        }
        return true;
    }

    public TraceFunction Function(int id)
    {
        lock (decoded)
        {
            if (decoded.TryGetValue(id, out var function)) return function;
            function = functions.TryGetValue(id, out var entry) ? Decode(id, entry.Span) : new TraceFunction(id, $"function #{id}", "", "", 0, 0, null, 0);
            return decoded[id] = function;
        }
    }

    public List<TraceFunction> Functions() => [.. functions.Keys.Order().Select(Function)];

    public string Span(int id) => spans.GetValueOrDefault(id) ?? $"span #{id}";

    public string Event(int id) => events.GetValueOrDefault(id) ?? $"event #{id}";

    public List<(long Time, string Text)> AllNotes() => [.. notes.OrderBy(n => n.Time).Select(n => (n.Time, n.Function == 0 ? n.Text : $"{Function(n.Function).Name}: {n.Text}"))];

    private bool AddEntry(uint type, ReadOnlyMemory<byte> entry) => type switch
    {
        1 => AddModule(entry.Span),
        2 => AddFunction(entry),
        3 => AddName(entry.Span),
        4 => AddNote(entry.Span),
        5 => AddOff(entry),
        _ => true,
    };

    private bool AddModule(ReadOnlySpan<byte> entry)
    {
        if (entry.Length < 32) return false;
        var index = BinaryPrimitives.ReadInt32LittleEndian(entry);
        var bias = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]);
        var buildId = Take(entry[32..], BinaryPrimitives.ReadUInt32LittleEndian(entry[24..]));
        var path = Take(entry[(32 + buildId.Length)..], BinaryPrimitives.ReadUInt32LittleEndian(entry[28..]));
        modules[index] = new TraceModule(index, TraceHeader.Text(path), Convert.ToHexStringLower(buildId), bias);
        return true;
    }

    private bool AddFunction(ReadOnlyMemory<byte> entry)
    {
        if (entry.Length < 32) return false;
        functions[BinaryPrimitives.ReadInt32LittleEndian(entry.Span)] = entry;
        return true;
    }

    private bool AddName(ReadOnlySpan<byte> entry)
    {
        if (entry.Length < 12) return false;
        var names = BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]) == 0 ? spans : events;
        names[BinaryPrimitives.ReadInt32LittleEndian(entry)] = TraceHeader.Text(Take(entry[12..], BinaryPrimitives.ReadUInt32LittleEndian(entry[8..])));
        return true;
    }

    private bool AddNote(ReadOnlySpan<byte> entry)
    {
        if (entry.Length < 16) return false;
        if (notes.Count < Notes)
            notes.Add((clock.ToNanoseconds(BinaryPrimitives.ReadUInt64LittleEndian(entry)), BinaryPrimitives.ReadInt32LittleEndian(entry[8..]), TraceHeader.Text(Take(entry[16..], BinaryPrimitives.ReadUInt32LittleEndian(entry[12..])))));
        return true;
    }

    private bool AddOff(ReadOnlyMemory<byte> entry)
    {
        if (entry.Length < 16) return false;
        SwitchedOff.Add(clock.ToNanoseconds(BinaryPrimitives.ReadUInt64LittleEndian(entry.Span)), BinaryPrimitives.ReadInt32LittleEndian(entry.Span[8..]), entry[16..]);
        return true;
    }

    private TraceFunction Decode(int id, ReadOnlySpan<byte> entry)
    {
        var symbol = Take(entry[32..], BinaryPrimitives.ReadUInt16LittleEndian(entry[24..]));
        var name = Take(entry[(32 + symbol.Length)..], BinaryPrimitives.ReadUInt16LittleEndian(entry[26..]));
        var file = Take(entry[(32 + symbol.Length + name.Length)..], BinaryPrimitives.ReadUInt16LittleEndian(entry[28..]));
        var symbolText = TraceHeader.Text(symbol);
        var shown = name.IsEmpty ? demangle(symbolText) : TraceHeader.Text(name);
        return new TraceFunction(id, shown.Length > 0 ? shown : $"function #{id}", symbolText, TraceHeader.Text(file),
            BinaryPrimitives.ReadInt32LittleEndian(entry[16..]), BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]),
            modules.GetValueOrDefault(BinaryPrimitives.ReadInt32LittleEndian(entry[4..])), BinaryPrimitives.ReadUInt32LittleEndian(entry[20..]));
    }

    private static ReadOnlySpan<byte> Take(ReadOnlySpan<byte> bytes, uint length) => bytes[..(int)Math.Min(length, (uint)bytes.Length)];
}
