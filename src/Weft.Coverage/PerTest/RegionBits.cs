using Weft.Coverage.Model;

namespace Weft.Coverage.PerTest;

/// <summary>What ran of a function, one bit for each count that its regions and branches have.</summary>
internal static class RegionBits
{
    public static int Count(FunctionCoverage function) => function.Regions.Length + 2 * function.Branches.Length;

    public static byte[] Of(FunctionCoverage function)
    {
        var bits = new byte[(Count(function) + 7) / 8];
        var next = 0;
        foreach (ref readonly var region in function.Regions.AsSpan()) Add(region.Count);
        foreach (ref readonly var branch in function.Branches.AsSpan())
        {
            Add(branch.Count);
            Add(branch.FalseCount);
        }
        return bits;

        void Add(ulong count)
        {
            if (count > 0) bits[next / 8] |= (byte)(1 << next % 8);
            next++;
        }
    }

    public static FunctionCoverage Apply(FunctionCoverage shape, byte[] bits)
    {
        var regions = shape.Regions.Length;
        return shape with
        {
            Count = regions > 0 ? Bit(bits, 0) : 0,
            Regions = [.. shape.Regions.Select((r, i) => r with { Count = Bit(bits, i) })],
            Branches = [.. shape.Branches.Select((b, i) => b with { Count = Bit(bits, regions + 2 * i), FalseCount = Bit(bits, regions + 2 * i + 1) })],
        };
    }

    public static ulong Bit(byte[] bits, int at) => (ulong)(bits[at / 8] >> at % 8 & 1);
}
