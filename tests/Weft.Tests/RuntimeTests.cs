namespace Weft.Tests;

/// <summary>
/// The C tests of the runtime: every runtime/tests/*.c is a program that is compiled with the runtime and must exit with 0.
/// A comment on its first line may name more source files beside it, and options for the compiler.
/// </summary>
public sealed class RuntimeTests : IDisposable
{
    private static readonly string Folder = Path.Combine(Harness.Root, "runtime");

    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    public static TheoryData<string> Programs
    {
        get
        {
            var data = new TheoryData<string>();
            var folder = Path.Combine(Folder, "tests");
            if (Directory.Exists(folder))
                foreach (var file in Directory.EnumerateFiles(folder, "*.c").Order(StringComparer.Ordinal).Where(f => !IsExtra(f)))
                    data.Add(Path.GetFileName(file));
            if (data.Count == 0) data.Add("");
            return data;
        }
    }

    [TheoryNeeds("cc")]
    [MemberData(nameof(Programs))]
    public void A_program_against_the_runtime_holds_what_it_checks(string program)
    {
        if (program.Length == 0) return; // no runtime in this tree
        var tests = Path.Combine(Folder, "tests");
        var words = FirstLine(Path.Combine(tests, program));
        var sources = words.Where(w => w.EndsWith(".c", StringComparison.Ordinal) || w.EndsWith(".S", StringComparison.Ordinal)).Where(w => w != program && File.Exists(Path.Combine(tests, w))).Select(w => Path.Combine(tests, w));
        var options = words.Where(w => w.StartsWith('-') && w.Length > 2);
        harness.Must("cc", ["-pthread", "-std=c11", "-D_GNU_SOURCE", "-O2", "-g", "-I", Folder, "-I", Path.Combine(Folder, "include"), Path.Combine(tests, program), .. sources,
            .. Directory.EnumerateFiles(Folder, "*.c").Where(f => Path.GetFileNameWithoutExtension(f) is var name && !name.EndsWith("_windows", StringComparison.Ordinal) && (name.StartsWith("metering", StringComparison.Ordinal) || name.StartsWith("support", StringComparison.Ordinal))), .. options, "-o", "program"]);
        harness.Must(harness.Path("program"));
    }

    private static string[] FirstLine(string file) => File.ReadLines(file).FirstOrDefault() is { } line && line.StartsWith('/') ? line.Split([' ', ',', '/', '*'], StringSplitOptions.RemoveEmptyEntries) : [];

    // Named by another test's first line: part of that program, not one of its own.
    private static bool IsExtra(string file) =>
        Directory.EnumerateFiles(Path.GetDirectoryName(file)!, "*.c").Any(other => other != file && FirstLine(other).Contains(Path.GetFileName(file)));
}
