using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Weft.Tracing;

/// <summary>
/// Flight data recorder mode: buffers, each of one thread, with records of 8 bytes for functions and 16 for everything else.
/// Version 1 has buffers of one size that an end-of-buffer record ends early; from version 2 each says its extents, 3 has the
/// process, 4 the processor in custom events and 5 relative times in them.
/// </summary>
internal sealed class XRayFlightData : XRayRecords
{
    private const int MetadataSize = 16;
    private const string Damaged = "some buffers are damaged: what follows in them is left out";

    private readonly int version;

    private enum Metadata { NewBuffer, EndOfBuffer, NewProcessor, ClockWrap, WallTime, CustomEvent, Argument, Extents, TypedEvent, Process }

    public XRayFlightData(SafeFileHandle file, string path, int version, long bufferSize) : base(file, path)
    {
        this.version = version;
        if (version == 1) IndexFixed(bufferSize);
        else IndexExtents();
        if (Threads.Count == 0) Complain("the log has no records: the program has to call __xray_log_finalize() and __xray_log_flushLog(), and calls under 5 us are not logged unless func_duration_threshold_us=0");
        foreach (var thread in Threads) thread.Parts.Sort((a, b) => a.Clock != b.Clock ? a.Clock.CompareTo(b.Clock) : a.Offset.CompareTo(b.Offset));
    }

    public override XRayReader Read(XRayThread thread) => new Reader(this, thread);

    private void IndexFixed(long bufferSize)
    {
        if (bufferSize < MetadataSize)
        {
            Complain("the header does not say how large buffers are");
            bufferSize = Length;
        }
        var window = Window();
        for (var at = (long)XRayLog.HeaderSize; at < Length; at += bufferSize)
        {
            Add(window, at, Math.Min(bufferSize, Length - at));
            if (bufferSize > Length - at) return; // and at + bufferSize might overflow
        }
    }

    private void IndexExtents()
    {
        var window = Window();
        for (var at = (long)XRayLog.HeaderSize; at < Length;)
        {
            var bytes = window.At(at, MetadataSize);
            if (bytes.Length < MetadataSize || bytes[0] != Introducer(Metadata.Extents))
            {
                Complain("some buffers are damaged or the log is cut short");
                at = NextBuffer(window, at + 1);
                continue;
            }
            var size = BinaryPrimitives.ReadUInt64LittleEndian(bytes[1..]);
            at += MetadataSize;
            if (size > (ulong)(Length - at)) Complain("the log is cut short within a buffer");
            var available = (long)Math.Min(size, (ulong)(Length - at));
            Add(window, at, available);
            at += available;
        }
    }

    /// <summary>Where extents and a new buffer follow each other, as they only do at a buffer's start; or the end.</summary>
    private long NextBuffer(FileWindow window, long from)
    {
        for (var at = from; at < Length; at++)
            if (window.At(at, 2 * MetadataSize) is { Length: 2 * MetadataSize } bytes && bytes[0] == Introducer(Metadata.Extents) && bytes[MetadataSize] == Introducer(Metadata.NewBuffer))
                return at;
        return Length;
    }

    private void Add(FileWindow window, long at, long size)
    {
        if (size < MetadataSize) return; // reserved by a thread that recorded nothing
        int process = 0, id = 0;
        ulong? clock = null;
        for (var record = at; record + MetadataSize <= at + size; record += MetadataSize)
        {
            var bytes = window.At(record, MetadataSize);
            if (bytes.Length < MetadataSize || (bytes[0] & 1) == 0) break;
            var kind = (Metadata)(bytes[0] >> 1);
            if (kind == Metadata.NewBuffer) id = BinaryPrimitives.ReadInt32LittleEndian(bytes[1..]);
            else if (kind == Metadata.Process) process = BinaryPrimitives.ReadInt32LittleEndian(bytes[1..]);
            else if (kind == Metadata.NewProcessor) clock = BinaryPrimitives.ReadUInt64LittleEndian(bytes[3..]);
            if (kind is not (Metadata.NewBuffer or Metadata.Process or Metadata.WallTime)) break;
        }
        if (clock == null) Complain(Damaged);
        else if (Thread(process, id) is { } thread)
        {
            thread.Parts.Add(new XRayPart(at, size, clock.Value));
            thread.First = Math.Min(thread.First, clock.Value);
        }
    }

