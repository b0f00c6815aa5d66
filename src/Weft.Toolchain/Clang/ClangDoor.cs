using System.Text;
using Weft.Core;

namespace Weft.Toolchain.Clang;

/// <summary>
/// <c>weft cc</c> and <c>weft c++</c>: drop-in compiler drivers. The real clang says what it would run for the arguments
/// (<see cref="DriverPlan"/>); Weft runs that, weaving between clang's front end and the rest (<see cref="CompileStep"/>)
/// and adding its runtime to links (<see cref="LinkCommand"/>). All target options, sanitizers, link-time optimisation
/// and so on are thereby clang's own. What concerns no code that is woven goes to clang as it came.
/// </summary>
public static class ClangDoor
{
    /// <param name="cplusplus">Be the C++ driver.</param>
    /// <param name="arguments">As given after <c>weft cc</c>: the last arguments of this process.</param>
    /// <param name="instruments">Every instrument there is.</param>
    /// <returns>The exit code.</returns>
    public static int Run(bool cplusplus, IReadOnlyList<string> arguments, InstrumentSet instruments)
    {
        if (Terminal.IsSet("WEFT_VERBOSE")) Terminal.Verbosity = 1;
        var clangArguments = arguments.ToList();
        var options = BuildOptions.Parse(clangArguments, instruments, rust: false);
        var disabled = Terminal.IsSet("WEFT_DISABLE");
        var weaving = disabled ? Weaving.None : instruments.Weaving(options);
        var forced = Terminal.IsSet("WEFT_FORCE_LOWER") && !disabled;
        var active = (forced || !weaving.IsEmpty) && !clangArguments.Contains("-###");
        var compiler = ClangCompiler.Choose(cplusplus, anyRelease: !active);
        if (active && Build(compiler, clangArguments, options, weaving, forced) is { } exit) return exit;
        PassThrough(compiler, arguments, clangArguments);
        return (int)ExitCode.Failure;
    }

    /// <summary>The clang that <c>weft cc</c> would weave with, as the words of a command (<c>ccache clang-22</c>), or null when there is none.</summary>
    public static IReadOnlyList<string>? FindCompiler()
    {
        try
        {
            var compiler = ClangCompiler.Choose(cplusplus: false, anyRelease: false);
            return [compiler.Program, .. compiler.Prefix];
        }
        catch (WeftException)
        {
            return null;
        }
    }

    /// <summary>Null when clang is to have the arguments as they are.</summary>
    private static int? Build(ClangCompiler compiler, List<string> arguments, BuildOptions options, Weaving weaving, bool forced)
    {
        Posix.RequireUtf8Arguments();
        using var folder = new TemporaryFolder();
        var plan = DriverPlan.Ask(compiler, arguments, folder.Path);
        if (plan == null || plan.Version.Length == 0) compiler.RequireClang(); // an error in the arguments, or a question such as --version
        if (plan == null || plan.Jobs.Count == 0) return null;
        Check(plan);
        if (!PlanRunner.Concerns(plan, weaving)) return null;
        RequireTarget(plan, weaving);
        Console.Error.Write(arguments.Contains("-v") ? plan.Text : plan.Diagnostics);
        var session = new ClangSession(plan, options, weaving, forced, folder);
        var exit = new PlanRunner(compiler, plan, session, [.. compiler.Prefix, .. arguments]).Run();
        session.ReportTimings();
        return exit;
    }

    private static void Check(DriverPlan plan)
    {
        ClangCompiler.RequireSupported(LlvmLocator.MajorIn(plan.Version) ?? 0);
        // .NET turned bytes that are not UTF-8 into U+FFFD; clang got its working folder from elsewhere than the arguments.
        if (plan.Text.Contains('\uFFFD')) throw new WeftException("a path on the way to this compilation is not valid UTF-8", "rename the folder, or set WEFT_DISABLE=1 to compile this without Weft");
    }

    private static void RequireTarget(DriverPlan plan, Weaving weaving)
    {
        const string help = "set WEFT_DISABLE=1 to compile this without Weft";
        if (TargetSystem.IsElf(plan.Target)) return;
        if (!TargetSystem.IsMingw(plan.Target) || !plan.Target.StartsWith("x86_64-", StringComparison.Ordinal))
            throw new WeftException($"target '{plan.Target}' is not supported: Weft's runtimes are for ELF systems such as Linux, and that of metering for x86_64-w64-mingw32", help);
        if (weaving.Instruments.FirstOrDefault(i => !i.IsForWindows) is { } instrument)
            throw new WeftException($"{instrument.Name} is not there for Windows (target '{plan.Target}'); metering is", help);
        if (!weaving.IsEmpty && plan.Jobs.Any(LinkCommand.MakesLibrary))
            throw new WeftException("on Windows only executables are metered, and this links a DLL", "link its objects into the executable, or build it with WEFT_DISABLE=1");
    }

    // The bytes as they came, for arguments that are not UTF-8; Weft's own flags are left out.
    private static void PassThrough(ClangCompiler compiler, IReadOnlyList<string> given, List<string> kept)
    {
        var bytes = Posix.CommandLine.Skip(Posix.CommandLine.Count - given.Count).ToList();
        List<byte[]> vector = [.. compiler.Prefix.Prepend(compiler.Program).Select(Encoding.UTF8.GetBytes)];
        for (int i = 0, next = 0; i < given.Count && next < kept.Count; i++)
            if (ReferenceEquals(given[i], kept[next]))
            {
                vector.Add(bytes[i]);
                next++;
            }
        Posix.Execute(compiler.Program, vector);
    }
}
