using Weft.Syntax;

namespace Weft.Coverage.Regions.C;

internal sealed partial class StatementReader
{
    private Statement If(SyntaxNode node)
    {
        var statement = Leaf(StatementKind.If, node, 0);
        var clause = node["condition"]!;
        statement.IsConstexpr = node.Child("constexpr") != null;
        statement.Init = InitOf(clause);
        statement.Condition = ConditionOf(clause, out var declaration);
        statement.Body = Read(node["consequence"]!);
        statement.Else = node["alternative"] is { } alternative ? Read(Unwrapped(alternative)) : null;
        statement.GapToken = Last(clause);
        statement.Last = (statement.Else ?? statement.Body).Last;
        AddParts(statement, statement.Init, declaration, statement.Condition, statement.Body, statement.Else);
        return statement;
    }

    private Statement Loop(SyntaxNode node, StatementKind kind)
    {
        var statement = Leaf(kind, node, 0);
        var clause = node["condition"]!;
        statement.Condition = ConditionOf(clause, out var declaration);
        statement.Body = Read(node["body"]!);
        statement.GapToken = Last(clause);
        statement.Last = statement.Body.Last;
        AddParts(statement, declaration, statement.Condition, statement.Body);
        return statement;
    }

    private Statement Do(SyntaxNode node)
    {
        var clause = node["condition"]!;
        var statement = Leaf(StatementKind.Do, node, Last(clause));
        statement.Condition = ConditionOf(clause, out _);
        statement.Body = Read(node["body"]!);
        AddParts(statement, statement.Body, statement.Condition);
        return statement;
    }

    private Statement For(SyntaxNode node)
    {
        var statement = Leaf(StatementKind.For, node, 0);
        statement.Init = node["initializer"] is { } init ? Read(init) : null;
        statement.Condition = node["condition"] is { } condition ? DeclaredOrRead(condition, out _) : null;
        statement.Increment = node["update"] is { } update ? Read(update) : null;
        statement.Body = Read(node["body"]!);
        statement.GapToken = First(statement.Body) - 1;
        statement.Last = statement.Body.Last;
        AddParts(statement, statement.Init, statement.Condition, statement.Increment, statement.Body);
        return statement;
    }

    private static int First(Statement statement) => statement.First;

    private Statement RangeFor(SyntaxNode node)
    {
        var statement = Leaf(StatementKind.RangeFor, node, 0);
        statement.Init = node["initializer"] is { } init ? Read(init) : null;
        statement.Condition = Read(node["right"]!);
        statement.Body = Read(node["body"]!);
        statement.GapToken = statement.Body.First - 1;
        statement.Last = statement.Body.Last;
        AddParts(statement, statement.Init, statement.Condition, statement.Body);
        return statement;
    }

    private Statement Switch(SyntaxNode node)
    {
        var statement = Leaf(StatementKind.Switch, node, 0);
        var clause = node["condition"]!;
        statement.Init = InitOf(clause);
        statement.Condition = ConditionOf(clause, out var declaration);
        statement.Body = Read(node["body"]!);
        statement.Last = statement.Body.Last;
        AddParts(statement, statement.Init, declaration, statement.Condition, statement.Body);
        return statement;
    }

    private Statement Label(SyntaxNode node)
    {
        var inner = node.NamedChildren.Last(c => c.Field != "label" && c.Kind != "statement_identifier");
        return Labelled(Leaf(StatementKind.Label, node, 0), Read(inner));
    }

    private static Statement Labelled(Statement label, Statement body)
    {
        label.Body = body;
        label.Last = body.Last;
        label.Children.Add(body);
        return label;
    }

    private Statement Try(SyntaxNode node)
    {
        var statement = Leaf(StatementKind.Try, node, Last(node));
        statement.Body = Read(node["body"]!);
        AddParts(statement, [statement.Body, .. node.Children.Where(c => c.Kind == "catch_clause").Select(Read)]);
        return statement;
    }

