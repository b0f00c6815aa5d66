namespace Weft.Tracing;

/// <summary>When functions were switched off while the program ran: their calls that were under way then have no exit in the log.</summary>
public sealed class SwitchedOff
{
    private const int Most = 1 << 16; // a trace with more is not of a person at work; later ones are left out

    private readonly List<(long Time, int First, ReadOnlyMemory<byte> Bits)> switches = [];

    /// <summary>Of a trace in which nothing was.</summary>
    public static SwitchedOff Never { get; } = new();

    /// <param name="time">As in the trace's events.</param>
    /// <param name="first">Id of a function.</param>
    /// <param name="bits">Which functions from that on, the lowest bit first.</param>
    internal void Add(long time, int first, ReadOnlyMemory<byte> bits)
    {
        if (switches.Count < Most) switches.Add((time, first, bits));
    }

    internal void Sort() => switches.Sort((a, b) => a.Time.CompareTo(b.Time));

    /// <summary>Looks that mostly go forward in time, as those of one thread do.</summary>
    internal sealed class Looker(SwitchedOff all)
    {
        private readonly Dictionary<int, (long From, long Until)> known = [];

        /// <summary>When the function was switched off next after a time; long.MaxValue: never.</summary>
        public long After(int function, long time)
        {
            if (all.switches.Count == 0 || function <= 0) return long.MaxValue;
            if (known.TryGetValue(function, out var last) && time >= last.From && time < last.Until) return last.Until;
            var until = long.MaxValue;
            for (var i = all.FirstAfter(time); i < all.switches.Count && until == long.MaxValue; i++)
                if (Has(all.switches[i], function)) until = all.switches[i].Time;
            known[function] = (time, until);
            return until;
        }

        private static bool Has((long Time, int First, ReadOnlyMemory<byte> Bits) off, int function)
        {
            var bit = (long)function - off.First;
            return bit >= 0 && bit < off.Bits.Length * 8L && (off.Bits.Span[(int)(bit / 8)] >> (int)(bit % 8) & 1) != 0;
        }
    }

    private int FirstAfter(long time)
    {
        var (low, high) = (0, switches.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (switches[middle].Time <= time) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
