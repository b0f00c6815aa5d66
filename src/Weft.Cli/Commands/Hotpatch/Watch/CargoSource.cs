using Weft.Core;
using Weft.Hotpatch.Patches;
using Weft.Toolchain;
using Weft.Toolchain.Cargo;

namespace Weft.Cli.Commands.Hotpatch.Watch;

/// <summary>A cargo project: cargo knows what to build, and its dependency files say what that is made of.</summary>
internal sealed class CargoSource : IPatchSource
{
    private readonly Func<IReadOnlyDictionary<string, string?>, CargoResult> build;

    private CargoSource(Func<IReadOnlyDictionary<string, string?>, CargoResult> build, string program)
    {
        this.build = build;
        Program = program;
    }

    public string Program { get; }

    public IReadOnlyList<string> Sources => DependencyFile.Read(Program + ".d");

    /// <summary>Builds for the first time; null when that fails, which cargo has explained.</summary>
    /// <param name="arguments">Of cargo build.</param>
    public static CargoSource? Start(IReadOnlyList<string> arguments)
    {
        var rest = arguments.SkipWhile(IsToolchain).ToList();
        var with = new FlagReader(rest).TakeValue("--with");
        var request = new CargoRequest
        {
            Arguments = [.. arguments.TakeWhile(IsToolchain), "build", "--message-format=json-render-diagnostics", "--with", with == null ? "hotpatch" : $"hotpatch,{with}", .. rest],
        };
        var cargo = CargoDoor.Begin(request, Roles.Instruments);
        var result = cargo(new Dictionary<string, string?>());
        return result.ExitCode == 0 ? new CargoSource(cargo, OnlyProgram(result)) : null;
    }

    public int Build(PatchRequest request, IReadOnlyList<string> changed)
    {
        var file = request.Patch + ".request";
        request.Write(file);
        return build(new Dictionary<string, string?> { [PatchRequest.Variable] = file }).ExitCode;
    }

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
