using System.Buffers.Binary;

namespace Weft.Hotpatch.Check;

/// <summary>
/// Whether functions of x86_64 with Weft's room could be anything but replaceable, without taking instructions apart, since a compiler
/// waits for the answer: bytes that would be a branch to a function's first two are looked for everywhere in it, also
/// where they are part of something else. Guarantee: what it finds nothing in, <see cref="FunctionCheck"/> finds nothing in either.
/// </summary>
internal static class QuickLook
{
    private const int Bytes = 2;
    private static readonly X86Rules Rules = new();

    public static bool IsSuspicious(MachineCode code)
    {
        foreach (var function in code.Functions)
            if (Rules.IsWoven(function.Section.Between(function.Section.Start, function.Entry), function.Entry, isFilled: false) && IsSuspicious(function))
                return true;
        return false;
    }

    private static bool IsSuspicious(CodeFunction function)
    {
        var section = function.Section;
        var bytes = function.Size > 0 ? section.Between(function.Entry, function.Entry + function.Size) : section.From(function.Entry);
        var point = Rules.SizeOfMark(bytes);
        return bytes.Length < point + Bytes || (function.Entry + (ulong)point) % 2 != 0 || section.Alignment % 2 != 0 || IsWhole(bytes[point])
            || Leads(bytes, point + Bytes) || IsReferred(function, (ulong)(point + Bytes));
    }

    private static bool IsReferred(CodeFunction function, ulong end)
    {
        foreach (var reference in function.Section.References)
            if (reference is { ByName: false, Target: { } target } && target - function.Entry < end)
                return true;
        return false;
    }

    // The distance is the last part of a branch, and counts from there.
    private static bool Leads(ReadOnlySpan<byte> bytes, int end)
    {
        for (var next = 2; next <= Math.Min(bytes.Length, end + 128); next++)
            if (IsShort(bytes[next - 2]) && (uint)(next + (sbyte)bytes[next - 1]) < (uint)end)
                return true;
        for (var next = 5; next <= bytes.Length; next++)
            if (next + BinaryPrimitives.ReadInt32LittleEndian(bytes[(next - 4)..]) is >= 0 and var target && target < end && IsLong(bytes[next - 5], target))
                return true;
        return false;
    }

    // jo to jg, loopne, loope, loop, jrcxz, jmp.
    private static bool IsShort(byte opcode) => opcode is >= 0x70 and <= 0x7F or >= 0xE0 and <= 0xE3 or 0xEB;

    // jmp; jo to jg behind 0F; call, which may lead to the entry.
    private static bool IsLong(byte opcode, int target) => opcode is 0xE9 or >= 0x80 and <= 0x8F || (opcode == 0xE8 && target != 0);

    /// <summary>Whether a byte is an instruction by itself, or a prefix, behind which anything may follow.</summary>
    internal static bool IsWhole(byte first) => first switch
    {
        >= 0x50 and <= 0x5F or >= 0x6C and <= 0x6F or >= 0x90 and <= 0x9F or >= 0xA4 and <= 0xA7 or >= 0xAA and <= 0xAF => true,
        0xC3 or 0xC9 or 0xCB or 0xCC or 0xCE or 0xCF or 0xD6 or 0xD7 or >= 0xEC and <= 0xEF or 0xF1 or 0xF4 or 0xF5 or >= 0xF8 and <= 0xFD => true,
        0x06 or 0x07 or 0x0E or 0x16 or 0x17 or 0x1E or 0x1F or 0x27 or 0x2F or 0x37 or 0x3F or 0x60 or 0x61 => true,
        _ => false,
    };
}
