using System.Text;
using Weft.Llvm;

namespace Weft.Tracing;

/// <summary>
/// What people want to know of a function, from the IR, where it is exact: its names, its source line (with -g) and the types
/// of its result and arguments. Written beside the code into a section that <see cref="SledMap"/> keeps out of memory; it
/// survives stripping of symbols and debug information. The runtime copies from it what a trace needs.
/// <code>
/// { u64 function, u32 types, u32 line, u16 bytes of symbol, u16 of name, u16 of file, u16 0, symbol, name, file, padding to 8 }
/// </code>
/// An address and not a distance: lld warns of each distance that it computes in a section that is not in memory.
/// </summary>
internal static class NameSection
{
    private const int LongestText = 16_000;

    public static ReadOnlySpan<byte> Section => "weft_trc_names"u8;

    public static void Add(Module module, Function function)
    {
        var context = module.Context;
        var tail = context.ConstBytes(Describe(function));
        var type = context.Struct(function.AsValue.Type, tail.Type);
        var global = module.AddGlobal(type, "weft.tracing.name");
        global.Initializer = context.ConstStruct(function.AsValue, tail);
        global.IsConstant = true;
        global.Linkage = Linkage.Private;
        global.Alignment = 8;
        global.SetSection(Section);
        global.AttachTo(context, function);
    }

    private static byte[] Describe(Function function)
    {
        var symbol = function.Name;
        var name = Demangler.Demangle(symbol);
        var (file, line) = function.Source ?? ("", 0);
        byte[] symbolBytes = Bytes(symbol), nameBytes = name == symbol ? [] : Bytes(name), fileBytes = Bytes(file);
        using var content = new MemoryStream();
        using var writer = new BinaryWriter(content);
        writer.Write(ValueTypes.Of(function));
        writer.Write((uint)line);
        writer.Write((ushort)symbolBytes.Length);
        writer.Write((ushort)nameBytes.Length);
        writer.Write((ushort)fileBytes.Length);
        writer.Write((ushort)0);
        writer.Write(symbolBytes);
        writer.Write(nameBytes);
        writer.Write(fileBytes);
        while (content.Length % 8 != 0) writer.Write((byte)0);
        return content.ToArray();
    }

    private static byte[] Bytes(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return bytes.Length <= LongestText ? bytes : bytes[..LongestText];
    }
}

/// <summary>The types of a function in 32 bits; see docs/tracing-format.md.</summary>
internal static class ValueTypes
{
    private const int Arguments = 7;

    public static uint Of(Function function)
    {
        var type = function.FunctionType;
        var types = Code(type.Result);
        var parameters = type.Parameters;
        for (var i = 0; i < Math.Min(parameters.Count, Arguments); i++)
        {
            var code = Code(parameters[i]);
            if (code == 0) break; // where the arguments behind it are is no longer certain
            types |= code << (4 + 4 * i);
        }
        return types;
    }

    private static uint Code(LlvmType type) => type.Kind switch
    {
        TypeKind.Integer => type.IntWidth switch { 1 => 1, 8 => 2, 16 => 3, 32 => 4, 64 => 5, _ => 0 },
        TypeKind.Pointer => 6,
        TypeKind.Float => 7,
        TypeKind.Double => 8,
        _ => 0,
    };
}
