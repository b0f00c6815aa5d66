using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Weft.Core;
using Weft.Llvm;

namespace Weft.Toolchain.Cargo;

/// <summary>
/// <c>weft cargo ...</c>: cargo as it is, with Weft as its rustc wrapper, a target folder of its own under
/// <c>target/weft</c>, and an explicit target so that build scripts and procedural macros stay plain. Nothing else of the
/// user's configuration is replaced: wrappers, linkers and flags of theirs are called or passed on by Weft's.
/// </summary>
public static class CargoDoor
{
    private static readonly HashSet<string> Lowering = ["build", "b", "run", "r", "test", "t", "bench", "rustc", "nextest"];

    /// <param name="arguments">What follows <c>weft cargo</c> (or <c>cargo weft</c>).</param>
    /// <param name="instruments">Every instrument there is.</param>
    public static int Run(IReadOnlyList<string> arguments, InstrumentSet instruments)
    {
        Posix.RequireUtf8Arguments();
        var (cargo, rest) = Split(arguments);
        var subcommand = rest.FirstOrDefault(a => !a.StartsWith('-'));
        if (Terminal.IsSet("WEFT_DISABLE") || subcommand == null || !Lowering.Contains(subcommand))
        {
            if (!Terminal.IsSet("WEFT_DISABLE")) BuildOptions.Parse(rest, instruments); // "weft cargo check --with metering" has nothing to weave
            Posix.Execute(cargo[0], [.. cargo.Skip(1), .. rest]);
        }
        return Build(cargo, rest, instruments);
    }

    /// <summary>Builds for a command that goes on with what came out: cargo's messages are read, not printed, unless they are asked for.</summary>
    public static CargoResult Build(CargoRequest request, InstrumentSet instruments) => Begin(request, instruments)(new Dictionary<string, string?>());

    /// <summary>The same for a command that builds again and again: what is asked of cargo and rustc once is not asked again.</summary>
    /// <returns>Builds, with variables for the processes of that build.</returns>
    public static Func<IReadOnlyDictionary<string, string?>, CargoResult> Begin(CargoRequest request, InstrumentSet instruments)
    {
        Posix.RequireUtf8Arguments();
        if (Terminal.IsSet("WEFT_DISABLE")) throw WeftException.Usage("WEFT_DISABLE is set, so nothing can be woven", "unset it, or build with plain cargo");
        var (cargo, rest) = Split(request.Arguments);
        var session = Prepare(cargo, rest, instruments, request);
        return variables => Run(cargo[0], session, variables, request.PrintMessages);
    }

    private static CargoResult Run(string cargo, Session session, IReadOnlyDictionary<string, string?> variables, bool printMessages)
    {
        var messages = new CargoMessages(printMessages);
        var environment = new Dictionary<string, string?>(session.Environment);
        foreach (var (name, value) in variables) environment[name] = value;
        var exit = ChildProcess.Listen(cargo, session.Arguments, environment, messages.Take);
        PrintReports(session);
        return new CargoResult
        {
            ExitCode = exit,
            TargetFolder = session.TargetFolder,
            WovenFolder = session.Folder,
            BuildFolder = session.Project.BuildFolder,
            NamesTarget = session.NamesTarget,
            Sysroot = session.Plan.Sysroot,
            Skipped = session.Plan.Build.Skip,
            Artifacts = messages.Artifacts,
            LibraryFolders = messages.LibraryFolders,
            RunnerOf = session.Project.RunnerOf,
        };
    }

    /// <summary>What cargo knows of the project that a build with these arguments would build.</summary>
    public static CargoProject ReadProject(IReadOnlyList<string> arguments)
    {
        var (cargo, rest) = Split(arguments);
        return CargoProject.Read(cargo, GlobalArguments(rest));
    }

