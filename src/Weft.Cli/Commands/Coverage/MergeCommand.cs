using System.CommandLine;
using System.Text;
using Weft.Core;
using Weft.Coverage.Profiles;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage merge</c>: many profiles become one.</summary>
internal static class MergeCommand
{
    public static Command Create()
    {
        var inputs = new Argument<string[]>("FILES") { Description = $"Profiles of any format, and folders with *.profraw in them {ProfileInputs.Default}", Arity = ArgumentArity.ZeroOrMore };
        var output = new Option<string>("--output", "-o") { HelpName = "FILE", Description = "Where the sum goes", Required = true };
        var text = new Option<bool>("--text") { Description = "Write text" };
        var indexed = new Option<int>("--indexed") { HelpName = "VERSION", Description = "Write the indexed format of this version: 12 is for LLVM 19 and later, 13 for 22 [default: 12]", DefaultValueFactory = _ => IndexedProfileWriter.OldestVersion };
        var fail = ProfileInputs.FailOnDamage();
        indexed.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && token.Value is not ("12" or "13")) result.AddError($"--indexed: '{token.Value}' is not a version that can be written: 12 or 13");
        });
        var command = new Command("merge", "Add up profiles, as llvm-profdata merge does; damaged ones are named and left out.") { inputs, output, text, indexed, fail };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(text) && parsed.GetResult(indexed) is { Implicit: false }) throw WeftException.Usage("--text and --indexed at once", "give one of them");
            var merged = ProfileInputs.Merge(parsed.GetValue(inputs) ?? [], parsed.GetValue(fail));
            Write(merged, parsed.GetRequiredValue(output), parsed.GetValue(text) ? null : parsed.GetValue(indexed));
        });
        return command;
    }

    private static void Write(MergeResult merged, string path, int? version) => AtomicFile.Write(path, stream =>
    {
        if (version != null)
        {
            IndexedProfileWriter.Write(merged.Profile, version.Value, stream);
            return;
        }
        using var writer = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), 1 << 16, leaveOpen: true);
        TextProfile.Write(merged.Profile, writer);
    });
}
