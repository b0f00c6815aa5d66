using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>
/// Takes the point out of a counted loop's rounds: it goes round as often as it may before the limit could be reached, and is looked at
/// then, where memory is what it would have been. <c>UNITS</c> is the most that a round costs.
/// <code>
///                                              enter:    %first = phi [%start, outside...], [%next, over]
///                                                        point AHEAD                    ; where it begins the round
///                                                        %rounds = min(room AHEAD UNITS, %trips)
///                                                        %limit = %first + %rounds * STEP
/// header:  %iv = phi [%start, outside...],     header:   %iv = phi [%first, enter], [%next, %latch]
///                    [%next, %latch]
///          point                        ==>
///          store, mark                                   store, mark
/// latch:   %next = add %iv, STEP               latch:    %next = add %iv, STEP
///          br (%next != %bound), %header,                br (%next != %limit), %header, %over
///                                %exit         over:     point AHEAD                    ; where it ends it
///                                                        br (%next != %bound), %enter, %exit
/// </code>
/// Guarantee: the limit is found in the same round as before.
/// </summary>
internal sealed class PointChunker(Module module, Builder builder, BranchWeights weights, LimitPoints points, WorkMarks marks)
{
    /// <summary>Loops with fewer rounds are not worth it.</summary>
    private const ulong FewRounds = 8;

    private readonly LlvmType unit = module.Context.Int(64);

    /// <param name="Loop">The loop.</param>
    /// <param name="Counted">How it is counted.</param>
    /// <param name="Point">Its only point.</param>
    /// <param name="BeginsRound">Whether it stands before what a round does, or behind it.</param>
    /// <param name="Beside">Units of the marks on that side of it.</param>
    /// <param name="Units">The most that a round costs.</param>
    private readonly record struct Match(Loop Loop, CountedLoop Counted, Instruction Point, bool BeginsRound, ulong Beside, ulong Units);

    /// <summary>Returns whether there was one.</summary>
    public bool Run(FunctionFlow flow)
    {
        var forest = new LoopForest(flow.Graph);
        var found = forest.All.Where(l => l.Children.Count == 0).Select(l => Find(l, flow)).OfType<Match>().ToList();
        if (found.Count == 0) return false;
        var chunker = new LoopChunker(module.Context, builder, new FlowEditor(module.Context, builder), weights, new LoopMembership(flow.Graph, forest));
        foreach (var match in found) Chunk(match, flow.Graph, chunker);
        return true;
    }

    private Match? Find(Loop loop, FunctionFlow flow)
    {
        var steps = loop.Blocks.SelectMany(b => flow.Steps[b]).ToList();
        if (steps.Exists(s => s.Look != Look.None) || steps.Where(s => s.Point != null).ToList() is not [{ At.Opcode: Opcode.Call } point]) return null;
        if (CountedLoop.Match(loop, flow.Graph, module) is not { ConstantTrips: 0 or > FewRounds } counted || MostUnits(loop, flow) is not { } units) return null;
        var block = flow.Graph.NumberOf(point.At.Block);
        if (block == loop.Header && UnitsBefore(point.At) is { } before) return new(loop, counted, point.At, true, before, units);
        return block == counted.Latch && UnitsBehind(point.At) is { } behind ? new(loop, counted, point.At, false, behind, units) : null;
    }

    // Nothing that memory could tell may stand between a point and its end of the round.
    private ulong? UnitsBefore(Instruction point)
    {
        var units = 0ul;
        foreach (var instruction in point.Block.Instructions)
        {
            if (instruction == point) return units;
            if (IsEffect(instruction)) return null;
            if (marks.Is(instruction)) units += WorkMarks.UnitsOf(instruction);
        }
        return null;
    }

    private ulong? UnitsBehind(Instruction point)
    {
        var units = 0ul;
        for (var instruction = point.Next; instruction.Exists; instruction = instruction.Next)
        {
            if (IsEffect(instruction)) return null;
            if (marks.Is(instruction)) units += WorkMarks.UnitsOf(instruction);
        }
        return units;
    }

    private bool IsEffect(Instruction instruction) =>
        instruction.IsSynchronising || instruction.Opcode == Opcode.Store || instruction.IsCall && !marks.Is(instruction) && !(instruction.CalledValue is { IsFunction: true } callee && callee.AsFunction.IsIntrinsic && instruction.IsSilent);

    private static ulong? MostUnits(Loop loop, FunctionFlow flow)
    {
        var most = loop.Blocks.ToDictionary(b => b, _ => 0ul);
        var round = 0ul;
        foreach (var block in flow.Graph.Order)
        {
            if (!loop.Contains(block)) continue;
            var units = most[block] + flow.Steps[block].Aggregate(0ul, (sum, s) => sum + s.Units);
            foreach (var next in flow.Graph.Successors[block])
                if (next == loop.Header) round = Math.Max(round, units);
                else if (loop.Contains(next)) most[next] = Math.Max(units, most[next]);
        }
        return round == 0 ? null : round;
    }

    private void Chunk(Match match, FlowGraph graph, LoopChunker chunker)
    {
        // Units from a round's begin to its point; the point that moves is passed before or behind those beside it.
        var ahead = (long)(match.BeginsRound ? match.Beside : match.Units - match.Beside);
        match.Point.Remove();
        chunker.Split(match.Loop, match.Counted, graph,
            enter: (block, first, bound) =>
            {
                builder.AtEnd(block);
                if (match.BeginsRound) Insert(match.Point, ahead);
                return (Limit(first, bound, match, points.Room(builder, ahead, match.Units)), block);
            },
            over: () =>
            {
                if (!match.BeginsRound) Insert(match.Point, -(long)match.Beside);
            },
            again: () => { });
    }

    private void Insert(Instruction point, long ahead)
    {
        var location = point.DebugLocation;
        builder.Insert(point);
        LimitPoints.SetAhead(point, ahead);
        builder.SetLocation(location);
    }

    private Value Limit(Value first, Value bound, Match match, Value room)
    {
        var rounds = new LoopRounds(builder, unit);
        var trips = rounds.Until(first, bound, match.Counted); // may be one less than it is
        return builder.Select(builder.Compare(Predicate.UnsignedLess, trips, room), bound, rounds.After(first, room, match.Counted));
    }
}
