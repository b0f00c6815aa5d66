using Weft.Core;

namespace Weft.Coverage.Profiles;

/// <summary>Profiles of any of the formats, told apart by how they begin.</summary>
public static class ProfileFile
{
    /// <exception cref="WeftException">The file cannot be read, is damaged, or is not a profile.</exception>
    public static Profile Read(string path) => Read(path, new ProfileNames.Cache());

    internal static Profile Read(string path, ProfileNames.Cache names)
    {
        var data = AtomicFile.Read(path);
        try
        {
            return Read(data, names);
        }
        catch (DamageException e)
        {
            throw new WeftException($"cannot read profile '{path}': {e.Message}", data.Length == 0 ? "a program that is killed may leave such a file; remove it, or run the program to its end" : "run the program again to make it anew, or leave it out", ExitCode.Failure, e);
        }
    }

    /// <exception cref="DamageException">See the formats.</exception>
    internal static Profile Read(ReadOnlySpan<byte> data, ProfileNames.Cache names)
    {
        if (data.IsEmpty) throw new DamageException("it is empty");
        if (IndexedProfile.Recognises(data)) return IndexedProfile.Read(data);
        if (RawProfile.Recognises(data)) return RawProfile.Read(data, names);
        return TextProfile.Recognises(data) ? TextProfile.Read(data) : throw new DamageException("it is neither a raw, an indexed nor a text profile");
    }
}
