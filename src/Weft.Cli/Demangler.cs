using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Weft.Toolchain;

namespace Weft.Cli;

/// <summary>
/// Symbols as people write them: C++ and Rust's older scheme by libstdc++, Rust's newer one by libLLVM. A name that neither
/// understands, or a library that is not there, leaves the name as it is.
/// </summary>
internal static unsafe partial class Demangler
{
    // llvm::rustDemangle(std::string_view): the view is two registers on every 64-bit target.
    private const string RustFunction = "_ZN4llvm12rustDemangleESt17basic_string_viewIcSt11char_traitsIcEE";

    private static readonly Lazy<nint> Itanium = new(() => NativeLibrary.TryLoad("libstdc++.so.6", out var library) && NativeLibrary.TryGetExport(library, "__cxa_demangle", out var function) ? function : 0);
    private static readonly Lazy<nint> Rust = new(FindRust);

    public static string Demangle(string symbol)
    {
        var name = Suffix().Replace(symbol, "");
        if (name.StartsWith("_R", StringComparison.Ordinal)) return ByRust(name) ?? symbol;
        if (name.StartsWith("_Z", StringComparison.Ordinal)) return ByItanium(name) ?? symbol;
        return symbol;
    }

    private static string? ByItanium(string symbol)
    {
        if (Itanium.Value == 0) return null;
        fixed (byte* text = Encoding.UTF8.GetBytes(symbol + '\0'))
        {
            int status;
            var name = Take(((delegate* unmanaged[Cdecl]<byte*, byte*, nuint*, int*, byte*>)Itanium.Value)(text, null, null, &status));
            return name != null && OldRust().Match(name) is { Success: true } match ? Unescape(match.Groups[1].Value) : name;
        }
    }

    private static string? ByRust(string symbol)
    {
        if (Rust.Value == 0) return null;
        var bytes = Encoding.UTF8.GetBytes(symbol);
        fixed (byte* text = bytes)
            return Take(((delegate* unmanaged[Cdecl]<nuint, byte*, byte*>)Rust.Value)((nuint)bytes.Length, text));
    }

    private static string? Take(byte* text)
    {
        if (text == null) return null;
        var name = Marshal.PtrToStringUTF8((nint)text);
        NativeMemory.Free(text);
        return name;
    }

    /// <summary>rustc writes "&lt;" as "$LT$" and "::" as ".." where C++ mangling has no room for them.</summary>
    private static string Unescape(string name)
    {
        var text = Escape().Replace(name, match => match.Groups[1].Value switch
        {
            "SP" => "@",
            "BP" => "*",
            "RF" => "&",
            "LT" => "<",
            "GT" => ">",
            "LP" => "(",
            "RP" => ")",
            "C" => ",",
            var code => ((char)Convert.ToInt32(code[1..], 16)).ToString(),
        });
        return text.Replace("::_<", "::<").Replace("..", "::") is var dotted && dotted.StartsWith("_<", StringComparison.Ordinal) ? dotted[1..] : dotted;
    }

    private static nint FindRust()
    {
        if (!Environment.Is64BitProcess) return 0;
        foreach (var (path, _) in LlvmLocator.Installed().OrderByDescending(l => l.Major))
            if (NativeLibrary.TryLoad(path, out var library) && NativeLibrary.TryGetExport(library, RustFunction, out var function))
                return function;
        return 0;
    }

    // What optimisers append to the copies they make of a function.
    [GeneratedRegex(@"(\.(llvm|cold|constprop|isra|part|lto_priv|warm|\d+))+$")]
    private static partial Regex Suffix();

    // Every name of rustc's older scheme ends in a hash.
    [GeneratedRegex("^(.*)::h[0-9a-f]{16}$")]
    private static partial Regex OldRust();

    [GeneratedRegex(@"\$(SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]{1,4})\$")]
    private static partial Regex Escape();
}
