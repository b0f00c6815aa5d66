using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>The inline functions of probes.ll and, for how a machine changes a counter, counter.*.ll inside a module.</summary>
internal sealed class Probes
{
    private const string EnterName = "weft.coverage.enter", OwnBitsName = "weft.coverage.own_bits";

    /// <summary>Whether the probes were linked into a module, and not sealed yet.</summary>
    public static bool AreIn(Module module) => module.FindFunction(EnterName) is { Linkage: Linkage.WeakOdr };

    /// <summary>The probes that were linked into a module before.</summary>
    public Probes(Module module)
    {
        Enter = module.FindFunction(EnterName)!.Value;
        Shift = module.FindFunction("weft.coverage.shift")!.Value;
        OwnBits = module.FindFunction(OwnBitsName)!.Value;
        Add = module.FindFunction("weft.coverage.add")!.Value;
        Set = module.FindFunction("weft.coverage.set")!.Value;
        Known = module.FindFunction("weft.coverage.known")!.Value;
        AddShared = module.FindFunction("weft.coverage.add_shared")!.Value;
    }

    public Function Enter { get; }

    public Function Shift { get; }

    public Function OwnBits { get; }

    public Function Add { get; }

    public Function AddShared { get; }

    public Function Set { get; }

    public Function Known { get; }

    public static Probes LinkInto(Module module)
    {
        foreach (var name in (ReadOnlySpan<string>)["probes", module.Triple.StartsWith("x86_64", StringComparison.Ordinal) ? "counter.x86_64" : "counter"])
        {
            using var source = module.Context.ParseAssembly(Read(name));
            source.Triple = module.Triple;
            source.DataLayout = module.DataLayout;
            module.Link(source);
        }
        return new Probes(module);
    }

    /// <summary>
    /// The probes belong to this module alone from now on; weak linkage was needed to get them through the linker. What is not
    /// used goes, or the object would refer to thread-locals without saying that they are.
    /// </summary>
    public void Seal(Module module)
    {
        foreach (var probe in (ReadOnlySpan<Function>)[Enter, Shift, OwnBits, Add, AddShared, Set, Known])
        {
            var sealedProbe = probe;
            if (probe.AsValue.HasUses) sealedProbe.Linkage = Linkage.Internal;
            else probe.Delete();
        }
        foreach (var state in (ReadOnlySpan<string>)["__weft_coverage_state", "__weft_coverage_shared"])
            if (module.FindGlobal(state) is { } global && !global.AsValue.HasUses)
                global.Delete();
    }

    private static byte[] Read(string name)
    {
        using var stream = typeof(Probes).Assembly.GetManifestResourceStream($"coverage/{name}.ll")!;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
