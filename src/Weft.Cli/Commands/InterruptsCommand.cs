using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;
using Weft.Cli.Profile;
using Weft.Core;
using Weft.Interrupts;
using Weft.Toolchain;

namespace Weft.Cli.Commands;

/// <summary><c>weft interrupts</c>: how regularly interrupts come in a program built <c>--with interrupts</c>, and where they do not.</summary>
internal static class InterruptsCommand
{
    private const int Processes = 16;
    private const ulong LongestInterval = 1UL << 48;

    /// <summary>Part of every program that carries the runtime, stripped or not.</summary>
    private const string Setting = "WEFT_INTERRUPTS_PROFILE";

    private const string HowToBuild = "build it with weft cargo build --with interrupts, or weft cc --with=interrupts";

    private sealed record Request(string Program, string[] Arguments, string? Clock, string? Interval, bool Unchecked);

    private sealed class Outputs
    {
        public Option<int?> Top { get; } = new("--top") { HelpName = "N", Description = "Show the N places with the longest gaps only [default: 10]" };

        public Option<bool> Json { get; } = new("--json") { Description = "Print JSON" };

        public Option<string?> Html { get; } = new("--html") { HelpName = "FILE", Description = "Also write a page to look at" };

        public Option<string?> Output { get; } = new("--output", "-o") { HelpName = "FILE" };

        public void AddTo(Command command)
        {
            Top.Validators.Add(result => { if (result.Tokens is [var token] && !(int.TryParse(token.Value, out var n) && n > 0)) result.AddError($"--top: '{token.Value}' is not a positive number"); });
            foreach (Option option in (Option[])[Top, Json, Html, Output]) command.Add(option);
        }
    }

    public static Command Create() => new("interrupts", "Show how regularly interrupts come in a program, and where they do not.") { Profile(), Report() };

    private static Command Profile()
    {
        var program = new Argument<string[]>("PROGRAM") { HelpName = "PROGRAM...", Description = "A program built --with interrupts, and its arguments", Arity = ArgumentArity.OneOrMore };
        var clock = new Option<string?>("--clock") { HelpName = "CLOCK", Description = "What the interval is counted in: cycles, instructions or flag [default: the build's]" };
        var interval = new Option<string?>("--interval") { HelpName = "N", Description = "Ticks, units or (flag) nanoseconds between interrupts [default: 10000; flag: 100000]" };
        var keep = new Option<string?>("--keep") { HelpName = "FILE", Description = "Keep what the program wrote, for weft interrupts report" };
        var plain = new Option<string?>("--plain") { HelpName = "FILE", Description = "The same program built without Weft: run both three times more and print what interrupts cost" };
        var anyway = new Option<bool>("--unchecked") { Description = "Run PROGRAM even if it is not woven itself: a host of woven libraries" };
        clock.Validators.Add(result => Check(result, "--clock", value => value is "cycles" or "instructions" or "flag", "is not one of cycles, instructions, flag"));
        interval.Validators.Add(result => Check(result, "--interval", IsInterval, "is not a number from 1 to 281474976710656"));
        var outputs = new Outputs();
        var command = new Command("profile", "Run a program and show the intervals between interrupts and the longest gaps.") { program, clock, interval, keep, plain, anyway };
        outputs.AddTo(command);
        outputs.Output.Description = "Print to a file [default: standard error; standard output is PROGRAM's]";
        command.SetAction(parsed =>
        {
            var words = parsed.GetRequiredValue(program);
            var request = new Request(words[0], words[1..], parsed.GetValue(clock), parsed.GetValue(interval), parsed.GetValue(anyway));
            return Run(request, parsed.GetValue(plain), parsed.GetValue(keep), (profiles, overhead) => Show(parsed, outputs, profiles, overhead, Console.OpenStandardError));
        });
        return command;
    }

    private static Command Report()
    {
        var file = new Argument<string>("FILE") { Description = "What --keep, or a program run with WEFT_INTERRUPTS_PROFILE=FILE, left" };
        var outputs = new Outputs();
        var command = new Command("report", "Print a profile that was kept.") { file };
        outputs.AddTo(command);
        outputs.Output.Description = "Print to a file [default: standard output]";
        command.SetAction(parsed => Show(parsed, outputs, [InterruptsProfile.Read(parsed.GetRequiredValue(file))], overhead: null, Console.OpenStandardOutput));
        return command;
    }

