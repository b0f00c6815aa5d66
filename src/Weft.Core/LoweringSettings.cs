using Weft.Llvm;

namespace Weft.Core;

/// <summary>The -O levels of rustc and clang.</summary>
public enum OptLevel { O0, O1, O2, O3, Os, Oz }

/// <summary>How much a compiler says of the source in its output.</summary>
public enum DebugInformation
{
    None,
    /// <summary>Lines, and the functions that they are of.</summary>
    Lines,
    /// <summary>Types and variables too.</summary>
    All,
}

/// <summary>What the front end would have told LLVM, apart from what the bitcode itself says.</summary>
public sealed record LoweringSettings
{
    public OptLevel Level { get; init; } = OptLevel.O2;

    /// <summary>Null: the one the module's functions name.</summary>
    public string? Cpu { get; init; }

    /// <summary>Null: those the module's functions name.</summary>
    public string? Features { get; init; }

    /// <summary>Null: what the module flags say.</summary>
    public RelocationModel? Relocation { get; init; }

    public CodeModel CodeModel { get; init; } = CodeModel.Default;

    /// <summary>One section per function and per plain global, so that the linker can drop what is unused.</summary>
    public bool Sections { get; init; } = true;

    /// <summary>Fold identical functions, as rustc does from -O2 on; clang does not.</summary>
    public bool MergeFunctions { get; init; }

    /// <summary>What the user asked for: the front end may have made more for the instruments, which goes when they have worked.</summary>
    public DebugInformation DebugInformation { get; init; } = DebugInformation.All;

    /// <summary>Options for LLVM's own command line (<c>-C llvm-args</c>, <c>-mllvm</c>).</summary>
    public IReadOnlyList<string> LlvmArguments { get; init; } = [];

    /// <summary>Triple for a module that names none.</summary>
    public string? Triple { get; init; }

    public EmitKind Emit { get; init; } = EmitKind.Object;

    internal bool InterleavesLoops => Level is OptLevel.O2 or OptLevel.O3;

    /// <summary>"O2", as pipelines are spelled.</summary>
    internal string LevelName => Level.ToString();

    internal string Pipeline => $"default<{LevelName}>";

    internal CodegenLevel CodegenLevel => Level switch
    {
        OptLevel.O0 => CodegenLevel.None,
        OptLevel.O1 => CodegenLevel.Less,
        OptLevel.O3 => CodegenLevel.Aggressive,
        _ => CodegenLevel.Default,
    };

    /// <summary>"0" to "3", "s" or "z".</summary>
    public static OptLevel? ParseLevel(string text) => text switch
    {
        "0" => OptLevel.O0,
        "1" => OptLevel.O1,
        "2" => OptLevel.O2,
        "3" => OptLevel.O3,
        "s" => OptLevel.Os,
        "z" => OptLevel.Oz,
        _ => null,
    };

    /// <summary>Text that differs whenever the settings differ.</summary>
    public string Fingerprint => $"{(int)Level};{Cpu};{Features};{(int?)Relocation ?? -1};{(int)CodeModel};{Sections};{MergeFunctions};{(int)DebugInformation};{Triple};{(int)Emit};{string.Join(' ', LlvmArguments)}";
}
