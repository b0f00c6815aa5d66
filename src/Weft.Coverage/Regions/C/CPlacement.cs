using Weft.Coverage.Regions.Placement;
using Weft.Llvm;

namespace Weft.Coverage.Regions.C;

/// <summary>
/// Finds what clang would count in the code that clang makes without counters: for each point the edges, blocks and values
/// that it is the sum of. Statements are gone through in the order in which clang makes code of them.
/// <code>
/// if (a &amp;&amp; b) ...      br a ──▶ br b ──▶ then      the point of the if: the edge of b when true
///                       ╰────────┴─▶ after     the point of the &amp;&amp;: the edge of a when true
/// </code>
/// What has no decision in the code is constant, and is always or never done: <see cref="Settle"/>.
/// </summary>
internal sealed class CPlacement
{
    private static readonly HashSet<string> Unevaluated = ["sizeof_expression", "alignof_expression", "decltype", "noexcept"];

    private readonly CUnit unit;
    private readonly CFunction syntax;
    private readonly LocatedFunction function;
    private readonly Sites sites;
    private readonly Decisions decisions;
    private readonly HashSet<Place> code;
    private readonly Dictionary<int, Count> known = [];
    private readonly Dictionary<int, Func<Count>> derived = [];
    private readonly Stack<SwitchCases> switches = new();
    private readonly Dictionary<Statement, Statement> folded = []; // cases of switches over constants

    public CPlacement(CUnit unit, CFunction syntax, LocatedFunction function, Sites sites)
    {
        (this.unit, this.syntax, this.function, this.sites) = (unit, syntax, function, sites);
        decisions = new Decisions(function, sites);
        code = [.. function.Located.Select(l => l.Place)];
        Set(syntax.Body, sites.Block(0));
        foreach (var initializer in syntax.Initializers) Visit(initializer);
        Visit(syntax.Body);
    }

    /// <summary>The cases of a switch in the order of its instruction.</summary>
    private sealed class SwitchCases(Statement statement, int? block)
    {
        public Statement Statement { get; } = statement;

        public int? Block { get; } = block;

        public int Next { get; set; } = 1; // 0 is the default
    }

    /// <summary>Whether clang made code of a statement.</summary>
    public bool HasCode(Statement statement) => unit.PlacesOf(statement.First, statement.Last, asExpanded: false).Any(code.Contains);

    /// <summary>Gives the points that have no place in the code their counts, by those around.</summary>
    public void Settle(ClangRegions walk)
    {
        foreach (var (statement, exit) in walk.Exits) Derive(statement, () => exit.Replace(CountOf));
        foreach (var (statement, parent) in walk.Parents)
        {
            var around = folded.TryGetValue(statement, out var choice) ? walk.Parents.GetValueOrDefault(choice, Count.Zero) : parent;
            Derive(statement, () => IsAlwaysDone(statement) ? around.Replace(CountOf) : sites.Never);
        }
    }

    /// <summary>A point as a sum of sites; one that is never counted where nothing is known of it.</summary>
    public Count CountOf(int point)
    {
        if (known.TryGetValue(point, out var count)) return count;
        if (!derived.Remove(point, out var make)) return sites.Never; // unknown, or depends on itself
        return known[point] = make();
    }

    private void Set(Statement statement, Count? count)
    {
        if (count != null && syntax.Points.NumberOf(statement) is { } number) known.TryAdd(number, count);
    }

    private void Derive(Statement statement, Func<Count> count)
    {
        if (syntax.Points.NumberOf(statement) is { } number && !known.ContainsKey(number)) derived.TryAdd(number, count);
    }

    private bool IsAlwaysDone(Statement statement) => statement.Kind switch
    {
        StatementKind.And => unit.Constants.ValueOf(statement.Left) is { } left ? left != 0 : HasCode(statement.Right),
        StatementKind.Or => unit.Constants.ValueOf(statement.Left) is { } left ? left == 0 : HasCode(statement.Right),
        StatementKind.Do => false,
        _ when statement.Condition is { } condition && unit.Constants.ValueOf(condition) is { } value => value != 0,
        _ => statement.Body is { } body && HasCode(body),
    };

    private bool IsTrue(Statement statement) => unit.Constants.ValueOf(statement) is not (null or 0);

