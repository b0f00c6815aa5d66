using System.Text;
using Weft.Syntax;

namespace Weft.Coverage.Regions.Rust;

/// <summary>
/// The flow graph that rustc would build for a function (rustc_mir_build), as far as coverage can tell: which expressions
/// leave a span in which block. Types are not known; where they decide (what diverges, what is a constant), names do.
/// </summary>
internal sealed partial class RustFlow(byte[] source, RustMacros macros, RustCode? code)
{
    private readonly int fileEnd = source.Length;
    private byte[] text = source; // with what macros become behind the file
    private sealed record Target(string? Label, FlowBlock Exit, FlowBlock? Continue, bool IsLoop);

    private readonly Stack<Target> targets = new();
    private readonly FlowBlock exit = new();
    private FlowBlock at = new();

    /// <summary>Closures, constant blocks and items in the body.</summary>
    public List<Span> Holes { get; } = [];

    /// <summary>Builds the graph of a body; returns its entry.</summary>
    /// <param name="body">A block, or the expression of a closure.</param>
    /// <param name="parameters">What it is called with.</param>
    public FlowBlock Build(SyntaxNode body, SyntaxNode? parameters)
    {
        if (parameters != null) Declare(parameters);
        var entry = at;
        Into(body);
        Goto(exit);
        exit.Spans.Add(new Span(body.End, body.End));
        Resolve(entry);
        return entry;
    }

    private static Span SpanOf(SyntaxNode node) => new(node.Start, node.End);

    private string TextOf(SyntaxNode node) => Encoding.UTF8.GetString(text, node.Start, node.End - node.Start);

    private void Mark(SyntaxNode node)
    {
        if (node.Start == text.Length || text[node.Start] != '$') at.Spans.Add(SpanOf(node)); // what a macro was given is not where the macro is
    }

    private void Goto(FlowBlock target)
    {
        at.Successors.Add(target);
        at = target;
    }

    /// <summary>Leaves for a target; what follows in the source is not reached from here.</summary>
    private void Leave(FlowBlock target)
    {
        at.Successors.Add(target);
        at = new FlowBlock();
    }

    private void Diverge() => at = new FlowBlock();

    /// <summary>Evaluates an expression for its value in a place of its own.</summary>
    private void Into(SyntaxNode node)
    {
        switch (node.Kind)
        {
            case "block" or "unsafe_block": Block(node); break;
            case "parenthesized_expression":
                Parenthesized(node);
                break;
            case "if_expression": If(node); break;
            case "match_expression": Match(node); break;
            case "while_expression": While(node); break;
            case "loop_expression": Loop(node); break;
            case "for_expression": For(node); break;
            case "return_expression": Return(node); break;
            case "break_expression": Break(node); break;
            case "continue_expression": Continue(node); break;
            case "try_expression": Try(node); break;
            case "binary_expression" when IsLazy(node): Lazy(node, node); break;
            case "call_expression": Call(node); break;
            case "macro_invocation": Macro(node); break;
            case "assignment_expression":
                Operand(node["right"]!);
                Place(node["left"]!);
                Mark(code?.Drops(node.Start) == true ? node["left"]! : node);
                break;
            case "closure_expression" or "const_block" or "async_block":
                Holes.Add(SpanOf(node));
                Mark(node);
                break;
            case "await_expression":
                Await(node);
                break;
            default:
                Parts(node);
                Mark(node);
                break;
        }
    }

    // rustc takes the parentheses into the span of what is in them, but not into that of a range, which it made itself.
    private void Parenthesized(SyntaxNode node)
    {
        var inner = Inner(node);
        if (IsLazy(inner))
        {
            Lazy(inner, node);
            return;
        }
        Into(inner);
        if (inner.Kind != "range_expression") Mark(node);
    }

    private bool IsLazy(SyntaxNode node) => node.Kind == "binary_expression" && Operator(node) is "&&" or "||";

    private static SyntaxNode Inner(SyntaxNode node) => node.NamedChildren.First(c => !c.Kind.EndsWith("comment", StringComparison.Ordinal));

    private string Operator(SyntaxNode node) => node["operator"] is { } token ? TextOf(token) : "";

    /// <summary>Evaluates what an expression is made of.</summary>
    private void Parts(SyntaxNode node)
    {
        switch (node.Kind)
        {
            case "reference_expression": Place(node["value"]!); break;
            case "field_expression" or "index_expression": PlaceParts(node); break;
            case "unary_expression" when TextOf(node).StartsWith('*'): Place(Inner(node)); break;
            case "binary_expression" or "compound_assignment_expr":
                var (first, second) = node.Kind == "binary_expression" ? ("left", "right") : ("right", "left");
                Operand(node[first]!);
                if (node.Kind == "binary_expression") Operand(node[second]!);
                else Place(node[second]!);
                break;
            case "type_cast_expression": Operand(node["value"]!); break;
            case "struct_expression":
                foreach (var field in node["body"]!.NamedChildren)
                    if (field.Kind == "field_initializer") Operand(field["value"]!);
                    else if (field.Kind is "shorthand_field_initializer") Operand(Inner(field));
                    else if (field.Kind == "base_field_initializer") Place(Inner(field));
                break;
            case "array_expression":
                var elements = node.NamedChildren.Where(c => c.Kind != "attribute_item").ToList();
                for (var i = 0; i < elements.Count; i++)
                    if (i > 0 && elements[i].Kind == "string_literal") Mark(elements[i]);
                    else Operand(elements[i]);
                break;
            case "tuple_expression" or "range_expression" or "unary_expression":
                foreach (var part in node.NamedChildren) if (part.Kind != "attribute_item") Operand(part);
                break;
            default: break;
        }
    }

