using System.CommandLine;
using System.Globalization;
using System.Text;
using Weft.Tracing;

namespace Weft.Cli.Commands.Tracing;

/// <summary><c>weft tracing replay</c>: the program again, call by call.</summary>
internal static class ReplayCommand
{
    public static Command Create()
    {
        var file = TraceFiles.Argument();
        var program = TraceFiles.Program();
        var filters = new FilterArguments();
        var command = new Command("replay", "Print what the program did, call by call.") { file, program };
        filters.AddTo(command);
        command.SetAction(parsed => TraceFiles.Read(parsed.GetValue(file), filters.Of(parsed), filter =>
        {
            var replay = new Replay(filter);
            StandardOutput.Text(replay.Write);
            return replay.Found;
        }, parsed.GetValue(program)));
        return command;
    }

    /// <summary>One line of the output: a call that calls nothing is one with its end. A thread has one of these, always the same.</summary>
    private sealed class Step(TraceThread thread)
    {
        public TraceThread Thread => thread;

        public CallEvent Event { get; set; }

        public bool IsLeaf { get; set; }

        /// <summary>Of a leaf.</summary>
        public CallEvent End { get; set; }

        /// <summary>Of the end of a span: when it began; else -1.</summary>
        public long SpanStart { get; set; } = -1;
    }

    private sealed class Replay(CallFilter filter)
    {
        /// <summary>Recursion further down is shown with its depth in figures: a line has to end somewhere.</summary>
        private const int Indented = 64;
        private const string NoTime = "          ";

        private static readonly string Spaces = new(' ', 2 * Indented);

        private readonly ITraceSource source = filter.Source;
        private readonly IdTable<string> names = new();
        private readonly char[] text = new char[32];
        private TextWriter output = TextWriter.Null;

        /// <summary>Whether there was anything.</summary>
        public bool Found { get; private set; }

        public void Write(TextWriter to)
        {
            output = to;
            var notes = new Queue<(long Time, string Text)>(source.Info.Notes);
            foreach (var step in Timeline.Merge(filter, Steps, s => s.Event.Time))
            {
                if (!Found) output.Write("# DURATION     TID     FUNCTION\n");
                Found = true;
                while (notes.TryPeek(out var note) && note.Time <= step.Event.Time) output.Write($"{NoTime} [{"weft",6}] | /* {notes.Dequeue().Text} */\n");
                Write(step);
            }
        }

        private IEnumerable<Step> Steps(TraceThread thread)
        {
            var step = new Step(thread);
            var spans = new Dictionary<int, long>();
            var isHeld = false;
            foreach (var call in filter.Calls(thread))
            {
                if (isHeld)
                {
                    step.IsLeaf = call.Kind == CallKind.End;
                    if (step.IsLeaf) step.End = call;
                    isHeld = false;
                    yield return step;
                    if (step.IsLeaf) continue;
                }
                step.Event = call;
                step.IsLeaf = false;
                isHeld = call.Kind == CallKind.Begin;
                if (isHeld) continue;
                step.SpanStart = Span(spans, call);
                yield return step;
                step.SpanStart = -1;
            }
        }

        // Spans of one name end in the order they began, as far as a line can show.
        private static long Span(Dictionary<int, long> spans, in CallEvent call)
        {
            if (call.Kind == CallKind.SpanBegin) spans[call.Id] = call.Time;
            return call.Kind == CallKind.SpanEnd && spans.Remove(call.Id, out var start) ? start : -1;
        }

        private void Write(Step step)
        {
            var call = step.Event;
            switch (call.Kind)
            {
                case CallKind.Begin when step.IsLeaf:
                    var end = step.End;
                    Lead(step, end.Time - call.Time);
                    Call(call);
                    Result(end);
                    output.Write(';');
                    Comment(call.Certainty == Certainty.Open ? "begin not seen" : "", Ending(end.Certainty));
                    break;
                case CallKind.Begin:
                    Lead(step, -1);
                    Call(call);
                    output.Write(" {");
                    Comment(call.Certainty == Certainty.Open ? "begin not seen" : "", "");
                    break;
                case CallKind.End:
                    Lead(step, call.Time - call.Start);
                    output.Write('}');
                    Result(call);
                    if (!call.Data.IsEmpty) output.Write(';');
                    Comment(Name(call.Id), Ending(call.Certainty));
                    break;
                default:
                    Lead(step, step.SpanStart < 0 ? -1 : call.Time - step.SpanStart);
                    output.Write(StandardOutput.Colour ? $"\u001b[32m/* {Describe(call)} */\u001b[0m" : $"/* {Describe(call)} */");
                    break;
            }
            output.Write('\n');
        }

