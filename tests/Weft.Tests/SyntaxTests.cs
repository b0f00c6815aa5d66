using Weft.Core;
using Weft.Syntax;

namespace Weft.Tests;

/// <summary>Parsers are fetched and compiled once into a cache that the whole run shares.</summary>
internal static class Parsers
{
    private static readonly Lazy<GrammarStore> Store = new(() => new GrammarStore());

    public static SyntaxParser Of(Grammar grammar) => new(grammar, Store.Value);
}

public sealed class SyntaxTests
{
    [TheoryNeeds("npm", "cc")]
    [InlineData("rust", "fn main() { if a && b { f()? } else { g() } }", "if_expression")]
    [InlineData("c", "int main(void) { if (a && b) f(); else g(); }", "if_statement")]
    [InlineData("cpp", "int main() { for (auto x : xs) try { f([&] { return x; }); } catch (...) {} }", "for_range_loop")]
    public void A_tree_holds_every_construct_with_its_bytes(string language, string text, string kind)
    {
        var parser = Parsers.Of(language switch { "rust" => Grammar.Rust, "c" => Grammar.C, _ => Grammar.Cpp });
        var root = parser.Parse(System.Text.Encoding.UTF8.GetBytes(text));
        Assert.Equal((0, text.Length), (root.Start, root.End));
        Assert.DoesNotContain(root.DescendantsAndSelf(), n => n.IsError || n.IsMissing);
        Assert.Contains(root.DescendantsAndSelf(), n => n.Kind == kind);
        Assert.Equal(text.Replace(" ", ""), string.Concat(root.DescendantsAndSelf().Where(n => n.Children.Count == 0).Select(n => text[n.Start..n.End])));
    }

    [Needs("npm", "cc")]
    public void What_is_not_the_published_package_is_refused()
    {
        var folder = Directory.CreateTempSubdirectory("weft-test-");
        try
        {
            var forged = Grammar.C with { Integrity = new string('A', 86) + "==" };
            var error = Assert.Throws<WeftException>(() => new GrammarStore(folder.FullName).Library(forged));
            Assert.Contains("tree-sitter-c", error.Message);
            Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(folder.FullName, "syntax")));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