    /// <summary>Finds rustc and its LLVM as a build does, and throws what a build would.</summary>
    public static (string Release, string LlvmPath) FindToolchain()
    {
        var toolchain = Toolchain(Split([]).Cargo, project: null);
        LlvmLocator.Load(toolchain.LlvmMajor, [Path.Combine(toolchain.Sysroot, "lib")], $"rustc {toolchain.Release}");
        return (toolchain.Release, LlvmLibrary.Path!);
    }

    private static (List<string> Cargo, List<string> Arguments) Split(IReadOnlyList<string> arguments)
    {
        var cargo = new List<string> { Variable("CARGO") ?? "cargo" };
        var rest = arguments.ToList();
        if (rest.Count > 0 && rest[0].StartsWith('+'))
        {
            cargo = ["cargo", rest[0]]; // only rustup's proxy understands it
            rest.RemoveAt(0);
        }
        if (ChildProcess.Find(cargo[0]) == null) throw new WeftException($"'{cargo[0]}' is not installed or not on PATH", "install Rust (https://rustup.rs, or Debian's cargo), then run 'weft doctor'");
        return (cargo, rest);
    }

    private static int Build(List<string> cargo, List<string> rest, InstrumentSet instruments)
    {
        var session = Prepare(cargo, rest, instruments, new CargoRequest());
        var exit = ChildProcess.Run(cargo[0], session.Arguments, session.Environment);
        PrintReports(session);
        return exit;
    }

    private static void PrintReports(Session session)
    {
        BuildNotes.Print(session.Environment[BuildNotes.FolderVariable]!);
        if (session.Plan.TimingsFolder != null) TimingsReport.Print(session.Plan.TimingsFolder);
    }

    private static Session Prepare(List<string> cargo, List<string> rest, InstrumentSet instruments, CargoRequest request)
    {
        Terminal.Verbosity = request.Verbosity ?? VerbosityOf(rest);
        var project = CargoProject.Read(cargo, GlobalArguments(rest));
        foreach (var variable in BuildOptions.UnknownVariables(instruments)) Terminal.Warning($"Weft knows no variable {variable}");
        var options = BuildOptions.Parse(rest, instruments, Overlay(request.Defaults, project.WeftMetadata));
        if (options.With.Count == 0 && !Terminal.IsSet("WEFT_FORCE_LOWER"))
        {
            Terminal.Note("no instrument asked for (--with LIST, or WEFT_WITH): this is plain cargo");
            Posix.Execute(cargo[0], [.. cargo.Skip(1), .. rest]);
        }
        var toolchain = Toolchain(cargo, project);
        if (request.Skip.Count > 0) options = options with { Skip = [.. options.Skip, .. SkippedCrates.Resolve(request.Skip, cargo, [.. GlobalArguments(rest), .. FeatureArguments(rest)], new FlagReader([.. rest]).TakeValue("--target") ?? toolchain.Host)] };
        LlvmLocator.Load(toolchain.LlvmMajor, [Path.Combine(toolchain.Sysroot, "lib")], $"rustc {toolchain.Release}");

        var target = Path.GetFullPath(new FlagReader(rest).TakeValue("--target-dir") ?? project.TargetFolder);
        var root = Path.Combine(target, "weft");
        var folder = Path.Combine(root, Variant(options));
        PrepareFolder(root, folder, $"{LoweringCache.WeftIdentity} {LlvmLibrary.Path} {toolchain.Release}");
        var plan = new BuildPlan
        {
            Build = options,
            LlvmPath = LlvmLibrary.Path!,
            Sysroot = toolchain.Sysroot,
            RustcWrapper = WrapperOf(project),
            Rustdoc = Variable("RUSTDOC") ?? project.Configured("build", "rustdoc"),
            TimingsFolder = options.Timings ? Directory.CreateTempSubdirectory("weft-timings-").FullName : null,
            Verbosity = Terminal.Verbosity,
            MemberFolders = project.MemberFolders,
        };
        var weaving = instruments.Weaving(options);
        var perTest = TestPlan.TakeOption(rest, weaving) != null;
        var profiles = ProfileFolder.Of(rest, weaving);
        var namesTarget = NamesTarget(rest, project);
        var environment = EnvironmentFor(plan, profiles);
        if (perTest)
            foreach (var (name, value) in TestPlan.Variables(project, Targets(rest, project, toolchain.Host), profiles?.Path ?? Path.GetFullPath(Variable(ProfileFolder.Variable)!)))
                environment[name] = value;
        return new Session(project, plan, target, folder, namesTarget, CargoArguments(cargo, rest, folder, namesTarget ? null : toolchain.Host), environment);
    }

