using Weft.Coverage.Regions.Placement;
using Weft.Llvm;
using Weft.Syntax;

namespace Weft.Coverage.Regions.C;

/// <summary>A function of a translation unit, read; its regions follow when it is known what the compiler made of it.</summary>
internal sealed record CFunction(string Name, SyntaxNode Syntax, int First, int Last, Statement Body, IReadOnlyList<Statement> Initializers, PointNumbers Points, Func<int, CFunction> WithPacks)
{
    /// <summary>The body is what the compiler makes up.</summary>
    public bool IsDefaulted => Body.Syntax.Kind == "default_method_clause";

    /// <summary>Whether there is no code before somebody says for which arguments, or none at all.</summary>
    public bool IsTemplate
    {
        get
        {
            if (Syntax.DescendantsAndSelf().TakeWhile(n => n != Body.Syntax).Any(n => n.Kind is "consteval" or "placeholder_type_specifier" && n.Parent?.Kind.EndsWith("parameter_declaration", StringComparison.Ordinal) == true)) return true;
            for (var around = Syntax.Parent; around != null; around = around.Parent)
                if (around.Kind == "template_declaration")
                    return true;
            return false;
        }
    }
}

/// <summary>A translation unit of C or C++ with all its functions, and where in files the tokens are that debug locations name.</summary>
internal sealed class CUnit
{
    private readonly PreprocessedUnit unit;
    private readonly Extents extents;
    private readonly Constants constants;
    private readonly Place[] places, expanded;
    private readonly Dictionary<Place, int> tokenAt = [];
    private readonly Dictionary<int, CFunction> functionOf = []; // by token: the innermost

    public CUnit(PreprocessedUnit unit, Extents extents, Constants constants, IReadOnlyList<CFunction> functions, ModuleFiles files)
    {
        (this.unit, this.extents, this.constants, Functions) = (unit, extents, constants, functions);
        places = [.. unit.Tokens.Select(t => PlaceOf(t.Place.Debugged, files))];
        expanded = [.. unit.Tokens.Select(t => PlaceOf(t.Place.InFile, files))];
        for (var i = 0; i < places.Length; i++) tokenAt.TryAdd(places[i], i);
        foreach (var function in functions.Where(f => f.IsDefaulted)) tokenAt.TryAdd(PlaceOf(Defaulted(function).Start!.Value, files), function.Body.First);
        foreach (var function in functions) // what is around comes before what is in it
            for (var i = function.First; i <= function.Last; i++)
                functionOf[i] = function;
    }

    public IReadOnlyList<CFunction> Functions { get; }

    public Constants Constants => constants;

    /// <summary>Where debug locations see a token; older compilers see what an argument of a macro became where the macro is.</summary>
    public IEnumerable<Place> PlacesOf(int first, int last, bool asExpanded) => (asExpanded ? expanded : places)[first..(last + 1)];

    /// <summary>Whether one of some tokens is this.</summary>
    public bool HasToken(int first, int last, string text) => Enumerable.Range(first, last - first + 1).Any(i => unit.Tokens[i].Is(text));

    /// <summary>The function that most of some IR comes from, if it is one of the unit's.</summary>
    public CFunction? Find(LocatedFunction function)
    {
        var votes = new Dictionary<CFunction, int>();
        foreach (var located in function.Located)
            if (tokenAt.TryGetValue(located.Place, out var token) && functionOf.TryGetValue(token, out var owner))
                votes[owner] = votes.GetValueOrDefault(owner) + 1;
        return votes.Count == 0 ? null : votes.MaxBy(v => v.Value).Key;
    }

    /// <summary>Where the function's body begins, for messages and for telling functions apart.</summary>
    public (string File, int Line) Start(CFunction function)
    {
        var begin = extents.Start(function.Body).InFile;
        return (begin.File.Source!.Path, begin.Position.Line);
    }

    /// <summary>Whether the user wrote it, and not the system.</summary>
    public bool IsUsers(CFunction function) => extents.Start(function.Body).InFile.File.Source is { IsSystem: false };

    /// <summary>The regions of a function that there is code of.</summary>
    /// <param name="function">The function.</param>
    /// <param name="located">Its code.</param>
    /// <param name="sites">Takes what the counts are sums of.</param>
    public FunctionRegions Regions(CFunction function, LocatedFunction located, Sites sites)
    {
        if (function.IsDefaulted) return Write(function, [Defaulted(function)]) is var made ? made with { Regions = [.. made.Regions.Select(r => r with { Count = sites.Block(0) })] } : made;
        if (PackSize(function, located) is > 1 and var size) function = function.WithPacks(size);
        var placement = new CPlacement(this, function, located, sites);
        var walk = new ClangRegions(extents, function.Points, constants, placement.HasCode);
        var finished = walk.Run(function.Body, function.Initializers);
        placement.Settle(walk);
        var regions = Write(function, finished);
        return regions with { Regions = [.. regions.Regions.Select(r => r with { Count = r.Count.Replace(placement.CountOf), FalseCount = r.FalseCount?.Replace(placement.CountOf) })] };
    }

    /// <summary>How many elements the packs have that fold expressions of a function are over: as many as there are branches on the first choice in one.</summary>
    private int PackSize(CFunction function, LocatedFunction located)
    {
        var fold = function.Body.DescendantsAndSelf().FirstOrDefault(s => s.Syntax.Kind == "fold_expression");
        if (fold?.DescendantsAndSelf().FirstOrDefault(s => s.Kind == StatementKind.Conditional) is not { Condition: { } condition }) return 1;
        var decided = PlacesOf(condition.First, condition.Last, asExpanded: false).ToHashSet();
        return located.Located.Count(l => l.Instruction.Opcode == Opcode.Br && l.Instruction.SuccessorCount == 2 && decided.Contains(l.Place));
    }

    /// <summary>The one region of a function that there is no code of.</summary>
    public FunctionRegions Unused(CFunction function) =>
        new RegionWriter(extents, []).Write(function.Name, [function.IsDefaulted ? Defaulted(function) : new OpenRegion(Count.Zero, extents.Start(function.Body), extents.End(function.Body), null)], 1);

    private FunctionRegions Write(CFunction function, IReadOnlyList<OpenRegion> finished) => new RegionWriter(extents, unit.Skipped).Write(function.Name, finished, function.Points.Count);

    // clang's body of a function that it makes up is the last character of what asks for it.
    private OpenRegion Defaulted(CFunction function)
    {
        var end = extents.End(function.Body.Last - 1);
        return new OpenRegion(Count.Zero, end with { Offset = end.Offset - 1 }, end, null);
    }

    private static Place PlaceOf(Location location, ModuleFiles files)
    {
        if (location.File.Source is not { } source) return default;
        var (line, column) = source.Position(location.Offset);
        return new Place(files[source.Path], line, column);
    }
}
