using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Weft.Llvm;

/// <summary>
/// Symbols as people write them, by libLLVM's demanglers: that of the toolchain at work, or else one that is installed; C++
/// and Rust's older scheme by libstdc++ where there is none. A name that nobody understands stays as it is.
/// </summary>
public static unsafe partial class Demangler
{
    // llvm::rustDemangle(std::string_view), llvm::itaniumDemangle(std::string_view, bool): the view is two registers on
    // every 64-bit target.
    private const string RustFunction = "_ZN4llvm12rustDemangleESt17basic_string_viewIcSt11char_traitsIcEE", ItaniumFunction = "_ZN4llvm15itaniumDemangleESt17basic_string_viewIcSt11char_traitsIcEEb";

    private static readonly Lazy<nint> Itanium = new(() => NativeLibrary.TryLoad("libstdc++.so.6", out var library) && NativeLibrary.TryGetExport(library, "__cxa_demangle", out var function) ? function : 0);
    private static readonly Lazy<nint> Llvm = new(FindLlvm);

    /// <summary>Files of LLVM libraries to try, best first, in a process that has loaded none.</summary>
    public static Func<IEnumerable<string>>? OtherLibraries { get; set; }

    public static string Demangle(string symbol)
    {
        var name = Suffix().Replace(symbol, "");
        if (name.StartsWith("_R", StringComparison.Ordinal)) return ByRust(name) ?? symbol;
        if (name.StartsWith("_Z", StringComparison.Ordinal)) return ByItanium(name) ?? symbol;
        return symbol;
    }

    private static string? ByItanium(string symbol)
    {
        var bytes = Encoding.UTF8.GetBytes(symbol + '\0');
        fixed (byte* text = bytes)
        {
            int status;
            string? name = null;
            if (Llvm.Value != 0 && NativeLibrary.TryGetExport(Llvm.Value, ItaniumFunction, out var function))
                name = Take(((delegate* unmanaged[Cdecl]<nuint, byte*, byte, byte*>)function)((nuint)bytes.Length - 1, text, 1));
            else if (Itanium.Value != 0)
                name = Take(((delegate* unmanaged[Cdecl]<byte*, byte*, nuint*, int*, byte*>)Itanium.Value)(text, null, null, &status));
            return name != null && OldRust().Match(name) is { Success: true } match ? Unescape(match.Groups[1].Value) : name;
        }
    }

    private static string? ByRust(string symbol)
    {
        if (Llvm.Value == 0 || !NativeLibrary.TryGetExport(Llvm.Value, RustFunction, out var function)) return null;
        var bytes = Encoding.UTF8.GetBytes(symbol);
        fixed (byte* text = bytes)
            return Take(((delegate* unmanaged[Cdecl]<nuint, byte*, byte*>)function)((nuint)bytes.Length, text));
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
        return text.Replace("::_<", "::<").Replace("::_{", "::{").Replace("..", "::") is var dotted && dotted.StartsWith("_<", StringComparison.Ordinal) ? dotted[1..] : dotted;
    }

    private static nint FindLlvm()
    {
        if (LlvmLibrary.Path != null) return NativeLibrary.Load(LlvmLibrary.Path);
        foreach (var path in OtherLibraries?.Invoke() ?? [])
            if (NativeLibrary.TryLoad(path, out var library) && NativeLibrary.TryGetExport(library, RustFunction, out _))
                return library;
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
