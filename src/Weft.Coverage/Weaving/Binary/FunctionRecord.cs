using Weft.Coverage.Maps;
using Weft.Coverage.Profiles;
using Weft.Llvm;

namespace Weft.Coverage.Weaving.Binary;

/// <summary>
/// What a module says about a function that it counts: counters and their description, in a profile, and the record in the map.
/// <code>
/// @__profc_f = private global [2 x i64] zeroinitializer
/// @__profd_f = private global { i64 name, i64 hash, i64 counters - this, ..., i32 2, ... }
/// @__covrec_Au = linkonce_odr hidden constant &lt;{ i64 name, i32 bytes, i64 hash, i64 files, [N x i8] regions }&gt;
/// </code>
/// </summary>
internal sealed class FunctionRecord(LlvmContext context, GlobalVariable counters, GlobalVariable data, GlobalVariable map)
{
    private const int DataHash = 1, DataCounters = 2, DataCount = 6, MapSize = 1, MapHash = 2, MapRegions = 4;

    public GlobalVariable Counters { get; private set; } = counters;

    public int CounterCount => (int)Counters.ValueType.ArrayLength;

    public int[] Files { get; private set; } = [];

    public CounterExpression[] Expressions { get; private set; } = [];

    public MappedRegion[] Regions { get; private set; } = [];

    /// <summary>Those of the functions that are in both the map and the profile.</summary>
    public static List<FunctionRecord> In(Module module)
    {
        var maps = new Dictionary<ulong, GlobalVariable>();
        foreach (var global in module.Globals)
            if (global.AsValue.NameBytes.StartsWith("__covrec_"u8))
                maps[global.Initializer.Operand(0).ZExtValue] = global;
        var records = new List<FunctionRecord>();
        foreach (var global in module.Globals)
            if (global.AsValue.NameBytes.StartsWith("__profd_"u8) && !global.IsDeclaration && maps.Remove(global.Initializer.Operand(0).ZExtValue, out var map)
                && global.Initializer.Operand(DataCounters).AddressedGlobal is { Exists: true } counters)
                records.Add(new FunctionRecord(module.Context, counters, global, map));
        return records;
    }

    /// <exception cref="DamageException">The map is damaged.</exception>
    public void Decode() => (Files, Expressions, Regions) = RegionDecoder.Decode(map.Initializer.Operand(MapRegions).Bytes, int.MaxValue);

    /// <summary>
    /// Other regions, over other counters. The hash follows from them, so that a profile of the one is never taken for one of the other;
    /// and from nothing else, such as the files' numbers in this module: another that has the function too must come to the same hash.
    /// </summary>
    public void Replace(int counterCount, IReadOnlyList<CounterExpression> expressions, IReadOnlyList<MappedRegion> regions)
    {
        var word = context.Int(64);
        var encoded = RegionEncoder.Encode(Files, expressions, regions);
        var hash = word.Const(map.Initializer.Operand(MapHash).ZExtValue ^ ProfileNames.Hash(RegionEncoder.Encode(new int[Files.Length], expressions, regions)));
        Counters = Counters.Replace(context.ConstArray(word, [.. Enumerable.Repeat(word.Const(0), counterCount)]));
        data.Replace(context.ConstStruct(With(data.Initializer, (DataHash, hash), (DataCount, context.Int(32).Const((ulong)counterCount)))));
        map.Replace(context.ConstPackedStruct(With(map.Initializer, (MapSize, context.Int(32).Const((ulong)encoded.Length)), (MapHash, hash), (MapRegions, context.ConstBytes(encoded)))));
    }

    private static Value[] With(Value structure, params ReadOnlySpan<(int Index, Value Value)> changes)
    {
        var values = new Value[structure.OperandCount];
        for (var i = 0; i < values.Length; i++) values[i] = structure.Operand(i);
        foreach (var (index, value) in changes) values[index] = value;
        return values;
    }
}
