using System.CommandLine;
using Weft.Hotpatch.Patches;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary><c>weft hotpatch key</c>: makes the keys of signed patches.</summary>
internal static class KeyCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("FILE") { Description = "Where the private key goes, which only its owner can read; the public one goes to FILE.pub" };
        var command = new Command("key", "Make a pair of keys, for programs that only take signed patches.") { file };
        command.SetAction(parsed =>
        {
            var path = parsed.GetRequiredValue(file);
            var publicPath = PatchKey.Create(path);
            Console.WriteLine($"{path}: for 'weft hotpatch build --key'; keep it secret");
            Console.WriteLine($"{publicPath}: for programs, which are started with WEFT_HOTPATCH_KEY={Path.GetFullPath(publicPath)}");
            return 0;
        });
        return command;
    }
}
