using System.Globalization;
using Weft.Core;

namespace Weft.Cli.Commands;

/// <summary>The demo's third part: a small service with every function traced, what that costs, and where its time goes.</summary>
internal sealed record TracingDemo(string Report, string Calls, string Page, double Plain, double Off, double On)
{
    public static TracingDemo Run(string folder, IReadOnlyList<string> compiler)
    {
        Terminal.Status("Building", "tracing.c -O2");
        string source = Path.Combine(folder, "tracing.c"), plain = Path.Combine(folder, "demo-tracing-plain"), woven = Path.Combine(folder, "demo-tracing"), trace = Path.Combine(folder, "demo.weft-trace"), page = Path.Combine(folder, "trace.html");
        DemoCommand.Must(ChildProcess.Capture(compiler[0], [.. compiler.Skip(1), "-O2", source, "-o", plain, "-lpthread"]), "the plain demo of tracing does not compile");
        DemoCommand.Must(ChildProcess.Capture(DemoCommand.Self, ["cc", "--with=tracing", "--tracing-threshold=1", "-O2", source, "-o", woven, "-lpthread"]), "the demo of tracing does not compile");
        var on = new Dictionary<string, string?> { ["WEFT_TRACING"] = "on", ["WEFT_TRACING_FILE"] = trace };
        var expected = DemoCommand.Measure(() => ChildProcess.Capture(plain, []));
        var idle = DemoCommand.Measure(() => ChildProcess.Capture(woven, []));
        var traced = DemoCommand.Measure(() =>
        {
            File.Delete(trace);
            return ChildProcess.Capture(woven, [], on);
        });
        if (idle.Results != expected.Results || traced.Results != expected.Results) throw new WeftException($"the traced demo printed '{traced.Results}' where the plain one printed '{expected.Results}'", "this is a bug in Weft");
        var report = Weft("report", trace, "--top", "7").Output;
        var calls = string.Join('\n', Weft("replay", trace, "-F", "answer", "-H", "compare").Output.Split('\n').Take(8));
        Weft("export", trace, "--format", "html", "-o", page);
        return new(report, calls, page, expected.Seconds, idle.Seconds, traced.Seconds);
    }

    public void Print(TextWriter output)
    {
        output.Write($"\n{Sentence}\n\n{Indent(Report)}\n{Indent(Calls)}\nA flame graph and a timeline of it: {Page}\n");
    }

    public void Write(DemoPage demo)
    {
        demo.Heading("Tracing: every call of a running program, switched on and off while it runs");
        demo.Text(Sentence);
        demo.Preformatted(Report);
        demo.Preformatted(Calls);
        demo.Link(Path.GetFileName(Page), "A flame graph and a timeline of it");
    }

    private string Sentence => string.Create(CultureInfo.InvariantCulture,
        $"A service with three threads, every function of it built for tracing: {Plain * 1000:F1} ms plainly, {Off * 1000:F1} ms with tracing off, {On * 1000:F1} ms with every call recorded.");

    private static string Indent(string text) => string.Concat(text.TrimEnd().Split('\n').Select(l => $"  {l}\n"));

    private static ChildProcess.Captured Weft(params string[] arguments) => DemoCommand.Must(ChildProcess.Capture(DemoCommand.Self, ["tracing", .. arguments]), $"weft tracing {arguments[0]} failed");
}
