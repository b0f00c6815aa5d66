namespace Weft.Llvm;

/// <summary>Inserts instructions. Every insertion carries the location set last, which calls in functions with debug information need.</summary>
public sealed unsafe class Builder(LlvmContext context) : IDisposable
{
    private readonly nint handle = Native.LLVMCreateBuilderInContext(context.Handle);

    public void Before(Instruction instruction) => Native.LLVMPositionBuilderBefore(handle, instruction.Handle);

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

    public Value Add(Value left, Value right)
    {
        fixed (byte* name = "\0"u8) return new(Native.LLVMBuildAdd(handle, left.Handle, right.Handle, name));
    }

    public Instruction Call(Function function, params ReadOnlySpan<Value> arguments)
    {
        fixed (byte* name = "\0"u8)
        fixed (Value* first = arguments)
            return new(Native.LLVMBuildCall2(handle, function.FunctionType.Handle, function.Handle, (nint*)first, (uint)arguments.Length, name));
    }

    public void Dispose() => Native.LLVMDisposeBuilder(handle);
}
