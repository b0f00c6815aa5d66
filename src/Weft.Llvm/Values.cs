namespace Weft.Llvm;

#pragma warning disable CA1711, MA0049 // LLVM's own names

public enum Linkage { External, AvailableExternally, LinkOnceAny, LinkOnceOdr, LinkOnceOdrAutoHide, WeakAny, WeakOdr, Appending, Internal, Private, DllImport, DllExport, ExternalWeak, Ghost, Common, LinkerPrivate, LinkerPrivateWeak }

public enum Visibility { Default, Hidden, Protected }

public enum TypeKind { Void, Half, Float, Double, X86Fp80, Fp128, PpcFp128, Label, Integer, Function, Struct, Array, Pointer, Vector, Metadata, Reserved, Token, ScalableVector, BFloat, X86Amx, TargetExt }

/// <summary>LLVM-C's stable opcode numbers.</summary>
public enum Opcode
{
    None, Ret = 1, Br, Switch, IndirectBr, Invoke, Unreachable = 7,
    Add = 8, FAdd, Sub, FSub, Mul, FMul, UDiv, SDiv, FDiv, URem, SRem, FRem, Shl, LShr, AShr, And, Or, Xor,
    Alloca = 26, Load, Store, GetElementPtr, Trunc, ZExt, SExt, FPToUI, FPToSI, UIToFP, SIToFP, FPTrunc, FPExt, PtrToInt, IntToPtr, BitCast,
    ICmp = 42, FCmp, Phi, Call, Select, UserOp1, UserOp2, VAArg, ExtractElement, InsertElement, ShuffleVector, ExtractValue, InsertValue, Fence, AtomicCmpXchg, AtomicRMW,
    Resume = 58, LandingPad, AddrSpaceCast, CleanupRet, CatchRet, CatchPad, CleanupPad, CatchSwitch, FNeg, CallBr, Freeze, PtrToAddr,
}

/// <summary>LLVM-C's numbers of integer comparisons.</summary>
public enum Predicate { Equal = 32, NotEqual, UnsignedGreater, UnsignedGreaterOrEqual, UnsignedLess, UnsignedLessOrEqual, SignedGreater, SignedGreaterOrEqual, SignedLess, SignedLessOrEqual }

public readonly record struct LlvmType(nint Handle)
{
    public TypeKind Kind => (TypeKind)Native.LLVMGetTypeKind(Handle);

    public int IntWidth => (int)Native.LLVMGetIntTypeWidth(Handle);

    public LlvmType Element => new(Native.LLVMGetElementType(Handle));

    public int VectorLength => (int)Native.LLVMGetVectorSize(Handle);

    public ulong ArrayLength => Native.LLVMGetArrayLength2(Handle);

    public int ElementCount => (int)Native.LLVMCountStructElementTypes(Handle);

    public LlvmType ElementAt(int index) => new(Native.LLVMStructGetTypeAtIndex(Handle, (uint)index));

    public Value Const(ulong value) => new(Native.LLVMConstInt(Handle, value, 0));

    public Value Null => new(Native.LLVMConstNull(Handle));

    /// <summary>As textual IR has it.</summary>
    public string Text => LlvmLibrary.TakeMessage(Native.LLVMPrintTypeToString(Handle));

    /// <summary>Of a function type.</summary>
    public LlvmType Result => new(Native.LLVMGetReturnType(Handle));

    /// <summary>Of a function type.</summary>
    public unsafe IReadOnlyList<LlvmType> Parameters
    {
        get
        {
            var types = new LlvmType[Native.LLVMCountParamTypes(Handle)];
            fixed (LlvmType* first = types) Native.LLVMGetParamTypes(Handle, (nint*)first);
            return types;
        }
    }

    public static unsafe LlvmType Function(LlvmType result, params ReadOnlySpan<LlvmType> parameters)
    {
        fixed (LlvmType* first = parameters) return new(Native.LLVMFunctionType(result.Handle, (nint*)first, (uint)parameters.Length, 0));
    }
}

public readonly unsafe record struct Attribute(nint Handle)
{
    /// <summary>Index of attributes on the function itself, as against its result (0) and parameters (1...).</summary>
    public const uint FunctionIndex = uint.MaxValue;

    public bool Exists => Handle != 0;

    public ulong EnumValue => Native.LLVMGetEnumAttributeValue(Handle);

    public string StringValue
    {
        get { var text = Native.LLVMGetStringAttributeValue(Handle, out var length); return LlvmLibrary.Text(text, length); }
    }

    /// <summary>The number of an enum attribute in the loaded library, or 0 when it has none of that name.</summary>
    public static uint Kind(ReadOnlySpan<byte> name)
    {
        fixed (byte* first = name) return Native.LLVMGetEnumAttributeKindForName(first, (nuint)name.Length);
    }
}

