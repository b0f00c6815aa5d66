namespace Weft.Core;

/// <summary>Everything Weft says to a person, on stderr and in cargo's manner. Data goes to stdout, never through here.</summary>
public static class Terminal
{
    private static readonly Lock Gate = new();
    private static bool progressShown;

    /// <summary>0 says what matters, 1 shows each command run, 2 also what Weft adds to its environment, -1 only errors.</summary>
    public static int Verbosity { get; set; }

    public static bool Colour { get; set; } = ColourByDefault();

    public static bool Interactive { get; } = !Console.IsErrorRedirected && !IsSet("CI") && Environment.GetEnvironmentVariable("TERM") != "dumb";

    public static void Error(string message, string? help = null)
    {
        Line("error", "1;31", message);
        if (help != null) Line("help", "1;36", help);
    }

    public static void Warning(string message) { if (Verbosity >= 0) Line("warning", "1;33", message); }

    public static void Note(string message) { if (Verbosity >= 0) Line("note", "1;32", message); }

    /// <summary>Cargo's right-aligned verb: <c>     Weaving ripgrep</c>.</summary>
    public static void Status(string verb, string message)
    {
        if (Verbosity >= 0) Write(Paint("1;32", verb.PadLeft(12)) + " " + message + "\n");
    }

    public static void Command(string program, IEnumerable<string> arguments)
    {
        if (Verbosity >= 1) Write(Paint("1;32", "Running".PadLeft(12)) + " `" + string.Join(' ', arguments.Prepend(program).Select(ShellQuote)) + "`\n");
    }

    /// <summary>Replaces the line shown last; nothing at all when stderr is not a terminal.</summary>
    public static void Progress(string text)
    {
        if (!Interactive || Verbosity < 0) return;
        lock (Gate)
        {
            Console.Error.Write("\r\u001b[K" + text);
            progressShown = text.Length > 0;
        }
    }

    /// <summary>An argument as a POSIX shell would need it written.</summary>
    public static string ShellQuote(string argument)
    {
        var plain = argument.Length > 0 && argument.All(c => char.IsAsciiLetterOrDigit(c) || "_-+=.,/:@%".Contains(c));
        return plain ? argument : "'" + argument.Replace("'", "'\\''") + "'";
    }

    /// <summary>An empty variable counts as unset.</summary>
    public static bool IsSet(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));

    private static void Line(string label, string colour, string message) => Write(Paint(colour, label + ":") + " " + message + "\n");

    private static string Paint(string code, string text) => Colour ? $"\u001b[{code}m{text}\u001b[0m" : text;

    private static void Write(string text)
    {
        lock (Gate)
        {
            if (progressShown) Console.Error.Write("\r\u001b[K");
            progressShown = false;
            Console.Error.Write(text);
        }
    }

    private static bool ColourByDefault()
    {
        if (IsSet("NO_COLOR")) return false;
        var term = Environment.GetEnvironmentVariable("CARGO_TERM_COLOR");
        return term == "always" || (term != "never" && !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb");
    }
}
