using System.Globalization;
using Weft.Core;
using Weft.Hotpatch.Patches;

namespace Weft.Cli.Commands.Hotpatch.Watch;

/// <summary>The loop: a file is saved, what depends on it is compiled, and the running program gets a patch as soon as one can be made.</summary>
/// <param name="source">The project.</param>
/// <param name="program">What runs, as it was linked.</param>
/// <param name="keepState">See <see cref="PatchMaker"/>.</param>
internal sealed class WatchSession(IPatchSource source, string program, bool keepState)
{
    private readonly SourceWatch files = new();
    private readonly Task<PatchMaker> maker = Task.Run(() => Prepare(source, program, keepState));

    /// <summary>Looks at the files as they are now.</summary>
    public void Begin() => files.Follow(source.Sources);

    public void Run(LivePatches process, CancellationToken cancel)
    {
        while (files.Wait(cancel) is { } change)
        {
            try
            {
                Build(process, change.Files, change.Saved, cancel);
            }
            catch (WeftException e)
            {
                if (cancel.IsCancellationRequested) return;
                Terminal.Error(e.Message, e.Help);
            }
            files.Follow(source.Sources);
        }
    }

    // There is time for it until something is saved.
    private static PatchMaker Prepare(IPatchSource source, string program, bool keepState)
    {
        var made = new PatchMaker(program) { KeepState = keepState };
        made.Prepare(source.Inputs);
        return made;
    }

    private void Build(LivePatches process, IReadOnlyList<string> changed, DateTime saved, CancellationToken cancel)
    {
        var isLinked = false;
        var exit = source.Build(changed, (inputs, toolchain) =>
        {
            isLinked = true;
            TryPatch(process, Name(changed), inputs, toolchain, saved, cancel);
        });
        if (isLinked) return;
        if (exit != 0) Terminal.Note("the program goes on as it is");
        else Terminal.Status("Unchanged", "nothing of the program was linked anew");
    }

    private void TryPatch(LivePatches process, string name, IReadOnlyList<LinkInput> inputs, IReadOnlyList<string> toolchain, DateTime saved, CancellationToken cancel)
    {
        try
        {
            var patch = maker.GetAwaiter().GetResult().Make(name, inputs, toolchain);
            if (patch.File == null) Terminal.Status("Unchanged", "no function of the program differs");
            else Apply(process, patch.File, name, saved);
        }
        catch (WeftException e)
        {
            if (!cancel.IsCancellationRequested) Terminal.Warning($"{e.Message}\n         the program goes on as it is; start it again to have the change");
        }
    }

    private void Apply(LivePatches process, byte[] patch, string name, DateTime saved)
    {
        var (order, functions, _) = process.Apply(patch);
        var took = DateTime.UtcNow - saved;
        maker.Result.Count(patch, name);
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
