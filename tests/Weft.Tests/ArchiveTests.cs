using System.Text;
using Weft.Core;

namespace Weft.Tests;

public sealed class ArchiveTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [Needs("cc", "ar")]
    public void Members_that_ar_wrote_are_read_with_their_names_and_contents()
    {
        var names = WriteObjects();
        harness.Must("ar", ["rcs", "lib.a", .. names]);
        var members = ArchiveFile.Read(File.ReadAllBytes(harness.Path("lib.a")), "lib.a");
        Assert.Equal(names, members.Select(m => m.Name));
        foreach (var member in members) Assert.Equal(File.ReadAllBytes(harness.Path(member.Name)), member.Content);
    }

    [Needs("cc", "ar", "nm")]
    public void What_is_written_ar_and_nm_read_with_the_same_index()
    {
        var names = WriteObjects();
        harness.Must("ar", ["rcs", "theirs.a", .. names]);
        var members = names.Select(n => new ArchiveMember(n, File.ReadAllBytes(harness.Path(n)))).ToList();
        File.WriteAllBytes(harness.Path("ours.a"), ArchiveFile.Write(members, "ours.a"));
        Assert.Equal(harness.Must("ar", "t", "theirs.a").Output, harness.Must("ar", "t", "ours.a").Output);
        foreach (var name in names)
        {
            harness.Must("sh", "-c", $"ar p ours.a '{name}' > got");
            Assert.Equal(File.ReadAllBytes(harness.Path(name)), File.ReadAllBytes(harness.Path("got")));
        }
        Assert.Equal(harness.Must("nm", "-s", "theirs.a").Output.Replace("theirs.a", "ours.a"), harness.Must("nm", "-s", "ours.a").Output);
    }

    [Needs("cc", "ar")]
    public void A_linker_finds_a_function_by_the_index_written()
    {
        var names = WriteObjects();
        File.WriteAllBytes(harness.Path("lib.a"), ArchiveFile.Write(names.Select(n => new ArchiveMember(n, File.ReadAllBytes(harness.Path(n)))).ToList(), "lib.a"));
        harness.Write("main.c", "int second(void); int main(void) { return second(); }");
        harness.Must("cc", "main.c", "lib.a", "-o", "main");
        Assert.Equal(42, harness.Run(harness.Path("main")).ExitCode);
    }

    [Fact]
    public void Names_and_odd_sizes_survive_a_round_trip()
    {
        List<ArchiveMember> members =
        [
            new("a.o", [1, 2, 3]),
            new("fifteen.letters", [4]),
            new("sixteen.letters.", []),
            new("a name with spaces and more than fifteen letters.o", [5, 6]),
            new("a.o", [7]), // twice the same name, as rustc's archives have
        ];
        var read = ArchiveFile.Read(ArchiveFile.Write(members, "x.a"), "x.a");
        Assert.Equal(members.Select(m => m.Name), read.Select(m => m.Name));
        Assert.Equal(members.Select(m => m.Content), read.Select(m => m.Content));
    }

    [Fact]
    public void Names_in_the_manner_of_BSD_are_read()
    {
        var archive = "!<arch>\n"u8.ToArray().Concat(Header("#1/20", 23)).Concat("a long name of 20 ch"u8.ToArray()).Concat("abc"u8.ToArray()).ToArray();
        var member = Assert.Single(ArchiveFile.Read(archive, "x.a"));
        Assert.Equal("a long name of 20 ch", member.Name);
        Assert.Equal("abc"u8.ToArray(), member.Content);
    }

    [Fact]
    public void Cut_short_anywhere_it_is_refused_or_short_but_never_a_crash()
    {
        var whole = ArchiveFile.Write([new("a.o", [1, 2, 3]), new("a name longer than fifteen letters", [4, 5]), new("b.o", [6])], "x.a");
        for (var length = 0; length < whole.Length; length++)
        {
            var cut = whole[..length];
            try { Assert.True(ArchiveFile.Read(cut, "x.a").Count < 3 || length == whole.Length - 1, $"{length} of {whole.Length} bytes"); }
            catch (WeftException e) { Assert.Contains("x.a", e.Message); }
        }
    }

    [Theory]
    [InlineData("/-1", 0)]
    [InlineData("/99999999", 0)]
    [InlineData("#1/-1", 2)]
    [InlineData("#1/99", 2)]
    [InlineData("a.o/", -1)]
    [InlineData("a.o/", 999999999)]
    public void A_header_that_points_outside_is_refused_or_taken_as_a_name(string name, long size)
    {
        var archive = "!<arch>\n"u8.ToArray().Concat(Header(name, size)).Concat("ab"u8.ToArray()).ToArray();
        try { ArchiveFile.Read(archive, "x.a"); }
        catch (WeftException e) { Assert.Contains("x.a", e.Message); }
    }

    [Theory]
    [InlineData("")]
    [InlineData("!<thin>\n")]
    [InlineData("not an archive at all, but long enough to be one, if only it had the magic")]
    public void What_is_no_archive_is_refused_by_name(string content) =>
        Assert.Contains("x.a", Assert.Throws<WeftException>(() => ArchiveFile.Read(Encoding.ASCII.GetBytes(content), "x.a")).Message);

    private string[] WriteObjects()
    {
        harness.Write("first.c", "int shared_data = 1; int first(void) { return 1; } static int hidden(void) { return 2; } int (*p)(void) = hidden;");
        harness.Write("second.c", "int weak_one(void) __attribute__((weak)); int weak_one(void) { return 3; } int second(void) { return 42; }");
        harness.Write("third.c", "int common_one[3]; extern int outside; int third(void) { return outside; }");
        harness.Must("cc", "-c", "first.c", "-o", "first.o");
        harness.Must("cc", "-c", "second.c", "-o", "a-name-longer-than-fifteen-letters.o");
        harness.Must("cc", "-c", "-fcommon", "third.c", "-o", "third.o");
        return ["first.o", "a-name-longer-than-fifteen-letters.o", "third.o"];
    }

    private static byte[] Header(string name, long size) => Encoding.Latin1.GetBytes($"{name,-16}{0,-12}{0,-6}{0,-6}{"644",-8}{size,-10}`\n");
}
