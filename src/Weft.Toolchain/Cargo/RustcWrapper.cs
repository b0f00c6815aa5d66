using Weft.Core;

namespace Weft.Toolchain.Cargo;

/// <summary>
/// The role cargo starts for every crate (RUSTC_WRAPPER). Crates for the host (build scripts, procedural macros), queries
/// and checks become plain rustc. For the others rustc is asked for bitcode in place of objects; once it is done, the
/// bitcode in a library is lowered here, that of an executable by the linker role (<see cref="Link.LinkDoor"/>).
/// </summary>
public static class RustcWrapper
{
    // What rustc's own optimisation pipeline would do and Weft's does not.
    private static readonly string[] Unsupported = ["profile-generate", "profile-use", "passes"];

    // Names crates that may use what is unstable with a stable rustc; 1 is all.
    private const string Bootstrap = "RUSTC_BOOTSTRAP";

    // Functions of one code then remain as jumps to the one that is left, and callers of each go on calling it.
    private const string MergesAsAliases = "-mergefunc-use-aliases", KeepsMerged = "-mergefunc-preserve-debug-info";

    // Set when this process was started again to lower what rustc has made already.
    private const string IsCompiled = "__WEFT_COMPILED";

    /// <param name="arguments">rustc, then its arguments, as cargo passes them.</param>
    /// <param name="instruments">Every instrument there is.</param>
    public static int Run(IReadOnlyList<string> arguments, InstrumentSet instruments)
    {
        var plan = BuildPlan.Read();
        Terminal.Verbosity = plan.Verbosity;
        var command = plan.RustcWrapper == null ? arguments.ToList() : [plan.RustcWrapper, .. arguments];
        var rustc = new RustcArguments(arguments.Skip(1));
        if (!IsLowered(rustc))
        {
            Posix.Execute(command[0], command.Skip(1).ToList());
            return (int)ExitCode.Failure;
        }
        return Compile(plan, command.Take(command.Count - arguments.Count + 1).ToList(), rustc, instruments);
    }

    // Weft always passes cargo a --target, and cargo passes it on for everything but host crates.
    private static bool IsLowered(RustcArguments rustc) =>
        !rustc.IsQuery && rustc.Target != null && rustc.Emit.Contains("link") && !rustc.CrateTypes.Contains("proc-macro");

    private static int Compile(BuildPlan plan, List<string> compiler, RustcArguments rustc, InstrumentSet instruments)
    {
        Posix.RequireUtf8Arguments();
        var weaving = instruments.Weaving(plan.Build);
        var crate = rustc.CrateName!;
        RefuseUnsupported(rustc, crate);
        var settings = AddDebugInformation(rustc, weaving);
        var link = new LinkPlan
        {
            Linker = rustc.Codegen("linker") ?? "cc",
            Settings = settings,
            Lto = AsksForLto(rustc),
            Weave = !IsSkipped(plan, crate),
        };
        var bitcodeOnly = rustc.HasCodegen("linker-plugin-lto") && rustc.Codegen("linker-plugin-lto") is not ("no" or "n" or "off" or "false");
        List<string> flags = link.Weave ? [.. weaving.RustcFlags(crate, IsMember(plan))] : [];
        Rewrite(rustc, weaving, link, flags);
        if (Environment.GetEnvironmentVariable(IsCompiled) == null)
        {
            var environment = new Dictionary<string, string?> { [LinkPlan.Variable] = link.Encode() };
            if (flags.Contains("-Z")) environment[Bootstrap] = WithUnstable(crate, Environment.GetEnvironmentVariable(Bootstrap));
            var exit = ChildProcess.Run(compiler[0], [.. compiler.Skip(1), .. rustc.All], environment);
            // Cargo builds the crates below an LTO root as bitcode only; the linker role merges them.
            if (exit != 0 || bitcodeOnly) return exit;
        }
        if (File.Exists(LibraryOf(rustc) + ".rlib")) Allocator.Restart(new FileInfo(LibraryOf(rustc) + ".rlib").Length, IsCompiled);
        LowerLibraries(plan, rustc, link, weaving);
        return 0;
    }

    private static string LibraryOf(RustcArguments rustc) => Path.Combine(rustc.OutFolder ?? ".", $"lib{rustc.CrateName}{rustc.Codegen("extra-filename")}");

    private static LoweringSettings AddDebugInformation(RustcArguments rustc, Weaving weaving)
    {
        var asked = DebugInformationOf(rustc);
        var settings = rustc.Settings() with { DebugInformation = asked };
        if (weaving.KeepsFunctionsApart) settings = settings with { LlvmArguments = [.. settings.LlvmArguments.Where(a => a != MergesAsAliases), KeepsMerged] };
        var wanted = weaving.WantsTypes ? DebugInformation.All : weaving.WantsLocations ? DebugInformation.Lines : DebugInformation.None;
        if (wanted <= asked) return settings with { DebugInformation = DebugInformation.All };
        rustc.RemoveCodegen("debuginfo");
        rustc.AddCodegen("debuginfo", wanted == DebugInformation.All ? "full" : "line-tables-only");
        return settings;
    }

    private static DebugInformation DebugInformationOf(RustcArguments rustc) => rustc.All.Contains("-g") ? DebugInformation.All : rustc.Codegen("debuginfo") switch
    {
        null or "0" or "none" or "line-directives-only" => DebugInformation.None,
        "1" or "line-tables-only" or "limited" => DebugInformation.Lines,
        _ => DebugInformation.All,
    };

