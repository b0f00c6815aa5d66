using System.Buffers.Binary;
using System.Text;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>What block 0 of a trace file says; see docs/tracing-format.md.</summary>
internal sealed class TraceHeader
{
    public const int BlockSize = 65536;

    private const int Version = 1;
    private const int Needed = 104;

    private TraceHeader(ReadOnlySpan<byte> bytes)
    {
        Process = BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]);
        Lost = BinaryPrimitives.ReadUInt64LittleEndian(bytes[80..]);
        State = BinaryPrimitives.ReadUInt32LittleEndian(bytes[88..]);
        IsRing = BinaryPrimitives.ReadUInt32LittleEndian(bytes[92..]) == 1;
        Clock = FindClock(bytes);
        var realtime = BinaryPrimitives.ReadUInt64LittleEndian(bytes[48..]);
        Started = realtime == 0 ? null : DateTimeOffset.UnixEpoch.AddTicks((long)(realtime / 100));
        Program = bytes.Length > 256 ? Text(bytes[256..Math.Min(bytes.Length, 256 + 4096)]) : "";
        Arguments = bytes.Length > 8192 ? ReadArguments(bytes[8192..Math.Min(bytes.Length, 16384)]) : [];
    }

    public static ReadOnlySpan<byte> Magic => "WEFTTRC\0"u8;

    public long Process { get; }

    public ulong Lost { get; }

    public uint State { get; }

    public bool IsRing { get; }

    public TraceClock Clock { get; }

    public DateTimeOffset? Started { get; }

    public string Program { get; }

    public IReadOnlyList<string> Arguments { get; }

    /// <param name="bytes">The file's beginning, as much of 16 KiB as there is.</param>
    /// <param name="path">For what is said when it cannot be read.</param>
    public static TraceHeader Read(ReadOnlySpan<byte> bytes, string path)
    {
        if (bytes.Length < Needed) throw new WeftException($"'{path}' ends within its first {Needed} bytes: nothing that was traced is in it", "copy it again, or run the program again");
        if (BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..]) is var version && version > Version)
            throw new WeftException($"'{path}' is a trace of version {version}; this Weft reads version {Version}", "use the Weft that the program was built with, or a newer one");
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]) is var size && size != BlockSize)
            throw new WeftException($"'{path}' is damaged: its header speaks of blocks of {size} bytes", "copy it again, or run the program again");
        return new TraceHeader(bytes);
    }

    /// <summary>Text up to a NUL. What could drive a terminal is made harmless here, once for everything that is shown.</summary>
    public static string Text(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)0);
        var text = Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
        return text.AsSpan().ContainsAnyInRange('\0', '\x1f') || text.AsSpan().ContainsAnyInRange('\x7f', '\x9f') ? string.Concat(text.Select(c => char.IsControl(c) ? '?' : c)) : text;
    }

    // The line through both calibrations; before they are far enough apart, what the program estimated.
    private static TraceClock FindClock(ReadOnlySpan<byte> bytes)
    {
        const ulong millisecond = 1_000_000;
        ulong start = Read(bytes, 32), startTime = Read(bytes, 40), last = Read(bytes, 56), lastTime = Read(bytes, 64), perSecond = Read(bytes, 72);
        if (bytes[11] == 2) return TraceClock.Nanoseconds(start);
        var measured = last > start && lastTime > startTime && lastTime - startTime >= millisecond ? TraceClock.FromPace(start, last - start, lastTime - startTime) : null;
        return measured ?? TraceClock.FromPace(start, perSecond, 1_000_000_000) ?? TraceClock.Nanoseconds(start);
    }

    private static List<string> ReadArguments(ReadOnlySpan<byte> bytes)
    {
        var arguments = new List<string>();
        while (bytes.Length > 0 && bytes[0] != 0)
        {
            arguments.Add(Text(bytes));
            var end = bytes.IndexOf((byte)0);
            bytes = end < 0 ? [] : bytes[(end + 1)..];
        }
        return arguments;
    }

    private static ulong Read(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[offset..]);
}
