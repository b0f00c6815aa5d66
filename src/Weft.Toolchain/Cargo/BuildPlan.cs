using System.Text.Json;
using System.Text.Json.Serialization;
using Weft.Core;

namespace Weft.Toolchain.Cargo;

/// <summary>What <c>weft cargo</c> tells the wrappers that cargo and rustc start for it, through one environment variable.</summary>
internal sealed record BuildPlan
{
    private const string Variable = "__WEFT_BUILD";

    public required BuildOptions Build { get; init; }

    /// <summary>The compiler's own libLLVM.</summary>
    public required string LlvmPath { get; init; }

    /// <summary>The wrapper the user had configured before; rustc runs under it.</summary>
    public string? RustcWrapper { get; init; }

    /// <summary>The rustdoc the user had configured.</summary>
    public string? Rustdoc { get; init; }

    /// <summary>rustc's sysroot: the standard library's rlibs lie below it.</summary>
    public required string Sysroot { get; init; }

    /// <summary>File that wrappers add their stage times to, a line each; null: nobody asked.</summary>
    public string? TimingsFile { get; init; }

    public int Verbosity { get; init; }

    public static BuildPlan Read() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } json
            ? JsonSerializer.Deserialize(json, PlanJson.Default.BuildPlan)!
            : throw new WeftException($"{Variable} is not set", "this command is started by 'weft cargo', not by hand");

    public KeyValuePair<string, string?> ToEnvironment() => new(Variable, JsonSerializer.Serialize(this, PlanJson.Default.BuildPlan));
}

/// <summary>What the rustc wrapper tells the linker that rustc starts for it.</summary>
internal sealed record LinkPlan
{
    private const string Variable = "__WEFT_LINK";

    public required string Linker { get; init; }

    public required LoweringSettings Settings { get; init; }

    /// <summary>Merge all bitcode and optimise it as one.</summary>
    public bool Lto { get; init; }

    /// <summary>False when the crate being linked is skipped.</summary>
    public bool Weave { get; init; } = true;

    public static LinkPlan? TryRead() =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } json ? JsonSerializer.Deserialize(json, PlanJson.Default.LinkPlan) : null;

    public KeyValuePair<string, string?> ToEnvironment() => new(Variable, JsonSerializer.Serialize(this, PlanJson.Default.LinkPlan));
}

[JsonSerializable(typeof(BuildPlan))]
[JsonSerializable(typeof(LinkPlan))]
[JsonSerializable(typeof(TimingsLine))]
internal sealed partial class PlanJson : JsonSerializerContext;

/// <summary>Stage times of one wrapper, in milliseconds.</summary>
internal sealed record TimingsLine(Dictionary<string, double> Stages, long Bytes, int Modules, int Hits);
