using System.Runtime.InteropServices;
using Weft.Core.Flow;
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
/// Only for loops without observers, which can be left by their own branches alone.
/// </summary>
internal sealed class LoopPromotion(Marks marks, Observers observers, Builder builder, LlvmType word, Function function, FlowGraph graph)
{
    private readonly LoopForest forest = new(graph);

    public void Run()
    {
        foreach (var root in forest.Roots) Promote(root);
    }

    private void Promote(Loop loop)
    {
        if (IsClosed(loop) && Preheader(loop) is { } preheader && Exits(loop) is { } exits) Gather(loop, preheader, exits);
        else
            foreach (var child in loop.Children) Promote(child);
    }

    private void Gather(Loop loop, BasicBlock preheader, List<BasicBlock> exits)
    {
        var groups = Groups(loop);
        foreach (var group in groups)
        {
            group.Local = NewLocal(preheader);
            foreach (var mark in group.Marks) AddToLocal(mark, group);
            foreach (var mark in group.Marks.Concat(group.Others)) mark.Erase();
        }
        foreach (var exit in exits)
        {
            builder.Before(exit.FirstInsertion);
            builder.SetArtificialLocation(function);
            foreach (var group in groups) AddFromLocal(group);
        }
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

    private List<Group> Groups(Loop loop)
    {
        var byCounter = new Dictionary<nint, List<Instruction>>();
        foreach (var block in loop.Blocks)
            foreach (var instruction in graph.Blocks[block].Instructions)
                if (marks.Is(instruction))
                    (CollectionsMarshal.GetValueRefOrAddDefault(byCounter, Marks.CounterOf(instruction).Handle, out _) ??= []).Add(instruction);
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

    private bool IsClosed(Loop loop) => loop.IsReducible && loop.Blocks.All(b => IsClosed(graph.Blocks[b]));

    private bool IsClosed(BasicBlock block)
    {
        if (block.Terminator.Opcode is not (Opcode.Br or Opcode.Switch)) return false;
        foreach (var instruction in block.Instructions)
            if (observers.Is(instruction))
                return false;
        return true;
    }

    private BasicBlock? Preheader(Loop loop)
    {
        var outside = graph.Predecessors[loop.Header].Where(p => !loop.Contains(p)).ToList();
        return outside.Count == 1 && graph.Successors[outside[0]].Length == 1 ? graph.Blocks[outside[0]] : null;
    }

    /// <summary>The blocks behind the loop; null when one of them can be reached otherwise.</summary>
    private List<BasicBlock>? Exits(Loop loop)
    {
        var exits = loop.Blocks.SelectMany(b => graph.Successors[b]).Where(b => !loop.Contains(b)).Distinct().ToList();
        return exits.All(e => graph.Predecessors[e].All(loop.Contains) && graph.Blocks[e].FirstInsertion.Exists) ? [.. exits.Select(e => graph.Blocks[e])] : null;
    }
}
