using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Coverage.Weaving.Binary;

/// <summary>
/// Gives a loop in which counters are set a second version without marks, which runs once all of them are set: it is the
/// loop as it would be without coverage, so it can be vectorised, unrolled or computed away.
/// <code>
///   br loop                          %done = known @done
/// loop:                              br %done, clean, loop
///   mark @c                        loop:
///   br %more, loop, out      ==>     mark @c
/// out:                               br %more, loop, marked.out
///                                  marked.out:
///                                    set @c, and @done if all counters of the loop are set
///                                    br out
///                                  clean:
///                                    br %more, clean, out
///                                  out:
/// </code>
/// The flag lies among the counters, so it is forgotten when they are: after a reset, and in the child of a fork.
/// Guarantee: each counter is set after the loop if and only if it would be without the second version.
/// </summary>
internal sealed class LoopVersions(Module module, Marks marks, Probes probes, BranchWeights weights, Builder builder)
{
    private const int MostInstructions = 200, MostChecks = 12;

    private readonly LlvmType word = module.Context.Int(64);
    private readonly BlockCopier copier = new(module.Context, builder);
    private readonly FlowEditor editor = new(module.Context, builder);

    /// <summary>Whether the loop is worth it: small, and all that it does to counters is to set them.</summary>
    public bool Fits(List<BasicBlock> blocks, int exits)
    {
        var counters = new HashSet<nint>();
        var size = 0;
        foreach (var block in blocks)
            foreach (var instruction in block.Instructions)
                if (marks.Is(instruction))
                {
                    if (!marks.IsSetting(instruction)) return false;
                    counters.Add(Marks.CounterOf(instruction).Handle);
                }
                else if (!BlockCopier.CanBeCopied(instruction) || ++size > MostInstructions) return false;
        return counters.Count > 0 && counters.Count * exits <= MostChecks;
    }

    /// <summary>The version with marks.</summary>
    /// <param name="Counters">All that it may set.</param>
    /// <param name="Ways">The ways out of it, and where each leads.</param>
    /// <param name="Done">What to set when there is nothing left to find out.</param>
    public sealed record Marked(List<Value> Counters, List<(BasicBlock From, BasicBlock To)> Ways, Value Done);

    /// <summary>Makes the second version.</summary>
    /// <param name="blocks">Of the loop, which leaves them by branches alone.</param>
    /// <param name="header">Where it starts.</param>
    /// <param name="before">From where alone, by a jump.</param>
    /// <param name="behind">The blocks that only the loop goes to.</param>
    /// <param name="function">Where it is.</param>
    public Marked Make(List<BasicBlock> blocks, BasicBlock header, BasicBlock before, List<BasicBlock> behind, Function function)
    {
        var isLoop = blocks.Select(b => b.Handle).ToHashSet();
        foreach (var block in blocks)
            foreach (var instruction in block.Instructions)
                copier.KeepForLater(instruction, b => isLoop.Contains(b.Handle), function);
        var copies = new Dictionary<nint, nint>();
        copier.Copy(blocks, copies, function);
        var found = blocks.SelectMany(marks.In).ToList();
        foreach (var mark in found) new Instruction(copies[mark.Handle]).Erase();
        var done = NewFlag();
        Choose(before, done, BlockCopier.Mapped(header, copies), header, function);
        var isClean = blocks.Select(b => BlockCopier.Mapped(b, copies).Handle).ToHashSet();
        return new Marked([.. found.Select(Marks.CounterOf).Distinct()], [.. behind.Select(b => (editor.InsertBefore(b, p => isClean.Contains(p.Handle)).Block, b))], done);
    }

    /// <summary>Sets counters behind the version with marks, and the flag once there is none left. Only the first time takes long.</summary>
    /// <param name="loop">The version.</param>
    /// <param name="found">Counters, and the slots that say whether to set them.</param>
    /// <param name="function">Where it is.</param>
    public void Leave(Marked loop, List<(Value Counter, Value Slot)> found, Function function)
    {
        builder.SetArtificialLocation(function);
        foreach (var (from, to) in loop.Ways)
        {
            builder.AtEnd(from);
            BasicBlock tell = function.AppendBlock(module.Context), end = function.AppendBlock(module.Context);
            weights.MarkUnlikely(builder.Branch(IsNews(found), tell, end));
            builder.AtEnd(tell);
            foreach (var (counter, slot) in found) builder.Call(probes.Set, counter, builder.Load(word, slot));
            builder.Call(probes.Set, loop.Done, loop.Counters.Select(c => builder.Call(probes.Known, c).AsValue).Aggregate((all, one) => builder.Binary(Opcode.And, all, one)));
            builder.Branch(end);
            builder.AtEnd(end);
            builder.Branch(to);
            editor.MoveIncoming(to, from, end);
        }
    }

    // Where loops within have found all that there is, nothing here says when they did.
    private Value IsNews(List<(Value Counter, Value Slot)> found) => found.Count == 0
        ? module.Context.Int(1).Const(1)
        : found.Select(f => builder.Binary(Opcode.And, IsNotKnown(f.Counter), IsNotZero(builder.Load(word, f.Slot)))).Aggregate((any, one) => builder.Binary(Opcode.Or, any, one));

    private void Choose(BasicBlock before, Value done, BasicBlock clean, BasicBlock marked, Function function)
    {
        var jump = before.Terminator;
        builder.Before(jump);
        builder.SetArtificialLocation(function);
        builder.Branch(IsNotZero(builder.Call(probes.Known, done).AsValue), clean, marked);
        jump.Erase();
    }

    private Value IsNotKnown(Value counter) => builder.Compare(Predicate.Equal, builder.Call(probes.Known, counter).AsValue, word.Const(0));

    private Value IsNotZero(Value value) => builder.Compare(Predicate.NotEqual, value, word.Const(0));

    private Value NewFlag()
    {
        var flag = module.AddGlobal(word, "weft.coverage.done");
        flag.Initializer = word.Const(0);
        flag.Linkage = Linkage.Private;
        flag.Alignment = sizeof(ulong);
        flag.SetSection("__llvm_prf_cnts"u8);
        return flag.AsValue;
    }
}
