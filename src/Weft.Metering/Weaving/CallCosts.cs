using Weft.Core;
using Weft.Llvm;
using Weft.Metering.Costs;

namespace Weft.Metering.Weaving;

/// <summary>Which rules of a model the functions of a module have: by their symbols, and by their names as people write them.</summary>
internal sealed class CallCosts(Module module, CostModel model)
{
    // Front ends make intrinsics of these, also of copies of structures; their arguments are the functions'.
    private static readonly Dictionary<string, string> MemoryFunctions = new()
    {
        ["llvm.memcpy"] = "memcpy",
        ["llvm.memcpy.inline"] = "memcpy",
        ["llvm.memmove"] = "memmove",
        ["llvm.memset"] = "memset",
        ["llvm.memset.inline"] = "memset",
    };

    private static readonly Lazy<IReadOnlyList<string>> intrinsicNames = new(() => Function.IntrinsicNames);

    private readonly Dictionary<nint, CallRule?> known = [];

    /// <summary>Throws for what can never be a rule of any module: no such intrinsic.</summary>
    public void Check()
    {
        foreach (var rule in model.Intrinsics.All)
            if (!IsIntrinsic(rule.Name))
                throw Refused("intrinsics", rule, $"LLVM {LlvmLibrary.Version} knows no such intrinsic", Spelling.Nearest(rule.Name, intrinsicNames.Value) is { } meant ? $"did you mean \"{meant}\"?" : "names are those of LLVM's language reference; most end in types, which * stands for: llvm.sqrt.*");
    }

    /// <summary>Whether a function's own work is not charged.</summary>
    public bool IsFree(Function function) => RuleOf(function.AsValue)?.Cost.IsFree == true;

    /// <summary>What a call costs by its own rule; null if there is none, or nobody knows what is called.</summary>
    public CallCost? Of(Instruction call)
    {
        if (RuleOf(call.CalledValue) is not { } rule) return null;
        if (rule.Cost.Linear is { } linear) Require(linear, rule, call);
        return rule.Cost;
    }

    private void Require(LinearCost linear, CallRule rule, Instruction call)
    {
        var section = IsIntrinsic(call.CalledValue) && model.Intrinsics.All.Contains(rule) ? "intrinsics" : "functions";
        var callee = Demangler.Demangle(call.CalledValue.Name);
        if (linear.Argument >= call.ArgumentCount)
            throw Refused(section, rule, $"'{callee}' is called with {call.ArgumentCount} arguments in '{module.SourceFileName}', so there is no argument {linear.Argument}", "arguments count from 0; a rule for one name goes before patterns");
        if (call.AsValue.Operand(linear.Argument).Type is not { Kind: TypeKind.Integer, IntWidth: <= 64 })
            throw Refused(section, rule, $"argument {linear.Argument} of '{callee}' is not an integer of at most 64 bits in '{module.SourceFileName}'", "arguments count from 0; a rule for one name goes before patterns");
    }

    private CallRule? RuleOf(Value callee)
    {
        if (model.Intrinsics.All.Count + model.Functions.All.Count == 0 || !callee.IsFunction && !callee.IsAlias) return null;
        if (known.TryGetValue(callee.Handle, out var rule)) return rule;
        return known[callee.Handle] = Find(callee);
    }

    private CallRule? Find(Value callee)
    {
        if (!IsIntrinsic(callee)) return model.Functions.Find(NamesOf(callee.Name));
        var name = callee.AsFunction.IntrinsicName;
        return model.Intrinsics.Find(callee.Name, name) ?? (MemoryFunctions.TryGetValue(name, out var function) ? model.Functions.Find(function) : null);
    }

    private static bool IsIntrinsic(Value callee) => callee.IsFunction && callee.AsFunction.IsIntrinsic;

    /// <summary>A symbol; what it means; and that without parameters, which only C++ has.</summary>
    private static IReadOnlyList<string> NamesOf(string symbol) => Demangler.Demangle(symbol) is var name && name == symbol ? [symbol] : [symbol, name, WithoutParameters(name)];

    private static string WithoutParameters(string name)
    {
        var depth = 0;
        for (var at = name.LastIndexOf(')'); at > 0; at--)
        {
            if (name[at] == ')') depth++;
            if (name[at] == '(' && --depth == 0) return name[..at];
        }
        return name;
    }

    // A name with its types, as in llvm.sqrt.f64, begins with a base name; a pattern may stand for that, or for its types.
    private static bool IsIntrinsic(string name)
    {
        var glob = new Glob(name);
        return intrinsicNames.Value.Any(known => glob.Matches(known) || name.StartsWith(known + '.', StringComparison.Ordinal));
    }

    private WeftException Refused(string section, CallRule rule, string what, string help) => WeftException.Usage($"{CostFile.FileOf(model.Name)}: {section}.{rule.Name}: {what}", help);
}
