using System.Buffers.Binary;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>
/// What the ids of an XRay log mean: functions are numbered from 1 in the order of the executable's <c>xray_fn_idx</c>, or,
/// where that was left out of the build, in that of the sleds in <c>xray_instr_map</c>.
/// </summary>
internal static class XRayMap
{
    private const int SledSize = 32, IndexSize = 16;

    /// <summary>Logs hold the first argument as 64 bits whatever its type; see the types of functions in docs/tracing-format.md.</summary>
    public const uint FirstArgumentOnly = 5 << 4;

    public static Dictionary<int, TraceFunction> Read(string program, Func<string, string> demangle)
    {
        var elf = ElfFile.TryRead(AtomicFile.Read(program), program)
            ?? throw new WeftException($"'{program}' is not an executable of this kind of system", "name the program that wrote the log");
        var addresses = Addresses(elf);
        if (addresses.Count == 0)
            throw new WeftException($"'{program}' has no XRay instrumentation map", "name the program that wrote the log; it was built with -fxray-instrument");
        var module = new TraceModule(1, Path.GetFullPath(program), elf.BuildId(), 0);
        var names = new Dictionary<ulong, string>();
        foreach (var function in elf.Functions()) names.TryAdd(function.Address, function.Name);
        return addresses.Index().ToDictionary(f => f.Index + 1, f => Function(f.Index + 1, f.Item, names.GetValueOrDefault(f.Item), module, demangle));
    }

    private static TraceFunction Function(int id, ulong address, string? symbol, TraceModule module, Func<string, string> demangle) =>
        new(id, symbol == null ? $"0x{address:x}" : demangle(symbol), symbol ?? "", "", 0, address, module, FirstArgumentOnly);

    private static List<ulong> Addresses(ElfFile elf)
    {
        ReadOnlySpan<byte> sleds = elf.SectionContent("xray_instr_map"), index = elf.SectionContent("xray_fn_idx");
        ulong sledsAt = elf.SectionAddress("xray_instr_map"), indexAt = elf.SectionAddress("xray_fn_idx");
        var addresses = new List<ulong>();
        for (var at = 0; at + IndexSize <= index.Length; at += IndexSize)
        {
            var first = indexAt + (ulong)at + BinaryPrimitives.ReadUInt64LittleEndian(index[at..]) - sledsAt;
            addresses.Add(first <= (ulong)sleds.Length ? FunctionOf(sleds, sledsAt, (int)first) : 0);
        }
        if (addresses.Count > 0) return addresses;
        for (var at = 0; at + SledSize <= sleds.Length; at += SledSize)
            if (FunctionOf(sleds, sledsAt, at) is var function && (addresses.Count == 0 || addresses[^1] != function)) addresses.Add(function);
        return addresses;
    }

    // Of a sled: i64 its own address less the entry's; i64 the function's less that of this field; u8 kind; u8 always; u8 version.
    private static ulong FunctionOf(ReadOnlySpan<byte> sleds, ulong address, int at)
    {
        if (at + SledSize > sleds.Length) return 0;
        var function = BinaryPrimitives.ReadUInt64LittleEndian(sleds[(at + 8)..]);
        return sleds[at + 18] >= 2 ? address + (ulong)at + 8 + function : function;
    }
}
