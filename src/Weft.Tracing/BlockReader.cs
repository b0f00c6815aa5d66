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
    private RawKind kind;
    private int id;
    private uint value;
    private bool hasFrame;
    private bool hasData;
    private ReadOnlyMemory<byte> data; // of some event before, if not hasData

    private enum Other { Clock, Frame, Landed, Values, Event, Begin, End, Lost, Pad }

    /// <summary>Where a block is to be read into.</summary>
    public Span<byte> Buffer => MemoryMarshal.AsBytes(words.AsSpan());

    /// <summary>The time of the event read last.</summary>
    public long Time { get; private set; }

    /// <summary>The event read last. Kept in pieces, since most have no data and a reference is what costs to keep.</summary>
    public RawEvent Current => new(kind, Time, id, value, hasFrame, hasData ? data : default);

    /// <summary>Whether something in the current block made no sense.</summary>
    public bool Damaged { get; private set; }

    /// <summary>Whether it is that block that is in the buffer: a program that still runs may have used its place in a ring again.</summary>
    public bool Holds(int thread, ulong number) => (int)(uint)words[1] == thread && words[2] == number;

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
    public bool TryRead()
    {
        hasFrame = hasData = false;
        while (next < end)
        {
            var word = words[next++];
            if (word == 0 && isOpen) break;
            var what = (uint)word;
            if ((what & 3) == OtherKind ? TryReadOther(what, (uint)(word >> 32)) : TryReadCall(what, (uint)(word >> 32))) return true;
        }
        return false;
    }

    private bool TryReadCall(uint what, uint low)
    {
        var mode = what >> 2 & 7;
        if (what < 1 << 5 || mode > 2)
        {
            Damaged = true;
            return false;
        }
        if (mode != 1) Advance(Whole(low));
        Set((what & 3) switch { EntryKind => RawKind.Entry, TailKind => RawKind.TailExit, _ => RawKind.Exit }, (int)(what >> 5));
        if (next < end && (words[next] & 3) == OtherKind) Complete();
        return true;
    }

    /// <summary>With the stack pointer and the values that follow a call.</summary>
    private void Complete()
    {
        while (next < end && (words[next] & 0x1F) == OtherKind)
        {
            var other = (Other)(words[next] >> 5 & 31);
            if (other == Other.Frame && kind == RawKind.Entry) (value, hasFrame) = ((uint)(words[next++] >> 32), true);
            else if (other == Other.Values && (uint)words[next] >> 10 is var count && count <= end - next - 1) TakeData(next + 1, count * sizeof(ulong), skip: 1 + (int)count);
            else break;
        }
    }

    private bool TryReadOther(uint what, uint second)
    {
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
                return TryReadLanding(argument, second);
            case Other.Lost:
                return Set(RawKind.Lost, 0, second);
            case Other.Begin or Other.End:
                Advance(Whole(second));
                return Set(other == Other.Begin ? RawKind.SpanBegin : RawKind.SpanEnd, (int)argument);
            case Other.Event:
                return TryReadUserEvent(argument, second);
            case Other.Frame:
                return false; // of an entry that is damaged
            default:
                Skip(other == Other.Values ? argument : (argument + 7) / 8);
                return false;
        }
    }

    private bool TryReadLanding(uint length, uint low)
    {
        if (length != 16 || end - next < 2)
        {
            Skip((length + 7) / 8);
            return false;
        }
        Advance(Whole(low));
        next += 2;
        return Set(RawKind.Landed, (int)Math.Min((uint)words[next - 1], int.MaxValue), (uint)words[next - 2]);
    }

    private bool TryReadUserEvent(uint length, uint low)
    {
        var size = 1 + (length + 7) / 8;
        if (size > end - next)
        {
            Skip(size);
            return false;
        }
        Advance(Whole(low));
        Set(RawKind.Event, (int)(uint)words[next]);
        TakeData(next + 1, length, skip: (int)size);
        return true;
    }

    private bool Set(RawKind of, int which, uint with = 0)
    {
        (kind, id, value) = (of, which, with);
        return true;
    }

    private void TakeData(int first, uint length, int skip)
    {
        next += skip;
        hasData = length > 0;
        if (hasData) data = Buffer.Slice(first * sizeof(ulong), (int)length).ToArray();
    }

    private void Skip(uint count)
    {
        if (count > end - next) Damaged |= !isOpen;
        next = (int)Math.Min(next + count, end);
    }

    // The clock's upper half turns between an event's look at the clock and its record, and a signal handler's events are in
    // between: the event has the lower half of before, behind the record of the turn. What comes next seems to be earlier.
    private ulong Whole(uint low)
    {
        const ulong turn = 1UL << 32;
        var ticks = high | low;
        return ticks < last + turn / 2 || last < high || high == 0 || NextLow() is not { } following || following >= low ? ticks : ticks - turn;
    }

    /// <summary>The clock of the next record that has one, before the upper half changes.</summary>
    private uint? NextLow()
    {
        for (var at = next; at < end;)
        {
            var (what, second) = ((uint)words[at], (uint)(words[at] >> 32));
            if ((what & 3) != OtherKind)
            {
                if ((what >> 2 & 7) != 1) return what == 0 ? null : second;
                at++;
                continue;
            }
            var argument = what >> 10;
            switch ((Other)(what >> 5 & 31))
            {
                case Other.Clock:
                    return null;
                case Other.Landed or Other.Event or Other.Begin or Other.End:
                    return second;
                case Other.Values:
                    at += 1 + (int)Math.Min(argument, TraceHeader.BlockSize);
                    break;
                case Other.Pad:
                    at += 1 + (int)(argument + 7) / 8;
                    break;
                default:
                    at++;
                    break;
            }
        }
        return null;
    }

    private void Advance(ulong ticks)
    {
        if (ticks > limit) ticks = limit;
        if (ticks <= last) return;
        last = ticks;
        Time = clock.ToNanoseconds(ticks);
    }
}
