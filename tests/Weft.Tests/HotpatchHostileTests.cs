using System.Buffers.Binary;
using Weft.Core;

namespace Weft.Tests;

/// <summary>Files that are no patches, or not for this program, or made to do harm: each is refused, and the program goes on as it was.</summary>
public sealed class HotpatchHostileTests : HotpatchedPrograms
{
    [Needs("clang-22")]
    public void A_patch_that_is_cut_short_anywhere_is_refused()
    {
        var patch = File.ReadAllBytes(Built.Second);
        var lines = Feed(Enumerable.Range(0, patch.Length).Select(length => patch[..length]));
        Assert.Equal((0, patch.Length), (Value(lines, "applied"), Value(lines, "refused")));
    }

    [Needs("clang-22")]
    public void A_patch_of_which_one_byte_is_not_as_it_was_is_refused()
    {
        var patch = File.ReadAllBytes(Built.Second);
        var lines = Feed(Enumerable.Range(0, patch.Length).Select(at => Changed(patch, p => p[at] ^= (byte)(1 << (at % 8)))));
        Assert.Equal((0, patch.Length), (Value(lines, "applied"), Value(lines, "refused")));
    }

    [Needs("clang-22")]
    public void Something_behind_a_patch_that_is_no_signature_is_refused()
    {
        var patch = File.ReadAllBytes(Built.Second);
        var lines = Feed(((int[])[1, 8, 383, 385, 4096]).Select(more => (byte[])[.. patch, .. new byte[more]]));
        Assert.Equal((0, 5), (Value(lines, "applied"), Value(lines, "refused")));
    }

    /// <summary>The digest is right, so each number has to be held against what it is a number of.</summary>
    [TheoryNeeds("clang-22")]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Numbers_that_contradict_each_other_do_no_harm(int seed)
    {
        const int count = 3000;
        var random = new Random(seed);
        var patch = File.ReadAllBytes(seed == 3 ? Built.ThirdAfterSecond : Built.Second);
        var lines = Feed(Enumerable.Range(0, count).Select(_ => ForgedPatch.WithDigest(Changed(patch, p => Mutate(p, random)))), seed == 3 ? [Built.Second] : []);
        Assert.Equal(count, Value(lines, "applied") + Value(lines, "refused"));
        Assert.True(Value(lines, "refused") > count / 3, string.Join(' ', lines));
    }

    [Needs("clang-22")]
    public void Every_single_field_at_its_limits_does_no_harm()
    {
        var patch = File.ReadAllBytes(Built.Second);
        var places = Enumerable.Range(0, ForgedPatch.HeaderSize / 4).Select(i => i * 4).Concat(Records(patch)).Where(at => at is < ForgedPatch.IdAt or >= ForgedPatch.IdAt + ForgedPatch.IdSize).ToList();
        uint[] values = [0, 1, 7, 8, 0x1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF, (uint)patch.Length, (uint)patch.Length - 8];
        var lines = Feed(places.SelectMany(at => values.Select(v => ForgedPatch.WithDigest(Changed(patch, p => BinaryPrimitives.WriteUInt32LittleEndian(p.AsSpan(at), v))))));
        Assert.Equal(places.Count * values.Length, Value(lines, "applied") + Value(lines, "refused"));
    }

    [Needs("clang-22")]
    public void Files_that_are_no_patches_of_this_program_are_refused_from_outside()
    {
        Built.Link("other", "-Wl,--defsym=elsewhere=1");
        var other = Built.BuildFor("other", "other", 2);
        var patch = File.ReadAllBytes(Built.Second);
        File.WriteAllBytes(Harness.Path("half"), patch[..(patch.Length / 2)]);
        File.WriteAllBytes(Harness.Path("changed"), Changed(patch, p => p[^1] ^= 1));
        File.WriteAllBytes(Harness.Path("processor"), ForgedPatch.WithDigest(Changed(patch, p => p[8] ^= 0x55)));
        File.WriteAllBytes(Harness.Path("empty"), []);
        var process = Ticking();
        foreach (var (file, words) in ((string, string)[])[(other, "for another build"), ("half", "cut short"), ("changed", "its content is not what was written"), ("processor", "another processor"), ("empty", "no patch of Weft's"), ("/proc/self/comm", "no patch of Weft's"), ("missing", "missing")])
        {
            var outcome = Apply(process, file);
            Harness.AssertToldWell(outcome, ExitCode.Failure, words);
            Assert.Equal("", outcome.Output);
        }
        AssertVersion(1, process);
        Assert.Equal("", List(process));
        Must(Apply(process, Built.Second));
        AssertVersion(2, process);
    }

