using System.Text;
using System.Text.Json.Serialization;
using Weft.Core;
using Weft.Llvm;

namespace Weft.Toolchain.Cargo;

/// <summary>What <c>weft cargo</c> tells the wrappers that cargo and rustc start for it, through one environment variable.</summary>
internal sealed record BuildPlan
{
    public const string Variable = "__WEFT_BUILD";

    public required BuildOptions Build { get; init; }

    /// <summary>The compiler's own libLLVM.</summary>
    public required string LlvmPath { get; init; }

    /// <summary>The wrapper the user had configured before; rustc runs under it.</summary>
    public string? RustcWrapper { get; init; }

    /// <summary>The rustdoc the user had configured.</summary>
    public string? Rustdoc { get; init; }

    /// <summary>rustc's sysroot: the standard library's rlibs lie below it.</summary>
    public required string Sysroot { get; init; }

    /// <summary>Folder that wrappers leave their stage times in; null: nobody asked.</summary>
    public string? TimingsFolder { get; init; }

    public int Verbosity { get; init; }

    /// <summary>Folders of the workspace's packages.</summary>
    public IReadOnlyList<string> MemberFolders { get; init; } = [];

    public static BuildPlan Read() => Decode(Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } encoded ? encoded : throw new WeftException($"{Variable} is not set", "this command is started by 'weft cargo', not by hand"));

    public static BuildPlan Decode(string encoded)
    {
        using var plan = new PlanReader(encoded);
        return new BuildPlan
        {
            Build = new BuildOptions
            {
                With = plan.List(),
                Options = plan.Map(),
                Skip = plan.List(),
                Std = plan.Flag(),
                Deny = plan.Text() is { } allowed ? new DenyUninstrumented(allowed) : null,
                Timings = plan.Flag(),
                Repro = plan.Text(),
            },
            LlvmPath = plan.Text()!,
            RustcWrapper = plan.Text(),
            Rustdoc = plan.Text(),
            Sysroot = plan.Text()!,
            TimingsFolder = plan.Text(),
            Verbosity = plan.Number(),
            MemberFolders = plan.List(),
        };
    }

    public string Encode()
    {
        using var plan = new PlanWriter();
        plan.List(Build.With);
        plan.Map(Build.Options);
        plan.List(Build.Skip);
        plan.Flag(Build.Std);
        plan.Text(Build.Deny?.Allowed);
        plan.Flag(Build.Timings);
        plan.Text(Build.Repro);
        plan.Text(LlvmPath);
        plan.Text(RustcWrapper);
        plan.Text(Rustdoc);
        plan.Text(Sysroot);
        plan.Text(TimingsFolder);
        plan.Number(Verbosity);
        plan.List(MemberFolders);
        return plan.ToString();
    }
}

/// <summary>What the rustc wrapper tells the linker that rustc starts for it.</summary>
internal sealed record LinkPlan
{
    public const string Variable = "__WEFT_LINK";

    public required string Linker { get; init; }

    public required LoweringSettings Settings { get; init; }

    /// <summary>Merge all bitcode and optimise it as one.</summary>
    public bool Lto { get; init; }

    /// <summary>False when the crate being linked is skipped.</summary>
    public bool Weave { get; init; } = true;

    public static LinkPlan? TryRead() => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } encoded ? Decode(encoded) : null;

    public static LinkPlan Decode(string encoded)
    {
        using var plan = new PlanReader(encoded);
        return new LinkPlan
        {
            Linker = plan.Text()!,
            Lto = plan.Flag(),
            Weave = plan.Flag(),
            Settings = new LoweringSettings
            {
                Level = (OptLevel)plan.Number(),
                Cpu = plan.Text(),
                Features = plan.Text(),
                Relocation = plan.Flag() ? (RelocationModel)plan.Number() : null,
                CodeModel = (CodeModel)plan.Number(),
                Sections = plan.Flag(),
                MergeFunctions = plan.Flag(),
                DebugInformation = (DebugInformation)plan.Number(),
                LlvmArguments = plan.List(),
                Triple = plan.Text(),
                Emit = (EmitKind)plan.Number(),
            },
        };
    }

    public string Encode()
    {
        using var plan = new PlanWriter();
        plan.Text(Linker);
        plan.Flag(Lto);
        plan.Flag(Weave);
        plan.Number((int)Settings.Level);
        plan.Text(Settings.Cpu);
        plan.Text(Settings.Features);
        plan.Flag(Settings.Relocation != null);
        if (Settings.Relocation is { } relocation) plan.Number((int)relocation);
        plan.Number((int)Settings.CodeModel);
        plan.Flag(Settings.Sections);
        plan.Flag(Settings.MergeFunctions);
        plan.Number((int)Settings.DebugInformation);
        plan.List(Settings.LlvmArguments);
        plan.Text(Settings.Triple);
        plan.Number((int)Settings.Emit);
        return plan.ToString();
    }
}

/// <summary>
/// A plan as a string that the same build of Weft reads again. Not JSON: its serialiser is generic code that .NET compiles
/// at start-up, 60 ms for every crate of a build.
/// </summary>
internal sealed class PlanWriter : IDisposable
{
    private readonly MemoryStream stream = new();
    private readonly BinaryWriter writer;

    public PlanWriter() => writer = new BinaryWriter(stream, Encoding.UTF8);

    public void Flag(bool value) => writer.Write(value);

    public void Number(int value) => writer.Write(value);

    public void Text(string? value)
    {
        writer.Write(value != null);
        if (value != null) writer.Write(value);
    }

    public void List(IReadOnlyList<string> values)
    {
        writer.Write(values.Count);
        foreach (var value in values) writer.Write(value);
    }

    public void Map(IReadOnlyDictionary<string, string> values)
    {
        List([.. values.Keys]);
        List([.. values.Values]);
    }

    public override string ToString() => Convert.ToBase64String(stream.GetBuffer(), 0, (int)stream.Length);

    public void Dispose() => writer.Dispose();
}

/// <summary>Reads what <see cref="PlanWriter"/> wrote, in the same order.</summary>
internal sealed class PlanReader : IDisposable
{
    private readonly BinaryReader reader;

    public PlanReader(string encoded) => reader = new BinaryReader(new MemoryStream(Convert.FromBase64String(encoded)), Encoding.UTF8);

    /// <summary>Null when the variable is not set.</summary>
    public static PlanReader? FromEnvironment(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } encoded ? new PlanReader(encoded) : null;

    public bool Flag() => reader.ReadBoolean();

    public int Number() => reader.ReadInt32();

    public string? Text() => reader.ReadBoolean() ? reader.ReadString() : null;

    public string[] List()
    {
        var values = new string[reader.ReadInt32()];
        for (var i = 0; i < values.Length; i++) values[i] = reader.ReadString();
        return values;
    }

    public Dictionary<string, string> Map()
    {
        string[] keys = List(), values = List();
        var map = new Dictionary<string, string>();
        for (var i = 0; i < keys.Length; i++) map.Add(keys[i], values[i]);
        return map;
    }

    public void Dispose() => reader.Dispose();
}

[JsonSerializable(typeof(TimingsLine))]
internal sealed partial class PlanJson : JsonSerializerContext;

/// <summary>Stage times of one wrapper in milliseconds, and its largest resident set in bytes.</summary>
internal sealed record TimingsLine(IReadOnlyDictionary<string, double> Stages, long Bytes, int Modules, int Hits, long PeakMemory);
