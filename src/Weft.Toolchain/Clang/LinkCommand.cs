using Weft.Core;
using Weft.Toolchain.Link;

namespace Weft.Toolchain.Clang;

/// <summary>
/// The linker's command line with Weft's runtime in it:
/// <code>
/// ld ... crt1.o crti.o crtbegin.o a.o b.o -lc ...
/// ==> ld ... crt1.o crti.o crtbegin.o metering.o support.o a.o b.o -lc ... --export-dynamic-symbol=__weft_metering_*
/// </code>
/// The exported symbols are state that a process has once: shared libraries, which carry the runtime too, find it there.
/// </summary>
internal static class LinkCommand
{
    private const string VersionScriptFlag = "--version-script";

    // Options that the word after belongs to, among those that drivers and people pass.
    private static readonly HashSet<string> WithValue =
        ["-o", "-m", "-z", "-e", "-u", "-T", "-h", "-y", "-L", "-l", "-b", "-A", "-f", "-F", "-Map", "-soname", "-rpath", "-plugin", "-dynamic-linker", "--dynamic-linker", "--script", "--entry", "--undefined", "--defsym", "--wrap", VersionScriptFlag, "--dynamic-list", "--oformat", "--just-symbols", "-R", "-rpath-link", "--trace-symbol"];

    /// <summary>True for what is neither clang itself nor one of the tools it calls beside a linker.</summary>
    public static bool Is(DriverJob job)
    {
        if (job.Arguments is ["-cc1" or "-cc1as" or "-cc1gen-reproducer", ..] || job.Output == null) return false;
        var name = Path.GetFileName(job.Program);
        return !IsTool(name, "as") && !IsTool(name, "ar") && !IsTool(name, "objcopy") && !IsTool(name, "gas")
            && !name.StartsWith("clang", StringComparison.Ordinal) && !name.StartsWith("llvm-", StringComparison.Ordinal) && !name.StartsWith("dsymutil", StringComparison.Ordinal);
    }

    /// <summary>Links into another object, which a later link takes in: that one gets the runtime.</summary>
    public static bool IsRelocatable(DriverJob job) => job.Arguments.Any(a => a is "-r" or "-i" or "--relocatable");

    /// <summary>Links a shared library.</summary>
    public static bool MakesLibrary(DriverJob job) => Is(job) && job.Arguments.Any(IsShared);

    /// <param name="given">The linker's arguments.</param>
    /// <param name="target">The triple.</param>
    /// <param name="weaving">Whose shared symbols are to be seen.</param>
    /// <param name="runtime">Object files to link in.</param>
    /// <param name="folder">For a rewritten version script.</param>
    public static List<string> Rewrite(IReadOnlyList<string> given, string target, Weaving weaving, LinkedRuntime runtime, TemporaryFolder folder)
    {
        var globs = weaving.Instruments.SelectMany(i => i.SharedSymbols).ToList();
        var list = ExportFromVersionScripts([.. given.Where(a => !weaving.Drops(a))], globs, folder);
        list.InsertRange(PlaceForRuntime(list), [.. runtime.Bounds, .. runtime.Objects]);
        list.AddRange(runtime.Bounds);
        if (TargetSystem.IsElf(target)) list.InsertRange(0, weaving.LinkerFlags);
        if (TargetSystem.IsElf(target) && !given.Any(a => a == "-static" || IsShared(a))) list.AddRange(globs.Select(g => "--export-dynamic-symbol=" + g));
        return list;
    }

    private static bool IsShared(string argument) => argument is "-shared" or "--shared" or "-Bshareable" or "-dll" or "--dll";

    private static bool IsTool(string name, string tool) => name == tool || name.EndsWith("-" + tool, StringComparison.Ordinal);

    // Behind the start files, which have to come first; where there are none, behind the first object, which may be one.
    private static int PlaceForRuntime(List<string> list)
    {
        var firstObject = -1;
        for (var i = 0; i < list.Count; i++)
        {
            if (WithValue.Contains(list[i])) i++;
            else if (list[i].StartsWith("-l", StringComparison.Ordinal) || list[i].EndsWith(".a", StringComparison.Ordinal)) return firstObject < 0 ? i : firstObject + 1;
            else if (IsStartFile(list[i])) firstObject = i;
            else if (!list[i].StartsWith('-')) return firstObject < 0 ? i + 1 : firstObject + 1;
        }
        return list.Count;
    }

    // crt1.o, Scrt1.o, gcrt1.o, rcrt1.o, crti.o, crtbegin.o, crtbeginS.o, crtbeginT.o, clang_rt.crtbegin-x86_64.o
    private static bool IsStartFile(string argument) =>
        argument.EndsWith(".o", StringComparison.Ordinal) && Path.GetFileName(argument) is var name
        && (name.EndsWith("crt1.o", StringComparison.Ordinal) || name == "crti.o" || name.Contains("crtbegin", StringComparison.Ordinal) || name == "crt0.o");

    private static List<string> ExportFromVersionScripts(IReadOnlyList<string> given, List<string> globs, TemporaryFolder folder)
    {
        List<string> list = [.. given];
        for (var i = 0; i < list.Count && globs.Count > 0; i++)
        {
            var dashes = list[i].StartsWith("--", StringComparison.Ordinal) ? 0 : 1; // linkers take long options with one dash too
            var joined = list[i].StartsWith(VersionScriptFlag[dashes..] + "=", StringComparison.Ordinal);
            if (joined) list[i] = VersionScriptFlag + "=" + Exporting(list[i][(list[i].IndexOf('=') + 1)..], globs, folder);
            else if (list[i] == VersionScriptFlag[dashes..] && i + 1 < list.Count) list[++i] = Exporting(list[i], globs, folder);
        }
        return list;
    }

    private static string Exporting(string script, List<string> globs, TemporaryFolder folder)
    {
        if (!File.Exists(script)) return script; // the linker has words for that
        var copy = folder.File("version-script");
        AtomicFile.Write(copy, System.Text.Encoding.UTF8.GetBytes(VersionScript.Export(File.ReadAllText(script), globs)));
        return copy;
    }
}
