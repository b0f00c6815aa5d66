using System.CommandLine;
using Weft.Cli.Commands;
using Weft.Core;
using Weft.Llvm;
using Weft.Toolchain.Cargo;

namespace Weft.Cli.Ci;

/// <summary>
/// <c>cargo-lib-ci</c>. The original fetched and compiled its LLVM pass here; Weft has its own, so what remains is to look
/// at the toolchain and to keep the configuration.
/// </summary>
internal static class LibCi
{
    public static Command Create(IReadOnlyList<string[]> groups)
    {
        var log = LogLevel.Create();
        var command = new Command("cargo-lib-ci", "Show and set what compiler interrupts are built with.\n\nWithout a command: print the toolchain, and the configuration and where it is.") { Install(log), Uninstall(log), Update(log), Configure(log), log };
        Do(command, log, () => Show(CiConfiguration.Load()));
        command.Add(Help());
        CiCommands.CheckGroups(groups, "cargo-lib-ci", most: 0);
        return command;
    }

    private static Command Install(Option<string> log)
    {
        var path = new Option<string>("--path") { HelpName = "PATH", Description = "Accepted for the original's sake: no library is needed" };
        var url = new Option<string>("--url") { HelpName = "URL", Description = "Accepted for the original's sake: no library is needed" };
        var command = new Command("install", "Check that the toolchain can be used, and write a configuration if there is none.") { path, url };
        command.SetAction(parsed =>
        {
            Quieten(parsed.GetValue(log));
            foreach (var option in (Option<string>[])[path, url])
                if (parsed.GetValue(option) is { } given) Terminal.Warning($"{option.Name} {Terminal.ShellQuote(given)} is ignored: Weft has its own pass and needs no library");
            var (release, llvm) = CargoDoor.FindToolchain();
            if (DoctorCommand.MissingLinker() is { } missing) throw new WeftException(missing.What, missing.Fix);
            LogLevel.Info(parsed.GetValue(log), "Checked", $"rustc {release} with {llvm}");
            if (CiConfiguration.Load() != null) Terminal.Status("Kept", CiConfiguration.Path);
            else Save(new CiConfiguration());
        });
        return command;
    }

    private static Command Uninstall(Option<string> log)
    {
        var command = new Command("uninstall", "Remove the configuration.");
        Do(command, log, () =>
        {
            if (CiConfiguration.Remove()) Terminal.Status("Removed", CiConfiguration.Path);
            else Terminal.Note($"there is no '{CiConfiguration.Path}'");
        });
        return command;
    }

    private static Command Update(Option<string> log)
    {
        var command = new Command("update", "Write the configuration as this version does, with the values it has.");
        Do(command, log, () =>
        {
            var configuration = CiConfiguration.Load() ?? throw new WeftException($"there is no '{CiConfiguration.Path}'", "make one: cargo-lib-ci install");
            if (configuration.Unused.Count > 0) Terminal.Warning($"{string.Join(", ", configuration.Unused)}: dropped, since Weft needs no library");
            Save(configuration);
        });
        return command;
    }

    private static Command Configure(Option<string> log)
    {
        var arguments = new Option<string[]>("--library-args") { HelpName = "ARGS", Description = "The original's options of its pass: -inst-gran=2|12 and -commit-intv=N count, others are kept", AllowMultipleArgumentsPerToken = true };
        var command = new Command("config", "Set how programs are built; without options, print the values.") { arguments };
        command.SetAction(parsed =>
        {
            Quieten(parsed.GetValue(log));
            var configuration = CiConfiguration.Load();
            if (parsed.GetValue(arguments) is not { Length: > 0 } given)
            {
                PrintValues(configuration);
                return;
            }
            var text = string.Join(' ', given).Trim();
            var ignored = LibraryArguments.Translate(text).Ignored;
            if (ignored.Count > 0) Terminal.Warning($"without a counterpart here, so kept and ignored: {string.Join(' ', ignored)}");
            Save((configuration ?? new CiConfiguration()) with { LibraryArguments = text });
        });
        return command;
    }

    private static Command Help()
    {
        var topic = new Argument<string[]>("COMMAND") { Hidden = true };
        return new Command("help", "Print this page, or that of a command.") { topic }; // CommandLine takes "help" in first place for --help
    }

    private static void Do(Command command, Option<string> log, Action action) => command.SetAction(parsed =>
    {
        Quieten(parsed.GetValue(log));
        action();
    });

    private static void Quieten(string? level)
    {
        if (LogLevel.Verbosity(level) is { } verbosity) Terminal.Verbosity = verbosity;
    }

    private static void Save(CiConfiguration configuration)
    {
        (configuration with { LlvmVersion = LlvmRelease() ?? configuration.LlvmVersion }).Save();
        Terminal.Status("Wrote", CiConfiguration.Path);
    }

    private static void Show(CiConfiguration? configuration)
    {
        Console.Out.Write($"weft           {VersionCommand.Version}, with a pass of its own: no library is needed\n{ToolchainLines()}");
        Console.Out.Write($"configuration  {CiConfiguration.Path}{(configuration == null ? " (not there: defaults)" : "")}\n");
        PrintValues(configuration);
    }

    private static string ToolchainLines()
    {
        try
        {
            var (release, llvm) = CargoDoor.FindToolchain();
            return $"rustc          {release}\nLLVM           {LlvmLibrary.Version}: {llvm}\n";
        }
        catch (WeftException e)
        {
            return $"rustc          cannot be used: {e.Message}\n";
        }
    }

    private static string? LlvmRelease()
    {
        try
        {
            CargoDoor.FindToolchain();
            return LlvmLibrary.Version.ToString();
        }
        catch (WeftException)
        {
            return null; // configuring needs no toolchain
        }
    }

    private static void PrintValues(CiConfiguration? configuration)
    {
        var (options, ignored) = LibraryArguments.Translate(configuration?.LibraryArguments ?? "");
        Console.Out.Write($"library_args   {configuration?.LibraryArguments}".TrimEnd() + "\n");
        Console.Out.Write($"llvm_version   {configuration?.LlvmVersion}".TrimEnd() + "\n");
        Console.Out.Write($"builds with    --with {CiCommands.Instrument}{string.Concat(options.Select(o => $" --{o.Key} {o.Value}"))}\n");
        if (ignored.Count > 0) Console.Out.Write($"ignored        {string.Join(' ', ignored)}\n");
    }
}
