using System.Text;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// The functions of probes.ll. MIDDLE calls them by name, so that what the optimiser does behind it sees one call with an effect
/// of its own and no memory; BACK gives them their bodies and inlines them.
/// </summary>
internal sealed class Probes
{
    private const string ChargeName = "weft.metering.charge", CheckName = "weft.metering.check", DueName = "weft.metering.due", Unwinding = ".unwinding", AttributeName = "weft.metering.attribute";

    private static readonly byte[] Source = ReadSource();

    private readonly Module module;
    private readonly List<Function> declared = [];

    /// <summary>Declares them.</summary>
    /// <param name="module">Where.</param>
    /// <param name="unwinds">Whether looks may throw.</param>
    public Probes(Module module, bool unwinds)
    {
        this.module = module;
        var (unit, pointer) = (module.Context.Int(64), module.Context.Pointer);
        Charge = Declare(ChargeName, Effect.Silent, unit);
        Check = unwinds ? Declare(CheckName + Unwinding, Effect.Unwinds, unit) : Declare(CheckName, Effect.Looks, unit);
        Due = unwinds ? Declare(DueName + Unwinding, Effect.Unwinds, unit) : Declare(DueName, Effect.Waits, unit);
        Attribute = Declare(AttributeName, Effect.Silent, pointer, unit);
    }

    /// <summary>Charges units.</summary>
    public Function Charge { get; }

    /// <summary>Charges units, and looks whether any are left.</summary>
    public Function Check { get; }

    /// <summary>Looks whether more units are left than have not been charged yet.</summary>
    public Function Due { get; }

    /// <summary>Adds units to the cell of a record.</summary>
    public Function Attribute { get; }

    /// <summary>Whether a module calls them, and they have no bodies yet.</summary>
    public static bool AreIn(Module module) => Names.Any(n => module.FindFunction(n) is { IsDeclaration: true });

    /// <summary>Whether a module was woven to the end.</summary>
    public static bool AreExpanded(Module module) => module.FindGlobal("__weft_metering_v2") != null;

    /// <summary>Drops those that nothing calls, after MIDDLE.</summary>
    public void Seal()
    {
        foreach (var probe in declared)
            if (!probe.AsValue.HasUses)
                probe.Delete();
    }

    /// <summary>Gives them their bodies and inlines them.</summary>
    public static void Expand(Module module)
    {
        using (var source = module.Context.ParseAssembly(SourceFor(module)))
        {
            source.Triple = module.Triple;
            source.DataLayout = module.DataLayout;
            module.Link(source);
        }
        foreach (var name in Names)
            if (module.FindFunction(name) is { } probe)
            {
                probe.RemoveAttribute(Llvm.Attribute.Kind("memory"u8));
                if (probe.AsValue.HasUses) probe.Linkage = Linkage.Internal;
                else probe.Delete();
            }
        module.RunPasses("always-inline", machine: null, default);
    }


    // Code that can only go into an executable, where the runtime is, knows where its thread-locals are.
    private static byte[] SourceFor(Module module) =>
        module.HasFlag("PIC Level") && !module.HasFlag("PIE Level") ? Source : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(Source).Replace("initialexec", "localexec", StringComparison.Ordinal));

    private static readonly string[] Names = [ChargeName, CheckName, DueName, CheckName + Unwinding, DueName + Unwinding, AttributeName];

    // Two bits (read, write) for each kind of memory: arguments, inaccessible, everything else.
    public const ulong InaccessibleReadWrite = 0b11_00;

    private enum Effect
    {
        /// <summary>None but on the meter.</summary>
        Silent,

        /// <summary>It may not come back, but what the program has in memory then is nobody's business.</summary>
        Waits,

        /// <summary>It may not come back, and somebody looks at the memory.</summary>
        Looks,

        /// <summary>It may throw.</summary>
        Unwinds,
    }

    private Function Declare(string name, Effect effect, params ReadOnlySpan<LlvmType> parameters)
    {
        var context = module.Context;
        var probe = module.FindFunction(name) ?? module.AddFunction(name, LlvmType.Function(context.Void, parameters));
        probe.Add(context.EnumAttribute("nofree"u8));
        if (effect != Effect.Unwinds) probe.Add(context.EnumAttribute("nounwind"u8));
        if (effect == Effect.Silent) probe.Add(context.EnumAttribute("willreturn"u8));
        if (effect == Effect.Silent) probe.Add(context.EnumAttribute("nocallback"u8));
        if (effect is Effect.Silent or Effect.Waits) probe.Add(context.EnumAttribute("memory"u8, InaccessibleReadWrite));
        declared.Add(probe);
        return probe;
    }

    private static byte[] ReadSource()
    {
        using var stream = typeof(Probes).Assembly.GetManifestResourceStream("metering/probes.ll")!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
