using System.Buffers.Binary;
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
        var filters = new FilterArguments();
        var command = new Command("replay", "Print what the program did, call by call.") { file };
        filters.AddTo(command);
        command.SetAction(parsed => TraceFiles.Read(parsed.GetValue(file), filters.Of(parsed), filter =>
        {
            var found = true; // also when nobody reads to the end
            StandardOutput.Text(output => found = new Replay(filter, output).Write());
            return found;
        }));
        return command;
    }

    /// <summary>One line of the output: a call that calls nothing is one with its end.</summary>
    private readonly record struct Step(TraceThread Thread, CallEvent Event, CallEvent? End, long SpanStart);

    private sealed class Replay(CallFilter filter, TextWriter output)
    {
        /// <summary>Recursion further down is shown with its depth in figures: a line has to end somewhere.</summary>
        private const int Indented = 64;
        private const string NoTime = "          ";

        private static readonly string Spaces = new(' ', 2 * Indented);

        private readonly ITraceSource source = filter.Source;
        private readonly IdTable<string> names = new();
        private readonly char[] time = new char[32];

        public bool Write()
        {
            var notes = new Queue<(long Time, string Text)>(source.Info.Notes);
            var found = false;
            foreach (var step in Timeline.Merge(filter, Steps, s => s.Event.Time))
            {
                if (!found) output.Write("# DURATION     TID     FUNCTION\n");
                found = true;
                while (notes.TryPeek(out var note) && note.Time <= step.Event.Time) output.Write($"{NoTime} [{"weft",6}] | /* {notes.Dequeue().Text} */\n");
                Write(step);
            }
            return found;
        }

        private IEnumerable<Step> Steps(TraceThread thread)
        {
            CallEvent? held = null;
            var spans = new Dictionary<int, long>();
            foreach (var call in filter.Calls(thread))
            {
                if (held is { } begin)
                {
                    held = null;
                    var isLeaf = call.Kind == CallKind.End;
                    yield return new Step(thread, begin, isLeaf ? call : null, -1);
                    if (isLeaf) continue;
                }
                if (call.Kind == CallKind.Begin) held = call;
                else yield return new Step(thread, call, null, Span(spans, call));
            }
        }

        // Spans of one name end in the order they began, as far as a line can show.
        private static long Span(Dictionary<int, long> spans, in CallEvent call)
        {
            if (call.Kind == CallKind.SpanBegin) spans[call.Id] = call.Time;
            return call.Kind == CallKind.SpanEnd && spans.Remove(call.Id, out var start) ? start : -1;
        }

        private void Write(in Step step)
        {
            var call = step.Event;
            switch (call.Kind)
            {
                case CallKind.Begin when step.End is { } end:
                    Lead(step, end.Time - call.Time);
                    Call(call);
                    Result(end);
                    output.Write(';');
                    Comment(call.Certainty == Certainty.Open ? "under way when the trace begins" : "", Ending(end.Certainty));
                    break;
                case CallKind.Begin:
                    Lead(step, -1);
                    Call(call);
                    output.Write(" {");
                    Comment(call.Certainty == Certainty.Open ? "under way when the trace begins" : "", "");
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

        private void Lead(in Step step, long duration)
        {
            if (duration < 0) output.Write(NoTime);
            else Duration(duration);
            output.Write(" [");
            step.Thread.Id.TryFormat(time, out var digits, default, CultureInfo.InvariantCulture);
            for (var i = digits; i < 6; i++) output.Write(' ');
            output.Write(time.AsSpan(0, digits));
            output.Write("] | ");
            var depth = step.Event.Depth;
            output.Write(Spaces.AsSpan(0, 2 * Math.Min(depth, Indented)));
            if (depth > Indented) output.Write($"({depth}) ");
        }

        private void Duration(long duration)
        {
            var length = Durations.Format(duration, time);
            for (var i = length; i < NoTime.Length; i++) output.Write(' ');
            var colour = !StandardOutput.Colour || duration < 1_000_000 ? null : duration < 1_000_000_000 ? "\u001b[33m" : "\u001b[31m";
            output.Write(colour);
            output.Write(time.AsSpan(0, length));
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
            output.Write(Values.Show(call.Data.Span, source.Function(call.Id).Types >> 4));
            output.Write(')');
        }

        private void Result(in CallEvent end)
        {
            if (end.Data.IsEmpty) return;
            output.Write(" = ");
            output.Write(Values.Show(end.Data.Span, source.Function(end.Id).Types & 15));
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
            Certainty.Open => "no end in the trace",
            Certainty.Tail => "tail call",
            _ => "",
        };

        private string Describe(in CallEvent call) => call.Kind switch
        {
            CallKind.Lost => call.Id == 0 ? "events are missing here" : $"{call.Id} events are missing here",
            CallKind.SpanBegin => $"{source.SpanName(call.Id)} begins",
            CallKind.SpanEnd => $"{source.SpanName(call.Id)} ends",
            _ => call.Data.IsEmpty ? source.EventType(call.Id) : $"{source.EventType(call.Id)}: {Values.ShowData(call.Data.Span)}",
        };

        /// <summary>With brackets, if it has none yet.</summary>
        private string Name(int id)
        {
            ref var known = ref names[id];
            if (known != null) return known;
            var name = source.Function(id).Name;
            return known = FunctionNames.HasArguments(name) ? name : name + "()";
        }
    }

    /// <summary>What was recorded beside calls, as people read it.</summary>
    private static class Values
    {
        /// <param name="data">Eight bytes for each.</param>
        /// <param name="types">Four bits for each; see docs/tracing-format.md.</param>
        public static string Show(ReadOnlySpan<byte> data, uint types)
        {
            var text = new StringBuilder();
            for (; data.Length >= 8; data = data[8..], types >>= 4)
                text.Append(text.Length > 0 ? ", " : "").Append(Show(BinaryPrimitives.ReadInt64LittleEndian(data), types & 15));
            return text.ToString();
        }

        /// <summary>Text if it is text, else bytes.</summary>
        public static string ShowData(ReadOnlySpan<byte> data)
        {
            const int most = 256;
            var shown = data[..Math.Min(data.Length, most)].TrimEnd((byte)0);
            var isText = shown.Length > 0 && !shown.ContainsAnyExceptInRange((byte)' ', (byte)'~');
            return (isText ? Encoding.ASCII.GetString(shown) : Convert.ToHexStringLower(data[..Math.Min(data.Length, most)])) + (data.Length > most ? "…" : "");
        }

        private static string Show(long value, uint type) => type switch
        {
            1 => (value & 1) != 0 ? "true" : "false",
            2 => ((sbyte)value).ToString(CultureInfo.InvariantCulture),
            3 => ((short)value).ToString(CultureInfo.InvariantCulture),
            4 => ((int)value).ToString(CultureInfo.InvariantCulture),
            5 => value.ToString(CultureInfo.InvariantCulture),
            7 => BitConverter.Int32BitsToSingle((int)value).ToString(CultureInfo.InvariantCulture),
            8 => BitConverter.Int64BitsToDouble(value).ToString(CultureInfo.InvariantCulture),
            _ => $"0x{value:x}",
        };
    }
}
