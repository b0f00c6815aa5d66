using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Weft.Coverage.Profiles;

/// <summary>
/// The names of functions in a raw profile or a binary (section <c>__llvm_prf_names</c>): blobs of a size, a compressed size,
/// and names with a byte 1 between them; see readAndDecodeStrings in LLVM's InstrProf.cpp.
/// </summary>
public static class ProfileNames
{
    /// <summary>A function's name as profiles and maps refer to it: the first eight bytes of its MD5.</summary>
    public static ulong Hash(string name) => Hash(Encoding.UTF8.GetBytes(name));

    /// <inheritdoc cref="Hash(string)"/>
    [SuppressMessage("Security", "CA5351", Justification = "the formats' own hash; nothing is secured with it")]
    public static ulong Hash(ReadOnlySpan<byte> name)
    {
        Span<byte> digest = stackalloc byte[16];
        MD5.HashData(name, digest);
        return BinaryPrimitives.ReadUInt64LittleEndian(digest);
    }

    /// <exception cref="DamageException">The blobs are damaged.</exception>
    internal static void Read(ReadOnlySpan<byte> blobs, Dictionary<ulong, string> names)
    {
        var reader = new ByteReader(blobs);
        while (reader.Left > 0)
        {
            // Linkers pad between the parts of several objects.
            if (reader.Rest[0] == 0) reader.Take(1, "padding");
            else AddNames(reader.Compressible("its names of functions"), names);
        }
    }

    private static void AddNames(ReadOnlySpan<byte> blob, Dictionary<ulong, string> names)
    {
        foreach (var range in blob.Split((byte)1))
        {
            var name = blob[range];
            if (name.Length > 0) names.TryAdd(Hash(name), Encoding.UTF8.GetString(name));
        }
    }

    /// <summary>Every run of a program writes the same names: they are kept, and read once.</summary>
    internal sealed class Cache
    {
        private readonly ConcurrentDictionary<(ulong, int), Dictionary<ulong, string>> known = new();

        public Dictionary<ulong, string> Read(ReadOnlySpan<byte> blobs)
        {
            var key = (Hash(blobs), blobs.Length);
            if (known.TryGetValue(key, out var names)) return names;
            ProfileNames.Read(blobs, names = []);
            return known.GetOrAdd(key, names);
        }
    }
}
