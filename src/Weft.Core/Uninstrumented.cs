using Weft.Llvm;

namespace Weft.Core;

/// <summary>A piece of code in a build that no instrument sees.</summary>
/// <param name="Where">"bot.c:12", or the name of an object file.</param>
/// <param name="What">What it is: the rest of the sentence.</param>
/// <param name="Names">What may be named to allow it: files and symbols.</param>
public sealed record Uninstrumented(string Where, string What, params IReadOnlyList<string> Names);

/// <summary>
/// What <c>--deny-uninstrumented</c> asks for: that nothing gets into a program unwoven unless it is allowed by name. Modules are
/// searched before anything is woven and then marked, so that a link knows what was searched:
/// <code>
/// @weft.checked = private constant i8 1, section "weft_checked"
/// </code>
/// </summary>
/// <param name="allowed">Globs with commas between them, for names of files and functions.</param>
public sealed class DenyUninstrumented(string allowed)
{
    private const string Section = "weft_checked", Symbol = "weft.checked";
    private const int MostShown = 20;

    private static readonly string[] CodeSections = [".text", ".gnu.linkonce.t.", ".stub", ".plt", ".iplt"];

    private readonly IReadOnlyList<Glob> globs = Glob.List(allowed);

    public string Allowed { get; } = allowed;

    /// <summary>Whether linkers put what is in a section of that name among the code, whatever its flags say.</summary>
    public static bool IsCodeSection(string name) => name is ".init" or ".fini" || Array.Exists(CodeSections, s => name.StartsWith(s, StringComparison.Ordinal));

    /// <summary>Throws if a module holds what its instruments do not see; marks it else. Bitcode that has a mark was searched when it was woven.</summary>
    public void Check(Module module, string name, IEnumerable<Uninstrumented> found)
    {
        if (IsMarked(module)) return;
        Refuse($"'{name}'", found.Select(f => f with { Names = [name, .. f.Names] }), "take it out, or allow it by the name of the file or function: --allow-uninstrumented=GLOB,...");
        Mark(module);
    }

    /// <summary>Marks a module that need not be searched.</summary>
    public void Pass(Module module)
    {
        if (!IsMarked(module)) Mark(module);
    }

    /// <summary>Throws if anything was found that is not allowed.</summary>
    public void Refuse(string subject, IEnumerable<Uninstrumented> found, string help)
    {
        var denied = found.Where(f => !f.Names.Any(Allows)).Select(f => $"\n  {f.Where}: {f.What}").Distinct().ToList();
        if (denied.Count == 0) return;
        var more = denied.Count > MostShown ? $"\n  and {denied.Count - MostShown} more" : "";
        throw new WeftException($"{subject} contains uninstrumented code, which --deny-uninstrumented forbids:{string.Concat(denied.Take(MostShown))}{more}", help, ExitCode.CheckFailed);
    }

    public static bool IsMarked(ElfFile file) => file.SectionNames.Contains(Section);

    /// <summary>The same of bitcode, for link-time optimisation.</summary>
    public static bool IsMarked(byte[] bitcode) => FatalErrors.Guard(() =>
    {
        using var context = new LlvmContext();
        using var module = context.ParseBitcode(bitcode);
        return IsMarked(module);
    });

    private bool Allows(string name) => globs.Any(g => g.Matches(name) || g.Matches(name[(name.LastIndexOf('/') + 1)..]));

    // No source can ask for that linkage, whatever it names its variables.
    private static bool IsMarked(Module module) => module.FindGlobal(Symbol) is { Linkage: Linkage.Private };

    private static void Mark(Module module)
    {
        var one = module.Context.Int(8).Const(1);
        var mark = module.AddGlobal(one.Type, Symbol);
        mark.Initializer = one;
        mark.IsConstant = true;
        mark.Linkage = Linkage.Private;
        mark.Alignment = 1;
        mark.SetSection(System.Text.Encoding.ASCII.GetBytes(Section));
        module.KeepInObject(mark);
    }
}