    private sealed record Session(CargoProject Project, BuildPlan Plan, string TargetFolder, string Folder, bool NamesTarget, List<string> Arguments, Dictionary<string, string?> Environment);

    private static Dictionary<string, string> Overlay(IReadOnlyDictionary<string, string> below, IReadOnlyDictionary<string, string> above)
    {
        var all = new Dictionary<string, string>(below);
        foreach (var (key, value) in above) all[key] = value;
        return all;
    }

    private static bool NamesTarget(List<string> rest, CargoProject project) =>
        HasFlag(rest, "--target") || Variable("CARGO_BUILD_TARGET") != null || project.Configured("build", "target") != null;

    private static List<string> Targets(List<string> rest, CargoProject project, string host)
    {
        var named = Select(rest, ["--target"], []).Where(a => a != "--target").Select(a => a.StartsWith("--target=", StringComparison.Ordinal) ? a[9..] : a).ToList();
        return named.Count > 0 ? named : [Variable("CARGO_BUILD_TARGET") ?? project.Configured("build", "target") ?? host];
    }

    private static List<string> CargoArguments(List<string> cargo, List<string> rest, string folder, string? host)
    {
        var at = rest.FindIndex(a => !a.StartsWith('-')) + 1;
        List<string> added = ["--target-dir", folder, "--config", $"build.rustc-wrapper={Toml(WeftFiles.Role("weft-rustc"))}", "--config", $"build.rustdoc={Toml(WeftFiles.Role("weft-rustdoc"))}"];
        if (host != null) added.AddRange(["--target", host]);
        return [.. cargo.Skip(1), .. rest.Take(at), .. added, .. rest.Skip(at)];
    }

    // The user's own wrapper would take precedence over the configuration; Weft's wrapper calls it in turn.
    private static Dictionary<string, string?> EnvironmentFor(BuildPlan plan, ProfileFolder? profiles)
    {
        var environment = new Dictionary<string, string?>
        {
            [BuildNotes.FolderVariable] = BuildNotes.NewFolderName(),
            [BuildPlan.Variable] = plan.Encode(),
            ["RUSTC_WRAPPER"] = null,
            ["CARGO_BUILD_RUSTC_WRAPPER"] = null,
            ["RUSTDOC"] = null,
            ["CARGO_BUILD_RUSTDOC"] = null,
            ["WEFT"] = "1",
        };
        if (profiles != null) environment[ProfileFolder.Variable] = profiles.Prepare();
        return environment;
    }

    private static string? WrapperOf(CargoProject project)
    {
        // Set but empty means "no wrapper", whatever a file says.
        if (Environment.GetEnvironmentVariable("RUSTC_WRAPPER") is { } set) return set.Length > 0 ? set : null;
        return Variable("CARGO_BUILD_RUSTC_WRAPPER") ?? project.Configured("build", "rustc-wrapper");
    }

