using Weft.Syntax;

namespace Weft.Coverage.Regions.C;

internal enum StatementKind
{
    /// <summary>An expression or statement without a meaning for coverage.</summary>
    Other, Compound, If, While, Do, For, RangeFor, Switch, Case, Default, Label, Goto, Break, Continue, Return, Throw, Try, Catch,
    Conditional, Elvis, And, Or, Not, Parentheses, Call, Lambda, CoroutineReturn, Attributed,
}

/// <summary>
/// A statement or expression with the extent that clang's syntax tree gives it, which is not the concrete tree's: the
/// semicolon belongs to few statements, a case holds only the statement behind it.
/// </summary>
internal sealed class Statement(StatementKind kind, SyntaxNode syntax, int first, int last)
{
    public StatementKind Kind { get; } = kind;

    public SyntaxNode Syntax { get; } = syntax;

    /// <summary>Index of the first token.</summary>
    public int First { get; } = first;

    /// <summary>Index of the last token.</summary>
    public int Last { get; set; } = last;

    /// <summary>What is directly in it, in the order in which clang's tree has it.</summary>
    public List<Statement> Children { get; } = [];

    /// <summary>Bodies of the functions of classes declared in it.</summary>
    public List<Statement> LocalFunctions { get; } = [];

    public Statement? Init { get; set; }

    public Statement? Condition { get; set; }

    public Statement? Increment { get; set; }

    /// <summary>The body of a loop, switch or handler; the statement of a case or label; the first arm of a choice.</summary>
    public Statement? Body { get; set; }

    public Statement? Else { get; set; }

    /// <summary>The token that a gap begins behind: the closing parenthesis of a condition, or <c>?</c>.</summary>
    public int GapToken { get; set; }

    /// <summary>The colon of a case.</summary>
    public int Colon { get; set; }

    /// <summary>Of <c>if constexpr</c>.</summary>
    public bool IsConstexpr { get; set; }

    /// <summary>What a call never comes back from.</summary>
    public bool NeverReturns { get; set; }

    public Statement Left => Children[0];

    public Statement Right => Children[1];

    /// <summary>Without parentheses and negations around it.</summary>
    public Statement Stripped => Kind is StatementKind.Parentheses or StatementKind.Not && Children.Count == 1 ? Children[0].Stripped : this;

    public bool IsLogical => Kind is StatementKind.And or StatementKind.Or;

    public IEnumerable<Statement> DescendantsAndSelf() => Children.SelectMany(c => c.DescendantsAndSelf()).Prepend(this);

    public override string ToString() => $"{Kind} {Syntax.Kind}";
}
