using Weft.Core;

namespace Weft.Coverage.Maps;

/// <summary>The linker's name for a build: the note <c>NT_GNU_BUILD_ID</c> of an ELF file.</summary>
public static class BuildId
{
    private const uint BuildIdNote = 3;

    /// <returns>Null if the linker gave it none, or it is no ELF file.</returns>
    /// <exception cref="WeftException">The file cannot be read.</exception>
    public static byte[]? Read(string path)
    {
        using var file = new MappedFile(path);
        try
        {
            var notes = ElfSections.TryRead(file, 0, (ulong)file.Length) is { } elf ? elf.Contents(".note.gnu.build-id").FirstOrDefault() : default;
            return notes.IsEmpty ? null : Find(notes.Span);
        }
        catch (DamageException)
        {
            return null; // who reads its coverage map says what is wrong
        }
    }

    private static byte[]? Find(ReadOnlySpan<byte> notes)
    {
        const string what = "a note";
        var reader = new ByteReader(notes);
        while (reader.Left >= 12)
        {
            uint nameSize = reader.U32(what), size = reader.U32(what), type = reader.U32(what);
            reader.Take((nameSize + 3) & ~3u, what);
            var content = reader.Take(size, what);
            if (type == BuildIdNote) return content.ToArray();
            reader.Take((ulong)Math.Min(-(int)size & 3, reader.Left), what);
        }
        return null;
    }
}