/// <summary>Any LLVM value. A null handle stands for "none".</summary>
public readonly unsafe record struct Value(nint Handle)
{
    public bool Exists => Handle != 0;

    public string Name => LlvmLibrary.Text(Native.LLVMGetValueName2(Handle, out var length), length);

    /// <summary>The name's bytes: symbols need not be UTF-8. Valid until the value is renamed or deleted.</summary>
    public ReadOnlySpan<byte> NameBytes
    {
        get { var start = Native.LLVMGetValueName2(Handle, out var length); return new(start, (int)length); }
    }

    public LlvmType Type => new(Native.LLVMTypeOf(Handle));

    public bool IsConstantInt => Native.LLVMIsAConstantInt(Handle) != 0;

    public bool IsConstant => Native.LLVMIsAConstant(Handle) != 0;

    public ulong ZExtValue => Native.LLVMConstIntGetZExtValue(Handle);

    public bool IsFunction => Native.LLVMIsAFunction(Handle) != 0;

    public bool IsAlias => Native.LLVMIsAGlobalAlias(Handle) != 0;

    public bool IsInlineAsm => Native.LLVMIsAInlineAsm(Handle) != 0;

    /// <summary>Of inline assembly: whether there are no instructions in it, or none that do more than compute.</summary>
    public bool IsSilentAsm
    {
        get
        {
            _ = Native.LLVMGetInlineAsmAsmString(Handle, out var length);
            return length == 0 || Native.LLVMGetInlineAsmHasSideEffects(Handle) == 0;
        }
    }

    /// <summary>Of inline assembly: whether there is not a single instruction in it, as in a barrier for the compiler.</summary>
    public bool IsEmptyAsm => string.IsNullOrWhiteSpace(LlvmLibrary.Text(Native.LLVMGetInlineAsmAsmString(Handle, out var length), length));

    public bool IsNullConstant => Native.LLVMIsNull(Handle) != 0;

    /// <summary>A constant byte string that ends in its only NUL, as C's literals do.</summary>
    public bool IsTerminatedString
    {
        get
        {
            // LLVMIsConstantString casts without looking.
            if (Native.LLVMIsAConstantDataArray(Handle) == 0 || Native.LLVMIsConstantString(Handle) == 0) return false;
            var start = Native.LLVMGetAsString(Handle, out var length);
            return new ReadOnlySpan<byte>(start, (int)length).IndexOf((byte)0) == (int)length - 1;
        }
    }

    /// <summary>Of a constant array of bytes.</summary>
    public ReadOnlySpan<byte> Bytes
    {
        get
        {
            if (Native.LLVMIsAConstantDataArray(Handle) == 0) return new byte[IsNullConstant ? Type.ArrayLength : 0];
            var start = Native.LLVMGetAsString(Handle, out var length);
            return new(start, (int)length);
        }
    }

    public int OperandCount => Native.LLVMGetNumOperands(Handle);

    public Value Operand(int index) => new(Native.LLVMGetOperand(Handle, (uint)index));

    public bool IsInstruction => Native.LLVMIsAInstruction(Handle) != 0;

    public Instruction AsInstruction => new(Handle);

    /// <summary>Everything that uses the value, constants too, once for each use; a snapshot.</summary>
    public List<Value> AllUsers
    {
        get
        {
            var list = new List<Value>();
            for (var use = Native.LLVMGetFirstUse(Handle); use != 0; use = Native.LLVMGetNextUse(use)) list.Add(new(Native.LLVMGetUser(use)));
            return list;
        }
    }

    /// <summary>The instructions that use the value, each once; a snapshot.</summary>
    public List<Instruction> Users
    {
        get
        {
            var seen = new HashSet<nint>();
            var list = new List<Instruction>();
            for (var use = Native.LLVMGetFirstUse(Handle); use != 0; use = Native.LLVMGetNextUse(use))
                if (Native.LLVMGetUser(use) is var user && Native.LLVMIsAInstruction(user) != 0 && seen.Add(user)) list.Add(new(user));
            return list;
        }
    }

    /// <summary>The global variable that a constant address lies in; none if it is not one.</summary>
    public GlobalVariable AddressedGlobal
    {
        get
        {
            var at = Handle;
            while (at != 0 && Native.LLVMIsAConstantExpr(at) != 0) at = Native.LLVMGetOperand(at, 0);
            return new(at == 0 ? 0 : Native.LLVMIsAGlobalVariable(at));
        }
    }

    /// <summary>A constant address as a constant number.</summary>
    public Value ToConstantInt(LlvmType type) => new(Native.LLVMConstPtrToInt(Handle, type.Handle));

    public bool HasUses => Native.LLVMGetFirstUse(Handle) != 0;

    public void ReplaceAllUsesWith(Value other) => Native.LLVMReplaceAllUsesWith(Handle, other.Handle);

    public Function AsFunction => new(Handle);

    public GlobalVariable AsGlobal => new(Handle);
}

