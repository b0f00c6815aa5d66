using System.CommandLine;
using Weft.Core;

namespace Weft.Cli.Commands;

internal static class InstallCommand
{
    private static readonly (string Shell, string Path)[] Completions =
    [
        ("bash", "share/bash-completion/completions/weft"),
        ("zsh", "share/zsh/site-functions/_weft"),
        ("fish", "share/fish/vendor_completions.d/weft.fish"),
    ];

    public static Command Create()
    {
        var prefix = Prefix();
        var command = new Command("install", "Put weft, its cargo commands, weft-cc and weft-c++ on PATH, with completions and C headers.") { prefix };
        command.SetAction(parsed => Install(FullPath(parsed.GetValue(prefix))));
        return command;
    }

    public static Command CreateUninstall()
    {
        var prefix = Prefix();
        var command = new Command("uninstall", "Remove what 'weft install' put in place; the cache stays (weft cache clear).") { prefix };
        command.SetAction(parsed => Uninstall(FullPath(parsed.GetValue(prefix))));
        return command;
    }

    private static Option<string> Prefix() => new("--prefix") { HelpName = "DIR", Description = "Folder that has or gets bin, lib, include and share [default: ~/.local]" };

    private static IEnumerable<string> Names => Roles.PublicNames.Prepend("weft");

    private static void Install(string prefix)
    {
        var library = Path.Combine(prefix, "lib/weft");
        var source = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
        if (source == library) throw WeftException.Usage($"this is the Weft installed in '{prefix}'", "run install from another copy, or choose another --prefix");
        Try(prefix, () =>
        {
            Replace(library, staging => Copy(source, staging));
            var headers = Path.Combine(source, "runtime/include/weft");
            if (Directory.Exists(headers)) Replace(Path.Combine(prefix, "include/weft"), staging => Copy(headers, staging));
            foreach (var name in Names) Link(Path.Combine(prefix, "bin", name), "../lib/weft/weft");
            foreach (var (shell, path) in Completions)
            {
                var file = Path.Combine(prefix, path);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                File.WriteAllText(file, CompletionsCommand.Script(shell));
            }
        });
        Terminal.Status("Installed", $"{string.Join(", ", Names)} in {Path.Combine(prefix, "bin")}");
        var bin = Path.Combine(prefix, "bin");
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Contains(bin)) Terminal.Note($"{bin} is not on PATH; add it with: export PATH={Terminal.ShellQuote(bin)}:$PATH");
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root && !StandardDotnet()) Terminal.Note($"weft finds .NET by DOTNET_ROOT only: keep DOTNET_ROOT={root} in the environment");
    }

    private static void Uninstall(string prefix)
    {
        var library = Path.Combine(prefix, "lib/weft");
        if (!File.Exists(Path.Combine(library, "weft.dll"))) throw new WeftException($"there is no Weft in '{prefix}'", "give the --prefix it was installed with");
        Try(prefix, () =>
        {
            foreach (var name in Names)
                if (Path.Combine(prefix, "bin", name) is var link && new FileInfo(link).LinkTarget == "../lib/weft/weft")
                    File.Delete(link);
            foreach (var (_, path) in Completions) File.Delete(Path.Combine(prefix, path));
            if (Directory.Exists(Path.Combine(prefix, "include/weft"))) Directory.Delete(Path.Combine(prefix, "include/weft"), recursive: true);
            Directory.Delete(library, recursive: true);
        });
        Terminal.Status("Removed", $"Weft from {prefix}");
    }

    private static string FullPath(string? prefix) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(
        prefix ?? Path.Combine(Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home ? home : throw WeftException.Usage("HOME is not set", "give --prefix DIR"), ".local")));

    /// <summary>Makes a folder beside its place and moves it there, so that a full disk leaves the old one.</summary>
    private static void Replace(string folder, Action<string> fill)
    {
        var staging = $"{folder}.new-{Environment.ProcessId}";
        try
        {
            Directory.CreateDirectory(staging);
            fill(staging);
            if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
            Directory.Move(staging, folder);
        }
        finally
        {
            if (Directory.Exists(staging)) Directory.Delete(staging, recursive: true);
        }
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var entry in new DirectoryInfo(from).EnumerateFileSystemInfos())
        {
            var target = Path.Combine(to, entry.Name);
            if (entry.LinkTarget is { } link) File.CreateSymbolicLink(target, link);
            else if (entry is DirectoryInfo) Copy(entry.FullName, target);
            else File.Copy(entry.FullName, target);
        }
    }

    private static void Link(string path, string target)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var temporary = $"{path}.new-{Environment.ProcessId}";
        File.CreateSymbolicLink(temporary, target);
        File.Move(temporary, path, overwrite: true);
    }

    private static bool StandardDotnet() => Directory.Exists("/usr/share/dotnet") || Directory.Exists("/usr/lib/dotnet") || File.Exists("/etc/dotnet/install_location");

    private static void Try(string prefix, Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new WeftException($"cannot write below '{prefix}': {e.Message}", "choose a folder of your own with --prefix DIR, or run as a user who may write there", ExitCode.Failure, e);
        }
    }
}
