using System.Text.Json;
using Weft.Core;

namespace Weft.Interrupts;

/// <summary>How far apart interrupts came in one run of a program, as the runtime wrote it; see docs/interrupts-profile.md.</summary>
/// <param name="Program">Its file.</param>
/// <param name="Pid">Its process.</param>
/// <param name="Clock">cycles, instructions or flag.</param>
/// <param name="Interval">What was asked for: ticks, units or nanoseconds.</param>
/// <param name="TicksPerSecond">Of the clock that intervals are measured with.</param>
/// <param name="Refused">Not 0: the errno value of a registration that failed.</param>
/// <param name="ThreadsLeftOut">Threads that there was no room for.</param>
/// <param name="Threads">The first to pass a probe comes first.</param>
/// <param name="Modules">What was loaded when the file was written.</param>
public sealed record InterruptsProfile(
    string Program, int Pid, string Clock, ulong Interval, ulong TicksPerSecond, int Refused, ulong ThreadsLeftOut,
    IReadOnlyList<ProfiledThread> Threads, IReadOnlyList<LoadedModule> Modules)
{
    private const string Format = "weft-interrupts-profile";
    private const int Version = 1;

    public ulong Interrupts => Threads.Aggregate(0UL, (sum, t) => sum + t.Interrupts);

    /// <exception cref="WeftException">No such file, cut short, or not a profile.</exception>
    public static InterruptsProfile Read(string path)
    {
        if (!File.Exists(path)) throw new WeftException($"there is no profile '{path}'", "weft interrupts profile --keep FILE -- PROGRAM writes one");
        try
        {
            using var document = JsonDocument.Parse(AtomicFile.Read(path));
            return Read(document.RootElement, path);
        }
        catch (JsonException e)
        {
            throw new WeftException($"'{path}' is not a whole interrupts profile: it ends or breaks at line {e.LineNumber + 1}", "run the program again", ExitCode.Failure, e);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new WeftException($"'{path}' is not an interrupts profile: a field is missing or of another kind", "run the program again", ExitCode.Failure, e);
        }
    }

    private static InterruptsProfile Read(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("format", out var format) || format.ValueKind != JsonValueKind.String || format.GetString() != Format)
            throw new WeftException($"'{path}' is JSON, but not an interrupts profile", "give a file that weft interrupts profile --keep wrote");
        if (root.GetProperty("version").GetInt32() is var version && version != Version)
            throw new WeftException($"'{path}' is an interrupts profile of version {version}; this Weft reads version {Version}", "use the Weft that the program was built with");
        return new InterruptsProfile(
            Text(root, "program"), root.GetProperty("pid").GetInt32(), Text(root, "clock"), Number(root, "interval"), Math.Max(Number(root, "ticks_per_second"), 1),
            root.GetProperty("refused").GetInt32(), Number(root, "threads_left_out"),
            [.. root.GetProperty("threads").EnumerateArray().Select(Thread).Reverse()],
            [.. root.GetProperty("modules").EnumerateArray().Select(m => new LoadedModule(Text(m, "path"), Text(m, "build_id"), Number(m, "base"), Number(m, "start"), Number(m, "end")))]);
    }

    private static ProfiledThread Thread(JsonElement thread)
    {
        var interrupts = Number(thread, "interrupts");
        return new ProfiledThread(
            thread.GetProperty("id").GetInt32(), Text(thread, "name"), thread.GetProperty("ended").GetBoolean(), thread.GetProperty("own_handler").GetBoolean(),
            interrupts, Number(thread, "handler_ticks"),
            new Distribution(Number(thread, "ticks"), Number(thread, "longest_ticks"), Histogram(thread, "ticks_histogram", interrupts)),
            new Distribution(Number(thread, "units"), Number(thread, "longest_units"), Histogram(thread, "units_histogram", interrupts)),
            [.. thread.GetProperty("gaps").EnumerateArray().Select(g => new LongGap(Number(g, "ticks"), Number(g, "units"), Number(g, "from"), Number(g, "to"))).OrderByDescending(g => g.Ticks)]);
    }

    private static List<(ulong Lowest, ulong Count)> Histogram(JsonElement thread, string name, ulong interrupts)
    {
        var buckets = new List<(ulong Lowest, ulong Count)>();
        var sum = 0UL;
        foreach (var pair in thread.GetProperty(name).EnumerateArray())
        {
            if (pair.GetArrayLength() != 2) throw new FormatException();
            var (lowest, count) = (pair[0].GetUInt64(), pair[1].GetUInt64());
            if (count == 0 || (buckets is [.., var last] && last.Lowest >= lowest)) throw new FormatException();
            sum = checked(sum + count);
            buckets.Add((lowest, count));
        }
        return sum == interrupts ? buckets : throw new FormatException();
    }

    private static ulong Number(JsonElement element, string name) => element.GetProperty(name).GetUInt64();

    // A name may hold bytes that are not UTF-8 or half a surrogate pair: the profile stays readable all the same.
    private static string Text(JsonElement element, string name)
    {
        var value = element.GetProperty(name);
        try { return value.GetString() ?? ""; }
        catch (InvalidOperationException) when (value.ValueKind == JsonValueKind.String) { return "(unreadable)"; }
    }
}

