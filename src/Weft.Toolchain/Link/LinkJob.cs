using System.Text;
using Weft.Core;
using Weft.Toolchain.Cargo;

namespace Weft.Toolchain.Link;

/// <summary>One linker command line on its way from rustc to the linker.</summary>
internal sealed class LinkJob(BuildPlan plan, LinkPlan link, Weaving weaving, BitcodeLowering lowering, string output, string folder)
{
    private readonly List<string> arguments = [];
    private readonly List<LoweringInput> merged = [];
    private readonly List<Uninstrumented> unwoven = [];
    private readonly Dictionary<string, string> originals = [];
    private IReadOnlyCollection<string> runtime = [];
    private int mergedAt = -1;
    private int files;

    public string Output { get; } = output;

    public List<string> Rewrite(IReadOnlyList<string> given)
    {
        LowerObjects(given);
        if (weaving.Deny is { } deny) LinkCheck.Refuse(deny, Output, unwoven);
        if (merged.Count > 0) arguments[mergedAt] = Store("lto.o", lowering.LowerMerged(merged, NamedOutside()));
        AddRuntime(given);
        arguments.InsertRange(0, weaving.LinkerFlags.Select(f => IsDriver ? "-Wl," + f : f));
        return arguments;
    }

    /// <summary>Refuses what the linker took in beside what is woven.</summary>
    public void Check(DenyUninstrumented deny, IReadOnlyList<string> given, IReadOnlyCollection<LinkedFile> files)
    {
        var toolchain = ToolchainFiles.Of(Compiler, TargetArguments(given), plan.Sysroot);
        new LinkCheck(deny, toolchain, runtime) { NameOf = path => originals.GetValueOrDefault(path, path), StandardLibrary = plan.Sysroot }.Check(Output, files);
    }

    private string Compiler => IsDriver ? link.Linker : "cc";

    public bool IsDriver => !Path.GetFileName(link.Linker).Contains("ld", StringComparison.Ordinal);

    private void LowerObjects(IReadOnlyList<string> given)
    {
        var objects = given.Where(a => !a.StartsWith('-') && Bitcode.IsFile(a)).Distinct().ToList();
        var inputs = InParallel.Map(objects, o => lowering.Input(Path.GetFileName(o), AtomicFile.Read(o)));
        var stored = link.Lto ? null : StoreAll(objects, lowering.Lower(inputs));
        foreach (var argument in given)
        {
            var index = objects.IndexOf(argument);
            if (index >= 0 && stored == null) Merge([inputs[index]], argument);
            else if (index >= 0) arguments.Add(stored![index]);
            else if (IsArchive(argument)) AddArchive(argument);
            else if (VersionScript.PathIn(argument) is { } script) AddVersionScript(argument, script);
            else if (argument == "-lm" && IsDriver && weaving.SeesLinks) arguments.AddRange(["-Wl,--push-state,--no-as-needed", argument, "-Wl,--pop-state"]); // new code may call what the program does not
            else if (!IsForPlugin(argument) && !weaving.Drops(argument)) arguments.Add(argument);
        }
    }

    // For the plugin that would have read the bitcode.
    private static bool IsForPlugin(string argument) =>
        argument.StartsWith("-Wl,-plugin-opt", StringComparison.Ordinal) || argument.StartsWith("-plugin-opt", StringComparison.Ordinal) || argument.StartsWith("-Wl,--plugin-opt", StringComparison.Ordinal);

    private static bool IsArchive(string argument) =>
        !argument.StartsWith('-') && (argument.EndsWith(".rlib", StringComparison.Ordinal) || argument.EndsWith(".a", StringComparison.Ordinal)) && File.Exists(argument);

    private void AddArchive(string path)
    {
        var isStandardLibrary = path.StartsWith(plan.Sysroot + "/", StringComparison.Ordinal);
        if (isStandardLibrary)
        {
            AddStandardLibrary(path);
            return;
        }
        var members = ArchiveFile.Read(AtomicFile.Read(path), path);
        if (!members.Any(m => Bitcode.Is(m.Content)))
        {
            arguments.Add(path);
            return;
        }
        if (link.Lto) MergeArchive(path, members);
        else
        {
            var lowered = NextFile(path);
            lowering.LowerArchive(path, lowered);
            arguments.Add(lowered);
        }
    }

    private void AddStandardLibrary(string path)
    {
        if (IsBuiltins(path) || !(link.Lto || (plan.Build.Std && !weaving.IsEmpty))) arguments.Add(path);
        else if (link.Lto) MergeEmbedded(path);
        else arguments.Add(lowering.WithEmbeddedBitcodeLowered(path) is { } woven ? Store(path, ArchiveFile.Write(woven, path)) : path);
    }

