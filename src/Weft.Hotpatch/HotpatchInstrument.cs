using Weft.Core;
using Weft.Hotpatch.Check;
using Weft.Hotpatch.Patches;
using Weft.Hotpatch.Weaving;
using Weft.Llvm;

namespace Weft.Hotpatch;

/// <summary>
/// Makes functions replaceable in the running program, by the three conditions of Windows' hot patching: the first instruction
/// has two bytes or more, nothing jumps to it, and right before it there is room that nothing else uses.
/// <code>
/// define void @work() {                      define void @work() "patchable-function"="prologue-short-redirect" prefix [8 x i8] c"\CC..." {
/// }                                          }
/// ==> cc cc cc cc cc cc cc cc                room for a jump to anywhere
///     work: 66 90                            two bytes that do nothing, only where the first instruction has one byte or a loop begins with it
///           55 ...                           as it was
/// </code>
/// On aarch64, where an instruction of four bytes may be exchanged under a running thread only for one of a few, the first is a nop:
/// <code>
/// define void @work() prologue i32 0xd503201f prefix [16 x i8] c"\00\00\20\D4..." {
/// </code>
/// No relocation, no symbol and no section comes of it. The room is as large as leaves the function's own alignment alone: see
/// <see cref="Room"/>. Guarantee: instructions are what they were, but for what is said above; a function that fulfils the first
/// two conditions anyway keeps its bytes.
/// </summary>
public sealed class HotpatchInstrument : IInstrument
{
    public string Name => "hotpatch";

    public string Description => "functions that can be replaced in the running program";

    public IReadOnlyList<InstrumentOption> Options { get; } =
    [
        new("only", "", [], "GLOB,...: only these functions are replaceable"),
        new("never", "", [], "GLOB,...: these are not"),
    ];

    public IReadOnlyList<Stage> Stages(InstrumentSettings settings) => [Stage.Front, Stage.Back];

    public bool WantsCanonicalIr => false;

    public bool WantsTypes => true;

    /// <summary>Two functions of one entry could only be replaced together.</summary>
    public bool KeepsFunctionsApart => true;

    public IReadOnlyList<string> SharedSymbols { get; } = ["__weft_hotpatch_*", "weft_hotpatch_*"];

    /// <summary>A patch takes single functions and variables out of an object: each needs a section of its own.</summary>
    public IReadOnlyList<string> ClangCodeFlags { get; } = ["-ffunction-sections", "-fdata-sections"];

    public void Weave(Module module, WeaveContext context)
    {
        if (context.Stage == Stage.Front) Describe(module, context);
        else MakeReplaceable(module, context);
    }

    // Before anything is inlined: what types are used in functions that will not be there.
    private static void Describe(Module module, WeaveContext context)
    {
        if (!TargetSystem.IsElf(module.Triple)) return;
        TypeLayouts.Add(module);
        if (context.Optimised) Conventions.Mark(module);
    }

    private static void MakeReplaceable(Module module, WeaveContext context)
    {
        var room = Room.For(module.Triple);
        List<Glob> only = [.. Glob.List(context.Option("only"))], never = [.. Glob.List(context.Option("never"))];
        var isCoff = TargetSystem.IsCoff(module.Triple);
        foreach (var function in module.Functions.Where(f => MayBeReplaced(f) && Wants(f, only, never)))
        {
            room.Make(module, function);
            if (isCoff) OwnSection.Give(function);
        }
        if (isCoff) CodeViewFlag.Add(module);
        else if (TargetSystem.IsElf(module.Triple) && context.Optimised) TypeLayouts.Add(module, Conventions.TakeMarks(module));
    }

    /// <exception cref="WeftException">A function is not replaceable after all.</exception>
    public bool Finish(byte[] objectFile)
    {
        var changed = EntryAlignment.Relax(objectFile) | CodeViewFlag.Set(objectFile) | TypeLayouts.Exclude(objectFile);
        WovenCheck.Run(objectFile);
        return changed;
    }

    public bool SeesLinks => true;

    public void FinishLink(string output, IReadOnlyList<string> inputs) => SnapshotMaker.AddTo(output, inputs);

    private static bool Wants(Function function, List<Glob> only, List<Glob> never)
    {
        if (only.Count == 0 && never.Count == 0) return true;
        string symbol = function.Name, name = Demangler.Demangle(symbol);
        bool Among(List<Glob> globs) => globs.Any(g => g.Matches(name) || g.Matches(symbol));
        return !Among(never) && (only.Count == 0 || Among(only));
    }

    // A naked function is its author's to the last byte, and so is what another has put before or at the start of one. The linker
    // takes another definition of what is available externally.
    private static bool MayBeReplaced(Function function) =>
        !function.IsDeclaration && function.Linkage != Linkage.AvailableExternally && !function.HasAttribute("naked"u8) && !function.HasPrefixOrPrologue
        && function.StringAttribute("patchable-function-entry"u8) == null && function.StringAttribute("patchable-function-prefix"u8) == null;
}
