using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>enum weft_interrupts_probes of runtime/interrupts_abi.h.</summary>
internal enum ProbeKind { Counting, Polling, Canonical }

/// <summary>The inline functions of probes.ll or polling.ll inside a module.</summary>
internal sealed class Probes
{
    private const string StateName = "__weft_interrupts_v1", BuildName = "__weft_interrupts_build_v1";

    private const int CompactFrom = 32; // units among which a taken jump does not show

    private readonly List<Function> all = [];

    private readonly Function probe, compact;

    private Probes(Module module, int gap)
    {
        probe = Find(module, "weft.interrupts.probe");
        compact = Find(module, "weft.interrupts.compact");
        Check = Find(module, "weft.interrupts.check");
        Begin = Find(module, "weft.interrupts.begin");
        End = Find(module, "weft.interrupts.end");
        Expire = Find(module, "weft.interrupts.expire");
        Spend = Find(module, "weft.interrupts.spend");
        Gap = module.Context.Int(64).Const((ulong)gap);
    }

    public Function Check { get; }

    public Function Begin { get; }

    public Function End { get; }

    public Function Expire { get; }

    public Function Spend { get; }

    /// <summary>The probe that pays for so many units.</summary>
    public Function Probe(int units) => units < CompactFrom ? probe : compact;

    /// <summary>What the polling probes count to in loops.</summary>
    public Value Gap { get; }

    public static bool ArePresent(Module module) => module.FindGlobal(BuildName) != null;

    public static Probes LinkInto(Module module, bool polling, int gap)
    {
        using var source = module.Context.ParseAssembly(Read(polling ? "polling.ll" : "probes.ll"));
        source.Triple = module.Triple;
        source.DataLayout = module.DataLayout;
        module.Link(source);
        if (module.HasFlag("PIE Level")) // the object can only become part of an executable, which holds the state
        {
            const int localExec = 4;
            var state = module.FindGlobal(StateName)!.Value;
            state.ThreadLocalMode = localExec;
        }
        return new Probes(module, gap);
    }

    /// <summary>Tells the runtime linked with this module what its probes are; see runtime/interrupts_abi.h.</summary>
    public static void Declare(Module module, int clock, ProbeKind kind)
    {
        var context = module.Context;
        var word = context.Int(32);
        var build = module.AddGlobal(context.Struct(word, word), BuildName);
        build.Initializer = context.ConstStruct(word.Const((ulong)clock), word.Const((ulong)kind));
        build.IsConstant = true;
        build.Linkage = Linkage.WeakOdr;
        build.Visibility = Visibility.Hidden;
        build.Alignment = 8;
    }

    /// <summary>The probes belong to this module alone from now on; weak linkage was needed to get them through the linker.</summary>
    public void Seal()
    {
        foreach (var inlined in all)
        {
            var sealedProbe = inlined;
            sealedProbe.Linkage = Linkage.Internal;
        }
    }

    private Function Find(Module module, string name)
    {
        var function = module.FindFunction(name)!.Value;
        all.Add(function);
        return function;
    }

    internal static byte[] Read(string name)
    {
        using var stream = typeof(Probes).Assembly.GetManifestResourceStream(name)!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
