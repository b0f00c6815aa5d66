using System.Text;
using System.Text.RegularExpressions;
using Weft.Core;
using Xunit.Abstractions;

namespace Weft.Tests;

/// <summary>A damaged file costs the user that file and one sentence, whatever it does to LLVM.</summary>
public sealed partial class HostileBitcodeTests(ITestOutputHelper log) : IDisposable
{
    private const string Source = """
        struct tree { struct tree *left, *right; long key; double weight; };
        extern void *malloc(unsigned long);
        static int depth(const struct tree *t) { if (!t) return 0; int l = depth(t->left), r = depth(t->right); return 1 + (l > r ? l : r); }
        struct tree *insert(struct tree *t, long key) {
            if (!t) { t = malloc(sizeof *t); t->left = t->right = 0; t->key = key; t->weight = key * .5; return t; }
            if (key < t->key) t->left = insert(t->left, key); else t->right = insert(t->right, key);
            return t;
        }
        int main(int argc, char **argv) {
            struct tree *t = 0;
            for (int i = 0; i < 100; i++) t = insert(t, (i * 37) % 101);
            switch (argc) { case 1: return depth(t); case 2: return argv[1][0]; case 3: return 7; default: return -1; }
        }
        """;

    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [Needs("clang-22")]
    public void Cut_short_at_any_length()
    {
        var whole = harness.Bitcode("clang-22", Source);
        Parallel.For(0, 20, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i =>
        {
            var name = $"cut-{i}.bc";
            File.WriteAllBytes(harness.Path(name), whole[..(whole.Length * i / 20)]);
            var outcome = harness.RunWeft("lower", name, "-o", name + ".o");
            Harness.AssertToldWell(outcome, ExitCode.Failure, name);
            Assert.Empty(Directory.EnumerateFiles(harness.Folder, name + ".o*"));
        });
    }

    [Needs("clang-22")]
    public void Bits_flipped_anywhere() => FlipBits(seed: 20260921, variants: 80);

    [Needs("clang-22"), Trait("Category", "Slow")]
    public void More_bits_flipped_anywhere() => FlipBits(seed: 20270921, variants: 400);

    [Fact]
    public void A_crash_of_LLVM_is_one_sentence()
    {
        // A kill from outside is the one crash that every release of LLVM can be made to have.
        harness.Write("slow.sh", $$"""
            '{{Harness.Weft}}' lower - -o a.o < fifo & weft=$!
            exec 3> fifo
            sleep 1
            worker=$(pgrep -P $weft)
            kill -SEGV $worker # .NET takes the first for a fault of its own and waits for it to happen again
            sleep 0.3
            kill -SEGV $worker
            exec 3>&-
            wait $weft
            """);
        harness.Must("mkfifo", "fifo");
        var outcome = harness.Run("sh", "slow.sh");
        Harness.AssertToldWell(outcome, ExitCode.Failure, "LLVM crashed (SIGSEGV) while lowering standard input");
        Assert.Equal(["fifo", "slow.sh"], Directory.EnumerateFileSystemEntries(harness.Folder).Select(f => Path.GetFileName(f)!).Order());
    }

    [Fact]
    public void Textual_IR_cut_anywhere()
    {
        const string text = "target triple = \"x86_64-unknown-linux-gnu\"\ndefine i32 @f(i32 %x) {\n  %y = add i32 %x, 1\n  ret i32 %y\n}\n";
        Parallel.For(50, text.Length - 2, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i =>
        {
            if (i % 5 != 0) return;
            var name = $"cut-{i}.ll";
            File.WriteAllText(harness.Path(name), text[..i], new UTF8Encoding(false));
            var outcome = harness.RunWeft("lower", name, "-o", name + ".o");
            Harness.AssertToldWell(outcome, ExitCode.Failure, name);
        });
    }

    [GeneratedRegex("^'.*' is not a recognized (processor|feature) for this target \\(ignoring \\w+\\)\n", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex IgnoredProcessor();

    private void FlipBits(int seed, int variants)
    {
        log.WriteLine($"seed {seed}");
        var whole = harness.Bitcode("clang-22", Source);
        int fine = 0, refused = 0, crashed = 0;
        Parallel.For(0, variants, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i =>
        {
            var random = new Random(seed + i);
            var damaged = (byte[])whole.Clone();
            for (var flips = 1 + i % 4; flips > 0; flips--) damaged[random.Next(4, damaged.Length)] ^= (byte)(1 << random.Next(8));
            var name = $"flipped-{i}.bc";
            File.WriteAllBytes(harness.Path(name), damaged);
            var outcome = harness.RunWeft("lower", name, "-o", name + ".o");
            var left = Directory.EnumerateFiles(harness.Folder, name + ".o*").Select(f => Path.GetFileName(f)!).ToArray();
            if (outcome.ExitCode == 0)
            {
                Assert.Equal([name + ".o"], left);
                Interlocked.Increment(ref fine);
                return;
            }
            // LLVM itself says this of a damaged name, on its way to the error or to none.
            Harness.AssertToldWell(outcome with { Errors = IgnoredProcessor().Replace(outcome.Errors, "") }, ExitCode.Failure, name);
            Assert.Empty(left);
            if (outcome.Errors.Contains("LLVM crashed (SIG")) Interlocked.Increment(ref crashed);
            else Interlocked.Increment(ref refused);
        });
        log.WriteLine($"{fine} lowered, {refused} refused, {crashed} crashed LLVM");
        Assert.True(refused > variants / 4, "damage goes unnoticed");
        Assert.Empty(Directory.EnumerateFiles(harness.Folder, "core*"));
    }
}
