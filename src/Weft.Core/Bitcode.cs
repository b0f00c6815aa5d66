namespace Weft.Core;

/// <summary>Tells bitcode from other files by its magic: raw ('BC' C0DE) or with Apple's wrapper header (0B17C0DE).</summary>
public static class Bitcode
{
    public static bool Is(ReadOnlySpan<byte> content) =>
        content.StartsWith(Raw) || content.StartsWith(Wrapped);

    private static ReadOnlySpan<byte> Raw => [0x42, 0x43, 0xC0, 0xDE];

    private static ReadOnlySpan<byte> Wrapped => [0xDE, 0xC0, 0x17, 0x0B];

    /// <summary>Reads four bytes only: object files are large and most are not bitcode.</summary>
    public static bool IsFile(string path)
    {
        Span<byte> magic = stackalloc byte[4];
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            return file.ReadAtLeast(magic, 4, throwOnEndOfStream: false) == 4 && Is(magic);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // the linker will say what is wrong with it
        }
    }
}
