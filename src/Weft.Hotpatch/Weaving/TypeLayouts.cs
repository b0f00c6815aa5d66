using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using Weft.Core;
using Weft.Llvm;

namespace Weft.Hotpatch.Weaving;

/// <summary>
/// How types lie in memory and what functions are called with: what a patch must not change under objects that are alive and code that
/// runs. Most of it is from debug information. Written beside the code into a section that linkers leave out, compressed lines of text:
/// <code>
/// T game::Point	8 x@0:i32 y@4:i32
/// F answer	int(*request,int)
/// C helper	changed          see <see cref="Conventions"/>
/// U handle	1
/// </code>
/// Closures and lambdas are types too, called by where they are written. Functions of C++ and Rust say in their symbols what they are
/// called with, but not whether that has to do with a closure of Rust: those have a line F.
/// </summary>
internal sealed class TypeLayouts(Module module)
{
    public const string Section = ".weft.types";

    private const int Structure = 0x13, Class = 0x02, Union = 0x17, Enumeration = 0x04, ArrayTag = 0x01, VariantPart = 0x33, Member = 0x0D, Pointer = 0x0F, Reference = 0x10, RvalueReference = 0x42, Typedef = 0x16, Const = 0x26, Volatile = 0x35, Restrict = 0x37;
    private const int ScopeOperand = 1, HeadSize = 5;
    private const byte Part = 1;

    private readonly HashSet<nint> seen = [];
    private readonly SortedDictionary<string, string> lines = new(StringComparer.Ordinal);
    private readonly Dictionary<nint, string> names = [];

    /// <summary>Adds to the section what debug information says.</summary>
    public static void Add(Module module)
    {
        var layouts = new TypeLayouts(module);
        if (module.CompileUnits is { Length: > 0 } units) layouts.Collect(units);
        Add(module, layouts.lines);
    }

    /// <summary>Adds lines to the section.</summary>
    public static void Add(Module module, IEnumerable<KeyValuePair<string, string>> lines)
    {
        if (module.HasFlag("ThinLTO") || module.HasFlag("EnableSplitLTOUnit")) return; // there is no object that the section would be in
        if (!lines.Any()) return;
        var content = module.Context.ConstBytes(Write(lines));
        var global = module.AddGlobal(content.Type, "weft.hotpatch.types");
        global.Initializer = content;
        global.IsConstant = true;
        global.Linkage = Linkage.Private;
        global.Alignment = 1;
        global.SetSection(Encoding.ASCII.GetBytes(Section));
        module.KeepInObject(global);
    }

