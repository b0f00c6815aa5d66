using Weft.Syntax;

namespace Weft.Coverage.Regions.C;

/// <summary>What the compiler knows of an expression without running it: literals, enumerators, and what is made of them.</summary>
internal sealed class Constants(PreprocessedUnit unit, IReadOnlyDictionary<string, long> enumerators)
{
    public bool IsConstant(Statement statement) => ValueOf(statement) != null;

    /// <summary>The value, or null when it is not known.</summary>
    public long? ValueOf(Statement statement) => Value(statement.Syntax);

    private string Text(SyntaxNode node) => unit.Tokens[unit.TokenAt(node.Start)].Text;

    private long? Value(SyntaxNode node) => node.Kind switch
    {
        "number_literal" => Text(node).Contains('.') ? null : DirectiveCondition.Number(Text(node)),
        "char_literal" => DirectiveCondition.Character(Text(node)),
        "true" => 1,
        "false" or "null" => 0,
        "identifier" => enumerators.TryGetValue(Text(node), out var value) ? value : null,
        "parenthesized_expression" when node.NamedChildren.Count() == 1 => Value(node.NamedChildren.First()),
        "cast_expression" => node["value"] is { } cast ? Value(cast) : null,
        "sizeof_expression" => Size(node),
        "unary_expression" => Unary(node),
        "binary_expression" => Binary(node),
        "conditional_expression" => Conditional(node),
        _ => null,
    };

    // Of the usual 64-bit targets; null where it depends on a declaration.
    private long? Size(SyntaxNode node) => (node["type"]?.Children is [{ Kind: "primitive_type" or "sized_type_specifier" } type] ? Text(type) : null) switch
    {
        "char" or "bool" or "_Bool" => 1,
        "short" => 2,
        "int" or "float" or "unsigned" or "signed" => 4,
        "long" or "double" or "size_t" => 8,
        _ => null,
    };

    private long? Conditional(SyntaxNode node)
    {
        if (Value(node["condition"]!) is not { } condition) return null;
        return condition == 0 ? Value(node["alternative"]!) : node["consequence"] is { } arm ? Value(arm) : condition;
    }

    private long? Unary(SyntaxNode node) => Value(node["argument"]!) is not { } value ? null : node["operator"]!.Kind switch
    {
        "!" or "not" => value == 0 ? 1 : 0,
        "-" => -value,
        "~" => ~value,
        "+" => value,
        _ => null,
    };

    private long? Binary(SyntaxNode node)
    {
        var operation = node["operator"]!.Kind;
        var left = Value(node["left"]!);
        if (operation is "&&" or "and" && left == 0) return 0;
        if (operation is "||" or "or" && left is not (null or 0)) return 1;
        var right = Value(node["right"]!);
        if (left is not { } x || right is not { } y) return null;
        return operation switch
        {
            "&&" or "and" => y != 0 ? 1 : 0,
            "||" or "or" => y != 0 ? 1 : 0,
            "+" => x + y,
            "-" => x - y,
            "*" => x * y,
            "/" => y == 0 ? null : x / y,
            "%" => y == 0 ? null : x % y,
            "==" => x == y ? 1 : 0,
            "!=" => x != y ? 1 : 0,
            "<" => x < y ? 1 : 0,
            ">" => x > y ? 1 : 0,
            "<=" => x <= y ? 1 : 0,
            ">=" => x >= y ? 1 : 0,
            "&" => x & y,
            "|" => x | y,
            "^" => x ^ y,
            "<<" => x << (int)y,
            ">>" => x >> (int)y,
            _ => null,
        };
    }
}
