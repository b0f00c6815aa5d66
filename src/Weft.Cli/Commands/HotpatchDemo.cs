using System.Globalization;
using System.Text;
using Weft.Core;

namespace Weft.Cli.Commands;

/// <summary>The demo's part on hot patching: a program with a fault is mended while it runs, and has the fault again when the patch is taken back.</summary>
internal sealed record HotpatchDemo(string Transcript, double Plain, double Woven)
{
    private const string Fault = "sum / 10 + sum / 10", Mended = "sum / 10";

    public static HotpatchDemo Run(string folder, IReadOnlyList<string> compiler)
    {
        Terminal.Status("Building", "hotpatch.c -O2");
        string source = Path.Combine(folder, "hotpatch.c"), plain = Path.Combine(folder, "demo-hotpatch-plain"), woven = Path.Combine(folder, "demo-hotpatch"), patch = Path.Combine(folder, "mended.patch");
        DemoCommand.Must(ChildProcess.Capture(compiler[0], [.. compiler.Skip(1), "-O2", source, "-o", plain]), "the plain demo of hotpatch does not compile");
        DemoCommand.Must(ChildProcess.Capture(DemoCommand.Self, ["cc", "--with=hotpatch", "-O2", source, "-o", woven]), "the demo of hotpatch does not compile");
        var built = BuildPatch(source, woven, patch);
        var expected = DemoCommand.Measure(() => ChildProcess.Capture(plain, []));
        var actual = DemoCommand.Measure(() => ChildProcess.Capture(woven, []));
        if (actual.Results != expected.Results) throw new WeftException($"the patchable demo printed '{actual.Results}' where the plain one printed '{expected.Results}'", "this is a bug in Weft");
        return new($"$ weft hotpatch build --program demo-hotpatch -o mended.patch hotpatch.o\n{built}{new Service(woven, patch).Run()}", expected.Seconds, actual.Seconds);
    }

    public void Print(TextWriter output) => output.Write($"\n{Sentence}\n\n{string.Concat(Transcript.TrimEnd().Split('\n').Select(l => $"  {l}\n"))}");

    public void Write(DemoPage demo)
    {
        demo.Heading("Hotpatch: every function replaceable in the running program");
        demo.Text(Sentence);
        demo.Preformatted(Transcript);
    }

    private string Sentence => string.Create(CultureInfo.InvariantCulture,
        $"A till with a fault, built so that every function can be replaced: {Plain * 1000:F1} ms plainly, {Woven * 1000:F1} ms so. It is mended while it serves.");

    // The source is mended, compiled, and as it was again: a patch binds to the program that runs.
    private static string BuildPatch(string source, string program, string patch)
    {
        var folder = Path.Combine(Path.GetDirectoryName(source)!, "mended");
        Directory.CreateDirectory(folder);
        string changed = Path.Combine(folder, "hotpatch.c"), compiled = Path.Combine(folder, "hotpatch.o");
        AtomicFile.Write(changed, Encoding.UTF8.GetBytes(File.ReadAllText(source).Replace(Fault, Mended, StringComparison.Ordinal)));
        DemoCommand.Must(ChildProcess.Capture(DemoCommand.Self, ["cc", "--with=hotpatch", "-O2", "-c", changed, "-o", compiled]), "the mended demo of hotpatch does not compile");
        return DemoCommand.Must(ChildProcess.Capture(DemoCommand.Self, ["hotpatch", "build", "--program", program, "-o", patch, compiled]), "weft hotpatch build failed").Output;
    }

    /// <summary>The running program, by what it prints.</summary>
    private sealed class Service(string program, string patch)
    {
        private const int Few = 3;

        private readonly StringBuilder transcript = new();
        private string process = "", paid = "";
        private int customers, changes;

        public string Run()
        {
            transcript.Append("$ ./demo-hotpatch &\n");
            ChildProcess.Listen(program, ["serve"], new Dictionary<string, string?>(), line => Hear(Encoding.UTF8.GetString(line)));
            if (changes != 3) throw new WeftException($"the demo of hotpatch did not go as it should:\n{transcript}", "this is a bug in Weft");
            return transcript.ToString();
        }

        private void Hear(string line)
        {
            if (process.Length == 0)
            {
                process = line;
                return;
            }
            var pays = line[line.IndexOf("pays", StringComparison.Ordinal)..];
            if (pays != paid)
            {
                paid = pays;
                customers = 0;
                changes++;
            }
            if (++customers > Few) return;
            transcript.Append(line).Append('\n');
            if (customers < Few) return;
            transcript.Append("...\n");
            Next();
        }

        private void Next()
        {
            if (changes == 1) Weft("apply", patch);
            else if (changes == 2) Weft("revert");
            else ChildProcess.Capture("kill", [process]);
        }

        private void Weft(string command, params string[] arguments)
        {
            var result = DemoCommand.Must(ChildProcess.Capture(DemoCommand.Self, ["hotpatch", command, "--pid", process, .. arguments]), $"weft hotpatch {command} failed");
            transcript.Append($"$ weft hotpatch {command} --pid demo-hotpatch{string.Concat(arguments.Select(a => $" {Path.GetFileName(a)}"))}\n{result.Output}");
        }
    }
}
