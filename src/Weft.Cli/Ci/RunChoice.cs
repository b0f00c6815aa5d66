using Weft.Core;
using Weft.Toolchain;
using Weft.Toolchain.Cargo;

namespace Weft.Cli.Ci;

/// <summary>Which program is to run, chosen as <c>cargo run</c> chooses; and what cargo must be told so that it builds that one.</summary>
internal sealed record RunChoice(string Name, string Kind, IReadOnlyList<string> CargoArguments)
{
    public bool Matches(CargoArtifact artifact) => artifact.Executable != null && artifact.Name == Name && artifact.Kinds.Contains(Kind);

    /// <param name="bin">What <c>--bin</c> said.</param>
    /// <param name="cargoArguments">What goes to cargo; may choose as well.</param>
    public static RunChoice Of(string? bin, List<string> cargoArguments)
    {
        var example = new FlagReader([.. cargoArguments]).TakeValue("--example");
        if (example != null && bin != null) throw WeftException.Usage($"--bin {bin} and --example {example} at once", "give one of them");
        if (example != null) return new(example, "example", cargoArguments); // cargo tells if there is none
        var ofCargo = new FlagReader(cargoArguments).TakeValue("--bin");
        if (bin != null && ofCargo != null && bin != ofCargo) throw WeftException.Usage($"--bin {bin} and --bin {ofCargo} at once", "give one of them");
        var name = Choose(bin ?? ofCargo, CargoDoor.ReadProject(cargoArguments), Packages(cargoArguments));
        return new(name, "bin", [.. cargoArguments, "--bin", name]);
    }

    private static string Choose(string? bin, CargoProject project, List<string> asked)
    {
        var packages = project.Packages.Where(p => asked.Count > 0 ? asked.Any(a => Names(a, p)) : project.DefaultMembers.Contains(p.Id)).ToList();
        var all = packages.SelectMany(p => p.Targets.Where(t => t.Kinds.Contains("bin")).Select(t => (Package: p, t.Name))).ToList();
        if (all.Count == 0) throw NoBinary(asked, packages);
        var list = string.Join(", ", all.Select(b => b.Name).Distinct());
        if (bin == null && packages.Select(p => p.DefaultRun).Where(d => d != null).ToList() is [var byDefault]) bin = byDefault;
        var found = all.Where(b => bin == null || b.Name == bin).ToList();
        return found switch
        {
            [var one] => one.Name,
            [] => throw WeftException.Usage($"there is no binary '{bin}'", $"the binaries are {list}"),
            _ when bin != null => throw WeftException.Usage($"several packages have a binary '{bin}': {string.Join(", ", found.Select(f => f.Package.Name))}", $"choose a package: cargo-run-ci --bin {bin} -- -- -p {found[0].Package.Name}"),
            _ => throw WeftException.Usage($"there are several binaries: {list}", $"choose one: cargo-run-ci --bin {all[0].Name}; or name one as default-run in Cargo.toml"),
        };
    }

    private static WeftException NoBinary(List<string> asked, List<CargoPackage> packages) => asked.Count > 0 && packages.Count == 0
        ? WeftException.Usage($"the workspace has no package {string.Join(", ", asked.Select(a => $"'{a}'"))}", "'cargo metadata --no-deps' lists those it has")
        : new WeftException($"there is no binary to run in {string.Join(", ", packages.Select(p => p.Name))}", "add one (src/main.rs or src/bin/NAME.rs), or choose a package that has one: cargo-run-ci -- -- -p PACKAGE");

    private static List<string> Packages(List<string> arguments)
    {
        var found = new List<string>();
        for (var i = 0; i < arguments.Count; i++)
            if (arguments[i] is "-p" or "--package" && i + 1 < arguments.Count) found.Add(arguments[++i]);
            else if (arguments[i].StartsWith("--package=", StringComparison.Ordinal)) found.Add(arguments[i]["--package=".Length..]);
            else if (arguments[i].StartsWith("-p", StringComparison.Ordinal)) found.Add(arguments[i][2..].TrimStart('='));
        return found;
    }

    // "app", "app@0.1.0", "app:0.1.0", or a URL with one of them behind '#' or at its end.
    private static bool Names(string specification, CargoPackage package)
    {
        if (specification == package.Id) return true;
        var name = specification[(specification.IndexOf('#') + 1)..];
        if (name.Contains("://")) name = name[(name.LastIndexOf('/') + 1)..];
        return name.Split('@', ':')[0] == package.Name;
    }
}