    private static (string Sysroot, string Release, string Host, int LlvmMajor) Toolchain(List<string> cargo, CargoProject? project)
    {
        var rustc = Variable("RUSTC") ?? Variable("CARGO_BUILD_RUSTC") ?? project?.Configured("build", "rustc") ?? "rustc";
        List<string> select = cargo.Count > 1 && rustc == "rustc" ? [cargo[1]] : [];
        if (ChildProcess.Find(rustc) == null) throw new WeftException($"'{rustc}' is not installed or not on PATH", "install Rust (https://rustup.rs, or Debian's rustc), then run 'weft doctor'");
        var result = ChildProcess.Capture(rustc, [.. select, "-vV"]);
        var lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (result.ExitCode != 0 || LlvmLocator.MajorIn(result.Output) is not { } major) throw new WeftException($"'{rustc} -vV' does not tell its LLVM version:\n{result.Output}{result.Errors}".TrimEnd(), null, ExitCode.Failure);
        if (major is < LlvmLibrary.OldestMajor or > LlvmLibrary.NewestMajor)
            throw new WeftException($"this rustc is built on LLVM {major}; Weft works with LLVM {LlvmLibrary.OldestMajor} to {LlvmLibrary.NewestMajor}", "choose another toolchain, for example: weft cargo +stable build");
        string Field(string name) => lines.First(l => l.StartsWith(name + ": ", StringComparison.Ordinal))[(name.Length + 2)..];
        var sysroot = ChildProcess.Capture(rustc, [.. select, "--print", "sysroot"]).Output.TrimEnd('\n');
        return (sysroot, Field("release"), Field("host"), major);
    }

    // One folder per set of instruments and options: going back and forth between them rebuilds nothing.
    private static string Variant(BuildOptions options)
    {
        var name = options.With.Count == 0 ? "plain" : string.Join('-', options.With);
        if (options.Options.Count == 0 && options.Skip.Count == 0 && !options.Std && options.Deny == null) return name;
        return $"{name}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(options.Fingerprint)))[..8]}";
    }

    // Cargo cannot see that Weft or its LLVM changed; what they made before is then stale.
    private static void PrepareFolder(string root, string folder, string identity)
    {
        try
        {
            Directory.CreateDirectory(root);
            var tag = Path.Combine(root, "CACHEDIR.TAG");
            if (!File.Exists(tag)) AtomicFile.Write(tag, "Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by weft.\n"u8.ToArray());
            var stamp = Path.Combine(folder, ".weft");
            if (Directory.Exists(folder) && (!File.Exists(stamp) || File.ReadAllText(stamp) != identity)) Directory.Delete(folder, recursive: true);
            if (File.Exists(stamp)) return;
            Directory.CreateDirectory(folder);
            AtomicFile.Write(stamp, Encoding.UTF8.GetBytes(identity));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot prepare the target folder '{folder}': {e.Message}", "check free space and permissions, or choose another with --target-dir", ExitCode.Failure, e);
        }
    }

    private static List<string> GlobalArguments(List<string> rest) => Select(rest, ["--manifest-path", "--config", "-Z", "-C", "--color"], ["--offline", "--locked", "--frozen"]);

    private static List<string> FeatureArguments(List<string> rest) => Select(rest, ["--features", "-F"], ["--all-features", "--no-default-features"]);

    private static List<string> Select(List<string> rest, string[] withValue, string[] alone)
    {
        var found = new List<string>();
        for (var i = 0; i < rest.Count && rest[i] != "--"; i++)
            if (withValue.Contains(rest[i]) && i + 1 < rest.Count) found.AddRange([rest[i], rest[++i]]);
            else if (alone.Contains(rest[i]) || withValue.Any(w => w.StartsWith("--", StringComparison.Ordinal) && rest[i].StartsWith(w + "=", StringComparison.Ordinal))) found.Add(rest[i]);
        return found;
    }

    private static int VerbosityOf(List<string> rest)
    {
        var own = rest.TakeWhile(a => a != "--").ToList();
        if (own.Contains("-q") || own.Contains("--quiet")) return -1;
        var given = own.Count(a => a is "-v" or "--verbose") + 2 * own.Count(a => a == "-vv");
        return Math.Max(given, int.TryParse(Variable("WEFT_VERBOSE"), out var wanted) ? wanted : 0);
    }

    private static bool HasFlag(List<string> rest, string name) => rest.TakeWhile(a => a != "--").Any(a => a == name || a.StartsWith(name + "=", StringComparison.Ordinal));

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    // A JSON string with everything but ASCII escaped is a valid TOML basic string.
    private static string Toml(string text) => "\"" + JsonEncodedText.Encode(text, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping) + "\"";

}
