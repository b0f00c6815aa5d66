using System.Text.RegularExpressions;
using Weft.Coverage.Regions.Placement;
using Weft.Syntax;

namespace Weft.Coverage.Regions.C;

/// <summary>
/// The regions of all functions of a translation unit of C or C++. The compiler's own preprocessor is asked for the
/// system's headers alone; the user's files are read as they stand.
/// </summary>
/// <param name="parser">Of the language.</param>
/// <param name="preprocessed">What <c>clang -E -dD</c> printed for the unit.</param>
/// <param name="mainFile">The unit's file, as the compiler names it.</param>
/// <param name="open">Reads a file of the user by the compiler's name for it.</param>
internal sealed partial class CRegionReader(SyntaxParser parser, string preprocessed, string mainFile, Func<string, SourceFile> open)
{
    /// <summary>Reads the unit.</summary>
    /// <param name="files">Numbers of the files that debug locations name.</param>
    public CUnit Read(ModuleFiles files)
    {
        var unit = Preprocessor.Run(PreprocessorRecord.Read(preprocessed, mainFile), open);
        var root = parser.Parse(unit.Text);
        var reader = new StatementReader(unit, NeverReturning(unit), Classes(unit, root));
        var functions = new List<CFunction>();
        foreach (var function in root.DescendantsAndSelf().Where(n => n.Kind is "function_definition" or "lambda_expression"))
        {
            var syntax = function["body"] ?? function.Child("default_method_clause") ?? function.Child("try_statement");
            if (syntax is not { Kind: "compound_statement" or "try_statement" or "default_method_clause" }) continue;
            functions.Add(Function(1));

            CFunction Function(int packSize)
            {
                reader.PackSize = packSize;
                var body = reader.Read(syntax);
                List<Statement> initializers = [.. reader.Initializers(function)];
                return new(Name(unit, function), function, unit.TokenAt(function.Start), unit.TokenAt(function.End - 1), body, initializers, new PointNumbers(body, initializers), Function);
            }
        }
        return new CUnit(unit, new Extents(unit), new Constants(unit, Enumerators(unit, root)), functions, files);
    }

    private static string Name(PreprocessedUnit unit, SyntaxNode function)
    {
        var declarator = function["declarator"];
        while (declarator?["declarator"] is { } inner) declarator = inner;
        return declarator == null ? "lambda" : unit.Tokens[unit.TokenAt(declarator.End - 1)].Text;
    }

    /// <summary>Names of classes, and of what they derive from.</summary>
    private static HashSet<string> Classes(PreprocessedUnit unit, SyntaxNode root) =>
        [.. root.DescendantsAndSelf().Where(n => n.Kind == "type_identifier" && (n.Field == "name" || n.Parent?.Kind == "base_class_clause")).Select(n => unit.Tokens[unit.TokenAt(n.Start)].Text)];

    private static Dictionary<string, long> Enumerators(PreprocessedUnit unit, SyntaxNode root)
    {
        var values = new Dictionary<string, long>(StringComparer.Ordinal);
        var constants = new Constants(unit, values);
        foreach (var list in root.DescendantsAndSelf().Where(n => n.Kind == "enumerator_list"))
        {
            long next = 0;
            foreach (var enumerator in list.NamedChildren.Where(c => c.Kind == "enumerator"))
            {
                if (enumerator["value"] is { } value) next = constants.ValueOf(new Statement(StatementKind.Other, value, 0, 0)) ?? next;
                values[unit.Tokens[unit.TokenAt(enumerator["name"]!.Start)].Text] = next++;
            }
        }
        foreach (var declaration in root.DescendantsAndSelf().Where(n => n.Kind == "declaration" && n.Children.Any(c => unit.Tokens[unit.TokenAt(c.Start)].Text == "constexpr")))
            foreach (var declarator in declaration.Children.Where(c => c.Kind == "init_declarator" && c["declarator"]!.Kind == "identifier"))
                if (constants.ValueOf(new Statement(StatementKind.Other, declarator["value"]!, 0, 0)) is { } value)
                    values[unit.Tokens[unit.TokenAt(declarator.Start)].Text] = value;
        return values;
    }

    /// <summary>Names of functions whose type says that they never return: the standard's attribute belongs to the declaration alone, and clang's coverage does not ask for it.</summary>
    private static HashSet<string> NeverReturning(PreprocessedUnit unit)
    {
        var text = unit.Declarations + System.Text.Encoding.UTF8.GetString(unit.Text);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var declaration in Declaration().Split(text))
            if (NoReturn().IsMatch(declaration) && FunctionName().Match(Attribute().Replace(declaration, " ")) is { Success: true } name)
                names.Add(name.Groups[1].Value);
        return names;
    }

    [GeneratedRegex("[;{}]")]
    private static partial Regex Declaration();

    [GeneratedRegex(@"__attribute__\s*\(\s*\(\s*(__)?noreturn(__)?\s*\)\s*\)")]
    private static partial Regex NoReturn();

    [GeneratedRegex(@"__attribute__\s*\(\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\s*\)")]
    private static partial Regex Attribute();

    [GeneratedRegex(@"(?!__attribute__)\b([A-Za-z_]\w*)\s*\(")]
    private static partial Regex FunctionName();
}