/// <param name="Id">As the kernel has it.</param>
/// <param name="Name">Likewise.</param>
/// <param name="Ended">False: it was running when the profile was written.</param>
/// <param name="OwnHandler">The program registered a handler itself, or deregistered: the profile of the thread ends there.</param>
/// <param name="Interrupts">Intervals measured.</param>
/// <param name="HandlerTicks">Spent in the profile's handler.</param>
/// <param name="Ticks">Intervals in ticks of the processor's clock.</param>
/// <param name="Units">Intervals in units of work.</param>
/// <param name="Gaps">The longest intervals, longest first.</param>
public sealed record ProfiledThread(int Id, string Name, bool Ended, bool OwnHandler, ulong Interrupts, ulong HandlerTicks, Distribution Ticks, Distribution Units, IReadOnlyList<LongGap> Gaps);

/// <param name="Ticks">How long it took.</param>
/// <param name="Units">The work done meanwhile.</param>
/// <param name="From">Return address of the probe that took the interrupt before it.</param>
/// <param name="To">Likewise of the one that ended it.</param>
public sealed record LongGap(ulong Ticks, ulong Units, ulong From, ulong To);

/// <param name="Path">Its file.</param>
/// <param name="BuildId">In hexadecimal; may be empty.</param>
/// <param name="Base">What the loader added to the addresses in the file.</param>
/// <param name="Start">Its first address.</param>
/// <param name="End">The one after its last.</param>
public sealed record LoadedModule(string Path, string BuildId, ulong Base, ulong Start, ulong End);

/// <summary>How often each value came; values are known to a sixteenth, the sum and the longest exactly.</summary>
/// <param name="Sum">Of all values.</param>
/// <param name="Longest">The largest value.</param>
/// <param name="Buckets">The smallest value of each bucket that is not empty, ascending, and how many it holds.</param>
public sealed record Distribution(ulong Sum, ulong Longest, IReadOnlyList<(ulong Lowest, ulong Count)> Buckets)
{
    public static IReadOnlyList<int> Percentiles { get; } = [1, 10, 25, 50, 75, 90, 99];

    public ulong Count => Buckets.Aggregate(0UL, (sum, b) => sum + b.Count);

    /// <summary>A value that this share of all values does not exceed, to a sixteenth of it: the middle of its bucket.</summary>
    public ulong Percentile(double percent)
    {
        var rank = (ulong)Math.Ceiling(Count * (percent / 100));
        foreach (var (lowest, count) in Buckets)
        {
            if (rank <= count) return Math.Min(lowest + (Width(lowest) - 1) / 2, Longest);
            rank -= count;
        }
        return Longest;
    }

    /// <summary>A few rows for a picture: what lies around the bulk in steps of equal ratio, and the rest in the outermost two.</summary>
    public IReadOnlyList<(ulong From, ulong To, ulong Count)> Rows(int most)
    {
        if (Buckets.Count == 0) return [];
        int first = Index(Percentile(0.5)), last = Index(Percentile(99.5)), step = 1;
        while (last / step - first / step + 1 > most) step *= 2;
        var counts = new ulong[last / step - first / step + 3];
        foreach (var (lowest, count) in Buckets) counts[Math.Clamp(Index(lowest) / step - first / step + 1, 0, counts.Length - 1)] += count;
        var rows = new List<(ulong From, ulong To, ulong Count)>();
        for (var i = 0; i < counts.Length; i++)
        {
            var (outer, from) = (i == 0 || i == counts.Length - 1, (first / step + i - 1) * step);
            if (outer && counts[i] == 0) continue;
            rows.Add((i == 0 ? 0 : Lowest(from), i == counts.Length - 1 ? Longest : Lowest(from + step) - 1, counts[i]));
        }
        return rows;
    }

    private static ulong Width(ulong value) => value < 16 ? 1 : 1UL << (int)(ulong.Log2(value) - 4);

    private static int Index(ulong value) => value < 16 ? (int)value : (int)((ulong.Log2(value) - 3) * 16 + ((value >> (int)(ulong.Log2(value) - 4)) & 15));

    private static ulong Lowest(int index) => index < 16 ? (ulong)Math.Max(index, 0) : index >= 976 ? ulong.MaxValue : (ulong)(16 + index % 16) << (index / 16 - 1);
}