    private void Visit(Statement statement)
    {
        switch (statement.Kind)
        {
            case StatementKind.If when statement.IsConstexpr: Children(statement); break;
            case StatementKind.If or StatementKind.While or StatementKind.Do or StatementKind.Conditional or StatementKind.Elvis: Decided(statement, statement.Children); break;
            case StatementKind.For: Decided(statement, [statement.Init, statement.Condition, statement.Body, statement.Increment]); break;
            case StatementKind.RangeFor: RangeFor(statement); break;
            case StatementKind.Switch: Switch(statement); break;
            case StatementKind.Case or StatementKind.Default: Case(statement); break;
            case StatementKind.Label:
                Set(statement, BlockOf(statement.Body!));
                Children(statement);
                break;
            case StatementKind.Try: Try(statement); break;
            case StatementKind.Catch: Catch(statement); break;
            case StatementKind.And or StatementKind.Or: Value(statement); break;
            case StatementKind.Lambda: break; // a function of its own
            case StatementKind.Other when Unevaluated.Contains(statement.Syntax.Kind): Forget(statement); break;
            default: Children(statement); break;
        }
    }

    // Counted by nobody, since there is no code of it.
    private void Forget(Statement statement)
    {
        foreach (var child in statement.Children)
        {
            Set(child, sites.Never);
            Forget(child);
        }
    }

    private void Children(Statement statement)
    {
        foreach (var child in statement.Children) Visit(child);
    }

    private void Decided(Statement statement, IEnumerable<Statement?> parts)
    {
        foreach (var part in parts)
            if (part != null && part == statement.Condition) Set(statement, (IsLoop(statement) ? LoopCondition(statement) : Condition(part))?.True);
            else if (part != null) Visit(part);
        if (statement.Kind is StatementKind.While or StatementKind.For && IsEndless(statement)) Set(statement, BlockOf(statement.Body!));
    }

    private static bool IsLoop(Statement statement) => statement.Kind is StatementKind.While or StatementKind.Do or StatementKind.For;

    /// <summary>A loop asks for the value of the whole condition; the branch stands where the loop does, or what was before the condition.</summary>
    private Outcomes? LoopCondition(Statement loop)
    {
        var condition = loop.Condition!;
        if (!condition.Stripped.IsLogical) return Condition(condition);
        Visit(condition);
        var before = loop.Kind == StatementKind.Do ? PlacesOf(loop.Body!.First, loop.Body.First) : [];
        return decisions.TakeCondition(PlacesOf(condition).Union(PlacesOf(loop.First, loop.First)).Union(PlacesOf(condition.First - 2, condition.First - 1)).Union(before).ToHashSet());
    }

    private bool IsEndless(Statement loop) => loop.Condition is not { } condition || IsTrue(condition);

    // The comparison that clang makes up stands at the colon.
    private void RangeFor(Statement loop)
    {
        if (loop.Init != null) Visit(loop.Init);
        Visit(loop.Condition!);
        Set(loop, decisions.TakeCondition(PlacesOf(loop.Condition!.First - 1, loop.Condition!.First - 1))?.True);
        Visit(loop.Body!);
    }

    /// <summary>What a condition branches on, as parts joined by <c>&amp;&amp;</c>, <c>||</c>, <c>!</c> and <c>?:</c>; null where it does not.</summary>
    private Outcomes? Condition(Statement condition)
    {
        switch (condition.Kind)
        {
            case StatementKind.Parentheses when condition.Children.Count == 1: return Condition(condition.Children[0]);
            case StatementKind.Not when condition.Children.Count == 1:
                return Condition(condition.Children[0]) is { } inner ? new(inner.False, inner.True) : null;
            case StatementKind.And or StatementKind.Or: return Logical(condition, Condition(condition.Left), () => Condition(condition.Right));
            case StatementKind.Conditional:
                Set(condition, Condition(condition.Condition!)?.True);
                Outcomes? then = Condition(condition.Body!), otherwise = Condition(condition.Else!);
                return then is { } first && otherwise is { } second ? new(first.True + second.True, first.False + second.False) : then ?? otherwise;
            default:
                Children(condition);
                return decisions.TakeCondition(PlacesOf(condition)) ?? decisions.TakeCondition(PlacesOf(condition, asExpanded: true));
        }
    }

    /// <summary>As a value, the left side is branched on and the right one flows into a phi.</summary>
    private void Value(Statement logical) => Logical(logical, Condition(logical.Left), () =>
    {
        Visit(logical.Right);
        if (logical.Right.Stripped.IsLogical) return null;
        return decisions.TakeValue(PlacesOf(logical.Right)) ?? decisions.TakeValue(PlacesOf(logical.Right, asExpanded: true));
    });

