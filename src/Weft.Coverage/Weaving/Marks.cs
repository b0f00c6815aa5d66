using Weft.Llvm;

namespace Weft.Coverage.Weaving;

/// <summary>
/// Marks: calls of a function without a body, <c>weft.coverage.count(counter, amount)</c>. To the optimiser a mark has an
/// effect that nothing else can see, so it is never dropped, merged with another or run speculatively; loads and stores of
/// the program move past it freely; and a function that is copied into its caller takes its marks along.
/// </summary>
internal sealed class Marks
{
    private const string Name = "weft.coverage.count";

    /// <summary>
    /// What runs over marks before they become memory accesses: small functions go into their callers, so that a counter's
    /// address and the thread's counters are looked up once for all of them, and loops take the form that promotion needs.
    /// </summary>
    public const string Simplification =
        "cgscc(inline,function(sroa<modify-cfg>,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,simplifycfg)),function(loop-simplify,lcssa,loop(loop-rotate),loop-simplify)";

    private readonly Function mark;

    public Marks(Module module)
    {
        var context = module.Context;
        mark = module.AddFunction(Name, LlvmType.Function(context.Void, context.Pointer, context.Int(64)));
        foreach (var attribute in (ReadOnlySpan<byte[]>)["nounwind"u8.ToArray(), "willreturn"u8.ToArray(), "nocallback"u8.ToArray(), "nofree"u8.ToArray()]) mark.Add(context.EnumAttribute(attribute));
        mark.Add(context.EnumAttribute("memory"u8, InaccessibleReadWrite));
    }

    // Two bits (read, write) for each kind of memory: arguments, inaccessible, everything else.
    private const ulong InaccessibleReadWrite = 0b11_00;

    public void Add(Builder builder, Value counter, Value amount) => builder.Call(mark, counter, amount);

    /// <summary>The marks of a function.</summary>
    public List<Instruction> In(Function function)
    {
        var found = new List<Instruction>();
        foreach (var block in function.Blocks)
            foreach (var instruction in block.Instructions)
                if (Is(instruction))
                    found.Add(instruction);
        return found;
    }

    public bool Is(Instruction instruction) => instruction.Opcode == Opcode.Call && instruction.CalledValue.Handle == mark.AsValue.Handle;

    /// <summary>Ends the life of marks: there must be none left.</summary>
    public void Delete() => mark.Delete();
}
