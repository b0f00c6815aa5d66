using System.Buffers.Binary;
using System.Text;
using Weft.Hotpatch.Check;
using Weft.Llvm;

namespace Weft.Hotpatch.Weaving;

/// <summary>
/// Says of a COFF object that its functions may be replaced: bit 14, HotPatch, of the record S_COMPILE3 in .debug$S. Linkers give the
/// room that <c>/functionpadmin</c> asks for to such objects only (lld/COFF/InputFiles.cpp, ObjFile::initializeFlags). LLVM writes the
/// record without that bit, and only for a module with compile units.
/// </summary>
internal static class CodeViewFlag
{
    private const uint Signature = 4, Symbols = 0xF1, HotPatch = 1 << 14;
    private const ushort Compile3 = 0x113C, Amd64 = 0xD0;
    private const string Section = ".debug$S";

    private delegate bool RecordAction(Span<byte> flags);

    /// <summary>For a module that LLVM will write no such record for.</summary>
    public static void Add(Module module)
    {
        if (module.HasNamedMetadata("llvm.dbg.cu")) return;
        var record = module.Context.ConstBytes(Record());
        var global = module.AddGlobal(record.Type, "weft.hotpatch.compile3");
        global.Initializer = record;
        global.IsConstant = true;
        global.Linkage = Linkage.Private;
        global.SetSection(Encoding.ASCII.GetBytes(Section));
        module.KeepInObject(global);
    }

    /// <summary>Sets the bit in every record that LLVM has written. Works in place; anything but a COFF object stays as it was.</summary>
    public static bool Set(byte[] objectFile) => ForRecords(objectFile, static flags =>
    {
        BinaryPrimitives.WriteUInt32LittleEndian(flags, U32(flags) | HotPatch);
        return true;
    });

    /// <summary>Whether the bit is set.</summary>
    public static bool IsSet(byte[] objectFile) => ForRecords(objectFile, static flags => (U32(flags) & HotPatch) != 0);

    private static bool ForRecords(byte[] objectFile, RecordAction action)
    {
        var any = false;
        if (CoffFile.TryRead(objectFile) is not { } coff) return any;
        foreach (var section in coff.Sections().Where(s => s.Name == Section)) any |= ForRecords(objectFile.AsSpan(section.Offset, section.Size), action);
        return any;
    }

    private static bool ForRecords(Span<byte> section, RecordAction action)
    {
        var any = false;
        if (section.Length < 4 || U32(section) != Signature) return any;
        for (var at = 4; at + 8 <= section.Length;)
        {
            uint kind = U32(section[at..]), size = U32(section[(at + 4)..]);
            at += 8;
            if (size > section.Length - at) return any;
            if (kind == Symbols) any |= ForRecord(section.Slice(at, (int)size), action);
            at += ((int)size + 3) & ~3;
        }
        return any;
    }

    private static bool ForRecord(Span<byte> records, RecordAction action)
    {
        for (var at = 0; at + 8 <= records.Length; at += 2 + U16(records[at..]))
            if (U16(records[(at + 2)..]) == Compile3)
                return action(records.Slice(at + 4, 4));
        return false;
    }

    private static ushort U16(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16LittleEndian(bytes);

    private static uint U32(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    // struct SYMTYPE and CFLAGSYM3 of Microsoft's cvinfo.h.
    private static byte[] Record()
    {
        var text = "weft\0"u8;
        var record = new byte[(2 + 4 + 2 + 8 * 2 + text.Length + 2 + 3) & ~3];
        BinaryPrimitives.WriteUInt16LittleEndian(record, (ushort)(record.Length - 2));
        BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(2), Compile3);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(4), HotPatch);
        BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(8), Amd64);
        text.CopyTo(record.AsSpan(26));
        var bytes = new byte[12 + record.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Signature);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), Symbols);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), (uint)record.Length);
        record.CopyTo(bytes.AsSpan(12));
        return bytes;
    }
}
