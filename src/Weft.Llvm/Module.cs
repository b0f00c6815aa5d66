namespace Weft.Llvm;

/// <summary>A module of LLVM IR; owned, belongs to its context's thread.</summary>
public sealed unsafe class Module : IDisposable
{
    internal Module(LlvmContext context, nint handle)
    {
        Context = context;
        Handle = handle;
    }

    public LlvmContext Context { get; }

    internal nint Handle { get; private set; }

    public string Triple
    {
        get => LlvmLibrary.Text(Native.LLVMGetTarget(Handle));
        set => Native.LLVMSetTarget(Handle, value);
    }

    public string DataLayout
    {
        get => LlvmLibrary.Text(Native.LLVMGetDataLayoutStr(Handle));
        set => Native.LLVMSetDataLayout(Handle, value);
    }

    public string SourceFileName => LlvmLibrary.Text(Native.LLVMGetSourceFileName(Handle, out var length), length);

    /// <summary>Assembly outside functions.</summary>
    public string InlineAssembly => LlvmLibrary.Text(Native.LLVMGetModuleInlineAsm(Handle, out var length), length);

    /// <summary>A snapshot, so that a pass may add and delete while it walks.</summary>
    public List<Function> Functions
    {
        get
        {
            var list = new List<Function>();
            for (var f = Native.LLVMGetFirstFunction(Handle); f != 0; f = Native.LLVMGetNextFunction(f)) list.Add(new(f));
            return list;
        }
    }

    /// <summary>A snapshot, as <see cref="Functions"/>.</summary>
    public List<GlobalVariable> Globals
    {
        get
        {
            var list = new List<GlobalVariable>();
            for (var g = Native.LLVMGetFirstGlobal(Handle); g != 0; g = Native.LLVMGetNextGlobal(g)) list.Add(new(g));
            return list;
        }
    }

    /// <summary>Functions that the loader calls to choose an implementation, before thread-locals exist.</summary>
    public HashSet<Function> IndirectResolvers
    {
        get
        {
            var set = new HashSet<Function>();
            for (var i = Native.LLVMGetFirstGlobalIFunc(Handle); i != 0; i = Native.LLVMGetNextGlobalIFunc(i)) set.Add(new(Native.LLVMGetGlobalIFuncResolver(i)));
            return set;
        }
    }

    public Function? FindFunction(string name) => Native.LLVMGetNamedFunction(Handle, name) is var f and not 0 ? new Function(f) : null;

    public GlobalVariable? FindGlobal(string name) => Native.LLVMGetNamedGlobal(Handle, name) is var g and not 0 ? new GlobalVariable(g) : null;

    public GlobalVariable AddGlobal(LlvmType type, string name) => new(Native.LLVMAddGlobal(Handle, type.Handle, name));

    public Function AddFunction(string name, LlvmType type) => new(Native.LLVMAddFunction(Handle, name, type.Handle));

    /// <summary>Keeps a variable that nothing names in the object file, and in what is linked from it (llvm.used).</summary>
    public void KeepInObject(GlobalVariable variable)
    {
        var old = FindGlobal("llvm.used");
        var kept = new List<Value>();
        if (old is { } list)
        {
            for (var i = 0; i < list.Initializer.OperandCount; i++) kept.Add(list.Initializer.Operand(i));
            list.Delete();
        }
        kept.Add(variable.AsValue);
        var array = Context.ConstArray(Context.Pointer, [.. kept]);
        var used = AddGlobal(array.Type, "llvm.used");
        used.Initializer = array;
        used.Linkage = Linkage.Appending;
        used.SetSection("llvm.metadata"u8);
    }

    /// <summary>Bytes that a value of the type takes in an array.</summary>
    public ulong SizeOf(LlvmType type) => Native.LLVMABISizeOfType(Native.LLVMGetModuleDataLayout(Handle), type.Handle);

    public bool HasFlag(string name) => Native.LLVMGetModuleFlag(Handle, name, (nuint)System.Text.Encoding.UTF8.GetByteCount(name)) != 0;

