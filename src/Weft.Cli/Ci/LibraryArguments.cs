using System.Globalization;
using Weft.Interrupts;

namespace Weft.Cli.Ci;

/// <summary>What the original's options of <c>opt</c> mean to the instrument.</summary>
internal static class LibraryArguments
{
    /// <param name="Options">By the names of Weft's flags, without dashes.</param>
    /// <param name="Ignored">Arguments without a counterpart, as given.</param>
    public sealed record Translation(Dictionary<string, string> Options, IReadOnlyList<string> Ignored);

    public static Translation Translate(string arguments)
    {
        var options = new Dictionary<string, string>();
        var ignored = new List<string>();
        foreach (var argument in arguments.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            if (Meaning(argument.TrimStart('-')) is var (name, value)) options[$"{CiCommands.Instrument}-{name}"] = value;
            else ignored.Add(argument);
        return new Translation(options, ignored);
    }

    // A gap that the instrument would refuse must not fail builds from a file. Two of the original's designs have a counterpart: 2 counts instructions, 12 also asks the processor's clock.
    private static (string Name, string Value)? Meaning(string argument) => argument.Split('=') switch
    {
        ["inst-gran", "2"] => ("clock", "instructions"),
        ["inst-gran", "12"] => ("clock", "cycles"),
        ["commit-intv", var gap] when int.TryParse(gap, NumberStyles.None, null, out var n) && n is >= InterruptsInstrument.SmallestGap and <= InterruptsInstrument.LargestGap => ("max-gap", gap),
        _ => null,
    };
}
