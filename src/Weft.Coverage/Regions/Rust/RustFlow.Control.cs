using Weft.Syntax;

namespace Weft.Coverage.Regions.Rust;

internal sealed partial class RustFlow
{
    private static readonly HashSet<string> Items =
    [
        "function_item", "struct_item", "enum_item", "impl_item", "const_item", "static_item", "use_declaration", "mod_item", "trait_item", "type_item", "macro_definition", "union_item", "extern_crate_declaration",
    ];

    private readonly HashSet<string> locals = new(StringComparer.Ordinal);

    private void Block(SyntaxNode node)
    {
        var block = node.Kind == "unsafe_block" ? node.Child("block")! : node;
        var label = block.Child("label");
        var join = label == null ? null : new FlowBlock();
        if (label != null) targets.Push(new Target(TextOf(label), join!, null, IsLoop: false));
        Sequence(block, node);
        if (label == null) return;
        targets.Pop();
        Goto(join!);
    }

    private void Sequence(SyntaxNode block, SyntaxNode whole)
    {
        var children = block.NamedChildren.Where(c => c.Kind is not ("line_comment" or "block_comment" or "attribute_item" or "inner_attribute_item" or "label" or "empty_statement")).ToList();
        SyntaxNode? tail = null;
        for (var i = 0; i < children.Count; i++)
        {
            var child = children[i];
            if (Items.Contains(child.Kind))
            {
                if (child.Kind == "function_item") Holes.Add(new Span(child.Start, (child["body"] ?? child).Start));
                if (child.Kind is not ("use_declaration" or "macro_definition")) Holes.Add(SpanOf(child));
            }
            else if (child.Kind == "let_declaration") Let(child);
            else if (child.Kind == "expression_statement" && (i < children.Count - 1 || child.Child(";") != null)) Into(Inner(child));
            else tail = child.Kind == "expression_statement" ? Inner(child) : child;
        }
        if (tail != null) Into(tail);
        else Mark(whole);
    }

    private void Let(SyntaxNode node)
    {
        if (node["value"] is not { } value)
        {
            Declare(node["pattern"]!);
            return;
        }
        var pattern = node["pattern"]!;
        if (node["alternative"] is { } alternative)
        {
            var (matched, failed) = (new FlowBlock(), new FlowBlock());
            Test(pattern, value, matched, failed);
            var after = at;
            at = failed;
            Into(alternative);
            at = after;
            if (node["type"] is { } ascribed) Mark(ascribed);
            return;
        }
        if (pattern.Kind is "identifier" or "mut_pattern" && Inner(pattern, pattern).Kind == "identifier")
        {
            Into(value);
            Declare(pattern);
            at.Spans.Add(WithMut(node, pattern));
        }
        else
        {
            Place(value);
            Mark(value);
            Bind(pattern);
        }
        if (node["type"] is { } type) Mark(type);
    }

    private static SyntaxNode Inner(SyntaxNode node, SyntaxNode otherwise) => node.NamedChildren.LastOrDefault() ?? otherwise;

    // The grammar has the mut of `let mut x` beside the pattern.
    private static Span WithMut(SyntaxNode let, SyntaxNode pattern) =>
        let.Child("mutable_specifier") is { } mutable ? new Span(mutable.Start, pattern.End) : SpanOf(pattern);

    private void If(SyntaxNode node)
    {
        var (then, otherwise, join) = (new FlowBlock(), new FlowBlock(), new FlowBlock());
        Condition(node["condition"]!, then, otherwise);
        at = then;
        Into(node["consequence"]!);
        at.Successors.Add(join);
        at = otherwise;
        if (node["alternative"] is { } alternative) Into(alternative.NamedChildren.Last(c => !c.Kind.EndsWith("comment", StringComparison.Ordinal)));
        else at.Spans.Add(new Span(node.End, node.End));
        Goto(join);
    }

