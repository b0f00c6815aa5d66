using System.Text.Json;

namespace Weft.Metering.Export;

/// <summary>The report again, with names demangled and the most expensive first.</summary>
public static class JsonReport
{
    public static void Write(Stream output, ReportView view, ReportOptions options)
    {
        var report = view.Report;
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("format", MeteringReport.Format);
        json.WriteNumber("version", MeteringReport.Version);
        json.WriteString("program", report.Program);
        json.WriteNumber("pid", report.Pid);
        json.WriteString("costs", report.Costs);
        json.WriteNumber("total", report.Total);
        if (report.Stopped is { } limit)
        {
            json.WriteStartObject("stopped");
            json.WriteString("scope", limit.Scope);
            json.WriteNumber("limit", limit.Units);
            json.WriteEndObject();
        }
        if (options.Threads) Array(json, "threads", report.Threads.OrderByDescending(t => t.Units).Take(options.Top), WriteThread);
        if (options.Functions) Array(json, "functions", view.Ranked.Take(options.Top), (to, function) => WriteFunction(to, function, view.HasCalls));
        // These name functions by their places in the list.
        if (options.Functions && options.Lines && options.Top >= view.Functions.Count) WriteDetails(json, view);
        json.WriteEndObject();
    }

    private static void WriteThread(Utf8JsonWriter json, MeteredThread thread)
    {
        json.WriteNumber("index", thread.Index);
        json.WriteString("name", thread.Name);
        json.WriteNumber("units", thread.Units);
        json.WriteBoolean("ended", thread.Ended);
    }

    private static void WriteFunction(Utf8JsonWriter json, FunctionFigures function, bool hasCalls)
    {
        json.WriteString("name", function.Of.Name);
        json.WriteString("demangled", function.Name);
        json.WriteString("module", function.Of.Module);
        json.WriteNumber("units", function.Self);
        if (hasCalls)
        {
            json.WriteNumber("inclusive", function.Inclusive);
            json.WriteNumber("calls", function.Calls);
        }
        if (function.Of.File.Length > 0)
        {
            json.WriteString("file", function.Of.File);
            json.WriteNumber("line", function.Of.Line);
        }
    }

    private static void WriteDetails(Utf8JsonWriter json, ReportView view)
    {
        var places = new int[view.Functions.Count];
        foreach (var (place, function) in view.Ranked.Index()) places[function.Index] = place;
        Array(json, "lines", view.Report.Lines, (to, line) =>
        {
            to.WriteNumber("function", places[line.Function]);
            to.WriteString("file", line.File);
            to.WriteNumber("line", line.Line);
            to.WriteNumber("units", line.Units);
        });
        Array(json, "contexts", view.Report.Contexts, (to, context) =>
        {
            to.WriteNumber("calls", context.Calls);
            to.WriteNumber("units", context.Units);
            if (context.Function >= 0) to.WriteNumber("function", places[context.Function]);
            if (context.Parent >= 0) to.WriteNumber("parent", context.Parent);
            if (context.Line > 0) to.WriteNumber("line", context.Line);
        });
    }

    private static void Array<T>(Utf8JsonWriter json, string name, IEnumerable<T> items, Action<Utf8JsonWriter, T> write)
    {
        json.WriteStartArray(name);
        foreach (var item in items)
        {
            json.WriteStartObject();
            write(json, item);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
