namespace Weft.Llvm;

/// <summary>Where an instruction comes from, as the front end's debug information has it.</summary>
/// <param name="Handle">As <see cref="Instruction.DebugLocation"/> gives it.</param>
public readonly record struct DebugLocation(nint Handle)
{
    /// <summary>From 1; 0 for what the compiler made up.</summary>
    public int Line => (int)Native.LLVMDILocationGetLine(Handle);

    /// <summary>In bytes, from 1; 0 where nobody knows.</summary>
    public int Column => (int)Native.LLVMDILocationGetColumn(Handle);

    /// <summary>The file it lies in; null when the scope names none.</summary>
    public DebugFile? File => Native.LLVMDIScopeGetFile(Native.LLVMDILocationGetScope(Handle)) is var file and not 0 ? new DebugFile(file) : null;

    /// <summary>Where the function's own code stands that this was inlined into.</summary>
    public DebugLocation Outermost
    {
        get
        {
            var at = Handle;
            while (Native.LLVMDILocationGetInlinedAt(at) is var caller and not 0) at = caller;
            return new(at);
        }
    }
}

/// <summary>A source file of debug information.</summary>
public readonly unsafe record struct DebugFile(nint Handle)
{
    // Operands of a DIFile, in LLVM's order.
    private const int Checksum = 2, Operands = 4;

    /// <summary>As the front end names it.</summary>
    public string Name => LlvmLibrary.Text(Native.LLVMDIFileGetFilename(Handle, out var length), length);

    /// <summary>What the name is relative to, if it is.</summary>
    public string Directory => LlvmLibrary.Text(Native.LLVMDIFileGetDirectory(Handle, out var length), length);

    /// <summary>Where it was when it was compiled.</summary>
    public string Path => System.IO.Path.Combine(Directory, Name);

    /// <summary>In hexadecimal, of the text that was compiled: MD5, SHA-1 or SHA-256 by its length; null when the front end wrote none.</summary>
    public string? Digest(LlvmContext context)
    {
        var node = Native.LLVMMetadataAsValue(context.Handle, Handle);
        var count = Native.LLVMGetMDNodeNumOperands(node);
        if (count is <= Checksum or > Operands) return null;
        var operands = stackalloc nint[(int)count];
        Native.LLVMGetMDNodeOperands(node, operands);
        if (operands[Checksum] == 0) return null;
        var text = Native.LLVMGetMDString(operands[Checksum], out var length);
        return text == null ? null : LlvmLibrary.Text(text, length);
    }
}
