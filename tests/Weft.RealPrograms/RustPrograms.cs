using System.Text.RegularExpressions;

namespace Weft.RealPrograms;

/// <summary>Rust programs as Debian has them: the folder of each, ready for cargo with --offline.</summary>
public static partial class RustPrograms
{
    public static string Ripgrep()
    {
        DebianSource.Install(Crates("bstr clap-2 grep ignore lazy-static log num-cpus regex serde-json termcolor serde-derive walkdir"));
        var folder = DebianSource.Unpack("rust-ripgrep");
        DebianSource.UseDebianCrates(folder);
        Edit(folder, "Cargo.toml", text => string.Join('\n', text.Split('\n').Where(l => !l.StartsWith("simd-accel", StringComparison.Ordinal)))); // Debian's grep lacks the feature
        return folder;
    }

    /// <summary>Threads, and a release profile with fat link-time optimisation.</summary>
    public static string Fd()
    {
        DebianSource.Install(Crates("anyhow argmax atty chrono clap clap-complete crossbeam-channel ctrlc dirs-next faccess globset humantime ignore libc lscolors nix normpath nu-ansi-term num-cpus once-cell regex users version-check diff filetime tempfile test-case"));
        var folder = DebianSource.Unpack("rust-fd-find");
        DebianSource.UseDebianCrates(folder);
        foreach (var file in (string[])["src/cli.rs", "src/main.rs"]) Edit(folder, file, text => text.Replace("\"fdfind\"", "\"fd\"")); // Debian's rename breaks a test of the name
        return folder;
    }

    /// <summary>Generics throughout, unsafe code, and tests that run on rayon's threads.</summary>
    public static string Hashbrown()
    {
        DebianSource.Install(Crates("hashbrown doc-comment fnv lazy-static rand rayon serde-test"));
        return DebianSource.UnpackCrate("hashbrown");
    }

    /// <summary>An async runtime: tasks on a pool of threads, timers, sockets, child processes, signals, and 116 test programs.</summary>
    public static string Tokio()
    {
        DebianSource.Install(Crates("tokio tokio-test tokio-stream tempfile async-stream futures rand nix"));
        var folder = DebianSource.UnpackCrate("tokio");
        // Debian lacks some crates that only tokio's unit tests need, and has a newer nix; its helper crates must test this tokio.
        Edit(folder, "Cargo.toml", text => text.Contains("[patch.crates-io]") ? text : WithoutMissing().Replace(text, "").Replace("dev-dependencies.nix]\nversion = \"0.24\"", "dev-dependencies.nix]\nversion = \"0.26\"") + "\n[patch.crates-io]\ntokio = { path = \".\" }\n");
        File.Delete(Path.Combine(folder, "tests/macros_rename_test.rs")); // needs a newer tokio-macros
        return folder;
    }

    [GeneratedRegex(@"^\[[^\n]*dev-dependencies\.(?:mockall|loom|wasm-bindgen-test|mio-aio|ntapi|proptest)\]\n.*?(?=^\[|\z)", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex WithoutMissing();

    /// <summary>165 MB of text, the same on every machine, to search in.</summary>
    public static string Corpus() => DebianSource.Unpack("sqlite3");

    private static string[] Crates(string names) => [.. names.Split(' ').Select(n => $"librust-{n}-dev")];

    private static void Edit(string folder, string file, Func<string, string> edit)
    {
        var path = Path.Combine(folder, file);
        File.WriteAllText(path, edit(File.ReadAllText(path)));
    }
}
