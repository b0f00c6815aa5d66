namespace Weft.Interrupts;

/// <summary>What a build asked of the pass.</summary>
/// <param name="MaxGap">Units that a path without probes may cost; see docs/interrupts.md for what is and is not on such a path.</param>
/// <param name="KeepInRegisters">Whether loops may count in a register: not at -O0, where a debugger expects variables in memory.</param>
internal sealed record Settings(int MaxGap, bool KeepInRegisters)
{
    public const int DefaultMaxGap = 1000;

    /// <summary>Units that a function without probes may cost.</summary>
    public int LeafLimit => MaxGap / 4;

    /// <summary>Total cost up to which a loop with a constant number of rounds is straight-line code.</summary>
    public int FoldLimit => MaxGap / 8;

    /// <summary>Cost of one round from which on a probe in every round does not show.</summary>
    public int StripLimit => 64;
}
