using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Weft.Llvm;

/// <summary>
/// The one libLLVM of this process. <see cref="Load"/> must run before anything else in this assembly; loading a second,
/// different library is refused because LLVM keeps process-wide state.
/// </summary>
public static unsafe class LlvmLibrary
{
    /// <summary>The LLVM releases whose C API and textual pipelines Weft is tested against.</summary>
    public const int OldestMajor = 19, NewestMajor = 22;

    private static readonly Lock Gate = new();
    private static readonly HashSet<string> Parsed = [];
    private static nint handle;

    /// <summary>File the library was loaded from, or null before <see cref="Load"/>.</summary>
    public static string? Path { get; private set; }

    public static Version Version { get; private set; } = new(0, 0, 0);

    /// <summary>Loads the library and every target it was built with.</summary>
    /// <exception cref="LlvmException">No such file, not an LLVM library, or a release outside the supported range.</exception>
    public static void Load(string path)
    {
        lock (Gate)
        {
            if (Path == path) return;
            if (Path != null) throw new LlvmException($"'{Path}' is loaded already; one process works with one libLLVM (asked for '{path}')");
            if (!NativeLibrary.TryLoad(path, out handle)) throw new LlvmException($"cannot load '{path}' (not a shared library for this machine, or one of its own dependencies is missing)");
            if (!NativeLibrary.TryGetExport(handle, "LLVMRunPasses", out _)) throw new LlvmException($"'{path}' does not export the LLVM C API");
            NativeLibrary.SetDllImportResolver(typeof(LlvmLibrary).Assembly, (name, _, _) => name == Native.Library ? handle : 0);
            Initialise(path);
        }
    }

    /// <summary>Passes options to LLVM's own command line, as rustc does. Process-wide; the same ones again are left out, since LLVM takes most only once.</summary>
    public static void ParseOptions(IReadOnlyList<string> options)
    {
        lock (Parsed)
            if (options.Count == 0 || !Parsed.Add(string.Join('\n', options))) return;
        var arguments = stackalloc nint[options.Count + 1];
        arguments[0] = Marshal.StringToCoTaskMemUTF8("weft");
        for (var i = 0; i < options.Count; i++) arguments[i + 1] = Marshal.StringToCoTaskMemUTF8(options[i]);
        Native.LLVMParseCommandLineOptions(options.Count + 1, arguments, 0);
        for (var i = 0; i <= options.Count; i++) Marshal.FreeCoTaskMem(arguments[i]);
    }

    // A separate method: imports of a method may be bound when it is compiled, and the resolver must be set by then.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Initialise(string path)
    {
        Native.LLVMGetVersion(out var major, out var minor, out var patch);
        Version = new Version((int)major, (int)minor, (int)patch);
        if (major is < OldestMajor or > NewestMajor)
            throw new LlvmException($"'{path}' is LLVM {Version}; Weft works with LLVM {OldestMajor} to {NewestMajor}");
        Path = path;
        InitialiseTargets();
        FatalErrors.Install();
    }

    // LLVM's headers expand these lists at compile time; the library exports one set of functions per target it has.
    private static void InitialiseTargets()
    {
        string[] targets = ["X86", "AArch64", "ARM", "RISCV", "PowerPC", "SystemZ", "LoongArch", "Mips", "Sparc", "WebAssembly", "Hexagon", "MSP430", "M68k", "AVR", "BPF", "NVPTX", "AMDGPU", "CSKY", "Xtensa", "Lanai", "XCore", "VE"];
        string[] parts = ["TargetInfo", "Target", "TargetMC", "AsmPrinter", "AsmParser"];
        foreach (var target in targets)
            foreach (var part in parts)
                if (NativeLibrary.TryGetExport(handle, $"LLVMInitialize{target}{part}", out var function))
                    ((delegate* unmanaged[Cdecl]<void>)function)();
    }

    internal static string Text(nint pointer) => Marshal.PtrToStringUTF8(pointer) ?? "";

    internal static string Text(byte* start, nuint length) => start == null ? "" : Encoding.UTF8.GetString(start, (int)length);

    /// <summary>Takes a message that LLVM allocated.</summary>
    internal static string TakeMessage(nint message)
    {
        var text = Text(message);
        if (message != 0) Native.LLVMDisposeMessage(message);
        return text;
    }
}
