using System.Globalization;
using System.Text;
using Weft.Core;
using Weft.Llvm;

namespace Weft.Tracing;

/// <summary>
/// Asks LLVM's code generator for XRay sleds: room at entries, exits and tail calls that the runtime patches while the
/// program runs.
/// <code>
/// define i32 @work(i32 %n) {                 define i32 @work(i32 %n) "xray-instruction-threshold"="0" {
/// }                                          }
///                                            @weft.tracing.name = private constant { ... }, section "weft_trc_names", !associated !{ptr @work}
/// ==> work: jmp +9; 9 bytes of nop           (x86_64; 32 bytes on aarch64)
///           ...
///           ret; 10 bytes of nop
/// </code>
/// <see cref="Selection"/> says which functions, <see cref="SledMap"/> what becomes of LLVM's table. Functions that exceptions
/// and panics may stop in (those with a landing pad) are asked for as "always"; the runtime takes that as the mark to record
/// the stack pointer with their entries. Guarantee: instructions are what they were; what a function computes does not change.
/// </summary>
public sealed class TracingInstrument : IInstrument
{
    private const string AlwaysMark = "__weft_tracing_always", NeverMark = "__weft_tracing_never";

    public string Name => "tracing";

    public string Description => "entry and exit of functions, switched on and off in the running program";

    public IReadOnlyList<InstrumentOption> Options { get; } =
    [
        new("threshold", Selection.DefaultThreshold.ToString(CultureInfo.InvariantCulture), [], "trace functions of at least so many IR instructions; 1: every function"),
        new("loops", "on", ["on", "off"], "on: also every function with a loop"),
        new("only", "", [], "GLOB,...: trace these functions whatever their size, and no others"),
        new("never", "", [], "GLOB,...: never trace these"),
        new("attr-list", "", [], "FILE of [always] and [never] rules in the format of clang's -fxray-attr-list=", (_, content) => Encoding.UTF8.GetString(content)),
    ];

    public IReadOnlyList<Stage> Stages(InstrumentSettings settings) => [Stage.Front, Stage.Back];

    public bool WantsCanonicalIr => false;

    public IReadOnlyList<string> SharedSymbols { get; } = ["__weft_tracing_*", "weft_tracing_*", "__xray_*", "_Unwind_SetIP"];

    /// <summary>Without it the attributes xray_always_instrument and xray_never_instrument come to nothing.</summary>
    public IReadOnlyList<string> ClangFlags(InstrumentSettings settings) => ["-fxray-instrument"];

    public void Weave(Module module, WeaveContext context)
    {
        if (context.Stage == Stage.Front) TakeMarks(module);
        else Place(module, context);
    }

    public bool Finish(byte[] objectFile) => SledMap.Compact(objectFile);

    /// <summary>
    /// Source attributes of languages that cannot write clang's: <c>call void @__weft_tracing_always()</c> in a function's
    /// body becomes the attribute <c>"function-instrument"="xray-always"</c>, and keeps the function from being inlined: there would be
    /// nothing to trace. Before optimisation, while the body is where it was written.
    /// </summary>
    private static void TakeMarks(Module module)
    {
        foreach (var (mark, value) in new[] { (AlwaysMark, "xray-always"), (NeverMark, "xray-never") })
        {
            if (module.FindFunction(mark) is not { } marker) continue;
            var attribute = module.Context.StringAttribute("function-instrument"u8, System.Text.Encoding.ASCII.GetBytes(value));
            foreach (var call in marker.AsValue.Users.Where(u => u.Opcode == Opcode.Call))
            {
                var function = call.Block.Parent;
                function.Add(attribute);
                if (mark == AlwaysMark && !function.HasAttribute("alwaysinline"u8)) function.Add(module.Context.EnumAttribute("noinline"u8));
                call.Erase();
            }
        }
    }

    private static void Place(Module module, WeaveContext context)
    {
        var selection = Selection.From(context);
        var source = module.SourceFileName;
        var resolvers = module.IndirectResolvers;
        var wanted = module.Functions.Where(f => MayHold(f) && !resolvers.Contains(f) && selection.Wants(f, source)).ToHashSet();
        // Bitcode on its way to link-time optimisation: what is beside the code cannot follow it there.
        var named = !module.HasFlag("ThinLTO") && !module.HasFlag("EnableSplitLTOUnit");
        var any = module.Context.StringAttribute("xray-instruction-threshold"u8, "0"u8);
        var always = module.Context.StringAttribute("function-instrument"u8, "xray-always"u8);
        foreach (var function in module.Functions.Where(f => !f.IsDeclaration))
        {
            function.RemoveStringAttribute("xray-instruction-threshold"u8);
            function.RemoveStringAttribute("function-instrument"u8);
            if (!wanted.Contains(function)) continue;
            function.Add(Catches(function) ? always : any);
            if (named) NameSection.Add(module, function);
        }
    }

    private static bool Catches(Function function)
    {
        if (!function.HasPersonality) return false;
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (instruction.Opcode == Opcode.LandingPad) return true;
        return false;
    }

    // Naked functions have no room. The linker has another definition of what is available externally.
    private static bool MayHold(Function function) => !function.IsDeclaration && function.Linkage != Linkage.AvailableExternally && !function.HasAttribute("naked"u8);
}
