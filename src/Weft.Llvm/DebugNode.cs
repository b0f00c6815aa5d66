namespace Weft.Llvm;

/// <summary>Kinds of metadata, as llvm-c/DebugInfo.h numbers them.</summary>
public enum DebugNodeKind
{
    Text = 0,
    Constant = 1,
    Tuple = 4,
    Enumerator = 10,
    BasicType = 11,
    DerivedType = 12,
    CompositeType = 13,
    SubroutineType = 14,
    File = 15,
    CompileUnit = 16,
    Subprogram = 17,
    Namespace = 20,
}

/// <summary>A node of debug information, of which the C API knows little more than that it has operands.</summary>
public readonly unsafe record struct DebugNode(nint Context, nint Handle)
{
    public bool Exists => Handle != 0;

    public DebugNodeKind Kind => (DebugNodeKind)Native.LLVMGetMetadataKind(Handle);

    /// <summary>DWARF's number of what it is; 0 for what DWARF does not know.</summary>
    public int Tag => Native.LLVMGetDINodeTag(Handle);

    /// <summary>Name of a type.</summary>
    public string TypeName => LlvmLibrary.Text((byte*)Native.LLVMDITypeGetName(Handle, out var length), length);

    public ulong SizeInBits => Native.LLVMDITypeGetSizeInBits(Handle);

    public ulong OffsetInBits => Native.LLVMDITypeGetOffsetInBits(Handle);

    /// <summary>LLVM's DIFlags of a type.</summary>
    public int Flags => Native.LLVMDITypeGetFlags(Handle);

    /// <summary>A number among the operands of another.</summary>
    public ulong Number => Native.LLVMIsAConstantInt(AsValue) is var constant and not 0 ? Native.LLVMConstIntGetZExtValue(constant) : 0;

    public string Text => LlvmLibrary.Text(Native.LLVMGetMDString(AsValue, out var length), length);

    /// <summary>What it is made of, in LLVM's order; what is missing does not exist.</summary>
    public DebugNode[] Operands
    {
        get
        {
            var value = AsValue;
            var values = new nint[Native.LLVMGetMDNodeNumOperands(value)];
            fixed (nint* first = values) Native.LLVMGetMDNodeOperands(value, first);
            var context = Context;
            return Array.ConvertAll(values, v => new DebugNode(context, v == 0 ? 0 : Native.LLVMValueAsMetadata(v)));
        }
    }

    /// <summary>As LLVM's textual IR has it.</summary>
    public string Print() => LlvmLibrary.TakeMessage(Native.LLVMPrintValueToString(AsValue));

    private nint AsValue => Native.LLVMMetadataAsValue(Context, Handle);
}
