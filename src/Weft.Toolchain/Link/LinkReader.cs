using Weft.Core;
using Weft.Toolchain.Cargo;

namespace Weft.Toolchain.Link;

/// <summary>
/// What goes into the links of one build after another, as the linker will get it. Files that are as they were the last time are neither
/// read nor lowered again: most of a large program, most of the time. rustc calls them by another name in every session.
/// </summary>
public sealed class LinkReader(InstrumentSet instruments)
{
    private Dictionary<FileIdentity, LinkInput> known = [];

    /// <summary>The user's objects and archives, and the toolchain's archives.</summary>
    /// <exception cref="WeftException">A file cannot be read or lowered.</exception>
    public (IReadOnlyList<LinkInput> Inputs, IReadOnlyList<string> Toolchain) Read(PendingLink link)
    {
        var plan = BuildPlan.Decode(link.PlanText);
        var (files, toolchain) = Weaving.FilesIn(link.Arguments.Select(a => a.StartsWith('-') ? a : Path.GetFullPath(a, link.Folder)), link.Output, plan.Sysroot);
        List<(string Path, FileIdentity Identity)> inputs = [.. files.Select(f => (f, Posix.IdentityOf(f) ?? throw new WeftException($"'{f}' is not there any more")))];
        var changed = inputs.Where(i => !known.ContainsKey(i.Identity)).ToList();
        var contents = Lower(link, plan, [.. changed.Select(i => i.Path)]);
        var now = new Dictionary<FileIdentity, LinkInput>();
        for (var i = 0; i < changed.Count; i++) now[changed[i].Identity] = new LinkInput(changed[i].Path, contents[i]);
        foreach (var (_, identity) in inputs)
            if (known.TryGetValue(identity, out var input)) now[identity] = input;
        known = now;
        return ([.. inputs.Select(i => now[i.Identity])], toolchain);
    }

    private byte[][] Lower(PendingLink link, BuildPlan plan, List<string> files)
    {
        var contents = InParallel.Map(files, AtomicFile.Read);
        using var lowering = new BitcodeLowering(plan with { TimingsFolder = null }, LinkPlan.Decode(link.LinkText), instruments.Weaving(plan.Build), link.Folder);
        var bitcode = Enumerable.Range(0, files.Count).Where(i => Bitcode.Is(contents[i])).ToList();
        var lowered = lowering.Lower([.. bitcode.Select(i => lowering.Input(Path.GetFileName(files[i]), contents[i]))]);
        for (var i = 0; i < bitcode.Count; i++) contents[bitcode[i]] = lowered[i];
        for (var i = 0; i < files.Count; i++)
            if (ArchiveFile.Is(contents[i])) contents[i] = lowering.LoweredArchive(files[i], contents[i]) ?? contents[i];
        return contents;
    }
}
