namespace Weft.Core;

/// <summary>What a target triple says of the system that code is for.</summary>
public static class TargetSystem
{
    private static readonly string[] OtherFormats = ["windows", "mingw", "cygwin", "msvc", "darwin", "macos", "ios", "wasm", "uefi", "aix", "zos"];
    private static readonly string[] CoffSystems = ["windows", "mingw", "cygwin", "msvc", "uefi"];

    /// <summary>Linux and its like.</summary>
    public static bool IsElf(string triple) => !OtherFormats.Any(f => triple.Contains(f, StringComparison.Ordinal));

    /// <summary>Windows and its like, whose objects are COFF.</summary>
    public static bool IsCoff(string triple) => CoffSystems.Any(f => triple.Contains(f, StringComparison.Ordinal));

    /// <summary>Windows with mingw's C library; as compilers spell the triple, not people.</summary>
    public static bool IsMingw(string triple) => triple.EndsWith("-windows-gnu", StringComparison.Ordinal);
}
