using Weft.Core;

namespace Weft.Hotpatch.Check;

/// <summary>The last step of weaving: what got room is replaceable in the object that came of it, or the build fails.</summary>
internal static class WovenCheck
{
    /// <exception cref="WeftException">Names the first function that is not replaceable, and why.</exception>
    public static void Run(byte[] objectFile)
    {
        if (Read(objectFile) is not { } code || (code.Processor == Processor.X86 && !QuickLook.IsSuspicious(code))) return;
        foreach (var verdict in FunctionCheck.Run(code))
            if (verdict is { IsWoven: true, Violations: [var violation, ..] })
                throw new WeftException(
                    $"hotpatch: '{Llvm.Demangler.Demangle(verdict.Function.Symbol)}' would not be replaceable: {violation.Why}",
                    $"leave it out with --hotpatch-never={verdict.Function.Symbol}");
    }

    private static MachineCode? Read(byte[] objectFile)
    {
        const string name = "object";
        if (ElfFile.TryRead(objectFile, name) is { } elf) return elf.IsRelocatable ? ElfCode.Read(elf, name) : null;
        return CoffFile.TryRead(objectFile) is { } coff ? CoffCode.Read(objectFile, coff, name) : null;
    }
}
