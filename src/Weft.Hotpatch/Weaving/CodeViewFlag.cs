using System.Buffers.Binary;
using System.Text;
using Weft.Llvm;

namespace Weft.Hotpatch.Weaving;

/// <summary>
/// Says of a COFF object that its functions may be replaced: bit 14, HotPatch, of the record S_COMPILE3 in .debug$S. Linkers give the
/// room that <c>/functionpadmin</c> asks for to such objects only (lld/COFF/InputFiles.cpp, ObjFile::initializeFlags). LLVM writes the
/// record without that bit, and only where CodeView is asked for.
/// </summary>
internal static class CodeViewFlag
{
    private const uint Signature = 4, Symbols = 0xF1, HotPatch = 1 << 14;
    private const ushort Compile3 = 0x113C, Amd64 = 0x8664, Arm64 = 0xAA64, CvAmd64 = 0xD0, CvArm64 = 0xF6;
    private const string Section = ".debug$S";

    /// <summary>For a module that LLVM will write no such record for.</summary>
    public static void Add(Module module)
    {
        if (module.HasFlag("CodeView")) return;
        var record = module.Context.ConstBytes(Record(module.Triple.StartsWith("x86_64", StringComparison.Ordinal) ? CvAmd64 : CvArm64));
        var global = module.AddGlobal(record.Type, "weft.hotpatch.compile3");
        global.Initializer = record;
        global.IsConstant = true;
        global.Linkage = Linkage.Private;
        global.SetSection(Encoding.ASCII.GetBytes(Section));
        module.KeepInObject(global);
    }

    /// <summary>Sets the bit in every record that LLVM has written. Works in place; anything but a COFF object stays as it was.</summary>
    public static bool Set(byte[] objectFile)
    {
        var changed = false;
        foreach (var (offset, size) in DebugSections(objectFile)) changed |= SetIn(objectFile.AsSpan(offset, size));
        return changed;
    }

    private static bool SetIn(Span<byte> section)
    {
        var changed = false;
        if (section.Length < 4 || U32(section) != Signature) return false;
        for (var at = 4; at + 8 <= section.Length;)
        {
            uint kind = U32(section[at..]), size = U32(section[(at + 4)..]);
            at += 8;
            if (size > section.Length - at) return changed;
            if (kind == Symbols) changed |= SetInSymbols(section.Slice(at, (int)size));
            at += ((int)size + 3) & ~3;
        }
        return changed;
    }

    private static bool SetInSymbols(Span<byte> records)
    {
        for (var at = 0; at + 8 <= records.Length; at += 2 + U16(records[at..]))
        {
            if (U16(records[(at + 2)..]) != Compile3) continue;
            BinaryPrimitives.WriteUInt32LittleEndian(records[(at + 4)..], U32(records[(at + 4)..]) | HotPatch);
            return true;
        }
        return false;
    }

    // IMAGE_FILE_HEADER, or ANON_OBJECT_HEADER_BIGOBJ for many sections, and IMAGE_SECTION_HEADER of the PE format.
    private static List<(int Offset, int Size)> DebugSections(byte[] file)
    {
        const int header = 40;
        var list = new List<(int Offset, int Size)>();
        if (file.Length < 56) return list;
        var isBig = U32(file) == 0xFFFF0000;
        if (U16(file.AsSpan(isBig ? 6 : 0)) is not (Amd64 or Arm64)) return list;
        var count = isBig ? U32(file.AsSpan(44)) : U16(file.AsSpan(2));
        var at = isBig ? 56 : 20;
        for (var i = 0; i < count && at + header <= file.Length; i++, at += header)
        {
            uint size = U32(file.AsSpan(at + 16)), offset = U32(file.AsSpan(at + 20));
            if (file.AsSpan(at).StartsWith(".debug$S"u8) && offset <= file.Length && size <= file.Length - offset) list.Add(((int)offset, (int)size));
        }
        return list;
    }

    private static ushort U16(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16LittleEndian(bytes);

    private static uint U32(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    // struct SYMTYPE and CFLAGSYM3 of Microsoft's cvinfo.h.
    private static byte[] Record(ushort machine)
    {
        var text = "weft\0"u8;
        var record = new byte[(2 + 4 + 2 + 8 * 2 + text.Length + 2 + 3) & ~3];
        BinaryPrimitives.WriteUInt16LittleEndian(record, (ushort)(record.Length - 2));
        BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(2), Compile3);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(4), HotPatch);
        BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(8), machine);
        text.CopyTo(record.AsSpan(26));
        var bytes = new byte[12 + record.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Signature);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), Symbols);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), (uint)record.Length);
        record.CopyTo(bytes.AsSpan(12));
        return bytes;
    }
}
