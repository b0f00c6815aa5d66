namespace Weft.Syntax;

/// <summary>A node of a concrete syntax tree: every token of the source is one, also keywords and punctuation.</summary>
/// <param name="Kind">The grammar's name of the node; for punctuation and keywords the text itself.</param>
/// <param name="Field">What the node is to its parent (<c>condition</c>, <c>body</c>), or null.</param>
/// <param name="IsNamed">False for punctuation and keywords.</param>
/// <param name="IsMissing">The parser made the token up to recover from an error.</param>
/// <param name="Start">Offset of the first byte.</param>
/// <param name="End">Offset behind the last byte.</param>
public sealed record SyntaxNode(string Kind, string? Field, bool IsNamed, bool IsMissing, int Start, int End)
{
    private readonly List<SyntaxNode> children = [];

    public SyntaxNode? Parent { get; private set; }

    public IReadOnlyList<SyntaxNode> Children => children;

    /// <summary>Whether the parser could not make sense of a part of the text, which this node stands for.</summary>
    public bool IsError => Kind == "ERROR";

    public IEnumerable<SyntaxNode> NamedChildren => children.Where(c => c.IsNamed);

    /// <summary>The first child with a field name.</summary>
    public SyntaxNode? this[string field] => children.Find(c => c.Field == field);

    /// <summary>The first child of a kind.</summary>
    public SyntaxNode? Child(string kind) => children.Find(c => c.Kind == kind);

    /// <summary>The node and all below it, each before its children.</summary>
    public IEnumerable<SyntaxNode> DescendantsAndSelf()
    {
        var pending = new Stack<SyntaxNode>([this]);
        while (pending.TryPop(out var node))
        {
            yield return node;
            for (var i = node.children.Count - 1; i >= 0; i--) pending.Push(node.children[i]);
        }
    }

    // By identity: trees are compared nowhere, and a node's children would make that slow.
    public bool Equals(SyntaxNode? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

    public override string ToString() => $"{Kind} [{Start}, {End})";

    internal void Add(SyntaxNode child)
    {
        children.Add(child);
        child.Parent = this;
    }
}
