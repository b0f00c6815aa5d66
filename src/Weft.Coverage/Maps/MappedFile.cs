using System.Buffers;
using System.IO.MemoryMappedFiles;
using Weft.Core;

namespace Weft.Coverage.Maps;

/// <summary>A file in memory, page by page as it is read. It must not become shorter meanwhile.</summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? file;
    private readonly MemoryMappedViewAccessor? view;
    private readonly byte* start;

    /// <exception cref="WeftException">It cannot be read.</exception>
    public MappedFile(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            Length = stream.Length;
            if (Length == 0) return;
            file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            throw new WeftException($"cannot read '{path}': {e.Message}", null, ExitCode.Failure, e);
        }
    }

    public long Length { get; }

    /// <summary>Some of its bytes, for as long as this is not disposed of.</summary>
    /// <exception cref="DamageException">The file has none there, or they are too many.</exception>
    public ReadOnlyMemory<byte> Slice(ulong offset, ulong size, string what)
    {
        if (offset > (ulong)Length || size > (ulong)Length - offset) throw new DamageException($"it is cut short in {what}");
        if (size > int.MaxValue) throw new DamageException($"{what} has {size} bytes; two gibibytes are the most that is read");
        return size == 0 ? default : new Window(start + offset, (int)size).Memory;
    }

    public void Dispose()
    {
        if (start != null) view!.SafeMemoryMappedViewHandle.ReleasePointer();
        view?.Dispose();
        file?.Dispose();
    }

    private sealed class Window(byte* start, int length) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => new(start, length);

        public override MemoryHandle Pin(int elementIndex = 0) => new(start + elementIndex);

        public override void Unpin() { }

        protected override void Dispose(bool disposing) { }
    }
}
