using Weft.Llvm;

namespace Weft.Metering.Costs;

/// <summary>The instructions that a weight can be given to, by their names in LLVM's language reference.</summary>
internal static class Opcodes
{
    /// <summary>A <c>br</c> without a condition: one opcode, but no choice is made.</summary>
    private const string Jump = "br label";

    private const int JumpIndex = (int)Opcode.None;

    // The one instruction of Windows' exceptions that stands alone in its block, where nothing could charge for it, is not among them.
    private static readonly Dictionary<string, int> indices = Enum.GetValues<Opcode>()
        .Where(o => o is not (Opcode.None or Opcode.UserOp1 or Opcode.UserOp2 or Opcode.CatchSwitch))
        .ToDictionary(NameOf, o => (int)o).Append(new(Jump, JumpIndex)).ToDictionary();

    /// <summary>As many as there are indices.</summary>
    public static int Count { get; } = indices.Values.Max() + 1;

    public static IReadOnlyCollection<string> Names => indices.Keys;

    /// <summary>Where an instruction of this name has its weight; null if there is none.</summary>
    public static int? Find(string name) => indices.TryGetValue(name, out var index) ? index : null;

    public static int IndexOf(Instruction instruction) =>
        instruction.Opcode is var opcode && opcode == Opcode.Br && instruction.AsValue.OperandCount == 1 ? JumpIndex : (int)opcode;

    /// <summary>
    /// Free by the canonical rules, because -g, front-end cleanups and a target's calling convention change them: what names or
    /// reinterprets a value without touching it, stack slots, and jumps without a choice.
    /// </summary>
    public static IReadOnlyList<string> Free { get; } =
    [
        "phi", "alloca", "bitcast", "addrspacecast", "ptrtoint", "ptrtoaddr", "inttoptr", "freeze",
        "extractvalue", "insertvalue", "landingpad", "catchpad", "cleanuppad", "unreachable", Jump,
    ];

    private static string NameOf(Opcode opcode) => opcode switch
    {
        Opcode.VAArg => "va_arg",
        Opcode.AtomicCmpXchg => "cmpxchg",
        _ => opcode.ToString().ToLowerInvariant(),
    };
}
