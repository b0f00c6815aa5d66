using Weft.Core;
using Weft.Coverage.PerTest;
using Weft.Coverage.Sources;

namespace Weft.Cli.Commands.Coverage;

/// <summary>The maps of tests that a command is of.</summary>
internal static class TestMaps
{
    /// <summary>Where programs built for coverage leave what belongs together.</summary>
    public static string Folder => Path.Combine(Environment.GetEnvironmentVariable("WEFT_OUT") is { Length: > 0 } wish ? wish : "weft-out", "coverage");

    /// <param name="paths">None for the default.</param>
    /// <param name="sources">Where sources are now.</param>
    public static TestMap Read(IReadOnlyList<string> paths, PathEquivalence sources)
    {
        var usual = Path.Combine(Folder, TestStore.MapName);
        if (paths.Count == 0 && !File.Exists(usual)) throw WeftException.Usage($"which tests? there is no '{usual}'", "make one: weft cargo test --with coverage --coverage-per-test, or weft coverage record-test NAME -- COMMAND; or name another with --map FILE");
        var all = new TestMapBuilder();
        foreach (var path in paths.Count > 0 ? paths : [usual]) all.Add(TestMapFile.Read(path).With(sources));
        return all.Build();
    }
}
