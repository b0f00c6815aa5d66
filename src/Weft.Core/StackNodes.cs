namespace Weft.Core;

/// <summary>The different stacks of a trace: a node is a function called from its parent's. Node 0 is the root and no call; parents come before their children.</summary>
public sealed class StackNodes(int limit)
{
    /// <summary>Instead of a node for a stack that had no room, and for all stacks above it.</summary>
    public const int None = -1;

    private readonly Dictionary<long, int> children = [];
    private readonly List<(int Parent, int Function)> nodes = [(None, 0)];

    public IReadOnlyList<(int Parent, int Function)> Nodes => nodes;

    /// <summary>The node of a call from <paramref name="parent"/>; made if there is room.</summary>
    public int Enter(int parent, int function)
    {
        var node = Find(parent, function);
        if (node != None || parent == None || nodes.Count > limit) return node;
        nodes.Add((parent, function));
        children.Add(Key(parent, function), nodes.Count - 1);
        return nodes.Count - 1;
    }

    public int Find(int parent, int function) => children.GetValueOrDefault(Key(parent, function), None);

    private static long Key(int parent, int function) => ((long)parent << 32) | (uint)function;
}
