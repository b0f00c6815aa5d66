using System.CommandLine;
using System.CommandLine.Help;
using Weft.Cli.Commands;
using Weft.Core;

namespace Weft.Cli.Ci;

/// <summary>The commands of cargo-compiler-interrupts: thin ones over <c>weft cargo</c> with one instrument woven in.</summary>
internal static class CiCommands
{
    /// <summary>What these commands weave in.</summary>
    public const string Instrument = "interrupts";

    public static IReadOnlyList<string> Names { get; } = ["cargo-build-ci", "cargo-run-ci", "cargo-lib-ci"];

    /// <param name="name">Which of <see cref="Names"/>.</param>
    /// <param name="arguments">As given; cargo passes its subcommand's name on (<c>cargo build-ci</c>).</param>
    public static int Run(string name, string[] arguments)
    {
        if (arguments is [var first, ..] && "cargo-" + first == name) arguments = arguments[1..];
        var own = arguments.TakeWhile(a => a != "--").ToArray();
        if (own.Contains("--version") || own.Contains("-V")) return Version(name);
        var groups = Groups(arguments[own.Length..]);
        return CommandLine.Invoke(Create(name, groups), own, Hint(name));
    }

    private static Command Create(string name, IReadOnlyList<string[]> groups)
    {
        var command = name switch
        {
            "cargo-build-ci" => BuildCi.Create(groups),
            "cargo-run-ci" => RunCi.Create(groups),
            _ => LibCi.Create(groups),
        };
        command.Add(new HelpOption { Description = "Print help" });
        command.Add(new Option<bool>("--version", "-V") { Description = "Print the version" });
        return command;
    }

    private static int Version(string name)
    {
        Console.Out.Write($"{name} {VersionCommand.Version}\n");
        return 0;
    }

    /// <summary>Refuses more groups of arguments than a command takes.</summary>
    public static void CheckGroups(IReadOnlyList<string[]> groups, string name, int most)
    {
        if (groups.Count > most) throw WeftException.Usage($"'{name}' takes '--' {(most == 0 ? "nowhere" : most == 1 ? "once" : "twice")}", $"'{name} --help' shows what follows it");
    }

    // "-- A B -- C" are two groups; the parser of options never sees them.
    private static List<string[]> Groups(string[] arguments)
    {
        var groups = new List<string[]>();
        for (var at = 0; at < arguments.Length; at += groups[^1].Length + 1) groups.Add([.. arguments.Skip(at + 1).TakeWhile(a => a != "--")]);
        return groups;
    }

    // People give cargo's options where they give them to cargo.
    private static string? Hint(string name) => name switch
    {
        "cargo-build-ci" => "cargo's own options follow '--': cargo-build-ci -- --release",
        "cargo-run-ci" => "the program's arguments follow a first '--', cargo's own options a second: cargo-run-ci -- -- --release",
        _ => null,
    };
}
