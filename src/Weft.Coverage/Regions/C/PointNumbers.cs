namespace Weft.Coverage.Regions.C;

/// <summary>
/// The points of a function that clang counts, in the order of its counters (CodeGenPGO.cpp, MapRegionCounters): the
/// body, then each statement that decides something, before what is in it. So counts read from a profile of clang's can
/// be set in.
/// </summary>
internal sealed class PointNumbers
{
    private readonly Dictionary<Statement, int> numbers = [];

    public PointNumbers(Statement body, IEnumerable<Statement> initializers)
    {
        numbers[body] = Count++;
        foreach (var initializer in initializers) Visit(initializer);
        Visit(body);
    }

    public int Count { get; private set; }

    /// <summary>The number of the point, or null for what has none.</summary>
    public int? NumberOf(Statement statement) => numbers.TryGetValue(statement, out var number) ? number : null;

    public Regions.Count Of(Statement statement) => Regions.Count.Of(numbers.GetValueOrDefault(statement));

    private void Visit(Statement statement)
    {
        if (HasPoint(statement)) numbers[statement] = Count++;
        if (statement.IsLogical && !statement.Right.Stripped.IsLogical) numbers[statement.Right] = Count++;
        foreach (var body in statement.LocalFunctions)
        {
            Count++;
            Visit(body);
        }
        foreach (var child in statement.Children) Visit(child);
    }

    /// <summary>Whether clang counts something at the statement.</summary>
    public static bool HasPoint(Statement statement) => statement.Kind is
        StatementKind.Label or StatementKind.While or StatementKind.Do or StatementKind.For or StatementKind.RangeFor or StatementKind.Switch or
        StatementKind.Case or StatementKind.Default or StatementKind.If or StatementKind.Try or StatementKind.Catch or StatementKind.Conditional or
        StatementKind.Elvis or StatementKind.And or StatementKind.Or;
}
