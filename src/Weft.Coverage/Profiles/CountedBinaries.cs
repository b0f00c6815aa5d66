using System.Text;
using Weft.Coverage.Maps;

namespace Weft.Coverage.Profiles;

/// <summary>
/// The executables and libraries that counted. Weft's runtime writes two binary ids for each: the linker's build id, and
/// <c>weft:</c> with the file's absolute path. LLVM's tools keep both, in any order.
/// </summary>
/// <param name="Usable">Files that are still there, as they were when they ran.</param>
/// <param name="Rebuilt">Files that were built again since.</param>
/// <param name="Gone">Files that are not there, or cannot be read.</param>
public sealed record CountedBinaries(IReadOnlyList<string> Usable, IReadOnlyList<string> Rebuilt, IReadOnlyList<string> Gone)
{
    private static ReadOnlySpan<byte> PathMark => "weft:"u8;

    public static CountedBinaries Of(Profile profile)
    {
        List<string> usable = [], rebuilt = [], gone = [];
        foreach (var path in Paths(profile))
        {
            if (!File.Exists(path)) gone.Add(path);
            else if (!Ran(profile, path)) rebuilt.Add(path);
            else usable.Add(path);
        }
        return new CountedBinaries(usable, rebuilt, gone);
    }

    /// <summary>The paths that a profile names, sorted.</summary>
    public static IEnumerable<string> Paths(Profile profile) => profile.BinaryIds
        .Where(id => id.AsSpan().StartsWith(PathMark))
        .Select(id => Encoding.UTF8.GetString(id.AsSpan(PathMark.Length)).TrimEnd('\0'))
        .Order(StringComparer.Ordinal);

    /// <summary>Whether it was this build that ran; a file without a build id does not tell.</summary>
    private static bool Ran(Profile profile, string path) => BuildId.Read(path) is not { } current || profile.BinaryIds.Any(id => id.AsSpan().SequenceEqual(current));
}
