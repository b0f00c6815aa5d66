using Weft.Core;

namespace Weft.Tests;

public sealed class ElfTests : IDisposable
{
    private const string Source = """
        int data = 1; int zero; const char text[] = "hello";
        __attribute__((weak)) int weak_one(void) { return 1; }
        static int hidden(void) { return data; }
        int visible(void) { return hidden() + weak_one(); }
        extern int outside; int user(void) { return outside; }
        __attribute__((section("mine"))) const char marked[4] = "abc";
        """;

    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang-22", "nm")]
    [InlineData("x86_64-linux-gnu")]
    [InlineData("i386-linux-gnu")]
    [InlineData("aarch64-linux-gnu")]
    [InlineData("armv7-linux-gnueabihf")]
    public void Defined_globals_are_those_nm_lists(string target)
    {
        var elf = Read(target);
        var expected = harness.Must("llvm-nm-22", "-g", "--defined-only", "--format=just-symbols", "a.o").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expected.Order(StringComparer.Ordinal), elf.DefinedGlobals().Order(StringComparer.Ordinal));
    }

    [TheoryNeeds("clang-22")]
    [InlineData("x86_64-linux-gnu")]
    [InlineData("i386-linux-gnu")]
    public void A_section_is_found_by_name(string target)
    {
        var elf = Read(target);
        Assert.Equal("abc\0"u8.ToArray(), elf.SectionContent("mine").ToArray());
        Assert.Empty(elf.SectionContent(".bss").ToArray());
        Assert.Empty(elf.SectionContent("nowhere").ToArray());
    }

    [Needs("as")]
    public void More_sections_than_a_header_can_count()
    {
        harness.Write("many.s", string.Concat(Enumerable.Range(0, 66000).Select(i => $".section s{i},\"a\"\n.byte {i % 256}\n")) + ".text\n.globl last\nlast: ret\n");
        harness.Must("as", "many.s", "-o", "many.o");
        var elf = ElfFile.TryRead(File.ReadAllBytes(harness.Path("many.o")), "many.o")!;
        Assert.Equal([65999 % 256], elf.SectionContent("s65999").ToArray());
        Assert.Equal(["last"], elf.DefinedGlobals());
    }

    [Needs("clang-22")]
    public void Cut_or_flipped_it_is_refused_by_name_or_read_but_never_a_crash()
    {
        Read("x86_64-linux-gnu");
        var whole = File.ReadAllBytes(harness.Path("a.o"));
        for (var length = 0; length < whole.Length; length += 7) Survives(whole[..length]);
        var random = new Random(7);
        for (var i = 0; i < 3000; i++)
        {
            var damaged = (byte[])whole.Clone();
            for (var flips = 0; flips < 3; flips++) damaged[random.Next(16, damaged.Length)] ^= (byte)(1 << random.Next(8));
            Survives(damaged);
        }
    }

    [Fact]
    public void A_section_table_of_empty_entries_does_not_fill_memory()
    {
        var data = new byte[256];
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(data);
        data[40] = 128; // section headers at 128, 0 bytes each, as many as the first one's size says
        BitConverter.GetBytes(0x7FFFFFFFL).CopyTo(data, 128 + 32);
        Survives(data);
        data[58] = 64;
        Survives(data);
    }

    [Fact]
    public void What_is_not_ELF_is_null()
    {
        Assert.Null(ElfFile.TryRead([], "x"));
        Assert.Null(ElfFile.TryRead(new byte[100], "x"));
        Assert.Null(ElfFile.TryRead("!<arch>\n"u8.ToArray(), "x"));
    }

    private static void Survives(byte[] damaged)
    {
        try
        {
            var elf = ElfFile.TryRead(damaged, "bad.o");
            elf?.DefinedGlobals().ToList();
            elf?.SectionContent("mine");
            elf?.SectionContent(".symtab");
        }
        catch (WeftException e)
        {
            Assert.Contains("bad.o", e.Message);
        }
    }

    private ElfFile Read(string target)
    {
        harness.Write("a.c", Source);
        harness.Must("clang-22", $"--target={target}", "-c", "a.c", "-o", "a.o");
        return ElfFile.TryRead(File.ReadAllBytes(harness.Path("a.o")), "a.o")!;
    }
}
