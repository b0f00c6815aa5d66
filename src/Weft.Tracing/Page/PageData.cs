using System.Globalization;
using Weft.Core;

namespace Weft.Tracing.Page;

/// <summary>
/// What the page's script (data.js) reads. Numbers are little-endian with seven bits a byte, text is UTF-8 behind its length, a
/// column is bytes behind their length.
/// <code>
/// head      version (1); calls; program; arguments; start in ms since 1970 or 0;
///           first and last time, ns; least duration of the calls and of the spans that are shown
/// texts     complaints; remarks of the page on itself; notes (time, text)
/// names     modules; functions (name, symbol or "", file, line, module + 1); spans; types of events
/// stacks    count without the root; columns: distance to the parent, function
/// threads   id, process, name, calls, first and last time; number of sums; columns: node (distance to the one before), calls, total, longest
/// blocks    kind of slices, thread, count, time; columns: item, end (since the one before, at first since the time), duration,
///           certainties (begin + 4 * end), more (behind a length each, of calls: text of arguments and result, the column is empty
///           if no call has any; of spans: a byte, the row; of events: data); kind 0 ends
/// </code>
/// Slices of a thread and kind come in the order of their ends. What is written as it is read is only the blocks.
/// </summary>
internal sealed class PageData(Stream output, ITraceSource source, Survey survey)
{
    private const int MostComplaints = 200;

    private readonly Column head = new();
    private readonly Column first = new(), second = new(), third = new(), fourth = new();
    private readonly Dictionary<int, int> spanNames = [], eventTypes = [];
    private readonly long shortestCall = survey.ShortestCall, shortestSpan = survey.ShortestSpan;
    private long marks;

    public void Write(Func<TraceThread, IEnumerable<CallEvent>> calls)
    {
        Head();
        Names();
        Stacks();
        Threads();
        for (var i = 0; i < survey.Threads.Count; i++) Blocks(i, calls(survey.Threads[i].Thread));
        head.Number((int)SliceKind.None);
        head.MoveTo(output);
    }

    private void Head()
    {
        var info = source.Info;
        head.Number(1);
        head.Number(survey.Calls);
        head.Text(info.Program);
        head.Texts(info.Arguments.ToList());
        head.Number(info.Started?.ToUnixTimeMilliseconds() ?? 0);
        head.Number(survey.Threads.Count == 0 ? 0 : survey.Threads.Min(t => t.First));
        head.Number(survey.Threads.Count == 0 ? 0 : survey.Threads.Max(t => t.Last));
        head.Number(shortestCall);
        head.Number(shortestSpan);
        head.Texts(Complaints(info.Complaints));
        head.Texts(Remarks().ToList());
        head.Number(info.Notes.Count);
        foreach (var (time, text) in info.Notes)
        {
            head.Number(time);
            head.Text(text);
        }
    }

    private static List<string> Complaints(IReadOnlyList<string> all) =>
        all.Count <= MostComplaints ? [.. all] : [.. all.Take(MostComplaints), Invariant($"and {all.Count - MostComplaints:N0} more")];

    private IEnumerable<string> Remarks()
    {
        if (shortestCall > 0)
            yield return Invariant($"The timeline shows the calls that took {shortestCall:N0} ns or more; shorter ones are part of their callers. The flame graph and the table count all {survey.Calls:N0} calls, but only the shown ones within a selected range.");
        if (survey.Stackless > 0)
            yield return Invariant($"There are more different stacks than the {survey.Stacks.Nodes.Count - 1:N0} that this page tells apart; {survey.Stackless:N0} calls with other stacks are part of their callers everywhere.");
        if (shortestSpan > 0) yield return Invariant($"Of {survey.Spans:N0} spans, those of {shortestSpan:N0} ns or more are shown.");
        if (survey.EventsPerMark > 1) yield return Invariant($"Of {survey.Events:N0} events, every {survey.EventsPerMark:N0}th is shown.");
    }

