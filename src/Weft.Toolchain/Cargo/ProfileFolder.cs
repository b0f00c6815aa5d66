using Weft.Core;

namespace Weft.Toolchain.Cargo;

/// <summary>
/// The folder that the programs of one <c>weft cargo test</c> or <c>run</c> leave their profiles in. Cargo runs each in another
/// folder; together they say what ran, and what an earlier build left there does not belong to it.
/// </summary>
public sealed class ProfileFolder
{
    public const string Variable = "WEFT_OUT";

    /// <summary>How folders begin that tests write to while they run.</summary>
    public const string Unfinished = "running-tests-";

    // Profiles, and what they were made into by test.
    private static readonly string[] Old = ["*.profraw*", "tests.profdata", "tests.weftmap"];

    private static readonly HashSet<string> Running = ["run", "r", "test", "t", "bench", "nextest"];

    private readonly IReadOnlyList<string> subfolders;
    private readonly bool keeps;

    private ProfileFolder(string path, IReadOnlyList<string> subfolders, bool keeps)
    {
        Path = path;
        this.subfolders = subfolders;
        this.keeps = keeps;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Null when no instrument wants one, or the user has said where profiles go.</summary>
    /// <param name="rest">Cargo's arguments; loses <c>--no-clean</c>.</param>
    /// <param name="weaving">What is woven.</param>
    public static ProfileFolder? Of(List<string> rest, Weaving weaving)
    {
        var wanted = weaving.Instruments.Select(i => i.ProfileFolder).OfType<string>().ToList();
        if (wanted.Count == 0) return null;
        var noClean = new FlagReader(rest).TakeSwitch("--no-clean");
        var subcommand = rest.FirstOrDefault(a => !a.StartsWith('-'));
        if (subcommand == null || !Running.Contains(subcommand) || Terminal.IsSet(Variable) || Terminal.IsSet("LLVM_PROFILE_FILE")) return null;
        return new ProfileFolder(System.IO.Path.GetFullPath("weft-out"), wanted, noClean);
    }

    /// <summary>Removes old profiles, unless they are to be kept, and returns the folder.</summary>
    /// <exception cref="WeftException">One cannot be removed.</exception>
    public string Prepare()
    {
        if (!keeps)
            foreach (var folder in subfolders.Select(s => System.IO.Path.Combine(Path, s)).Where(Directory.Exists)) Clean(folder);
        return Path;
    }

    private static void Clean(string folder)
    {
        try
        {
            foreach (var pattern in Old)
                foreach (var file in Directory.GetFiles(folder, pattern)) File.Delete(file);
            foreach (var left in Directory.GetDirectories(folder, Unfinished + "*")) Directory.Delete(left, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot remove the profiles of earlier runs: {e.Message}", $"remove '{folder}' yourself, or keep them with --no-clean", ExitCode.Failure, e);
        }
    }
}
