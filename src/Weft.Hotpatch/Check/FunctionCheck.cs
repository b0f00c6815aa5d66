namespace Weft.Hotpatch.Check;

/// <summary>
/// Looks at every function of a file's code:
/// <list type="number">
/// <item>the first instruction, behind a mark for indirect branches, can be exchanged by one store</item>
/// <item>no branch leads to the bytes that are exchanged. Calls may lead to the entry, and so may branches from other functions, which are calls in their last place; see <see cref="Rules.MovesStackAtOnce"/> for the function's own</item>
/// <item>enough bytes right before the entry belong to no function and are filler</item>
/// </list>
/// A branch that takes its target from memory or from a register is not followed.
/// </summary>
internal sealed class FunctionCheck
{
    private readonly MachineCode code;
    private readonly Rules rules;
    private readonly List<CodeFunction> functions;
    private readonly ulong[] entries, ends;
    private readonly List<string>?[] badBranches;
    private readonly bool[] callsItself;

    private FunctionCheck(MachineCode code)
    {
        this.code = code;
        rules = Rules.For(code.Processor);
        functions = [.. code.Functions.Where(f => Owner(f.Symbol) == null)];
        entries = [.. functions.Select(f => f.Entry)];
        ends = [.. functions.Select((f, i) => f.Size > 0 ? f.Entry + f.Size : EndOf(f.Section, i))];
        badBranches = new List<string>?[functions.Count];
        callsItself = new bool[functions.Count];
    }

    /// <summary>A verdict on each function, by place.</summary>
    public static List<Verdict> Run(MachineCode code)
    {
        var check = new FunctionCheck(code);
        check.FollowBranches();
        return check.Judge();
    }

    // One without a size reaches to the next.
    private ulong EndOf(CodeSection section, int index) => index + 1 < functions.Count && section.Contains(entries[index + 1]) ? entries[index + 1] : section.End;

    private void FollowBranches()
    {
        for (var i = 0; i < functions.Count; i++)
            foreach (var branch in rules.Branches(functions[i].Section, entries[i], ends[i])) Follow(branch, i);
        if (functions.Count == code.Functions.Count) return;
        var byName = new Dictionary<string, int>();
        for (var i = 0; i < functions.Count; i++) byName.TryAdd(functions[i].Symbol, i);
        foreach (var part in code.Functions)
            if (Owner(part.Symbol) is { } name && byName.TryGetValue(name, out var owner))
                foreach (var branch in rules.Branches(part.Section, part.Entry, part.Entry + part.Size)) Follow(branch, owner);
    }

    private void Follow(Branch branch, int from)
    {
        var found = Array.BinarySearch(entries, branch.Target);
        var target = found >= 0 ? found : ~found - 1;
        if (target < 0 || functions[target] is not { } function || !function.Section.Contains(branch.Target)) return;
        var offset = (int)Math.Min(branch.Target - function.Entry, 64);
        var point = PatchPoint(target);
        if (offset >= point + rules.Exchanged || (offset == 0 && branch.IsCall)) return;
        if (from != target && (offset == 0 || offset == point)) return;
        if (from == target && offset == 0 && (branch.ByName || rules.MovesStackAtOnce(function.Section, function.Entry, ends[target]))) callsItself[target] = true;
        else (badBranches[target] ??= []).Add(Sentence(branch, from, target, offset));
    }

    private string Sentence(Branch branch, int from, int target, int offset)
    {
        var kind = branch.IsCall ? "a call" : "a jump";
        var where = from == target && branch.From >= entries[from] && branch.From < ends[from] ? $"at +0x{branch.From - entries[from]:x}" : $"in {NameOf(functions[from])}";
        return $"{kind} {where} leads to {(offset == 0 ? "the entry" : $"+0x{offset:x}")}";
    }

    private static string NameOf(CodeFunction function) => function.Symbol.Length > 0 ? Llvm.Demangler.Demangle(function.Symbol) : $"0x{function.Address:x}";

    private int PatchPoint(int index) => rules.SizeOfMark(functions[index].Section.Between(entries[index], ends[index]));

    private List<Verdict> Judge()
    {
        var verdicts = new List<Verdict>(functions.Count);
        CodeSection? section = null;
        ulong owned = 0;
        for (var i = 0; i < functions.Count; i++)
        {
            var function = functions[i];
            if (section != function.Section) owned = (section = function.Section).Start;
            verdicts.Add(Judge(i, Math.Min(owned, function.Entry)));
            owned = Math.Max(owned, function.Size > 0 ? ends[i] : function.Entry);
        }
        return verdicts;
    }

    private Verdict Judge(int index, ulong gap)
    {
        var function = functions[index];
        var violations = new List<Violation>();
        var point = PatchPoint(index);
        var place = function.Entry + (ulong)point;
        foreach (var why in rules.WhyFixed(function.Section, place, ends[index])) violations.Add(new(Condition.Instruction, why));
        if (badBranches[index] is { } bad) violations.Add(new(Condition.Branch, bad.Count == 1 ? bad[0] : $"{bad[0]}, and {bad.Count - 1} more"));
        var room = rules.Room(function.Section, gap, function.Entry);
        if (room < rules.LeastRoom && !LinkerMakesRoom(function)) violations.Add(new(Condition.Room, $"{(room == 1 ? "1 byte" : $"{room} bytes")} of room before it, {rules.LeastRoom} are needed"));
        var isWoven = rules.IsWoven(function.Section.Between(gap, function.Entry), function.Entry, code.IsFilled);
        return new(function, point, rules.Describe(function.Section, place, ends[index]), room, isWoven, callsItself[index], violations);
    }

    // What /functionpadmin asks for, at the start of each section of an object that is marked.
    private bool LinkerMakesRoom(CodeFunction function) => code.IsMarked == true && function.Entry == function.Section.Start;

    // The function that a part of it, f.cold or f.cold.1, was moved away from; null for what is whole.
    private static string? Owner(string symbol)
    {
        var stem = symbol.TrimEnd(Digits);
        if (stem.Length < symbol.Length && stem.EndsWith('.')) stem = stem[..^1];
        const string mark = ".cold";
        return stem.Length > mark.Length && stem.EndsWith(mark, StringComparison.Ordinal) ? stem[..^mark.Length] : null;
    }

    private static readonly char[] Digits = [.. "0123456789"];
}
