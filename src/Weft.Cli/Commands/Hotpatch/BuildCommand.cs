using System.CommandLine;
using Weft.Core;
using Weft.Hotpatch.Patches;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary><c>weft hotpatch build</c>: a patch from a program and the objects of a newer build.</summary>
internal static class BuildCommand
{
    public static Command Create()
    {
        var inputs = new Argument<string[]>("OBJECT") { Description = "Objects and archives of the new build; those that have not changed may be left out", Arity = ArgumentArity.OneOrMore };
        var program = new Option<string>("--program") { HelpName = "FILE", Description = "What runs, as it was linked: the file, not stripped, or /proc/PID/exe", Required = true };
        var output = new Option<string>("--output", "-o") { HelpName = "FILE", Description = "Where the patch goes", Required = true };
        var name = new Option<string?>("--name") { HelpName = "TEXT", Description = "What 'weft hotpatch list' calls it [default: the file's name]" };
        var after = new Option<string[]>("--after") { HelpName = "PATCH", Description = "A patch that the program has got already; once for each, in their order" };
        var keepState = new Option<bool>("--keep-state") { Description = "Let variables keep their values where the source now gives them another at the start" };
        var key = new Option<string?>("--key") { HelpName = "FILE", Description = "Sign it with this private key, of 'weft hotpatch key'" };
        var command = new Command("build", "Make a patch of what has changed since a program was built.") { inputs, program, output, name, after, keepState, key };
        command.SetAction(parsed =>
        {
            var path = parsed.GetRequiredValue(output);
            var maker = new PatchMaker(parsed.GetRequiredValue(program)) { KeepState = parsed.GetValue(keepState), Key = parsed.GetValue(key) };
            foreach (var patch in parsed.GetValue(after) ?? []) maker.Count(AtomicFile.Read(patch), patch);
            var built = maker.Make(parsed.GetValue(name) ?? Path.GetFileNameWithoutExtension(path), InParallel.Map(parsed.GetRequiredValue(inputs), LinkInput.Read), []);
            AtomicFile.Write(path, built.File ?? throw new WeftException("nothing has changed: there is no patch to build", "build the changed source first, with the same flags"));
            foreach (var function in built.Functions) Console.WriteLine($"replaces  {function}");
            foreach (var function in built.Added) Console.WriteLine($"adds      {function}");
            return 0;
        });
        return command;
    }
}