    /// <summary>The compile units that debug information is of; none without.</summary>
    public DebugNode[] CompileUnits
    {
        get
        {
            const string name = "llvm.dbg.cu";
            var values = new nint[Native.LLVMGetNamedMetadataNumOperands(Handle, name)];
            fixed (nint* first = values) Native.LLVMGetNamedMetadataOperands(Handle, name, first);
            return Array.ConvertAll(values, v => new DebugNode(Context.Handle, Native.LLVMValueAsMetadata(v)));
        }
    }

    /// <summary>What debug information says of a function of the module.</summary>
    public DebugNode DebugOf(Function function) => new(Context.Handle, function.Subprogram);

    public bool HasNamedMetadata(string name) => Native.LLVMGetNamedMetadata(Handle, name, (nuint)System.Text.Encoding.UTF8.GetByteCount(name)) != 0;

    /// <summary>Drops all debug information.</summary>
    public void StripDebugInformation() => _ = Native.LLVMStripModuleDebugInfo(Handle);

    /// <summary>Drops of debug information what is not needed to tell lines.</summary>
    public void StripTypes() => RunPasses("strip-nonlinetable-debuginfo", null, default);

    /// <summary>Moves everything of <paramref name="other"/>, which must share the context, into this module.</summary>
    /// <remarks>Functions of <paramref name="other"/> that are linkonce and not referenced here are dropped.</remarks>
    public void Link(Module other)
    {
        var failed = Native.LLVMLinkModules2(Handle, other.Handle) != 0;
        other.Handle = 0; // consumed, also on failure
        Context.ThrowIfError("modules cannot be linked");
        if (failed) throw new LlvmException("modules cannot be linked");
    }

    /// <exception cref="LlvmException">The module breaks a rule of the IR; the message is the verifier's.</exception>
    public void Verify()
    {
        const int returnStatus = 2;
        var broken = Native.LLVMVerifyModule(Handle, returnStatus, out var message) != 0;
        var text = LlvmLibrary.TakeMessage(message);
        if (broken) throw new LlvmException(text);
    }

    public byte[] ToBitcode() => TakeBuffer(Native.LLVMWriteBitcodeToMemoryBuffer(Handle));

    public string ToAssembly() => LlvmLibrary.TakeMessage(Native.LLVMPrintModuleToString(Handle));

    /// <summary>Runs a textual pipeline such as <c>default&lt;O2&gt;</c>.</summary>
    public void RunPasses(string pipeline, TargetMachine? machine, PassOptions options)
    {
        var handle = Native.LLVMCreatePassBuilderOptions();
        try
        {
            Native.LLVMPassBuilderOptionsSetLoopInterleaving(handle, options.InterleaveLoops ? 1 : 0);
            Native.LLVMPassBuilderOptionsSetMergeFunctions(handle, options.MergeFunctions ? 1 : 0);
            nint error;
            fixed (byte* text = System.Text.Encoding.UTF8.GetBytes(pipeline + '\0')) error = Native.LLVMRunPasses(Handle, text, machine?.Handle ?? 0, handle);
            if (error != 0) throw new LlvmException(TakeError(error));
            Context.ThrowIfError("the optimiser failed");
        }
        finally
        {
            Native.LLVMDisposePassBuilderOptions(handle);
        }
    }

    public void Dispose()
    {
        if (Handle != 0) Native.LLVMDisposeModule(Handle);
        Handle = 0;
    }

    internal static byte[] TakeBuffer(nint buffer)
    {
        var bytes = new ReadOnlySpan<byte>(Native.LLVMGetBufferStart(buffer), checked((int)Native.LLVMGetBufferSize(buffer))).ToArray();
        Native.LLVMDisposeMemoryBuffer(buffer);
        return bytes;
    }

    private static string TakeError(nint error)
    {
        var message = Native.LLVMGetErrorMessage(error);
        var text = LlvmLibrary.Text(message);
        Native.LLVMDisposeErrorMessage(message);
        return text;
    }
}

/// <summary>
/// What the front end sets beside the level. Not whether to vectorise: LLVM's reader of pipelines sets that by the level named
/// in them, whatever was asked (PassBuilder.cpp); only options of its command line (<c>-vectorize-loops=false</c>) go before it.
/// </summary>
public readonly record struct PassOptions(bool InterleaveLoops, bool MergeFunctions);