    private static int Run(Request request, string? plain, string? keep, Action<IReadOnlyList<InterruptsProfile>, Overhead?> show)
    {
        var program = Find(request.Program);
        if (!request.Unchecked) RequireWoven(program);
        var plainProgram = plain == null ? null : Find(plain);
        var folder = Directory.CreateTempSubdirectory("weft-profile-");
        try
        {
            var environment = Environment(request, folder.FullName);
            var code = ChildProcess.RunInForeground(program, request.Arguments, environment, Posix.Send);
            var files = folder.GetFiles("*.json").OrderByDescending(f => f.Length).ToList();
            if (files.Count == 0) return Missing(program, code);
            var profiles = files.Take(Processes).Select(f => (File: f, Profile: InterruptsProfile.Read(f.FullName))).OrderByDescending(p => p.Profile.Interrupts).ToList();
            if (profiles[0].Profile.Refused != 0)
                throw new WeftException($"'{request.Program}' has no probes for the clock '{profiles[0].Profile.Clock}'", "leave --clock out, or build without --interrupts-clock flag");
            if (files.Count > Processes) Terminal.Warning($"{files.Count} processes wrote a profile; the {Processes} largest are shown");
            if (keep != null) AtomicFile.Write(keep, AtomicFile.Read(profiles[0].File.FullName));
            show([.. profiles.Select(p => p.Profile)], plainProgram == null ? null : Measure(program, plainProgram, request.Arguments, environment));
            return code;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Dictionary<string, string?> Environment(Request request, string folder) => new()
    {
        [Setting] = Path.Combine(folder, "%p.json"),
        ["WEFT_INTERRUPTS_CLOCK"] = request.Clock,
        ["WEFT_INTERRUPTS_INTERVAL"] = request.Interval,
    };

    private static int Missing(string program, int code)
    {
        var (message, help) = code > 128 && code < 128 + 65
            ? ($"signal {code - 128} ended '{program}' before it wrote its profile", "a profile is written when a program exits or returns from main; let it end that way")
            : Carries(program) == false
                ? ($"'{program}' ended and no code built with interrupts was in it", HowToBuild)
                : ($"'{program}' ended (exit code {code}) and left no profile", "a profile is written when a program exits or returns from main, not at _exit(), quick_exit() or execve()");
        Terminal.Error(message, help);
        return code == 0 ? (int)ExitCode.Failure : code;
    }

    private static string Find(string program) => Directory.Exists(program)
        ? throw new WeftException($"'{program}' is a folder", "name the program in it")
        : ChildProcess.Find(program) ?? throw new WeftException($"there is no program '{program}'", program.Contains('/') ? "check the path" : "it is looked for on PATH; write ./ before one in this folder");

    private static void RequireWoven(string program)
    {
        if (Carries(program) == false)
            throw new WeftException($"'{program}' was not built with interrupts", HowToBuild + "; with --unchecked it is run all the same, for woven libraries in it");
    }

    /// <summary>Null when that cannot be known: a script, or a program that may be run and not read.</summary>
    private static bool? Carries(string program)
    {
        try
        {
            using var file = File.OpenRead(program);
            var mark = Encoding.ASCII.GetBytes(Setting);
            var buffer = new byte[1 << 20];
            var kept = file.ReadAtLeast(buffer, 4, throwOnEndOfStream: false);
            if (!buffer.AsSpan(0, kept).StartsWith("\x7F"u8) || !buffer.AsSpan(1, Math.Max(kept - 1, 0)).StartsWith("ELF"u8)) return null;
            while (true)
            {
                if (buffer.AsSpan(0, kept).IndexOf(mark) >= 0) return true;
                var overlap = Math.Min(kept, mark.Length - 1);
                buffer.AsSpan(kept - overlap, overlap).CopyTo(buffer);
                var read = file.Read(buffer, overlap, buffer.Length - overlap);
                if (read == 0) return false;
                kept = overlap + read;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Runs alternate, so that what the machine does meanwhile hits all three alike.</summary>
    private static Overhead Measure(string program, string plain, string[] arguments, Dictionary<string, string?> profiled)
    {
        var idle = profiled.ToDictionary(v => v.Key, _ => (string?)null);
        var best = new Overhead(double.MaxValue, double.MaxValue, double.MaxValue);
        for (var i = 0; i < 3; i++)
            best = new Overhead(Math.Min(best.Plain, UserTime(plain, arguments, idle)), Math.Min(best.Idle, UserTime(program, arguments, idle)), Math.Min(best.Profiled, UserTime(program, arguments, profiled)));
        return best;
    }

    private static double UserTime(string program, string[] arguments, Dictionary<string, string?> environment)
    {
        var before = Posix.ChildrenUserTime();
        ChildProcess.Capture(program, arguments, environment);
        return (Posix.ChildrenUserTime() - before).TotalSeconds;
    }

    private static void Show(ParseResult parsed, Outputs outputs, IReadOnlyList<InterruptsProfile> profiles, Overhead? overhead, Func<Stream> standard)
    {
        var top = parsed.GetValue(outputs.Top) ?? 10;
        var named = profiles.Select(p => (Profile: p, Symbols: new Symbols(p, p.Threads.SelectMany(t => t.Gaps).SelectMany(g => (ulong[])[g.From, g.To])))).ToList();
        foreach (var complaint in named.SelectMany(n => n.Symbols.Complaints).Distinct()) Terminal.Warning(complaint);
        using var content = new MemoryStream();
        if (parsed.GetValue(outputs.Json))
        {
            ProfileText.WriteJson(content, named, top, overhead);
            content.WriteByte((byte)'\n');
        }
        else
        {
            using var writer = new StreamWriter(content, leaveOpen: true);
            for (var i = 0; i < named.Count; i++)
            {
                if (i > 0) writer.Write('\n');
                ProfileText.Write(writer, named[i].Profile, named[i].Symbols, top, i == named.Count - 1 ? overhead : null);
            }
        }
        if (parsed.GetValue(outputs.Html) is { } page) AtomicFile.Write(page, Encoding.UTF8.GetBytes(Page(named, top, overhead)));
        if (parsed.GetValue(outputs.Output) is { } file)
        {
            AtomicFile.Write(file, content.ToArray());
            return;
        }
        using var stream = standard();
        content.WriteTo(stream);
    }

    private static string Page(List<(InterruptsProfile Profile, Symbols Symbols)> profiles, int top, Overhead? overhead)
    {
        var page = new ProfilePage();
        foreach (var (profile, symbols) in profiles) page.Add(profile, symbols, top);
        if (overhead != null) page.Add(overhead);
        return page.ToString();
    }

    private static bool IsInterval(string text) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= LongestInterval;

    private static void Check(OptionResult result, string option, Func<string, bool> isGood, string complaint)
    {
        if (result.Tokens is [var token] && !isGood(token.Value)) result.AddError($"{option}: '{token.Value}' {complaint}");
    }
}