    private static bool AsksForLto(RustcArguments rustc) => rustc.HasCodegen("lto") && rustc.Codegen("lto") is null or "fat" or "thin" or "yes" or "y" or "on" or "true";

    internal static bool IsSkipped(BuildPlan plan, string crate) => plan.Build.Skip.Any(s => s.Replace('-', '_') == crate);

    private static string WithUnstable(string crate, string? allowed) => allowed switch
    {
        "1" => allowed,
        null or "" or "0" or "-1" => crate,
        _ => $"{allowed},{crate}",
    };

    private static bool IsMember(BuildPlan plan) => Environment.GetEnvironmentVariable("CARGO_MANIFEST_DIR") is { } folder && plan.MemberFolders.Contains(folder);

    private static void RefuseUnsupported(RustcArguments rustc, string crate)
    {
        foreach (var name in Unsupported.Where(rustc.HasCodegen))
            throw new WeftException($"crate '{crate}': -C {name} is work of rustc's own optimiser, which Weft takes the place of", $"build without -C {name}, or this crate with plain cargo");
        if (rustc.HasUnstable("sanitizer"))
            throw new WeftException($"crate '{crate}': -Z sanitizer is work of rustc's own optimiser, which Weft takes the place of", "build with plain cargo to use a sanitizer");
    }

    /// <summary>
    /// <code>
    /// -C opt-level=2 -C codegen-units=16 -C linker=clang
    /// ==> -C opt-level=3 -C linker-plugin-lto -C no-prepopulate-passes -C codegen-units=1 -C linker=weft-linker
    /// </code>
    /// opt-level becomes one canonical value only for instruments that count what the front end emits; the level asked
    /// for then governs the lowering alone.
    /// </summary>
    private static void Rewrite(RustcArguments rustc, Weaving weaving, LinkPlan link, List<string> flags)
    {
        // Without optimisation nothing is inlined between units anyway: keep rustc's many units, which rebuild faster.
        if (link.Settings.Level != OptLevel.O0)
        {
            rustc.RemoveCodegen("codegen-units");
            rustc.AddCodegen("codegen-units", "1");
        }
        if (weaving.WantsCanonicalIr) Canonicalise(rustc, link.Settings.Level);
        rustc.RemoveCodegen("lto");
        rustc.RemoveCodegen("split-debuginfo"); // .dwo files are made by code generation; the objects carry all debug information instead
        rustc.RemoveCodegen("linker-plugin-lto");
        rustc.AddCodegen("linker-plugin-lto");
        rustc.AddCodegen("no-prepopulate-passes");
        AddLinker(rustc);
        rustc.Add([.. flags]);
        rustc.Add("--cfg", "weft", "--check-cfg", "cfg(weft)");
        foreach (var instrument in weaving.Instruments) rustc.Add("--cfg", $"weft_{instrument.Name}", "--check-cfg", $"cfg(weft_{instrument.Name})");
    }

    // Whether assertions are compiled in depends on opt-level where nobody says otherwise: say it, before the level changes.
    // rustc inlines MIR only in builds that are not incremental, and keeps every named variable in memory for full debug
    // information: that too must be the same everywhere. Line tables remain.
    private static void Canonicalise(RustcArguments rustc, OptLevel asked)
    {
        if (!rustc.HasCodegen("debug-assertions")) rustc.AddCodegen("debug-assertions", asked == OptLevel.O0 ? "on" : "off");
        rustc.RemoveCodegen("incremental");
        if (rustc.Codegen("debuginfo") is "2" or "full" || rustc.TakeShortDebugFlag()) LimitDebugInformation(rustc);
        rustc.RemoveCodegen("opt-level");
        rustc.Remove("-O");
        rustc.AddCodegen("opt-level", "3");
    }

    private static void LimitDebugInformation(RustcArguments rustc)
    {
        rustc.RemoveCodegen("debuginfo");
        rustc.AddCodegen("debuginfo", "1");
    }

    // rustc guesses the linker's flavour from its file name; Weft's says nothing, so tell what the real one's would have.
    private static void AddLinker(RustcArguments rustc)
    {
        var linker = rustc.Codegen("linker");
        rustc.RemoveCodegen("linker");
        rustc.AddCodegen("linker", WeftFiles.Role("weft-linker"));
        if (linker == null || rustc.HasCodegen("linker-flavor")) return;
        var stem = Path.GetFileName(linker);
        if (stem is "ld.lld" or "rust-lld" or "lld") rustc.AddCodegen("linker-flavor", "ld.lld");
        else if (stem is "ld" or "ld.bfd" or "ld.gold" or "mold" or "wild" || stem.EndsWith("-ld", StringComparison.Ordinal)) rustc.AddCodegen("linker-flavor", "ld");
    }

    private static void LowerLibraries(BuildPlan plan, RustcArguments rustc, LinkPlan link, Weaving weaving)
    {
        var isStatic = rustc.CrateTypes.Contains("staticlib");
        if (rustc.OutFolder == null || rustc.IsTest || !(isStatic || rustc.CrateTypes.Any(t => t is "lib" or "rlib" or "dylib"))) return;
        var stem = LibraryOf(rustc);
        using var door = new Link.BitcodeLowering(plan, link, weaving, Environment.CurrentDirectory);
        if (File.Exists(stem + ".rlib") && rustc.CrateTypes.Any(t => t is "lib" or "rlib")) door.LowerArchive(stem + ".rlib", stem + ".rlib");
        if (isStatic) door.LowerStaticLibrary(stem + ".a", rustc.Target!);
    }
}
