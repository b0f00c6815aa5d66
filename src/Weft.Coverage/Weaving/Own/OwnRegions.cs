using Weft.Core;
using Weft.Coverage.Regions.Placement;
using Weft.Llvm;

namespace Weft.Coverage.Weaving.Own;

/// <summary>
/// Weaves coverage into code that no front end counted: regions come from the source, what they count from the IR, and both
/// are written as the front end would have. What follows is the same for both: see <see cref="FrontEndCounters"/>.
/// </summary>
internal sealed class OwnRegions
{
    private readonly Module module;
    private readonly SourceReader source;
    private readonly ModuleFiles files;
    private readonly MapWriter map;

    private OwnRegions(Module module, SourceContext context, Func<string, bool> isCovered)
    {
        this.module = module;
        files = new ModuleFiles(context.Folder);
        source = new SourceReader(context, files, isCovered, module.Context);
        map = new MapWriter(module, context.Folder);
    }

    /// <param name="module">As the front end wrote it, with debug locations.</param>
    /// <param name="context">What is known of its source.</param>
    /// <param name="isCovered">Whether a file of Rust, by its path, is to be counted.</param>
    public static void Weave(Module module, SourceContext context, Func<string, bool> isCovered) => new OwnRegions(module, context, isCovered).Run();

    private void Run()
    {
        using var builder = new Builder(module.Context);
        var counters = new CounterWriter(module, builder);
        var weights = new BranchWeights(module.Context);
        foreach (var function in module.Functions)
        {
            if (!IsCounted(function)) continue;
            var located = new LocatedFunction(function, files, weights);
            var sites = new Sites();
            if (source.Regions(located, sites) is not { Regions.Count: > 0 } regions) continue;
            var plan = new CounterPlan(located, sites);
            regions = regions with { Regions = [.. regions.Regions.Select(r => r with { Count = r.Count.Replace(plan.CountOf), FalseCount = r.FalseCount?.Replace(plan.CountOf) })] };
            var name = source.ProfileName(module, function);
            var hash = map.Add(name, regions, plan.Counters.Count);
            counters.Write(located, plan, map.AddName(name, function.Linkage).AsValue, hash);
        }
        foreach (var (name, regions) in source.Unused(module)) map.AddUnused(name, regions);
        map.Finish();
    }

    private static bool IsCounted(Function function) =>
        !function.IsDeclaration && function.Linkage != Linkage.AvailableExternally && function.Subprogram != 0 && !function.HasAttribute("noprofile"u8) && !function.HasAttribute("naked"u8);
}
