using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Weft.Llvm;

public enum DiagnosticSeverity { Error, Warning, Remark, Note }

public sealed record Diagnostic(DiagnosticSeverity Severity, string Message);

/// <summary>
/// An LLVM context: owns types and constants, belongs to one thread at a time, collects diagnostics. Local values have no
/// names in it, as in rustc and release builds of clang: keeping them costs the optimiser about 3 % of its time.
/// </summary>
public sealed unsafe class LlvmContext : IDisposable
{
    private readonly List<Diagnostic> diagnostics = [];
    private GCHandle self;

    public LlvmContext()
    {
        Handle = Native.LLVMContextCreate();
        Native.LLVMContextSetDiscardValueNames(Handle, 1);
        self = GCHandle.Alloc(this);
        Native.LLVMContextSetDiagnosticHandler(Handle, &OnDiagnostic, GCHandle.ToIntPtr(self));
    }

    internal nint Handle { get; private set; }

    public IReadOnlyList<Diagnostic> Diagnostics => diagnostics;

    public LlvmType Int(int bits) => new(Native.LLVMIntTypeInContext(Handle, (uint)bits));

    public LlvmType Pointer => new(Native.LLVMPointerTypeInContext(Handle, 0));

    public LlvmType Void => new(Native.LLVMVoidTypeInContext(Handle));

    public LlvmType Struct(params ReadOnlySpan<LlvmType> elements)
    {
        fixed (LlvmType* first = elements) return new(Native.LLVMStructTypeInContext(Handle, (nint*)first, (uint)elements.Length, 0));
    }

    public Value ConstStruct(params ReadOnlySpan<Value> values)
    {
        fixed (Value* first = values) return new(Native.LLVMConstStructInContext(Handle, (nint*)first, (uint)values.Length, 0));
    }

    public Value ConstPackedStruct(params ReadOnlySpan<Value> values)
    {
        fixed (Value* first = values) return new(Native.LLVMConstStructInContext(Handle, (nint*)first, (uint)values.Length, 1));
    }

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "as the other constants")]
    public Value ConstArray(LlvmType element, ReadOnlySpan<Value> values)
    {
        fixed (Value* first = values) return new(Native.LLVMConstArray2(element.Handle, (nint*)first, (ulong)values.Length));
    }

    /// <summary>An address some bytes into a variable.</summary>
    public Value ConstAdvance(Value address, ulong bytes)
    {
        var offset = Int(64).Const(bytes);
        return new(Native.LLVMConstInBoundsGEP2(Int(8).Handle, address.Handle, (nint*)&offset, 1));
    }

    /// <summary>A NUL-terminated byte array.</summary>
    public Value ConstString(ReadOnlySpan<byte> text)
    {
        fixed (byte* first = text) return new(Native.LLVMConstStringInContext2(Handle, first, (nuint)text.Length, 0));
    }

    public Attribute EnumAttribute(ReadOnlySpan<byte> name, ulong value = 0) => new(Native.LLVMCreateEnumAttribute(Handle, Attribute.Kind(name), value));

    /// <summary>Bytes as they are, with nothing after them.</summary>
    public Value ConstBytes(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* first = bytes) return new(Native.LLVMConstStringInContext2(Handle, first, (nuint)bytes.Length, 1));
    }

    public Attribute StringAttribute(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        fixed (byte* k = key, v = value) return new(Native.LLVMCreateStringAttribute(Handle, k, (uint)key.Length, v, (uint)value.Length));
    }

    /// <summary>Reads bitcode. The data is copied.</summary>
    /// <exception cref="LlvmException">Truncated, corrupt, or newer than the library: LLVM's message says which.</exception>
    public Module ParseBitcode(ReadOnlySpan<byte> bitcode)
    {
        var buffer = Copy(bitcode);
        try
        {
            var failed = Native.LLVMParseBitcodeInContext2(Handle, buffer, out var module) != 0;
            ThrowIfError("not readable as LLVM bitcode");
            if (failed) throw new LlvmException("not readable as LLVM bitcode");
            return new Module(this, module);
        }
        finally
        {
            Native.LLVMDisposeMemoryBuffer(buffer);
        }
    }

    /// <summary>Reads textual IR.</summary>
    public Module ParseAssembly(ReadOnlySpan<byte> text)
    {
        Native.LLVMContextSetDiscardValueNames(Handle, 0); // the reader of text refuses to do without
        // The reader takes the buffer over, whether it succeeds or not.
        if (Native.LLVMParseIRInContext(Handle, Copy(text), out var module, out var message) != 0)
            throw new LlvmException(LlvmLibrary.TakeMessage(message));
        return new Module(this, module);
    }

    public void Dispose()
    {
        if (Handle == 0) return;
        Native.LLVMContextDispose(Handle);
        Handle = 0;
        self.Free();
    }

    /// <summary>Turns the first error reported since the context was made into an exception.</summary>
    internal void ThrowIfError(string otherwise)
    {
        foreach (var diagnostic in diagnostics)
            if (diagnostic.Severity == DiagnosticSeverity.Error)
                throw new LlvmException(diagnostic.Message.Length > 0 ? diagnostic.Message : otherwise);
    }

    private static nint Copy(ReadOnlySpan<byte> data)
    {
        fixed (byte* start = data, name = "input\0"u8) return Native.LLVMCreateMemoryBufferWithMemoryRangeCopy(start, (nuint)data.Length, name);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnDiagnostic(nint info, nint argument)
    {
        var context = (LlvmContext)GCHandle.FromIntPtr(argument).Target!;
        var text = LlvmLibrary.TakeMessage(Native.LLVMGetDiagInfoDescription(info));
        context.diagnostics.Add(new Diagnostic((DiagnosticSeverity)Native.LLVMGetDiagInfoSeverity(info), text));
    }
}
