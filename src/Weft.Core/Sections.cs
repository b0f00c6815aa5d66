using System.Text;
using Weft.Llvm;

namespace Weft.Core;

/// <summary>
/// Gives each function and each plain global a section of its own, as -ffunction-sections and -fdata-sections do; LLVM's
/// C API has no switch for it.
/// <code>
/// define void @f()                          define void @f() section ".text.f"
/// define void @h() ; with a switch          define void @h() section ".text.h" comdat ; $h = comdat nodeduplicate
/// @g = global i32 1                 ==>     @g = global i32 1, section ".data.g"
/// @s = private unnamed_addr constant [3 x i8] c"ab\00"   (left: the linker merges it with its equals)
/// </code>
/// The group of one is for the jump table, which LLVM gives a section of its own for a member of a group only: in the
/// common .rodata, the tables keep every function they point into from being dropped by the linker.
/// Left alone: what names a section already, comdat members (their group is the unit the linker drops), thread-locals,
/// and constants that LLVM places in mergeable sections.
/// </summary>
internal static class Sections
{
    public static void Assign(Module module)
    {
        if (!TargetSystem.IsElf(module.Triple)) return;
        foreach (var function in module.Functions)
        {
            if (function.IsDeclaration || function.HasSection || function.HasComdat || function.Linkage == Linkage.AvailableExternally) continue;
            if (MayHaveJumpTable(function)) function.MakeGroup();
            function.AsValue.AsGlobal.SetSection(Named(function.HasAttribute("cold"u8) ? ".text.unlikely." : ".text.", function.AsValue));
        }
        foreach (var global in module.Globals)
            if (PrefixFor(global) is { } prefix)
                global.SetSection(Named(prefix, global.AsValue));
    }

    private static bool MayHaveJumpTable(Function function)
    {
        if (function.Linkage == Linkage.Private) return false; // its name is no symbol that a group could go by
        foreach (var block in function.Blocks)
            if (block.Terminator.Opcode == Opcode.Switch)
                return true;
        return false;
    }

    private static string? PrefixFor(GlobalVariable global)
    {
        if (global.IsDeclaration || global.HasSection || global.HasComdat || global.IsThreadLocal) return null;
        if (global.Linkage is Linkage.AvailableExternally or Linkage.Common or Linkage.Appending || IsLlvmOwn(global)) return null;
        var initialiser = global.Initializer;
        if (!global.IsConstant) return initialiser.IsNullConstant ? ".bss." : HasRelocations(initialiser) ? ".data.rel." : ".data.";
        if (HasRelocations(initialiser)) return ".data.rel.ro.";
        return IsMergeable(global, initialiser) ? null : ".rodata.";
    }

    private static bool IsLlvmOwn(GlobalVariable global) => global.AsValue.NameBytes.StartsWith("llvm."u8);

    // Addresses of other symbols need the loader's help, so such constants cannot live in a read-only section.
    private static bool HasRelocations(Value constant)
    {
        switch (constant.Type.Kind)
        {
            case TypeKind.Pointer:
                return !constant.IsNullConstant;
            case TypeKind.Struct or TypeKind.Array or TypeKind.Vector:
                for (var i = 0; i < constant.OperandCount; i++)
                    if (HasRelocations(constant.Operand(i)))
                        return true;
                return false;
            default:
                return constant.OperandCount > 0; // a constant expression over addresses
        }
    }

    /// <summary>LLVM's own rule: unnamed, without relocations, a string of one width or 4, 8, 16 or 32 bytes.</summary>
    private static bool IsMergeable(GlobalVariable global, Value initialiser) =>
        global.UnnamedAddress && ((global.ValueType.Kind == TypeKind.Array && initialiser.IsTerminatedString) || SizeOf(global.ValueType) is 4 or 8 or 16 or 32);

    private static ulong SizeOf(LlvmType type) => type.Kind switch
    {
        TypeKind.Integer => (ulong)(type.IntWidth + 7) / 8,
        TypeKind.Float => 4,
        TypeKind.Double => 8,
        TypeKind.Array => type.ArrayLength * SizeOf(type.Element),
        TypeKind.Struct when type.ElementCount == 1 => SizeOf(type.ElementAt(0)), // rustc wraps its bytes: <{ [16 x i8] }>
        _ => 0,
    };

    private static byte[] Named(string prefix, Value value) => [.. Encoding.ASCII.GetBytes(prefix), .. value.NameBytes is { Length: > 0 } name ? name : "anon"u8];
}
