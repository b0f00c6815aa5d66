using Weft.Core;
using Weft.Llvm;

namespace Weft.Toolchain.Cargo;

/// <summary>A rustc command line, as far as Weft must understand it: cargo's forms and those people put in RUSTFLAGS.</summary>
internal sealed class RustcArguments
{
    private readonly List<string> arguments;

    public RustcArguments(IEnumerable<string> given) => arguments = [.. given.SelectMany(Expand)];

    /// <summary>The arguments as they stand.</summary>
    public IReadOnlyList<string> All => arguments;

    public string? CrateName => Value("--crate-name");

    public string? Target => Value("--target");

    public string? OutFolder => Value("--out-dir");

    public IReadOnlyList<string> CrateTypes => [.. Values("--crate-type").SelectMany(v => v.Split(','))];

    public IReadOnlyList<string> Emit => [.. Values("--emit").SelectMany(v => v.Split(',')).Select(v => v.Split('=')[0])];

    public bool IsTest => arguments.Contains("--test");

    public bool IsQuery => CrateName == null || Values("--print").Count > 0 || arguments.Contains("-");

    /// <summary>The value rustc goes by: the last one given.</summary>
    public string? Codegen(string name) => CodegenOptions().LastOrDefault(o => o.Name == name)?.Value;

    public bool HasCodegen(string name) => CodegenOptions().Any(o => o.Name == name);

    public IReadOnlyList<string> CodegenAll(string name) => [.. CodegenOptions().Where(o => o.Name == name).Select(o => o.Value ?? "")];

    public bool HasUnstable(string name) => Pairs("-Z").Any(v => v == name || v.StartsWith(name + "=", StringComparison.Ordinal));

    public OptLevel Level => Codegen("opt-level") is { } text ? LoweringSettings.ParseLevel(text) ?? OptLevel.O0 : arguments.Contains("-O") ? OptLevel.O3 : OptLevel.O0;

    public void Add(params ReadOnlySpan<string> more) => arguments.AddRange(more);

    public void AddCodegen(string name, string? value = null) => Add("-C", value == null ? name : $"{name}={value}");

    /// <summary>Takes out every <c>-C name[=value]</c>.</summary>
    public void RemoveCodegen(string name)
    {
        for (var i = 0; i < arguments.Count; i++)
        {
            var (text, width) = CodegenAt(i);
            if (width == 0 || Split(text).Name != name) continue;
            arguments.RemoveRange(i--, width);
        }
    }

    public void Remove(string argument) => arguments.RemoveAll(a => a == argument);

    /// <summary>Takes out -g, rustc's short form of full debug information.</summary>
    public bool TakeShortDebugFlag() => arguments.RemoveAll(a => a == "-g") > 0;

    private IEnumerable<CodegenOption> CodegenOptions()
    {
        for (var i = 0; i < arguments.Count; i++)
            if (CodegenAt(i) is { Width: > 0 } option)
                yield return Split(option.Text);
    }

    // "-C x=1", "-Cx=1", "--codegen x=1", "--codegen=x=1"
    private (string Text, int Width) CodegenAt(int i)
    {
        var argument = arguments[i];
        if (argument is "-C" or "--codegen") return i + 1 < arguments.Count ? (arguments[i + 1], 2) : ("", 0);
        if (argument.StartsWith("-C", StringComparison.Ordinal)) return (argument[2..], 1);
        return argument.StartsWith("--codegen=", StringComparison.Ordinal) ? (argument[10..], 1) : ("", 0);
    }

    // rustc treats '-' and '_' in option names alike.
    private static CodegenOption Split(string option)
    {
        var at = option.IndexOf('=');
        return at < 0 ? new(option.Replace('_', '-'), null) : new(option[..at].Replace('_', '-'), option[(at + 1)..]);
    }

    private string? Value(string name) => Values(name).LastOrDefault();

    private List<string> Values(string name)
    {
        var values = Pairs(name).ToList();
        values.AddRange(arguments.Where(a => a.StartsWith(name + "=", StringComparison.Ordinal)).Select(a => a[(name.Length + 1)..]));
        return values;
    }

    private IEnumerable<string> Pairs(string name)
    {
        for (var i = 0; i + 1 < arguments.Count; i++)
            if (arguments[i] == name)
                yield return arguments[i + 1];
    }

    // Cargo moves a command line that is too long into a file, one argument a line.
    private static IEnumerable<string> Expand(string argument) =>
        argument.StartsWith('@') && File.Exists(argument[1..]) ? File.ReadAllLines(argument[1..]) : [argument];

    /// <summary>What rustc would have told LLVM.</summary>
    public LoweringSettings Settings()
    {
        var level = Level;
        return new LoweringSettings
        {
            Level = level,
            Relocation = Codegen("relocation-model") switch { "static" => RelocationModel.Static, "dynamic-no-pic" => RelocationModel.DynamicNoPic, _ => RelocationModel.Pic },
            CodeModel = Codegen("code-model") switch { "tiny" => CodeModel.Tiny, "small" => CodeModel.Small, "kernel" => CodeModel.Kernel, "medium" => CodeModel.Medium, "large" => CodeModel.Large, _ => CodeModel.Default },
            MergeFunctions = level is OptLevel.O2 or OptLevel.O3,
            LlvmArguments = LlvmArguments(),
        };
    }

    // rustc's own additions to LLVM's command line (compiler/rustc_codegen_llvm/src/llvm_util.rs), then the user's, which go before them.
    // It vectorises at -O2 and -O3 alone (write.rs of rustc_codegen_ssa); LLVM's pipelines would at -Os too.
    private List<string> LlvmArguments()
    {
        var given = CodegenAll("llvm-args").SelectMany(a => a.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        List<string> own = ["-mergefunc-use-aliases", "-preserve-alignment-assumptions-during-inlining=false", "-import-cold-multiplier=0.1"];
        var vectorises = Level is OptLevel.O2 or OptLevel.O3;
        if (!vectorises || HasCodegen("no-vectorize-loops")) own.AddRange(["-vectorize-loops=false", "-interleave-loops=false"]);
        if (!vectorises || HasCodegen("no-vectorize-slp")) own.Add("-vectorize-slp=false");
        return [.. own.Where(o => !given.Exists(g => LlvmOption(g) == LlvmOption(o))), .. given];
    }

    // LLVM refuses an option that is given twice.
    private static string LlvmOption(string argument) => argument.TrimStart('-').Split('=')[0];

    private sealed record CodegenOption(string Name, string? Value);
}
