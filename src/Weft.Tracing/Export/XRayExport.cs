using System.Buffers.Binary;
using System.Text;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>
/// An XRay log of basic mode, version 3, that LLVM's <c>llvm-xray</c> reads, and a file for its <c>-m</c> that names functions.
/// <para>
/// Not a flight recorder's log, which is smaller: llvm-xray puts its threads in the order of a hash table and then refuses
/// records older than the first. Here the first record is the oldest. Every call is entered and left, since <c>account</c>,
/// <c>graph</c> and <c>stack</c> give up otherwise. The format has no place for spans and events.
/// </para>
/// </summary>
public static class XRayExport
{
    private const int RecordSize = 32;
    private const byte Entry = 0, Exit = 1, TailExit = 2;

    /// <param name="log">Gets the log.</param>
    /// <param name="map">Gets an executable with names and nothing to execute.</param>
    /// <param name="source">For names.</param>
    /// <param name="calls">What each thread did.</param>
    public static void Write(Stream log, Stream map, ITraceSource source, Func<TraceThread, IEnumerable<CallEvent>> calls)
    {
        var numbers = new IdTable<int>(); // llvm-xray counts functions from 1 without gaps
        var functions = new List<int>();
        using (var writer = new ByteWriter(log))
        {
            WriteHeader(writer);
            long? start = null;
            foreach (var thread in source.Threads)
                foreach (var e in calls(thread))
                {
                    if (e.Kind is not (CallKind.Begin or CallKind.End)) continue;
                    ref var number = ref numbers[e.Id];
                    if (number == 0)
                    {
                        functions.Add(e.Id);
                        number = functions.Count;
                    }
                    start ??= e.Time;
                    WriteRecord(writer, thread, e, number, Math.Max(0, e.Time - start.Value) + 1); // 0 would be no time to llvm-xray
                }
        }
        XRayMapFile.Write(map, functions.ConvertAll(id => source.Function(id).Name));
    }

    // u16 version, u16 mode, u32 flags: the clock is constant and does not stop; u64 ticks a second.
    private static void WriteHeader(ByteWriter writer)
    {
        Span<byte> header = stackalloc byte[RecordSize];
        header.Clear();
        header[0] = 3;
        header[4] = 3;
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], 1_000_000_000);
        writer.Write(header);
    }

    // u16 0, u8 processor, u8 kind, i32 function, u64 ticks, u32 thread, u32 process.
    private static void WriteRecord(ByteWriter writer, TraceThread thread, in CallEvent e, int function, long time)
    {
        Span<byte> record = stackalloc byte[RecordSize];
        record.Clear();
        record[3] = e.Kind == CallKind.Begin ? Entry : e.Certainty == Certainty.Tail ? TailExit : Exit;
        BinaryPrimitives.WriteInt32LittleEndian(record[4..], function);
        BinaryPrimitives.WriteInt64LittleEndian(record[8..], time);
        BinaryPrimitives.WriteUInt32LittleEndian(record[16..], (uint)thread.Id);
        BinaryPrimitives.WriteUInt32LittleEndian(record[20..], (uint)thread.Process);
        writer.Write(record);
    }
}

/// <summary>
/// The least of an ELF executable that llvm-xray takes names from: a symbol for each function, at addresses where nothing is,
/// and an instrumentation map with one sled each in the order of their numbers.
/// </summary>
internal static class XRayMapFile
{
    private const int HeaderSize = 64, SectionSize = 64, SymbolSize = 24, SledSize = 32, FunctionSize = 16;
    private const ulong TextAddress = 0x10000;
    private const string SectionNames = "\0.text\0xray_instr_map\0.symtab\0.strtab\0.shstrtab\0";

    private enum SectionType { None, Bits, Symbols, Strings, NoBits = 8 }

