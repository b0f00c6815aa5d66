using System.Globalization;
using System.Text;
using Weft.Core;
using Weft.Toolchain.Cargo;

namespace Weft.Toolchain.Link;

/// <summary>
/// A link that a build has come to, told to the process that has started the build before anything is linked: what is new in
/// a program is known then, and who only wants that need not wait for the program. The role that rustc starts as its linker
/// waits until this object is disposed of, so the files stay where they are.
/// </summary>
public sealed class PendingLink : IDisposable
{
    /// <summary>Names the process that listens, and the folder where links are left for it.</summary>
    internal const string Variable = "__WEFT_LINKS";

    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(1);

    private readonly string path;

    private PendingLink(string path, PlanReader text)
    {
        this.path = path;
        Output = text.Text()!;
        Arguments = text.List();
        Folder = text.Text()!;
        PlanText = text.Text()!;
        LinkText = text.Text()!;
    }

    /// <summary>The program or library that will be made.</summary>
    public string Output { get; }

    internal IReadOnlyList<string> Arguments { get; }

    /// <summary>Where relative names begin.</summary>
    internal string Folder { get; }

    /// <summary>A <see cref="BuildPlan"/>.</summary>
    internal string PlanText { get; }

    /// <summary>A <see cref="LinkPlan"/>.</summary>
    internal string LinkText { get; }

    /// <summary>Tells who listens, if anybody does, and returns when that has read the files.</summary>
    internal static void Tell(string output, IReadOnlyList<string> arguments)
    {
        if (Environment.GetEnvironmentVariable(Variable)?.Split(' ', 2) is not [var process, var folder] || !Directory.Exists(folder)) return;
        using var text = new PlanWriter();
        text.Text(output);
        text.List(arguments);
        text.Text(Environment.CurrentDirectory);
        text.Text(Environment.GetEnvironmentVariable(BuildPlan.Variable));
        text.Text(Environment.GetEnvironmentVariable(LinkPlan.Variable));
        var left = Path.Combine(folder, $"{Environment.ProcessId}{LinkListener.Extension}");
        if (!TryWrite(left, text.ToString())) return;
        var listener = int.Parse(process, CultureInfo.InvariantCulture);
        while (File.Exists(left) && Posix.Signal(listener, 0) == 0) Thread.Sleep(Glance);
    }

    // The folder may be gone by now, with who listened.
    private static bool TryWrite(string path, string text)
    {
        try
        {
            AtomicFile.Write(path, Encoding.ASCII.GetBytes(text));
            return true;
        }
        catch (WeftException)
        {
            return false;
        }
    }

    internal static PendingLink Read(string path)
    {
        using var text = new PlanReader(File.ReadAllText(path));
        return new PendingLink(path, text);
    }

    public void Dispose() => AtomicFile.TryDelete(path);
}

/// <summary>Hears of the links of builds that this process starts.</summary>
/// <param name="folder">Where they are left, which exists. Builds go on as soon as it does not.</param>
public sealed class LinkListener(string folder)
{
    internal const string Extension = ".link";

    /// <summary>For the processes of a build.</summary>
    public IReadOnlyDictionary<string, string?> Variables => new Dictionary<string, string?> { [PendingLink.Variable] = $"{Environment.ProcessId} {folder}" };

    /// <summary>A link that waits; null if none does.</summary>
    public PendingLink? TryTake() => Directory.EnumerateFiles(folder, "*" + Extension).FirstOrDefault() is { } path ? PendingLink.Read(path) : null;
}
