using System.CommandLine;
using System.Globalization;
using Weft.Core;
using Weft.Tracing;

namespace Weft.Cli.Commands.Tracing;

/// <summary><c>weft tracing attach</c>: switches functions on and off in a running program and looks at what they do.</summary>
internal static class AttachCommand
{
    private const string Help = """
        on [GLOB,...]     switch functions on (all); then calls are recorded. @GLOB: those of a module
        off [GLOB,...]    switch functions off (all)
        list [GLOB]       show functions and whether they are on
        top [SECONDS]     show the busiest functions of the last second, again and again until Enter is pressed
        snapshot [FILE]   copy what has been recorded into a trace of its own
        status            show what is on and where the trace is
        quit              leave; what is on stays on
        """;

    public static Command Create()
    {
        var who = new Argument<string>("PROCESS") { Description = "Its id, or its name if it is the only one" };
        var commands = new Argument<string[]>("COMMAND") { Description = "What to do, each in quotes: 'on parse*' 'top 5' snapshot [default: ask, or read standard input]", Arity = ArgumentArity.ZeroOrMore };
        var ring = new Option<string>("--ring") { HelpName = "SIZE", Description = "What to keep of each thread, when nothing is being recorded yet", DefaultValueFactory = _ => "16M" };
        var command = new Command("attach", "Switch functions of a running program on and off, and look at what they do.") { who, commands, ring };
        command.SetAction(parsed =>
        {
            using var process = LiveTracing.Attach(LiveProcess.Find(parsed.GetRequiredValue(who)));
            var session = new Session(process, Size(parsed.GetRequiredValue(ring)));
            var given = parsed.GetRequiredValue(commands);
            if (given.Length > 0)
                foreach (var line in given) session.Run(line);
            else session.Converse();
            return 0;
        });
        return command;
    }

    private static long Size(string text)
    {
        var factor = text.Length > 0 ? char.ToUpperInvariant(text[^1]) switch { 'K' => 1024L, 'M' => 1 << 20, 'G' => 1 << 30, _ => 1 } : 1;
        var digits = factor > 1 ? text[..^1] : text;
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 && number <= (1L << 31) / factor
            ? number * factor
            : throw WeftException.Usage($"--ring: '{text}' is not a size", "for example 16M, at most 2G");
    }

    private sealed class Session
    {
        private readonly LiveProcess process;
        private string trace;

        public Session(LiveProcess process, long ring)
        {
            this.process = process;
            var hello = process.Ask("hello").Split(' ', 4);
            var recording = hello[1] != "0";
            if (!recording) process.Ask($"ring {ring}");
            trace = recording ? hello[3] : "";
        }

        public void Converse()
        {
            var asks = !Console.IsInputRedirected;
            if (asks) Console.Error.WriteLine($"Attached to process {process.Id}. 'help' lists the commands.");
            while (true)
            {
                if (asks) Console.Error.Write("tracing> ");
                if (Console.ReadLine() is not { } line || line.Trim() is "quit" or "q" or "exit") return;
                if (!asks) Console.Error.WriteLine("> " + line);
                try
                {
                    if (line.Trim().Length > 0) Run(line.Trim());
                }
                catch (WeftException e) when (asks)
                {
                    Terminal.Error(e.Message, e.Help);
                }
            }
        }

        public void Run(string line)
        {
            var space = line.IndexOf(' ');
            var (word, rest) = space < 0 ? (line, "") : (line[..space], line[(space + 1)..].Trim());
            switch (word)
            {
                case "help" or "?": Console.WriteLine(Help); break;
                case "on": Switch($"on 0 {rest}".TrimEnd(), "on", rest); break;
                case "off": Switch($"off {rest}".TrimEnd(), "off", rest); break;
                case "list": List(rest.Length > 0 ? rest : "*"); break;
                case "top": Top(rest); break;
                case "snapshot": Snapshot(rest); break;
                case "status": ShowStatus(); break;
                default: throw WeftException.Usage($"there is no command '{word}'", "'help' lists them");
            }
        }

        private void Switch(string request, string to, string globs)
        {
            var changed = process.Ask(request);
            Console.WriteLine($"{changed} {(changed == "1" ? "function" : "functions")} switched {to}");
            if (changed == "0" && globs.Length > 0) Explain(globs, to);
        }

        private void Explain(string globs, string to)
        {
            var matching = Functions().Where(f => Glob.List(globs).Any(g => Matches(g, f.Function))).ToList();
            Terminal.Warning(matching.Count > 0
                ? $"all {matching.Count} that match '{globs}' are {to} already"
                : $"no traced function matches '{globs}'; 'list' shows them (small functions are only there when the program was built with --tracing-threshold 1)");
        }

        private static bool Matches(Glob glob, TraceFunction function) =>
            glob.ToString() is ['@', .. var module] ? function.Module is { } of && new Glob(module) is var name && (name.Matches(of.Path) || name.Matches(Path.GetFileName(of.Path)))
            : glob.Matches(function.Name) || glob.Matches(function.Symbol) || glob.Matches(FunctionNames.Plain(function.Name));

        private List<(TraceFunction Function, bool On)> Functions()
        {
            Describe();
            var answer = process.AskBytes("state");
            var states = answer.AsSpan(answer.AsSpan().IndexOf((byte)'\n') + 1);
            using var source = TraceSources.Open(trace);
            var list = new List<(TraceFunction, bool)>();
            foreach (var function in source.Functions)
                if (function.Id > 0 && function.Id <= states.Length) list.Add((function, states[function.Id - 1] != '0'));
            return list;
        }

        private string[] Describe()
        {
            var words = process.Ask("describe").Split(' ', 3);
            trace = words[2];
            return words;
        }

        private void List(string globs)
        {
            var patterns = Glob.List(globs);
            var found = 0;
            foreach (var (function, on) in Functions().OrderBy(f => f.Function.Name, StringComparer.Ordinal))
                if (patterns.Any(g => Matches(g, function)))
                {
                    Console.WriteLine($"{(on ? "on " : "off")}  {function.Name}{(function.File.Length > 0 ? $"  {Path.GetFileName(function.File)}:{function.Line}" : "")}");
                    found++;
                }
            if (found == 0) Explain(globs, "off");
        }

        private void ShowStatus()
        {
            var words = Describe();
            Console.WriteLine($"{words[1]} of {words[0]} functions are on; the trace is {trace}");
        }

        private void Snapshot(string file)
        {
            if (trace.Length == 0) throw new WeftException("nothing has been recorded yet", "switch functions on first: on GLOB");
            var to = file.Length > 0 ? file : $"{Path.GetFileNameWithoutExtension(trace)}.{DateTime.Now:yyyyMMdd-HHmmss}.weft-trace";
            File.Copy(trace, to, overwrite: true);
            Console.WriteLine($"{to}: {new FileInfo(to).Length / 1048576.0:0.#} MB");
        }

        private void Top(string rest)
        {
            if (rest.Length > 0 && !int.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out _)) throw WeftException.Usage($"top: '{rest}' is not a number of seconds");
            if (trace.Length == 0) Describe();
            LiveTop.Run(process, trace, rest.Length > 0 ? int.Parse(rest, CultureInfo.InvariantCulture) : int.MaxValue);
        }
    }
}
