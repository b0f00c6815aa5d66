using System.Text;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// The functions of probes.ll. MIDDLE calls them by name, so that what the optimiser does behind it sees one call with an effect
/// of its own and no memory; BACK gives them their bodies and inlines them.
/// </summary>
internal sealed class Probes
{
    private const string ChargeName = "weft.metering.charge", CheckName = "weft.metering.check", DueName = "weft.metering.due", SumName = "weft.metering.sum", Unwinding = ".unwinding", AttributeName = "weft.metering.attribute";
    private const string RoomName = "weft.metering.room", CurrentName = "weft.metering.current", EnterName = "weft.metering.enter", FindName = "weft.metering.find", LeaveName = "weft.metering.leave", CallsName = "weft.metering.calls", CountName = "weft.metering.count";

    private static readonly byte[] Source = ReadSource();

    private readonly Module module;
    private readonly List<Function> declared = [];

    /// <summary>Declares them.</summary>
    /// <param name="module">Where.</param>
    /// <param name="unwinds">Whether looks may throw.</param>
    public Probes(Module module, bool unwinds)
    {
        this.module = module;
        var (nothing, unit, pointer) = (module.Context.Void, module.Context.Int(64), module.Context.Pointer);
        Charge = Declare(ChargeName, Effect.Silent, nothing, unit);
        Check = unwinds ? Declare(CheckName + Unwinding, Effect.Unwinds, nothing, unit) : Declare(CheckName, Effect.Looks, nothing, unit);
        Due = unwinds ? Declare(DueName + Unwinding, Effect.Unwinds, nothing, unit) : Declare(DueName, Effect.Waits, nothing, unit);
        Attribute = Declare(AttributeName, Effect.Silent, nothing, pointer, unit);
        Current = DeclareForFront(CurrentName, pointer);
        Enter = DeclareForFront(EnterName, pointer, pointer, pointer);
        Find = DeclareForFront(FindName, pointer, pointer);
        Leave = DeclareForFront(LeaveName, nothing, pointer);
        Calls = DeclareForFront(CallsName, nothing, pointer, module.Context.Int(32));
        Count = DeclareForFront(CountName, nothing, pointer, unit);
    }

    /// <summary>Charges units.</summary>
    public Function Charge { get; }

    /// <summary>Charges units, and looks whether any are left.</summary>
    public Function Check { get; }

    /// <summary>Looks whether more units are left than have not been charged yet.</summary>
    public Function Due { get; }

    /// <summary>Adds units to the cell of a record.</summary>
    public Function Attribute { get; }

    /// <summary>The node of the thread's tree of calls that it is in.</summary>
    public Function Current { get; }

    /// <summary>Goes from there to the node of a record's function.</summary>
    public Function Enter { get; }

    /// <summary>Only looks for that node.</summary>
    public Function Find { get; }

    /// <summary>Goes back to the caller's node.</summary>
    public Function Leave { get; }

    /// <summary>Says from which node, and which line, the next call comes.</summary>
    public Function Calls { get; }

    /// <summary>Adds units to a node.</summary>
    public Function Count { get; }

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
        KeepSums(module);
        foreach (var name in Names)
            if (module.FindFunction(name) is { } probe)
            {
                probe.RemoveAttribute(Llvm.Attribute.Kind("memory"u8));
                if (probe.AsValue.HasUses) probe.Linkage = Linkage.Internal;
                else probe.Delete();
            }
        module.RunPasses("always-inline", machine: null, default);
    }

    private static void KeepSums(Module module)
    {
        using var builder = new Builder(module.Context);
        var sum = module.FindFunction(SumName)!.Value;
        foreach (var name in (ReadOnlySpan<string>)[ChargeName, CheckName, CheckName + Unwinding])
            foreach (var user in module.FindFunction(name)!.Value.AsValue.Users)
                if (user.AsValue.Operand(0) is { IsInstruction: true } units && units.AsInstruction.Opcode == Opcode.Add)
                {
                    builder.Before(user);
                    builder.SetLocation(user.DebugLocation);
                    user.SetOperand(0, builder.Call(sum, units).AsValue);
                }
    }

    // Code that can only go into an executable, where the runtime is, knows where its thread-locals are.
    private static byte[] SourceFor(Module module) =>
        module.HasFlag("PIC Level") && !module.HasFlag("PIE Level") ? Source : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(Source).Replace("initialexec", "localexec", StringComparison.Ordinal));

    private static readonly string[] Names =
    [
        ChargeName, CheckName, SumName, DueName, CheckName + Unwinding, DueName + Unwinding, RoomName, AttributeName,
        CurrentName, EnterName, FindName, LeaveName, CallsName, CountName,
    ];

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

    // Whoever decides what to inline must not see them.
    private Function DeclareForFront(string name, LlvmType result, params ReadOnlySpan<LlvmType> parameters)
    {
        var probe = Declare(name, Effect.Silent, result, parameters);
        probe.Add(module.Context.StringAttribute("call-inline-cost"u8, "0"u8));
        return probe;
    }

    private Function Declare(string name, Effect effect, LlvmType result, params ReadOnlySpan<LlvmType> parameters)
    {
        var context = module.Context;
        var probe = module.FindFunction(name) ?? module.AddFunction(name, LlvmType.Function(result, parameters));
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
