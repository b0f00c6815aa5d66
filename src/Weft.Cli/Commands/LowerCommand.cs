using System.CommandLine;
using System.Diagnostics;
using Weft.Core;

namespace Weft.Cli.Commands;

/// <summary>
/// <c>weft lower</c>: one module from bitcode to object file. A damaged file can crash LLVM beyond any handler, so the
/// work is done by a child copy of this program (<see cref="LowerWorker"/>), and a crash is one sentence here.
/// </summary>
internal static class LowerCommand
{
    public static Command Create()
    {
        var input = new Argument<string>("IN") { Description = "LLVM bitcode or textual IR; '-' is standard input" };
        var output = new Option<string>("--output", "-o") { HelpName = "FILE", Description = "Where the result goes; '-' is standard output", Required = true };
        var levels = Enum.GetValues<OptLevel>().Select(l => new Option<bool>($"-{l}") { Description = LevelDescription(l) }).ToList();
        var emit = Choice("--emit", "What to write [default: obj]", "obj", "asm");
        var target = Text("--target", "TRIPLE", "Target of a module that names none");
        var cpu = Text("--cpu", "NAME", "CPU to generate code for [default: the one the module names]");
        var features = Text("--features", "LIST", "CPU features, as +name,-name [default: those the module names]");
        var relocation = Choice("--relocation-model", "Relocation model [default: the one the module names]", "static", "pic");
        var codeModel = Choice("--code-model", "Code model [default: the target's]", "tiny", "small", "kernel", "medium", "large");
        var noSections = new Option<bool>("--no-sections") { Description = "Do not give each function and variable a section of its own" };
        var timings = new Option<bool>("--timings") { Description = "Print how long each stage took" };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "Show the commands that are run" };

        var command = new Command("lower", "Lower one module of LLVM bitcode to an object file, for build systems.") { input, output };
        foreach (var level in levels) command.Add(level);
        foreach (Option option in (Option[])[emit, target, cpu, features, relocation, codeModel, noSections, timings, verbose]) command.Add(option);
        var build = Doors.Build(std: false).ToList();
        foreach (var option in build) command.Add(option);

        command.SetAction(parsed =>
        {
            if (parsed.GetValue(verbose)) Terminal.Verbosity = 1;
            var source = parsed.GetRequiredValue(input);
            var destination = parsed.GetRequiredValue(output);
            var level = levels.Where(l => parsed.GetValue(l)).Select(l => l.Name).ToList();
            if (level.Count > 1) throw WeftException.Usage($"{string.Join(" and ", level)} at once", "give one -O level");
            List<string> arguments = [];
            void Add(string name, string? value) { if (value != null) arguments.Add($"--{name}={value}"); }
            Add("input", source);
            Add("output", destination);
            Add("level", level.Count > 0 ? level[0][2..] : null);
            foreach (var option in (Option<string>[])[emit, target, cpu, features, relocation, codeModel]) Add(option.Name[2..], parsed.GetValue(option));
            if (parsed.GetValue(noSections)) arguments.Add("--no-sections");
            if (parsed.GetValue(timings)) arguments.Add("--weft-timings");
            foreach (var option in build)
                if (option is Option<string> text) Add(option.Name[2..], parsed.GetValue(text));
                else if (parsed.GetValue((Option<bool>)option)) arguments.Add(option.Name);
            return RunWorker(arguments, source, destination);
        });
        return command;
    }

    private static int RunWorker(List<string> arguments, string source, string destination)
    {
        var self = Environment.ProcessPath ?? throw new WeftException("cannot find Weft's own program file");
        var info = new ProcessStartInfo(self) { UseShellExecute = false, RedirectStandardError = true };
        info.ArgumentList.Add(LowerWorker.Verb);
        foreach (var argument in arguments) info.ArgumentList.Add(argument);
        info.Environment["CARGO_TERM_COLOR"] = Terminal.Colour ? "always" : "never";
        Terminal.Command(self, info.ArgumentList);
        using var worker = Process.Start(info) ?? throw new WeftException($"cannot run '{self}'");
        var errors = worker.StandardError.ReadToEnd();
        worker.WaitForExit();
        if (worker.ExitCode < 128)
        {
            Console.Error.Write(errors);
            return worker.ExitCode;
        }
        RemoveTemporaries(destination, worker.Id);
        if (Terminal.IsSet("WEFT_BACKTRACE")) Console.Error.Write(errors);
        var name = source == "-" ? "standard input" : $"'{source}'";
        throw new WeftException($"LLVM crashed ({SignalName(worker.ExitCode - 128)}) while lowering {name}", "the file may be damaged: make it again; if that does not help, keep what is needed to report it with --repro DIR");
    }

    private static void RemoveTemporaries(string destination, int worker)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(destination));
        if (destination == "-" || !Directory.Exists(folder)) return;
        foreach (var left in Directory.EnumerateFiles(folder, $"{Path.GetFileName(destination)}.weft-{worker}-*")) AtomicFile.TryDelete(left);
    }

    private static string SignalName(int signal) => signal switch
    {
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => $"signal {signal}",
    };

    private static string LevelDescription(OptLevel level) => level switch
    {
        OptLevel.O0 => "Do not optimise",
        OptLevel.O1 => "Optimise a little",
        OptLevel.O2 => "Optimise for speed (default)",
        OptLevel.O3 => "Optimise harder",
        OptLevel.Os => "Optimise for size",
        _ => "Optimise for size above all",
    };

    private static Option<string> Text(string name, string value, string description) => new(name) { HelpName = value, Description = description };

    /// <summary>An option with a few values, told apart from wrong ones in Weft's own words.</summary>
    internal static Option<string> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string>(name) { HelpName = string.Join('|', values), Description = description };
        option.CompletionSources.Add(values);
        option.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !values.Contains(token.Value)) result.AddError($"{name}: '{token.Value}' is not one of {string.Join(", ", values)}");
        });
        return option;
    }
}