    private Statement Catch(SyntaxNode node)
    {
        var statement = Leaf(StatementKind.Catch, node, Last(node));
        statement.Body = Read(node["body"]!);
        statement.Children.Add(statement.Body);
        return statement;
    }

    /// <summary>The statements of a block; a case or label takes the one behind it.</summary>
    private List<Statement> Sequence(SyntaxNode block)
    {
        var flat = new List<(SyntaxNode Node, bool IsCase)>();
        Flatten(block, flat);
        var result = new List<Statement>();
        for (var at = 0; at < flat.Count;) result.Add(TakeOne(flat, ref at));
        return result;
    }

    private static void Flatten(SyntaxNode block, List<(SyntaxNode, bool)> flat)
    {
        foreach (var child in block.NamedChildren)
        {
            if (CaseIn(child) is { } label)
            {
                flat.Add((label, true));
                Flatten(label, flat);
            }
            else if (child.Field != "value" && !NoStatements.Contains(child.Kind) || child.Kind is "static_assert_declaration" or "alias_declaration" or "using_declaration" or "type_definition" || IsTypeAlone(child))
            {
                flat.Add((child, false));
            }
        }
    }

    private static SyntaxNode? CaseIn(SyntaxNode node) =>
        node.Kind == "case_statement" ? node : node.Kind == "attributed_statement" && node.NamedChildren.Last() is { Kind: "case_statement" } inner ? inner : null;

    private static bool IsTypeAlone(SyntaxNode node) => node.Kind is "struct_specifier" or "union_specifier" or "enum_specifier" or "class_specifier";

    private Statement TakeOne(List<(SyntaxNode Node, bool IsCase)> flat, ref int at)
    {
        var (node, isCase) = flat[at++];
        if (!isCase) return NoStatements.Contains(node.Kind) ? WithLocalFunctions(Leaf(StatementKind.Other, node, Last(node))) : Read(node);
        var statement = Leaf(node["value"] == null ? StatementKind.Default : StatementKind.Case, node, 0);
        statement.Colon = First(node.Child(":")!);
        statement.Children.AddRange(node.Children.Where(c => c.Field == "value").Select(Read));
        statement.Last = statement.Colon;
        if (at < flat.Count) Labelled(statement, TakeOne(flat, ref at));
        if (node.Parent!.Kind != "attributed_statement") return statement;
        var attributed = new Statement(StatementKind.Other, node.Parent, First(node.Parent), statement.Last);
        attributed.Children.Add(statement);
        return attributed;
    }

    /// <summary>Notes the functions of classes in a statement: clang numbers their points with those around.</summary>
    private Statement WithLocalFunctions(Statement statement)
    {
        foreach (var function in statement.Syntax.DescendantsAndSelf().Where(n => n.Kind == "function_definition"))
            if (function["body"] is { Kind: "compound_statement" } body) statement.LocalFunctions.Add(Read(body));
        return statement;
    }

    private static SyntaxNode Unwrapped(SyntaxNode alternative) => alternative.Kind == "else_clause" ? alternative.NamedChildren.Last() : alternative;

    private Statement? InitOf(SyntaxNode clause) => clause["initializer"] is { } init ? Read(init.Kind == "init_statement" ? init.NamedChildren.First() : init) : null;

    /// <summary>The condition in a statement's parentheses, which are no part of it.</summary>
    private Statement ConditionOf(SyntaxNode clause, out Statement? declaration) =>
        DeclaredOrRead(clause["value"] ?? clause.NamedChildren.Last(), out declaration);

    /// <summary>Of a declaration as a condition, what is tested is the variable.</summary>
    private Statement DeclaredOrRead(SyntaxNode value, out Statement? declaration)
    {
        declaration = null;
        if (value.Kind != "declaration") return Read(value);
        declaration = Generic(StatementKind.Other, value, Last(value));
        var name = value["declarator"]!.DescendantsAndSelf().First(n => n.Children.Count == 0);
        return Leaf(StatementKind.Other, name, Last(name));
    }
}