    private Outcomes? Logical(Statement logical, Outcomes? left, Func<Outcomes?> readRight)
    {
        var isAnd = logical.Kind == StatementKind.And;
        Set(logical, isAnd ? left?.True : left?.False);
        var right = readRight();
        if (!logical.Right.Stripped.IsLogical) Set(logical.Right, isAnd ? right?.True : right?.False);
        if (left is not { } first) return right;
        if (right is not { } second) return left;
        return isAnd ? new(second.True, first.False + second.False) : new(first.True + second.True, second.False);
    }

    private void Switch(Statement statement)
    {
        if (statement.Init != null) Visit(statement.Init);
        foreach (var part in statement.Children.Where(c => c != statement.Init && c != statement.Body)) Visit(part);
        var head = PlacesOf(statement.First, statement.Condition!.Last);
        switches.Push(new SwitchCases(statement, decisions.TakeSwitch(head)));
        Visit(statement.Body!);
        switches.Pop();
    }

    private void Case(Statement label)
    {
        if (switches.TryPeek(out var around) && around.Block == null) folded[label] = around.Statement;
        else if (around?.Block is { } block)
        {
            var successors = function.Graph.Successors[block].Length;
            if (label.Kind == StatementKind.Default) Set(label, sites.Edge(block, 0));
            else if (around.Next < successors) Set(label, Edges(block, around.Next, around.Next = EndOf(label, block, around.Next)));
        }
        Children(label);
    }

    private Count Edges(int block, int first, int end)
    {
        var sum = Count.Zero;
        for (var i = first; i < end; i++) sum += sites.Edge(block, i);
        return sum;
    }

    /// <summary>Behind a case's last edge: a range of values has one for each, all to the same block.</summary>
    private int EndOf(Statement label, int block, int first)
    {
        var successors = function.Graph.Successors[block];
        var end = first + 1;
        if (unit.HasToken(label.First, label.Colon, "..."))
            while (end < successors.Length && successors[end] == successors[first]) end++;
        return end;
    }

    private void Try(Statement statement)
    {
        Children(statement);
        var ends = statement.Children.Select(part => part.Kind == StatementKind.Catch ? part.Body! : part).SelectMany(part => PlacesOf(part.Last, part.Last)).ToHashSet();
        if (BehindHandlers(ends) is { } exit) Set(statement, sites.Landing(exit));
    }

    /// <summary>The block that the ends of handlers, and what they are handlers of, jump to.</summary>
    private int? BehindHandlers(HashSet<Place> ends)
    {
        foreach (var (instruction, block, place) in function.Located)
        {
            if (instruction.Opcode != Opcode.Br || instruction.SuccessorCount != 1 || !ends.Contains(place)) continue;
            if (function.Normal[block] || Calls(block, "__cxa_end_catch")) return function.Graph.Successors[block][0];
        }
        return null;
    }

    private void Catch(Statement handler)
    {
        Children(handler);
        var body = handler.Body!;
        var inside = body.Children.Count > 0 ? PlacesOf(body.First, body.Last - 1) : PlacesOf(body.Last, body.Last);
        foreach (var (_, block, place) in function.Located)
            if (inside.Contains(place) && (body.Children.Count > 0 || Calls(block, "__cxa_begin_catch")))
            {
                Set(handler, sites.Landing(block));
                return;
            }
    }

    private bool Calls(int block, string name)
    {
        foreach (var instruction in function.Graph.Blocks[block].Instructions)
            if (instruction.IsCall && instruction.CalledValue.NameBytes.SequenceEqual(System.Text.Encoding.ASCII.GetBytes(name)))
                return true;
        return false;
    }

    /// <summary>The block that a statement begins in.</summary>
    private Count? BlockOf(Statement statement)
    {
        var places = PlacesOf(statement);
        foreach (var (_, block, place) in function.Located)
            if (places.Contains(place)) return sites.Block(block);
        return null;
    }

    private HashSet<Place> PlacesOf(Statement statement, bool asExpanded = false) => [.. unit.PlacesOf(statement.First, statement.Last, asExpanded)];

    private HashSet<Place> PlacesOf(int first, int last) => [.. unit.PlacesOf(first, last, asExpanded: false)];
}
