using System.Buffers.Binary;
using System.Text;

namespace Weft.Core;

/// <summary>
/// Adds a section that no loader looks at to a linked 64-bit ELF file, as objcopy --add-section would: its content, the names of
/// sections and the table of them go to the end of the file, and last of all the header is made to point there. Whatever happens on the way,
/// the file is one or the other.
/// </summary>
public static class ElfAppender
{
    private const int HeaderSize = 64, EntrySize = 64, TableAt = 40, CountAt = 60, NamesAt = 62;

    /// <exception cref="WeftException">The file cannot be written.</exception>
    public static void Append(string path, string name, ReadOnlySpan<byte> content)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
            Span<byte> header = stackalloc byte[HeaderSize];
            file.ReadExactly(header);
            var table = BinaryPrimitives.ReadInt64LittleEndian(header[TableAt..]);
            int count = BinaryPrimitives.ReadUInt16LittleEndian(header[CountAt..]), names = BinaryPrimitives.ReadUInt16LittleEndian(header[NamesAt..]);
            if (table == 0 || count == 0 || names >= count) return; // no sections, or more than a header can count
            var entries = ReadAt(file, table, count * EntrySize);
            var nameEntry = entries.AsSpan(names * EntrySize, EntrySize);
            var text = ReadAt(file, BinaryPrimitives.ReadInt64LittleEndian(nameEntry[24..]), checked((int)BinaryPrimitives.ReadInt64LittleEndian(nameEntry[32..])));

            var contentAt = End(file);
            file.Write(content);
            var namesAt = End(file);
            file.Write([.. text, .. Encoding.ASCII.GetBytes(name), 0]);
            BinaryPrimitives.WriteInt64LittleEndian(nameEntry[24..], namesAt);
            BinaryPrimitives.WriteInt64LittleEndian(nameEntry[32..], text.Length + name.Length + 1);
            var tableAt = End(file);
            file.Write(entries);
            file.Write(Entry(text.Length, contentAt, content.Length));
            BinaryPrimitives.WriteInt64LittleEndian(header[TableAt..], tableAt);
            BinaryPrimitives.WriteUInt16LittleEndian(header[CountAt..], checked((ushort)(count + 1)));
            file.Position = 0;
            file.Write(header);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OverflowException)
        {
            throw new WeftException($"cannot write '{path}': {e.Message}", "check free space and permissions of that folder", ExitCode.Failure, e);
        }
    }

    private static byte[] ReadAt(FileStream file, long at, int size)
    {
        var bytes = new byte[size];
        file.Position = at;
        file.ReadExactly(bytes);
        return bytes;
    }

    private static long End(FileStream file)
    {
        file.Position = file.Length;
        while (file.Position % 8 != 0) file.WriteByte(0);
        return file.Position;
    }

    private static byte[] Entry(int name, long at, long size)
    {
        const int programBits = 1;
        var entry = new byte[EntrySize];
        BinaryPrimitives.WriteInt32LittleEndian(entry, name);
        BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(4), programBits);
        BinaryPrimitives.WriteInt64LittleEndian(entry.AsSpan(24), at);
        BinaryPrimitives.WriteInt64LittleEndian(entry.AsSpan(32), size);
        BinaryPrimitives.WriteInt64LittleEndian(entry.AsSpan(48), 1);
        return entry;
    }
}
