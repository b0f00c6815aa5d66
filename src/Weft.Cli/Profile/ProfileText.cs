using System.Globalization;
using System.Text.Json;
using Weft.Interrupts;

namespace Weft.Cli.Profile;

/// <summary>User CPU seconds of the same program built plainly, woven with nothing registered, and profiled.</summary>
internal sealed record Overhead(double Plain, double Idle, double Profiled);

/// <summary>A profile as text and as JSON.</summary>
internal static class ProfileText
{
    private const int Bar = 40;

    public static void Write(TextWriter output, InterruptsProfile profile, Symbols symbols, int top, Overhead? overhead)
    {
        output.Write($"{Headline(profile)}\n");
        foreach (var thread in profile.Threads) Write(output, profile, thread);
        if (profile.ThreadsLeftOut > 0) output.Write($"\n{profile.ThreadsLeftOut:N0} more threads have no profile: there was no room for them\n");
        Gaps(output, GapGroup.Of(profile, symbols, top));
        if (overhead != null) output.Write($"\nuser CPU time, best of 3: {Overheads(overhead)}\n");
    }

    public static string Headline(InterruptsProfile profile) =>
        Printable($"{profile.Program} (process {profile.Pid}): {Number(profile.Interrupts)} interrupts on {profile.Threads.Count} thread{(profile.Threads.Count == 1 ? "" : "s")}, one every {Number(profile.Interval)} {Measure(profile.Clock)}; a tick is {Decimal(1e9 / profile.TicksPerSecond, "F3")} ns");

    public static string Title(ProfiledThread thread) => Printable($"thread {thread.Id} {thread.Name}{(thread.Ended ? "" : " (running)")}");

    public static string Summary(InterruptsProfile profile, ProfiledThread thread)
    {
        var own = thread.OwnHandler ? "the program has a handler of its own here, which ended the profile; before that " : "";
        return thread.Interrupts == 0
            ? $"{own}no interrupt"
            : $"{own}{Number(thread.Interrupts)} interrupt{(thread.Interrupts == 1 ? "" : "s")} in {Decimal((double)thread.Ticks.Sum / profile.TicksPerSecond, "F3")} s, {Share(thread.HandlerTicks, thread.Ticks.Sum)} of it in the profile's handler";
    }

    public static IReadOnlyList<string> PercentileTitles { get; } = [.. Distribution.Percentiles.Select(p => $"p{p}"), "max"];

    public static IEnumerable<ulong> PercentileValues(Distribution values) => Distribution.Percentiles.Select(p => values.Percentile(p)).Append(values.Longest);

    /// <summary>The distributions that say something: units are not counted where probes poll.</summary>
    public static IEnumerable<(string Name, Distribution Values)> Distributions(ProfiledThread thread)
    {
        yield return ("ticks", thread.Ticks);
        if (thread.Units.Longest > 0) yield return ("units", thread.Units);
    }

    public static string Overheads(Overhead o) =>
        $"plain {Decimal(o.Plain, "F3")} s; woven, nothing registered {Decimal(o.Idle, "F3")} s ({Ratio(o.Idle, o.Plain)}); profiled {Decimal(o.Profiled, "F3")} s ({Ratio(o.Profiled, o.Plain)})";

    public static string Number(ulong number) => number.ToString("N0", CultureInfo.InvariantCulture);

    public static string Share(ulong part, ulong whole) => Decimal(whole == 0 ? 0 : 100.0 * part / whole, "F1") + "%";

