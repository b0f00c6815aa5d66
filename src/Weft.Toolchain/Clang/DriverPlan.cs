using System.Text;
using Weft.Core;

namespace Weft.Toolchain.Clang;

/// <summary>One command of the driver's plan.</summary>
internal sealed record DriverJob(string Program, IReadOnlyList<string> Arguments)
{
    public bool IsCc1 => Arguments is ["-cc1", ..];

    /// <summary>The value of the last <c>-o</c>.</summary>
    public string? Output => Arguments.ToList().LastIndexOf("-o") is var at and >= 0 && at + 1 < Arguments.Count ? Arguments[at + 1] : null;
}

/// <summary>
/// What the clang driver would run, as <c>clang -### ARGS</c> prints it on stderr:
/// <code>
/// Debian clang version 22.1.8
/// Target: x86_64-pc-linux-gnu
/// Thread model: posix
/// InstalledDir: /usr/lib/llvm-22/bin
/// clang-22: warning: -lm: 'linker' input unused [-Wunused-command-line-argument]
///  (in-process)
///  "/usr/lib/llvm-22/bin/clang" "-cc1" "-D" "X=\"q\"" ... "-x" "c" "a b.c"
///  "/usr/bin/ld" "-o" "x" ...
/// </code>
/// Every argument is in double quotes, with backslashes before quotes, backslashes and dollars; a newline stands as it is.
/// </summary>
internal sealed class DriverPlan
{
    private static readonly string[] HeaderLines = ["Target: ", "Thread model: ", "InstalledDir: ", "Build config: ", "Configuration file: ", "Found candidate ", "Selected ", "Candidate multilib: ", "Found CUDA ", "Found HIP "];

    private readonly List<DriverJob> jobs = [];
    private readonly StringBuilder diagnostics = new();

    private DriverPlan(string text) => Text = text;

    /// <summary>All of what clang printed.</summary>
    public string Text { get; }

    /// <summary>"Debian clang version 22.1.8 (1~deb12u1)", or empty when the program is not clang.</summary>
    public string Version { get; private set; } = "";

    /// <summary>The triple that the arguments come to.</summary>
    public string Target { get; private set; } = "";

    public string InstalledFolder { get; private set; } = "";

    public IReadOnlyList<DriverJob> Jobs => jobs;

    /// <summary>The driver's own warnings; its errors never get here.</summary>
    public string Diagnostics => diagnostics.ToString();

    /// <summary>Asks for the plan. Null when clang finds an error in the arguments: it says so better itself.</summary>
    /// <param name="compiler">The driver.</param>
    /// <param name="arguments">The user's.</param>
    /// <param name="temporaryFolder">Where the plan's temporary files are to be; clang only makes up names.</param>
    public static DriverPlan? Ask(ClangCompiler compiler, IReadOnlyList<string> arguments, string temporaryFolder)
    {
        List<string> all = [.. compiler.Prefix, "-###"];
        // clang looks whether stderr is a terminal, and here it is a pipe. First, so that the user's own choice wins.
        if (!Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb")) all.Add("-fcolor-diagnostics");
        all.AddRange(arguments);
        var answer = ChildProcess.Capture(compiler.Program, all, new Dictionary<string, string?> { ["TMPDIR"] = temporaryFolder });
        return answer.ExitCode == 0 ? Parse(answer.Errors) : null;
    }

    public static DriverPlan Parse(string text)
    {
        var plan = new DriverPlan(text);
        for (var at = 0; at < text.Length;)
            if (text.AsSpan(at).StartsWith(" \"")) at = plan.ReadJob(at);
            else
            {
                var end = text.IndexOf('\n', at) is var newline and >= 0 ? newline : text.Length;
                plan.ReadLine(text[at..end]);
                at = end + 1;
            }
        return plan;
    }

    private int ReadJob(int at)
    {
        var words = new List<string>();
        while (at + 1 < Text.Length && Text[at] == ' ' && Text[at + 1] == '"')
        {
            var word = new StringBuilder();
            for (at += 2; at < Text.Length && Text[at] != '"'; at++)
            {
                if (Text[at] == '\\' && at + 1 < Text.Length) at++;
                word.Append(Text[at]);
            }
            words.Add(word.ToString());
            at++;
        }
        if (words.Count > 0) jobs.Add(new DriverJob(words[0], words[1..]));
        return at + 1; // past the newline
    }

    private void ReadLine(string line)
    {
        if (Version.Length == 0 && line.Contains("clang version ", StringComparison.Ordinal)) Version = line;
        else if (line.StartsWith("Target: ", StringComparison.Ordinal)) Target = line["Target: ".Length..];
        else if (line.StartsWith("InstalledDir: ", StringComparison.Ordinal)) InstalledFolder = line["InstalledDir: ".Length..];
        else if (line is not (" (in-process)" or "") && !HeaderLines.Any(h => line.StartsWith(h, StringComparison.Ordinal))) diagnostics.Append(line).Append('\n');
    }
}
