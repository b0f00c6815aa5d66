using System.Text.RegularExpressions;
using Weft.Core;
using Weft.Toolchain;
using Weft.Toolchain.Cargo;
using Weft.Toolchain.Link;

namespace Weft.Cli.Commands.Hotpatch.Watch;

/// <summary>A cargo project: cargo knows what to build, and its dependency files say what that is made of.</summary>
internal sealed partial class CargoSource : IPatchSource
{
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(2);

    private readonly Func<IReadOnlyDictionary<string, string?>, CargoResult> cargo;
    private readonly LinkListener listener;
    private readonly LinkReader reader = new(Roles.Instruments);

    private CargoSource(Func<IReadOnlyDictionary<string, string?>, CargoResult> cargo, string folder)
    {
        this.cargo = cargo;
        listener = new LinkListener(folder);
    }

    public string Program { get; private set; } = "";

    public IReadOnlyList<string> Sources => DependencyFile.Read(Program + ".d");

    public IReadOnlyList<LinkInput> Inputs { get; private set; } = [];

    /// <summary>Builds for the first time; null when that fails, which cargo has explained.</summary>
    /// <param name="arguments">Of cargo build.</param>
    /// <param name="folder">For what builds leave on the way.</param>
    public static CargoSource? Start(IReadOnlyList<string> arguments, string folder)
    {
        var rest = arguments.SkipWhile(IsToolchain).ToList();
        var with = new FlagReader(rest).TakeValue("--with");
        var request = new CargoRequest
        {
            Arguments = [.. arguments.TakeWhile(IsToolchain), "build", "--message-format=json-render-diagnostics", "--with", with == null ? "hotpatch" : $"hotpatch,{with}", .. rest],
        };
        var source = new CargoSource(CargoDoor.Begin(request, Roles.Instruments), folder);
        return source.Start() ? source : null;
    }

    public int Build(IReadOnlyList<string> changed, Action<IReadOnlyList<LinkInput>, IReadOnlyList<string>> whenCompiled) => Build(whenCompiled).ExitCode;

    private bool Start()
    {
        var result = Build((inputs, _) => Inputs = inputs);
        if (result.ExitCode == 0) Program = OnlyProgram(result);
        return result.ExitCode == 0;
    }

    private CargoResult Build(Action<IReadOnlyList<LinkInput>, IReadOnlyList<string>> whenCompiled)
    {
        var building = Task.Run(() => cargo(listener.Variables));
        while (!building.IsCompleted)
        {
            using (var link = listener.TryTake())
                if (link != null && IsOfProgram(link.Output) && TryRead(link) is { } read) whenCompiled(read.Inputs, read.Toolchain);
            Task.WaitAny([building], Glance);
        }
        return building.GetAwaiter().GetResult();
    }

    // What is wrong with it, the link says itself.
    private (IReadOnlyList<LinkInput> Inputs, IReadOnlyList<string> Toolchain)? TryRead(PendingLink link)
    {
        try
        {
            return reader.Read(link);
        }
        catch (WeftException)
        {
            return null;
        }
    }

    // Cargo adds a number to the names of what it links, and has rustc write them as crates. Which is the program, the first build has yet to say.
    private bool IsOfProgram(string output) => Program.Length == 0 || Path.GetFileName(Program) == Path.GetFileName(output) || CrateName(Program) == CrateName(output);

    private static string CrateName(string program) => CargoNumber().Replace(Path.GetFileName(program), "").Replace('-', '_');

    private static string OnlyProgram(CargoResult result)
    {
        var programs = result.Artifacts.Where(a => a.Executable != null && a.Kinds.Any(k => k is "bin" or "example")).ToList();
        return programs switch
        {
            [var only] => only.Executable!,
            [] => throw new WeftException("cargo builds no program here", "name one with --bin or --example, or go to the folder of its package"),
            _ => throw new WeftException($"cargo builds several programs: {string.Join(", ", programs.Select(p => p.Name))}", "choose one with --bin NAME"),
        };
    }

    private static bool IsToolchain(string argument) => argument.StartsWith('+');

    [GeneratedRegex("-[0-9a-f]{16}$")]
    private static partial Regex CargoNumber();
}

/// <summary>A rule of make as compilers write it: <c>target: file file...</c>, with a backslash before spaces in names and at ends of lines.</summary>
internal static class DependencyFile
{
    public static List<string> Read(string path) => File.Exists(path) ? Parse(File.ReadAllText(path)) : [];

    public static List<string> Parse(string text)
    {
        var files = new List<string>();
        var name = new System.Text.StringBuilder();
        var start = text.IndexOf(": ", StringComparison.Ordinal) is var at and >= 0 ? at + 2 : text.Length;
        for (var i = start; i <= text.Length; i++)
        {
            var next = i < text.Length ? text[i] : ' ';
            if (next == '\\' && i + 1 < text.Length)
            {
                if (text[++i] is not ('\n' or '\r')) name.Append(text[i]);
            }
            else if (!char.IsWhiteSpace(next)) name.Append(next);
            else if (name.Length > 0)
            {
                files.Add(name.ToString());
                name.Clear();
            }
            if (next == '\n') break; // further rules are for those who have lost a file
        }
        return files;
    }
}
