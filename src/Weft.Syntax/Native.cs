using System.Runtime.InteropServices;

namespace Weft.Syntax;

/// <summary>tree-sitter's <c>TSNode</c>: passed by value.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RawNode
{
    public uint Context0, Context1, Context2, Context3;
    public nint Id, Tree;
}

/// <summary>tree-sitter's <c>TSTreeCursor</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RawCursor
{
    public nint Tree, Id;
    public uint Context0, Context1, Context2;
}

/// <summary>
/// The part of tree-sitter's C interface (<c>tree_sitter/api.h</c>, stable since 0.20) that reads a tree once. Bound to the
/// library that <see cref="GrammarStore"/> compiled.
/// </summary>
internal sealed unsafe class Native
{
    private readonly nint library;

    internal Native(string path)
    {
        library = NativeLibrary.Load(path);
        ParserNew = (delegate* unmanaged[Cdecl]<nint>)Export("ts_parser_new");
        ParserDelete = (delegate* unmanaged[Cdecl]<nint, void>)Export("ts_parser_delete");
        ParserSetLanguage = (delegate* unmanaged[Cdecl]<nint, nint, byte>)Export("ts_parser_set_language");
        ParserParseString = (delegate* unmanaged[Cdecl]<nint, nint, byte*, uint, nint>)Export("ts_parser_parse_string");
        TreeDelete = (delegate* unmanaged[Cdecl]<nint, void>)Export("ts_tree_delete");
        TreeRootNode = (delegate* unmanaged[Cdecl]<nint, RawNode>)Export("ts_tree_root_node");
        CursorNew = (delegate* unmanaged[Cdecl]<RawNode, RawCursor>)Export("ts_tree_cursor_new");
        CursorDelete = (delegate* unmanaged[Cdecl]<RawCursor*, void>)Export("ts_tree_cursor_delete");
        CursorFirstChild = (delegate* unmanaged[Cdecl]<RawCursor*, byte>)Export("ts_tree_cursor_goto_first_child");
        CursorNextSibling = (delegate* unmanaged[Cdecl]<RawCursor*, byte>)Export("ts_tree_cursor_goto_next_sibling");
        CursorParent = (delegate* unmanaged[Cdecl]<RawCursor*, byte>)Export("ts_tree_cursor_goto_parent");
        CursorNode = (delegate* unmanaged[Cdecl]<RawCursor*, RawNode>)Export("ts_tree_cursor_current_node");
        CursorField = (delegate* unmanaged[Cdecl]<RawCursor*, nint>)Export("ts_tree_cursor_current_field_name");
        NodeType = (delegate* unmanaged[Cdecl]<RawNode, nint>)Export("ts_node_type");
        NodeStart = (delegate* unmanaged[Cdecl]<RawNode, uint>)Export("ts_node_start_byte");
        NodeEnd = (delegate* unmanaged[Cdecl]<RawNode, uint>)Export("ts_node_end_byte");
        NodeIsNamed = (delegate* unmanaged[Cdecl]<RawNode, byte>)Export("ts_node_is_named");
        NodeIsMissing = (delegate* unmanaged[Cdecl]<RawNode, byte>)Export("ts_node_is_missing");
    }

    internal delegate* unmanaged[Cdecl]<nint> ParserNew { get; }
    internal delegate* unmanaged[Cdecl]<nint, void> ParserDelete { get; }
    internal delegate* unmanaged[Cdecl]<nint, nint, byte> ParserSetLanguage { get; }
    internal delegate* unmanaged[Cdecl]<nint, nint, byte*, uint, nint> ParserParseString { get; }
    internal delegate* unmanaged[Cdecl]<nint, void> TreeDelete { get; }
    internal delegate* unmanaged[Cdecl]<nint, RawNode> TreeRootNode { get; }
    internal delegate* unmanaged[Cdecl]<RawNode, RawCursor> CursorNew { get; }
    internal delegate* unmanaged[Cdecl]<RawCursor*, void> CursorDelete { get; }
    internal delegate* unmanaged[Cdecl]<RawCursor*, byte> CursorFirstChild { get; }
    internal delegate* unmanaged[Cdecl]<RawCursor*, byte> CursorNextSibling { get; }
    internal delegate* unmanaged[Cdecl]<RawCursor*, byte> CursorParent { get; }
    internal delegate* unmanaged[Cdecl]<RawCursor*, RawNode> CursorNode { get; }
    internal delegate* unmanaged[Cdecl]<RawCursor*, nint> CursorField { get; }
    internal delegate* unmanaged[Cdecl]<RawNode, nint> NodeType { get; }
    internal delegate* unmanaged[Cdecl]<RawNode, uint> NodeStart { get; }
    internal delegate* unmanaged[Cdecl]<RawNode, uint> NodeEnd { get; }
    internal delegate* unmanaged[Cdecl]<RawNode, byte> NodeIsNamed { get; }
    internal delegate* unmanaged[Cdecl]<RawNode, byte> NodeIsMissing { get; }

    private nint Export(string name) => NativeLibrary.GetExport(library, name);
}
