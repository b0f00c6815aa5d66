using Weft.Core;

namespace Weft.Tests;

/// <summary>Windows for tests: what clang builds with mingw's headers, libraries and linker, and wine runs, in a home of its own.</summary>
internal static class Wine
{
    /// <summary>What tests need for it.</summary>
    public const string Program = "wine", Mingw = "x86_64-w64-mingw32-g++";

    /// <summary>Options that make an executable that needs nothing but Windows.</summary>
    public static readonly string[] Options = ["--target=x86_64-w64-mingw32", "-static"];

    private static readonly Lazy<string> Home = new(CreateHome);

    /// <summary>Runs a program of the harness's folder. Windows ends lines in its own way.</summary>
    public static Outcome Run(Harness harness, string program, params string[] arguments)
    {
        harness.Environment["WINEPREFIX"] = Home.Value;
        harness.Environment["WINEDEBUG"] = "-all";
        var outcome = harness.Run(Program, [harness.Path(program), .. arguments]);
        return new(outcome.ExitCode, outcome.Output.Replace("\r\n", "\n"), outcome.Errors.Replace("\r\n", "\n"));
    }

    // Making one takes longer than most tests.
    private static string CreateHome()
    {
        var home = Directory.CreateTempSubdirectory("weft-wine-").FullName;
        var environment = new Dictionary<string, string?> { ["WINEPREFIX"] = home, ["WINEDEBUG"] = "-all", ["WINEDLLOVERRIDES"] = "mscoree=d;mshtml=d" };
        // Its server stays, and must not hold a pipe open that somebody reads to the end.
        ChildProcess.Run("sh", ["-c", "wineserver --persistent >/dev/null 2>&1; wine cmd /c exit >/dev/null 2>&1"], environment);
        // By somebody who has the time: a process of tests that is done is given little.
        AppDomain.CurrentDomain.ProcessExit += (_, _) => ChildProcess.Run("sh", ["-c", "(wineserver --kill; wineserver --wait; rm -rf \"$WINEPREFIX\") >/dev/null 2>&1 &"], environment);
        return home;
    }
}
