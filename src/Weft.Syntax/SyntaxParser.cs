using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Weft.Core;

namespace Weft.Syntax;

/// <summary>Parses source text with tree-sitter. The whole tree is copied out at once, so that nothing native outlives the call.</summary>
public sealed unsafe class SyntaxParser
{
    private readonly Native native;
    private readonly nint language;
    private readonly string languageName;
    private readonly ConcurrentDictionary<nint, string> names = new();

    /// <param name="grammar">The language.</param>
    /// <param name="store">Where compiled parsers are kept.</param>
    /// <exception cref="WeftException">The parser is not there and cannot be fetched or compiled.</exception>
    public SyntaxParser(Grammar grammar, GrammarStore store)
    {
        native = new Native(store.Library(Grammar.Core));
        languageName = grammar.Name;
        var library = NativeLibrary.Load(store.Library(grammar));
        language = ((delegate* unmanaged[Cdecl]<nint>)NativeLibrary.GetExport(library, grammar.EntryPoint))();
    }

    /// <summary>The tree of a text in UTF-8. Text that is not of the language gives error nodes, never an exception.</summary>
    /// <param name="text">The text.</param>
    /// <param name="shift">Added to every offset: for a piece of a file.</param>
    public SyntaxNode Parse(ReadOnlySpan<byte> text, int shift = 0)
    {
        var parser = native.ParserNew();
        nint tree = 0;
        try
        {
            if (native.ParserSetLanguage(parser, language) == 0)
                throw new WeftException($"tree-sitter does not know the version of its grammar for {languageName}", "this is a mistake in Weft's list of grammars");
            fixed (byte* first = text) tree = native.ParserParseString(parser, 0, first, (uint)text.Length);
            return Copy(native.TreeRootNode(tree), shift);
        }
        finally
        {
            if (tree != 0) native.TreeDelete(tree);
            native.ParserDelete(parser);
        }
    }

    private SyntaxNode Copy(RawNode root, int shift)
    {
        var cursor = native.CursorNew(root);
        var top = Node(&cursor, shift);
        var current = top;
        while (true)
        {
            if (native.CursorFirstChild(&cursor) != 0)
            {
                current = Append(current, &cursor, shift);
                continue;
            }
            while (native.CursorNextSibling(&cursor) == 0)
            {
                if (native.CursorParent(&cursor) == 0)
                {
                    native.CursorDelete(&cursor);
                    return top;
                }
                current = current.Parent!;
            }
            current = Append(current.Parent!, &cursor, shift);
        }
    }

    private SyntaxNode Append(SyntaxNode parent, RawCursor* cursor, int shift)
    {
        var child = Node(cursor, shift);
        parent.Add(child);
        return child;
    }

    private SyntaxNode Node(RawCursor* cursor, int shift)
    {
        var node = native.CursorNode(cursor);
        var field = native.CursorField(cursor);
        return new SyntaxNode(NameAt(native.NodeType(node)), field == 0 ? null : NameAt(field),
            native.NodeIsNamed(node) != 0, native.NodeIsMissing(node) != 0, (int)native.NodeStart(node) + shift, (int)native.NodeEnd(node) + shift);
    }

    // Names are constants of the grammar's library: one string each, whatever the size of the tree.
    private string NameAt(nint text) => names.GetOrAdd(text, static address => Marshal.PtrToStringUTF8(address)!);
}
