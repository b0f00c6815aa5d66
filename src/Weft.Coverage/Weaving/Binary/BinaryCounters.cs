using Weft.Core.Flow;
using Weft.Coverage.Model;
using Weft.Llvm;

namespace Weft.Coverage.Weaving.Binary;

/// <summary>
/// Counters that say only whether: <c>--coverage-counters binary</c>. A count of the front end's may be a difference of two
/// counters, which says nothing once they are 0 or 1; the map is rewritten over counters and sums alone.
/// <code>
/// mark @__profc_f[0], 1                          set @__profc_f[0]
/// br %c, then, join                              br %c, then, else
/// then: mark @__profc_f[1], 1           ==>      then: set @__profc_f[1]
///                                                else: set @__profc_f[2]
/// regions: #0, #1, (#0 - #1)                     regions: #0, #1, #2
/// </code>
/// Guarantee: a region is counted if and only if control came to it. A function with a difference that is not how often some place
/// of it, or two, are passed keeps counting, and its regions.
/// </summary>
internal sealed class BinaryCounters(Module module, Marks marks, Builder builder)
{
    // clang leaves a scope by one way for all, and remembers in a variable where to go on behind it: no number tells those ways apart
    // until each has blocks of its own. (The pass also drops blocks that a function may need, so it comes second.)
    private const string WaysApart = "function(sroa,jump-threading)";
    private const ulong CounterBytes = 8;

    private readonly FlowEditor editor = new(module.Context, builder);
    private readonly Dictionary<Function, FunctionFlow> flows = [];

    /// <summary>A counter's mark, and which of the function's counters it is.</summary>
    private readonly record struct Place(Function Function, Instruction Mark, int Index);

    /// <param name="module">With marks.</param>
    /// <param name="optimised">Whether its code may be changed.</param>
    public static void Rewrite(Module module, bool optimised)
    {
        var left = Rewrite(module, static _ => true);
        if (!optimised || left.Count == 0) return;
        module.RunPasses(WaysApart, machine: null, default);
        Rewrite(module, left.Contains);
    }

    /// <summary>The counters of the functions that keep counting.</summary>
    private static HashSet<nint> Rewrite(Module module, Func<nint, bool> isWanted)
    {
        using var builder = new Builder(module.Context);
        var counters = new BinaryCounters(module, new Marks(module), builder);
        var places = counters.Places();
        var left = new HashSet<nint>();
        foreach (var record in FunctionRecord.In(module))
            if (isWanted(record.Counters.Handle) && !counters.TryRewrite(record, places.GetValueOrDefault(record.Counters.Handle, [])))
                left.Add(record.Counters.Handle);
        return left;
    }

    private Dictionary<nint, List<Place>> Places()
    {
        var places = new Dictionary<nint, List<Place>>();
        foreach (var function in module.Functions)
            foreach (var mark in marks.In(function))
            {
                var address = Marks.CounterOf(mark);
                if (!places.TryGetValue(address.AddressedGlobal.Handle, out var own)) places.Add(address.AddressedGlobal.Handle, own = []);
                own.Add(new Place(function, mark, IndexOf(address)));
            }
        return places;
    }

    // The first of an array is the array itself; others are a constant getelementptr, in words or in bytes.
    private static int IndexOf(Value address)
    {
        if (address.AddressedGlobal.AsValue == address) return 0;
        var last = address.Operand(address.OperandCount - 1).ZExtValue;
        return (int)(address.AsInstruction.SourceElementType is { Kind: TypeKind.Integer, IntWidth: 8 } ? last / CounterBytes : last);
    }

