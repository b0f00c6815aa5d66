using Weft.Tracing;

namespace Weft.Tests;

/// <summary>Logs as programs leave them, and the calls they become. A log is written as one line, and so are the calls.</summary>
public sealed class TracingStacksTests
{
    [Theory]
    [InlineData("(1 (2 )2 )1", "1{ 2{ }2 }1")]
    [InlineData("(1 (1 (1 )1 )1 )1", "1{ 1{ 1{ }1 }1 }1")] // recursion
    [InlineData("(1 (2 t2 (3 )3 )1", "1{ 2{ t}2 3{ }3 }1")] // a tail call takes its caller's place
    [InlineData("(1 t1 (1 t1 (1 )1", "1{ t}1 1{ t}1 1{ }1")]
    [InlineData("(1 (2 t2 (9 )9 (3 )3 )1", "1{ 2{ t}2 9{ }9 3{ }3 }1")] // a signal handler between tail exit and entry
    [InlineData("(1 (2 (3 )1", "1{ 2{ 3{ u}3 u}2 }1")] // unwound without a word
    [InlineData("(1 (2 (3", "1{ 2{ 3{ o}3 o}2 o}1")] // the program was killed
    [InlineData("(1 (2 )7 )2 )1", "1{ 2{ }2 }1")] // an exit that fits nothing
    [InlineData("(1 L (2 )2 )1", "1{ o}1 lost o1{ 2{ }2 }1")] // under way again after the loss
    [InlineData("L L", "lost lost")]
    [InlineData("", "")]
    public void Calls_are_what_the_log_says(string log, string expected) => Check(log, expected);

    [Theory]
    [InlineData(")2 )1", "o1{ o2{ }2 }1")]
    [InlineData("(3 )3 )2 (4 )4 )1 (5 )5", "o1{ o2{ 3{ }3 }2 4{ }4 }1 5{ }5")]
    [InlineData("(3 )3 t2 (4 )4 )1", "o1{ o2{ 3{ }3 t}2 4{ }4 }1")]
    [InlineData(")2 L )2 )1 L L )1", "o2{ }2 lost o1{ o2{ }2 }1 lost lost o1{ }1")]
    [InlineData("(3 )7 )3 )2", "o2{ 3{ }3 }2")] // 7 was switched on while it ran
    [InlineData("(3 (4 )7 )3 )2", "o2{ 3{ 4{ u}4 }3 }2")]
    [InlineData("(3 (4 )2 (5 )5 )1", "o1{ o2{ 3{ 4{ u}4 u}3 }2 5{ }5 }1")] // 4 threw, 2 caught, and nobody said so
    public void A_log_that_begins_in_the_middle_has_the_calls_that_ended_in_it(string log, string expected) => Check(log, expected);

    [Theory]
    [InlineData("(1@1000 (2@900 (3@800 !890 )2 )1", "1{ 2{ 3{ u}3 }2 }1")] // 3 threw, 2 caught
    [InlineData("(1@1000 (2@900 (3@800 (4 !890 )2 )1", "1{ 2{ 3{ 4{ u}4 u}3 }2 }1")] // unknown ones above a known one go with it
    [InlineData("(1@1000 (2 (3@800 !990 )2 )1", "1{ 2{ 3{ u}3 }2 }1")] // an unknown one below stays until it is known better
    [InlineData("(1@1000 (2@900 !890 )2 )1", "1{ 2{ }2 }1")] // thrown and caught by code that is not traced
    [InlineData("(1@16 (2@4294967280 (3@4294967200 !4294967270 )2 )1", "1{ 2{ 3{ u}3 }2 }1")] // the low halves wrap
    [InlineData("(1@1000 (9@5000 (8@4900 !4990 )9 )1", "1{ 9{ 8{ u}8 }9 }1")] // caught within a handler on a signal stack above
    [InlineData("(1@1000 (9@500 (8@400 !490 )9 )1", "1{ 9{ 8{ u}8 }9 }1")] // and below
    public void Exceptions_end_the_calls_they_leave(string log, string expected) => Check(log, expected);

    [Fact]
    public void Events_and_spans_are_at_the_depth_they_happened() => Check("(1 e5 (2 b6 )2 x6 )1", "1{ e5@1 2{ b6@2 }2 x6@1 }1");

