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
