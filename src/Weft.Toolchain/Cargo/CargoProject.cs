using System.Text.Json;
using Weft.Core;

namespace Weft.Toolchain.Cargo;

/// <summary>What cargo knows about the project at hand: its merged configuration, target folder and Weft's metadata.</summary>
public sealed class CargoProject
{
    private readonly JsonElement configuration;
    private readonly JsonElement metadata;

    private CargoProject(JsonElement configuration, JsonElement metadata)
    {
        this.configuration = configuration;
        this.metadata = metadata;
    }

    public string TargetFolder => metadata.GetProperty("target_directory").GetString()!;

    /// <summary>Where cargo keeps what is not a result, if that is elsewhere (build.build-dir); older cargos do not tell.</summary>
    public string? BuildFolder => metadata.TryGetProperty("build_directory", out var folder) ? folder.GetString() : null;

    public IReadOnlyList<CargoPackage> Packages => [.. metadata.GetProperty("packages").EnumerateArray().Select(CargoPackage.From)];

    /// <summary>Folders of the workspace's packages.</summary>
    public IReadOnlyList<string> MemberFolders => [.. metadata.GetProperty("packages").EnumerateArray().Select(p => Path.GetDirectoryName(p.GetProperty("manifest_path").GetString())!)];

    /// <summary>Ids of the packages that cargo works on when nobody names any: the one at hand, or a workspace's default members.</summary>
    public IReadOnlyList<string> DefaultMembers => [.. metadata.GetProperty(metadata.TryGetProperty("workspace_default_members", out _) ? "workspace_default_members" : "workspace_members").EnumerateArray().Select(m => m.GetString()!)];

    /// <summary>[workspace.metadata.weft], overridden by the current package's [package.metadata.weft].</summary>
    public IReadOnlyDictionary<string, string> WeftMetadata
    {
        get
        {
            var settings = new Dictionary<string, string>();
            AddWeft(metadata.GetProperty("metadata"), settings);
            foreach (var package in metadata.GetProperty("packages").EnumerateArray())
                if (IsCurrent(package))
                    AddWeft(package.GetProperty("metadata"), settings);
            return settings;
        }
    }

    /// <summary>A text value of cargo's configuration by its path, or null.</summary>
    public string? Configured(params ReadOnlySpan<string> path)
    {
        var at = configuration;
        foreach (var key in path)
            if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(key, out at))
                return null;
        return at.ValueKind switch
        {
            JsonValueKind.String => at.GetString(),
            JsonValueKind.Array when at.GetArrayLength() > 0 && at[0].ValueKind == JsonValueKind.String => at[0].GetString(),
            _ => null,
        };
    }

    /// <summary>The user's runner for programs of a target (<c>target.TRIPLE.runner</c>), as cargo splits it; empty: none.</summary>
    public IReadOnlyList<string> RunnerOf(string triple)
    {
        var variable = Environment.GetEnvironmentVariable(RunnerVariable(triple));
        if (!string.IsNullOrEmpty(variable)) return variable.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (!configuration.TryGetProperty("target", out var targets) || !targets.TryGetProperty(triple, out var target) || !target.TryGetProperty("runner", out var runner)) return [];
        return runner.ValueKind == JsonValueKind.Array ? [.. runner.EnumerateArray().Select(r => r.ToString())] : runner.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>The variable that names a runner, before all files.</summary>
    internal static string RunnerVariable(string triple) => $"CARGO_TARGET_{triple.ToUpperInvariant().Replace('-', '_').Replace('.', '_')}_RUNNER";

    /// <param name="cargo">The cargo to ask, with a +toolchain argument if the user gave one.</param>
    /// <param name="global">Arguments that choose the project and its configuration (--manifest-path, --config, -C, -Z).</param>
    public static CargoProject Read(IReadOnlyList<string> cargo, IReadOnlyList<string> global)
    {
        var answer = ChildProcess.Capture(cargo[0], [.. cargo.Skip(1), "metadata", "--format-version", "1", "--no-deps", .. global]);
        if (answer.ExitCode != 0) throw new WeftException($"cargo cannot read the project:\n{answer.Errors.TrimEnd()}", null, (ExitCode)answer.ExitCode);
        return new(ReadConfiguration(cargo, global), JsonDocument.Parse(answer.Output).RootElement);
    }

    // 'cargo config' is not stable yet; its output is the only complete view of files, environment and --config at once.
    private static JsonElement ReadConfiguration(IReadOnlyList<string> cargo, IReadOnlyList<string> global)
    {
        var configArguments = new List<string>();
        for (var i = 0; i < global.Count; i++)
            if (global[i] == "--config" && i + 1 < global.Count) configArguments.AddRange(["--config", global[++i]]);
            else if (global[i].StartsWith("--config=", StringComparison.Ordinal)) configArguments.Add(global[i]);
        var result = ChildProcess.Capture(cargo[0], [.. cargo.Skip(1), "-Zunstable-options", "config", "get", "--format", "json", .. configArguments], new Dictionary<string, string?> { ["RUSTC_BOOTSTRAP"] = "1" });
        if (result.ExitCode != 0) return JsonDocument.Parse("{}").RootElement;
        return JsonDocument.Parse(result.Output).RootElement;
    }

    private bool IsCurrent(JsonElement package)
    {
        var folder = Path.GetDirectoryName(package.GetProperty("manifest_path").GetString());
        return metadata.GetProperty("packages").GetArrayLength() == 1 || folder == Directory.GetCurrentDirectory();
    }

    private static void AddWeft(JsonElement table, Dictionary<string, string> settings)
    {
        if (table.ValueKind != JsonValueKind.Object || !table.TryGetProperty("weft", out var weft) || weft.ValueKind != JsonValueKind.Object) return;
        foreach (var entry in weft.EnumerateObject())
            settings[entry.Name] = entry.Value.ValueKind == JsonValueKind.Array ? string.Join(',', entry.Value.EnumerateArray().Select(v => v.ToString())) : entry.Value.ToString().ToLowerInvariant();
    }
}
