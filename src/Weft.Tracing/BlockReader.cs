using System.Runtime.InteropServices;

namespace Weft.Tracing;

/// <summary>Decodes the records of one thread's blocks, one block after the other.</summary>
internal sealed class BlockReader(TraceClock clock)
{
    private const int HeaderWords = 8;
    private const int EntryKind = 0, TailKind = 2, OtherKind = 3;

    private readonly ulong[] words = new ulong[TraceHeader.BlockSize / sizeof(ulong)];
    private int next;
    private int end;
    private bool isOpen;
    private ulong high;
    private ulong last;
    private ulong limit;
    private long time;

    private enum Other { Clock, Frame, Landed, Values, Event, Begin, End, Lost, Pad }

    /// <summary>Where a block is to be read into.</summary>
    public Span<byte> Buffer => MemoryMarshal.AsBytes(words.AsSpan());

    /// <summary>The time of the event read last.</summary>
    public long Time => time;

    /// <summary>Whether something in the current block made no sense.</summary>
    public bool Damaged { get; private set; }

    /// <summary>Begins with the block that is in the buffer.</summary>
    /// <param name="length">Bytes of it that the file has.</param>
    /// <param name="following">The clock at the start of the thread's next block: no event of this one is later, so that a damaged clock costs this block only.</param>
    public void Begin(int length, ulong following)
    {
        var start = words[3];
        var used = (uint)words[4];
        var isSound = used == 0 || used is >= HeaderWords * sizeof(ulong) and <= TraceHeader.BlockSize;
        isOpen = used == 0 || !isSound;
        Damaged = !isSound;
        next = HeaderWords;
        end = Math.Min(length, isOpen ? TraceHeader.BlockSize : (int)used) / sizeof(ulong);
        high = start & ~(ulong)uint.MaxValue;
        limit = following >= start ? following : ulong.MaxValue;
        Advance(start);
    }

    /// <summary>False at the end of the block.</summary>
    public bool TryRead(out RawEvent read)
    {
        while (next < end)
        {
            var word = words[next++];
            if (word == 0 && isOpen) break;
            var what = (uint)word;
            if ((what & 3) == OtherKind ? TryReadOther(what, (uint)(word >> 32), out read) : TryReadCall(what, (uint)(word >> 32), out read)) return true;
        }
        read = default;
        return false;
    }

    private bool TryReadCall(uint what, uint low, out RawEvent read)
    {
        var id = (int)(what >> 5);
        var mode = what >> 2 & 7;
        if (id == 0 || mode > 2)
        {
            Damaged = true;
            read = default;
            return false;
        }
        if (mode != 1) Advance(high | low);
        var kind = what & 3;
        read = new RawEvent(kind == EntryKind ? RawKind.Entry : kind == TailKind ? RawKind.TailExit : RawKind.Exit, time, id);
        if (next < end && (words[next] & 3) == OtherKind) read = Complete(read);
        return true;
    }

    /// <summary>With the stack pointer and the values that follow a call.</summary>
    private RawEvent Complete(RawEvent call)
    {
        while (next < end && (words[next] & 0x1F) == OtherKind)
        {
            var other = (Other)(words[next] >> 5 & 31);
            if (other == Other.Frame && call.Kind == RawKind.Entry) call = call with { Value = (uint)(words[next++] >> 32), HasFrame = true };
            else if (other == Other.Values && (uint)words[next] >> 10 is var count && count <= end - next - 1) call = call with { Data = Bytes(next + 1, count * sizeof(ulong), skip: 1 + (int)count) };
            else break;
        }
        return call;
    }

    private bool TryReadOther(uint what, uint second, out RawEvent read)
    {
        read = default;
        var argument = what >> 10;
        var other = (Other)(what >> 5 & 31);
        if ((what >> 2 & 7) != 0)
        {
            Damaged = true;
            return false;
        }
        switch (other)
        {
            case Other.Clock:
                high = (ulong)second << 32;
                return false;
            case Other.Landed:
                return TryReadLanding(argument, second, out read);
            case Other.Lost:
                read = new RawEvent(RawKind.Lost, time, 0, second);
                return true;
            case Other.Begin or Other.End:
                Advance(high | second);
                read = new RawEvent(other == Other.Begin ? RawKind.SpanBegin : RawKind.SpanEnd, time, (int)argument);
                return true;
            case Other.Event:
                return TryReadUserEvent(argument, second, out read);
            case Other.Frame:
                return false; // of an entry that is damaged
            default:
                Skip(other == Other.Values ? argument : (argument + 7) / 8);
                return false;
        }
    }

    private bool TryReadLanding(uint length, uint low, out RawEvent read)
    {
        read = default;
        if (length != 16 || end - next < 2)
        {
            Skip((length + 7) / 8);
            return false;
        }
        Advance(high | low);
        read = new RawEvent(RawKind.Landed, time, (int)Math.Min((uint)words[next + 1], int.MaxValue), (uint)words[next]);
        next += 2;
        return true;
    }

    private bool TryReadUserEvent(uint length, uint low, out RawEvent read)
    {
        var size = 1 + (length + 7) / 8;
        read = default;
        if (size > end - next)
        {
            Skip(size);
            return false;
        }
        Advance(high | low);
        var type = (int)(uint)words[next];
        read = new RawEvent(RawKind.Event, time, type, Data: Bytes(next + 1, length, skip: (int)size));
        return true;
    }

    private ReadOnlyMemory<byte> Bytes(int first, uint length, int skip)
    {
        next += skip;
        return length == 0 ? default : Buffer.Slice(first * sizeof(ulong), (int)length).ToArray();
    }

    private void Skip(uint count)
    {
        if (count > end - next) Damaged |= !isOpen;
        next = (int)Math.Min(next + count, end);
    }

    private void Advance(ulong ticks)
    {
        if (ticks > limit) ticks = limit;
        if (ticks <= last) return;
        last = ticks;
        time = clock.ToNanoseconds(ticks);
    }
}