    public static string Printable(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));

    /// <summary>The profile again, with names for the addresses and percentiles beside the histograms.</summary>
    public static void WriteJson(Stream output, IReadOnlyList<(InterruptsProfile Profile, Symbols Symbols)> profiles, int top, Overhead? overhead)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartArray("processes");
        foreach (var (profile, symbols) in profiles) Write(json, profile, symbols, top);
        json.WriteEndArray();
        if (overhead != null)
        {
            json.WriteStartObject("user_seconds");
            json.WriteNumber("plain", overhead.Plain);
            json.WriteNumber("idle", overhead.Idle);
            json.WriteNumber("profiled", overhead.Profiled);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static void Write(TextWriter output, InterruptsProfile profile, ProfiledThread thread)
    {
        output.Write($"\n{Title(thread)}: {Summary(profile, thread)}\n");
        if (thread.Interrupts == 0) return;
        output.Write("         " + string.Concat(PercentileTitles.Select(t => t.PadLeft(t == "max" ? 16 : 10))) + "\n");
        foreach (var (name, values) in Distributions(thread))
            output.Write($"  {name,-7}" + string.Concat(PercentileValues(values).Select((v, i) => Number(v).PadLeft(i == Distribution.Percentiles.Count ? 16 : 10))) + "\n");
        foreach (var (name, values) in Distributions(thread))
        {
            output.Write($"\n  {name} from\n");
            var rows = values.Rows(12);
            var most = rows.Max(r => r.Count);
            foreach (var (from, _, count) in rows)
                output.Write($"  {Number(from),15}  {Share(count, values.Count),6}  {new string('#', (int)Math.Ceiling((double)Bar * count / most))}\n");
        }
    }

    private static void Gaps(TextWriter output, IReadOnlyList<GapGroup> groups)
    {
        if (groups.Count == 0) return;
        output.Write("\nlongest gaps\n            ticks           units  how often  between the interrupt before it and the one after\n");
        foreach (var group in groups)
        {
            var longest = group.Gaps[0];
            output.Write($"  {Number(longest.Ticks),15} {Number(longest.Units),15}  {group.Gaps.Count,9}  from {Printable(group.From.ToString())}\n{"",45}to   {Printable(group.To.ToString())}\n");
        }
    }

    private static void Write(Utf8JsonWriter json, InterruptsProfile profile, Symbols symbols, int top)
    {
        json.WriteStartObject();
        json.WriteString("program", profile.Program);
        json.WriteNumber("pid", profile.Pid);
        json.WriteString("clock", profile.Clock);
        json.WriteNumber("interval", profile.Interval);
        json.WriteNumber("ticks_per_second", profile.TicksPerSecond);
        json.WriteNumber("interrupts", profile.Interrupts);
        json.WriteNumber("threads_left_out", profile.ThreadsLeftOut);
        json.WriteStartArray("threads");
        foreach (var thread in profile.Threads)
        {
            json.WriteStartObject();
            json.WriteNumber("id", thread.Id);
            json.WriteString("name", thread.Name);
            json.WriteBoolean("ended", thread.Ended);
            json.WriteBoolean("own_handler", thread.OwnHandler);
            json.WriteNumber("interrupts", thread.Interrupts);
            json.WriteNumber("handler_ticks", thread.HandlerTicks);
            Write(json, "ticks", thread.Ticks);
            Write(json, "units", thread.Units);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("longest_gaps");
        foreach (var group in GapGroup.Of(profile, symbols, top))
        {
            json.WriteStartObject();
            json.WriteNumber("thread", group.Thread.Id);
            json.WriteNumber("ticks", group.Gaps[0].Ticks);
            json.WriteNumber("units", group.Gaps[0].Units);
            json.WriteNumber("count", group.Gaps.Count);
            Write(json, "from", group.From);
            Write(json, "to", group.To);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, Distribution values)
    {
        json.WriteStartObject(name);
        json.WriteNumber("sum", values.Sum);
        foreach (var (title, value) in PercentileTitles.Zip(PercentileValues(values))) json.WriteNumber(title, value);
        json.WriteStartArray("histogram");
        foreach (var (lowest, count) in values.Buckets)
        {
            json.WriteStartArray();
            json.WriteNumberValue(lowest);
            json.WriteNumberValue(count);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, Place place)
    {
        json.WriteStartObject(name);
        json.WriteString("function", place.Function);
        json.WriteString("inlined_into", place.InlinedInto);
        json.WriteString("file", place.File);
        json.WriteNumber("line", place.Line);
        json.WriteString("module", place.Module);
        json.WriteEndObject();
    }

    private static string Measure(string clock) => clock switch { "cycles" => "ticks", "instructions" => "units", _ => "ns" };

    private static string Ratio(double seconds, double plain) => plain > 0 ? Decimal(seconds / plain, "F2") + "x" : "plain took no time";

    private static string Decimal(double number, string format) => number.ToString(format, CultureInfo.InvariantCulture);
}
