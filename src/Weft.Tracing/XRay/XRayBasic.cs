using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace Weft.Tracing;

/// <summary>
/// Basic mode: records of 32 bytes, runs of one thread's after runs of another's. The index holds, for each thread, which
/// chunks of the file have records of it; reading a thread reads those and picks.
/// </summary>
internal sealed class XRayBasic : XRayRecords
{
    private const int RecordSize = 32, ChunkSize = 1 << 16, ArgumentRecord = 1;
    private const string Damaged = "some records are damaged and are left out";

    private readonly bool hasProcess;
    private readonly long end;

    public XRayBasic(SafeFileHandle file, string path, int version) : base(file, path)
    {
        hasProcess = version >= 3;
        end = XRayLog.HeaderSize + (Length - XRayLog.HeaderSize) / RecordSize * RecordSize;
        if (end < Length) Complain("the log is cut short within a record");
        if (end == XRayLog.HeaderSize) Complain("the log has no records: calls under 5 us are not logged unless XRAY_OPTIONS says func_duration_threshold_us=0");
        Index();
    }

    public override XRayReader Read(XRayThread thread) => new Reader(this, thread);

    private void Index()
    {
        var window = Window();
        XRayThread? last = null;
        for (var chunk = (long)XRayLog.HeaderSize; chunk < end; chunk += ChunkSize)
        {
            var part = new XRayPart(chunk, Math.Min(ChunkSize, end - chunk), 0);
            for (var at = chunk; at < part.Offset + part.Size; at += RecordSize)
            {
                var record = window.At(at, RecordSize);
                if (record.Length < RecordSize) return; // the file shrinks while it is read
                var (process, id) = Owner(record);
                if (last == null || last.Id != id || last.Process != process) last = Thread(process, id);
                if (last == null) continue;
                if (last.Parts.Count == 0 || last.Parts[^1] != part) last.Parts.Add(part);
                if (last.First == ulong.MaxValue && Type(record) != ArgumentRecord) last.First = BinaryPrimitives.ReadUInt64LittleEndian(record[8..]);
            }
        }
    }

    private static int Type(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadUInt16LittleEndian(record);

    private (int Process, int Id) Owner(ReadOnlySpan<byte> record)
    {
        var at = Type(record) == ArgumentRecord ? 8 : 16;
        return (hasProcess ? BinaryPrimitives.ReadInt32LittleEndian(record[(at + 4)..]) : 0, BinaryPrimitives.ReadInt32LittleEndian(record[at..]));
    }

    private sealed class Reader(XRayBasic log, XRayThread thread) : XRayReader
    {
        private readonly FileWindow window = log.Window();
        private int part = -1;
        private long at, end;

        public override bool Next()
        {
            for (; ; at += RecordSize)
            {
                if (at >= end && !NextPart()) return false;
                var record = window.At(at, RecordSize);
                if (record.Length == RecordSize && log.Owner(record) == (thread.Process, thread.Id) && Decode(record)) break;
            }
            at += RecordSize;
            return true;
        }

        private bool NextPart()
        {
            if (++part >= thread.Parts.Count) return false;
            at = thread.Parts[part].Offset;
            end = at + thread.Parts[part].Size;
            return true;
        }

        private bool Decode(ReadOnlySpan<byte> record)
        {
            var isArgument = Type(record) == ArgumentRecord;
            if (Type(record) > ArgumentRecord || (!isArgument && record[3] > (byte)XRayKind.EntryWithArgument))
            {
                log.Complain(Damaged);
                return false;
            }
            Kind = isArgument ? XRayKind.Argument : (XRayKind)record[3];
            Id = BinaryPrimitives.ReadInt32LittleEndian(record[4..]);
            Clock = BinaryPrimitives.ReadUInt64LittleEndian(record[(isArgument ? 16 : 8)..]);
            return true;
        }
    }
}