        private void Lead(Step step, long duration)
        {
            Duration(duration);
            output.Write(" [");
            step.Thread.Id.TryFormat(text, out var digits, default, CultureInfo.InvariantCulture);
            output.Write(Spaces.AsSpan(0, Math.Max(0, 6 - digits)));
            output.Write(text.AsSpan(0, digits));
            output.Write("] | ");
            var depth = step.Event.Depth;
            output.Write(Spaces.AsSpan(0, 2 * Math.Min(depth, Indented)));
            if (depth > Indented) output.Write($"({depth}) ");
        }

        private void Duration(long duration)
        {
            if (duration < 0)
            {
                output.Write(NoTime);
                return;
            }
            var length = Durations.Format(duration, text);
            var colour = !StandardOutput.Colour || duration < 1_000_000 ? null : duration < 1_000_000_000 ? "\u001b[33m" : "\u001b[31m";
            if (colour != null) output.Write(colour);
            output.Write(text.AsSpan(0, length));
            if (colour != null) output.Write("\u001b[0m");
        }

        private void Call(in CallEvent call)
        {
            var name = Name(call.Id);
            if (call.Data.IsEmpty)
            {
                output.Write(name);
                return;
            }
            output.Write(FunctionNames.Plain(source.Function(call.Id).Name));
            output.Write('(');
            output.Write(CallValues.List(source.Function(call.Id).Types >> 4, call.Data.Span));
            output.Write(')');
        }

        private void Result(in CallEvent end)
        {
            if (end.Data.IsEmpty) return;
            output.Write(" = ");
            output.Write(CallValues.List(source.Function(end.Id).Types & 15, end.Data.Span));
        }

        private void Comment(string first, string second)
        {
            if (first.Length + second.Length == 0) return;
            output.Write(StandardOutput.Colour ? " \u001b[2m/* " : " /* ");
            output.Write(first);
            if (first.Length > 0 && second.Length > 0) output.Write(": ");
            output.Write(second);
            output.Write(StandardOutput.Colour ? " */\u001b[0m" : " */");
        }

        private static string Ending(Certainty certainty) => certainty switch
        {
            Certainty.Unwound => "left by an exception or jump",
            Certainty.Open => "end not seen",
            Certainty.Tail => "tail call",
            _ => "",
        };

        private string Describe(in CallEvent call) => call.Kind switch
        {
            CallKind.Lost => call.Id == 0 ? "events are missing here" : $"{call.Id} events are missing here",
            CallKind.SpanBegin => $"{source.SpanName(call.Id)} begins",
            CallKind.SpanEnd => $"{source.SpanName(call.Id)} ends",
            _ => call.Data.IsEmpty ? source.EventType(call.Id) : $"{source.EventType(call.Id)}: {Text(call.Data.Span)}",
        };

        /// <summary>Text if it is text, else bytes.</summary>
        private static string Text(ReadOnlySpan<byte> data)
        {
            const int most = 256;
            var shown = data[..Math.Min(data.Length, most)].TrimEnd((byte)0);
            var isText = shown.Length > 0 && !shown.ContainsAnyExceptInRange((byte)' ', (byte)'~');
            return (isText ? Encoding.ASCII.GetString(shown) : Convert.ToHexStringLower(data[..Math.Min(data.Length, most)])) + (data.Length > most ? "…" : "");
        }

        /// <summary>With brackets, if it has none yet.</summary>
        private string Name(int id)
        {
            ref var known = ref names[id];
            if (known != null) return known;
            var name = source.Function(id).Name;
            return known = FunctionNames.HasArguments(name) ? name : name + "()";
        }
    }
}
