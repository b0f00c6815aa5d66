using Microsoft.Win32.SafeHandles;
using Weft.Core;

namespace Weft.Tracing;

/// <summary>A stretch of a file in memory, moved along as it is read: sequential reading of any size in 64 KiB.</summary>
internal sealed class FileWindow(SafeFileHandle file, string path)
{
    private readonly byte[] buffer = new byte[1 << 16];
    private long start;
    private int filled;

    /// <summary>The bytes at an offset, at most 64 KiB; fewer where the file ends.</summary>
    public ReadOnlySpan<byte> At(long offset, int count)
    {
        if (offset < start || offset + count > start + filled) Fill(offset);
        var at = (int)(offset - start);
        return buffer.AsSpan(at, Math.Min(count, filled - at));
    }

    private void Fill(long offset)
    {
        start = offset;
        filled = 0;
        try
        {
            while (filled < buffer.Length && RandomAccess.Read(file, buffer.AsSpan(filled), offset + filled) is > 0 and var read) filled += read;
        }
        catch (IOException e)
        {
            throw new WeftException($"cannot read '{path}': {e.Message}", null, ExitCode.Failure, e);
        }
    }
}
