using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using Weft.Core;

namespace Weft.Syntax;

/// <summary>
/// Compiled parsers in Weft's cache folder, made at first use: npm fetches the package of C sources, whose digest must be
/// the one written here, and the C compiler makes a library of it. A library is whole or absent, so builds may do this at
/// the same time; the worst is that both compile.
/// </summary>
/// <param name="root">Weft's cache folder.</param>
public sealed class GrammarStore(string? root = null)
{
    private readonly string folder = Path.Combine(root ?? new LoweringCache().Root, "syntax");

    /// <summary>The library of a grammar.</summary>
    /// <exception cref="WeftException">It is not there, and npm, the network or the C compiler is missing.</exception>
    public string Library(Grammar grammar)
    {
        var path = Path.Combine(folder, $"{grammar.Package}-{grammar.Integrity[..8].Replace('/', '_')}.so");
        if (File.Exists(path)) return path;
        var work = Scratch();
        try
        {
            Extract(grammar, Fetch(grammar, work), work);
            var library = Path.Combine(work, "library.so");
            Compile(grammar, work, library);
            File.Move(library, path, overwrite: true);
            return path;
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    private string Scratch()
    {
        try
        {
            var work = Path.Combine(folder, $".making-{Environment.ProcessId}-{Guid.NewGuid():N}");
            Directory.CreateDirectory(work);
            return work;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot write to '{folder}': {e.Message}", "set XDG_CACHE_HOME to a folder that can be written", ExitCode.Failure, e);
        }
    }

    private static byte[] Fetch(Grammar grammar, string work)
    {
        const string help = "--coverage-regions own needs it once; the coverage regions of the front end itself need neither npm nor a network";
        if (ChildProcess.Find("npm") is not { } npm)
            throw new WeftException($"no npm to fetch the parser for {grammar.Name} with", $"apt-get install npm, or Node.js from elsewhere, which brings it; {help}");
        var result = ChildProcess.Capture(npm, ["pack", "--silent", grammar.Package], workingDirectory: work);
        if (result.ExitCode != 0 || Directory.GetFiles(work, "*.tgz") is not [var archive])
            throw new WeftException($"npm could not fetch {grammar.Package}: {FirstLine(result.Errors)}", $"check the network and npm's configuration ('npm ping'); {help}");
        var content = File.ReadAllBytes(archive);
        if (Convert.ToBase64String(SHA512.HashData(content)) != grammar.Integrity)
            throw new WeftException($"what npm fetched as {grammar.Package} is not what was published under that name", "check which registry npm is configured to use ('npm config get registry')");
        return content;
    }

    private static void Extract(Grammar grammar, byte[] archive, string work)
    {
        using var plain = new GZipStream(new MemoryStream(archive), CompressionMode.Decompress);
        using var tar = new TarReader(plain);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile)) continue;
            if (!entry.Name.StartsWith(grammar.SourceFolder, StringComparison.Ordinal) || entry.Name.Contains("..")) continue;
            if (!entry.Name.EndsWith(".c", StringComparison.Ordinal) && !entry.Name.EndsWith(".h", StringComparison.Ordinal)) continue;
            var target = Path.Combine(work, entry.Name[grammar.SourceFolder.Length..]);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            entry.ExtractToFile(target, overwrite: true);
        }
    }

    private static void Compile(Grammar grammar, string work, string library)
    {
        // A grammar is tables: optimising them takes ten times as long and gains nothing.
        string[] arguments = [grammar == Grammar.Core ? "-O2" : "-O0", "-std=c11", "-D_DEFAULT_SOURCE", "-w", "-shared", "-fPIC", .. grammar.IncludeFolders.Select(f => $"-I{f}"), .. grammar.Sources, "-o", library];
        var result = ChildProcess.Capture(Compiler(), arguments, workingDirectory: work);
        if (result.ExitCode != 0)
            throw new WeftException($"the C compiler did not accept {grammar.Package}: {FirstLine(result.Errors)}", "run with -v to see the command; set CC to another compiler");
    }

    private static string Compiler() =>
        Environment.GetEnvironmentVariable("CC") is { Length: > 0 } chosen ? chosen :
        ChildProcess.Find("cc") ?? ChildProcess.Find("clang-22") ?? ChildProcess.Find("clang") ??
        throw new WeftException("no C compiler to compile a parser with", "apt-get install gcc libc6-dev");

    private static string FirstLine(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).FirstOrDefault() ?? "it said nothing";
}
