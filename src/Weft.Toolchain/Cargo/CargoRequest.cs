namespace Weft.Toolchain.Cargo;

/// <summary>A build that another command asks for.</summary>
public sealed record CargoRequest
{
    /// <summary>As after <c>weft cargo</c>.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Settings below everything else, by the names of the flags without dashes; the project's own metadata wins.</summary>
    public IReadOnlyDictionary<string, string> Defaults { get; init; } = new Dictionary<string, string>();

    /// <summary>Packages or crates to leave out that must exist; adds to what the arguments say.</summary>
    public IReadOnlyList<string> Skip { get; init; } = [];

    /// <summary>How much Weft says; null: as much as cargo is asked to.</summary>
    public int? Verbosity { get; init; }

    /// <summary>Print cargo's messages too: somebody asked for them.</summary>
    public bool PrintMessages { get; init; }
}

/// <summary>What came out of a build.</summary>
public sealed record CargoResult
{
    public required int ExitCode { get; init; }

    /// <summary>Where plain cargo would have put its results.</summary>
    public required string TargetFolder { get; init; }

    /// <summary>The target folder of this set of instruments.</summary>
    public required string WovenFolder { get; init; }

    /// <summary>See <see cref="CargoProject.BuildFolder"/>.</summary>
    public required string? BuildFolder { get; init; }

    /// <summary>The user chose a target, so cargo's own results too are in a folder of its name.</summary>
    public required bool NamesTarget { get; init; }

    public required string Sysroot { get; init; }

    /// <summary>Crates that were not woven.</summary>
    public required IReadOnlyList<string> Skipped { get; init; }

    public required IReadOnlyList<CargoArtifact> Artifacts { get; init; }

    /// <summary>Folders in which build scripts put libraries to link with.</summary>
    public required IReadOnlyList<string> LibraryFolders { get; init; }

    /// <summary>See <see cref="CargoProject.RunnerOf"/>.</summary>
    public required Func<string, IReadOnlyList<string>> RunnerOf { get; init; }
}

/// <summary>One thing cargo built, or found built.</summary>
/// <param name="Name">The target's name, as in Cargo.toml.</param>
/// <param name="Kinds">"bin", "lib", "example", "cdylib" and so on.</param>
/// <param name="Files">What the compiler made.</param>
/// <param name="Executable">The one of them that runs; null for libraries.</param>
public sealed record CargoArtifact(string Name, IReadOnlyList<string> Kinds, IReadOnlyList<string> Files, string? Executable);
