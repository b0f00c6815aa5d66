using System.Text.Json;

namespace Weft.Tests;

/// <summary>What the tests of hot patching share: builds, and what <c>weft hotpatch check</c> says of them.</summary>
public abstract class HotpatchFiles : IDisposable
{
    protected Harness Harness { get; } = new();

    public void Dispose()
    {
        Harness.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>A function as the check describes it.</summary>
    protected sealed record Checked(string File, string Symbol, string Section, ulong Address, ulong Size, ulong PatchPoint, string Instruction, int Room, bool Woven, bool CallsItself, string Conditions, string Why);

    /// <summary>Every function of some files, by the check; its exit code must fit.</summary>
    protected List<Checked> Check(params string[] arguments)
    {
        var outcome = Harness.RunWeft(["hotpatch", "check", "--all", "--json", .. arguments]);
        using var json = JsonDocument.Parse(outcome.Output.Length > 0 ? outcome.Output : throw new InvalidOperationException(outcome.ToString()));
        var functions = json.RootElement.GetProperty("functions").EnumerateArray().Select(Read).ToList();
        Assert.Equal(functions.TrueForAll(f => f.Conditions.Length == 0) ? 0 : 1, outcome.ExitCode);
        return functions;
    }

    /// <summary>Checks files in which nothing is foreign: every function must be replaceable.</summary>
    protected List<Checked> MustBeReplaceable(params string[] arguments)
    {
        var functions = Check(arguments);
        Assert.NotEmpty(functions);
        var bad = functions.Where(f => f.Conditions.Length > 0).ToList();
        Assert.True(bad.Count == 0, string.Join('\n', bad.Take(20)));
        return functions;
    }

    /// <summary>Compiles sources with Weft into objects in a folder of their own; returns these.</summary>
    protected string[] Objects(string folder, string[] sources, params string[] flags) => Objects(folder, sources, isCpp => [Harness.Weft, isCpp ? "c++" : "cc", "--with=hotpatch", .. isCpp ? ["-std=c++20"] : Array.Empty<string>(), .. flags]);

    /// <summary>Compiles sources, several at once, into objects in folders named as theirs are; returns these.</summary>
    /// <param name="folder">What these folders are in.</param>
    /// <param name="sources">C and C++.</param>
    /// <param name="compiler">For C++ or C, with flags.</param>
    protected string[] Objects(string folder, string[] sources, Func<bool, string[]> compiler)
    {
        foreach (var group in sources.GroupBy(s => (Folder: FolderOf(s), IsCpp: !s.EndsWith(".c", StringComparison.Ordinal))))
        {
            Directory.CreateDirectory(Harness.Path($"{folder}/{group.Key.Folder}"));
            Harness.Must("sh", ["-c", "cd \"$0\" && exec \"$@\"", $"{folder}/{group.Key.Folder}", .. compiler(group.Key.IsCpp), "-w", "-c", .. group]);
        }
        return [.. sources.Select(s => $"{folder}/{FolderOf(s)}/{Path.GetFileNameWithoutExtension(s)}.o")];
    }

    private static string FolderOf(string source) => Path.GetFileName(Path.GetDirectoryName(source))!;

    /// <summary>The repository's own C and C++ programs.</summary>
    protected static string[] Corpus { get; } = [.. Sources("bench/kernels", "*.c"), .. Sources("examples", "*.c"), .. Sources("tests/fixtures/coverage", "*.c"), .. Sources("tests/fixtures/coverage", "*.cc")];

    /// <summary>What of it compiles for other processors: there are no headers of C++ for these, and one file has assembly.</summary>
    protected static string[] PortableCorpus { get; } = [.. Corpus.Where(s => s.EndsWith(".c", StringComparison.Ordinal) && !s.EndsWith("/assembly.c", StringComparison.Ordinal))];

    protected static string[] Kernels { get; } = [.. Sources("bench/kernels", "*.c")];

    private static IEnumerable<string> Sources(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Harness.Root, folder), pattern, SearchOption.AllDirectories).Where(f => !f.Contains("/target/") && IsAlone(f)).Order(StringComparer.Ordinal);

    // Some examples are for an instrument whose headers they include; others have headers in another folder.
    private static bool IsAlone(string file) => !File.ReadAllText(file).Contains("weft/") && !file.Contains("/ci-demo-c/") && !file.Contains("/hotpatch-server/");

    private static Checked Read(JsonElement f)
    {
        string Text(string name) => f.GetProperty(name).GetString()!;
        ulong Number(string name) => f.GetProperty(name).GetUInt64();
        var violations = f.GetProperty("violations").EnumerateArray().ToList();
        string Joined(string name) => string.Join(' ', violations.Select(v => v.GetProperty(name).GetString()));
        return new(Text("file"), Text("symbol"), Text("section"), Number("address"), Number("size"), Number("patch_point"), Text("instruction"),
            f.GetProperty("room").GetInt32(), f.GetProperty("woven").GetBoolean(), f.GetProperty("calls_itself").GetBoolean(), Joined("condition"), Joined("why"));
    }
}
