using System.Globalization;

namespace Weft.Metering.Export;

/// <summary>A part of a report as comma-separated values: functions, or else lines, or else threads.</summary>
public static class CsvReport
{
    public static void Write(TextWriter output, ReportView view, ReportOptions options)
    {
        if (options.Functions) WriteFunctions(output, view, options.Top);
        else if (options.Lines) WriteLines(output, view, options.Top);
        else WriteThreads(output, view.Report, options.Top);
    }

    private static void WriteFunctions(TextWriter output, ReportView view, int top)
    {
        output.Write(view.HasCalls ? "function,symbol,module,units,inclusive,calls\n" : "function,symbol,module,units\n");
        foreach (var function in view.Ranked.Take(top))
        {
            Row(output, function.Name, function.Of.Name, function.Of.Module, function.Self);
            if (view.HasCalls) output.Write($",{function.Inclusive},{function.Calls}");
            output.Write("\n");
        }
    }

    private static void WriteLines(TextWriter output, ReportView view, int top)
    {
        output.Write("file,line,function,symbol,units\n");
        foreach (var line in view.Report.Lines.OrderByDescending(l => l.Units).ThenBy(l => l.File, StringComparer.Ordinal).ThenBy(l => l.Line).Take(top))
        {
            Row(output, line.File, line.Line, view.Name(line.Function), view.Report.Functions[line.Function].Name, line.Units);
            output.Write("\n");
        }
    }

    private static void WriteThreads(TextWriter output, MeteringReport report, int top)
    {
        output.Write("thread,name,units,ended\n");
        foreach (var thread in report.Threads.OrderByDescending(t => t.Units).Take(top))
        {
            Row(output, thread.Index, thread.Name, thread.Units, thread.Ended ? "true" : "false");
            output.Write("\n");
        }
    }

    private static void Row(TextWriter output, params IEnumerable<object> cells) =>
        output.Write(string.Join(',', cells.Select(c => Quote(Convert.ToString(c, CultureInfo.InvariantCulture)!))));

    private static string Quote(string text) => text.AsSpan().IndexOfAny(",\"\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"")}\"";
}
