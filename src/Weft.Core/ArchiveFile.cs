using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Weft.Core;

/// <summary>A member of an archive. The name may be any bytes; it is kept as Latin-1 text.</summary>
public sealed record ArchiveMember(string Name, byte[] Content);

/// <summary>
/// The "ar" format as System V and GNU write it (rlibs and .a files), reading also BSD's long names. Writing makes the
/// symbol index linkers look for, from ELF members. Deterministic: no times, no owners.
/// </summary>
public static class ArchiveFile
{
    private const int HeaderSize = 60;

    private static ReadOnlySpan<byte> Magic => "!<arch>\n"u8;

    public static bool Is(ReadOnlySpan<byte> content) => content.StartsWith(Magic);

    /// <summary>An archive that only names its members, which are files of their own.</summary>
    public static bool IsThin(ReadOnlySpan<byte> content) => content.StartsWith("!<thin>\n"u8);

    /// <summary>Members in order, without index and name tables.</summary>
    /// <exception cref="WeftException">Not an archive, or cut short.</exception>
    public static List<ArchiveMember> Read(byte[] data, string path)
    {
        if (!Is(data)) throw Damaged(path, "no archive magic");
        var members = new List<ArchiveMember>();
        ReadOnlySpan<byte> longNames = [];
        for (var at = Magic.Length; at < data.Length; at += at & 1)
        {
            if (at + HeaderSize > data.Length) throw Damaged(path, "cut short in a member's header");
            var header = data.AsSpan(at, HeaderSize);
            if (!long.TryParse(header[48..58], NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var size)) throw Damaged(path, "a member has no size");
            at += HeaderSize;
            if (size < 0 || size > data.Length - at) throw Damaged(path, "cut short in a member");
            var content = data.AsSpan(at, (int)size);
            at += (int)size;
            var name = Encoding.Latin1.GetString(header[..16]).TrimEnd(' ');
            if (name == "//") longNames = content;
            else if (name is not ("/" or "/SYM64/" or "__.SYMDEF" or "__.SYMDEF SORTED")) members.Add(Member(name, content, longNames, path));
        }
        return members;
    }

    public static byte[] Write(IReadOnlyList<ArchiveMember> members, string path)
    {
        var (names, longNames) = LayOutNames(members);
        var symbols = members.Select(m => ElfFile.TryRead(m.Content, $"{path}({m.Name})")?.DefinedGlobals() ?? []).ToList();
        var indexSize = symbols.Sum(list => list.Sum(s => 4 + s.Length + 1)) + 4;
        var first = Magic.Length + HeaderSize + Even(indexSize) + (longNames.Length > 0 ? HeaderSize + Even(longNames.Length) : 0);

        using var output = new MemoryStream();
        output.Write(Magic);
        WriteMember(output, "/", Index(members, symbols, first, indexSize));
        if (longNames.Length > 0) WriteMember(output, "//", longNames);
        for (var i = 0; i < members.Count; i++) WriteMember(output, names[i], members[i].Content);
        return output.ToArray();
    }

    private static ArchiveMember Member(string name, ReadOnlySpan<byte> content, ReadOnlySpan<byte> longNames, string path)
    {
        if (name.StartsWith("#1/", StringComparison.Ordinal) && int.TryParse(name.AsSpan(3), CultureInfo.InvariantCulture, out var length) && length >= 0 && length <= content.Length)
            return new(Encoding.Latin1.GetString(content[..length]).TrimEnd('\0'), content[length..].ToArray());
        if (name.StartsWith('/') && int.TryParse(name.AsSpan(1), CultureInfo.InvariantCulture, out var offset))
        {
            if (offset < 0 || offset >= longNames.Length) throw Damaged(path, "a member's name is outside the name table");
            var rest = longNames[offset..];
            var end = rest.IndexOf("\n"u8);
            name = Encoding.Latin1.GetString(end < 0 ? rest : rest[..end]);
        }
        return new(name.EndsWith('/') ? name[..^1] : name, content.ToArray());
    }

    private static (List<string> Names, byte[] LongNames) LayOutNames(IReadOnlyList<ArchiveMember> members)
    {
        var names = new List<string>();
        var table = new StringBuilder();
        foreach (var member in members)
        {
            if (member.Name.Length <= 15)
            {
                names.Add(member.Name + "/");
                continue;
            }
            names.Add("/" + table.Length.ToString(CultureInfo.InvariantCulture));
            table.Append(member.Name).Append("/\n");
        }
        return (names, Encoding.Latin1.GetBytes(table.ToString()));
    }

    private static byte[] Index(IReadOnlyList<ArchiveMember> members, List<IReadOnlyList<string>> symbols, int first, int size)
    {
        var index = new byte[size];
        BinaryPrimitives.WriteUInt32BigEndian(index, (uint)symbols.Sum(s => s.Count));
        int offsetAt = 4, nameAt = 4 + 4 * symbols.Sum(s => s.Count), memberAt = first;
        for (var i = 0; i < members.Count; i++)
        {
            foreach (var symbol in symbols[i])
            {
                BinaryPrimitives.WriteUInt32BigEndian(index.AsSpan(offsetAt), checked((uint)memberAt));
                offsetAt += 4;
                nameAt += Encoding.Latin1.GetBytes(symbol, index.AsSpan(nameAt)) + 1;
            }
            memberAt = checked(memberAt + HeaderSize + Even(members[i].Content.Length));
        }
        return index;
    }

    private static void WriteMember(Stream output, string name, byte[] content)
    {
        output.Write(Encoding.Latin1.GetBytes($"{name,-16}{0,-12}{0,-6}{0,-6}{"644",-8}{content.Length,-10}`\n"));
        output.Write(content);
        if (content.Length % 2 == 1) output.WriteByte((byte)'\n');
    }

    private static int Even(int size) => size + (size & 1);

    private static WeftException Damaged(string path, string why) => new($"damaged archive '{path}': {why}", "remove it and build again");
}
