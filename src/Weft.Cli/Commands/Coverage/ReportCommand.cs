using System.CommandLine;
using Weft.Cli.Commands.Tracing;
using Weft.Coverage.Export;

namespace Weft.Cli.Commands.Coverage;

/// <summary><c>weft coverage report</c>: how much of the source ran. Options are those of <c>cargo llvm-cov report</c>.</summary>
internal static class ReportCommand
{
    public static Command Create()
    {
        var arguments = new CoverageArguments();
        var limits = new Limits();
        var outputs = new ReportOutputs();
        var missing = new Option<bool>("--show-missing-lines") { Description = "Also print the lines that nothing ran" };
        var instantiations = new Option<bool>("--show-instantiations") { Description = "Also print instantiations of functions that did not reach lines which others did" };
        var sort = new Option<string?>("--sort", "-s") { HelpName = "KEY", Description = $"Most missed first, of {string.Join(", ", SummaryTable.Keys.Keys)} [default: by name]" };
        sort.Validators.Add(result => { if (result.Tokens is [var token] && token.Value != "name" && !SummaryTable.Keys.ContainsKey(token.Value)) result.AddError($"--sort: '{token.Value}' is not one of name, {string.Join(", ", SummaryTable.Keys.Keys)}"); });
        var command = new Command("report", "Print how much of the source ran, file by file; or write it in another form.") { missing, instantiations, sort };
        outputs.AddTo(command);
        limits.AddTo(command);
        arguments.AddTo(command);
        command.SetAction(parsed =>
        {
            outputs.Check(parsed);
            var input = arguments.Of(parsed);
            var table = new SummaryTable(input, parsed.GetValue(sort) is { } key and not "name" ? key : null);
            if (!outputs.Write(parsed, input, parsed.GetValue(instantiations)))
                StandardOutput.Text(output =>
                {
                    table.Write(output);
                    if (parsed.GetValue(instantiations)) WriteInstantiations(output, input);
                    if (parsed.GetValue(missing)) WriteMissing(output, input);
                });
            return (int)limits.Check(parsed, table, () => input.Files.AsParallel().Sum(f => (long)MissingLines.Of(input.Data.File(f)).Count));
        });
        return command;
    }

    private static void WriteMissing(TextWriter output, CoverageInput input)
    {
        var missing = input.Files.AsParallel().AsOrdered().Select(f => (Name: input.Name(f), Lines: MissingLines.Of(input.Data.File(f)))).Where(f => f.Lines.Count > 0).ToList();
        if (missing.Count == 0) return;
        output.Write("\nUncovered Lines:\n");
        foreach (var (name, lines) in missing) output.Write($"{name}: {lines}\n");
    }

    private static void WriteInstantiations(TextWriter output, CoverageInput input)
    {
        var title = "\nIncomplete instantiations:\n";
        foreach (var file in input.Files)
            foreach (var group in input.Data.Groups(file))
                foreach (var (function, lines) in MissingLines.ByInstantiation(group))
                {
                    output.Write($"{title}{input.Name(file)}:{group.Line}: {input.Data.Demangled(function)}: {(function.IsUnused ? "never instantiated" : function.Count == 0 ? "never called" : $"not lines {lines}")}\n");
                    title = "";
                }
    }
}
