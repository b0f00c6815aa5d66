namespace Weft.Coverage.Regions.C;

internal sealed partial class ClangRegions
{
    private void If(Statement statement)
    {
        if (statement.IsConstexpr)
        {
            IfConstexpr(statement);
            return;
        }
        regions.Extend(statement);
        if (statement.Init != null) Visit(statement.Init);
        regions.Extend(statement.Condition!);
        Count parent = regions.Top.Count, then = points.Of(statement), otherwise = parent - then;
        Propagate(parent, statement.Condition!);
        FillGap(extents.GapBetween(extents.Start(statement.GapToken), extents.Start(statement.Body!)), then);
        regions.Extend(statement.Body!);
        var exit = Propagate(then, statement.Body!);
        if (statement.Else is { } alternative)
        {
            var thenTerminated = terminated;
            terminated = false;
            FillGap(extents.GapBetween(extents.End(statement.Body!), extents.Start(alternative)), otherwise);
            regions.Extend(alternative);
            exit += Propagate(otherwise, alternative);
            if (thenTerminated) terminated = true;
        }
        else
        {
            exit += otherwise;
        }
        Continue(parent, exit);
        Branch(statement.Condition!, then, otherwise);
    }

    /// <summary>The arm that is not taken is skipped, and so is what stands around the one that is.</summary>
    private void IfConstexpr(Statement statement)
    {
        // What depends on a template's parameter is told by which arm the instantiation has code of.
        var holds = constants.ValueOf(statement.Condition!) is { } value ? value != 0 : hasCode?.Invoke(statement.Body!) == true;
        regions.Extend(statement);
        var parent = regions.Top.Count;
        var skipFrom = extents.Start(statement.First);
        if (statement.Init is { } init)
        {
            Skip(skipFrom, extents.Start(init));
            Propagate(parent, init);
            skipFrom = extents.End(init);
        }
        var (then, alternative) = (statement.Body!, statement.Else);
        if (holds)
        {
            Skip(skipFrom, extents.Start(then));
            Propagate(parent, then);
            if (alternative != null) Skip(extents.End(then), extents.End(alternative));
        }
        else
        {
            Skip(skipFrom, alternative == null ? extents.End(then) : extents.Start(alternative));
            if (alternative != null) Propagate(parent, alternative);
        }
    }

    private void Skip(Location start, Location before) => FillGap(extents.AreaBetween(start, before), Count.Zero, isSkipped: true);

    /// <summary>Visits a loop's body with its count; returns the count at its end, and how often it was left otherwise.</summary>
    private (Count Backedge, LoopExits Exits, bool Terminated) Body(Statement loop, Count count)
    {
        exits.Push(new LoopExits());
        regions.Extend(loop.Body!);
        var backedge = Propagate(count, loop.Body!);
        var result = (backedge, exits.Pop(), terminated);
        terminated = false;
        return result;
    }

    private void BodyGap(Statement loop, Count count) =>
        FillGap(extents.GapBetween(extents.Start(loop.GapToken), extents.Start(loop.Body!)), count);

    private void While(Statement loop)
    {
        regions.Extend(loop);
        Count parent = regions.Top.Count, body = points.Of(loop);
        var (backedge, left, bodyTerminated) = Body(loop, body);
        var condition = parent + backedge + left.Continues;
        Propagate(condition, loop.Condition!);
        regions.AdjustForOutOfOrderTraversal(extents.End(loop));
        BodyGap(loop, body);
        if (Continue(parent, left.Breaks + (condition - body)) && bodyTerminated) terminated = true;
        Branch(loop.Condition!, body, condition - body);
    }

    private void Do(Statement loop)
    {
        regions.Extend(loop);
        Count parent = regions.Top.Count, body = points.Of(loop);
        var (backedge, left, bodyTerminated) = Body(loop, parent + body);
        var condition = backedge + left.Continues;
        Propagate(condition, loop.Condition!);
        if (Continue(parent, left.Breaks + (condition - body)) && bodyTerminated) terminated = true;
        Branch(loop.Condition!, body, condition - body);
    }

