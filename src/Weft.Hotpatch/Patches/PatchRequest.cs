using System.Text.RegularExpressions;
using Weft.Core;

namespace Weft.Hotpatch.Patches;

/// <summary>
/// What a command asks of the links of a build that it starts: a patch of one of the programs that are linked. It is made as soon as
/// all objects are there, before the linker runs, since whoever waits for the patch does not need the program.
/// </summary>
/// <param name="Program">What runs, as it was linked then.</param>
/// <param name="Patch">Where the patch goes. The reason why there is none goes to the same name with .refused, and if nothing has changed there is an empty file.</param>
/// <param name="Name">What the patch is called.</param>
/// <param name="KeepState">See <see cref="PatchBuilder"/>.</param>
/// <param name="Earlier">Patches that the program has got already, in their order.</param>
/// <param name="Key">The private key that signs it: see <see cref="PatchKey"/>; null: nobody does.</param>
public sealed partial record PatchRequest(string Program, string Patch, string Name, bool KeepState, IReadOnlyList<string> Earlier, string? Key = null)
{
    /// <summary>Names a file with a request, for the processes of a build.</summary>
    public const string Variable = "__WEFT_PATCH_REQUEST";

    public string Refusal => Patch + ".refused";

    /// <summary>Line by line: program, patch, name, 1 to keep state, key or nothing, then each earlier patch.</summary>
    public void Write(string path) => File.WriteAllLines(path, [Program, Patch, Name, KeepState ? "1" : "0", Key ?? "", .. Earlier]);

    public static PatchRequest? TryRead()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } path || !File.Exists(path)) return null;
        return File.ReadAllLines(path) is [var program, var patch, var name, var keep, var key, .. var earlier] ? new PatchRequest(program, patch, name, keep == "1", earlier, key.Length > 0 ? key : null) : null;
    }

    /// <summary>Whether a link makes the program that the patch is for: cargo adds a number to the names of what it links, and has rustc write them as crates.</summary>
    public bool IsFor(string output) => Path.GetFileName(Program) == Path.GetFileName(output) || CrateName(Program) == CrateName(output);

    /// <summary>What a program was linked from, as the linker was told: a path, or "archive(member)".</summary>
    /// <exception cref="WeftException">It was not built with hotpatch.</exception>
    public static IReadOnlyList<string> ObjectsOf(string program) => Image.Read(program).ReadSnapshot().Objects;

    /// <summary>Makes the patch, and says what it replaces and what is new in it.</summary>
    /// <exception cref="WeftException">There is none to be made.</exception>
    public (IReadOnlyList<string> Replaced, IReadOnlyList<string> Added) Build(IReadOnlyList<string> objects, IReadOnlyList<string> archives)
    {
        var patch = PatchBuilder.Build(this, objects, archives);
        AtomicFile.Write(Patch, patch.File ?? throw new WeftException("nothing has changed: there is no patch to build", "build the changed source first, with the same flags"));
        return (patch.Functions, patch.Added);
    }

    /// <summary>Makes the patch, or leaves the reason why there is none.</summary>
    public void Fulfil(IReadOnlyList<string> objects, IReadOnlyList<string> archives)
    {
        try
        {
            var patch = PatchBuilder.Build(this, objects, archives);
            AtomicFile.Write(Patch, patch.File ?? []);
        }
        catch (WeftException e)
        {
            AtomicFile.Write(Refusal, System.Text.Encoding.UTF8.GetBytes(e.Message));
        }
    }

    private static string CrateName(string program) => CargoNumber().Replace(Path.GetFileName(program), "").Replace('-', '_');

    [GeneratedRegex("-[0-9a-f]{16}$")]
    private static partial Regex CargoNumber();
}