    // As rustc does under LTO: the bitcode takes part, and the object that it came with does not.
    private void MergeEmbedded(string path)
    {
        var members = ArchiveFile.Read(AtomicFile.Read(path), path);
        var bitcode = members.Select(m => BitcodeLowering.Embedded(m, path)).ToList();
        Merge(bitcode.Zip(members).Where(p => p.First.Length > 0).Select(p => lowering.Input($"{Path.GetFileName(path)}({p.Second.Name})", p.First, plan.Build.Std) with { Optimised = true, IsToolchain = true }), path);
        AddRest(path, members.Where((_, i) => bitcode[i].Length == 0));
    }

    // memcpy, division and the like: called by generated code everywhere, also from inside probes.
    private static bool IsBuiltins(string path) => Path.GetFileName(path).StartsWith("libcompiler_builtins-", StringComparison.Ordinal);

    private void MergeArchive(string path, List<ArchiveMember> members)
    {
        Merge(lowering.Modules(members, path), path);
        AddRest(path, members.Where(m => !Bitcode.Is(m.Content)));
    }

    private void AddRest(string path, IEnumerable<ArchiveMember> members)
    {
        var rest = members.Where(m => !m.Name.EndsWith(".rmeta", StringComparison.Ordinal)).ToList();
        if (rest.Count > 0) arguments.Add(Store(path, ArchiveFile.Write(rest, path)));
    }

    private void Merge(IEnumerable<LoweringInput> inputs, string path)
    {
        if (mergedAt < 0)
        {
            mergedAt = arguments.Count;
            arguments.Add("");
        }
        foreach (var input in inputs)
        {
            merged.Add(input);
            if (!input.Weave) unwoven.Add(input.IsToolchain ? LinkCheck.OfStandardLibrary(path) : new(input.Name, "not woven", path, input.Name));
        }
    }

    /// <summary>Rust's symbols that what is linked beside the merged modules refers to, or that a version script exports.</summary>
    private HashSet<string> NamedOutside()
    {
        var names = new HashSet<string>();
        foreach (var path in arguments.Where(a => a.Length > 0 && !a.StartsWith('-') && File.Exists(a)))
        {
            var content = AtomicFile.Read(path);
            var objects = ArchiveFile.Is(content) ? ArchiveFile.Read(content, path).Select(m => m.Content) : [content];
            foreach (var file in objects)
                if (ElfFile.TryRead(file, path) is { } elf)
                    names.UnionWith(elf.UndefinedGlobals());
        }
        foreach (var script in arguments.Select(VersionScript.PathIn).OfType<string>().Where(File.Exists)) names.UnionWith(VersionScript.Names(File.ReadAllText(script)));
        names.RemoveWhere(n => !Internaliser.IsMangled(n));
        return names;
    }

    private void AddVersionScript(string argument, string path)
    {
        var globs = weaving.Instruments.SelectMany(i => i.SharedSymbols).ToList();
        if (globs.Count == 0 || !File.Exists(path))
        {
            arguments.Add(argument);
            return;
        }
        var script = VersionScript.Export(File.ReadAllText(path), globs);
        arguments.Add(argument[..^path.Length] + Store("version-script", Encoding.UTF8.GetBytes(script)));
    }

    private void AddRuntime(IReadOnlyList<string> given)
    {
        if (weaving.IsEmpty || given.Contains("-r")) return;
        var at = Math.Max(0, arguments.FindIndex(a => a.EndsWith(".o", StringComparison.Ordinal)));
        var linked = new Runtime(lowering.Cache).Linked(Compiler, TargetArguments(given), weaving);
        arguments.InsertRange(at, [.. linked.Bounds, .. linked.Objects]);
        arguments.AddRange(linked.Bounds);
        runtime = [.. linked.Objects, .. linked.Bounds];
        if (given.Contains("-shared"))
        {
            // The runtime's shared state must not be bound to this library's own copy.
            if (given.Any(a => a.EndsWith("-Bsymbolic", StringComparison.Ordinal))) arguments.Add(IsDriver ? "-Wl,-Bno-symbolic" : "-Bno-symbolic");
            return;
        }
        foreach (var glob in weaving.Instruments.SelectMany(i => i.SharedSymbols)) arguments.Add($"{(IsDriver ? "-Wl," : "")}--export-dynamic-symbol={glob}");
    }

    private static List<string> TargetArguments(IReadOnlyList<string> given) =>
        [.. given.Where(a => a is "-m32" or "-m64" || a.StartsWith("--target=", StringComparison.Ordinal) || a.StartsWith("--sysroot=", StringComparison.Ordinal))];

    private string Store(string original, byte[] content)
    {
        var path = NextFile(original);
        AtomicFile.Write(path, content);
        return path;
    }

    private string[] StoreAll(List<string> objects, byte[][] contents) => InParallel.Map(objects.Select(NextFile).Zip(contents).ToList(), file =>
    {
        AtomicFile.Write(file.First, file.Second);
        return file.First;
    });

    // Numbered: two crates may give their members the same name.
    private string NextFile(string original)
    {
        var path = Path.Combine(folder, $"{files++}-{Path.GetFileName(original)}");
        originals[path] = original;
        return path;
    }
}
