using System.CommandLine;
using Weft.Core;
using Weft.Toolchain.Cargo;

namespace Weft.Cli.Ci;

/// <summary><c>cargo-build-ci</c>.</summary>
internal static class BuildCi
{
    public static Command Create(IReadOnlyList<string[]> groups)
    {
        var skip = new Option<string[]>("--skip") { HelpName = "CRATES", Description = "Crates to leave as they are, separated by spaces or commas; may be repeated", AllowMultipleArgumentsPerToken = true };
        var debug = new Option<bool>("--debug") { Description = "Say for each function where probes were placed, and why" };
        var log = LogLevel.Create();
        var command = new Command("cargo-build-ci", "Build a package with compiler interrupts woven in.\n\nWhat follows '--' goes to 'cargo build'; options of 'weft cargo' may be among it.") { skip, debug, log };
        command.SetAction(parsed =>
        {
            CiCommands.CheckGroups(groups, "cargo-build-ci", most: 1);
            var request = new CiBuild { Log = parsed.GetValue(log), Debug = parsed.GetValue(debug), Skip = Words(parsed.GetValue(skip)) };
            return request.Run(groups.Count > 0 ? groups[0] : []).ExitCode;
        });
        return command;
    }

    private static List<string> Words(string[]? values) => [.. (values ?? []).SelectMany(v => v.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries))];
}

/// <summary>The build that <c>cargo-build-ci</c> and <c>cargo-run-ci</c> share.</summary>
internal sealed record CiBuild
{
    public string? Log { get; init; }

    public bool Debug { get; init; }

    public IReadOnlyList<string> Skip { get; init; } = [];

    /// <summary>Builds, and publishes what came out if that went well.</summary>
    public (int ExitCode, CargoResult Result, IReadOnlyList<Published> Published) Run(IReadOnlyList<string> cargoArguments)
    {
        if (LogLevel.Verbosity(Log) is { } verbosity) Terminal.Verbosity = verbosity;
        var arguments = cargoArguments.ToList();
        var messages = MessageFormat.Take(arguments);
        var request = new CargoRequest
        {
            Arguments = [.. arguments.TakeWhile(IsToolchain), "build", .. messages.Arguments, .. Weaving(arguments), .. arguments.SkipWhile(IsToolchain)],
            Defaults = Defaults(),
            Skip = Skip,
            Verbosity = LogLevel.Verbosity(Log),
            PrintMessages = messages.Print,
        };
        LogLevel.Info(Log, "Weaving", $"{CiCommands.Instrument} into what cargo builds");
        var result = CargoDoor.Build(request, Roles.Instruments);
        if (result.ExitCode != 0) return (result.ExitCode, result, []);
        var published = new Publisher(result).Publish();
        foreach (var file in published.Select(p => p.Path)) LogLevel.Info(Log, "Created", file);
        return (0, result, published);
    }

    // The user's own --with adds to what these commands are for.
    private List<string> Weaving(List<string> arguments)
    {
        var with = new Toolchain.FlagReader(arguments).TakeValue("--with");
        List<string> weaving = ["--with", with == null ? CiCommands.Instrument : $"{CiCommands.Instrument},{with}"];
        if (Debug) weaving.Add($"--{CiCommands.Instrument}-debug=on");
        return weaving;
    }

    private Dictionary<string, string> Defaults()
    {
        var settings = LibraryArguments.Translate(CiConfiguration.Load()?.LibraryArguments ?? "");
        if (settings.Ignored.Count > 0) LogLevel.Info(Log, "Ignoring", $"library arguments without a counterpart: {string.Join(' ', settings.Ignored)}");
        return settings.Options;
    }

    private static bool IsToolchain(string argument) => argument.StartsWith('+');
}
