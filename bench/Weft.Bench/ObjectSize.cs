using Weft.Core;

namespace Weft.Bench;

/// <summary>Sizes of what compilers make, and which part of an object is what.</summary>
internal static class ObjectSize
{
    public static readonly string[] Parts = ["code", "relocations of code", "data", "tables of frames", "symbols and their names", "sections' headers and names", "layouts of types", "debug information", "alignment and the rest"];

    /// <summary>Bytes of executable sections.</summary>
    public static long Code(string file) => Read(file).Sections.Where(s => s.IsCode).Sum(s => s.Size);

    /// <summary>Bytes of all ELF objects in the archives that a build left in a folder.</summary>
    public static long InArchives(string folder) => Directory.GetFiles(folder, "*.rlib").SelectMany(f => ArchiveFile.Read(File.ReadAllBytes(f), f)).Where(m => m.Content.AsSpan().StartsWith("\x7F"u8)).Sum(m => (long)m.Content.Length);

    /// <summary>Bytes of each of <see cref="Parts"/>, which add up to the file.</summary>
    public static long[] Taken(string file)
    {
        var elf = Read(file);
        var taken = new long[Parts.Length];
        foreach (var section in elf.Sections.Where(s => s.Type != ElfSection.NoBits)) taken[Array.IndexOf(Parts, PartOf(section))] += section.Size;
        const int header = 64;
        taken[Array.IndexOf(Parts, "sections' headers and names")] += (long)elf.Sections.Count * header;
        taken[^1] = new FileInfo(file).Length - taken[..^1].Sum();
        return taken;
    }

    private static string PartOf(ElfSection section) => section.Name switch
    {
        ".weft.types" => "layouts of types",
        ".symtab" or ".strtab" or ".symtab_shndx" => "symbols and their names",
        ".shstrtab" => "sections' headers and names",
        _ when section.Name.Contains(".debug", StringComparison.Ordinal) => "debug information",
        _ when section.Name.Contains(".eh_frame", StringComparison.Ordinal) || section.Name.Contains(".gcc_except_table", StringComparison.Ordinal) => "tables of frames",
        _ when section.Name.StartsWith(".rela.text", StringComparison.Ordinal) => "relocations of code",
        _ when section.IsCode => "code",
        _ => "data",
    };

    private static ElfFile Read(string file) => ElfFile.TryRead(File.ReadAllBytes(file), file) ?? throw new WeftException($"'{file}' is no ELF file");
}
