using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Interrupts;

/// <summary>
/// Decides where probes go, so that no cycle of the program is without one, no path without probes costs more than
/// <see cref="Settings.MaxGap"/>, and hot paths have as few as possible. It changes nothing.
/// <list type="bullet">
/// <item>A loop gets a probe a round; a tiny one is unrolled, and gets a probe every few rounds.</item>
/// <item>A counted loop without calls is prepaid. A nest without calls is a <see cref="Region"/>.</item>
/// <item>A short loop with a constant number of rounds is straight-line code.</item>
/// <item>A function gets a probe where it becomes certain that it makes a call that might come back to it, and where a
/// path would become too long. One without such calls, loops or long paths has none: callers pay for it. Nor has one that
/// only its module can call, by name: a call of the unknown can come back to it only through a function that has one.</item>
/// </list>
/// </summary>
internal sealed class Planner(Module module, FlowGraph graph, FunctionFacts facts, CostModel model, Settings settings)
{
    private const int Dispatch = 5; // ways of a switch that make a loop an interpreter
    private const int CopiesOutside = 2; // of a tiny loop that is in no region: most of them are not where time is spent

    private readonly Dictionary<Loop, LoopFacts> loopFacts = [];
    private readonly FunctionPlan plan = new();
    private readonly HashSet<int> probed = [];

    public LoopForest Loops { get; } = new(graph);

    /// <param name="Level">One round of it.</param>
    /// <param name="Round">Expected units of a round, without inner loops that pay for themselves.</param>
    /// <param name="Calls">Whether it, or a loop in it, makes calls on hot paths.</param>
    /// <param name="Counted">How it is counted, if it can be prepaid.</param>
    /// <param name="Folded">Units of all rounds, if it is short and always the same; else -1.</param>
    private sealed record LoopFacts(Level Level, double Round, bool Calls, CountedLoop? Counted, int Folded);

    public FunctionPlan Plan()
    {
        for (var i = Loops.All.Count - 1; i >= 0; i--) loopFacts[Loops.All[i]] = Examine(Loops.All[i]);
        var body = new Level(graph, facts, Loops, null);
        PlanBody(body);
        foreach (var loop in Loops.Roots) PlanLoop(loop);
        PlanWaysBack();
        foreach (var (block, call) in facts.SlowCalls)
            if (!facts.Cold[block] && !facts.Unprobed[block] && !call.IsMustTail) plan.Checks.Add(call);
        plan.Markers.AddRange(facts.RegionCalls.Select(c => c.Call));
        var syncs = plan.Probes.Count > 0 || plan.Regions.Count > 0 || plan.Unrolled.Count > 0 || plan.Checks.Count > 0 || facts.SyncCalls.Count > 0;
        plan.Summary = new Summary((int)Math.Min(Expected(body).GetValueOrDefault(0), settings.LeafLimit), syncs);
        return plan;
    }

    /// <summary>What this class is there to avoid.</summary>
    public static FunctionPlan ProbeEveryBlock(FlowGraph graph, FunctionFacts facts)
    {
        var everywhere = new FunctionPlan { Summary = new Summary(0, Syncs: true) };
        for (var i = 0; i < graph.Count; i++)
        {
            var before = i == 0 ? AfterAllocas(graph.Blocks[0]) : graph.Blocks[i].FirstInsertion;
            if (before.Exists && facts.Cost[i] > 0) everywhere.Probes.Add(new Probe(before, facts.Cost[i], "block"));
        }
        return everywhere;
    }

    // ---- Loops ----

    private LoopFacts Examine(Loop loop)
    {
        var level = new Level(graph, facts, Loops, loop);
        var round = loop.Headers.Sum(h => Expected(level).GetValueOrDefault(h)) / loop.Headers.Length;
        var calls = loop.Blocks.Any(b => facts.Syncs[b] && !facts.Cold[b]);
        var inner = loop.Children.Exists(c => loopFacts[c].Folded < 0);
        var counted = calls || inner || IsSearch(loop) ? null : CountedLoop.Match(loop, graph, module);
        var folded = counted?.ConstantTrips is { } trips and > 0 && trips * round <= settings.FoldLimit && !loop.Blocks.Any(b => facts.Syncs[b]) ? (int)(trips * round) : -1;
        return new LoopFacts(level, Math.Max(round, 1), calls, round < settings.StripLimit ? counted : null, folded);
    }