    private static byte Introducer(Metadata kind) => (byte)((int)kind << 1 | 1);

    private sealed class Reader(XRayFlightData log, XRayThread thread) : XRayReader
    {
        private const int FunctionSize = 8;

        /// <summary>What a program attaches to one event is cut here, so that damage cannot ask for gigabytes.</summary>
        private const int MostData = 1 << 16;

        private readonly FileWindow window = log.Window();
        private int part = -1;
        private long at, end;
        private ulong clock;

        // Records that only say something of those that follow are passed over.
        public override bool Next()
        {
            while (at < end || NextPart())
            {
                var bytes = window.At(at, (int)Math.Min(MetadataSize, end - at));
                var isFunction = bytes.Length > 0 && (bytes[0] & 1) == 0;
                var size = isFunction ? FunctionSize : MetadataSize;
                at += size;
                if (bytes.Length < size) LeaveDamaged();
                else if (isFunction ? Function(bytes) : Other((Metadata)(bytes[0] >> 1), bytes)) return true;
            }
            return false;
        }

        private bool NextPart()
        {
            if (++part >= thread.Parts.Count) return false;
            at = thread.Parts[part].Offset;
            end = at + thread.Parts[part].Size;
            clock = thread.Parts[part].Clock;
            return true;
        }

        // u32: 0, three bits of kind, 28 of id; u32: ticks since the record before.
        private bool Function(ReadOnlySpan<byte> bytes)
        {
            var head = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            clock += BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            Kind = (XRayKind)(head >> 1 & 7);
            Id = (int)(head >> 4);
            Clock = clock;
            if (Kind <= XRayKind.EntryWithArgument) return true;
            log.Complain(Damaged);
            return false;
        }

        private bool Other(Metadata kind, ReadOnlySpan<byte> bytes)
        {
            switch (kind)
            {
                case Metadata.NewBuffer or Metadata.WallTime or Metadata.Process:
                    return false; // the index has read them
                case Metadata.NewProcessor:
                    clock = BinaryPrimitives.ReadUInt64LittleEndian(bytes[3..]);
                    return false;
                case Metadata.ClockWrap:
                    clock = BinaryPrimitives.ReadUInt64LittleEndian(bytes[1..]);
                    return false;
                case Metadata.Argument:
                    Kind = XRayKind.Argument;
                    Clock = BinaryPrimitives.ReadUInt64LittleEndian(bytes[1..]);
                    return true;
                case Metadata.CustomEvent or Metadata.TypedEvent:
                    return Event(kind == Metadata.TypedEvent, bytes);
                case Metadata.EndOfBuffer when log.version == 1:
                    at = end;
                    return false;
                default:
                    LeaveDamaged();
                    return false;
            }
        }

        // i32 bytes of data, then i32 ticks since the record before, or u64 ticks in custom events before version 5; u16 type of typed ones.
        private bool Event(bool isTyped, ReadOnlySpan<byte> bytes)
        {
            var size = BinaryPrimitives.ReadInt32LittleEndian(bytes[1..]);
            if (size < 0 || size > end - at)
            {
                LeaveDamaged();
                return false;
            }
            var isRelative = isTyped || log.version >= 5;
            if (isRelative) clock += (ulong)BinaryPrimitives.ReadInt32LittleEndian(bytes[5..]);
            Kind = isTyped ? XRayKind.Typed : XRayKind.Custom;
            Clock = isRelative ? clock : BinaryPrimitives.ReadUInt64LittleEndian(bytes[5..]);
            Id = isTyped ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[9..]) : 0;
            Data = window.At(at, Math.Min(size, MostData)).ToArray();
            at += size;
            return true;
        }

        private void LeaveDamaged()
        {
            log.Complain(Damaged);
            at = end;
        }
    }
}
