using System.CommandLine;
using System.Text.Json;

namespace Weft.Cli.Commands.Hotpatch;

/// <summary><c>weft hotpatch list</c>: what has been applied to a running program.</summary>
internal static class ListCommand
{
    public static Command Create()
    {
        var who = LivePatches.ProcessOption();
        var functions = new Option<bool>("--functions") { Description = "Also list the functions that each patch replaces" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        var command = new Command("list", "List the patches of a running program.") { who, functions, json };
        command.SetAction(parsed =>
        {
            using var process = LivePatches.Attach(parsed.GetRequiredValue(who));
            var patches = process.List().Select(p => (p, parsed.GetValue(functions) ? process.Functions(p.Number) : null)).ToList();
            if (parsed.GetValue(json)) WriteJson(patches);
            else Write(patches);
            return 0;
        });
        return command;
    }

    private static void Write(List<(LivePatch Patch, string[]? Functions)> patches)
    {
        foreach (var (patch, functions) in patches)
        {
            Console.WriteLine($"{patch.Number,4}  {StateOf(patch),-8}  {patch.Functions,5} function{(patch.Functions == 1 ? " " : "s")}  {LivePatches.Microseconds(patch.Nanoseconds),12}  {patch.Id[..12]}  {patch.Name}");
            foreach (var name in functions ?? []) Console.WriteLine($"      {name}");
        }
    }

    private static void WriteJson(List<(LivePatch Patch, string[]? Functions)> patches)
    {
        using var output = Console.OpenStandardOutput();
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true });
        json.WriteStartArray();
        foreach (var (patch, functions) in patches)
        {
            json.WriteStartObject();
            json.WriteNumber("number"u8, patch.Number);
            json.WriteString("state"u8, StateOf(patch));
            json.WriteString("name"u8, patch.Name);
            json.WriteString("id"u8, patch.Id);
            json.WriteNumber("functionCount"u8, patch.Functions);
            json.WriteNumber("switchNanoseconds"u8, patch.Nanoseconds);
            WriteFunctions(json, functions);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.Flush();
        output.WriteByte((byte)'\n');
    }

    private static void WriteFunctions(Utf8JsonWriter json, string[]? functions)
    {
        if (functions == null) return;
        json.WriteStartArray("functions"u8);
        foreach (var name in functions) json.WriteStringValue(name);
        json.WriteEndArray();
    }

    private static string StateOf(LivePatch patch) => patch.State switch { PatchState.Applied => "applied", PatchState.Unloaded => "unloaded", _ => "reverted" };
}