    [Needs("clang-22")]
    public void A_function_whose_room_somebody_else_has_written_to_is_left_alone() =>
        Assert.Equal(["apply 8", "'answer' is not as it was built: something else has changed its code", "count 0", "twice 102", "apply 0"], Run("overwrite", Built.Second));

    [Needs("clang-22"), Trait("Category", "Slow")]
    public void More_functions_than_there_is_room_for_are_refused_as_a_whole()
    {
        Harness.Environment["WEFT_CC"] = "clang-22";
        string Functions(int version) => string.Concat(Enumerable.Range(0, 16_400).Select(i => $"int f{i}(int x) {{ return x * {i + 3} + {version}; }}\n"));
        Harness.Write("main.c", "#include <stdio.h>\n#include <unistd.h>\nint f0(int);\nint main(void) { for (;;) { printf(\"answer %d\\n\", f0(0)); fflush(stdout); usleep(2000); } }\n");
        Harness.Write("many.c", Functions(1));
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O1", "main.c", "many.c", "-o", "many");
        Harness.Write("many.c", Functions(2));
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O1", "-c", "many.c", "-o", "many.o");
        Harness.Must(Harness.Weft, "hotpatch", "build", "--program", "many", "-o", "many.patch", "many.o");
        var process = StartProgram(Harness.Path("many"));
        AssertVersion(1, process);
        Harness.AssertToldWell(Apply(process, Harness.Path("many.patch")), ExitCode.Failure, "room for 16384 functions");
        AssertVersion(1, process);
        Assert.Equal("", List(process));
        // It has used up nothing.
        Harness.Write("many.c", Functions(1).Replace("return x * 3 + 1;", "return x * 3 + 2;"));
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O1", "-c", "many.c", "-o", "many.o");
        Harness.Must(Harness.Weft, "hotpatch", "build", "--program", "many", "-o", "one.patch", "many.o");
        Must(Apply(process, Harness.Path("one.patch")));
        AssertVersion(2, process);
    }

    private string[] Feed(IEnumerable<byte[]> patches, params string[] applied)
    {
        ForgedPatch.Write(Harness.Path("patches"), patches);
        return Run(["feed", Harness.Path("patches"), .. applied]);
    }

    private static byte[] Changed(byte[] patch, Action<byte[]> change)
    {
        var copy = (byte[])patch.Clone();
        change(copy);
        return copy;
    }

    private static void Mutate(byte[] patch, Random random)
    {
        List<int> header = [.. Enumerable.Range(0, ForgedPatch.HeaderSize / 4).Select(i => i * 4).Where(at => at is 8 or ForgedPatch.SizeAt or >= 32)], records = [.. Records(patch)];
        for (var times = random.Next(1, 4); times > 0; times--)
        {
            var places = random.Next(3) == 0 ? header : records;
            var at = places[random.Next(places.Count)];
            var old = BinaryPrimitives.ReadUInt32LittleEndian(patch.AsSpan(at));
            BinaryPrimitives.WriteUInt32LittleEndian(patch.AsSpan(at), random.Next(6) switch
            {
                0 => (uint)random.NextInt64(),
                1 => (uint)(1L << random.Next(32)),
                2 => ~0u,
                3 => old + (uint)random.Next(-64, 64),
                4 => old ^ (1u << random.Next(32)),
                _ => (uint)random.Next(65536),
            });
        }
    }

    /// <summary>All words of the tables but the code and data themselves; of those, the table of frames.</summary>
    private static IEnumerable<int> Records(byte[] patch)
    {
        foreach (var (field, entry) in ((int, int)[])[(88, 16), (96, 16), (104, 32), (112, 4)])
        {
            var (at, count) = ForgedPatch.Table(patch, field);
            for (var i = 0; i < count * entry; i += 4) yield return at + i;
        }
        var frames = BinaryPrimitives.ReadInt32LittleEndian(patch.AsSpan(80));
        for (var i = 0; frames != 0 && i < 40; i += 4) yield return ForgedPatch.Table(patch, 120).At + frames + i;
    }
}
