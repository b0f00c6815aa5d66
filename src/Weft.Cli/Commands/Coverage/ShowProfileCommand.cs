using System.CommandLine;
using Weft.Cli.Commands.Tracing;
using Weft.Coverage.Profiles;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage show-profile</c>: what is in a profile.</summary>
internal static class ShowProfileCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "A raw, indexed or text profile" };
        var command = new Command("show-profile", "Print what a profile counted, as llvm-profdata show --all-functions --counts does.") { file };
        command.SetAction(parsed =>
        {
            var profile = ProfileFile.Read(parsed.GetRequiredValue(file));
            StandardOutput.Text(output => ProfileListing.Write(profile, output));
        });
        return command;
    }
}