public readonly unsafe record struct GlobalVariable(nint Handle)
{
    public Value AsValue => new(Handle);

    public bool Exists => Handle != 0;

    public string Name => AsValue.Name;

    public LlvmType ValueType => new(Native.LLVMGlobalGetValueType(Handle));

    public bool IsDeclaration => Native.LLVMIsDeclaration(Handle) != 0;

    /// <summary>Nothing may use it any more.</summary>
    public void Delete() => Native.LLVMDeleteGlobal(Handle);

    public bool IsThreadLocal => Native.LLVMIsThreadLocal(Handle) != 0;

    public bool IsConstant
    {
        get => Native.LLVMIsGlobalConstant(Handle) != 0;
        set => Native.LLVMSetGlobalConstant(Handle, value ? 1 : 0);
    }

    public bool HasComdat => Native.LLVMGetComdat(Handle) != 0;

    /// <summary>Puts the variable into a section group of its own name: of several in a program the linker keeps one.</summary>
    public void MakeGroup()
    {
        fixed (byte* name = (byte[])[.. AsValue.NameBytes, 0]) Native.LLVMSetComdat(Handle, Native.LLVMGetOrInsertComdat(Native.LLVMGetGlobalParent(Handle), name));
    }

    /// <summary>Ties the variable to a function: the linker keeps or drops, and deduplicates, both together.</summary>
    public void AttachTo(LlvmContext context, Function function)
    {
        if (Native.LLVMGetComdat(function.Handle) is var comdat and not 0) Native.LLVMSetComdat(Handle, comdat);
        uint kind;
        fixed (byte* name = "associated"u8) kind = Native.LLVMGetMDKindIDInContext(context.Handle, name, 10);
        var owner = Native.LLVMValueAsMetadata(function.Handle);
        Native.LLVMGlobalSetMetadata(Handle, kind, Native.LLVMMDNodeInContext2(context.Handle, &owner, 1));
    }

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

    public bool UnnamedAddress
    {
        get => Native.LLVMGetUnnamedAddress(Handle) == 2;
        set => Native.LLVMSetUnnamedAddress(Handle, value ? 2 : 0);
    }

    public Value Initializer
    {
        get => new(Native.LLVMGetInitializer(Handle));
        set => Native.LLVMSetInitializer(Handle, value.Handle);
    }

    public int Alignment
    {
        get => (int)Native.LLVMGetAlignment(Handle);
        set => Native.LLVMSetAlignment(Handle, (uint)value);
    }

    /// <summary>
    /// Gives the variable another value, which may be of another type: then there is a new variable in place of this one,
    /// with its name and all that is said of it but metadata.
    /// </summary>
    public GlobalVariable Replace(Value initializer)
    {
        if (initializer.Type == ValueType)
        {
            Native.LLVMSetInitializer(Handle, initializer.Handle);
            return this;
        }
        byte[] name = [.. AsValue.NameBytes];
        var other = new GlobalVariable(Native.LLVMAddGlobal(Native.LLVMGetGlobalParent(Handle), initializer.Type.Handle, "")) { Initializer = initializer, Linkage = Linkage, Visibility = Visibility, Alignment = Alignment, IsConstant = IsConstant };
        Native.LLVMSetSection(other.Handle, Native.LLVMGetSection(Handle));
        Native.LLVMSetComdat(other.Handle, Native.LLVMGetComdat(Handle));
        AsValue.ReplaceAllUsesWith(other.AsValue);
        Delete();
        fixed (byte* first = name) Native.LLVMSetValueName2(other.Handle, first, (nuint)name.Length);
        return other;
    }

    /// <summary>1 general, 2 local dynamic, 3 initial exec, 4 local exec.</summary>
    public int ThreadLocalMode { set => Native.LLVMSetThreadLocalMode(Handle, value); }

    public bool HasSection => Native.LLVMGetSection(Handle) is var s && s != null && *s != 0;

    /// <summary>The section that the front end chose; empty where it chose none.</summary>
    public string Section => HasSection ? LlvmLibrary.Text((nint)Native.LLVMGetSection(Handle)) : "";

    public void SetSection(ReadOnlySpan<byte> name)
    {
        var terminated = new byte[name.Length + 1];
        name.CopyTo(terminated);
        fixed (byte* s = terminated) Native.LLVMSetSection(Handle, s);
    }
}

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

