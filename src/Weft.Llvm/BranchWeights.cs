namespace Weft.Llvm;

/// <summary>Reads and writes <c>!prof</c> branch weights, the optimiser's word for how often a branch goes each way.</summary>
public sealed unsafe class BranchWeights
{
    private readonly nint context;
    private readonly uint kind;
    private readonly Value unlikely;

    public BranchWeights(LlvmContext context)
    {
        this.context = context.Handle;
        fixed (byte* name = "prof"u8) kind = Native.LLVMGetMDKindIDInContext(this.context, name, 4);
        unlikely = Node([1, 1 << 20], context.Int(32));
    }

    /// <summary>Says that the first successor of a conditional branch is hardly ever taken.</summary>
    public void MarkUnlikely(Instruction branch) => Native.LLVMSetMetadata(branch.Handle, kind, unlikely.Handle);

    /// <summary>The weights of a terminator's successors, or null where nobody knows.</summary>
    public ulong[]? Of(Instruction terminator)
    {
        const int mostOperands = 4096;
        var count = terminator.SuccessorCount;
        var node = Native.LLVMGetMetadata(terminator.Handle, kind);
        if (node == 0 || count < 2) return null;
        var operands = (int)Native.LLVMGetMDNodeNumOperands(node);
        if (operands <= count || operands > mostOperands) return null;
        var values = stackalloc nint[operands];
        Native.LLVMGetMDNodeOperands(node, values);
        var weights = new ulong[count]; // what comes before them are strings
        for (var i = 0; i < count; i++)
        {
            var value = new Value(values[operands - count + i]);
            if (!value.IsConstantInt) return null;
            weights[i] = value.ZExtValue;
        }
        return weights;
    }

    private Value Node(ReadOnlySpan<ulong> weights, LlvmType type)
    {
        Span<nint> operands = stackalloc nint[weights.Length + 1];
        fixed (byte* text = "branch_weights"u8) operands[0] = Native.LLVMMDStringInContext2(context, text, (nuint)"branch_weights"u8.Length);
        for (var i = 0; i < weights.Length; i++) operands[i + 1] = Native.LLVMValueAsMetadata(type.Const(weights[i]).Handle);
        fixed (nint* first = operands) return new(Native.LLVMMetadataAsValue(context, Native.LLVMMDNodeInContext2(context, first, (nuint)operands.Length)));
    }
}