    public static void Write(Stream output, IReadOnlyList<string> names)
    {
        var text = (ulong)names.Count * FunctionSize;
        var mapAddress = TextAddress + (text + 0xFFFF & ~0xFFFFul);
        var map = Map(names.Count, mapAddress);
        var (symbols, strings) = Symbols(names);
        var sectionNames = Encoding.ASCII.GetBytes(SectionNames);
        var at = new long[5];
        at[0] = HeaderSize;
        byte[][] contents = [map, symbols, strings, sectionNames];
        for (var i = 0; i < contents.Length; i++) at[i + 1] = at[i] + (contents[i].Length + 7 & ~7);
        output.Write(Header(at[4]));
        foreach (var content in contents)
        {
            output.Write(content);
            output.Write(new byte[(8 - content.Length % 8) % 8]);
        }
        const int allocated = 2, executable = 4;
        output.Write(new byte[SectionSize]);
        output.Write(Section(".text", SectionType.NoBits, allocated | executable, TextAddress, at[0], (long)text));
        output.Write(Section("xray_instr_map", SectionType.Bits, allocated, mapAddress, at[0], map.Length));
        output.Write(Section(".symtab", SectionType.Symbols, 0, 0, at[1], symbols.Length, link: 4, info: 1, entry: SymbolSize));
        output.Write(Section(".strtab", SectionType.Strings, 0, 0, at[2], strings.Length));
        output.Write(Section(".shstrtab", SectionType.Strings, 0, 0, at[3], sectionNames.Length));
    }

    private static byte[] Header(long sections)
    {
        var header = new byte[HeaderSize];
        byte[] start = [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]; // 64 bits, little endian
        start.CopyTo(header, 0);
        header[16] = 2; // an executable
        header[18] = 62; // of x86_64, whatever the trace is of: nothing in it depends on that
        header[20] = 1;
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(40), sections);
        header[52] = HeaderSize;
        header[58] = SectionSize;
        header[60] = 6; // sections
        header[62] = 5; // the one with their names
        return header;
    }

    // i64 sled and i64 function, each less its own field's address; u8 kind 0; u8 always 0; u8 version 2.
    private static byte[] Map(int count, ulong address)
    {
        var map = new byte[checked(count * SledSize)];
        for (var i = 0; i < count; i++)
        {
            var sled = map.AsSpan(i * SledSize, SledSize);
            var function = TextAddress + (ulong)i * FunctionSize - address - (ulong)i * SledSize;
            BinaryPrimitives.WriteUInt64LittleEndian(sled, function);
            BinaryPrimitives.WriteUInt64LittleEndian(sled[8..], function - 8);
            sled[18] = 2;
        }
        return map;
    }

    private static (byte[] Symbols, byte[] Strings) Symbols(IReadOnlyList<string> names)
    {
        const byte globalFunction = 1 << 4 | 2;
        var symbols = new byte[checked((names.Count + 1) * SymbolSize)];
        var strings = new MemoryStream();
        strings.WriteByte(0);
        for (var i = 0; i < names.Count; i++)
        {
            var symbol = symbols.AsSpan((i + 1) * SymbolSize, SymbolSize);
            BinaryPrimitives.WriteUInt32LittleEndian(symbol, (uint)strings.Length);
            symbol[4] = globalFunction;
            symbol[6] = 1; // in .text
            BinaryPrimitives.WriteUInt64LittleEndian(symbol[8..], TextAddress + (ulong)i * FunctionSize);
            BinaryPrimitives.WriteUInt64LittleEndian(symbol[16..], FunctionSize);
            strings.Write(Encoding.UTF8.GetBytes(names[i].Replace('\0', ' ')));
            strings.WriteByte(0);
        }
        return (symbols, strings.ToArray());
    }

    private static byte[] Section(string name, SectionType type, long flags, ulong address, long offset, long size, int link = 0, int info = 0, int entry = 0)
    {
        var section = new byte[SectionSize];
        BinaryPrimitives.WriteInt32LittleEndian(section, SectionNames.IndexOf($"\0{name}\0", StringComparison.Ordinal) + 1);
        BinaryPrimitives.WriteInt32LittleEndian(section.AsSpan(4), (int)type);
        BinaryPrimitives.WriteInt64LittleEndian(section.AsSpan(8), flags);
        BinaryPrimitives.WriteUInt64LittleEndian(section.AsSpan(16), address);
        BinaryPrimitives.WriteInt64LittleEndian(section.AsSpan(24), offset);
        BinaryPrimitives.WriteInt64LittleEndian(section.AsSpan(32), size);
        BinaryPrimitives.WriteInt32LittleEndian(section.AsSpan(40), link);
        BinaryPrimitives.WriteInt32LittleEndian(section.AsSpan(44), info);
        section[48] = 8; // aligned to
        BinaryPrimitives.WriteInt64LittleEndian(section.AsSpan(56), entry);
        return section;
    }
}
