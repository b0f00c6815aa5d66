using System.Globalization;
using Weft.Core;
using Weft.Interrupts;
using Weft.Llvm;

namespace Weft.Cli.Profile;

/// <summary>Where an address of a profile is, as far as the files say.</summary>
/// <param name="Function">Demangled; where code was inlined, the innermost function.</param>
/// <param name="InlinedInto">The function that it became part of, or empty.</param>
/// <param name="File">Source file, or empty.</param>
/// <param name="Line">In it, or 0.</param>
/// <param name="Module">File of the loaded module, or empty.</param>
internal sealed record Place(string Function, string InlinedInto, string File, int Line, string Module)
{
    public override string ToString() =>
        Function + (InlinedInto.Length > 0 ? $", inlined into {InlinedInto}" : "") + (File.Length > 0 ? $"  {Path.GetFileName(File)}:{Line}" : Module.Length > 0 ? $"  [{Path.GetFileName(Module)}]" : "");
}

/// <summary>
/// Names for the addresses of a profile: functions from the symbol tables of the files, lines from addr2line or LLVM's,
/// which are asked once per file.
/// </summary>
internal sealed class Symbols
{
    private static readonly string[] Tools = ["llvm-addr2line", "llvm-addr2line-22", "llvm-addr2line-21", "llvm-addr2line-20", "llvm-addr2line-19", "addr2line"];

    private readonly Dictionary<ulong, Place> places = [];

    public Symbols(InterruptsProfile profile, IEnumerable<ulong> returnAddresses)
    {
        var unknown = new List<ulong>();
        foreach (var address in returnAddresses.Distinct())
            if (address > 0) unknown.Add(address);
        foreach (var group in unknown.GroupBy(a => profile.Modules.FirstOrDefault(m => a - 1 >= m.Start && a - 1 < m.End)))
            if (group.Key != null) Resolve(group.Key, [.. group]);
    }

    /// <summary>What keeps names from being known; one sentence each.</summary>
    public IList<string> Complaints { get; } = [];

    public Place this[ulong returnAddress] => places.GetValueOrDefault(returnAddress) ?? new Place($"0x{returnAddress:x}", "", "", 0, "");

    // A return address may be the first of the next function: what is looked up is the call before it.
    private void Resolve(LoadedModule module, List<ulong> addresses)
    {
        var functions = Functions(module);
        var inFile = addresses.ConvertAll(a => a - 1 - module.Base);
        var frames = functions == null ? [] : Frames(module.Path, inFile);
        for (var i = 0; i < addresses.Count; i++)
        {
            var function = functions == null ? null : Find(functions, inFile[i]);
            var name = function == null ? $"0x{inFile[i]:x}" : Demangler.Demangle(function.Name);
            if (!frames.TryGetValue(inFile[i], out var found)) found = [];
            var inner = found.Count > 1 && found[0].Function is { Length: > 0 } inlined ? Demangler.Demangle(inlined) : "";
            var (file, line) = found.Count > 0 && found[0].Line > 0 ? (found[0].File, found[0].Line) : ("", 0);
            places[addresses[i]] = new Place(inner.Length > 0 ? inner : name, inner.Length > 0 ? name : "", file, line, module.Path);
        }
    }

    /// <summary>Null where there is no file, or another build's by now.</summary>
    private IReadOnlyList<ElfFunction>? Functions(LoadedModule module)
    {
        try
        {
            if (!module.Path.StartsWith('/') || !File.Exists(module.Path) || new FileInfo(module.Path).Length == 0) return null; // the kernel's, gone, or a device
            if (ElfFile.TryRead(AtomicFile.Read(module.Path), module.Path) is not { } elf) return null;
            if (module.BuildId.Length == 0 || elf.BuildId() == module.BuildId) return elf.Functions();
            Complaints.Add($"'{module.Path}' was built again since the profile was taken: no names for its addresses");
        }
        catch (WeftException e)
        {
            Complaints.Add(e.Message);
        }
        return null;
    }

    private static ElfFunction? Find(IReadOnlyList<ElfFunction> functions, ulong address)
    {
        int low = 0, high = functions.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (functions[middle].Address <= address) low = middle + 1;
            else high = middle;
        }
        // Several names may share an address; the first is the longest.
        for (var i = low - 1; i >= 0 && i >= low - 8; i--)
            if (address - functions[i].Address < Math.Max(functions[i].Size, 1)) return functions[i];
        return null;
    }

    /// <summary>Function and line of each address, the innermost inlined first.</summary>
    private static Dictionary<ulong, List<(string Function, string File, int Line)>> Frames(string path, List<ulong> addresses)
    {
        var frames = new Dictionary<ulong, List<(string, string, int)>>();
        if (Tools.Select(ChildProcess.Find).FirstOrDefault(t => t != null) is not { } tool) return frames;
        var lines = ChildProcess.Capture(tool, ["-a", "-f", "-i", "-e", path, .. addresses.Select(a => $"0x{a:x}")]).Output.Split('\n');
        List<(string, string, int)>? current = null;
        for (var i = 0; i < lines.Length; i++)
        {
            if (lines[i].StartsWith("0x", StringComparison.Ordinal) && ulong.TryParse(lines[i].AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var address))
                frames[address] = current = [];
            else if (current != null && i + 1 < lines.Length && Frame(lines[i], lines[++i]) is { } frame)
                current.Add(frame);
        }
        return frames;
    }

    // "work", then "/src/t.c:7" or "??:0" or "/src/t.c:7 (discriminator 2)".
    private static (string, string, int)? Frame(string function, string place)
    {
        var end = place.IndexOf(" (discriminator", StringComparison.Ordinal);
        if (end >= 0) place = place[..end];
        var colon = place.LastIndexOf(':');
        if (colon <= 0 || function == "??") return null;
        var file = place[..colon];
        return (function, file == "??" ? "" : file, file != "??" && int.TryParse(place.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var line) ? line : 0);
    }
}

/// <summary>Long gaps of one thread with the same two ends.</summary>
internal sealed record GapGroup(ProfiledThread Thread, Place From, Place To, IReadOnlyList<LongGap> Gaps)
{
    /// <summary>Those with the longest gaps, longest first.</summary>
    public static IReadOnlyList<GapGroup> Of(InterruptsProfile profile, Symbols symbols, int top) =>
    [
        .. profile.Threads.SelectMany(t => t.Gaps.Select(g => (Thread: t, Gap: g)))
            .OrderByDescending(x => x.Gap.Ticks)
            .GroupBy(x => (x.Thread.Id, From: symbols[x.Gap.From], To: symbols[x.Gap.To]))
            .Take(top)
            .Select(g => new GapGroup(g.First().Thread, g.Key.From, g.Key.To, [.. g.Select(x => x.Gap)])),
    ];
}