    /// <summary>Keeps the section out of what is linked from an ELF object. Works in place; anything else stays as it was.</summary>
    public static bool Exclude(byte[] objectFile)
    {
        const ulong exclude = 0x80000000;
        if (!objectFile.AsSpan().StartsWith("\x7F"u8) || ElfFile.TryRead(objectFile, "object") is not { Is64: true } elf) return false;
        var changed = false;
        for (var i = 0; i < elf.Sections.Count; i++)
            if (elf.Sections[i].Name == Section)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(objectFile.AsSpan((int)elf.HeaderOffset(i) + 8), exclude);
                changed = true;
            }
        return changed;
    }

    /// <summary>The lines of an object: what they are about, and the layout.</summary>
    /// <exception cref="WeftException">The section is damaged.</exception>
    public static IEnumerable<(string Name, string Layout)> Read(ReadOnlyMemory<byte> content, string file)
    {
        while (SkipPadding(ref content))
        {
            foreach (var line in ReadPart(ref content, file).Split('\n'))
                if (line.IndexOf('\t') is var tab and > 0)
                    yield return (line[..tab], line[(tab + 1)..]);
        }
    }

    // Parts are aligned as the compiler likes it.
    private static bool SkipPadding(ref ReadOnlyMemory<byte> content)
    {
        var at = content.Span.IndexOfAnyExcept((byte)0);
        content = at < 0 ? default : content[at..];
        return at >= 0;
    }

    private static string ReadPart(ref ReadOnlyMemory<byte> content, string file)
    {
        try
        {
            if (content.Span[0] != Part) throw new InvalidDataException();
            var length = BinaryPrimitives.ReadInt32LittleEndian(content.Span[1..]);
            using var reader = new StreamReader(new DeflateStream(new MemoryStream(content.Slice(HeadSize, length).ToArray()), CompressionMode.Decompress));
            var text = reader.ReadToEnd();
            content = content[(HeadSize + length)..];
            return text;
        }
        catch (Exception e) when (e is InvalidDataException or ArgumentException)
        {
            throw new WeftException($"'{file}': what it says of its types is damaged", "build it again", ExitCode.Failure, e);
        }
    }

    private void Collect(DebugNode[] units)
    {
        var work = new Stack<DebugNode>(units);
        foreach (var function in module.Functions.Where(f => !f.IsDeclaration && f.Subprogram != 0))
        {
            var subprogram = module.DebugOf(function);
            work.Push(subprogram);
            AddSignature(function, subprogram);
        }
        while (work.TryPop(out var node))
        {
            if (!node.Exists || node.Kind is DebugNodeKind.Text or DebugNodeKind.Constant or DebugNodeKind.File || (int)node.Kind < (int)DebugNodeKind.Tuple || !seen.Add(node.Handle)) continue;
            if (node.Kind == DebugNodeKind.CompositeType) AddType(node);
            foreach (var operand in node.Operands) work.Push(operand);
        }
    }

    private void AddType(DebugNode type)
    {
        if (type.Tag is not (Structure or Class or Union or Enumeration) || type.TypeName.Length == 0 || LayoutOf(type) is not { } layout) return;
        lines["T " + NameOf(type)] = layout;
    }

    // Whoever calls what only this file knows has been compiled with it, and is the same only where the call is.
    private void AddSignature(Function function, DebugNode subprogram)
    {
        var symbol = function.Name;
        if (Array.Find(subprogram.Operands, o => o.Exists && o.Kind == DebugNodeKind.SubroutineType) is not { Exists: true } type) return;
        var types = Array.Find(type.Operands, o => o.Exists && o.Kind == DebugNodeKind.Tuple) is { Exists: true } list ? list.Operands : [];
        if (ClosureNames.LambdaOf(symbol) is { } lambda && types is [_, var self, ..]) AddLambda(lambda, self);
        var signature = types is [var result, .. var parameters] ? $"{Word(result)}({string.Join(',', parameters.Select(Word))})" : "void()";
        if (!IsMangled(symbol))
        {
            if (function.Linkage is not (Linkage.Internal or Linkage.Private)) lines["F " + symbol] = signature;
        }
        else if (TextOf(subprogram) is var name && (ClosureNames.IsIn(signature) || ClosureNames.IsIn(name))) lines["F " + symbol] = name + signature;
    }

    // C++ has no name for a lambda's type: it is what its operator() is called on.
    private void AddLambda(string name, DebugNode self)
    {
        while (self is { Exists: true, Kind: DebugNodeKind.DerivedType }) self = BaseOf(self);
        if (self is { Exists: true, Kind: DebugNodeKind.CompositeType, TypeName.Length: 0 } && LayoutOf(self) is { } layout) lines["T " + name] = layout;
    }

    private static bool IsMangled(string symbol) => symbol.StartsWith("_Z", StringComparison.Ordinal) || symbol.StartsWith("_R", StringComparison.Ordinal);

    /// <summary>Null for one that is only declared here.</summary>
    private string? LayoutOf(DebugNode type)
    {
        if (type.SizeInBits == 0 && type.Tag != Enumeration && !HasMembers(type)) return null;
        var text = new StringBuilder((type.SizeInBits / 8).ToString(CultureInfo.InvariantCulture));
        WriteMembers(text, type);
        return text.ToString();
    }

    private static bool HasMembers(DebugNode type) => Elements(type).Length > 0;

    private void WriteMembers(StringBuilder text, DebugNode type)
    {
        foreach (var element in Elements(type))
            if (element.Kind == DebugNodeKind.Enumerator) text.Append(' ').Append(TextOf(element)).Append('=').Append(ValueOf(element));
            else if (element.Kind == DebugNodeKind.CompositeType && element.Tag == VariantPart) WriteVariants(text, element);
            else if (element.Kind == DebugNodeKind.DerivedType) WriteMember(text, element);
    }

    // The tag, and for each of its values what lies behind it.
    private void WriteVariants(StringBuilder text, DebugNode part)
    {
        foreach (var operand in part.Operands)
            if (operand.Exists && operand.Kind == DebugNodeKind.DerivedType && operand.Tag == Member) WriteMember(text.Append(" tag"), operand);
        foreach (var variant in Elements(part))
            if (variant.Kind == DebugNodeKind.DerivedType) WriteMember(text.Append(" variant=").Append(NumbersOf(variant)), variant);
    }

    private void WriteMember(StringBuilder text, DebugNode member)
    {
        const int staticMember = 1 << 12;
        if ((member.Flags & staticMember) != 0) return;
        text.Append(' ').Append(member.TypeName).Append('@').Append(Offset(member.OffsetInBits)).Append(':').Append(Word(BaseOf(member)));
        if (member.SizeInBits % 8 != 0) text.Append('/').Append(member.SizeInBits); // a bit field
    }

    private static string Offset(ulong bits) => bits % 8 == 0 ? (bits / 8).ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{bits / 8}.{bits % 8}");

    /// <summary>A type as part of another's layout: what it points at has a line of its own.</summary>
    private string Word(DebugNode type)
    {
        if (!type.Exists) return "void";
        if (type.Kind == DebugNodeKind.BasicType) return type.TypeName;
        if (type.Kind == DebugNodeKind.SubroutineType) return "fn";
        if (type.Kind == DebugNodeKind.DerivedType) return type.Tag is Pointer or Reference or RvalueReference ? "*" + Pointee(BaseOf(type)) : type.Tag is Typedef or Const or Volatile or Restrict ? Word(BaseOf(type)) : type.TypeName;
        if (type.Kind != DebugNodeKind.CompositeType) return "?";
        if (type.Tag == ArrayTag) return string.Create(CultureInfo.InvariantCulture, $"{Word(BaseOf(type))}[{type.SizeInBits / 8}]");
        return type.TypeName.Length > 0 ? NameOf(type) : $"{{{LayoutOf(type)}}}";
    }

    private string Pointee(DebugNode type)
    {
        while (type is { Exists: true, Kind: DebugNodeKind.DerivedType, Tag: Typedef or Const or Volatile or Restrict }) type = BaseOf(type);
        return type is { Exists: true, Kind: DebugNodeKind.CompositeType } && type.TypeName.Length == 0 ? "" : Word(type);
    }

    private string NameOf(DebugNode type)
    {
        if (names.TryGetValue(type.Handle, out var known)) return known;
        var parts = new List<string> { type.TypeName };
        for (var scope = type.Operands[ScopeOperand]; scope.Exists && scope.Kind is DebugNodeKind.Namespace or DebugNodeKind.CompositeType or DebugNodeKind.Subprogram; scope = scope.Operands[ScopeOperand])
            if (TextOf(scope) is { Length: > 0 } part) parts.Add(part);
        parts.Reverse();
        return names[type.Handle] = string.Join("::", parts);
    }

    private static string TextOf(DebugNode node) => Array.Find(node.Operands, o => o.Exists && o.Kind == DebugNodeKind.Text) is { Exists: true } text ? text.Text : "";

    private static string NumbersOf(DebugNode node) => string.Join(',', node.Operands.Where(o => o.Exists && o.Kind == DebugNodeKind.Constant).Select(o => o.Number));

    // !DIEnumerator(name: "RED", value: 0): the C API has no other way to the number.
    private static string ValueOf(DebugNode enumerator) => enumerator.Print() is var text && text.LastIndexOf("value: ", StringComparison.Ordinal) is var at and >= 0 ? text[(at + 7)..].TrimEnd(')') : "";

    // Of operands that are types, the scope is not what a type is made of.
    private static DebugNode BaseOf(DebugNode type) =>
        type.Operands.Where((o, i) => i != ScopeOperand && o.Exists && o.Kind is DebugNodeKind.BasicType or DebugNodeKind.DerivedType or DebugNodeKind.CompositeType or DebugNodeKind.SubroutineType).FirstOrDefault();

    private static DebugNode[] Elements(DebugNode type) =>
        type.Operands.Where(o => o.Exists && o.Kind == DebugNodeKind.Tuple).Select(o => o.Operands).FirstOrDefault(list => Array.Exists(list, e => e.Exists && (e.Kind is DebugNodeKind.Enumerator or DebugNodeKind.DerivedType || e is { Kind: DebugNodeKind.CompositeType, Tag: VariantPart }))) ?? [];

    // A part of the section: a mark, how long it is, then compressed text.
    private static byte[] Write(IEnumerable<KeyValuePair<string, string>> lines)
    {
        using var memory = new MemoryStream();
        memory.Write([Part, 0, 0, 0, 0]);
        using (var deflate = new DeflateStream(memory, CompressionLevel.Optimal, leaveOpen: true))
            foreach (var (name, layout) in lines) deflate.Write(Encoding.UTF8.GetBytes($"{name}\t{layout}\n"));
        var part = memory.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(part.AsSpan(1), part.Length - HeadSize);
        return part;
    }
}
