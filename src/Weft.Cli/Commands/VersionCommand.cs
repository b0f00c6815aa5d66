using System.Reflection;
using Weft.Toolchain;

namespace Weft.Cli.Commands;

internal static class VersionCommand
{
    public static string Version => typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    public static int Run()
    {
        Console.Out.Write($"weft {Version}\n");
        foreach (var (path, major) in LlvmLocator.Installed()) Console.Out.Write($"LLVM {major}: {path}\n");
        return 0;
    }
}
