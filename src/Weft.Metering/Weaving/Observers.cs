using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>What an instruction means for charges that are pending when control comes to it.</summary>
internal enum Look
{
    /// <summary>Nobody looks.</summary>
    None,

    /// <summary>A function that nothing looks in: charges may stay pending, if that costs nothing.</summary>
    Quiet,

    /// <summary>Woven code may look, and checks before it lets anybody else.</summary>
    Woven,

    /// <summary>The same, and it may come back here, deeper: one look is needed each time.</summary>
    Recursive,

    /// <summary>A charge that may be as large as it likes: it goes to memory, and the limit has to be checked.</summary>
    Charge,

    /// <summary>Somebody outside may look, or the world may be told something: the limit has to be checked.</summary>
    Outside,
}

/// <summary>
/// Where charges must be in memory. Before whatever may not come back, may fork, may ask for the count, or does what others can
/// see; before the functions of this module that do so; and where a thread may wait for another.
/// </summary>
/// <param name="isWoven">Whether a function of the module is one that has marks, if it does any work.</param>
/// <param name="hasPoints">Whether there are points before calls that may throw, where the limit is looked at; not before others.</param>
/// <param name="isReplaceable">Whether functions may be replaced in the running program: then what one does says nothing of what a call of it will do.</param>
internal sealed class Observers(Func<Function, bool> isWoven, bool hasPoints, bool isReplaceable)
{
    private readonly HashSet<uint> leaving = [.. new[] { "llvm.coro.suspend", "llvm.coro.end", "llvm.trap", "llvm.debugtrap", "llvm.ubsantrap", "llvm.eh.sjlj.longjmp" }
        .Select(name => Function.LookupIntrinsic(System.Text.Encoding.ASCII.GetBytes(name))).Where(id => id != 0)];

    private readonly Dictionary<nint, bool> callees = [];
    private readonly HashSet<nint> quiet = [], checking = [], lowered = [];
    private readonly Dictionary<nint, ulong> residues = [];

    /// <summary>Says that a function is lowered: functions that are lowered before it do not call it, or look.</summary>
    public void SetLowered(Function function) => lowered.Add(function.Handle);

    /// <summary>Says what a function leaves to its callers to charge, where it returns.</summary>
    public void SetResidue(Function function, ulong units) => residues[function.Handle] = units;

    /// <summary>What a function leaves to its callers.</summary>
    public ulong ResidueOf(Value function) => residues.GetValueOrDefault(function.Handle);

    /// <summary>Whether a call is lowered later: what is called may leave something to it.</summary>
    public bool CanStillCharge(Instruction call) => !lowered.Contains(call.Block.Parent.Handle) && isWoven(call.Block.Parent);

    /// <summary>Says that nothing looks in a function.</summary>
    public void SetQuiet(Function function)
    {
        if (!isReplaceable) quiet.Add(function.Handle);
    }

    /// <summary>Says that a function never returns without a look at the limit.</summary>
    public void SetChecking(Function function)
    {
        if (!isReplaceable) checking.Add(function.Handle);
    }

    /// <summary>Whether an instruction calls such a function.</summary>
    public bool Checks(Instruction instruction) => instruction.IsCall && checking.Contains(instruction.CalledValue.Handle);

    /// <summary>Whether there are points where the limit is looked at, and nowhere else.</summary>
    public bool HasPoints => hasPoints;

    public Look Of(Instruction instruction)
    {
        if (instruction.IsSynchronising) return Look.Woven;
        if (!instruction.IsCall) return Look.None;
        var look = OfCallee(instruction.CalledValue);
        return look != Look.Outside ? look
            : instruction.IsSilent ? Look.Quiet
            : hasPoints && !MayBeLeft(instruction) ? Look.Woven
            : look;
    }

    /// <summary>Whether a call of code that is not woven gets a point, where there are points: an exception, or control, may leave there.</summary>
    public static bool MayBeLeft(Instruction call) => call.MayThrow || call.IsNoReturn;

    private Look OfCallee(Value callee) =>
        callee.IsInlineAsm ? callee.IsSilentAsm ? Look.None : Look.Outside
        : callee.IsFunction ? OfCall(callee.AsFunction)
        : Look.Outside;

    private Look OfCall(Function callee)
    {
        if (callee.IsIntrinsic) return leaving.Contains(callee.IntrinsicId) ? Look.Outside : Look.None;
        if (quiet.Contains(callee.Handle)) return Look.Quiet;
        if (callee.AsValue.NameBytes.StartsWith("weft.metering."u8)) return Look.None; // contexts of calls
        if (callee.AsValue.NameBytes.StartsWith("weft."u8)) return Look.Woven; // what another instrument has put there
        return !IsKnown(callee) ? Look.Outside : lowered.Contains(callee.Handle) ? Look.Woven : Look.Recursive;
    }

    /// <summary>Whether the function that is called is the woven one of this module, and no other.</summary>
    public bool IsKnown(Function callee)
    {
        if (callees.TryGetValue(callee.Handle, out var known)) return known;
        var isOwn = !isReplaceable && !callee.IsDeclaration && callee.Linkage is Linkage.External or Linkage.Internal or Linkage.Private or Linkage.LinkOnceOdr or Linkage.WeakOdr && isWoven(callee);
        return callees[callee.Handle] = isOwn;
    }
}
