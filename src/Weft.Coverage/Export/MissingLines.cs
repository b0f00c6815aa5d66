using Weft.Coverage.Model;
using Weft.Coverage.Sources;

namespace Weft.Coverage.Export;

/// <summary>Lines with code that nothing ran, in no instantiation: those whose count is 0 in a trace file of lcov.</summary>
public static class MissingLines
{
    public static LineSet Of(FileCoverage file) => LineSet.Of(file.Lines.Where(l => l.Count == 0).Select(l => l.Line));

    /// <summary>Instantiations that did not reach lines which others of the same function did.</summary>
    /// <param name="group">Of one function.</param>
    public static IEnumerable<(FunctionCoverage Function, LineSet Missing)> ByInstantiation(InstantiationGroup group)
    {
        if (group.Functions.Count < 2) return [];
        var lines = group.Functions.Select(f => (Function: f, Lines: OwnFile(f).Lines.ToList())).ToList();
        var ran = lines.SelectMany(f => f.Lines).Where(l => l.Count > 0).Select(l => l.Line).ToHashSet();
        return lines.Select(f => (f.Function, LineSet.Of(f.Lines.Where(l => l.Count == 0 && ran.Contains(l.Line)).Select(l => l.Line)))).Where(f => f.Item2.Count > 0);
    }

    private static FileCoverage OwnFile(FunctionCoverage function) => FileBuilder.Build(function.Files[function.MainFile], [function]);
}
