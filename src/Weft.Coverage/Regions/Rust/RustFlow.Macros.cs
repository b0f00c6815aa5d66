using Weft.Syntax;

namespace Weft.Coverage.Regions.Rust;

internal sealed partial class RustFlow
{
    /// <summary>Parses the arguments of a macro as expressions.</summary>
    public required Func<SyntaxNode, byte[], IReadOnlyList<SyntaxNode>> ArgumentsOf { get; init; }

    /// <summary>
    /// An invocation of a macro: one span for its name in the first block that its code takes, and the arguments, which are
    /// the user's. A macro of the user's that cannot be expanded counts them as evaluated in order.
    /// </summary>
    private void Macro(SyntaxNode node)
    {
        var name = TextOf(node["macro"]!);
        var call = new MacroCall(new Span(node.Start, node["macro"]!.End + 1));
        var last = name[(name.LastIndexOf(':') + 1)..];
        if (RustMacros.IsLiteral(last))
        {
            Mark(node);
            return;
        }
        if (macros.IsOwn(last) && Expand(node, last, call)) return;
        var arguments = ArgumentsOf(node, text);
        switch (last)
        {
            case "assert" or "debug_assert": Assert(call, arguments); break;
            case "assert_eq" or "assert_ne" or "debug_assert_eq" or "debug_assert_ne": Compare(call, arguments); break;
            case "matches": Matches(call, arguments); break;
            case "write" or "writeln" when arguments.Count > 0:
                at.Macros.Add(call);
                Receiver(arguments[0], "");
                foreach (var argument in arguments.Skip(1)) Place(argument);
                break;
            case var _ when macros.IsOwn(last):
                at.Macros.Add(call);
                foreach (var argument in arguments) Into(argument);
                break;
            default:
                at.Macros.Add(call);
                foreach (var argument in arguments)
                    if (RustMacros.Borrows(last)) Place(argument);
                    else Operand(argument);
                break;
        }
        if (RustMacros.Diverges(last)) Diverge();
    }

    private void Assert(MacroCall call, IReadOnlyList<SyntaxNode> arguments)
    {
        var (holds, fails) = (new FlowBlock(), new FlowBlock());
        at.Macros.Add(call);
        if (arguments.Count > 0) Condition(arguments[0], holds, fails);
        at = fails;
        fails.Macros.Add(call);
        foreach (var argument in arguments.Skip(1)) Place(argument);
        at = holds;
    }

    private void Compare(MacroCall call, IReadOnlyList<SyntaxNode> arguments)
    {
        var (equal, fails) = (new FlowBlock(), new FlowBlock());
        at.Macros.Add(call);
        foreach (var argument in arguments.Take(2)) Place(argument);
        at.Successors.AddRange([equal, fails]);
        at = fails;
        fails.Macros.Add(call);
        foreach (var argument in arguments.Skip(2)) Place(argument);
        at = equal;
    }

    private void Matches(MacroCall call, IReadOnlyList<SyntaxNode> arguments)
    {
        var (yes, no, join) = (new FlowBlock(), new FlowBlock(), new FlowBlock());
        if (arguments.Count > 0)
        {
            Place(arguments[0]);
            Mark(arguments[0]);
        }
        at.Successors.AddRange([yes, no]);
        foreach (var arm in (FlowBlock[])[yes, no])
        {
            arm.Macros.Add(call);
            arm.Successors.Add(join);
        }
        at = join;
    }
}
