using System.Globalization;
using Weft.Core;

namespace Weft.Cli.Commands;

/// <summary>The demo's fourth part: what of a program in Rust ran although it was killed, and what counting costs beside rustc's own.</summary>
internal sealed record CoverageDemo(string Report, string Page, double Plain, double Weft, double Rustc)
{
    /// <param name="folder">Of the demo; the program is a package in a folder below.</param>
    public static CoverageDemo Run(string folder)
    {
        Terminal.Status("Building", "coverage.rs opt-level 3");
        var package = Path.Combine(folder, "coverage");
        string[] run = ["run", "--quiet", "--release"], woven = ["cargo", .. run, "--with", "coverage"];
        var plain = DemoCommand.Measure(() => ChildProcess.Capture("cargo", run, Target(package, "target"), package));
        var own = Target(package, "target-rustc");
        own["RUSTFLAGS"] = "-C instrument-coverage";
        own["LLVM_PROFILE_FILE"] = Path.Combine(package, "rustc.profraw");
        var rustc = DemoCommand.Measure(() => ChildProcess.Capture("cargo", run, own, package));
        var weft = DemoCommand.Measure(() => ChildProcess.Capture(DemoCommand.Self, woven, Target(package, "target"), package));
        if (weft.Results != plain.Results) throw new WeftException($"the demo of coverage printed '{weft.Results}' where the plain one printed '{plain.Results}'", "this is a bug in Weft");

        ChildProcess.Capture(DemoCommand.Self, [.. woven, "--", "killed"], Target(package, "target"), package);
        var page = Path.Combine(folder, "coverage.html");
        Coverage(package, "html", "-o", page);
        return new(Coverage(package, "report", "--show-missing-lines"), page, plain.Seconds, weft.Seconds, rustc.Seconds);
    }

    public void Print(TextWriter output) =>
        output.Write($"\n{Sentence}\n\n{string.Concat(Report.TrimEnd().Split('\n').Select(l => $"  {l}\n"))}\nThe source with what ran of it: {Page}\n");

    public void Write(DemoPage demo)
    {
        demo.Heading("Coverage: what of the source ran, however the program ended");
        demo.Text(Sentence);
        demo.Preformatted(Report);
        demo.Link(Path.GetFileName(Page), "The source with what ran of it");
    }

    private string Sentence => string.Create(CultureInfo.InvariantCulture,
        $"Expressions worked out in Rust: {Plain * 1000:F1} ms plainly, {Weft * 1000:F1} ms with coverage, {Rustc * 1000:F1} ms with rustc's own. The report is of a run that ended by SIGKILL.");

    // The user's own settings of these would say where profiles go.
    private static Dictionary<string, string?> Target(string package, string folder) => new()
    {
        ["CARGO_TARGET_DIR"] = Path.Combine(package, folder),
        ["WEFT_OUT"] = null,
        ["LLVM_PROFILE_FILE"] = null,
    };

    private static string Coverage(string package, params string[] arguments) =>
        DemoCommand.Must(ChildProcess.Capture(DemoCommand.Self, ["coverage", .. arguments], Target(package, "target"), package), $"weft coverage {arguments[0]} failed").Output;
}
