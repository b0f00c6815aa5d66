using Weft.Coverage.Model;

namespace Weft.Coverage.Export;

/// <summary>The trace file of <c>llvm-cov export -format=lcov</c> of LLVM 22: the same bytes. See CoverageExporterLcov.cpp and geninfo(1).</summary>
public static class Lcov
{
    /// <param name="output">Where to.</param>
    /// <param name="data">What ran.</param>
    /// <param name="files">Those of its files that are wanted, in order.</param>
    /// <param name="options">What to leave out.</param>
    public static void Write(TextWriter output, CoverageData data, IReadOnlyList<string> files, ExportOptions options)
    {
        foreach (var text in files.AsParallel().AsOrdered().WithMergeOptions(ParallelMergeOptions.NotBuffered).Select(file => Render(data, file, options)))
            output.Write(text);
    }

    private static string Render(CoverageData data, string path, ExportOptions options)
    {
        var text = new StringWriter();
        var summary = data.Summary(path);
        text.Write($"SF:{path}\n");
        if (!options.SummaryOnly && !options.SkipFunctions) WriteFunctions(text, data, path);
        text.Write($"FNF:{summary.Functions.Count}\nFNH:{summary.Functions.Covered}\n");
        if (!options.SummaryOnly)
        {
            var file = data.File(path);
            foreach (var line in file.Lines) text.Write($"DA:{line.Line},{line.Count}\n");
            WriteBranches(text, file);
        }
        text.Write($"BRF:{summary.Branches.Count}\nBRH:{summary.Branches.Covered}\nLF:{summary.Lines.Count}\nLH:{summary.Lines.Covered}\nend_of_record\n");
        return text.ToString();
    }

    /// <summary>Those whose first file it is.</summary>
    private static void WriteFunctions(StringWriter text, CoverageData data, string path)
    {
        var functions = data.FunctionsOf(path).Where(f => f.Files[0] == path && f.Regions.Length > 0).ToList();
        foreach (var function in functions) text.Write($"FN:{function.Regions[0].StartLine},{function.Name}\n");
        foreach (var function in functions) text.Write($"FNDA:{function.Count},{function.Name}\n");
    }

    private static void WriteBranches(StringWriter text, FileCoverage file)
    {
        var branches = BranchTotals.Of(file);
        for (int i = 0, start = 0; i < branches.Count; i++)
        {
            var (line, whenTrue, whenFalse) = branches[i];
            if (line != branches[start].Line) start = i;
            var pair = i - start;
            var hasRun = whenTrue != 0 || whenFalse != 0;
            text.Write($"BRDA:{line},{pair},{2 * pair},{(hasRun ? whenTrue : "-")}\n");
            text.Write($"BRDA:{line},{pair},{2 * pair + 1},{(hasRun ? whenFalse : "-")}\n");
        }
    }
}
