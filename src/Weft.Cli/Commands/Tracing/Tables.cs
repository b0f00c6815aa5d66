using System.Globalization;
using System.Text.Json;

namespace Weft.Cli.Commands.Tracing;

/// <summary>A column of what a command prints.</summary>
/// <param name="Title">At its head in a table; empty if it is in none.</param>
/// <param name="Name">In CSV and JSON; empty if it is in neither.</param>
/// <param name="Shown">A cell as people read it.</param>
/// <param name="Value">A cell as programs do: a number, text, or null.</param>
/// <param name="IsText">Text is at the left in a table, other things at the right.</param>
internal sealed record Column<T>(string Title, string Name, Func<T, string> Shown, Func<T, object?> Value, bool IsText = false);

/// <summary>Rows as a table, as CSV and as JSON.</summary>
internal static class Tables
{
    public static void Write<T>(TextWriter output, IReadOnlyList<Column<T>> columns, IReadOnlyList<T> rows)
    {
        var shown = columns.Where(c => c.Title.Length > 0).ToList();
        var cells = rows.Select(r => shown.Select(c => c.Shown(r)).ToArray()).ToList();
        var widths = shown.Select((c, i) => cells.Select(r => r[i].Length).Append(c.Title.Length).Max()).ToArray();
        Line(output, shown.Select(c => c.Title).ToArray());
        foreach (var row in cells) Line(output, row);

        void Line(TextWriter to, string[] row) => to.Write(string.Join("  ", row.Select((text, i) => shown[i].IsText ? text.PadRight(widths[i]) : text.PadLeft(widths[i]))).TrimEnd() + "\n");
    }

    public static void WriteCsv<T>(TextWriter output, IReadOnlyList<Column<T>> columns, IEnumerable<T> rows)
    {
        output.Write(string.Join(',', columns.Where(c => c.Name.Length > 0).Select(c => c.Name)) + "\n");
        foreach (var row in rows) output.Write(string.Join(',', columns.Where(c => c.Name.Length > 0).Select(c => Quote(Convert.ToString(c.Value(row), CultureInfo.InvariantCulture) ?? ""))) + "\n");
    }

    /// <summary>An array with an object for every row.</summary>
    public static void WriteJson<T>(Utf8JsonWriter json, string name, IReadOnlyList<Column<T>> columns, IEnumerable<T> rows)
    {
        json.WriteStartArray(name);
        foreach (var row in rows)
        {
            json.WriteStartObject();
            foreach (var column in columns.Where(c => c.Name.Length > 0)) WriteValue(json, column.Name, column.Value(row));
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>A document that says what it is, as every JSON that Weft writes.</summary>
    public static void WriteDocument(Stream output, string format, Action<Utf8JsonWriter> write)
    {
        using (var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("format", format);
            json.WriteNumber("version", 1);
            write(json);
            json.WriteEndObject();
        }
        output.Write("\n"u8);
    }

    private static void WriteValue(Utf8JsonWriter json, string name, object? value)
    {
        if (value is long number) json.WriteNumber(name, number);
        else if (value is int small) json.WriteNumber(name, small);
        else if (value is ulong large) json.WriteNumber(name, large);
        else if (value is decimal exact) json.WriteNumber(name, exact);
        else json.WriteString(name, value as string);
    }

    private static string Quote(string text) => text.AsSpan().IndexOfAny(",\"\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"")}\"";
}
