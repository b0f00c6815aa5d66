using System.Text;
using System.Text.Json;
using Weft.Core;

namespace Weft.Cli.Commands.Hotpatch.Watch;

/// <summary>One line of a compilation database.</summary>
/// <param name="Folder">Where the command runs.</param>
/// <param name="Source">The source file.</param>
/// <param name="Words">The command.</param>
/// <param name="Output">The object that it makes.</param>
internal sealed record CompileCommand(string Folder, string Source, IReadOnlyList<string> Words, string Output)
{
    /// <summary>Whether it goes by way of Weft already.</summary>
    public bool IsWeft => Compiler is "weft" or "weft-cc" or "weft-c++";

    /// <summary>Without its folder.</summary>
    public string Compiler => Path.GetFileName(Words[0]);

    public bool IsCpp => Compiler.Contains("++", StringComparison.Ordinal);
}

/// <summary>Reads <c>compile_commands.json</c>, as CMake, Ninja, Meson, Bazel and Bear write it (clang.llvm.org/docs/JSONCompilationDatabase.html).</summary>
internal static class CompileCommands
{
    public const string FileName = "compile_commands.json";

    /// <exception cref="WeftException">There is none, or it cannot be understood.</exception>
    public static List<CompileCommand> Read(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(AtomicFile.Read(path));
            return [.. document.RootElement.EnumerateArray().Select(Read).OfType<CompileCommand>()];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new WeftException($"'{path}' is no compilation database: {e.Message}", "have the build system write it anew", ExitCode.Failure, e);
        }
    }

    // What makes no object, as a check of syntax, is left out.
    private static CompileCommand? Read(JsonElement entry)
    {
        var folder = entry.GetProperty("directory").GetString()!;
        var words = entry.TryGetProperty("arguments", out var list) ? [.. list.EnumerateArray().Select(w => w.GetString()!)] : Split(entry.GetProperty("command").GetString()!);
        var output = entry.TryGetProperty("output", out var named) ? named.GetString() : OutputOf(words);
        var source = Path.GetFullPath(entry.GetProperty("file").GetString()!, folder);
        if (words.Count == 0 || !words.Contains("-c")) return null;
        return new CompileCommand(folder, source, words, Path.GetFullPath(output ?? Path.ChangeExtension(Path.GetFileName(source), ".o"), folder));
    }

    private static string? OutputOf(List<string> words)
    {
        var at = words.LastIndexOf("-o");
        if (at >= 0 && at + 1 < words.Count) return words[at + 1];
        return words.LastOrDefault(w => w.StartsWith("-o", StringComparison.Ordinal) && w.Length > 2)?[2..];
    }

    /// <summary>A command as shells read it: quotes of both kinds and backslashes, and nothing else.</summary>
    public static List<string> Split(string command)
    {
        var words = new List<string>();
        StringBuilder? word = null;
        var quote = '\0';
        for (var i = 0; i < command.Length; i++)
        {
            var next = command[i];
            if (next == '\\' && quote != '\'' && i + 1 < command.Length) (word ??= new()).Append(command[++i]);
            else if (quote != 0 && next == quote) quote = '\0';
            else if (quote == 0 && next is '"' or '\'')
            {
                quote = next;
                word ??= new();
            }
            else if (quote != 0 || !char.IsWhiteSpace(next)) (word ??= new()).Append(next);
            else if (word != null)
            {
                words.Add(word.ToString());
                word = null;
            }
        }
        if (word != null) words.Add(word.ToString());
        return words;
    }
}
