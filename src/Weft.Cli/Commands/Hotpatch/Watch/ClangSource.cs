using System.Globalization;
using Weft.Core;
using Weft.Hotpatch.Patches;
using Weft.Toolchain;

namespace Weft.Cli.Commands.Hotpatch.Watch;

/// <summary>
/// A project of C and C++ that has a compilation database. Objects are compiled as that says, where it says, so that the next build by
/// the project's own build system only links.
/// </summary>
internal sealed class ClangSource : IPatchSource
{
    private readonly string database;
    private readonly string folder;
    private readonly IReadOnlyList<string> linked;
    private readonly Dictionary<string, LinkInput> compiled = [];
    private List<CompileCommand> commands;
    private readonly Dictionary<string, IReadOnlyList<string>> sources = [];

    private ClangSource(string program, string database, string folder)
    {
        Program = program;
        this.database = database;
        this.folder = folder;
        linked = PatchMaker.ObjectsOf(program);
        commands = ReadCommands();
    }

    public string Program { get; }

    public IReadOnlyList<string> Sources
    {
        get
        {
            Parallel.ForEach(commands, FindSources);
            return [.. sources.Values.SelectMany(s => s).Append(database).Distinct()];
        }
    }

    /// <param name="program">The program, built --with hotpatch.</param>
    /// <param name="database">The compilation database; null: one that lies here, in build/, or beside the program.</param>
    /// <param name="folder">For what has no place in the project.</param>
    /// <exception cref="WeftException">There is no such program or database.</exception>
    public static ClangSource Start(string program, string? database, string folder) => new(Path.GetFullPath(program), Path.GetFullPath(database ?? Find(program)), folder);

    public IReadOnlyList<LinkInput> Inputs => [];

    public int Build(IReadOnlyList<string> changed, Action<IReadOnlyList<LinkInput>, IReadOnlyList<string>> whenCompiled)
    {
        if (changed.Contains(database)) commands = ReadCommands();
        var affected = commands.Where(c => sources.GetValueOrDefault(c.Output, []).Intersect(changed).Any()).ToList();
        var exits = affected.AsParallel().WithDegreeOfParallelism(Math.Min(Environment.ProcessorCount, Math.Max(1, affected.Count))).Select(Compile).ToList();
        if (exits.Find(e => e != 0) is var failed and not 0) return failed;
        if (compiled.Count > 0) whenCompiled([.. compiled.Values], []); // all since the start: an earlier one may have had no patch
        return 0;
    }

    private static string Find(string program)
    {
        var places = (string[])[".", "build", Path.GetDirectoryName(Path.GetFullPath(program))!];
        return places.Select(p => Path.Combine(p, CompileCommands.FileName)).FirstOrDefault(File.Exists)
            ?? throw new WeftException($"there is no {CompileCommands.FileName} here, in build or beside the program", "name it with --compile-commands; cmake writes it with -DCMAKE_EXPORT_COMPILE_COMMANDS=ON, and bear for any build");
    }

    // A database is of a whole project; other programs in it have a main of their own. What was compiled and linked in one step has no name.
    private List<CompileCommand> ReadCommands()
    {
        var all = CompileCommands.Read(database);
        var own = all.Where(IsLinked).ToList();
        if (own.Count > 0 || all.Count == 0) return own;
        Terminal.Warning($"'{Program}' does not say which objects of '{database}' it was linked from: all are watched");
        return all;
    }

    private bool IsLinked(CompileCommand command) => linked.Any(l =>
        l.EndsWith(')') ? l.EndsWith($"({Path.GetFileName(command.Output)})", StringComparison.Ordinal) : Path.GetFullPath(l, command.Folder) == command.Output || command.Output.EndsWith("/" + l, StringComparison.Ordinal));

    private int Compile(CompileCommand command)
    {
        var woven = Woven(command, out var output);
        var exit = ChildProcess.Run(woven[0], [.. woven.Skip(1)], Variables(command), command.Folder);
        if (exit != 0) return exit;
        var read = LinkInput.Read(output);
        lock (compiled) compiled[output] = read;
        lock (sources) sources.Remove(command.Output); // it may include others now; there is time to look once the patch is there
        return 0;
    }

    // A command that does not go by way of Weft leaves its object where the project has it, and another is made.
    private List<string> Woven(CompileCommand command, out string output)
    {
        output = command.IsWeft ? command.Output : Scratch(command, ".o");
        return command.IsWeft ? OfWeft(command) : [.. WithoutOutput(OfWeft(command)), "-o", output];
    }

    private static List<string> OfWeft(CompileCommand command) =>
        [WeftFiles.Role(command.IsWeft ? command.Compiler : command.IsCpp ? "weft-c++" : "weft-cc"), .. command.Words.Skip(1)];

    private string Scratch(CompileCommand command, string extension) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(command.Output)}-{(uint)command.Output.GetHashCode(StringComparison.Ordinal)}{extension}"));

    private static Dictionary<string, string?> Variables(CompileCommand command)
    {
        var variables = new Dictionary<string, string?>();
        if (Environment.GetEnvironmentVariable("WEFT_WITH") is null or "") variables["WEFT_WITH"] = "hotpatch";
        if (!command.IsWeft) variables[command.IsCpp ? "WEFT_CXX" : "WEFT_CC"] = command.Words[0];
        return variables;
    }

    private static IEnumerable<string> WithoutOutput(List<string> words)
    {
        for (var i = 0; i < words.Count; i++)
            if (words[i] == "-o") i++;
            else if (!words[i].StartsWith("-o", StringComparison.Ordinal)) yield return words[i];
    }

    // Of the rule for make that most builds have written; else the compiler is asked.
    private void FindSources(CompileCommand command)
    {
        lock (sources)
            if (sources.ContainsKey(command.Output)) return;
        List<string> found = [command.Source, .. ReadRule(command).Select(f => Path.GetFullPath(f, command.Folder)).Where(f => !IsOfSystem(f))];
        lock (sources) sources[command.Output] = found;
    }

    private List<string> ReadRule(CompileCommand command)
    {
        var at = command.Words.ToList().LastIndexOf("-MF");
        var names = (string?[])[at >= 0 && at + 1 < command.Words.Count ? Path.GetFullPath(command.Words[at + 1], command.Folder) : null, Path.ChangeExtension(command.Output, ".d"), command.Output + ".d"];
        if (names.FirstOrDefault(n => n != null && IsNewer(n, command.Source)) is { } written) return DependencyFile.Read(written);
        var rule = Scratch(command, ".d");
        var words = WithoutOutput(OfWeft(command)).Where(w => w is not "-c").ToList();
        var asked = ChildProcess.Capture(words[0], [.. words.Skip(1), "-MM", "-MG", "-MF", rule], Variables(command), command.Folder);
        return asked.ExitCode == 0 ? DependencyFile.Read(rule) : [];
    }

    private static bool IsNewer(string rule, string source) => File.Exists(rule) && File.GetLastWriteTimeUtc(rule) >= File.GetLastWriteTimeUtc(source);

    private static bool IsOfSystem(string file) => file.StartsWith("/usr/include/", StringComparison.Ordinal) || file.StartsWith("/usr/lib/", StringComparison.Ordinal);
}