    /// <summary>A loop with another way out on a hot path usually finds what it looks for soon: paying for all of it in advance is a loss.</summary>
    private bool IsSearch(Loop loop) =>
        loop.Blocks.Count(b => Array.Exists(graph.Successors[b], s => !loop.Contains(s) && !facts.Cold[s])) > 1;

    private void PlanLoop(Loop loop)
    {
        var known = loopFacts[loop];
        if (known.Folded >= 0) return;
        if (!known.Calls && IsWorthARegister(loop) && CanBeRegion(loop)) PlanRegion(loop);
        else if (Math.Min(Copies(loop), CopiesOutside) is > 1 and var copies && CanBeRegion(loop)) plan.Unrolled.Add(new Unrolled(loop, copies, Units(known.Round * copies)));
        else
        {
            foreach (var header in loop.Headers) AddProbe(header, known.Round, loop.IsReducible ? "loop" : "irreducible loop");
            Cut(known.Level, loop.Headers, (before, cost) => plan.Probes.Add(new Probe(before, cost, "long path")));
            foreach (var child in loop.Children) PlanLoop(child);
        }
    }

    /// <summary>
    /// Loading and storing the register takes room, so only loops that look as if time were spent in them get one: nests,
    /// what can be prepaid, and interpreters.
    /// </summary>
    private bool IsWorthARegister(Loop loop) =>
        CanBePrepaid(loop) || loop.Children.Exists(c => loopFacts[c].Folded < 0) || Array.Exists(loop.Blocks, b => graph.Successors[b].Length >= Dispatch);

    private bool CanBePrepaid(Loop loop) => loopFacts[loop] is { Folded: < 0, Counted: { } counted } && Surroundings.CanBePrepaid(loop, counted, graph);

    // Instructions of a loop that is written out several times.
    private const int MostUnrolled = 8;

    private int Copies(Loop loop) => facts.IsSmall ? 1 : Unroller.Copies(loop, graph, MostUnrolled, _ => false);

    private bool CanBeRegion(Loop loop) =>
        settings.KeepInRegisters && !facts.IsSmall && !facts.ReturnsTwice && loop.IsReducible && !facts.Cold[loop.Header] && !facts.Unprobed[loop.Header]
        && Surroundings.CanHold(loop, graph, facts);

    private void PlanRegion(Loop root)
    {
        var region = new Region(root);
        foreach (var (block, call) in facts.SyncCalls)
            if (root.Contains(block)) region.Calls.Add(call);
        var work = new Stack<Loop>([root]);
        while (work.TryPop(out var loop))
        {
            var known = loopFacts[loop];
            if (known.Folded >= 0) continue;
            if (CanBePrepaid(loop)) region.Prepaid.Add(new Prepaid(loop, known.Counted!, Units(known.Round)));
            else if (Copies(loop) is > 1 and var copies) region.Unrolled.Add(new Unrolled(loop, copies, Units(known.Round * copies)));
            else
            {
                foreach (var header in loop.Headers)
                    if (graph.Blocks[header].FirstInsertion is { Exists: true } before) region.Spends.Add(new Spend(before, Units(known.Round), "loop"));
                Cut(known.Level, loop.Headers, (before, cost) => region.Spends.Add(new Spend(before, cost, "long path")));
            }
            foreach (var child in loop.Children) work.Push(child);
        }
        plan.Regions.Add(region);
    }

    // ---- Bodies ----

