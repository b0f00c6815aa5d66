using System.CommandLine;

namespace Weft.Cli.Commands;

/// <summary>Pages for the commands whose arguments Weft hands on; they never get here to run (see <see cref="Roles"/>).</summary>
internal static class Doors
{
    public static Command Cargo()
    {
        var command = new Command("cargo", "Run cargo with instruments woven into what it builds.\n\nEvery cargo command and option works as before; 'weft cargo build --help' shows cargo's own.")
        {
            new Argument<string[]>("cargo") { Hidden = true },
        };
        command.TreatUnmatchedTokensAsErrors = false;
        foreach (var option in Build(std: true)) command.Add(option);
        return command;
    }

    public static Command Cc(string name, string language)
    {
        var command = new Command(name, $"Compile and link {language} as clang does, with instruments woven in.\n\nTakes clang's own options; 'weft {name} --help' shows them.")
        {
            new Argument<string[]>("clang") { Hidden = true },
        };
        command.TreatUnmatchedTokensAsErrors = false;
        foreach (var option in Build(std: false)) command.Add(option);
        return command;
    }

    /// <summary>The options that choose and set instruments: the same for every door.</summary>
    public static IEnumerable<Option> Build(bool std)
    {
        var names = Roles.Instruments.All.Select(i => i.Name).ToArray();
        var with = new Option<string>("--with") { HelpName = "LIST", Description = $"Instruments to weave in, separated by commas: {string.Join(", ", Roles.Instruments.All.Select(i => $"{i.Name} ({i.Description})"))}; also WEFT_WITH" };
        with.CompletionSources.Add(names);
        yield return with;
        foreach (var instrument in Roles.Instruments.All)
            foreach (var option in instrument.Options)
            {
                var flag = new Option<string>($"--{instrument.Name}-{option.Name}")
                {
                    HelpName = string.Join('|', [.. option.Values, .. option.Read != null ? ["FILE"] : option.Values.Count == 0 ? ["VALUE"] : Array.Empty<string>()]),
                    Description = option.Description + (option.Default.Length > 0 ? $" [default: {option.Default}]" : ""),
                };
                flag.CompletionSources.Add([.. option.Values]);
                yield return flag;
            }
        yield return new Option<bool>("--deny-uninstrumented") { Description = "Refuse what metering cannot count: inline assembly, functions that are left out, and at the link what was not woven; also WEFT_DENY_UNINSTRUMENTED" };
        yield return new Option<string>("--allow-uninstrumented") { HelpName = "GLOB,...", Description = "Files and functions that are not refused; also WEFT_ALLOW_UNINSTRUMENTED" };
        if (std)
        {
            yield return new Option<bool>("--coverage-per-test") { Description = "Run each test in a process of its own and keep what it reached, for weft coverage tests" };
            yield return new Option<string>("--skip") { HelpName = "CRATES", Description = "Crates to build without instruments, separated by commas; also WEFT_SKIP" };
            yield return new Option<bool>("--std") { Description = "Weave Rust's standard library too; also WEFT_STD" };
        }
        yield return new Option<string>("--repro") { HelpName = "DIR", Description = "Keep every module and the command that lowers it, to repeat a failure; also WEFT_REPRO" };
        yield return new Option<bool>("--weft-timings") { Description = "Print how long each stage of the lowering took; also WEFT_TIMINGS" };
    }
}