    private bool TryRewrite(FunctionRecord record, List<Place> places)
    {
        record.Decode();
        var counters = new ReachedCounters(record.Expressions, record.CounterCount, Parts(record, places));
        var regions = new MappedRegion[record.Regions.Length];
        for (var i = 0; i < regions.Length; i++)
        {
            if (counters.Resolve(record.Regions[i].Count) is not { } count || counters.Resolve(record.Regions[i].FalseCount) is not { } falseCount) return false;
            regions[i] = record.Regions[i] with { Count = count, FalseCount = falseCount };
        }
        record.Replace(counters.Count, counters.Sums, regions);
        foreach (var (counter, flow, site) in counters.Additions)
            if (counters.Used.Contains(counter))
                Add(module.Context.ConstAdvance(record.Counters.AsValue, (ulong)counter * CounterBytes), flow, site);
        foreach (var place in places) Convert(place.Mark, counters.Used.Contains(place.Index));
        return true;
    }

    private List<ReachedCounters.Part> Parts(FunctionRecord record, List<Place> places)
    {
        var parts = new List<ReachedCounters.Part>();
        foreach (var own in places.GroupBy(p => p.Function))
        {
            var flow = FlowOf(own.Key);
            foreach (var copy in Copies([.. own], flow.Graph))
            {
                var numbers = new ulong[record.CounterCount];
                foreach (var (_, mark, index) in copy) numbers[index] += flow.NumberOf(mark, marks);
                parts.Add(new(flow, new CounterEvaluator(record.Expressions, numbers, record.Regions)));
            }
        }
        return parts;
    }

    /// <summary>
    /// rustc may have inlined a function several times into one. A mark belongs to the copies whose first counters' marks come to it
    /// past no other such mark: one, or those whose ways rustc has put together. Where that is wrong, no number is found.
    /// </summary>
    private static List<List<Place>> Copies(List<Place> places, FlowGraph graph)
    {
        var entries = places.FindAll(p => p.Index == 0);
        if (entries.Count < 2) return [places];
        var inBlock = places.ToLookup(p => graph.NumberOf(p.Mark.Block)); // in the order of instructions
        var copies = entries.ConvertAll(e => new List<Place> { e });
        foreach (var place in places.Where(p => p.Index != 0))
        {
            var own = EntriesOf(place, inBlock, graph);
            if (own == null) return [places];
            var joined = copies.FindAll(c => c.Exists(own.Contains));
            copies.RemoveAll(joined.Contains);
            copies.Add([.. joined.SelectMany(c => c), place]);
        }
        return copies;
    }

    /// <summary>Null if there is a way to the mark past none.</summary>
    private static List<Place>? EntriesOf(Place place, ILookup<int, Place> inBlock, FlowGraph graph)
    {
        var found = new List<Place>();
        var seen = new HashSet<int>();
        var open = new Stack<(int Block, IEnumerable<Place> Above)>();
        var start = graph.NumberOf(place.Mark.Block);
        open.Push((start, inBlock[start].TakeWhile(p => p != place)));
        while (open.TryPop(out var at))
        {
            if (at.Above.LastOrDefault(p => p.Index == 0) is { Mark.Exists: true } entry) found.Add(entry);
            else if (at.Block == 0) return null;
            else
                foreach (var before in graph.Predecessors[at.Block])
                    if (seen.Add(before)) open.Push((before, inBlock[before]));
        }
        return found;
    }

    private FunctionFlow FlowOf(Function function)
    {
        if (!flows.TryGetValue(function, out var flow)) flows.Add(function, flow = new FunctionFlow(module.Context, function, new BranchWeights(module.Context), (ulong)flows.Count << 32));
        return flow;
    }

    private void Convert(Instruction mark, bool isUsed)
    {
        if (isUsed)
        {
            builder.Before(mark);
            builder.SetLocation(mark.DebugLocation);
            marks.Set(builder, Marks.CounterOf(mark), marks.AmountOf(mark, module.Context.Int(64)));
        }
        mark.Erase();
    }

    private void Add(Value counter, FunctionFlow flow, Site site)
    {
        var word = module.Context.Int(64);
        builder.Before(site.Idle.Exists ? site.Idle : flow.BlockAt(site, editor).FirstInsertion);
        builder.SetArtificialLocation(flow.Function);
        marks.Set(builder, counter, site.Idle.Exists ? builder.Resize(builder.Compare(Predicate.Equal, marks.AmountOf(site.Idle, word), word.Const(0)), word) : word.Const(1));
    }
}
