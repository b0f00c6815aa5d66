using System.CommandLine;
using Weft.Core;
using Weft.Toolchain;
using Weft.Toolchain.Cargo;

namespace Weft.Cli.Ci;

/// <summary><c>cargo-run-ci</c>.</summary>
internal static class RunCi
{
    public static Command Create(IReadOnlyList<string[]> groups)
    {
        var bin = new Option<string>("--bin") { HelpName = "NAME", Description = "Which binary to run, if there are several" };
        var log = LogLevel.Create();
        var command = new Command("cargo-run-ci", "Run a binary with compiler interrupts woven in; builds it first if needed.\n\nWhat follows the first '--' are the binary's arguments; what follows the second goes to cargo.") { bin, log };
        command.SetAction(parsed =>
        {
            CiCommands.CheckGroups(groups, "cargo-run-ci", most: 2);
            return Run(parsed.GetValue(bin), parsed.GetValue(log), groups.ElementAtOrDefault(0) ?? [], groups.ElementAtOrDefault(1) ?? []);
        });
        return command;
    }

    private static int Run(string? bin, string? log, string[] arguments, string[] cargoArguments)
    {
        var choice = RunChoice.Of(bin, [.. cargoArguments]);
        var (exit, result, published) = new CiBuild { Log = log }.Run(choice.CargoArguments);
        if (exit != 0) return exit;
        var programs = published.Where(p => choice.Matches(p.Artifact)).ToList();
        if (programs is not [var program])
            throw new WeftException(programs.Count == 0 ? $"cargo built no program '{choice.Name}'" : $"cargo built several programs '{choice.Name}': {string.Join(", ", programs.Select(p => p.Path))}", "choose one with -p PACKAGE or --target TRIPLE, which are cargo's: cargo-run-ci -- -- -p PACKAGE");
        LogLevel.Info(log, "Running", program.Path);
        string[] command = [.. result.RunnerOf(program.Triple), program.Path, .. arguments];
        return ChildProcess.RunInForeground(command[0], command[1..], LibraryPath(result, program), Posix.Send);
    }

    // As cargo run sets it: a program linked with Rust's dynamic libraries finds them.
    private static Dictionary<string, string?> LibraryPath(CargoResult result, Published program)
    {
        var profile = Path.Combine(result.WovenFolder, program.Triple, Path.GetRelativePath(Path.Combine(result.WovenFolder, program.Triple), program.Source).Split('/')[0]);
        var folders = result.LibraryFolders.Where(f => f.StartsWith(result.WovenFolder, StringComparison.Ordinal)).Distinct().ToList();
        folders.AddRange([Path.Combine(profile, "deps"), profile, Path.Combine(result.Sysroot, "lib/rustlib", program.Triple, "lib")]);
        if (Environment.GetEnvironmentVariable("LD_LIBRARY_PATH") is { Length: > 0 } before) folders.Add(before);
        return new() { ["LD_LIBRARY_PATH"] = string.Join(':', folders) };
    }
}
