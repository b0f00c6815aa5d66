using Weft.Core;

namespace Weft.Hotpatch.Check;

/// <summary>A file, or a member of an archive, with what the check found of its functions.</summary>
/// <param name="Name">A path, or "archive(member)".</param>
/// <param name="Code">What is in it.</param>
/// <param name="Verdicts">Of each function, by place.</param>
public sealed record CheckedFile(string Name, MachineCode Code, IReadOnlyList<Verdict> Verdicts)
{
    /// <summary>Reads and checks an executable, a shared library, an object or all objects of an archive.</summary>
    /// <param name="path">The file.</param>
    /// <param name="complaint">Told of members of an archive that are left out.</param>
    /// <exception cref="WeftException">Not readable, damaged, or of a kind that has no machine code.</exception>
    public static List<CheckedFile> Read(string path, Action<string> complaint)
    {
        if (Directory.Exists(path)) throw new WeftException($"'{path}' is a folder", "name executables, libraries, objects or archives");
        var data = AtomicFile.Read(path);
        if (ArchiveFile.IsThin(data)) throw new WeftException($"'{path}' is a thin archive, which only names its members", "check the members");
        return ArchiveFile.Is(data) ? Members(data, path, complaint) : [Run(ReadCode(data, path) ?? throw NoCode(data, path), path)];
    }

    private static List<CheckedFile> Members(byte[] data, string path, Action<string> complaint)
    {
        var list = new List<CheckedFile>();
        var bitcode = 0;
        foreach (var member in ArchiveFile.Read(data, path))
            if (ReadCode(member.Content, $"{path}({member.Name})") is { } code) list.Add(Run(code, $"{path}({member.Name})"));
            else if (Bitcode.Is(member.Content)) bitcode++;
        if (bitcode > 0) complaint($"{path}: {bitcode} {(bitcode == 1 ? "member is" : "members are")} LLVM bitcode, which has no machine code yet");
        return list.Count > 0 ? list : throw new WeftException($"'{path}' has no member with machine code", bitcode > 0 ? "check what is linked from it" : "is it the right archive?");
    }

    private static MachineCode? ReadCode(byte[] data, string name)
    {
        if (ElfFile.TryRead(data, name) is { } elf) return ElfCode.Read(elf, name);
        return CoffFile.TryRead(data) is { } coff ? CoffCode.Read(data, coff, name) : null;
    }

    private static CheckedFile Run(MachineCode code, string name)
    {
        if (code.Functions.Count == 0 && !code.IsObject)
            throw new WeftException($"'{name}' does not tell where its functions are", code.Sections.Count == 0 ? "it has no code: is it a file of debug information?" : "it is stripped, and has no .eh_frame: check it before it is stripped");
        return new(name, code, FunctionCheck.Run(code));
    }

    private static WeftException NoCode(byte[] data, string path)
    {
        if (data.Length == 0) return new($"'{path}' is empty", "was it built?");
        if (Bitcode.Is(data)) return new($"'{path}' is LLVM bitcode, which has no machine code yet", "check the object that is made of it");
        if (data.AsSpan().StartsWith("MZ"u8)) return new($"'{path}' is a Windows executable: those are not read", "check the objects it is linked from");
        if (data.AsSpan().StartsWith("\x7F"u8) && data.AsSpan(1).StartsWith("ELF"u8)) return new($"'{path}' is cut short, or an ELF file of a processor that hotpatch is not there for", "it is for x86_64 and aarch64");
        return new($"'{path}' is not an executable, a library, an object or an archive", "ELF files and COFF objects are checked, and archives of them");
    }
}
