namespace Weft.Llvm;

/// <summary>LLVM's numbers: 0 none, 1 less, 2 default, 3 aggressive.</summary>
public enum CodegenLevel { None, Less, Default, Aggressive }

public enum RelocationModel { Default, Static, Pic, DynamicNoPic, Ropi, Rwpi, RopiRwpi }

public enum CodeModel { Default, JitDefault, Tiny, Small, Kernel, Medium, Large }

public enum EmitKind { Assembly, Object }

/// <summary>A code generator for one triple, CPU and set of models.</summary>
public sealed unsafe class TargetMachine : IDisposable
{
    /// <exception cref="LlvmException">The library was built without that target.</exception>
    public TargetMachine(string triple, string cpu, string features, CodegenLevel level, RelocationModel relocation, CodeModel codeModel)
    {
        if (Native.LLVMGetTargetFromTriple(triple, out var target, out var message) != 0)
            throw new LlvmException($"{LlvmLibrary.TakeMessage(message)} (LLVM {LlvmLibrary.Version} at '{LlvmLibrary.Path}' was built without a code generator for '{triple}')");
        Handle = Native.LLVMCreateTargetMachine(target, triple, cpu, features, (int)level, (int)relocation, (int)codeModel);
        if (Handle == 0) throw new LlvmException($"no code generator for target '{triple}'");
    }

    internal nint Handle { get; private set; }

    public static string DefaultTriple => LlvmLibrary.TakeMessage(Native.LLVMGetDefaultTargetTriple());

    public string DataLayout
    {
        get
        {
            var data = Native.LLVMCreateTargetDataLayout(Handle);
            var text = LlvmLibrary.TakeMessage(Native.LLVMCopyStringRepOfTargetData(data));
            Native.LLVMDisposeTargetData(data);
            return text;
        }
    }

    public byte[] Emit(Module module, EmitKind kind)
    {
        var failed = Native.LLVMTargetMachineEmitToMemoryBuffer(Handle, module.Handle, (int)kind, out var message, out var buffer) != 0;
        if (failed) throw new LlvmException(LlvmLibrary.TakeMessage(message));
        module.Context.ThrowIfError("code generation failed");
        return Module.TakeBuffer(buffer);
    }

    public void Dispose()
    {
        if (Handle != 0) Native.LLVMDisposeTargetMachine(Handle);
        Handle = 0;
    }
}
