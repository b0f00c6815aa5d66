using System.Text;
using Weft.Syntax;

namespace Weft.Coverage.Regions.Rust;

/// <summary>The regions of all functions and closures of a file of Rust.</summary>
internal sealed class RustRegionReader(SyntaxParser parser, SourceFile source)
{
    // Behind this, an argument list parses as it stands; what comes before is taken off the offsets again.
    private static readonly byte[] Wrapper = "fn f() { f("u8.ToArray(), Closing = "); }"u8.ToArray();

    /// <summary>Reads the file.</summary>
    /// <param name="file">Its number in debug locations.</param>
    public RustUnit Read(int file)
    {
        var root = parser.Parse(source.Text);
        var functions = new List<RustFunction>();
        var macros = new RustMacros(NeverReturning(root), OwnMacros(root), ByValue(root));
        foreach (var node in Functions(root).Concat(MadeByMacros(root)))
        {
            Span? signature = node.Kind == "function_item" ? new Span(SignatureStart(node), SignatureEnd(node, node["body"]!)) : null;
            if (IsAsync(node)) functions.Add(Function(node, _ => (new FunctionRegions(Name(node), [source.Path], [Region(signature!.Value, 0)], 1), null)));
            functions.Add(Function(node, IsAsync(node) ? null : signature, macros));
        }
        return new RustUnit(source, functions, file);
    }

    /// <summary>Functions, closures and asynchronous blocks, those in arguments of macros too.</summary>
    private IEnumerable<SyntaxNode> Functions(SyntaxNode root)
    {
        foreach (var node in root.DescendantsAndSelf())
        {
            if (node.Kind is "function_item" or "closure_expression" && node["body"] != null || node.Kind == "async_block") yield return node;
            if (node.Kind != "macro_invocation") continue;
            foreach (var argument in ArgumentsOf(node, source.Text))
                foreach (var inner in Functions(argument)) yield return inner;
        }
    }

    /// <summary>Functions in what macros of the file become, where the macro has them: that is their place for rustc too.</summary>
    private IEnumerable<SyntaxNode> MadeByMacros(SyntaxNode root)
    {
        foreach (var rule in root.DescendantsAndSelf().Where(n => n.Kind == "macro_rule"))
        {
            var inside = Inside(rule["right"]!);
            // A variable of the macro's becomes a name of the same length.
            var made = source.Text[inside.Low..inside.High].Select(b => b == '$' ? (byte)'_' : b).ToArray();
            foreach (var node in parser.Parse(made, inside.Low).Children)
                if (node.Kind == "function_item" && !node.DescendantsAndSelf().Any(n => n.IsError || n.IsMissing)) yield return node;
        }
    }

    private static bool IsAsync(SyntaxNode node) => node.Kind == "function_item" && node.Children.Any(c => c.Kind == "function_modifiers" && c.Children.Any(m => m.Kind == "async"));

    private RustFunction Function(SyntaxNode node, Span? signature, RustMacros macros) => Function(node, code => Regions(node, signature, macros, code));

    private (FunctionRegions, CoverageGraph?) Regions(SyntaxNode node, Span? signature, RustMacros macros, RustCode? code)
    {
        var body = BodyOf(node);
        var flow = new RustFlow(source.Text, macros, code) { ArgumentsOf = ArgumentsOf, ParseBlock = ParseBlock };
        var graph = new CoverageGraph(flow.Build(body, node["parameters"]));
        var spans = new SpanRefiner(source.Text, new Span(body.Start, body.End)).Refine(graph, signature, flow.Holes);
        return (new FunctionRegions(Name(node), [source.Path], [.. spans.Select(s => Region(s.Span, s.Block))], graph.Blocks.Count), graph);
    }

    private RustFunction Function(SyntaxNode node, Func<RustCode?, (FunctionRegions, CoverageGraph?)> read) =>
        new(Name(node), new Span(node.Start, node.End), new Span(BodyOf(node).Start, BodyOf(node).End), read, IsConditional(node), IsAsync(node) || node.Kind == "async_block");