    [Fact]
    public void Times_and_data_go_with_their_calls()
    {
        byte[] arguments = [1], result = [2];
        List<RawEvent> events = [new(RawKind.Entry, 10, 1, Data: arguments), new(RawKind.Entry, 20, 2), new(RawKind.Exit, 35, 2), new(RawKind.Exit, 50, 1, Data: result)];
        using var log = new Log(events);
        Assert.Equal(
        [
            new CallEvent(CallKind.Begin, Certainty.Seen, 0, 10, 1, Data: arguments), new CallEvent(CallKind.Begin, Certainty.Seen, 1, 20, 2),
            new CallEvent(CallKind.End, Certainty.Seen, 1, 35, 2, 20), new CallEvent(CallKind.End, Certainty.Seen, 0, 50, 1, 10, result),
        ], CallStacks.Of(log, log.Threads[0]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_is_logged_the_calls_are_balanced(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 300; round++)
        {
            var events = new List<RawEvent>();
            var time = 0L;
            for (var i = random.Next(300); i > 0; i--)
                events.Add(new RawEvent((RawKind)random.Next(round % 2 == 0 ? 8 : 4), time += random.Next(3), random.Next(6), (uint)random.Next(1000), random.Next(2) == 0));
            using var log = new Log(events);
            TracingFileTests.AssertBalanced(CallStacks.Of(log, log.Threads[0]));
        }
    }

    private static void Check(string log, string expected)
    {
        using var source = new Log(log.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Parse).ToList());
        TracingFileTests.AssertBalanced(CallStacks.Of(source, source.Threads[0]));
        Assert.Equal(expected, string.Join(' ', CallStacks.Of(source, source.Threads[0]).Select(Show)));
    }

    private static RawEvent Parse(string word, int time)
    {
        var numbers = word[1..].Split('@');
        var kind = word[0] switch { '(' => RawKind.Entry, ')' => RawKind.Exit, 't' => RawKind.TailExit, '!' => RawKind.Landed, 'L' => RawKind.Lost, 'e' => RawKind.Event, 'b' => RawKind.SpanBegin, _ => RawKind.SpanEnd };
        return kind switch
        {
            RawKind.Lost => new RawEvent(kind, time, 0, 3),
            RawKind.Landed => new RawEvent(kind, time, numbers is [_, var function] ? int.Parse(function) : 0, uint.Parse(numbers[0])),
            _ => numbers is [var id, var frame] ? new RawEvent(kind, time, int.Parse(id), uint.Parse(frame), true) : new RawEvent(kind, time, int.Parse(numbers[0])),
        };
    }

    private static string Show(CallEvent e) => e.Kind switch
    {
        CallKind.Begin => $"{Sure(e.Certainty)}{e.Id}{{",
        CallKind.End => $"{Sure(e.Certainty)}}}{e.Id}",
        CallKind.Lost => "lost",
        CallKind.Event => $"e{e.Id}@{e.Depth}",
        CallKind.SpanBegin => $"b{e.Id}@{e.Depth}",
        _ => $"x{e.Id}@{e.Depth}",
    };

    private static string Sure(Certainty certainty) => certainty switch { Certainty.Open => "o", Certainty.Tail => "t", Certainty.Unwound => "u", _ => "" };
}

/// <summary>A trace of given events.</summary>
internal sealed class Log(params IReadOnlyList<RawEvent>[] threads) : ITraceSource
{
    public string[] Names { get; init; } = [];

    public TraceInfo Info { get; } = new("prog", [], null, [], []);

    public IReadOnlyList<TraceThread> Threads { get; } = [.. threads.Select((_, i) => new TraceThread(i + 1, 100 + i, 1, $"thread{i + 1}"))];

    public IReadOnlyCollection<TraceFunction> Functions => [.. Enumerable.Range(1, Names.Length).Select(Function)];

    public TraceFunction Function(int id) => new(id, id > 0 && id <= Names.Length ? Names[id - 1] : $"f{id}", "", "", 0, 0, null, 0);

    public string SpanName(int id) => $"span{id}";

    public string EventType(int id) => $"event{id}";

    public IEnumerable<RawEvent> Read(TraceThread thread) => threads[thread.Index - 1];

    public void Dispose() { }
}
