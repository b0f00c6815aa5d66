using Weft.Llvm;

namespace Weft.Metering;

/// <summary>Weaves one function after another; see <see cref="MeteringInstrument"/> for what it makes.</summary>
internal sealed class FunctionWeaver(Module module, Probes probes, bool eachBlock) : IDisposable
{
    private readonly Builder builder = new(module.Context);
    private readonly CanonicalCost cost = new(module);
    private readonly LlvmType unit = module.Context.Int(64);
    private readonly HashSet<uint> leaving = [.. new[] { "llvm.coro.suspend", "llvm.coro.end", "llvm.trap", "llvm.debugtrap", "llvm.ubsantrap", "llvm.eh.sjlj.longjmp" }
        .Select(name => Function.LookupIntrinsic(System.Text.Encoding.ASCII.GetBytes(name))).Where(id => id != 0)];

    /// <summary>Where a block is charged, how much, and before what the pending charges must be flushed (if anything).</summary>
    private readonly record struct Site(Instruction Charge, ulong Units, Instruction Flush);

    public void Weave(Function function)
    {
        var sites = Match(function);
        var record = probes.RecordFor(function);
        var entry = AfterAllocas(function.Entry);
        builder.Before(function.Entry.First);
        builder.SetArtificialLocation(function);
        var pending = builder.Alloca(unit);
        builder.Store(unit.Const(0), pending);
        builder.Before(entry);
        builder.Call(probes.Enter, record);
        foreach (var site in sites) Insert(site, function, pending, record);
    }

    public void Dispose() => builder.Dispose();

    private List<Site> Match(Function function)
    {
        var sites = new List<Site>();
        var entry = function.Entry;
        foreach (var block in function.Blocks)
        {
            var units = cost.Of(block);
            var charge = block.Handle == entry.Handle ? AfterAllocas(block) : block.FirstInsertion;
            if (!charge.Exists) continue; // only a catchswitch: nothing may stand beside it, and it costs nothing
            sites.Add(new Site(charge, units, FlushPoint(block)));
        }
        return sites;
    }

    private void Insert(Site site, Function function, Value pending, Value record)
    {
        builder.SetArtificialLocation(function);
        if (site.Units > 0)
        {
            builder.Before(site.Charge);
            if (eachBlock)
            {
                builder.Call(probes.Flush, unit.Const(site.Units), record);
                return;
            }
            builder.Store(builder.Add(builder.Load(unit, pending), unit.Const(site.Units)), pending);
        }
        if (eachBlock || !site.Flush.Exists) return;
        builder.Before(site.Flush);
        builder.Call(probes.Flush, builder.Load(unit, pending), record);
        builder.Store(unit.Const(0), pending);
    }

    // One flush a block is enough: a block is charged at its start, so nothing is pending after its first call.
    private Instruction FlushPoint(BasicBlock block)
    {
        foreach (var instruction in block.Instructions)
            if (MayLeave(instruction))
                return instruction;
        return default;
    }

    private bool MayLeave(Instruction instruction)
    {
        if (instruction.Opcode is Opcode.Ret or Opcode.Resume or Opcode.CleanupRet) return true;
        if (!instruction.IsCall) return false;
        var callee = instruction.CalledValue;
        var intrinsic = callee.IsFunction ? callee.AsFunction.IntrinsicId : 0;
        return intrinsic == 0 || leaving.Contains(intrinsic);
    }

    // Probes are inlined and bring a branch with them: an alloca behind it would no longer be a fixed slot of the frame.
    private static Instruction AfterAllocas(BasicBlock entry)
    {
        var first = entry.First;
        foreach (var instruction in entry.Instructions)
        {
            if (instruction.Opcode == Opcode.Alloca) first = instruction.Next;
            if (instruction.IsCall && !(instruction.CalledValue is { IsFunction: true } callee && callee.AsFunction.IsIntrinsic)) break;
        }
        return first;
    }
}
