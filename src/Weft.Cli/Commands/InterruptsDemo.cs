using System.Globalization;
using Weft.Core;
using Weft.Toolchain;

namespace Weft.Cli.Commands;

/// <summary>The demo's second part: two loops that are interrupted every 10,000 cycles, and how exact the intervals are.</summary>
internal sealed class InterruptsDemo
{
    private const string Title = "Interrupts: a handler called every 10,000 cycles, without signals";

    private readonly List<Row> rows;

    private InterruptsDemo(List<Row> rows) => this.rows = rows;

    private sealed record Row(string Loop, string Result, double Seconds, int Calls, int P10, int P50, int P90)
    {
        public static Row Parse(string line) => line.Split(' ') is [var loop, var result, var seconds, var calls, var p10, var p50, var p90]
            ? new(loop, result, double.Parse(seconds, CultureInfo.InvariantCulture), Number(calls), Number(p10), Number(p50), Number(p90))
            : throw new WeftException($"the demo of interrupts printed '{line}'", "this is a bug in Weft");

        public string PlainSeconds { get; private init; } = "";

        public double Ratio { get; private init; }

        public Row Against(Row plain) => Result == plain.Result && Calls > 0
            ? this with { PlainSeconds = Milliseconds(plain.Seconds), Ratio = Seconds / plain.Seconds }
            : throw new WeftException($"the loop '{Loop}' came to {Result} with {Calls} interrupts, and to {plain.Result} without", "this is a bug in Weft");

        public IReadOnlyList<string> Cells => [Loop, Calls.ToString("N0", CultureInfo.InvariantCulture), P10.ToString("N0", CultureInfo.InvariantCulture), P50.ToString("N0", CultureInfo.InvariantCulture),
            P90.ToString("N0", CultureInfo.InvariantCulture), PlainSeconds, Milliseconds(Seconds), Ratio.ToString("F2", CultureInfo.InvariantCulture)];

        private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

        private static string Milliseconds(double seconds) => (seconds * 1000).ToString("F1", CultureInfo.InvariantCulture);
    }

    public static InterruptsDemo Run(string folder, IReadOnlyList<string> compiler)
    {
        Terminal.Status("Building", "interrupts.c -O2");
        var source = Path.Combine(folder, "interrupts.c");
        string plain = Path.Combine(folder, "demo-interrupts-plain"), woven = Path.Combine(folder, "demo-interrupts");
        DemoCommand.Must(ChildProcess.Capture(compiler[0], [.. compiler.Skip(1), "-O2", "-I", Path.Combine(Runtime.Folder, "include"), source, "-o", plain]), "the plain demo of interrupts does not compile");
        DemoCommand.Must(ChildProcess.Capture(DemoCommand.Self, ["cc", "--with=interrupts", "-O2", source, "-o", woven]), "the demo of interrupts does not compile");
        var expected = Fastest(plain);
        return new([.. Fastest(woven).Zip(expected, (row, other) => row.Against(other))]);
    }

    public void Print(TextWriter output)
    {
        output.Write($"\n  {"loop",-10}{"interrupts",11}{"p10",9}{"p50",9}{"p90",9}{"plain, ms",12}{"woven, ms",12}{"ratio",8}\n");
        foreach (var row in rows)
        {
            var cells = row.Cells;
            output.Write($"  {cells[0],-10}{cells[1],11}{cells[2],9}{cells[3],9}{cells[4],9}{cells[5],12}{cells[6],12}{cells[7],7}x\n");
        }
        output.Write("\nA handler was called every 10,000 cycles, without signals; p10, p50 and p90 are of the intervals between its calls.\n");
    }

    public void Write(DemoPage page)
    {
        page.Heading(Title);
        page.Text("Two loops, without and with a handler that notes the time. p10, p50 and p90 are percentiles of the interval between its calls, in cycles.");
        page.Table(["loop", "interrupts", "p10", "p50", "p90", "plain, ms", "woven, ms", "ratio"], rows.Select(r => r.Cells));
    }

    /// <summary>Of three runs, each loop's fastest.</summary>
    private static List<Row> Fastest(string program) =>
        [.. Enumerable.Range(0, 3).SelectMany(_ => DemoCommand.Must(ChildProcess.Capture(program, []), "the demo of interrupts does not run").Output.TrimEnd().Split('\n').Select(Row.Parse))
            .GroupBy(r => r.Loop).Select(g => g.MinBy(r => r.Seconds)!)];
}
