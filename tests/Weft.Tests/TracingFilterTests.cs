using Weft.Tracing;

namespace Weft.Tests;

/// <summary>What filters leave of a trace, and how functions are named to them. Time is the place in the log.</summary>
public sealed class TracingFilterTests
{
    private const string Tree = "(main (load (parse )parse (read )read )load (work (read )read e7 )work )main (exit )exit";

    [Theory]
    [InlineData("", "main{ load{ parse{ }parse read{ }read }load work{ read{ }read event@2 }work }main exit{ }exit")]
    [InlineData("-F load", "load{ parse{ }parse read{ }read }load")]
    [InlineData("-F read -F work", "read{ }read work{ read{ }read event@1 }work")]
    [InlineData("-F main -N load", "main{ work{ read{ }read event@2 }work }main")]
    [InlineData("-N main", "exit{ }exit")]
    [InlineData("-N work", "main{ load{ parse{ }parse read{ }read }load }main exit{ }exit")] // the event went with its call
    [InlineData("-N *r*", "main{ load{ }load }main exit{ }exit")]
    [InlineData("-C read", "main{ load{ read{ }read }load work{ read{ }read event@2 }work }main")]
    [InlineData("-C parse", "main{ load{ parse{ }parse }load }main")]
    [InlineData("-C load", "main{ load{ }load }main")]
    [InlineData("-C read -F work", "work{ read{ }read event@1 }work")]
    [InlineData("-D 1", "main{ }main exit{ }exit")]
    [InlineData("-D 2", "main{ load{ }load work{ event@2 }work }main exit{ }exit")]
    [InlineData("-D 1 -F work", "work{ event@1 }work")]
    [InlineData("-H load", "main{ parse{ }parse read{ }read work{ read{ }read event@2 }work }main exit{ }exit")]
    [InlineData("-H main -H work", "load{ parse{ }parse read{ }read }load read{ }read event@0 exit{ }exit")]
    [InlineData("-H main -D 1", "load{ }load work{ event@1 }work exit{ }exit")]
    [InlineData("-t 2", "main{ load{ }load work{ event@2 }work }main")]
    [InlineData("-t 5", "main{ load{ }load }main")]
    [InlineData("-t 6", "main{ }main")]
    [InlineData("-t 14", "")]
    [InlineData("-t 3 -H load", "main{ work{ event@2 }work }main")]
    [InlineData("-r 4 5", "omain{ oload{ read{ }read o}load o}main")]
    [InlineData("-r 0 2", "main{ load{ parse{ o}parse o}load o}main")]
    [InlineData("-r 100 200", "")]
    public void Filters_leave_what_they_say(string arguments, string expected) => Assert.Equal(expected, Run(Tree, arguments));

    [Fact]
    public void A_time_range_shows_calls_under_way_at_both_its_ends()
    {
        Assert.Equal("omain{ owork{ oread{ }read event@2 }work }main exit{ }exit", Run(Tree, "-r 9 100"));
        using var log = Parse("(main (work )work )main", out _);
        Assert.Equal([(1L, 0L), (1, 0), (2, 1), (2, 1)], new CallFilter(log, new FilterOptions { From = 1, To = 2 }).Calls(log.Threads[0]).Select(c => (c.Time, c.Start)));
        using var sparse = new Log(new List<RawEvent> { new(RawKind.Entry, 0, 1), new(RawKind.Exit, 1000, 1) });
        Assert.Equal([(400L, 0L), (500, 400)], new CallFilter(sparse, new FilterOptions { From = 400, To = 500 }).Calls(sparse.Threads[0]).Select(c => (c.Time, c.Start)));
    }

    [Fact]
    public void Spans_end_if_they_begin()
    {
        Assert.Equal("work{ span@1 span@1 }work", Run("b1 (main x1 (work b2 x2 )work )main", "-F work"));
        Assert.Equal("main{ }main", Run("(main (work b1 )work x1 )main", "-N work"));
    }

    [Fact]
    public void Losses_are_never_filtered_out() => Assert.Equal("lost", Run("(main L", "-F nothing"));

