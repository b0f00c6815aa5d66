using Weft.Syntax;

namespace Weft.Coverage.Regions.Rust;

internal sealed partial class RustFlow
{
    /// <summary>Matches a value against a pattern that may fail, and goes on in the block for success.</summary>
    private void Test(SyntaxNode pattern, SyntaxNode value, FlowBlock matched, FlowBlock failed)
    {
        Place(value);
        Mark(value);
        if (VariantsIn(pattern) > 1) Nested(value, failed);
        var tests = TestsOf(pattern).ToList();
        foreach (var test in tests)
        {
            Mark(test);
            var next = new FlowBlock();
            at.Successors.Add(failed);
            at.Successors.Add(next);
            at = next;
        }
        at.Successors.Add(matched);
        if (tests.Count == 0) at.Successors.Add(failed);
        at = matched;
        Bind(pattern);
    }

    private void Match(SyntaxNode node)
    {
        var value = node["value"]!;
        Place(value);
        Mark(value);
        var join = new FlowBlock();
        var arms = node["body"]!.Children.Where(c => c.Kind == "match_arm").ToList();
        var decision = at;
        var nested = arms.Exists(a => VariantsIn(a["pattern"]!) > 1) ? new FlowBlock() : null;
        if (nested != null)
        {
            nested.Spans.Add(SpanOf(value));
            decision.Successors.Add(nested);
        }
        var isTested = arms.Exists(a => HasTest(a["pattern"]!));
        for (var i = 0; i < arms.Count; i++)
        {
            var pattern = arms[i]["pattern"]!;
            var tests = TestsOf(pattern).ToList();
            if (tests.Count > 0 && (decision.Successors.Count > 0 || IsInVariant(tests[0], pattern)))
            {
                var next = new FlowBlock();
                decision.Successors.Add(next);
                decision = next;
            }
            foreach (var test in tests) decision.Spans.Add(SpanOf(test));
            var arm = new FlowBlock();
            (nested != null && VariantsIn(pattern) > 1 ? nested : decision).Successors.Add(arm);
            if (nested != null && !HasTest(pattern)) nested.Successors.Add(arm);
            at = arm;
            if (pattern["condition"] is { } guard) decision = Guard(pattern, guard, isTested ? value : null, decision);
            else Bind(pattern);
            Into(arms[i]["value"]!);
            at.Successors.Add(join);
        }
        at = join;
    }

    /// <summary>A guard: what it tests was borrowed before, which counts for the value matched, and its end is where that ends.</summary>
    private FlowBlock Guard(SyntaxNode pattern, SyntaxNode guard, SyntaxNode? tested, FlowBlock decision)
    {
        Bind(pattern);
        if (tested != null) Mark(tested);
        var (passed, failed) = (new FlowBlock(), new FlowBlock());
        Condition(guard, passed, failed);
        at = passed;
        if (tested != null) at.Spans.Add(new Span(guard.End - 1, guard.End));
        Bind(pattern);
        return failed.Successors.Count == 0 && decision.Successors.Count > 0 ? failed : decision;
    }

    /// <summary>Reading the tag of a variant in a variant leaves the span of the value matched once more, in a block of its own.</summary>
    private void Nested(SyntaxNode value, FlowBlock failed)
    {
        var inner = new FlowBlock();
        at.Successors.AddRange([failed, inner]);
        at = inner;
        Mark(value);
    }

    private int VariantsIn(SyntaxNode pattern)
    {
        var count = pattern.Kind is "tuple_struct_pattern" || pattern.Kind is "identifier" or "scoped_identifier" && char.IsUpper(TextOf(pattern)[0]) && pattern.Parent!.Kind != "tuple_struct_pattern" ? 1 : 0;
        return count + pattern.NamedChildren.Where(c => c.Field is not ("condition" or "type")).Sum(VariantsIn);
    }

    // A variant is switched on before what is in it is compared.
    private static bool IsInVariant(SyntaxNode test, SyntaxNode pattern)
    {
        for (var around = test.Parent; around != null && around != pattern; around = around.Parent)
            if (around.Kind is "tuple_struct_pattern" or "struct_pattern")
                return true;
        return false;
    }

    private static bool HasTest(SyntaxNode pattern) => pattern.NamedChildren.FirstOrDefault()?.Kind is not (null or "identifier");

    /// <summary>The parts of a pattern that are compared one by one: ranges and strings. Variants and numbers are switched on.</summary>
    private static IEnumerable<SyntaxNode> TestsOf(SyntaxNode pattern)
    {
        if (pattern.Kind is "range_pattern" or "string_literal" or "float_literal") yield return pattern;
        foreach (var child in pattern.NamedChildren)
            if (child.Field != "condition")
                foreach (var test in TestsOf(child)) yield return test;
    }

    /// <summary>Binds the names of a pattern, each with its span.</summary>
    private void Bind(SyntaxNode pattern)
    {
        foreach (var name in BindingsOf(pattern))
        {
            Declare(name);
            Mark(name);
        }
    }

    private void Declare(SyntaxNode pattern)
    {
        foreach (var name in BindingsOf(pattern)) locals.Add(TextOf(name.Kind == "mut_pattern" ? Inner(name, name) : name));
    }

    private IEnumerable<SyntaxNode> BindingsOf(SyntaxNode pattern)
    {
        if (pattern.Kind == "mut_pattern")
        {
            yield return pattern;
            yield break;
        }
        if (pattern.Kind is "identifier" or "shorthand_field_identifier" && char.IsLower(TextOf(pattern)[0])) yield return pattern;
        foreach (var child in pattern.NamedChildren)
        {
            if (child.Field is "type" or "condition" or "name" && child.Kind != "shorthand_field_identifier" || child.Kind is "field_identifier" or "scoped_identifier" or "range_pattern") continue;
            foreach (var name in BindingsOf(child)) yield return name;
        }
    }
}
