using System.Text;
using Weft.Core;

namespace Weft.Toolchain.Link;

/// <summary>A file that a linker took in, or a member of an archive.</summary>
internal sealed record LinkedFile(string Path, string? Member)
{
    public override string ToString() => Member == null ? Path : $"{Path}({Member})";
}

/// <summary>
/// What a linker says it took in when it is asked to (<c>-t -t</c>): also what it found by itself, and of archives the members
/// that it needed. GNU ld writes <c>(libx.a)x.o</c>, where others write <c>libx.a(x.o)</c>.
/// </summary>
internal static class LinkTrace
{
    public static IReadOnlyList<string> Flags(bool isDriver) => isDriver ? ["-Wl,-t", "-Wl,-t"] : ["-t", "-t"];

    /// <summary>Runs a linker whose arguments have the flags; what else it prints goes where it would have gone.</summary>
    public static int Run(string linker, IReadOnlyList<string> arguments, List<LinkedFile> files) => ChildProcess.Listen(linker, arguments, new Dictionary<string, string?>(), bytes =>
    {
        var line = Encoding.UTF8.GetString(bytes);
        if (Read(line) is { } file) files.Add(file);
        else if (!line.EndsWith(".o", StringComparison.Ordinal)) Console.Out.WriteLine(line); // what link-time optimisation has left and removed again
    });

    // The file that a line names; null if it says something else.
    private static LinkedFile? Read(string line)
    {
        if (line.Length == 0 || char.IsWhiteSpace(line[0])) return null;
        if (File.Exists(line)) return new(line, null);
        if (line[0] == '(' && line.LastIndexOf(')') is var end and > 0 && File.Exists(line[1..end])) return new(line[1..end], line[(end + 1)..]);
        if (line.LastIndexOf('(') is var start and > 0 && File.Exists(line[..start])) return new(line[..start], line[(start + 1)..].TrimEnd(')'));
        return null;
    }
}