public readonly record struct BasicBlock(nint Handle)
{
    public Instruction First => new(Native.LLVMGetFirstInstruction(Handle));

    public Instruction Last => new(Native.LLVMGetLastInstruction(Handle));

    public Function Parent => new(Native.LLVMGetBasicBlockParent(Handle));

    /// <summary>The blocks that lead here, each once; a snapshot.</summary>
    public List<BasicBlock> Predecessors
    {
        get
        {
            var list = new List<BasicBlock>();
            for (var use = Native.LLVMGetFirstUse(Native.LLVMBasicBlockAsValue(Handle)); use != 0; use = Native.LLVMGetNextUse(use))
                if (Native.LLVMGetUser(use) is var user && Native.LLVMIsATerminatorInst(user) != 0 && new Instruction(user).Block is var block && !list.Contains(block))
                    list.Add(block);
            return list;
        }
    }

    /// <summary>The first instruction that something may be inserted before; none in a block of a catchswitch.</summary>
    public Instruction FirstInsertion
    {
        get
        {
            foreach (var instruction in Instructions)
                if (instruction.Opcode == Opcode.CatchSwitch) return default;
                else if (instruction.Opcode is not (Opcode.Phi or Opcode.LandingPad or Opcode.CatchPad or Opcode.CleanupPad)) return instruction;
            return default;
        }
    }

    public Instruction Terminator => new(Native.LLVMGetBasicBlockTerminator(Handle));

    public InstructionList Instructions => new(Handle);
}

