using System.Globalization;
using Weft.Core;
using Weft.Hotpatch.Patches;

namespace Weft.Cli.Commands.Hotpatch.Watch;

/// <summary>The loop: a file is saved, what depends on it is compiled, and the running program gets a patch as soon as one can be made.</summary>
/// <param name="source">The project.</param>
/// <param name="folder">For patches.</param>
/// <param name="program">What runs, as it was linked.</param>
/// <param name="keepState">See <see cref="PatchRequest"/>.</param>
internal sealed class WatchSession(IPatchSource source, string folder, string program, bool keepState)
{
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(2);

    private readonly List<string> applied = [];
    private readonly SourceWatch files = new();
    private int number;

    /// <summary>Looks at the files as they are now.</summary>
    public void Begin() => files.Follow(source.Sources);

    public void Run(LivePatches process, CancellationToken cancel)
    {
        while (files.Wait(cancel) is { } change)
        {
            try
            {
                Patch(process, change.Files, change.Saved);
            }
            catch (WeftException e)
            {
                if (cancel.IsCancellationRequested) return;
                Terminal.Error(e.Message, e.Help);
            }
            files.Follow(source.Sources);
        }
    }

    private void Patch(LivePatches process, IReadOnlyList<string> changed, DateTime saved)
    {
        var path = Path.Combine(folder, $"{++number}.patch");
        var request = new PatchRequest(program, path, Name(changed), keepState, applied);
        var build = Task.Run(() => source.Build(request, changed));
        while (!File.Exists(path) && !File.Exists(request.Refusal) && !build.IsCompleted) build.Wait(Glance);
        if (File.Exists(path)) Apply(process, path, saved);
        else if (File.Exists(request.Refusal)) Terminal.Warning($"{File.ReadAllText(request.Refusal)}\n         the program goes on as it is; start it again to have the change");
        var exit = build.GetAwaiter().GetResult();
        if (File.Exists(path) || File.Exists(request.Refusal)) return;
        if (exit != 0) Terminal.Note("the program goes on as it is");
        else Terminal.Status("Unchanged", "nothing of the program was linked anew");
    }

    private void Apply(LivePatches process, string path, DateTime saved)
    {
        var patch = AtomicFile.Read(path);
        if (patch.Length == 0)
        {
            Terminal.Status("Unchanged", "no function of the program differs");
            return;
        }
        var (order, functions, _) = process.Apply(patch);
        var took = DateTime.UtcNow - saved;
        applied.Add(path);
        Terminal.Status("Patched", string.Create(CultureInfo.InvariantCulture, $"{functions} function{(functions == 1 ? "" : "s")} {took.TotalSeconds:0.00} s after the file was saved: {Shortened(process.Functions(order))}"));
        Quiescence.TellWhoIsInside(process, [order]);
    }

    private static string Shortened(string[] names)
    {
        const int most = 6;
        return string.Join(", ", names.Take(most)) + (names.Length > most ? $" and {names.Length - most} more" : "");
    }

    private static string Name(IReadOnlyList<string> changed) => string.Create(CultureInfo.InvariantCulture, $"{string.Join("+", changed.Select(Path.GetFileName).Take(3))} {DateTime.Now:HH:mm:ss}");
}
