namespace Weft.Tracing;

/// <summary>Turns ticks of a clock into nanoseconds since a first tick, by multiplication with a fixed-point number.</summary>
internal readonly struct TraceClock
{
    // 2^-48 of a nanosecond a tick: less than a nanosecond wrong after a day of a 3 GHz clock.
    private const int Shift = 48;
    private const ulong Latest = long.MaxValue / 4;

    private readonly ulong start;
    private readonly ulong factor;

    private TraceClock(ulong start, ulong factor) => (this.start, this.factor) = (start, factor);

    public static TraceClock Nanoseconds(ulong start) => new(start, 1UL << Shift);

    /// <summary>By the time that so many ticks took; null if that makes no clock.</summary>
    public static TraceClock? FromPace(ulong start, ulong ticks, ulong nanoseconds)
    {
        if (ticks == 0) return null;
        var pace = ((UInt128)nanoseconds << Shift) / ticks;
        return pace == 0 || pace > ulong.MaxValue ? null : new(start, (ulong)pace);
    }

    /// <summary>What was before the start was at the start; what is absurdly late is at the end of all times.</summary>
    public long ToNanoseconds(ulong ticks)
    {
        if (ticks <= start) return 0;
        var high = Math.BigMul(ticks - start, factor, out var low);
        return high >> Shift != 0 ? (long)Latest : (long)Math.Min(high << (64 - Shift) | low >> Shift, Latest);
    }
}
