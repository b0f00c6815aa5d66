namespace Weft.Llvm;

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
