namespace Weft.Tests;

/// <summary>Settings under which a real program has most of an instrument: every function traced, and everything that runs, the build's own tools too, recording.</summary>
internal static class Everything
{
    public static IReadOnlyDictionary<string, string?> Of(string instrument)
    {
        var on = instrument == "tracing";
        return new Dictionary<string, string?>
        {
            ["WEFT_TRACING_THRESHOLD"] = on ? "1" : null,
            ["WEFT_TRACING"] = on ? "on" : null,
            ["WEFT_TRACING_RING"] = on ? "128K" : null, // the tests start thousands of processes
            ["WEFT_TRACING_FILE"] = on ? Folder() + "/%n.%p.weft-trace" : null,
            ["WEFT_OUT"] = instrument.Contains("coverage") ? Folder() : null, // programs search the folders they run in
        };
    }

    // Some of the tests run as another user than the tools of the build before them.
    private static string Folder()
    {
        var folder = Path.Combine(Path.GetTempPath(), $"weft-everything-{Environment.ProcessId}");
        Directory.CreateDirectory(Path.Combine(folder, "coverage"));
        foreach (var name in (string[])["", "coverage"]) File.SetUnixFileMode(Path.Combine(folder, name), (UnixFileMode)0b111_111_111);
        return folder;
    }
}
