using System.Text.Json;

namespace Weft.Toolchain.Cargo;

/// <summary>A package of the workspace, as <c>cargo metadata</c> describes it.</summary>
/// <param name="Id">Cargo's identifier.</param>
/// <param name="Name">As in Cargo.toml.</param>
/// <param name="DefaultRun">The binary that <c>cargo run</c> takes when there are several.</param>
/// <param name="Targets">Its binaries, libraries, examples, ...</param>
public sealed record CargoPackage(string Id, string Name, string? DefaultRun, IReadOnlyList<CargoTarget> Targets)
{
    internal static CargoPackage From(JsonElement package) => new(
        package.GetProperty("id").GetString()!,
        package.GetProperty("name").GetString()!,
        package.TryGetProperty("default_run", out var run) ? run.GetString() : null,
        [.. package.GetProperty("targets").EnumerateArray().Select(t => new CargoTarget(t.GetProperty("name").GetString()!, [.. t.GetProperty("kind").EnumerateArray().Select(k => k.GetString()!)]))]);
}

/// <param name="Name">As in Cargo.toml or by the file's name.</param>
/// <param name="Kinds">"bin", "lib", "example" and so on.</param>
public sealed record CargoTarget(string Name, IReadOnlyList<string> Kinds);
