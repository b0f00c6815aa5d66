using Weft.Core;
using Weft.Llvm;
using Weft.Toolchain.Cargo;

namespace Weft.Toolchain.Link;

/// <summary>Lowers the bitcode that sits in objects and archives on its way to the linker.</summary>
internal sealed class BitcodeLowering : IDisposable
{
    private readonly BuildPlan plan;
    private readonly LinkPlan link;
    private readonly LoweringQueue queue;
    private readonly Weaving weaving;
    private readonly SourceContext? source;

    /// <param name="plan">The build.</param>
    /// <param name="link">The link, or the crate.</param>
    /// <param name="weaving">What is woven.</param>
    /// <param name="folder">Where the compiler runs, at which relative names of files begin.</param>
    public BitcodeLowering(BuildPlan plan, LinkPlan link, Weaving weaving, string folder)
    {
        this.plan = plan;
        this.link = link;
        this.weaving = weaving;
        if (weaving.ReadsSource) source = new SourceContext(string.Join(':', plan.MemberFolders), folder) { Packages = plan.MemberFolders };
        LlvmLibrary.Load(plan.LlvmPath);
        LlvmLibrary.ParseOptions(link.Settings.LlvmArguments);
        queue = new LoweringQueue(link.Settings, weaving, Cache, plan.Build.Repro);
    }

    public LoweringCache Cache { get; } = new();

    public LoweringInput Input(string name, byte[] bitcode, bool weave = true) => new(name, bitcode, weave && link.Weave, Source: source);

    public byte[][] Lower(IReadOnlyList<LoweringInput> inputs) => queue.LowerAll(inputs);

    public byte[] LowerMerged(IReadOnlyList<LoweringInput> inputs, IReadOnlySet<string> keep) => queue.LowerMerged(inputs, keep);

    /// <summary>Rewrites an archive with objects in place of bitcode. No file is written when it holds none.</summary>
    public void LowerArchive(string source, string destination)
    {
        if (LoweredArchive(source, AtomicFile.Read(source)) is { } lowered) AtomicFile.Write(destination, lowered);
    }

    /// <summary>An archive with objects in place of bitcode; null when it holds none.</summary>
    public byte[]? LoweredArchive(string path, byte[] content)
    {
        var members = ArchiveFile.Read(content, path);
        return LowerMembers(members, path) ? ArchiveFile.Write(members, path) : null;
    }

    /// <summary>A static library never meets Weft's linker: lower it whole, with the standard library when asked, and put the runtime in.</summary>
    public void LowerStaticLibrary(string path, string target)
    {
        var members = ArchiveFile.Read(AtomicFile.Read(path), path);
        LowerMembers(members, path);
        if (!weaving.IsEmpty)
            foreach (var file in new Runtime(Cache).Objects(link.Linker, [], weaving.Instruments.Select(i => i.Name)))
                members.Add(new ArchiveMember(Path.GetFileName(file), AtomicFile.Read(file)));
        AtomicFile.Write(path, ArchiveFile.Write(members, path));
    }

    /// <summary>Modules of an archive as inputs, for merging; the archive without them is left for the linker.</summary>
    public List<LoweringInput> Modules(List<ArchiveMember> members, string path)
    {
        var weave = !RustcWrapper.IsSkipped(plan, CrateOf(path));
        return [.. members.Where(m => Bitcode.Is(m.Content)).Select(m => Input($"{Path.GetFileName(path)}({m.Name})", m.Content, weave))];
    }

    /// <summary>The standard library carries its bitcode beside its code, in section .llvmbc.</summary>
    public List<ArchiveMember>? WithEmbeddedBitcodeLowered(string path)
    {
        var members = ArchiveFile.Read(AtomicFile.Read(path), path);
        var found = new List<(int Index, byte[] Bitcode)>();
        for (var i = 0; i < members.Count; i++)
            if (Embedded(members[i], path) is { Length: > 0 } bitcode)
                found.Add((i, bitcode));
        if (found.Count == 0) return null;
        var lowered = Lower([.. found.Select(f => Input($"{Path.GetFileName(path)}({members[f.Index].Name})", f.Bitcode) with { IsToolchain = true })]);
        for (var i = 0; i < found.Count; i++) members[found[i].Index] = members[found[i].Index] with { Content = lowered[i] };
        return members;
    }

    /// <summary>The bitcode an object carries, or empty.</summary>
    public static byte[] Embedded(ArchiveMember member, string path) => ElfFile.TryRead(member.Content, path) is { } elf ? elf.SectionContent(".llvmbc").ToArray() : [];

    public void Dispose()
    {
        if (plan.TimingsFolder != null) TimingsReport.Leave(plan.TimingsFolder, queue.Timings, queue.Hits);
    }

    private bool LowerMembers(List<ArchiveMember> members, string path)
    {
        var inputs = Modules(members, path);
        if (inputs.Count == 0) return false;
        var objects = Lower(inputs);
        var next = 0;
        for (var i = 0; i < members.Count; i++)
            if (Bitcode.Is(members[i].Content))
                members[i] = members[i] with { Content = objects[next++] };
        return true;
    }

    // libregex_syntax-0123456789abcdef.rlib
    private static string CrateOf(string path)
    {
        var name = Path.GetFileNameWithoutExtension(path);
        if (name.StartsWith("lib", StringComparison.Ordinal)) name = name[3..];
        return name.LastIndexOf('-') is var dash and > 0 ? name[..dash] : name;
    }
}
