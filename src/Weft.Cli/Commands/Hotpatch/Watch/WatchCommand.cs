using System.CommandLine;
using Weft.Core;
using Weft.Toolchain;

namespace Weft.Cli.Commands.Hotpatch.Watch;

/// <summary><c>weft hotpatch watch</c>: a program runs, and has each change of its source a moment after it is saved.</summary>
internal static class WatchCommand
{
    private const string ProcessFlag = "--pid", KeepStateFlag = "--keep-state", ProgramFlag = "--program", DatabaseFlag = "--compile-commands";

    /// <summary>For help: what is not Weft's among the arguments is cargo's or the program's, and <see cref="Run"/> tells them apart.</summary>
    public static Command Create()
    {
        var command = new Command("watch", "Run a program of cargo, or of C and C++, and patch it whenever its source is saved.")
        {
            new Argument<string[]>("CARGO ARGS") { HelpName = "CARGO ARGS... -- PROGRAM ARGS", Description = "As for cargo build (--release, --bin NAME); behind -- those of the program", Arity = ArgumentArity.ZeroOrMore },
            new Option<string?>(ProgramFlag) { HelpName = "FILE", Description = "A program of C or C++, built --with hotpatch by any build system that writes compile_commands.json" },
            new Option<string?>(DatabaseFlag) { HelpName = "FILE", Description = "That file [default: here, in build/, or beside the program]" },
            new Option<string?>(ProcessFlag) { HelpName = "PROCESS", Description = "Patch a program that runs already, built by this command from this source, instead of starting one" },
            new Option<bool>(KeepStateFlag) { Description = "Let variables keep their values where the source now gives them another at the start" },
        };
        command.TreatUnmatchedTokensAsErrors = false;
        return command;
    }

    /// <param name="arguments">What follows the command's name.</param>
    public static int Run(IReadOnlyList<string> arguments)
    {
        var cargo = arguments.TakeWhile(a => a != "--").ToList();
        var own = arguments.Skip(cargo.Count + 1).ToList();
        var flags = new FlagReader(cargo);
        var process = flags.TakeValue(ProcessFlag);
        var keepState = flags.TakeSwitch(KeepStateFlag);
        var (built, database) = (flags.TakeValue(ProgramFlag), flags.TakeValue(DatabaseFlag));
        var folder = Directory.CreateTempSubdirectory("weft-patches-").FullName;
        try
        {
            IPatchSource? source = built == null ? CargoSource.Start(cargo, folder) : ClangSource.Start(built, database, folder);
            if (source == null) return (int)ExitCode.Failure;
            var program = Keep(process == null ? source.Program : $"/proc/{LiveProcess.Find(process)}/exe", Path.GetFileName(source.Program), folder);
            var session = new WatchSession(source, program, keepState);
            session.Begin();
            return process == null ? RunProgram(source.Program, own, session) : Attend(process, session);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // The next link puts another file in its place.
    private static string Keep(string program, string name, string folder)
    {
        var kept = Path.Combine(folder, name);
        File.Copy(program, kept);
        return kept;
    }

    private static int RunProgram(string program, List<string> arguments, WatchSession session)
    {
        using var end = new CancellationTokenSource();
        Task? watching = null;
        var exit = ChildProcess.RunInForeground(program, arguments, new Dictionary<string, string?>(), Posix.Send, id => watching = Task.Run(() => Watch(id.ToString(System.Globalization.CultureInfo.InvariantCulture), session, end.Token)));
        end.Cancel();
        watching?.Wait();
        return exit;
    }

    private static int Attend(string process, WatchSession session)
    {
        using var end = new CancellationTokenSource();
        Console.CancelKeyPress += (_, key) =>
        {
            key.Cancel = true;
            end.Cancel();
        };
        Watch(process, session, end.Token);
        return 0;
    }

    private static void Watch(string who, WatchSession session, CancellationToken cancel)
    {
        try
        {
            using var process = LivePatches.Attach(who, patience: TimeSpan.FromSeconds(2));
            Terminal.Status("Watching", $"process {process.ProcessId}: save a source file to patch it");
            session.Run(process, cancel);
        }
        catch (WeftException e) when (!cancel.IsCancellationRequested)
        {
            Terminal.Error(e.Message, e.Help);
        }
        catch (WeftException)
        {
            // The program has ended on the way, which is how this ends.
        }
    }
}
