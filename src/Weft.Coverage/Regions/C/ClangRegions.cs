namespace Weft.Coverage.Regions.C;

/// <summary>
/// The regions that clang gives a function, by a walk of its statements with clang's own rules for their counts
/// (CoverageMappingGen.cpp, CounterCoverageMappingBuilder; LLVM 22). Guarantee: for the same tree the same regions, in
/// the same order, and counts that are equal for every run.
/// </summary>
internal sealed partial class ClangRegions(Extents extents, PointNumbers points, Constants constants, Func<Statement, bool>? hasCode = null)
{
    private readonly RegionStack regions = new(extents);
    private readonly Stack<LoopExits> exits = new();
    private bool terminated;
    private Count gapCount = Count.Zero;

    /// <summary>The count around each statement that decides something.</summary>
    public Dictionary<Statement, Count> Parents { get; } = [];

    /// <summary>The count behind each switch and try, as a sum of those of all ways there.</summary>
    public Dictionary<Statement, Count> Exits { get; } = [];

    /// <summary>How often the statements that leave or continue a loop or switch ran.</summary>
    private sealed class LoopExits
    {
        public Count Breaks { get; set; } = Count.Zero;

        public Count Continues { get; set; } = Count.Zero;
    }

    /// <summary>The finished regions of a function with a body.</summary>
    /// <param name="body">Its body.</param>
    /// <param name="initializers">What initialises the members of a class before, where somebody wrote it.</param>
    public IReadOnlyList<OpenRegion> Run(Statement body, IEnumerable<Statement> initializers)
    {
        foreach (var initializer in initializers) Propagate(points.Of(body), initializer);
        Propagate(points.Of(body), body);
        return regions.Finished;
    }

    /// <summary>Makes a region of a statement with a count; returns the count at its end.</summary>
    private Count Propagate(Count count, Statement statement)
    {
        Location start = extents.Start(statement), end = extents.End(statement);
        var index = regions.Push(count, start, end);
        Visit(statement);
        var exit = regions.Top.Count;
        regions.Pop(index);
        if (extents.BeginsInArgument(statement)) regions.MostRecent = end;
        return exit;
    }

    private void Visit(Statement statement)
    {
        if (PointNumbers.HasPoint(statement)) Parents[statement] = regions.Top.Count;
        switch (statement.Kind)
        {
            case StatementKind.If: If(statement); break;
            case StatementKind.While: While(statement); break;
            case StatementKind.Do: Do(statement); break;
            case StatementKind.For: For(statement); break;
            case StatementKind.RangeFor: RangeFor(statement); break;
            case StatementKind.Switch: Switch(statement); break;
            case StatementKind.Case or StatementKind.Default: Case(statement); break;
            case StatementKind.Label: Label(statement); break;
            case StatementKind.Goto: Terminate(statement); break;
            case StatementKind.Break:
                if (exits.TryPeek(out var around)) around.Breaks += regions.Top.Count;
                Terminate(statement);
                break;
            case StatementKind.Continue:
                if (exits.TryPeek(out var loop)) loop.Continues += regions.Top.Count;
                Terminate(statement);
                break;
            case StatementKind.Return or StatementKind.Throw or StatementKind.CoroutineReturn:
                regions.Extend(statement);
                foreach (var child in statement.Children) Visit(child);
                Terminate(statement);
                break;
            case StatementKind.Try: Try(statement); break;
            case StatementKind.Conditional or StatementKind.Elvis: Conditional(statement); break;
            case StatementKind.And or StatementKind.Or: Logical(statement); break;
            case StatementKind.Lambda: break; // a function of its own
            case StatementKind.Call:
                Children(statement);
                if (statement.NeverReturns) Terminate(statement);
                break;
            default: Children(statement); break;
        }
    }

