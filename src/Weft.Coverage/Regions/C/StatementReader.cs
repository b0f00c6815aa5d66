using Weft.Syntax;

namespace Weft.Coverage.Regions.C;

/// <summary>Makes clang's tree of statements of the concrete syntax tree of a function.</summary>
internal sealed partial class StatementReader(PreprocessedUnit unit, IReadOnlySet<string> neverReturning, IReadOnlySet<string> classes)
{
    // What stands between a statement and the expressions in it, but is none itself.
    private static readonly HashSet<string> Wrappers =
    [
        "argument_list", "init_declarator", "initializer_pair", "array_declarator", "pointer_declarator", "reference_declarator", "function_declarator", "parenthesized_declarator",
        "condition_clause", "init_statement", "else_clause", "subscript_argument_list", "generic_association", "ERROR", "attributed_declarator", "structured_binding_declarator",
    ];

    private static readonly HashSet<string> NoStatements =
    [
        "type_descriptor", "primitive_type", "type_identifier", "sized_type_specifier", "field_identifier", "statement_identifier", "template_argument_list", "parameter_list",
        "struct_specifier", "union_specifier", "enum_specifier", "class_specifier", "type_qualifier", "storage_class_specifier", "attribute_specifier", "attribute_declaration",
        "placeholder_type_specifier", "auto", "decltype", "comment", "field_designator", "subscript_designator", "template_type", "qualified_type_identifier", "alignas_qualifier",
        "static_assert_declaration", "alias_declaration", "using_declaration", "type_definition", "abstract_pointer_declarator", "abstract_function_declarator", "abstract_array_declarator",
        "lambda_capture_specifier", "lambda_default_capture", "trailing_return_type", "noexcept", "operator_name", "dependent_type", "template_declaration", "new_declarator",
    ];

    /// <summary>How many elements the packs of fold expressions have; clang's tree has what is folded once for each.</summary>
    public int PackSize { get; set; } = 1;

    /// <summary>The body of a function.</summary>
    public Statement Read(SyntaxNode node) => node.Kind switch
    {
        "compound_statement" => Compound(node),
        "if_statement" => If(node),
        "while_statement" => Loop(node, StatementKind.While),
        "do_statement" => Do(node),
        "for_statement" => For(node),
        "for_range_loop" => RangeFor(node),
        "switch_statement" => Switch(node),
        "declaration" => WithLocalFunctions(Generic(StatementKind.Other, node, Last(node))),
        "labeled_statement" => Label(node),
        "goto_statement" => Leaf(StatementKind.Goto, node, LastWithoutSemicolon(node)),
        "break_statement" => Leaf(StatementKind.Break, node, LastWithoutSemicolon(node)),
        "continue_statement" => Leaf(StatementKind.Continue, node, LastWithoutSemicolon(node)),
        "return_statement" => Generic(StatementKind.Return, node, LastWithoutSemicolon(node)),
        "co_return_statement" => Generic(StatementKind.CoroutineReturn, node, LastWithoutSemicolon(node)),
        "throw_statement" => Generic(StatementKind.Throw, node, LastWithoutSemicolon(node)),
        "try_statement" => Try(node),
        "catch_clause" => Catch(node),
        "expression_statement" => node.NamedChildren.FirstOrDefault(c => c.Kind != "comment") is { } expression ? Read(expression) : Leaf(StatementKind.Other, node, Last(node)),
        "attributed_statement" => Attributed(node),
        "conditional_expression" => Conditional(node),
        "binary_expression" => Binary(node),
        "unary_expression" when node["operator"]?.Kind is "!" or "not" => Generic(StatementKind.Not, node, Last(node)),
        "parenthesized_expression" => Generic(StatementKind.Parentheses, node, Last(node)),
        "call_expression" => Call(node),
        "fold_expression" => Fold(node),
        "lambda_expression" => Leaf(StatementKind.Lambda, node, Last(node)),
        "identifier" or "qualified_identifier" or "template_function" or "string_literal" or "number_literal" or "char_literal" or "concatenated_string" => Leaf(StatementKind.Other, node, Last(node)),
        _ => Generic(StatementKind.Other, node, Last(node)),
    };

    public int First(SyntaxNode node) => unit.TokenAt(node.Start);

    public int Last(SyntaxNode node) => unit.TokenAt(node.End - 1);