    /// <summary>Branches on a condition.</summary>
    private void Condition(SyntaxNode node, FlowBlock then, FlowBlock otherwise)
    {
        switch (node.Kind)
        {
            case "parenthesized_expression": Condition(Inner(node), then, otherwise); break;
            case "let_condition":
                Test(node["pattern"]!, node["value"]!, then, otherwise);
                break;
            case "let_chain":
                Chain(node.NamedChildren.ToList(), then, otherwise);
                break;
            case "binary_expression" when Operator(node) == "&&":
                Chain([node["left"]!, node["right"]!], then, otherwise);
                break;
            case "binary_expression" when Operator(node) == "||":
                var second = new FlowBlock();
                Condition(node["left"]!, then, second);
                at = second;
                Condition(node["right"]!, then, otherwise);
                break;
            case "unary_expression" when TextOf(node).StartsWith('!'):
                Mark(node);
                Condition(Inner(node), otherwise, then);
                break;
            default:
                Into(node);
                at.Successors.Add(otherwise);
                at.Successors.Add(then);
                break;
        }
    }

    private void Chain(List<SyntaxNode> conditions, FlowBlock then, FlowBlock otherwise)
    {
        for (var i = 0; i < conditions.Count; i++)
        {
            var next = i == conditions.Count - 1 ? then : new FlowBlock();
            Condition(conditions[i], next, otherwise);
            at = next;
        }
    }

    private void Lazy(SyntaxNode node, SyntaxNode whole)
    {
        var (right, decided, join) = (new FlowBlock(), new FlowBlock(), new FlowBlock());
        if (Operator(node) == "&&") Condition(node["left"]!, right, decided);
        else Condition(node["left"]!, decided, right);
        decided.Spans.Add(SpanOf(whole));
        decided.Successors.Add(join);
        at = right;
        Into(node["right"]!);
        Goto(join);
    }

    private void Loop(SyntaxNode node)
    {
        var (head, after) = (new FlowBlock(), new FlowBlock());
        Goto(head);
        Mark(node);
        Body(node, head, after);
        at.Successors.Add(head);
        at = after;
    }

    private void Body(SyntaxNode loop, FlowBlock head, FlowBlock after)
    {
        targets.Push(new Target(loop.Child("label") is { } label ? TextOf(label) : null, after, head, IsLoop: true));
        Into(loop["body"]!);
        targets.Pop();
    }

    private void While(SyntaxNode node)
    {
        var (head, body, after) = (new FlowBlock(), new FlowBlock(), new FlowBlock());
        Goto(head);
        Condition(node["condition"]!, body, after);
        at = body;
        Body(node, head, after);
        at.Successors.Add(head);
        at = after;
    }

    private void For(SyntaxNode node)
    {
        var (head, body, after) = (new FlowBlock { LoopAt = node["value"]!.Start }, new FlowBlock(), new FlowBlock());
        Into(node["value"]!);
        Goto(head);
        head.Successors.Add(after);
        head.Successors.Add(body);
        at = body;
        Bind(node["pattern"]!);
        Body(node, head, after);
        at.Successors.Add(head);
        at = after;
        Mark(node); // its value, which is nothing
    }

    private void Return(SyntaxNode node)
    {
        if (node.NamedChildren.FirstOrDefault() is { } value) Into(value);
        else Mark(node);
        Leave(exit);
    }

    private void Break(SyntaxNode node)
    {
        if (node.NamedChildren.FirstOrDefault(c => c.Kind != "label") is { } value) Into(value);
        else Mark(node);
        if (TargetOf(node) is { } target) Leave(target.Exit);
        else Diverge();
    }

    private void Continue(SyntaxNode node)
    {
        Mark(node);
        if (TargetOf(node)?.Continue is { } head) Leave(head);
        else Diverge();
    }

    private Target? TargetOf(SyntaxNode node)
    {
        var label = node.Child("label") is { } name ? TextOf(name) : null;
        return targets.FirstOrDefault(t => label == null ? t.IsLoop : t.Label == label);
    }

    /// <summary>Polls until the future is ready; the whole expression counts where it begins.</summary>
    private void Await(SyntaxNode node)
    {
        var (poll, ready, pending) = (new FlowBlock(), new FlowBlock(), new FlowBlock());
        Operand(Inner(node));
        at.Macros.Add(new MacroCall(SpanOf(node)));
        Goto(poll);
        poll.Successors.AddRange([ready, pending]);
        pending.Successors.Add(poll);
        at = ready;
    }

    private void Try(SyntaxNode node)
    {
        Operand(Inner(node));
        var (failed, passed) = (new FlowBlock { CodeAt = node.Start }, new FlowBlock());
        at.Successors.Add(passed);
        at.Successors.Add(failed);
        failed.Spans.Add(new Span(node.End - 1, node.End));
        failed.Successors.Add(exit);
        at = passed;
        Mark(node);
    }
}