    private void Children(Statement statement)
    {
        regions.Extend(statement);
        Statement? last = null;
        var wasTerminated = terminated;
        terminated = false;
        gapCount = Count.Zero;
        foreach (var child in statement.Children)
        {
            if (last != null && terminated && child.Kind != StatementKind.Attributed)
            {
                FillGap(extents.GapBetween(extents.End(last), extents.Start(child)), gapCount);
                wasTerminated = true;
                terminated = false;
            }
            Visit(child);
            last = child;
        }
        if (wasTerminated) terminated = true;
        regions.LeaveFiles(extents.End(statement));
    }

    /// <summary>Ends the region: what follows is not reached from here.</summary>
    private void Terminate(Statement statement)
    {
        regions.Extend(statement);
        regions.Top.End ??= extents.End(statement);
        regions.Push(Count.Zero);
        terminated = true;
    }

    private void FillGap((Location Start, Location End)? gap, Count count, bool isSkipped = false)
    {
        if (gap is not var (start, end) || start == end) return;
        regions.LeaveFiles(start);
        var index = regions.Push(count, start, end);
        regions.Top.IsGap = !isSkipped;
        regions.Top.IsSkipped = isSkipped;
        regions.LeaveFiles(end);
        regions.Pop(index);
    }

    private void Branch(Statement condition, Count whenTrue, Count whenFalse)
    {
        if (condition.Stripped.IsLogical) return;
        if (constants.ValueOf(condition) is { } value)
        {
            if (value == 0) whenTrue = Count.Zero;
            else whenFalse = Count.Zero;
        }
        regions.Pop(regions.Push(whenTrue, extents.Start(condition), extents.End(condition), whenFalse));
    }

    private void Label(Statement statement)
    {
        var start = extents.Start(statement);
        regions.LeaveFiles(start);
        regions.Push(points.Of(statement), start);
        Visit(statement.Body!);
    }

    private void Try(Statement statement)
    {
        regions.Extend(statement);
        regions.Extend(statement.Body!);
        var exit = Propagate(regions.Top.Count, statement.Body!);
        foreach (var handler in statement.Children.Skip(1)) exit += Propagate(points.Of(handler), handler.Body!);
        Exits[statement] = exit;
        regions.Push(points.Of(statement));
    }

    private void Conditional(Statement statement)
    {
        regions.Extend(statement);
        Count parent = regions.Top.Count, whenTrue = points.Of(statement), whenFalse = parent - whenTrue;
        Propagate(parent, statement.Condition!);
        var exit = whenTrue;
        if (statement.Kind == StatementKind.Conditional)
        {
            FillGap(extents.GapBetween(extents.Start(statement.GapToken), extents.Start(statement.Body!)), whenTrue);
            regions.Extend(statement.Body!);
            exit = Propagate(whenTrue, statement.Body!);
        }
        regions.Extend(statement.Else!);
        exit += Propagate(whenFalse, statement.Else!);
        Continue(parent, exit);
        Branch(statement.Condition!, whenTrue, whenFalse);
    }

    private void Logical(Statement statement)
    {
        var isOr = statement.Kind == StatementKind.Or;
        regions.Extend(statement.Left);
        var exit = Propagate(regions.Top.Count, statement.Left);
        Count right = points.Of(statement), decided = points.Of(statement.Right);
        FillGap(extents.GapBetween(extents.End(statement.Left), extents.Start(statement.Right)), right);
        regions.LeaveFiles(extents.End(statement.Left));
        regions.Extend(statement.Right);
        Propagate(right, statement.Right);
        if (isOr && constants.ValueOf(statement.Left) is not (null or 0)) gapCount = exit;
        var parent = regions.Top.Count;
        if (isOr)
        {
            Branch(statement.Left, parent - right, right);
            Branch(statement.Right, right - decided, decided);
        }
        else
        {
            Branch(statement.Left, right, parent - right);
            Branch(statement.Right, decided, right - decided);
        }
    }

    /// <summary>Begins a region with the count behind a choice, where it differs from the one before.</summary>
    private bool Continue(Count before, Count after)
    {
        if (after.Equals(before)) return false;
        regions.Push(after);
        gapCount = after;
        return true;
    }
}