    private int LastWithoutSemicolon(SyntaxNode node) => Last(node) is var last && unit.Tokens[last].Is(";") && last > First(node) ? last - 1 : last;

    private Statement Leaf(StatementKind kind, SyntaxNode node, int last) => new(kind, node, First(node), last);

    private Statement Generic(StatementKind kind, SyntaxNode node, int last)
    {
        var statement = Leaf(kind, node, last);
        statement.Children.AddRange(Expressions(node));
        return statement;
    }

    /// <summary>The statements and expressions directly in a node.</summary>
    private IEnumerable<Statement> Expressions(SyntaxNode node)
    {
        foreach (var child in node.NamedChildren)
        {
            if (NoStatements.Contains(child.Kind)) continue;
            if (IsDeclaredName(node, child)) continue;
            if (Wrappers.Contains(child.Kind))
                foreach (var inner in Expressions(child)) yield return inner;
            else yield return Read(child);
        }
    }

    private static bool IsDeclaredName(SyntaxNode parent, SyntaxNode child) => child.Field switch
    {
        "declarator" => !Wrappers.Contains(child.Kind),
        "type" or "parameters" or "designator" => true,
        "size" => IsConstantSize(child),
        _ => parent.Kind == "structured_binding_declarator",
    };

    // Only the size of an array of variable length is evaluated.
    private static bool IsConstantSize(SyntaxNode size) => !size.DescendantsAndSelf().Any(n => n.Kind == "identifier");

    private Statement Attributed(SyntaxNode node)
    {
        var inner = Read(node.NamedChildren.Last());
        // clang keeps no attribute of labels in its tree.
        if (inner.Kind is StatementKind.Case or StatementKind.Default or StatementKind.Label) return inner;
        var statement = Leaf(StatementKind.Attributed, node, inner.Last);
        statement.Children.Add(inner);
        return statement;
    }

    /// <summary>What a constructor writes before its body, one expression for each base and member.</summary>
    public IEnumerable<Statement> Initializers(SyntaxNode function)
    {
        foreach (var initializer in function.Child("field_initializer_list")?.NamedChildren.Where(c => c.Kind == "field_initializer") ?? [])
        {
            var value = initializer.NamedChildren.Last();
            var isMember = initializer.NamedChildren.First().Kind == "field_identifier" && !classes.Contains(unit.Tokens[First(initializer)].Text);
            var arguments = value.NamedChildren.Where(c => c.Kind != "comment").ToList();
            if (isMember && value.Kind == "argument_list" && arguments.Count == 1) yield return Read(arguments[0]);
            else yield return isMember ? Read(value) : Generic(StatementKind.Other, initializer, Last(initializer));
        }
    }

    private Statement Compound(SyntaxNode node)
    {
        var statement = Leaf(StatementKind.Compound, node, Last(node));
        statement.Children.AddRange(Sequence(node));
        return statement;
    }

    private Statement Binary(SyntaxNode node) => node["operator"]?.Kind switch
    {
        "&&" or "and" => Generic(StatementKind.And, node, Last(node)),
        "||" or "or" => Generic(StatementKind.Or, node, Last(node)),
        _ => Generic(StatementKind.Other, node, Last(node)),
    };

    private Statement Conditional(SyntaxNode node)
    {
        var consequence = node["consequence"];
        var statement = Leaf(consequence == null ? StatementKind.Elvis : StatementKind.Conditional, node, Last(node));
        statement.Condition = Read(node["condition"]!);
        statement.Body = consequence == null ? null : Read(consequence);
        statement.Else = Read(node["alternative"]!);
        statement.GapToken = First(node.Child("?")!);
        AddParts(statement, statement.Condition, statement.Body, statement.Else);
        return statement;
    }

    private Statement Fold(SyntaxNode node)
    {
        var statement = Generic(StatementKind.Other, node, Last(node));
        if (statement.Children.Count != 1) return statement;
        for (var i = 1; i < PackSize; i++) statement.Children.AddRange(Expressions(node));
        return statement;
    }

    private Statement Call(SyntaxNode node)
    {
        var statement = Generic(StatementKind.Call, node, Last(node));
        statement.NeverReturns = node["function"] is { } callee && neverReturning.Contains(unit.Tokens[Last(callee)].Text);
        return statement;
    }

    private static void AddParts(Statement statement, params Statement?[] parts) => statement.Children.AddRange(parts.OfType<Statement>());
}
