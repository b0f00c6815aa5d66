using Weft.Core;

namespace Weft.Toolchain.Link;

/// <summary>
/// Finds what a linker took in that was not woven, or not searched for what cannot be (<see cref="DenyUninstrumented"/>). Shared libraries are
/// refused unless they are the toolchain's: a link cannot tell what is in them.
/// </summary>
internal sealed class LinkCheck(DenyUninstrumented deny, ToolchainFiles toolchain, IReadOnlyCollection<string> runtime)
{
    private const string StandardLibraryName = "Rust's standard library", StandardLibraryHelp = "--std weaves Rust's standard library; --allow-uninstrumented='*/rustlib/*' allows it as it is";
    private const string Help = "build it with the same flags, or allow it by the name of the file: --allow-uninstrumented=GLOB,...";

    private readonly Dictionary<string, List<ArchiveMember>> archives = [];

    /// <summary>What people call a file that the build made on its way; the name that the linker knows unless somebody says otherwise.</summary>
    public Func<string, string> NameOf { get; init; } = path => path;

    /// <summary>Folder of Rust's standard library, which is named as a whole; null: there is none.</summary>
    public string? StandardLibrary { get; init; }

    /// <param name="output">What was linked.</param>
    /// <param name="files">What the linker took in.</param>
    public void Check(string output, IReadOnlyCollection<LinkedFile> files)
    {
        if (files.Count == 0) throw new WeftException($"the linker of '{output}' does not say what it takes in (-t)", "--deny-uninstrumented needs GNU ld, lld or gold");
        Refuse(deny, output, files.Distinct().Select(Find).OfType<Uninstrumented>());
    }

    /// <summary>The same for what a build knows to be unwoven before anything is linked.</summary>
    public static void Refuse(DenyUninstrumented deny, string output, IEnumerable<Uninstrumented> unwoven)
    {
        var found = unwoven.ToList();
        deny.Refuse($"'{output}'", found, found.Exists(f => f.Where == StandardLibraryName) ? StandardLibraryHelp : Help);
    }

    public static Uninstrumented OfStandardLibrary(string path) => new(StandardLibraryName, "not woven", path);

    private Uninstrumented? Find(LinkedFile file)
    {
        if (toolchain.Owns(file.Path) || runtime.Contains(file.Path) || Reason(file) is not { } reason) return null;
        var named = file with { Path = NameOf(file.Path) };
        if (StandardLibrary != null && Path.GetFullPath(named.Path).StartsWith(StandardLibrary + "/", StringComparison.Ordinal)) return OfStandardLibrary(named.Path);
        return new(named.ToString(), named.Path.EndsWith(".S", StringComparison.OrdinalIgnoreCase) ? "assembly" : reason, named.Path, named.ToString());
    }

    private string? Reason(LinkedFile file)
    {
        if (file.Member != null) return ReasonOfMember(file, file.Member);
        var content = AtomicFile.Read(file.Path);
        return ArchiveFile.Is(content) || ArchiveFile.IsThin(content) ? null : ReasonOf(content, file.Path); // of archives, members are named
    }

    private string? ReasonOfMember(LinkedFile file, string member)
    {
        if (Members(file.Path) is not { } members) return ReasonOf(AtomicFile.Read(Path.Combine(Path.GetDirectoryName(file.Path) ?? "", member)), member);
        var same = members.Where(m => m.Name == member).ToList();
        return same.Count == 0 ? "no such member" : same.Select(m => ReasonOf(m.Content, m.Name)).FirstOrDefault(r => r != null);
    }

    // Null for a thin archive, whose members are files.
    private List<ArchiveMember>? Members(string path)
    {
        if (archives.TryGetValue(path, out var known)) return known;
        var content = AtomicFile.Read(path);
        return ArchiveFile.IsThin(content) ? null : archives[path] = ArchiveFile.Read(content, path);
    }

    private static string? ReasonOf(byte[] content, string name)
    {
        if (Bitcode.Is(content)) return DenyUninstrumented.IsMarked(content) ? null : "bitcode that was not woven with --deny-uninstrumented";
        if (ElfFile.TryRead(content, name) is not { } file) return "no object file that Weft can read";
        if (file.IsShared) return "a shared library, which a link cannot look into";
        if (!file.HasCode || DenyUninstrumented.IsMarked(file)) return null;
        return file.SectionNames.Any(n => n.StartsWith("weft_", StringComparison.Ordinal)) ? "woven without --deny-uninstrumented" : "not woven";
    }
}
