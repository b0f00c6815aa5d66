using System.Runtime.InteropServices;
using Weft.Core.Flow;
using Weft.Coverage.Weaving.Binary;
using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Gathers counts in a local variable while a loop runs.
/// <code>
/// loop:                                   %n = 0
///   mark @c, 1                            loop:
///   br %more, loop, out            ==>      %n += 1
/// out:                                      br %more, loop, out
///                                         out:
///                                           mark @c, %n
/// </code>
/// Only for loops without observers, which can be left by their own branches alone, and counts that grow often enough.
/// </summary>
internal sealed class LoopPromotion(Gathering gathering, LoopVersions versions, FunctionShape shape)
{
    // Marks passed for each time that the loop is left, and additions behind the loop in all.
    private const double FewestMarks = 2;
    private const int MostAdditions = 32;

    private readonly Marks marks = gathering.Marks;
    private readonly Observers observers = gathering.Observers;
    private readonly Builder builder = gathering.Builder;
    private readonly LlvmType word = gathering.Word;
    private readonly Function function = shape.Function;
    private readonly FlowGraph graph = shape.Graph;

    public void Run()
    {
        foreach (var root in shape.Forest.Roots) Promote(root);
    }

    private void Promote(Loop loop)
    {
        var blocks = Blocks(loop);
        if (loop.IsReducible && blocks.TrueForAll(IsClosed) && Ends(loop, blocks) is { } ends) Gather(loop, blocks, ends);
        else
            foreach (var child in loop.Children) Promote(child);
    }

    /// <summary>In a loop that is closed, those of its loops that get two versions gather what they find themselves.</summary>
    private void PromoteInside(Loop loop)
    {
        var blocks = Blocks(loop);
        if (loop.IsReducible && Ends(loop, blocks) is { } ends && versions.Fits(blocks, ends.Behind.Count)) Gather(loop, blocks, ends);
        else
            foreach (var child in loop.Children) PromoteInside(child);
    }

    private void Gather(Loop loop, List<BasicBlock> blocks, (BasicBlock Before, List<BasicBlock> Behind) ends)
    {
        var version = versions.Fits(blocks, ends.Behind.Count) ? versions.Make(blocks, graph.Blocks[loop.Header], ends.Before, ends.Behind, function) : null;
        foreach (var child in loop.Children) PromoteInside(child);
        var groups = Groups(blocks);
        if (version == null) groups = Worthwhile(groups, shape.Frequencies.Entries(loop), ends.Behind.Count);
        foreach (var group in groups)
        {
            group.Local = NewLocal(ends.Before);
            foreach (var mark in group.Marks) AddToLocal(mark, group);
            foreach (var mark in group.Marks.Concat(group.Others)) mark.Erase();
        }
        if (version != null) versions.Leave(version, [.. groups.SelectMany(g => g.Counters.Select(c => (c, g.Local)))], function);
        else
            foreach (var exit in ends.Behind) AddBehind(exit, groups);
    }

    /// <summary>Those passed so often that the additions behind the loop are fewer, the most frequent first.</summary>
    private List<Group> Worthwhile(List<Group> groups, double entries, int exits)
    {
        var additions = 0;
        return [.. groups.Where(g => Frequency(g) >= FewestMarks * entries).OrderByDescending(Frequency).TakeWhile(g => (additions += g.Counters.Count * exits) <= MostAdditions)];
    }

    private double Frequency(Group group) => group.Marks.Sum(shape.Frequency);

    private void AddBehind(BasicBlock exit, List<Group> groups)
    {
        builder.Before(exit.FirstInsertion);
        builder.SetArtificialLocation(function);
        foreach (var group in groups) AddFromLocal(group);
    }

    /// <summary>Counters that are counted in the same blocks have the same count, and one local does for all of them.</summary>
    private sealed class Group(List<Instruction> marks, bool isSetting)
    {
        public List<Instruction> Marks { get; } = marks;

        public bool IsSetting { get; } = isSetting;

        public List<Instruction> Others { get; } = [];

        public List<Value> Counters { get; } = [];

        public Value Local { get; set; }
    }

    private List<Group> Groups(List<BasicBlock> blocks)
    {
        var byCounter = new Dictionary<nint, List<Instruction>>();
        foreach (var mark in blocks.SelectMany(marks.In))
            (CollectionsMarshal.GetValueRefOrAddDefault(byCounter, Marks.CounterOf(mark).Handle, out _) ??= []).Add(mark);
        var groups = new Dictionary<string, Group>();
        foreach (var (counter, found) in byCounter)
        {
            ref var group = ref CollectionsMarshal.GetValueRefOrAddDefault(groups, Places(found), out var known);
            if (known) group!.Others.AddRange(found);
            else group = new Group(found, marks.IsSetting(found[0]));
            group!.Counters.Add(new Value(counter));
        }
        return [.. groups.Values];
    }

    private string Places(List<Instruction> found) => string.Join(' ', found.Select(m => $"{m.Block.Handle}{(marks.IsSetting(m) ? '=' : '+')}{marks.AmountOf(m, word).Handle}"));

    private void AddToLocal(Instruction mark, Group group)
    {
        builder.Before(mark);
        builder.SetLocation(mark.DebugLocation);
        var amount = marks.AmountOf(mark, word);
        var always = group.IsSetting && marks.HasFixedAmount(mark);
        builder.Store(always ? amount : builder.Binary(group.IsSetting ? Opcode.Or : Opcode.Add, builder.Load(word, group.Local), amount), group.Local);
    }

    private void AddFromLocal(Group group)
    {
        foreach (var counter in group.Counters)
            if (group.IsSetting) marks.Set(builder, counter, builder.Load(word, group.Local));
            else marks.Add(builder, counter, builder.Load(word, group.Local));
    }

    private Value NewLocal(BasicBlock preheader)
    {
        builder.Before(function.Entry.First);
        builder.SetArtificialLocation(function);
        var local = builder.Alloca(word);
        builder.Before(preheader.Terminator);
        builder.Store(word.Const(0), local);
        return local;
    }

    private List<BasicBlock> Blocks(Loop loop) => [.. loop.Blocks.Select(b => graph.Blocks[b])];

    private bool IsClosed(BasicBlock block)
    {
        if (block.Terminator.Opcode is not (Opcode.Br or Opcode.Switch)) return false;
        foreach (var instruction in block.Instructions)
            if (observers.Is(instruction))
                return false;
        return true;
    }

    /// <summary>
    /// The block before a loop, which jumps to it, and those behind it; null when there is no such block or one of those behind
    /// can be reached otherwise. Not from the graph: loops around this one may have been changed.
    /// </summary>
    private (BasicBlock Before, List<BasicBlock> Behind)? Ends(Loop loop, List<BasicBlock> blocks)
    {
        var isInside = blocks.Select(b => b.Handle).ToHashSet();
        var outside = graph.Blocks[loop.Header].Predecessors.Where(p => !isInside.Contains(p.Handle)).ToList();
        if (outside is not [{ Terminator.SuccessorCount: 1 } before]) return null;
        var behind = blocks.SelectMany(Successors).Where(b => !isInside.Contains(b.Handle)).Distinct().ToList();
        return behind.TrueForAll(e => e.FirstInsertion.Exists && e.Predecessors.TrueForAll(p => isInside.Contains(p.Handle))) ? (before, behind) : null;
    }

    private static IEnumerable<BasicBlock> Successors(BasicBlock block) => Enumerable.Range(0, block.Terminator.SuccessorCount).Select(k => block.Terminator.Successor(k));
}
