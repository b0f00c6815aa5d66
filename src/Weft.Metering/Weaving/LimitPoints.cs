using Weft.Core.Flow;
using Weft.Llvm;

namespace Weft.Metering.Weaving;

/// <summary>Why the limit is looked at.</summary>
internal enum LimitPoint
{
    /// <summary>Code is called that is not woven, or a function begins that may be part of a recursion: charges are in memory then.</summary>
    Call,

    /// <summary>A loop goes round: what is pending may stay in a register.</summary>
    Loop,

    /// <summary>No point: how often a loop may go round before one is reached.</summary>
    Room,
}

/// <summary>
/// <c>--metering-limits exact</c>: the limit is looked at in places of the source, whatever the level, and there memory is as the source
/// says. FRONT puts calls there that may throw: the optimiser moves no store across that somebody could see if they did, callers keep
/// their landing pads, and inlining puts them into their scope.
/// <code>
/// loop:                                             loop:
///   call void @h() nounwind                           call void @weft.metering.point(i64 1)
///   br i1 %c, label %loop, label %out                 call void @h() nounwind
/// out:                                        ==>     br i1 %c, label %loop, label %out
///   invoke void @g() to label %on unwind label %pad out:
///                                                     invoke void @weft.metering.point(i64 0) to label %rest unwind label %pad
///                                                   rest:
///                                                     invoke void @g() to label %on unwind label %pad
/// </code>
/// MIDDLE makes a check of each, or what looks without a charge.
/// Guarantee: no way round a loop or a recursion passes no point, unless it goes through functions that are declared not to throw.
/// </summary>
internal sealed class LimitPoints
{
    private const string Name = "weft.metering.point", RoomName = "weft.metering.room";

    // A point's operand: what it is, and above that how much more is pending than where it stands.
    private const int KindBits = 8;

    private readonly Function point, room;

    private LimitPoints(Function point, Function room) => (this.point, this.room) = (point, room);

    /// <summary>The points of a module, or null where it has none.</summary>
    public static LimitPoints? Find(Module module) => module.FindFunction(Name) is { } point ? new(point, DeclareRoom(module)) : null;

    private static Function DeclareRoom(Module module)
    {
        var unit = module.Context.Int(64);
        var declared = module.FindFunction(RoomName) ?? module.AddFunction(RoomName, LlvmType.Function(unit, unit, unit));
        foreach (var attribute in (ReadOnlySpan<string>)["nofree", "nounwind", "willreturn", "nocallback"]) declared.Add(module.Context.EnumAttribute(System.Text.Encoding.ASCII.GetBytes(attribute)));
        declared.Add(module.Context.EnumAttribute("memory"u8, Probes.InaccessibleReadWrite));
        return declared;
    }

    /// <summary>Puts points into functions, and lets them be left.</summary>
    public static void Insert(Module module, IReadOnlyList<Function> functions, Builder builder)
    {
        var context = module.Context;
        var declared = module.AddFunction(Name, LlvmType.Function(context.Void, context.Int(64)));
        declared.Add(context.EnumAttribute("nofree"u8));
        declared.Add(context.EnumAttribute("nomerge"u8));
        declared.Add(context.EnumAttribute("memory"u8, Probes.InaccessibleReadWrite));
        new LimitPointInserter(module, declared, functions, builder).Run();
    }

    /// <summary>What kind of point an instruction is, or null.</summary>
    public LimitPoint? KindOf(Instruction instruction) =>
        !instruction.IsCall ? null
        : instruction.CalledValue.Handle == point.Handle ? (LimitPoint)(instruction.AsValue.Operand(0).ZExtValue & ((1 << KindBits) - 1))
        : instruction.CalledValue.Handle == room.Handle ? LimitPoint.Room
        : null;

    /// <summary>Units that are to be looked at beyond those pending where it stands.</summary>
    public static ulong AheadOf(Instruction point) => (ulong)((long)point.AsValue.Operand(0).ZExtValue >> KindBits);

    public static void SetAhead(Instruction point, long units) => point.SetOperand(0, point.AsValue.Operand(0).Type.Const(Encode(LimitPoint.Loop, units)));

    /// <summary>How many rounds may begin before one's point is reached that has to look: at least one.</summary>
    /// <param name="builder">Stands where the first would.</param>
    /// <param name="ahead">Units from there to its point.</param>
    /// <param name="units">The most from point to point.</param>
    public Value Room(Builder builder, long ahead, ulong units)
    {
        var unit = point.FunctionType.Parameters[0];
        return builder.Call(room, unit.Const(Encode(LimitPoint.Room, ahead)), unit.Const(units)).AsValue;
    }

    private static ulong Encode(LimitPoint kind, long ahead) => (ulong)(ahead << KindBits) | (ulong)kind;

    /// <summary>Makes a probe of a point.</summary>
    public static void Become(Instruction call, Function probe, Value units)
    {
        call.SetOperand(0, units);
        call.SetOperand(call.AsValue.OperandCount - 1, probe.AsValue);
    }

    /// <summary>Makes checks of those that are left: nothing is charged before them that is not in memory.</summary>
    public void Seal(Probes probes)
    {
        var nothing = point.FunctionType.Parameters[0].Const(0);
        foreach (var call in point.AsValue.Users) Become(call, probes.Check, nothing);
        point.Delete();
        if (!room.AsValue.HasUses) room.Delete();
    }
}

