namespace Weft.Toolchain;

/// <summary>Where Weft's own files are.</summary>
public static class WeftFiles
{
    /// <summary>A link beside the executable whose name makes Weft play that role.</summary>
    public static string Role(string name) => Path.Combine(AppContext.BaseDirectory, name);
}
