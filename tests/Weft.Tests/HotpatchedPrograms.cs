using System.Diagnostics;
using System.Globalization;

namespace Weft.Tests;

/// <summary>tests/fixtures/hotpatch, built once: a program, and patches that make its parts the second or the third version.</summary>
public sealed class HotpatchedProgram
{
    private static readonly Lazy<HotpatchedProgram> Only = new(() => new HotpatchedProgram());
    private readonly Lock keys = new();

    public static readonly string Fixtures = Path.Combine(Harness.Root, "tests/fixtures/hotpatch");

    private HotpatchedProgram()
    {
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Harness.Dispose();
        Harness.Environment["WEFT_CC"] = "clang-22";
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O2", "-D_GNU_SOURCE", "-c", Path.Combine(Fixtures, "program.c"), "-o", "program.o");
        foreach (var version in (int[])[1, 2, 3])
        {
            Directory.CreateDirectory(Harness.Path($"v{version}"));
            Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O2", $"-DVERSION={version}", "-c", Path.Combine(Fixtures, "parts.c"), "-o", "parts.o");
            File.Move(Harness.Path("parts.o"), Harness.Path($"v{version}/parts.o"));
        }
        Program = Link("program");
        Second = Build("second", 2);
        Third = Build("third", 3);
        ThirdAfterSecond = Build("third-after-second", 3, "--after", Second);
    }

    public static HotpatchedProgram Built => Only.Value;

    public Harness Harness { get; } = new();

    public string Program { get; }

    public string Second { get; }

    public string Third { get; }

    /// <summary>Needs the second.</summary>
    public string ThirdAfterSecond { get; }

    public string Link(string output, params string[] flags)
    {
        Harness.Must(Harness.Weft, ["cc", "--with=hotpatch", "program.o", "v1/parts.o", "-o", output, "-lpthread", .. flags]);
        return Harness.Path(output);
    }

    public string Build(string name, int version, params string[] options) => BuildFor("program", name, version, options);

    public string BuildFor(string program, string name, int version, params string[] options)
    {
        var patch = Harness.Path($"{name}.patch");
        Harness.Must(Harness.Weft, ["hotpatch", "build", "--program", program, "-o", patch, .. options, $"v{version}/parts.o"]);
        return patch;
    }

    /// <summary>A private key, made once.</summary>
    public string Key(string name)
    {
        lock (keys)
            if (!File.Exists(Harness.Path(name))) Harness.Must(Harness.Weft, "hotpatch", "key", name);
        return Harness.Path(name);
    }
}

/// <summary>Runs that program and patches it.</summary>
public abstract class HotpatchedPrograms : IDisposable
{
    private readonly List<Process> started = [];

    protected static HotpatchedProgram Built => HotpatchedProgram.Built;

    protected Harness Harness { get; } = new();

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

    protected Process Start(params string[] arguments) => StartProgram(Built.Program, arguments);

    protected Process StartProgram(string program, params string[] arguments)
    {
        var info = new ProcessStartInfo(program, arguments) { WorkingDirectory = Harness.Folder, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var (name, value) in Harness.Environment) info.Environment[name] = value;
        var process = Process.Start(info)!;
        started.Add(process);
        return process;
    }

    /// <summary>Starts it and waits until it answers, as it was built.</summary>
    protected Process Ticking(params string[] arguments)
    {
        var process = Start(arguments);
        AssertVersion(1, process);
        return process;
    }

    /// <summary>What it prints from now on, for good: what was printed before may still be on its way.</summary>
    protected static void AssertVersion(int version, Process process)
    {
        const int enough = 25;
        var line = "";
        for (int same = 0, i = 0; same < enough; i++)
        {
            line = process.StandardOutput.ReadLine() ?? throw new InvalidOperationException($"the program has ended: {process.StandardError.ReadToEnd()}");
            same = line == $"answer {version}" ? same + 1 : 0;
            Assert.True(i < 20_000, $"the program goes on with '{line}', not with version {version}");
        }
    }

    protected Outcome Apply(Process process, params string[] arguments) => Hotpatch(process, "apply", arguments);

    protected Outcome Revert(Process process, params string[] arguments) => Hotpatch(process, "revert", arguments);

    protected string List(Process process) => Must(Hotpatch(process, "list")).Output;

    protected Outcome Hotpatch(Process process, string command, params string[] arguments) => Harness.RunWeft(["hotpatch", command, "--pid", $"{process.Id}", .. arguments]);

    protected static Outcome Must(Outcome outcome)
    {
        Assert.True(outcome.ExitCode == 0, outcome.ToString());
        return outcome;
    }

    protected string[] Run(params string[] arguments) => Must(Harness.Run(Built.Program, arguments)).Output.TrimEnd('\n').Split('\n');

    protected static long Value(IEnumerable<string> lines, string name) => long.Parse(Assert.Single(lines, l => l.StartsWith(name + " ", StringComparison.Ordinal))[(name.Length + 1)..], CultureInfo.InvariantCulture);
}

/// <summary>Makes patches that no builder would.</summary>
internal static class ForgedPatch
{
    public const int HeaderSize = 192, SizeAt = 12, IdAt = 16, IdSize = 16;

    public static byte[] WithDigest(byte[] patch)
    {
        var size = Math.Min(patch.Length, BitConverter.ToInt32(patch, SizeAt));
        if (size < HeaderSize) return patch;
        patch.AsSpan(IdAt, IdSize).Clear();
        System.Security.Cryptography.SHA256.HashData(patch.AsSpan(0, size)).AsSpan(0, IdSize).CopyTo(patch.AsSpan(IdAt));
        return patch;
    }

    public static (int At, int Count) Table(byte[] patch, int field) => (BitConverter.ToInt32(patch, field), BitConverter.ToInt32(patch, field + 4));

    /// <summary>For the program's "feed": each behind its size.</summary>
    public static void Write(string path, IEnumerable<byte[]> patches)
    {
        using var file = new BinaryWriter(File.Create(path));
        foreach (var patch in patches)
        {
            file.Write(patch.Length);
            file.Write(patch);
        }
    }
}