/// <summary>Chooses the places.</summary>
internal sealed class LimitPointInserter(Module module, Function point, IReadOnlyList<Function> functions, Builder builder)
{
    private readonly HashSet<nint> woven = [.. functions.Select(f => f.Handle)];
    private readonly Observers observers = new(functions.Contains, hasPoints: false, isReplaceable: false);
    private readonly WorkMarks? marks = WorkMarks.AreIn(module) ? new(module) : null;
    private readonly BranchWeights weights = new(module.Context);
    private readonly FlowEditor editor = new(module.Context, builder);
    private readonly uint nounwind = Llvm.Attribute.Kind("nounwind"u8);

    public void Run()
    {
        foreach (var function in functions) Release(function);
        var entered = EnteredAnew();
        foreach (var function in functions)
        {
            var (headers, calls) = Match(function);
            builder.SetArtificialLocation(function);
            foreach (var header in headers) Insert(header, LimitPoint.Loop);
            if (entered.Contains(function.Handle)) Insert(Marker.AfterAllocas(function.Entry), LimitPoint.Call);
            foreach (var (call, kind) in calls) InsertWithPad(call, kind, function);
        }
    }

    private void Release(Function function)
    {
        function.RemoveAttribute(nounwind);
        foreach (var user in function.AsValue.Users)
            if (IsOfWoven(user)) user.RemoveCallSiteAttribute(nounwind);
    }

    /// <summary>Functions that every recursion comes through, and those that a thread may begin with.</summary>
    private HashSet<nint> EnteredAnew()
    {
        var (entered, done) = (new HashSet<nint>(), new HashSet<nint>());
        foreach (var function in CallOrder.CalleesFirst(functions))
        {
            if (function.IsAddressTaken) entered.Add(function.Handle);
            foreach (var block in function.Blocks)
                foreach (var instruction in block.Instructions)
                    if (IsOfWoven(instruction) && !done.Contains(instruction.CalledValue.Handle)) entered.Add(instruction.CalledValue.Handle);
            done.Add(function.Handle);
        }
        return entered;
    }

    private bool IsOfWoven(Instruction instruction) => instruction.IsCall && woven.Contains(instruction.CalledValue.Handle);

    private (List<Instruction> Headers, List<(Instruction, LimitPoint)> Calls) Match(Function function)
    {
        var graph = new FlowGraph(function, weights);
        var (headers, calls) = (new List<Instruction>(), new List<(Instruction, LimitPoint)>());
        var stops = new bool[graph.Count];
        for (var block = 0; block < graph.Count; block++)
            foreach (var instruction in graph.Blocks[block].Instructions)
                if (IsLinear(instruction)) calls.Add((instruction.Next, LimitPoint.Call)); // before what is paid for
                else if (instruction.IsCall && Observers.MayBeLeft(instruction) && !IsOfWoven(instruction) && observers.Of(instruction) == Look.Outside)
                {
                    calls.Add((instruction, LimitPoint.Call));
                    stops[block] = true;
                }
        foreach (var loop in Enumerable.Reverse(new LoopForest(graph).All)) // inner ones first
            if (loop.GoesRound(graph, b => stops[b])) MatchLoop(loop, graph, stops, headers, calls);
        return (headers, calls);
    }

    private bool IsLinear(Instruction instruction) => marks?.Is(instruction) == true && WorkMarks.IsLinear(instruction);

    // Best before calls that have a landing pad: what the loop has in hand is cleaned up there.
    private void MatchLoop(Loop loop, FlowGraph graph, bool[] stops, List<Instruction> headers, List<(Instruction, LimitPoint)> calls)
    {
        foreach (var block in loop.Blocks)
            if (graph.Blocks[block].Terminator is { Opcode: Opcode.Invoke } invoke && !stops[block] && IsOfWoven(invoke))
            {
                calls.Add((invoke, LimitPoint.Loop));
                stops[block] = true;
            }
        if (!loop.GoesRound(graph, b => stops[b])) return;
        foreach (var header in loop.Headers)
        {
            if (graph.Blocks[header].FirstInsertion is not { Exists: true } first) continue; // only a catchswitch
            headers.Add(first);
            stops[header] = true;
        }
    }

    private Instruction Insert(Instruction before, LimitPoint kind)
    {
        builder.Before(before);
        return builder.Call(point, module.Context.Int(64).Const((ulong)kind));
    }

    // What would clean up behind the call cleans up behind the point.
    private void InsertWithPad(Instruction call, LimitPoint kind, Function function)
    {
        builder.SetArtificialLocation(function);
        if (call.Opcode != Opcode.Invoke)
        {
            Insert(call, kind);
            return;
        }
        var (block, pad) = (call.Block, call.Successor(1));
        var rest = editor.MoveToOwnBlock(call);
        foreach (var phi in FlowEditor.Phis(pad)) phi.AddIncoming(phi.IncomingFrom(rest), block);
        builder.AtEnd(block);
        builder.SetArtificialLocation(function);
        builder.Invoke(point, rest, pad, module.Context.Int(64).Const((ulong)kind));
    }
}
