using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>A probe that counts in memory.</summary>
internal readonly record struct Probe(Instruction Before, int Cost, string Why);

/// <summary>A probe inside a <see cref="Region"/>, that counts in its register.</summary>
internal readonly record struct Spend(Instruction Before, int Cost, string Why);

/// <summary>A tiny loop whose body is written out several times, with a probe behind the last.</summary>
internal readonly record struct Unrolled(Loop Loop, int Copies, int Cost);

/// <summary>A counted loop that is paid for before it runs, as far as the budget goes.</summary>
internal readonly record struct Prepaid(Loop Loop, CountedLoop Counted, int Cost);

/// <summary>A nest of loops without calls on hot paths: what is left of the budget lives in a register.</summary>
internal sealed class Region(Loop root)
{
    public Loop Root { get; } = root;

    public List<Spend> Spends { get; } = [];

    public List<Unrolled> Unrolled { get; } = [];

    public List<Prepaid> Prepaid { get; } = [];

    /// <summary>Calls on cold paths, around which the register is written back.</summary>
    public List<Instruction> Calls { get; } = [];
}

/// <summary>Everything that is to be done to a function, before anything is.</summary>
internal sealed class FunctionPlan
{
    /// <summary>Units of a probe on the way back: a processor predicts where to return to for a few frames only.</summary>
    public const int WayBack = 24;

    public List<Probe> Probes { get; } = [];

    /// <summary>Calls after which the clock is looked at.</summary>
    public List<Instruction> Checks { get; } = [];

    /// <summary>Recursive calls after which a probe is passed on the way back.</summary>
    public List<Instruction> WaysBack { get; } = [];

    /// <summary>Edges on which such a way becomes certain to return.</summary>
    public List<(BasicBlock From, BasicBlock To)> WaysOut { get; } = [];

    public List<Region> Regions { get; } = [];

    /// <summary>Tiny loops outside regions.</summary>
    public List<Unrolled> Unrolled { get; } = [];

    /// <summary>Calls of instr_disable() and instr_enable(), which vanish.</summary>
    public List<Instruction> Markers { get; } = [];

    public Summary Summary { get; set; }
}