    private void PlanBody(Level body)
    {
        var certain = CertainToCall(body);
        var unpassed = new HashSet<int> { 0 }; // nodes that control may come to without having passed a probe
        foreach (var node in body.Order)
        {
            if (!unpassed.Contains(node)) continue;
            var child = body.ChildAt(node);
            if (child == null && certain.Contains(node) && !facts.IsPrivate) probed.Add(node);
            else if (child == null || loopFacts[child].Folded >= 0) unpassed.UnionWith(body.Next(node).Select(n => n.Node));
        }
        if (probed.Count == 0 && Longest(body) > settings.LeafLimit && body.ChildAt(0) == null) probed.Add(0);
        var starts = probed.ToArray();
        Cut(body, starts, (before, cost) => plan.Probes.Add(new Probe(before, cost, "long path")));
        var expected = Expected(body);
        foreach (var node in starts) AddProbe(node, Own(body, node) + body.Next(node).Sum(n => probed.Contains(n.Node) ? 0 : n.Probability * expected[n.Node]), "calls");
    }

    /// <summary>
    /// Deep recursion returns through frame after frame, so a way from a recursive call to the return must not be without a
    /// probe either. It gets one where it becomes certain that it returns. The entry's probe keeps its charge.
    /// </summary>
    private void PlanWaysBack()
    {
        var certain = CertainToReturn();
        var seen = new HashSet<int>();
        var work = new Stack<int>();
        for (var i = 0; i < graph.Count; i++)
        {
            if (facts.LastRecursion[i] is not { } call || facts.Cold[i] || facts.Unprobed[i] || IsJump(call)) continue;
            if (certain[i]) plan.WaysBack.Add(call);
            else work.Push(i);
        }
        while (work.TryPop(out var from))
            foreach (var to in graph.Successors[from])
                if (Surroundings.IsPad(graph.Blocks[to]) || graph.Blocks[from].Terminator.Opcode is not (Opcode.Br or Opcode.Switch or Opcode.Invoke)) continue; // nothing can be put between
                else if (certain[to] && facts.LastRecursion[to] == null) plan.WaysOut.Add((graph.Blocks[from], graph.Blocks[to]));
                else if (!PassesProbe(to) && facts.LastRecursion[to] == null && !facts.Cold[to] && seen.Add(to)) work.Push(to);
    }

    /// <summary>Blocks behind whose last recursive call, or from whose beginning, every way returns without passing a probe.</summary>
    private bool[] CertainToReturn()
    {
        var certain = new bool[graph.Count];
        for (var changed = true; changed;)
        {
            changed = false;
            for (var i = graph.Count - 1; i >= 0; i--)
                if (!certain[i] && !facts.Unprobed[i] && Returns(i)) certain[i] = changed = true;
        }
        return certain;

        bool Returns(int block) => graph.Successors[block] is { Length: > 0 } next
            ? Array.Exists(next, n => certain[n]) && Array.TrueForAll(next, n => facts.Cold[n] || certain[n] && !PassesProbe(n) && facts.LastRecursion[n] == null)
            : graph.Blocks[block].Terminator.Opcode == Opcode.Ret;
    }

    private bool PassesProbe(int block) =>
        probed.Contains(block) || Loops.Of(block) is { } loop && loop.Headers.Contains(block) && loopFacts[loop].Folded < 0;

    /// <summary>A call that becomes a jump leaves no frame to come back to; with a probe behind it, it would.</summary>
    private static bool IsJump(Instruction call)
    {
        if (!call.MayBeTail) return false;
        var next = call.Next;
        if (next.Opcode != Opcode.Br || next.SuccessorCount != 1) return next.Opcode == Opcode.Ret;
        var first = next.Successor(0).FirstInsertion;
        return first.Exists && first.Opcode == Opcode.Ret;
    }

    /// <summary>Blocks from which every way leads to a call that might come back to this function.</summary>
    private HashSet<int> CertainToCall(Level level)
    {
        var certain = new HashSet<int>();
        for (var i = level.Order.Count - 1; i >= 0; i--)
        {
            var node = level.Order[i];
            if (level.ChildAt(node) != null) continue;
            var next = graph.Successors[node];
            if (facts.Heavy[node] || next.Length > 0 && Array.TrueForAll(next, n => certain.Contains(n) || facts.Cold[n]) && Array.Exists(next, certain.Contains)) certain.Add(node);
        }
        return certain;
    }

