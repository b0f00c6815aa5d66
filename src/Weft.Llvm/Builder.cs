namespace Weft.Llvm;

/// <summary>Inserts instructions. Every insertion carries the location set last, which calls in functions with debug information need.</summary>
public sealed unsafe class Builder(LlvmContext context) : IDisposable
{
    private readonly nint handle = Native.LLVMCreateBuilderInContext(context.Handle);

    public void Before(Instruction instruction) => Native.LLVMPositionBuilderBefore(handle, instruction.Handle);

    /// <summary>Before all of a block, debug records too: they may not stand between phis.</summary>
    public void AtStart(BasicBlock block) => Native.LLVMPositionBuilderBeforeInstrAndDbgRecords(handle, block.First.Handle);

    public void AtEnd(BasicBlock block) => Native.LLVMPositionBuilderAtEnd(handle, block.Handle);

    /// <summary>Sets a location that LLVM or the front end made.</summary>
    public void SetLocation(nint location) => Native.LLVMSetCurrentDebugLocation2(handle, location);

    /// <summary>Sets line 0 ("made by the compiler") in the function's scope, or no location when it has none.</summary>
    public void SetArtificialLocation(Function function)
    {
        var scope = function.Subprogram;
        SetLocation(scope == 0 ? 0 : Native.LLVMDIBuilderCreateDebugLocation(context.Handle, 0, 0, scope, 0));
    }

    public Value Alloca(LlvmType type)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMBuildAlloca(handle, type.Handle, name));
    }

    public Value Load(LlvmType type, Value pointer)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMBuildLoad2(handle, type.Handle, pointer.Handle, name));
    }

    public void Store(Value value, Value pointer) => Native.LLVMBuildStore(handle, value.Handle, pointer.Handle);

    public Value Add(Value left, Value right) => Binary(Opcode.Add, left, right);

    public Value Sub(Value left, Value right) => Binary(Opcode.Sub, left, right);

    public Value Mul(Value left, Value right) => Binary(Opcode.Mul, left, right);

    /// <summary>An integer operation of two operands, without flags; constants are folded.</summary>
    public Value Binary(Opcode opcode, Value left, Value right)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMBuildBinOp(handle, (int)opcode, left.Handle, right.Handle, name));
    }

    public Value Compare(Predicate predicate, Value left, Value right)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMBuildICmp(handle, (int)predicate, left.Handle, right.Handle, name));
    }

    public Value Select(Value condition, Value then, Value otherwise)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMBuildSelect(handle, condition.Handle, then.Handle, otherwise.Handle, name));
    }

    /// <summary>An integer made wider by zeros, narrower by cutting, or left alone.</summary>
    public Value Resize(Value integer, LlvmType type)
    {
        int from = integer.Type.IntWidth, to = type.IntWidth;
        fixed (byte* name = "\0"u8)
            return from == to ? integer : new(from < to ? Native.LLVMBuildZExt(handle, integer.Handle, type.Handle, name) : Native.LLVMBuildTrunc(handle, integer.Handle, type.Handle, name));
    }

    public Value PointerToInt(Value pointer, LlvmType type)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMBuildPtrToInt(handle, pointer.Handle, type.Handle, name));
    }

    public Value IntToPointer(Value integer)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMBuildIntToPtr(handle, integer.Handle, context.Pointer.Handle, name));
    }

    /// <summary>A pointer some bytes on.</summary>
    public Value Advance(Value pointer, Value bytes)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMBuildGEP2(handle, context.Int(8).Handle, pointer.Handle, (nint*)&bytes, 1, name));
    }

    public Value Phi(LlvmType type)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMBuildPhi(handle, type.Handle, name));
    }

    /// <summary>Inserts a clone, or what was removed from its block. It keeps its own location.</summary>
    public void Insert(Instruction instruction)
    {
        SetLocation(0);
        Native.LLVMInsertIntoBuilder(handle, instruction.Handle);
    }

    public void Branch(BasicBlock target) => Native.LLVMBuildBr(handle, target.Handle);

    public Instruction Branch(Value condition, BasicBlock then, BasicBlock otherwise) => new(Native.LLVMBuildCondBr(handle, condition.Handle, then.Handle, otherwise.Handle));

    public Instruction Call(Function function, params ReadOnlySpan<Value> arguments)
    {
        fixed (byte* name = "\0"u8)
        fixed (Value* first = arguments)
            return new(Native.LLVMBuildCall2(handle, function.FunctionType.Handle, function.Handle, (nint*)first, (uint)arguments.Length, name));
    }

    public Instruction Invoke(Function function, BasicBlock then, BasicBlock pad, params ReadOnlySpan<Value> arguments)
    {
        fixed (byte* name = "\0"u8)
        fixed (Value* first = arguments)
            return new(Native.LLVMBuildInvoke2(handle, function.FunctionType.Handle, function.Handle, (nint*)first, (uint)arguments.Length, then.Handle, pad.Handle, name));
    }

    public void Dispose() => Native.LLVMDisposeBuilder(handle);
}
