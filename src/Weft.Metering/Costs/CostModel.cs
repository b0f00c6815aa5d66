namespace Weft.Metering.Costs;

/// <summary>What the units of a build are: a weight for each opcode, and what calls cost in place of it.</summary>
public sealed class CostModel
{
    public const string CanonicalName = "canonical", InstructionsName = "instructions";

    private readonly ulong[] weights = new ulong[Opcodes.Count];

    private CostModel(string name, IEnumerable<string> free, IReadOnlyList<string> freeIntrinsics)
    {
        Name = name;
        Array.Fill(weights, 1ul);
        foreach (var opcode in free) weights[Opcodes.Find(opcode)!.Value] = 0;
        FreeIntrinsics = freeIntrinsics;
    }

    /// <summary>Those of a file.</summary>
    internal CostModel(string name, CostModel @base, IReadOnlyDictionary<string, ulong> opcodes, CallRules intrinsics, CallRules functions)
    {
        Name = name;
        weights = [.. @base.weights];
        foreach (var (opcode, units) in opcodes) weights[Opcodes.Find(opcode)!.Value] = units;
        FreeIntrinsics = @base.FreeIntrinsics;
        Intrinsics = intrinsics;
        Functions = functions;
    }

    /// <summary>
    /// One unit for each instruction of the front end's IR that stands for work. Free are those that -g, front-end cleanups and a
    /// target's calling convention change, and intrinsics that only describe.
    /// </summary>
    public static CostModel Canonical { get; } = new(CanonicalName, Opcodes.Free,
    [
        "llvm.lifetime.start", "llvm.lifetime.end", "llvm.invariant.start", "llvm.invariant.end",
        "llvm.launder.invariant.group", "llvm.strip.invariant.group",
        "llvm.assume", "llvm.expect", "llvm.expect.with.probability", "llvm.is.constant", "llvm.sideeffect", "llvm.donothing",
        "llvm.experimental.noalias.scope.decl", "llvm.allow.runtime.check", "llvm.allow.ubsan.check", "llvm.fake.use",
        "llvm.var.annotation", "llvm.ptr.annotation", "llvm.annotation", "llvm.codeview.annotation",
        "llvm.stacksave", "llvm.stackrestore", "llvm.frameaddress", "llvm.sponentry", "llvm.threadlocal.address", "llvm.arithmetic.fence",
        "llvm.coro.id", "llvm.coro.begin", "llvm.coro.free", "llvm.coro.size", "llvm.coro.alloc", "llvm.coro.save", "llvm.coro.end",
        "llvm.eh.typeid.for",
    ]);

    /// <summary>One unit for each instruction of the front end's IR, whatever it is.</summary>
    public static CostModel Instructions { get; } = new(InstructionsName, [], []);

    /// <summary>What reports say that they were counted by.</summary>
    public string Name { get; }

    /// <summary>Intrinsics whose calls cost nothing, by their base names.</summary>
    public IReadOnlyList<string> FreeIntrinsics { get; }

    /// <summary>By the names of intrinsics.</summary>
    public CallRules Intrinsics { get; } = CallRules.None;

    /// <summary>By symbols, or by names as people write them.</summary>
    public CallRules Functions { get; } = CallRules.None;

    /// <summary>The opcodes that have a weight.</summary>
    public static IReadOnlyCollection<string> OpcodeNames => Opcodes.Names;

    /// <summary>The weight of an opcode of that list.</summary>
    public ulong WeightOf(string opcode) => weights[Opcodes.Find(opcode)!.Value];

    internal ulong WeightOf(Llvm.Instruction instruction) => Opcodes.IndexOf(instruction) is var index && index < weights.Length ? weights[index] : 1;

    /// <param name="option">A name above, or what <see cref="CostFile.Read"/> made of a file.</param>
    public static CostModel Of(string option) => option switch
    {
        CanonicalName => Canonical,
        InstructionsName => Instructions,
        _ => CostFile.Parse(option),
    };
}
