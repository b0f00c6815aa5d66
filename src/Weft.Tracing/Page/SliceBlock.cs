namespace Weft.Tracing.Page;

/// <summary>Slices of a thread on their way into the page, written whenever there are many.</summary>
internal sealed class SliceBlock(SliceKind kind, int thread, Stream output)
{
    private const int Size = 1 << 16;
    private const int MostData = 64;

    private readonly Column head = new();
    private readonly Column items = new(), ends = new(), durations = new(), certainties = new(), more = new();
    private long time, last;
    private int count;
    private bool hasMore = kind != SliceKind.Call;

    /// <param name="slice">Ends no sooner than the one before.</param>
    /// <param name="item">In the page's numbers.</param>
    /// <param name="values">Of a call, as text.</param>
    public void Add(in Slice slice, int item, string values = "")
    {
        if (count == 0) time = last = slice.End;
        items.Number(item);
        ends.Number(slice.End - last);
        last = slice.End;
        durations.Number(slice.Duration);
        certainties.Byte((byte)((int)slice.Begins + 4 * (int)slice.Ends));
        if (kind == SliceKind.Call) more.Text(values);
        hasMore |= values.Length > 0;
        if (kind == SliceKind.Span) more.Bytes([(byte)slice.Lane]);
        if (kind == SliceKind.Event) more.Bytes(slice.Data.Span[..Math.Min(slice.Data.Length, MostData)]);
        if (++count == Size) Flush();
    }

    public void Flush()
    {
        if (count == 0) return;
        head.Number((int)kind);
        head.Number(thread);
        head.Number(count);
        head.Number(time);
        if (!hasMore) more.Clear();
        foreach (var column in (ReadOnlySpan<Column>)[items, ends, durations, certainties, more])
        {
            head.Add(column);
            column.Clear();
        }
        head.MoveTo(output);
        count = 0;
    }
}