    /// <summary>Places further probes where the way from the last one would become longer than the gap allowed.</summary>
    private void Cut(Level level, int[] starts, Action<Instruction, int> add)
    {
        var distance = new Dictionary<int, double>();
        var cuts = new List<int>();
        foreach (var node in level.Order)
        {
            var before = distance.GetValueOrDefault(node);
            var own = Own(level, node);
            var child = level.ChildAt(node);
            var isStart = starts.Contains(node);
            if (child == null && own > settings.MaxGap) SplitBlock(node, add);
            else if (child == null && !isStart && before + own > settings.MaxGap && before > 0 && !facts.Cold[node] && graph.Blocks[node].FirstInsertion.Exists)
            {
                cuts.Add(node);
                probed.Add(node);
                before = 0;
            }
            var after = isStart || child != null && loopFacts[child].Folded < 0 ? own : before + own;
            if (own > settings.MaxGap) after = own % settings.MaxGap;
            foreach (var (next, _) in level.Next(node)) distance[next] = Math.Max(distance.GetValueOrDefault(next), after);
        }
        if (cuts.Count == 0) return;
        var expected = Expected(level);
        foreach (var node in cuts)
            if (!facts.Unprobed[node]) add(graph.Blocks[node].FirstInsertion, Units(Own(level, node) + level.Next(node).Sum(n => probed.Contains(n.Node) ? 0 : n.Probability * expected[n.Node])));
    }

    /// <summary>A block that is longer than the gap: probes in its middle, each for what comes before the next.</summary>
    private void SplitBlock(int block, Action<Instruction, int> add)
    {
        if (facts.Cold[block] || facts.Unprobed[block]) return;
        var cost = 0;
        var first = graph.Blocks[block].FirstInsertion;
        var beyond = false;
        foreach (var instruction in graph.Blocks[block].Instructions)
        {
            beyond |= instruction == first;
            if (beyond && cost >= settings.MaxGap && !instruction.IsMustTail && instruction.Opcode is not (Opcode.Ret or Opcode.BitCast))
            {
                add(instruction, settings.MaxGap);
                cost = 0;
            }
            cost += model.Of(instruction);
        }
    }

    private double Longest(Level level)
    {
        var distance = new Dictionary<int, double>();
        var longest = 0.0;
        foreach (var node in level.Order)
        {
            var after = distance.GetValueOrDefault(node) + Own(level, node);
            if (facts.Cold[node]) continue;
            longest = Math.Max(longest, after);
            foreach (var (next, _) in level.Next(node)) distance[next] = Math.Max(distance.GetValueOrDefault(next), after);
        }
        return longest;
    }

    /// <summary>Units expected from each node to the next probe, the end of the level or, from a loop's header, a round.</summary>
    private Dictionary<int, double> Expected(Level level)
    {
        var expected = new Dictionary<int, double>();
        for (var i = level.Order.Count - 1; i >= 0; i--)
        {
            var node = level.Order[i];
            var sum = Own(level, node);
            foreach (var (next, probability) in level.Next(node))
                if (!probed.Contains(next)) sum += probability * expected.GetValueOrDefault(next);
            expected[node] = sum;
        }
        return expected;
    }

    // A longer block pays for the rest of itself.
    private double Own(Level level, int node) =>
        level.ChildAt(node) is { } child ? Math.Max(0, loopFacts[child].Folded) : Math.Min(facts.Cost[node], settings.MaxGap + facts.Cost[node] % settings.MaxGap);

    private void AddProbe(int block, double cost, string why)
    {
        if (facts.Unprobed[block]) return;
        var before = block == 0 ? AfterAllocas(graph.Blocks[0]) : graph.Blocks[block].FirstInsertion;
        if (before.Exists) plan.Probes.Add(new Probe(before, Units(cost), why));
    }

    // A probe brings a branch with it: an alloca behind it would no longer be a fixed slot of the frame.
    internal static Instruction AfterAllocas(BasicBlock entry)
    {
        var first = entry.First;
        foreach (var instruction in entry.Instructions)
            if (instruction.Opcode == Opcode.Alloca) first = instruction.Next;
        return first;
    }

    private static int Units(double cost) => Math.Max(1, (int)Math.Round(cost));
}