    [Fact]
    public void Events_wait_until_it_is_known_that_their_call_is_wanted()
    {
        Assert.Equal("main{ event@1 work{ }work event@1 }main", Run("(main e1 (work (read e1 )read )work e1 )main", "-t 3"));
        Assert.Equal("main{ event@1 work{ event@2 read{ }read }work }main", Run("(main e1 (load e1 )load (work e1 (read )read )work )main", "-C read"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_is_filtered_stays_balanced(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 300; round++)
        {
            var time = 0L;
            using var log = new Log(Enumerable.Range(0, random.Next(200)).Select(_ => new RawEvent((RawKind)random.Next(8), time += random.Next(3), random.Next(6), (uint)random.Next(1000), random.Next(2) == 0)).ToList());
            string[] Some() => random.Next(3) == 0 ? [$"f{random.Next(6)}"] : [];
            var options = new FilterOptions { Only = Some(), Not = Some(), Callers = Some(), Hide = Some(), Depth = random.Next(3) == 0 ? random.Next(1, 4) : int.MaxValue, Shortest = random.Next(2) * random.Next(20), From = random.Next(50), To = random.Next(2) == 0 ? long.MaxValue : 50 + random.Next(100) };
            TracingFileTests.AssertBalanced(new CallFilter(log, options).Calls(log.Threads[0]));
        }
    }

    [Theory]
    [InlineData("main", "main")]
    [InlineData("ns::foo(int, char const*)", "ns::foo")]
    [InlineData("int ns::max<int>(int, int)", "ns::max")]
    [InlineData("unsigned long const& std::vector<int, std::allocator<int>>::at(unsigned long) const", "std::vector::at")]
    [InlineData("(anonymous namespace)::helper(int)", "(anonymous namespace)::helper")]
    [InlineData("std::function<void (int)>::operator()(int) const", "std::function::operator()")]
    [InlineData("operator<<(std::ostream&, X const&)", "operator<<")]
    [InlineData("X::operator bool() const", "X::operator bool")]
    [InlineData("operator new(unsigned long)", "operator new")]
    [InlineData("my_operator<int>(int)", "my_operator")]
    [InlineData("main::{lambda(int)#1}::operator()(int) const", "main::{lambda(int)#1}::operator()")]
    [InlineData("f(int)::{lambda()#1}::operator()() const", "f::{lambda()#1}::operator()")]
    [InlineData("<alloc::vec::Vec<u8> as core::ops::Drop>::drop", "<alloc::vec::Vec<u8> as core::ops::Drop>::drop")]
    [InlineData("core::ptr::drop_in_place::<alloc::string::String>", "core::ptr::drop_in_place")]
    [InlineData("app::run::{closure#0}", "app::run::{closure#0}")]
    [InlineData("app::<impl core::fmt::Debug for X>::fmt", "app::<impl core::fmt::Debug for X>::fmt")]
    [InlineData("<", "<")]
    [InlineData("a(b", "a")]
    [InlineData("((((", "((((")]
    [InlineData("operator", "operator")]
    [InlineData("", "")]
    public void Names_are_known_without_arguments_and_generics(string name, string expected) => Assert.Equal(expected, FunctionNames.Plain(name));

    [Theory]
    [InlineData("ns::foo", true)]
    [InlineData("ns::foo(int)", true)]
    [InlineData("_ZN2ns3fooEi", true)]
    [InlineData("*::foo", true)]
    [InlineData("ns*", true)]
    [InlineData("ns::f?o", true)]
    [InlineData("foo", false)]
    [InlineData("ns::fo", false)]
    [InlineData("NS::foo", false)]
    public void A_pattern_matches_a_name_its_plain_form_or_its_symbol(string pattern, bool expected) =>
        Assert.Equal(expected, FunctionNames.Matches(pattern, new TraceFunction(1, "ns::foo(int)", "_ZN2ns3fooEi", "", 0, 0, null, 0)));

    [Fact]
    public void A_pattern_that_matches_nothing_is_told_with_what_it_may_have_meant()
    {
        using var log = new Log(new List<RawEvent> { new(RawKind.Entry, 1, 1) }) { Names = ["main", "ns::food(int)", "fool", "other"] };
        var filter = new CallFilter(log, new FilterOptions { Only = ["foo"], Not = ["other"], Hide = ["main"], Threads = ["77"] });
        foreach (var thread in log.Threads) Assert.NotNull(filter.Calls(thread).ToList());
        Assert.Equal(
        [
            "no thread matches '77'; the trace has 100 (thread1)",
            "no function matches 'foo'; 4 functions are in the trace; did you mean 'fool' or 'ns::food'?",
            "no call of 'other' is in what was looked at of the trace",
        ], filter.Complaints());
    }

    [Fact]
    public void Threads_are_chosen_by_id_and_by_name()
    {
        using var log = new Log([], [], []);
        Assert.Equal([2], new CallFilter(log, new FilterOptions { Threads = ["101"] }).Threads.Select(t => t.Index));
        Assert.Equal([1, 3], new CallFilter(log, new FilterOptions { Threads = ["thread3", "100"] }).Threads.Select(t => t.Index));
        Assert.Equal([1, 2, 3], new CallFilter(log, new FilterOptions { Threads = ["thr*"] }).Threads.Select(t => t.Index));
    }

    [Theory]
    [InlineData("5us", 5_000L)]
    [InlineData("1.5ms", 1_500_000L)]
    [InlineData("2s", 2_000_000_000L)]
    [InlineData("100ns", 100L)]
    [InlineData("1m", 60_000_000_000L)]
    [InlineData("0", 0L)]
    [InlineData("5", null)]
    [InlineData("-5us", null)]
    [InlineData("5 us", null)]
    [InlineData("us", null)]
    [InlineData("5parsecs", null)]
    [InlineData("99999999999999h", null)]
    [InlineData("", null)]
    public void Times_are_numbers_with_units(string text, long? expected) => Assert.Equal(expected, Durations.Parse(text));

    [Theory]
    [InlineData(0, "0.000 us")]
    [InlineData(7, "0.007 us")]
    [InlineData(999_999, "999.999 us")]
    [InlineData(1_000_000, "1.000 ms")]
    [InlineData(1_234_567_890, "1.234  s")]
    [InlineData(3_600_000_000_000, "60.000  m")]
    [InlineData(360_000_000_000_000, "100.000  h")]
    [InlineData(long.MaxValue, "2562047.788  h")]
    public void Times_have_three_digits_behind_the_point(long time, string expected) => Assert.Equal(expected.PadLeft(10), Durations.Format(time));

    private static string Run(string text, string arguments)
    {
        using var log = Parse(text, out _);
        var filter = new CallFilter(log, Options(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
        TracingFileTests.AssertBalanced(filter.Calls(log.Threads[0]));
        return string.Join(' ', filter.Calls(log.Threads[0]).Select(c => Show(log, c)));
    }

    private static FilterOptions Options(string[] words) => words switch
    {
        [] => new FilterOptions(),
        ["-F", var p, .. var rest] => Options(rest) is var o ? o with { Only = [.. o.Only, p] } : null!,
        ["-N", var p, .. var rest] => Options(rest) is var o ? o with { Not = [.. o.Not, p] } : null!,
        ["-C", var p, .. var rest] => Options(rest) is var o ? o with { Callers = [.. o.Callers, p] } : null!,
        ["-H", var p, .. var rest] => Options(rest) is var o ? o with { Hide = [.. o.Hide, p] } : null!,
        ["-D", var n, .. var rest] => Options(rest) with { Depth = int.Parse(n) },
        ["-t", var n, .. var rest] => Options(rest) with { Shortest = long.Parse(n) },
        ["-r", var from, var to, .. var rest] => Options(rest) with { From = long.Parse(from), To = long.Parse(to) },
        _ => throw new ArgumentException(words[0]),
    };

    internal static Log Parse(string text, out string[] names)
    {
        var known = new List<string>();
        var events = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select((word, time) => word switch
        {
            "L" => new RawEvent(RawKind.Lost, time, 0, 1),
            ['(', ..] => new RawEvent(RawKind.Entry, time, Id(known, word[1..])),
            [')', ..] => new RawEvent(RawKind.Exit, time, Id(known, word[1..])),
            ['e', ..] => new RawEvent(RawKind.Event, time, int.Parse(word[1..])),
            ['b', ..] => new RawEvent(RawKind.SpanBegin, time, int.Parse(word[1..])),
            _ => new RawEvent(RawKind.SpanEnd, time, int.Parse(word[1..])),
        }).ToList();
        names = [.. known];
        return new Log(events) { Names = names };
    }

    private static int Id(List<string> known, string name)
    {
        if (!known.Contains(name)) known.Add(name);
        return known.IndexOf(name) + 1;
    }

    private static string Show(Log log, CallEvent e) => e.Kind switch
    {
        CallKind.Begin => $"{(e.Certainty == Certainty.Open ? "o" : "")}{log.Function(e.Id).Name}{{",
        CallKind.End => $"{(e.Certainty == Certainty.Open ? "o" : "")}}}{log.Function(e.Id).Name}",
        CallKind.Lost => "lost",
        CallKind.Event => $"event@{e.Depth}",
        _ => $"span@{e.Depth}",
    };
}
