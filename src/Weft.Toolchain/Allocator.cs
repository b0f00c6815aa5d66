namespace Weft.Toolchain;

/// <summary>
/// glibc's allocator as LLVM's optimiser likes it: rustc brings jemalloc, Weft has the C library's, and with its defaults
/// lowering takes a tenth longer (docs/performance.md). The settings are read when a process starts, and they are for
/// Weft's own processes only, never for the user's programs.
/// </summary>
internal static class Allocator
{
    private const string Variable = "GLIBC_TUNABLES";

    private const string Settings =
        "glibc.malloc.tcache_count=65000:glibc.malloc.top_pad=67108864:glibc.malloc.trim_threshold=4000000000:glibc.malloc.mmap_threshold=33554432:glibc.malloc.hugetlb=1";

    // Below this much bitcode, starting again costs more than it saves.
    private const long WorthIt = 1 << 20;

    /// <summary>Starts this process again with the settings, when there is enough to lower and nobody has set any; else returns.</summary>
    /// <param name="bitcode">Bytes to lower.</param>
    /// <param name="mark">Variable that tells the new process what this one has done already.</param>
    public static void Restart(long bitcode, string? mark = null)
    {
        // This is the new process: whatever it starts is not Weft.
        if (Environment.GetEnvironmentVariable(Variable) == Settings) Environment.SetEnvironmentVariable(Variable, null);
        else if (bitcode < WorthIt || !OperatingSystem.IsLinux() || Environment.GetEnvironmentVariable(Variable) is { Length: > 0 }) return;
        else Start(mark);
    }

    private static void Start(string? mark)
    {
        Posix.SetVariable(Variable, Settings);
        if (mark != null) Posix.SetVariable(mark, "1");
        Posix.Execute(Posix.CommandLine[0], Posix.CommandLine);
    }
}
