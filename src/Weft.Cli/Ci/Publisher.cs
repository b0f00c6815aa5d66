using Weft.Core;
using Weft.Toolchain;
using Weft.Toolchain.Cargo;

namespace Weft.Cli.Ci;

/// <param name="Path">The file with -ci in its name.</param>
/// <param name="Triple">The target it is for.</param>
/// <param name="Artifact">What it is.</param>
/// <param name="Source">The file cargo made.</param>
internal sealed record Published(string Path, string Triple, CargoArtifact Artifact, string Source);

/// <summary>
/// Gives what a build made the names cargo-compiler-interrupts gave it: results stand as <c>app-ci</c> and
/// <c>libx-ci.so</c> where plain cargo puts <c>app</c> and <c>libx.so</c>, and everything woven is in <c>deps-ci</c>.
/// </summary>
internal sealed class Publisher(CargoResult result)
{
    /// <summary>Puts the files in place; returns those people run and link with.</summary>
    public IReadOnlyList<Published> Publish()
    {
        var published = new List<Published>();
        foreach (var artifact in result.Artifacts)
            foreach (var file in artifact.Files)
                if (Locate(file) is { } place && (file == artifact.Executable || Path.GetExtension(file) is ".rlib" or ".a" or ".so" or ".dylib"))
                    published.AddRange(Publish(artifact, file, place));
        return published;
    }

    private IEnumerable<Published> Publish(CargoArtifact artifact, string file, Place place)
    {
        var name = CiName(file, isProgram: file == artifact.Executable);
        var isExample = place.Folder == "examples";
        var collected = Path.Combine(place.Profile, "deps-ci", isExample ? "examples" : "", name);
        var isLibrary = name.EndsWith(".rlib", StringComparison.Ordinal);
        if (isLibrary && IsSkipped(artifact))
        {
            AtomicFile.TryDelete(collected); // an earlier build may have woven it
            yield break;
        }
        Link(file, collected);
        if (isLibrary || place.Folder == "deps") yield break;
        var path = Path.Combine(place.Profile, place.Folder, name);
        Link(file, path);
        yield return new Published(path, place.Triple, artifact, file);
    }

    private sealed record Place(string Triple, string Profile, string Folder);

    // WOVEN/TRIPLE/PROFILE[/deps|/examples]/FILE. Without TRIPLE it is for the host: part of a build script or macro.
    private Place? Locate(string file)
    {
        var root = new[] { result.WovenFolder, result.BuildFolder }.FirstOrDefault(r => r != null && file.StartsWith(r + "/", StringComparison.Ordinal));
        if (root == null) return null;
        var folders = Path.GetRelativePath(root, file).Split('/')[..^1];
        var folder = folders is [.., "deps" or "examples"] ? folders[^1] : "";
        if (folder.Length > 0) folders = folders[..^1];
        if (folders is not [var triple, var profile]) return null;
        return new Place(triple, Path.Combine(result.TargetFolder, result.NamesTarget ? triple : "", profile), folder);
    }

    private bool IsSkipped(CargoArtifact artifact) => result.Skipped.Any(s => s.Replace('-', '_') == artifact.Name.Replace('-', '_'));

    private static string CiName(string file, bool isProgram)
    {
        var extension = isProgram && Path.GetExtension(file) is not (".exe" or ".wasm") ? "" : Path.GetExtension(file);
        return $"{Path.GetFileName(file)[..^extension.Length]}-ci{extension}";
    }

    private static void Link(string source, string path)
    {
        var temporary = $"{path}.weft-{Environment.ProcessId}";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            if (!Posix.TryHardLink(source, temporary)) File.Copy(source, temporary, overwrite: true);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot make '{path}': {e.Message}", "check free space and permissions of that folder", ExitCode.Failure, e);
        }
        finally
        {
            AtomicFile.TryDelete(temporary); // also where both names were of one file already: renaming does nothing then
        }
    }
}
