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
            at = Compare(at, test, failed);
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
        (FlowBlock Block, string Variant)? rejected = null;
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
            var arm = new FlowBlock();
            if (rejected is { } guarded && guarded.Variant == VariantOf(pattern)) guarded.Block.Successors.Add(arm); // the switch had come to the guard
            else if (nested != null && VariantsIn(pattern) > 1) nested.Successors.Add(arm);
            else decision = Tested(decision, tests, arm);
            if (rejected != null && !HasTest(pattern)) rejected.Value.Block.Successors.Add(arm);
            if (nested != null && !HasTest(pattern)) nested.Successors.Add(arm);
            at = arm;
            if (pattern["condition"] is { } guard)
            {
                var failed = Guard(pattern, guard, isTested ? value : null);
                if (HasTest(pattern) && tests.Count == 0 && nested == null) rejected = (failed, VariantOf(pattern));
                else decision = failed;
            }
            else Bind(pattern);
            Into(arms[i]["value"]!);
            at.Successors.Add(join);
        }
        at = join;
    }

    /// <summary>A guard: what it tests was borrowed before, which counts for the value matched, and its end is where that ends.</summary>
    private FlowBlock Guard(SyntaxNode pattern, SyntaxNode guard, SyntaxNode? tested)
    {
        Bind(pattern);
        if (tested != null) Mark(tested);
        var (passed, failed) = (new FlowBlock(), new FlowBlock());
        Condition(guard, passed, failed);
        at = passed;
        if (tested != null) at.Spans.Add(new Span(guard.End - 1, guard.End));
        Bind(pattern);
        return failed;
    }

    /// <summary>Makes the tests of a pattern one after the other; goes on to the arm, or to where the next pattern is tried.</summary>
    private FlowBlock Tested(FlowBlock decision, List<SyntaxNode> tests, FlowBlock arm)
    {
        if (!tests.Exists(t => t.Kind == "range_pattern") || tests.Exists(t => t.Parent!.Kind == "or_pattern"))
        {
            foreach (var test in tests) decision.Spans.Add(SpanOf(test));
            decision.Successors.Add(arm);
            return decision;
        }
        var rest = new FlowBlock();
        foreach (var test in tests) decision = Compare(decision, test, rest);
        decision.Successors.Add(arm);
        return rest;
    }

    /// <summary>Compares with a pattern: one comparison for each end of a range.</summary>
    private FlowBlock Compare(FlowBlock from, SyntaxNode test, FlowBlock failed)
    {
        for (var left = test.Kind == "range_pattern" ? test.NamedChildren.Count() : 1; left > 0; left--)
        {
            from.Spans.Add(SpanOf(test));
            var next = new FlowBlock();
            from.Successors.AddRange([failed, next]);
            from = next;
        }
        return from;
    }

    /// <summary>What a pattern is switched on: a variant's name, or a number.</summary>
    private string VariantOf(SyntaxNode pattern) => pattern.NamedChildren.FirstOrDefault() is { } first ? TextOf(first["type"] ?? first) : "";

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
        return pattern.Kind == "scoped_identifier" ? 1 : count + pattern.NamedChildren.Where(c => c.Field is not ("condition" or "type")).Sum(VariantsIn);
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
