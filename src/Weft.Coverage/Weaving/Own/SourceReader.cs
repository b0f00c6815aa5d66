using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Weft.Core;
using Weft.Coverage.Regions;
using Weft.Coverage.Regions.C;
using Weft.Coverage.Regions.Placement;
using Weft.Coverage.Regions.Rust;
using Weft.Llvm;
using Weft.Syntax;

namespace Weft.Coverage.Weaving.Own;

/// <summary>The regions of a module's functions, by what is known of their language: C and C++ by unit, Rust by file, others by lines.</summary>
internal sealed class SourceReader(SourceContext context, ModuleFiles files, Func<string, bool> isCovered, LlvmContext llvm)
{
    // Headers that came with the compiler, which are not the user's.
    private const string SystemFolder = "/usr/";

    private readonly GrammarStore store = new();
    private readonly Dictionary<int, RustUnit?> rust = [];
    private readonly HashSet<object> compiled = [];
    private CUnit? unit;
    private SyntaxParser? parser;
    private bool isUnread;

    /// <summary>The regions of a function, with counts that are sums of sites; null if it is not to be counted.</summary>
    public FunctionRegions? Regions(LocatedFunction function, Sites sites)
    {
        if (function.Function.SourceFile is not { } file) return null;
        if (IsRust(file)) return Rust(function, file, sites);
        if (context.Preprocessed != null && !isUnread) return C(function, sites);
        return file.Path.StartsWith(SystemFolder, StringComparison.Ordinal) ? null : LineRegions.Of(function, files, sites);
    }

    /// <summary>Functions of the source that the module has no code of.</summary>
    public IEnumerable<(string Name, FunctionRegions Regions)> Unused(Module module)
    {
        var main = Path.GetFileName(module.SourceFileName);
        foreach (var function in unit?.Functions.Where(f => !compiled.Contains(f) && !f.IsTemplate && unit.IsUsers(f)) ?? [])
        {
            var (file, line) = unit!.Start(function);
            yield return ($"{main}:{function.Name}:{Path.GetFileName(file)}:{line}", unit.Unused(function));
        }
        foreach (var (number, read) in rust)
            foreach (var function in read?.Functions.Where(f => !compiled.Contains(f) && !f.IsConditional) ?? [])
                yield return ($"{Path.GetFileName(files.PathOf(number))}:{function.Name}:{function.Line}", RustUnit.Unused(function));
    }

    /// <summary>A function's name in profiles, as its front end would have it.</summary>
    public string ProfileName(Module module, Function function)
    {
        var name = function.Name.TrimStart('\u0001');
        return function.SourceFile is { } file && IsRust(file) || function.Linkage is not (Linkage.Internal or Linkage.Private) ? name : $"{Path.GetFileName(module.SourceFileName)}:{name}";
    }

    private static bool IsRust(DebugFile file) => file.Name.EndsWith(".rs", StringComparison.Ordinal);

    private FunctionRegions? C(LocatedFunction function, Sites sites)
    {
        unit ??= Guarded(context.MainFile, ReadUnit);
        if (unit == null)
        {
            isUnread = true;
            return Regions(function, sites);
        }
        if (unit.Find(function) is not { } syntax || IsVariant(function.Function) || function.Function.Name.Contains(".__await_suspend_wrapper__", StringComparison.Ordinal)) return null;
        compiled.Add(syntax);
        return Guarded($"{context.MainFile}: {syntax.Name}", () => unit.Regions(syntax, function, sites)) ?? LineRegions.Of(function, files, sites);
    }

    private CUnit ReadUnit() =>
        new CRegionReader(parser ??= new SyntaxParser(context.IsCpp ? Grammar.Cpp : Grammar.C, store), context.Preprocessed!, context.MainFile,
            name => new SourceFile(name, File.ReadAllBytes(Path.GetFullPath(name, context.Folder)))).Read(files);

    /// <summary>
    /// Source that a grammar does not fit gives trees of any shape, and those who read them expect the language's. A build
    /// must not end because of that: such a function is counted by its lines.
    /// </summary>
    private static T? Guarded<T>(string what, Func<T?> read) where T : class
    {
        try { return read(); }
        catch (Exception e) when (e is NullReferenceException or InvalidOperationException or ArgumentException or KeyNotFoundException or IndexOutOfRangeException or IOException or UnauthorizedAccessException)
        {
            Terminal.Warning($"coverage: {what} has source that Weft cannot read ({e.Message}); it is counted by lines");
            return null;
        }
    }

    // Of constructors and destructors clang counts one form; the others call it.
    private static bool IsVariant(Function function)
    {
        if (function.Name.EndsWith("D0Ev", StringComparison.Ordinal)) return true;
        foreach (var (variant, counted) in (ReadOnlySpan<(string, string)>)[("C1E", "C2E"), ("D1E", "D2E")])
            if (function.Name.Contains(variant, StringComparison.Ordinal) && function.Name.Replace(variant, counted, StringComparison.Ordinal) is var other && CallsOnly(function, other))
                return true;
        return false;
    }

    private static bool CallsOnly(Function function, string other)
    {
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (instruction.IsCall && instruction.CalledValue.Name == other)
                    return true;
        return false;
    }

    private FunctionRegions? Rust(LocatedFunction function, DebugFile file, Sites sites)
    {
        var number = files[file];
        if (!rust.TryGetValue(number, out var read)) rust[number] = read = isCovered(file.Path) ? Guarded(file.Path, () => ReadRust(file, number)) : null;
        if (read?.Find(function) is not { } syntax) return null;
        compiled.Add(syntax);
        return Guarded($"{file.Path}: {syntax.Name}", () => read.Regions(syntax, function, sites)) ?? LineRegions.Of(function, files, sites);
    }

    private RustUnit? ReadRust(DebugFile file, int number)
    {
        if (!File.Exists(file.Path))
        {
            Terminal.Warning($"coverage: '{file.Path}' is not there, its functions are not counted");
            return null;
        }
        var text = File.ReadAllBytes(file.Path);
        if (file.Digest(llvm) is { } digest && !IsOf(text, digest))
        {
            Terminal.Warning($"coverage: '{file.Path}' is not what was compiled, its functions are not counted; build again");
            return null;
        }
        return new RustRegionReader(parser ??= new SyntaxParser(Grammar.Rust, store), new SourceFile(file.Name, text)).Read(number);
    }

    [SuppressMessage("Security", "CA5350", Justification = "the compiler chose it; nothing is secured with it")]
    [SuppressMessage("Security", "CA5351", Justification = "the compiler chose it; nothing is secured with it")]
    private static bool IsOf(byte[] text, string digest) => digest.Equals(Convert.ToHexStringLower(digest.Length switch
    {
        32 => MD5.HashData(text),
        40 => SHA1.HashData(text),
        _ => SHA256.HashData(text),
    }), StringComparison.OrdinalIgnoreCase);
}