    /// <summary>Evaluates an operand: a constant leaves no span.</summary>
    private void Operand(SyntaxNode node)
    {
        if (IsConstant(node)) return;
        Into(node);
        if (code?.Unsizes(node.Start) == true) Mark(node);
    }

    /// <summary>Evaluates a place: reading it leaves no span, what it is computed from does.</summary>
    private void Place(SyntaxNode node)
    {
        if (node.Kind is "identifier" or "self" or "scoped_identifier" or "field_expression" or "index_expression" || node.Kind == "unary_expression" && TextOf(node).StartsWith('*')) PlaceParts(node);
        else if (node.Kind == "parenthesized_expression") Place(Inner(node));
        else if (!IsConstant(node)) Into(node);
    }

    private void PlaceParts(SyntaxNode node)
    {
        switch (node.Kind)
        {
            case "field_expression": Place(node["value"]!); break;
            case "unary_expression": Place(Inner(node)); break;
            case "index_expression":
                var parts = node.NamedChildren.ToList();
                Place(parts[0]);
                Operand(parts[1]);
                Mark(node);
                break;
            default: break;
        }
    }

    private bool IsConstant(SyntaxNode node) => node.Kind switch
    {
        "integer_literal" or "float_literal" or "string_literal" or "raw_string_literal" or "char_literal" or "boolean_literal" => true,
        "unary_expression" => TextOf(node).StartsWith('-') && IsConstant(Inner(node)),
        "identifier" or "scoped_identifier" => IsConstantName(TextOf(node)),
        "generic_function" => true,
        "macro_invocation" => RustMacros.IsLiteral(LastOf(TextOf(node["macro"]!))),
        _ => false,
    };

    // By convention: constants are in capitals; a path that ends in a small letter is a function.
    private static bool IsConstantName(string name)
    {
        var last = LastOf(name);
        return !last.Any(char.IsAsciiLetterLower) || name.Contains("::") && char.IsLower(last[0]);
    }

    private static string LastOf(string path) => path[(path.LastIndexOf(':') + 1)..];

    private static bool IsConstructor(string path) => LastOf(path) is [var first, ..] && char.IsUpper(first);

    private void Call(SyntaxNode node)
    {
        var callee = node["function"]!;
        var method = callee.Kind == "generic_function" ? callee["function"]! : callee;
        if (method.Kind == "field_expression")
        {
            Receiver(method["value"]!, TextOf(method["field"]!));
            Arguments(node, RustMacros.IsGeneric(TextOf(method["field"]!)));
            at.Spans.Add(SpanOf(method["field"]!));
            if (code?.Dereferences(node.Start, method["field"]!.Start) == true) Mark(node);
        }
        else if (callee.Kind is "identifier" && locals.Contains(TextOf(callee)) || callee.Kind is not ("identifier" or "scoped_identifier" or "generic_function"))
        {
            Receiver(callee, "");
            Arguments(node);
            Mark(node);
        }
        else
        {
            Arguments(node, IsConstructor(TextOf(callee)) || RustMacros.IsGeneric(LastOf(TextOf(callee))));
            if (IsConstructor(TextOf(callee))) Mark(node);
            else Mark(callee);
        }
        if (macros.NeverReturns(TextOf(callee))) Diverge();
    }

    // A variable leaves its span whether it is moved, copied or borrowed; the value of a call only if it is borrowed.
    private void Receiver(SyntaxNode node, string method)
    {
        Place(node);
        var isValue = node.Kind == "parenthesized_expression" && Inner(node).Kind == "range_expression" || node.Kind is "call_expression" or "try_expression" or "await_expression" or "macro_invocation" or "integer_literal" or "float_literal";
        if (!isValue || !macros.TakesByValue(method)) Mark(node);
    }

    // Where a reference is expected, a string literal is one to a place, which leaves a span; in a constructor and a generic function nothing is expected.
    private void Arguments(SyntaxNode call, bool isGeneric = false)
    {
        foreach (var argument in call["arguments"]!.NamedChildren)
            if (argument.Kind == "string_literal" && !isGeneric) Mark(argument);
            else if (argument.Kind != "attribute_item") Operand(argument);
    }
}