    private void Names()
    {
        var functions = survey.Stacks.Nodes.Skip(1).Select(n => n.Function).Distinct().Select(source.Function).ToList();
        var modules = functions.Select(f => f.Module?.Path).OfType<string>().Distinct().ToList();
        var indices = modules.Index().ToDictionary(m => m.Item, m => m.Index + 1);
        head.Texts(modules);
        head.Number(functions.Count);
        foreach (var function in functions)
        {
            head.Text(function.Name);
            head.Text(function.Symbol == function.Name ? "" : function.Symbol);
            head.Text(function.File);
            head.Number(function.Line);
            head.Number(function.Module is { } module ? indices[module.Path] : 0);
        }
        head.Texts(NamesOf(spanNames, survey.SpanNames, source.SpanName));
        head.Texts(NamesOf(eventTypes, survey.EventTypes, source.EventType));
    }

    private static List<string> NamesOf(Dictionary<int, int> indices, IEnumerable<int> ids, Func<int, string> name)
    {
        foreach (var id in ids) indices.Add(id, indices.Count);
        return [.. indices.Keys.Select(name)];
    }

    private void Stacks()
    {
        var nodes = survey.Stacks.Nodes;
        var functions = new Dictionary<int, int>();
        for (var node = 1; node < nodes.Count; node++)
        {
            var (parent, function) = nodes[node];
            functions.TryAdd(function, functions.Count);
            first.Number(node - parent);
            second.Number(functions[function]);
        }
        head.Number(nodes.Count - 1);
        Move(first, second);
    }

    private void Threads()
    {
        head.Number(survey.Threads.Count);
        foreach (var (thread, begin, end, calls, sums) in survey.Threads)
        {
            head.Number(thread.Id);
            head.Number(thread.Process);
            head.Text(thread.Name);
            head.Number(calls);
            head.Number(begin);
            head.Number(end);
            head.Number(sums.Count);
            var before = 0;
            foreach (var (node, sum) in sums)
            {
                first.Number(node - before);
                before = node;
                second.Number(sum.Calls);
                third.Number(sum.Total);
                fourth.Number(sum.Longest);
            }
            Move(first, second, third, fourth);
        }
    }

    private void Blocks(int thread, IEnumerable<CallEvent> steps)
    {
        var shown = new SliceBlock(SliceKind.Call, thread, output);
        var spans = new SliceBlock(SliceKind.Span, thread, output);
        var events = new SliceBlock(SliceKind.Event, thread, output);
        // A trace that is being written grows between the two readings: what the first has not seen is left out.
        foreach (var slice in SliceReader.Read(steps, survey.Stacks.Find))
        {
            if (slice.Kind == SliceKind.Call && slice.Item != StackNodes.None && slice.Duration >= shortestCall) shown.Add(slice, slice.Item, Values(slice));
            else if (slice.Kind == SliceKind.Span && slice.Duration >= shortestSpan && spanNames.TryGetValue(slice.Item, out var name)) spans.Add(slice, name);
            else if (slice.Kind == SliceKind.Event && eventTypes.TryGetValue(slice.Item, out var type) && Marked()) events.Add(slice, type + 1);
            else if (slice.Kind == SliceKind.Lost && Marked()) events.Add(slice, 0);
        }
        shown.Flush();
        spans.Flush();
        events.Flush();
    }

    private string Values(in Slice call) =>
        call.Data.IsEmpty && call.Result.IsEmpty ? "" : CallValues.Text(source.Function(survey.Stacks.Nodes[call.Item].Function).Types, call.Data.Span, call.Result.Span);

    private bool Marked() => marks++ % survey.EventsPerMark == 0;

    private void Move(params ReadOnlySpan<Column> columns)
    {
        foreach (var column in columns)
        {
            head.Add(column);
            column.Clear();
        }
        head.MoveTo(output);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
