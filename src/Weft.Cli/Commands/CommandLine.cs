using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Weft.Cli.Commands.Coverage;
using Weft.Cli.Commands.Hotpatch;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Llvm;
using Weft.Toolchain;

namespace Weft.Cli.Commands;

/// <summary>The commands people type, in the order help lists them.</summary>
internal static class CommandLine
{
    public static int Run(string[] arguments)
    {
        if (arguments is []) arguments = ["--help"];
        Demangler.OtherLibraries = () => LlvmLocator.Installed().OrderByDescending(l => l.Major).Select(l => l.Path);
        if (arguments is ["--version" or "-V"]) return VersionCommand.Run();
        return Invoke(Root(), arguments);
    }

    /// <summary>Runs what the arguments ask of a command, or throws a usage error.</summary>
    /// <param name="command">With an option for help among its options.</param>
    /// <param name="arguments">What follows its name.</param>
    /// <param name="hint">What to say of an option that it does not know.</param>
    public static int Invoke(Command command, string[] arguments, string? hint = null)
    {
        if (arguments is ["help", .. var topic]) arguments = [.. topic, "--help"];
        SetUpHelp(command.Options.OfType<HelpOption>().Single());
        var parsed = command.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        return parsed.Errors.Count == 0 || parsed.Action is PageAction
            ? parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null })
            : throw UsageError(parsed, hint);
    }

    public static RootCommand Root()
    {
        var root = new RootCommand("Weave instruments into native programs while they are built.");
        root.Add(Doors.Cargo());
        root.Add(Doors.Cc("cc", "C"));
        root.Add(Doors.Cc("c++", "C++"));
        root.Add(LowerCommand.Create());
        root.Add(MeteringCommand.Create());
        root.Add(InterruptsCommand.Create());
        root.Add(TracingCommand.Create());
        root.Add(CoverageCommand.Create());
        root.Add(HotpatchCommand.Create());
        root.Add(DemoCommand.Create());
        root.Add(DoctorCommand.Create());
        root.Add(CacheCommand.Create());
        root.Add(InstallCommand.Create());
        root.Add(InstallCommand.CreateUninstall());
        root.Add(CompletionsCommand.Create());
        root.Options.Remove(root.Options.OfType<VersionOption>().Single());
        root.Add(new Option<bool>("--version", "-V") { Description = "Print Weft's version and the LLVM libraries it found" });
        root.Options.OfType<HelpOption>().Single().Description = "Print help; also 'weft help COMMAND'";
        return root;
    }

    private static void SetUpHelp(HelpOption help)
    {
        help.Aliases.Remove("-?");
        help.Aliases.Remove("/?");
        help.Aliases.Remove("/h");
        help.Action = new PageAction();
    }

    // One sentence for the first thing that is wrong: what follows is mostly its consequence.
    private static WeftException UsageError(ParseResult parsed, string? hint)
    {
        var command = parsed.CommandResult.Command;
        var path = HelpPage.PathOf(command);
        var unknown = parsed.UnmatchedTokens.Count > 0 ? parsed.UnmatchedTokens[0] : null;
        if (unknown == null) return WeftException.Usage(parsed.Errors[0].Message.TrimEnd('.'), $"'{path} --help' shows what it takes");
        var kind = unknown.StartsWith('-') ? "option" : command.Subcommands.Count > 0 ? "command" : "argument";
        var similar = Similar(unknown, command.Children.Concat(command.Parents.OfType<Command>().SelectMany(c => c.Options)));
        return WeftException.Usage($"'{path}' knows no {kind} '{unknown}'", similar != null ? $"did you mean '{similar}'?" : hint ?? $"'{path} --help' shows what it takes");
    }

    private static string? Similar(string text, IEnumerable<Symbol> symbols) => Spelling.Nearest(text, symbols.Where(s => !s.Hidden && s is not Argument).Select(s => s.Name));

    private sealed class PageAction : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            HelpPage.Write(parseResult.CommandResult.Command, Console.Out);
            return 0;
        }
    }
}
