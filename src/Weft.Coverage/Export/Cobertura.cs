using System.Globalization;
using System.Text;
using System.Xml;
using Weft.Coverage.Model;

namespace Weft.Coverage.Export;

/// <summary>XML for the DTD coverage-04 of Cobertura: a package for each folder, a class for each file. Its totals are of the lines it lists.</summary>
public static class Cobertura
{
    private sealed record ClassPart(string Path, string Name, Ratio Lines, Ratio Branches, IReadOnlyList<LineCount> LineCounts, Dictionary<int, Ratio> BranchesOfLines);

    public static void Write(Stream output, CoverageData data, IReadOnlyList<string> files, ExportOptions options)
    {
        var classes = files.AsParallel().AsOrdered().Select(file => Read(data, file, options.Root)).ToList();
        using var xml = XmlWriter.Create(output, new XmlWriterSettings { Indent = true, Encoding = new UTF8Encoding(false), NewLineChars = "\n" });
        xml.WriteStartDocument();
        xml.WriteDocType("coverage", null, "http://cobertura.sourceforge.net/xml/coverage-04.dtd", null);
        xml.WriteStartElement("coverage");
        Ratio lines = Sum(classes, c => c.Lines), branches = Sum(classes, c => c.Branches);
        WriteRates(xml, lines, branches);
        foreach (var (name, value) in ((string, long)[])[("lines-covered", lines.Covered), ("lines-valid", lines.Count), ("branches-covered", branches.Covered), ("branches-valid", branches.Count)]) xml.WriteAttributeString(name, $"{value}");
        xml.WriteAttributeString("complexity", "0");
        xml.WriteAttributeString("version", "weft");
        xml.WriteAttributeString("timestamp", $"{DateTimeOffset.UtcNow.ToUnixTimeSeconds()}");
        xml.WriteStartElement("sources");
        xml.WriteElementString("source", options.Root);
        xml.WriteEndElement();
        xml.WriteStartElement("packages");
        foreach (var package in classes.GroupBy(c => Path.GetDirectoryName(c.Name) ?? "").OrderBy(p => p.Key, StringComparer.Ordinal)) WritePackage(xml, data, package.Key, [.. package], options);
    }

    private static ClassPart Read(CoverageData data, string path, string root)
    {
        var file = data.File(path);
        var lines = file.Lines.ToList();
        var branches = new Dictionary<int, Ratio>();
        foreach (var (line, whenTrue, whenFalse) in BranchTotals.Of(file))
            branches[line] = branches.GetValueOrDefault(line) + new Ratio(2, (whenTrue > 0 ? 1 : 0) + (whenFalse > 0 ? 1 : 0));
        // A branch without a line of code of its own, in what a macro became, has nowhere to be shown.
        foreach (var line in branches.Keys.Except(lines.Select(l => l.Line)).ToList()) branches.Remove(line);
        var covered = new Ratio(lines.Count, lines.Count(l => l.Count > 0));
        return new ClassPart(path, SourcePaths.Relative(root, path), covered, branches.Values.Aggregate(default(Ratio), (a, b) => a + b), lines, branches);
    }

    private static void WritePackage(XmlWriter xml, CoverageData data, string folder, List<ClassPart> classes, ExportOptions options)
    {
        xml.WriteStartElement("package");
        xml.WriteAttributeString("name", folder.Trim('/').Replace('/', '.'));
        WriteRates(xml, Sum(classes, c => c.Lines), Sum(classes, c => c.Branches));
        xml.WriteAttributeString("complexity", "0");
        xml.WriteStartElement("classes");
        foreach (var part in classes) WriteClass(xml, data, part, options);
        xml.WriteEndElement();
        xml.WriteEndElement();
    }

    private static void WriteClass(XmlWriter xml, CoverageData data, ClassPart part, ExportOptions options)
    {
        xml.WriteStartElement("class");
        xml.WriteAttributeString("name", Path.GetFileName(part.Name));
        xml.WriteAttributeString("filename", part.Name);
        WriteRates(xml, part.Lines, part.Branches);
        xml.WriteAttributeString("complexity", "0");
        xml.WriteStartElement("methods");
        if (!options.SummaryOnly && !options.SkipFunctions) foreach (var group in data.Groups(part.Path)) WriteMethod(xml, data, group);
        xml.WriteEndElement();
        xml.WriteStartElement("lines");
        if (!options.SummaryOnly) foreach (var line in part.LineCounts) WriteLine(xml, line.Line, line.Count, part.BranchesOfLines.GetValueOrDefault(line.Line));
        xml.WriteEndElement();
        xml.WriteEndElement();
    }

    private static void WriteMethod(XmlWriter xml, CoverageData data, InstantiationGroup group)
    {
        var summary = CoverageData.Summary(group);
        ulong calls = 0;
        foreach (var function in group.Functions) calls += function.Count;
        xml.WriteStartElement("method");
        xml.WriteAttributeString("name", SourcePaths.Printable(data.Demangled(group.Functions[0])));
        xml.WriteAttributeString("signature", "");
        WriteRates(xml, summary.Lines, summary.Branches);
        xml.WriteStartElement("lines");
        WriteLine(xml, group.Line, calls, default);
        xml.WriteEndElement();
        xml.WriteEndElement();
    }

    private static void WriteLine(XmlWriter xml, int number, ulong hits, Ratio branches)
    {
        xml.WriteStartElement("line");
        xml.WriteAttributeString("number", $"{number}");
        xml.WriteAttributeString("hits", $"{hits}");
        xml.WriteAttributeString("branch", branches.Count > 0 ? "true" : "false");
        if (branches.Count > 0) xml.WriteAttributeString("condition-coverage", $"{branches.Covered * 100 / branches.Count}% ({branches.Covered}/{branches.Count})");
        xml.WriteEndElement();
    }

    private static void WriteRates(XmlWriter xml, Ratio lines, Ratio branches)
    {
        xml.WriteAttributeString("line-rate", Rate(lines));
        xml.WriteAttributeString("branch-rate", Rate(branches));
    }

    private static string Rate(Ratio ratio) => (ratio.Percent / 100).ToString("0.####", CultureInfo.InvariantCulture);

    private static Ratio Sum(List<ClassPart> classes, Func<ClassPart, Ratio> part) => classes.Aggregate(default(Ratio), (sum, c) => sum + part(c));
}
