using System.Runtime.InteropServices;

namespace Weft.Tracing;

/// <summary>A value for every id. Ids are mostly small and dense, which an array is fastest for; large ones, of other formats or damaged logs, cost no more than they are many.</summary>
public sealed class IdTable<T> where T : struct
{
    private const int Dense = 1 << 20;

    private readonly Dictionary<int, T> sparse = [];
    private T[] dense = new T[256];

    /// <summary>The default value for an id that was never asked for. The reference is good until the next id is asked for.</summary>
    public ref T this[int id]
    {
        get
        {
            if ((uint)id < (uint)dense.Length) return ref dense[id];
            return ref Grow(id);
        }
    }

    private ref T Grow(int id)
    {
        if ((uint)id >= Dense) return ref CollectionsMarshal.GetValueRefOrAddDefault(sparse, id, out _);
        Array.Resize(ref dense, Math.Min(Dense, Math.Max(id + 1, dense.Length * 2)));
        return ref dense[id];
    }
}