    private static SyntaxNode BodyOf(SyntaxNode node) => node["body"] ?? node.Child("block")!;

    /// <summary>Whether an attribute of the function, or of what it is in, may keep it from being compiled.</summary>
    private bool IsConditional(SyntaxNode node)
    {
        for (var around = node; around?.Parent is { } parent; around = parent)
        {
            var before = parent.Children.TakeWhile(c => c != around).Reverse().TakeWhile(c => c.Kind is "attribute_item" or "line_comment" or "block_comment");
            if (before.Any(a => a.Kind == "attribute_item" && TextOf(a) is var text && (text.StartsWith("#[cfg", StringComparison.Ordinal) || text == "#[test]"))) return true;
        }
        return false;
    }

    private string TextOf(SyntaxNode node) => Encoding.UTF8.GetString(source.Text, node.Start, node.End - node.Start);

    private Dictionary<string, MacroRules> OwnMacros(SyntaxNode root) =>
        root.DescendantsAndSelf().Where(n => n.Kind == "macro_definition").GroupBy(Name).ToDictionary(g => g.Key, g => new MacroRules(source.Text, [.. g.Last().Children.Where(c => c.Kind == "macro_rule").Select(Rule)]));

    private static (Span, Span) Rule(SyntaxNode rule) => (Inside(rule["left"]!), Inside(rule["right"]!));

    private static Span Inside(SyntaxNode group) => new(group.Start + 1, group.End - 1);

    private static int SignatureStart(SyntaxNode function) => function.Child("visibility_modifier") is { } visibility ? visibility.Start : function.Start;

    private int SignatureEnd(SyntaxNode function, SyntaxNode body)
    {
        var end = (function["return_type"] ?? function["parameters"] ?? body).End;
        return function.Child("where_clause") is { } where ? Math.Max(end, where.End) : end;
    }

    private string Name(SyntaxNode node) => node["name"] is { } name ? TextOf(name) : node.Kind == "async_block" ? "async" : "closure";

    private SourceRegion Region(Span span, int block)
    {
        var (line, column) = source.Position(span.Low);
        var (endLine, endColumn) = source.Position(span.High);
        return new SourceRegion(RegionKind.Code, 0, 0, Count.Of(block), null, line, column, endLine, endColumn);
    }

    private SyntaxNode? ParseBlock(byte[] block, int offset)
    {
        var start = "fn f() "u8;
        var root = parser.Parse([.. start, .. block], offset - start.Length);
        return root.DescendantsAndSelf().Any(n => n.IsError || n.IsMissing) ? null : root.DescendantsAndSelf().First(n => n.Kind == "block");
    }

    private IReadOnlyList<SyntaxNode> ArgumentsOf(SyntaxNode macro, byte[] text)
    {
        if (macro.Child("token_tree") is not { } tree) return [];
        var inner = text.AsSpan((tree.Start + 1)..(tree.End - 1));
        var root = parser.Parse([.. Wrapper, .. inner, .. Closing], tree.Start + 1 - Wrapper.Length);
        var arguments = root.DescendantsAndSelf().FirstOrDefault(n => n.Kind == "arguments");
        return arguments == null ? [] : [.. arguments.NamedChildren.Where(n => !n.IsError && n.Kind is not ("line_comment" or "block_comment"))];
    }

    private HashSet<string> ByValue(SyntaxNode root) =>
        [.. root.DescendantsAndSelf().Where(n => n.Kind is "function_item" or "function_signature_item" && n["parameters"]?.Child("self_parameter") is { } self && !TextOf(self).StartsWith('&')).Select(Name)];

    private HashSet<string> NeverReturning(SyntaxNode root) =>
        [.. root.DescendantsAndSelf().Where(n => n.Kind == "function_item" && n["return_type"]?.Kind == "never_type").Select(Name)];
}
