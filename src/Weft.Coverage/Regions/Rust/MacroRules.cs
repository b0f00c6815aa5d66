using System.Text;

namespace Weft.Coverage.Regions.Rust;

/// <summary>What a macro made of an invocation: its text, and which pieces of it the user wrote there.</summary>
internal sealed record Expansion(byte[] Text, IReadOnlyList<Piece> Pieces);

/// <summary>A piece of a text that stood elsewhere before.</summary>
internal readonly record struct Piece(int Start, int Length, int Original);

/// <summary>
/// Expands a <c>macro_rules!</c> macro: the first rule that fits, with fragments cut by the tokens that may follow them,
/// which the language fixes. Repetitions in repetitions are left alone.
/// </summary>
/// <param name="definition">The text that the macro is defined in.</param>
/// <param name="rules">Its rules: the inside of the pattern, and of what it becomes.</param>
internal sealed class MacroRules(byte[] definition, IReadOnlyList<(Span Pattern, Span Result)> rules)
{
    private sealed class Bindings : Dictionary<string, List<Span>>;

    private sealed record Repetition(int First, int End, string Separator, int Next);

    /// <summary>What an invocation becomes; null if no rule fits, or one that is not understood.</summary>
    /// <param name="text">The text of the invocation.</param>
    /// <param name="arguments">The inside of its delimiters.</param>
    public Expansion? Expand(byte[] text, Span arguments)
    {
        var input = new MacroTokens(text, arguments);
        foreach (var (pattern, result) in rules)
        {
            var (bindings, at) = (new Bindings(), 0);
            var tokens = new MacroTokens(definition, pattern);
            if (Match(tokens, 0, tokens.Count, input, ref at, bindings) && at == input.Count) return new Transcript(text).Run(new MacroTokens(definition, result), bindings);
        }
        return null;
    }

    private static bool Match(MacroTokens pattern, int from, int end, MacroTokens input, ref int at, Bindings bindings)
    {
        for (var i = from; i < end;)
        {
            if (pattern[i] == "$" && pattern[i + 1] == "(")
            {
                var repetition = RepetitionAt(pattern, i);
                if (!MatchMany(pattern, repetition, input, ref at, bindings)) return false;
                i = repetition.Next;
            }
            else if (pattern[i] == "$" && pattern[i + 2] == ":")
            {
                var fragmentEnd = input.EndOf(pattern[i + 3], at);
                if (fragmentEnd == at) return false;
                if (!bindings.TryGetValue(pattern[i + 1], out var values)) bindings[pattern[i + 1]] = values = [];
                values.Add(input.SpanOf(at, fragmentEnd));
                at = fragmentEnd;
                i += 4;
            }
            else if (pattern[i++] != input[at++]) return false;
        }
        return true;
    }

    private static bool MatchMany(MacroTokens pattern, Repetition repetition, MacroTokens input, ref int at, Bindings bindings)
    {
        for (var first = true; at < input.Count; first = false)
        {
            if (!first && repetition.Separator.Length > 0 && input[at] != repetition.Separator) return true;
            var next = first || repetition.Separator.Length == 0 ? at : at + 1;
            if (!Match(pattern, repetition.First, repetition.End, input, ref next, bindings) || next == at) return first || repetition.Separator.Length == 0;
            at = next;
        }
        return true;
    }

    private static Repetition RepetitionAt(MacroTokens tokens, int dollar)
    {
        var behind = tokens.Behind(dollar + 1);
        var isSeparated = tokens[behind] is not ("*" or "+" or "?");
        return new(dollar + 2, behind - 1, isSeparated ? tokens[behind] : "", behind + (isSeparated ? 2 : 1));
    }

    /// <summary>Writes what a rule makes, and keeps book of where arguments go.</summary>
    private sealed class Transcript(byte[] text)
    {
        private readonly List<byte> written = [];
        private readonly List<Piece> pieces = [];

        public Expansion Run(MacroTokens result, Bindings bindings)
        {
            Write(result, 0, result.Count, bindings);
            return new([.. written], pieces);
        }

        private void Write(MacroTokens result, int from, int end, Bindings bindings)
        {
            for (var i = from; i < end;)
            {
                if (result[i] == "$" && result[i + 1] == "(") i = WriteMany(result, RepetitionAt(result, i), bindings);
                else if (result[i] == "$" && bindings.TryGetValue(result[i + 1], out var values))
                {
                    WritePiece(values[0]);
                    i += 2;
                }
                else if (result[i] == "$") i++; // $crate
                else
                {
                    written.AddRange(Encoding.UTF8.GetBytes(result[i]));
                    if (++i < end && !result.Touches(i - 1)) written.Add((byte)' ');
                }
            }
        }

        private int WriteMany(MacroTokens result, Repetition repetition, Bindings bindings)
        {
            var names = Enumerable.Range(repetition.First, repetition.End - repetition.First).Where(i => result[i] == "$").Select(i => result[i + 1]).Where(bindings.ContainsKey).ToHashSet();
            for (var i = 0; i < names.Select(n => bindings[n].Count).DefaultIfEmpty().Max(); i++)
            {
                if (i > 0) written.AddRange(Encoding.UTF8.GetBytes(repetition.Separator));
                var one = new Bindings();
                foreach (var (name, values) in bindings) one[name] = names.Contains(name) && i < values.Count ? [values[i]] : values;
                Write(result, repetition.First, repetition.End, one);
            }
            return repetition.Next;
        }

        private void WritePiece(Span span)
        {
            written.Add((byte)' ');
            pieces.Add(new Piece(written.Count, span.High - span.Low, span.Low));
            written.AddRange(text[span.Low..span.High]);
            written.Add((byte)' ');
        }
    }
}
