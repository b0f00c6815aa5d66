namespace Weft.Llvm;

public readonly unsafe record struct Function(nint Handle)
{
    public Value AsValue => new(Handle);

    public string Name => AsValue.Name;

    public bool IsDeclaration => Native.LLVMIsDeclaration(Handle) != 0;

    public bool IsIntrinsic => Native.LLVMGetIntrinsicID(Handle) != 0;

    public uint IntrinsicId => Native.LLVMGetIntrinsicID(Handle);

    public bool HasComdat => Native.LLVMGetComdat(Handle) != 0;

    public void Delete() => Native.LLVMDeleteFunction(Handle);

    public void ClearComdat() => Native.LLVMSetComdat(Handle, 0);

    /// <summary>Puts the function into an ELF section group of its own, which is never taken for another of the same name.</summary>
    public void MakeGroup()
    {
        const int noDeduplicate = 3;
        nint comdat;
        fixed (byte* name = (byte[])[.. AsValue.NameBytes, 0]) comdat = Native.LLVMGetOrInsertComdat(Native.LLVMGetGlobalParent(Handle), name);
        Native.LLVMSetComdatSelectionKind(comdat, noDeduplicate);
        Native.LLVMSetComdat(Handle, comdat);
    }

    public LlvmType FunctionType => new(Native.LLVMGlobalGetValueType(Handle));

    public Value Parameter(int index) => new(Native.LLVMGetParam(Handle, (uint)index));

    /// <summary>Whether something lies right before the function's first instruction, or stands in its place.</summary>
    public bool HasPrefixOrPrologue => Native.LLVMHasPrefixData(Handle) != 0 || Native.LLVMHasPrologueData(Handle) != 0;

    /// <summary>Puts a constant before the function's symbol; the function's alignment is then that of the constant.</summary>
    public void SetPrefix(Value constant) => Native.LLVMSetPrefixData(Handle, constant.Handle);

    /// <summary>Puts a constant behind the function's symbol, which is executed.</summary>
    public void SetPrologue(Value constant) => Native.LLVMSetPrologueData(Handle, constant.Handle);

    public Linkage Linkage
    {
        get => (Linkage)Native.LLVMGetLinkage(Handle);
        set => Native.LLVMSetLinkage(Handle, (int)value);
    }

    public Visibility Visibility
    {
        get => (Visibility)Native.LLVMGetVisibility(Handle);
        set => Native.LLVMSetVisibility(Handle, (int)value);
    }

    public bool HasSection => AsValue.AsGlobal.HasSection;

    public BasicBlock Entry => new(Native.LLVMGetEntryBasicBlock(Handle));

    /// <summary>The function's debug scope, or 0.</summary>
    public nint Subprogram => Native.LLVMGetSubprogram(Handle);

    /// <summary>Source file and line, when the front end was asked for debug information.</summary>
    public (string File, int Line)? Source
    {
        get
        {
            if (Subprogram is not (var scope and not 0) || Native.LLVMDIScopeGetFile(scope) is not (var file and not 0)) return null;
            var name = Native.LLVMDIFileGetFilename(file, out var length);
            var folder = Native.LLVMDIFileGetDirectory(file, out var folderLength);
            return (System.IO.Path.Combine(LlvmLibrary.Text(folder, folderLength), LlvmLibrary.Text(name, length)), (int)Native.LLVMDISubprogramGetLine(scope));
        }
    }

    /// <summary>The file that the function begins in; null without debug information.</summary>
    public DebugFile? SourceFile => Subprogram is var scope and not 0 && Native.LLVMDIScopeGetFile(scope) is var file and not 0 ? new DebugFile(file) : null;

    public BlockList Blocks => new(Handle);

    /// <summary>Whether every use of the function is a call of it by name, from its own module.</summary>
    public bool IsOnlyCalled => Linkage is Linkage.Internal or Linkage.Private && !IsAddressTaken;

    /// <summary>Whether the module uses the function but to call it by name.</summary>
    public bool IsAddressTaken
    {
        get
        {
            foreach (var user in AsValue.AllUsers)
                if (!user.IsInstruction || !user.AsInstruction.IsCall || user.AsInstruction.CalledValue != AsValue || PassesItself(user)) return true;
            return false;
        }
    }

    private bool PassesItself(Value call)
    {
        for (var i = 0; i < call.OperandCount - 1; i++) // the last operand of a call is what it calls
            if (call.Operand(i) == AsValue) return true;
        return false;
    }

    public bool HasPersonality => Native.LLVMHasPersonalityFn(Handle) != 0;

    /// <summary>An empty block at the end; where it lies says nothing about where its code will.</summary>
    public BasicBlock AppendBlock(LlvmContext context)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMAppendBasicBlockInContext(context.Handle, Handle, name));
    }

    public Attribute AttributeOf(uint kind) => new(Native.LLVMGetEnumAttributeAtIndex(Handle, Attribute.FunctionIndex, kind));

    public bool HasAttribute(uint kind) => Native.LLVMGetEnumAttributeAtIndex(Handle, Attribute.FunctionIndex, kind) != 0;

    public bool HasAttribute(ReadOnlySpan<byte> name) => Attribute.Kind(name) is var kind and not 0 && HasAttribute(kind);

    public string? StringAttribute(ReadOnlySpan<byte> key) => StringAttribute(Attribute.FunctionIndex, key);

    /// <summary>Of a parameter.</summary>
    public string? StringAttribute(int parameter, ReadOnlySpan<byte> key) => StringAttribute((uint)parameter + 1, key);

    private string? StringAttribute(uint index, ReadOnlySpan<byte> key)
    {
        fixed (byte* k = key)
        {
            var attribute = new Attribute(Native.LLVMGetStringAttributeAtIndex(Handle, index, k, (uint)key.Length));
            return attribute.Exists ? attribute.StringValue : null;
        }
    }

    public void Add(Attribute attribute) => Native.LLVMAddAttributeAtIndex(Handle, Attribute.FunctionIndex, attribute.Handle);

    /// <summary>Gives it to a parameter.</summary>
    public void Add(int parameter, Attribute attribute) => Native.LLVMAddAttributeAtIndex(Handle, (uint)parameter + 1, attribute.Handle);

    public void RemoveAttribute(uint kind) => Native.LLVMRemoveEnumAttributeAtIndex(Handle, Attribute.FunctionIndex, kind);

    public void RemoveStringAttribute(ReadOnlySpan<byte> key) => RemoveStringAttribute(Attribute.FunctionIndex, key);

    /// <summary>From a parameter.</summary>
    public void RemoveStringAttribute(int parameter, ReadOnlySpan<byte> key) => RemoveStringAttribute((uint)parameter + 1, key);

    private void RemoveStringAttribute(uint index, ReadOnlySpan<byte> key)
    {
        fixed (byte* k = key) Native.LLVMRemoveStringAttributeAtIndex(Handle, index, k, (uint)key.Length);
    }

    /// <summary>Number of an intrinsic family by its base name ("llvm.memcpy"), 0 when the library has none.</summary>
    public static uint LookupIntrinsic(ReadOnlySpan<byte> name)
    {
        fixed (byte* first = name) return Native.LLVMLookupIntrinsicID(first, (nuint)name.Length);
    }

    /// <summary>The base names of all intrinsics that the library knows.</summary>
    public static IReadOnlyList<string> IntrinsicNames
    {
        get
        {
            // Numbers go by target and name, and nothing comes after XCore's; LLVM-C does not say how many there are.
            var names = new string[LookupIntrinsic("llvm.xcore.zext"u8)];
            for (var i = 0; i < names.Length; i++) names[i] = NameOfIntrinsic((uint)i + 1);
            return names;
        }
    }

    /// <summary>Of an intrinsic: its name without the types in it.</summary>
    public string IntrinsicName => NameOfIntrinsic(IntrinsicId);

    private static string NameOfIntrinsic(uint id) => LlvmLibrary.Text(Native.LLVMIntrinsicGetName(id, out var length), length);
}