public readonly record struct Instruction(nint Handle)
{
    public bool Exists => Handle != 0;

    public Value AsValue => new(Handle);

    public Opcode Opcode => (Opcode)Native.LLVMGetInstructionOpcode(Handle);

    public Instruction Next => new(Native.LLVMGetNextInstruction(Handle));

    public BasicBlock Block => new(Native.LLVMGetInstructionParent(Handle));

    // Terminators

    public int SuccessorCount => (int)Native.LLVMGetNumSuccessors(Handle);

    public BasicBlock Successor(int index) => new(Native.LLVMGetSuccessor(Handle, (uint)index));

    public void SetSuccessor(int index, BasicBlock block) => Native.LLVMSetSuccessor(Handle, (uint)index, block.Handle);

    /// <summary>Of a conditional branch.</summary>
    public Value Condition
    {
        get => new(Native.LLVMGetCondition(Handle));
        set => Native.LLVMSetCondition(Handle, value.Handle);
    }

    // Phis

    public int IncomingCount => (int)Native.LLVMCountIncoming(Handle);

    public Value IncomingValue(int index) => new(Native.LLVMGetIncomingValue(Handle, (uint)index));

    public BasicBlock IncomingBlock(int index) => new(Native.LLVMGetIncomingBlock(Handle, (uint)index));

    /// <summary>What comes from a block; none if it does not lead here.</summary>
    public Value IncomingFrom(BasicBlock block)
    {
        for (var i = 0; i < IncomingCount; i++)
            if (IncomingBlock(i) == block) return IncomingValue(i);
        return default;
    }

    public unsafe void AddIncoming(Value value, BasicBlock block) => Native.LLVMAddIncoming(Handle, (nint*)&value, (nint*)&block, 1);

    // Others

    /// <summary>A load or store that nothing may reorder or drop, because it is volatile, or that other threads synchronise with.</summary>
    public bool IsSynchronising => Opcode is Opcode.Fence or Opcode.AtomicCmpXchg or Opcode.AtomicRMW
        || Opcode is Opcode.Load or Opcode.Store && (Native.LLVMGetVolatile(Handle) != 0 || Native.LLVMGetOrdering(Handle) != 0);

    /// <summary>Of an integer comparison.</summary>
    public Predicate Predicate => (Predicate)Native.LLVMGetICmpPredicate(Handle);

    /// <summary>What a getelementptr counts in.</summary>
    public LlvmType SourceElementType => new(Native.LLVMGetGEPSourceElementType(Handle));

    /// <summary>Line of the debug location; 0 without one.</summary>
    public int DebugLine => DebugLocation == 0 ? 0 : (int)Native.LLVMGetDebugLocLine(Handle);

    public Value CalledValue => new(Native.LLVMGetCalledValue(Handle));

    /// <summary>Of a call: its first operands are its arguments.</summary>
    public int ArgumentCount => (int)Native.LLVMGetNumArgOperands(Handle);

    public bool IsCall => Opcode is Opcode.Call or Opcode.Invoke or Opcode.CallBr;

    /// <summary>Of a call: whether neither it nor what it calls says that no exception comes out of it.</summary>
    public bool MayThrow => !Says("nounwind"u8);

    /// <summary>
    /// Of a call: whether it returns, without an exception, and did nothing but look at, or change, what its arguments point to: as LLVM knows of
    /// <c>strlen</c> and its kin.
    /// </summary>
    public bool IsSilent
    {
        get
        {
            const ulong argumentMemory = 0b11; // the lowest of LLVM's MemoryEffects, in every version
            if (MayThrow || !Says("willreturn"u8) || !Says("nocallback"u8)) return false;
            var memory = Attribute.Kind("memory"u8);
            var own = new Attribute(Native.LLVMGetCallSiteEnumAttribute(Handle, Attribute.FunctionIndex, memory));
            if (!own.Exists && CalledValue is { IsFunction: true } callee) own = callee.AsFunction.AttributeOf(memory);
            return own.Exists && (own.EnumValue & ~argumentMemory) == 0;
        }
    }

    /// <summary>Of a call: whether it never returns.</summary>
    public bool IsNoReturn => Says("noreturn"u8);

    private bool Says(ReadOnlySpan<byte> attribute) =>
        Attribute.Kind(attribute) is var kind && (HasCallSiteAttribute(kind) || CalledValue is { IsFunction: true } callee && callee.AsFunction.HasAttribute(kind));

    /// <summary>Whether the code generator may make a jump of it (<c>tail</c> or <c>musttail</c>), if nothing but a return follows.</summary>
    public bool MayBeTail => Opcode == Opcode.Call && Native.LLVMGetTailCallKind(Handle) is 1 or 2;

    /// <summary>A call that must be followed by its return at once.</summary>
    public bool IsMustTail => Opcode == Opcode.Call && Native.LLVMGetTailCallKind(Handle) == 2;

    /// <summary>The debug location, or 0.</summary>
    public nint DebugLocation => Native.LLVMInstructionGetDebugLoc(Handle);

    public LlvmType AllocatedType => new(Native.LLVMGetAllocatedType(Handle));

    public bool HasCallSiteAttribute(uint kind) => Native.LLVMGetCallSiteEnumAttribute(Handle, Attribute.FunctionIndex, kind) != 0;

    public void RemoveCallSiteAttribute(uint kind) => Native.LLVMRemoveCallSiteEnumAttribute(Handle, Attribute.FunctionIndex, kind);

    public void SetOperand(int index, Value value) => Native.LLVMSetOperand(Handle, (uint)index, value.Handle);

    /// <summary>The same instruction again, not yet in a block: see <see cref="Builder.Insert"/>.</summary>
    public Instruction Copy() => new(Native.LLVMInstructionClone(Handle));

    /// <summary>Takes it out of its block: see <see cref="Builder.Insert"/>.</summary>
    public void Remove() => Native.LLVMInstructionRemoveFromParent(Handle);

    public void Erase() => Native.LLVMInstructionEraseFromParent(Handle);
}

// Plain foreach without allocation: passes walk every instruction of every module.
public readonly record struct BlockList(nint Function)
{
    public Enumerator GetEnumerator() => new(Native.LLVMGetFirstBasicBlock(Function));

    public struct Enumerator(nint next)
    {
        private nint next = next;

        public BasicBlock Current { get; private set; }

        public bool MoveNext()
        {
            if (next == 0) return false;
            Current = new(next);
            next = Native.LLVMGetNextBasicBlock(next);
            return true;
        }
    }
}

/// <summary>The instructions of a block. Erasing or inserting before the current one while walking is safe.</summary>
public readonly record struct InstructionList(nint Block)
{
    public Enumerator GetEnumerator() => new(Native.LLVMGetFirstInstruction(Block));

    public struct Enumerator(nint next)
    {
        private nint next = next;

        public Instruction Current { get; private set; }

        public bool MoveNext()
        {
            if (next == 0) return false;
            Current = new(next);
            next = Native.LLVMGetNextInstruction(next);
            return true;
        }
    }
}
