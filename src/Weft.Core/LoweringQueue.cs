using System.Runtime.ExceptionServices;
using System.Text;
using Weft.Llvm;

namespace Weft.Core;

/// <summary>
/// Lowers many modules at once: a worker per core, one LLVM context each, and no more memory than the machine has to
/// spare. Looks into the cache first.
/// </summary>
public sealed class LoweringQueue(LoweringSettings settings, Weaving weaving, LoweringCache cache, string? reproFolder = null)
{
    // Peak of reading, optimising and emitting one module, as a multiple of its bitcode; measured, see docs/performance.md.
    private const long MemoryPerBitcodeByte = 80;

    private readonly Lowering lowering = new(settings, weaving);

    public Timings Timings { get; } = new();

    /// <summary>How many results came from the cache.</summary>
    public int Hits => hits;

    private int hits;

    /// <summary>Object code for each input, in order.</summary>
    public byte[][] LowerAll(IReadOnlyList<LoweringInput> inputs)
    {
        if (inputs.Count == 1) return [LowerOne(inputs[0])]; // most crates; starting the thread pool costs a small one more than its lowering
        var results = new byte[inputs.Count][];
        var budget = new MemoryBudget(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2);
        var done = 0;
        // Largest first: the longest job must not start last.
        var order = Enumerable.Range(0, inputs.Count).OrderByDescending(i => inputs[i].Bitcode.Length).ToArray();
        try
        {
            Parallel.ForEach(order, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
            {
                using (budget.Reserve(inputs[i].Bitcode.Length * MemoryPerBitcodeByte)) results[i] = LowerOne(inputs[i]);
                Terminal.Progress($"{"Lowering".PadLeft(12)} {Interlocked.Increment(ref done)}/{inputs.Count} {inputs[i].Name}");
            });
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions.OfType<WeftException>().FirstOrDefault() ?? e.InnerExceptions[0]);
        }
        finally
        {
            Terminal.Progress("");
        }
        return results;
    }

    public byte[] LowerOne(LoweringInput input)
    {
        var woven = input.Weave ? weaving : Weaving.None;
        return Cached(input.Bitcode, $"lower;{woven.Fingerprint};{Circumstances(input)}", () => lowering.Lower(input, Timings), () => SaveRepro(input));
    }

    /// <summary>See <see cref="Lowering.LowerMerged"/>; cached by the contents of all inputs.</summary>
    public byte[] LowerMerged(IReadOnlyList<LoweringInput> inputs, IReadOnlySet<string> keep)
    {
        var all = new byte[inputs.Sum(i => (long)i.Bitcode.Length)];
        var at = 0;
        foreach (var input in inputs)
        {
            input.Bitcode.CopyTo(all, at);
            at += input.Bitcode.Length;
        }
        var circumstances = $"lto;{weaving.Fingerprint};{string.Join(',', inputs.Select(i => $"{i.Bitcode.Length}{i.Weave}{i.Optimised}{Circumstances(i)}"))};{string.Join(';', keep.Order(StringComparer.Ordinal))}";
        return Cached(all, circumstances, () => lowering.LowerMerged(inputs, keep, Timings), () => inputs.ToList().ForEach(SaveRepro));
    }

    /// <summary>Runs one weaving stage over bitcode that the front end will finish; see <see cref="Lowering.Weave"/>.</summary>
    public byte[] Weave(LoweringInput input, Stage stage, bool isLast) =>
        weaving.WantsStage(stage) ? Cached(input.Bitcode, $"{stage}{isLast};{weaving.Fingerprint};{Circumstances(input)}", () => lowering.Weave(input, stage, isLast, Timings), () => SaveRepro(input)) : input.Bitcode;

    // What is allowed to one file is not to another with the same content.
    private string Circumstances(LoweringInput input) => weaving.Deny == null ? $"{input.Source?.Fingerprint}" : $"{input.Source?.Fingerprint};{input.IsToolchain}{input.Name}";

    private byte[] Cached(byte[] content, string circumstances, Func<byte[]> make, Action saveRepro)
    {
        var key = LoweringCache.Key(content, circumstances, settings.Fingerprint);
        if (cache.TryGet(key) is { } known)
        {
            Interlocked.Increment(ref hits);
            return known;
        }
        if (reproFolder != null) saveRepro();
        var result = make();
        cache.Put(key, result);
        return result;
    }

    // Before lowering, not after a failure: the failure may be the end of the process.
    private void SaveRepro(LoweringInput input)
    {
        Directory.CreateDirectory(reproFolder!);
        var name = string.Concat(Path.GetFileName(input.Name).Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' ? c : '_'));
        AtomicFile.Write(Path.Combine(reproFolder!, name + ".bc"), input.Bitcode);
        var options = weaving.IsEmpty || !input.Weave ? "" : $" --with {string.Join(',', weaving.Instruments.Select(i => i.Name))}{string.Concat(weaving.Options.Select(o => $" --{o.Key} {o.Value}"))}";
        var text = $"""
            # Repeats the lowering of {input.Name}
            # LLVM {LlvmLibrary.Version}; settings: {settings.Fingerprint}
            WEFT_LLVM={Terminal.ShellQuote(LlvmLibrary.Path ?? "")} weft lower {name}.bc -o {name}.o -{settings.Level}{options}

            """;
        AtomicFile.Write(Path.Combine(reproFolder!, name + ".txt"), Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Admits work while its estimates fit; a single job larger than the whole budget runs alone.</summary>
    private sealed class MemoryBudget(long total)
    {
        private readonly object gate = new();
        private long used;

        public Reservation Reserve(long bytes)
        {
            lock (gate)
            {
                while (used > 0 && used + bytes > total) Monitor.Wait(gate);
                used += bytes;
            }
            return new Reservation(this, bytes);
        }

        private void Release(long bytes)
        {
            lock (gate)
            {
                used -= bytes;
                Monitor.PulseAll(gate);
            }
        }

        public readonly struct Reservation(MemoryBudget owner, long bytes) : IDisposable
        {
            public void Dispose() => owner.Release(bytes);
        }
    }
}