    private void For(Statement loop)
    {
        regions.Extend(loop);
        if (loop.Init != null) Visit(loop.Init);
        Count parent = regions.Top.Count, body = points.Of(loop);
        if (loop.Increment != null) exits.Push(new LoopExits());
        var (backedge, left, bodyTerminated) = Body(loop, body);
        var ofIncrement = new LoopExits();
        if (loop.Increment != null)
        {
            Propagate(backedge + left.Continues, loop.Increment);
            ofIncrement = exits.Pop();
        }
        var condition = parent + backedge + left.Continues + ofIncrement.Continues;
        if (loop.Condition != null)
        {
            Propagate(condition, loop.Condition);
            regions.AdjustForOutOfOrderTraversal(extents.End(loop));
        }
        BodyGap(loop, body);
        if (Continue(parent, left.Breaks + ofIncrement.Breaks + (condition - body)) && bodyTerminated) terminated = true;
        if (loop.Condition != null) Branch(loop.Condition, body, condition - body);
    }

    private void RangeFor(Statement loop)
    {
        regions.Extend(loop);
        if (loop.Init != null) Visit(loop.Init);
        Visit(loop.Condition!);
        Count parent = regions.Top.Count, body = points.Of(loop);
        var (backedge, left, bodyTerminated) = Body(loop, body);
        BodyGap(loop, body);
        var condition = parent + backedge + left.Continues;
        if (Continue(parent, left.Breaks + (condition - body)) && bodyTerminated) terminated = true;
        RangeBranch(loop, body, condition - body);
    }

    // clang's condition is the comparison of iterators that it makes up at the colon.
    private void RangeBranch(Statement loop, Count whenTrue, Count whenFalse)
    {
        var colon = loop.Condition!.First - 1;
        regions.Pop(regions.Push(whenTrue, extents.Start(colon), extents.End(colon), whenFalse));
    }

    private void Switch(Statement statement)
    {
        regions.Extend(statement);
        if (statement.Init != null) Visit(statement.Init);
        Visit(statement.Condition!);
        exits.Push(new LoopExits());
        var end = SwitchBody(statement.Body!);
        var left = exits.Pop();
        if (exits.TryPeek(out var around)) around.Continues += left.Continues;
        var parent = regions.Top.Count;
        var cases = CasesOf(statement.Body!).ToList();
        var exit = points.Of(statement);
        Exits[statement] = left.Breaks + end;
        if (!cases.Exists(c => c.Kind == StatementKind.Default)) Exits[statement] += cases.Aggregate(parent, (rest, label) => rest - points.Of(label));
        regions.Push(exit);
        gapCount = exit;
        regions.MostRecent = extents.Start(statement);
        regions.LeaveFiles(extents.End(statement));
        CaseBranches(statement, cases, parent);
    }

    /// <summary>Visits the body; returns the count at its end.</summary>
    private Count SwitchBody(Statement body)
    {
        regions.Extend(body);
        if (body.Kind != StatementKind.Compound) return Propagate(Count.Zero, body);
        if (body.Children.Count == 0) return Count.Zero;
        // If the body begins with a case, that takes this region; else it is for what is never reached.
        var index = regions.Push(Count.Zero, extents.Start(body));
        regions.Top.IsGap = true;
        Visit(body);
        var end = regions.Top.Count;
        for (var i = regions.Depth - 1; i >= index; i--) regions[i].End ??= extents.End(body.Children[^1]);
        regions.Pop(index);
        return end;
    }

    private void Case(Statement statement)
    {
        regions.Extend(statement);
        var parent = regions.Top;
        var count = parent.Count + points.Of(statement);
        var start = extents.Start(statement);
        if (parent.Start == start) parent.Count = count;
        else regions.Push(count, start);
        gapCount = count;
        foreach (var value in statement.Children) if (value != statement.Body) Visit(value);
        if (statement.Body != null) Visit(statement.Body);
    }

    private void CaseBranches(Statement statement, List<Statement> cases, Count parent)
    {
        var sum = Count.Zero;
        var hasDefault = false;
        // clang's list of cases has the last one first.
        foreach (var label in Enumerable.Reverse(cases))
        {
            var taken = points.Of(label);
            hasDefault |= label.Kind == StatementKind.Default;
            sum += taken;
            regions.Pop(regions.Push(taken, extents.Start(label), extents.Start(label.Colon), parent - taken));
        }
        if (!hasDefault) Branch(statement.Condition!, sum, parent - sum);
    }

    private static IEnumerable<Statement> CasesOf(Statement statement)
    {
        if (statement.Kind is StatementKind.Case or StatementKind.Default) yield return statement;
        foreach (var child in statement.Children)
            if (child.Kind != StatementKind.Switch)
                foreach (var inner in CasesOf(child)) yield return inner;
    }
}
