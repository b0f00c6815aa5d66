using System.Diagnostics;

namespace Weft.Tests;

/// <summary>Programs that answer each line of their input with one of their own, and are patched in between.</summary>
public abstract class PatchedPrograms : IDisposable
{
    private readonly List<Process> started = [];

    protected Harness Harness { get; } = new();

    protected static string Fixture(string name) => File.ReadAllText(Path.Combine(Harness.Root, "tests/fixtures/hotpatch", name));

    public virtual void Dispose()
    {
        foreach (var process in started)
        {
            if (!process.HasExited) process.Kill();
            process.Dispose();
        }
        Harness.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>The source with texts exchanged, each of which it must have.</summary>
    protected static string Edit(string source, params (string Old, string New)[] edits)
    {
        foreach (var (old, text) in edits)
        {
            Assert.Contains(old, source, StringComparison.Ordinal);
            source = source.Replace(old, text, StringComparison.Ordinal);
        }
        return source;
    }

    /// <summary>Compiles with hotpatch, as "weft cc" or for .cpp "weft c++".</summary>
    protected void Compile(string file, string source, string output, params string[] options)
    {
        Harness.Write(file, source);
        Harness.Must(Harness.Weft, [file.EndsWith(".cpp", StringComparison.Ordinal) ? "c++" : "cc", "--with=hotpatch", .. options, file, "-o", output]);
    }

    /// <summary>Builds a patch of changed source, which has to have the same name as the first.</summary>
    protected Outcome BuildPatch(string file, string source, string patch, string[] options, params string[] more)
    {
        var changed = Path.Combine(Path.GetFileNameWithoutExtension(patch), file);
        Directory.CreateDirectory(Harness.Path(Path.GetFileNameWithoutExtension(patch)));
        Harness.Write(changed, source);
        Harness.Must(Harness.Weft, [file.EndsWith(".cpp", StringComparison.Ordinal) ? "c++" : "cc", "--with=hotpatch", .. options, "-c", changed, "-o", changed + ".o"]);
        return Harness.RunWeft(["hotpatch", "build", "--program", "program", "-o", patch, .. more, changed + ".o"]);
    }

    protected void Patch(Process program, string patch) => Harness.Must(Harness.Weft, "hotpatch", "apply", "--pid", $"{program.Id}", patch);

    protected Process Start(string program, params string[] arguments) => Start(program, arguments, out _);

    /// <param name="program">What to run.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="messages">What it writes to stderr, line by line; lock the list to look at it.</param>
    protected Process Start(string program, string[] arguments, out List<string> messages)
    {
        var info = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Harness.Folder };
        foreach (var argument in arguments) info.ArgumentList.Add(argument);
        foreach (var (name, value) in Harness.Environment) info.Environment[name] = value;
        var lines = messages = [];
        var process = Process.Start(info)!;
        process.ErrorDataReceived += (_, line) =>
        {
            lock (lines)
                if (line.Data != null) lines.Add(line.Data);
        };
        process.BeginErrorReadLine();
        started.Add(process);
        return process;
    }

    /// <summary>A program under <c>weft hotpatch watch</c>.</summary>
    protected sealed class WatchedProject(Process process, List<string> messages)
    {
        public Process Process { get; } = process;

        public int Seen { get; set; }

        /// <summary>Waits for a line of stderr that has the text, behind those that have been waited for.</summary>
        public void Await(string text)
        {
            for (var until = DateTime.UtcNow + TimeSpan.FromMinutes(2); DateTime.UtcNow < until; Thread.Sleep(5))
                lock (messages)
                    for (; Seen < messages.Count; Seen++)
                        if (messages[Seen].Contains(text, StringComparison.Ordinal))
                        {
                            Seen++;
                            return;
                        }
            lock (messages) Assert.Fail($"no '{text}' in\n{string.Join('\n', messages)}");
        }
    }

    /// <summary>Starts it, and waits until saving a file has an effect.</summary>
    protected WatchedProject Watched(params string[] options)
    {
        var watched = new WatchedProject(Start(Harness.Weft, ["hotpatch", "watch", .. options], out var messages), messages);
        watched.Await("save a source file");
        return watched;
    }

    /// <summary>What a program of this source, built without Weft, has to say to these lines: the last is what a patched one has to say to it.</summary>
    protected string[] Plain(string file, string source, params string[] lines)
    {
        Harness.Write("plain/" + file, source);
        Harness.Must(file.EndsWith(".cpp", StringComparison.Ordinal) ? "clang++-22" : "clang-22", "-O1", "plain/" + file, "-o", "plain/program");
        return Harness.Run(Harness.Path("plain/program"), [], System.Text.Encoding.ASCII.GetBytes(string.Concat(lines.Select(l => l + "\n")))).Output.TrimEnd('\n').Split('\n');
    }

    /// <summary>What the program has to say to a line.</summary>
    protected static string Ask(Process program, string line)
    {
        program.StandardInput.WriteLine(line);
        program.StandardInput.Flush();
        return program.StandardOutput.ReadLine() ?? "(the program has ended)";
    }
}
