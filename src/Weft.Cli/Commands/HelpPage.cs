using System.CommandLine;

namespace Weft.Cli.Commands;

/// <summary>A help page from the same table that is parsed, with examples that can be typed as they stand.</summary>
internal static class HelpPage
{
    private const int Width = 100;

    private static readonly Dictionary<string, (string Title, (string Command, string What)[] Lines)> Examples = new()
    {
        ["weft"] = ("The three things people do most",
        [
            ("WEFT_METERING_REPORT=counts.json weft cargo run --with metering", "build and run a Rust project, counting its work"),
            ("weft cc --with=metering -O2 prog.c -o prog", "the same for C, wherever clang or gcc stands now"),
            ("weft metering report counts.json", "show what that run counted, by thread and function"),
        ]),
        ["weft cargo"] = ("Examples",
        [
            ("weft cargo run --with metering", "count the work of a run"),
            ("weft cargo test --with metering -p core", "cargo's own options go where they always go"),
            ("weft cargo build --release", "no instrument: plain cargo"),
            ("cargo weft run --with metering", "the same as a cargo command, once Weft is installed"),
        ]),
        ["weft cc"] = ("Examples",
        [
            ("weft cc --with=metering -O2 prog.c -o prog", "compile and link one program"),
            ("make CC='weft cc --with=metering'", "a whole build"),
            ("WEFT_WITH=metering ./configure CC=weft-cc", "a build that passes no flags on"),
        ]),
        ["weft c++"] = ("Examples",
        [
            ("weft c++ --with=metering -O2 prog.cc -o prog", "compile and link one program"),
            ("cmake -DCMAKE_CXX_COMPILER=weft-c++ ..", "a whole build, with WEFT_WITH=metering set"),
        ]),
        ["weft lower"] = ("Examples",
        [
            ("clang -O2 -Xclang -disable-llvm-passes -emit-llvm -c a.c -o a.bc", "make bitcode that nothing has optimised yet"),
            ("weft lower a.bc -o a.o --with metering -O2", "weave, optimise and emit an object file"),
            ("weft lower a.bc -o - --emit asm", "look at the assembly"),
        ]),
        ["weft metering report"] = ("Examples",
        [
            ("weft metering report counts.json", "what WEFT_METERING_REPORT=counts.json made a program write, as a table"),
            ("weft metering report counts.json --top 5 --functions", "only the five functions that did most"),
            ("weft metering report counts.json --csv > units.csv", "for a spreadsheet"),
            ("weft metering report counts.json --lines", "source lines that did most"),
            ("weft metering report counts.json --format html -o counts.html", "functions, a flame graph and source lines in one page"),
            ("weft metering report counts.json --format callgrind -o callgrind.out", "for callgrind_annotate and KCachegrind"),
        ]),
        ["weft metering compare"] = ("Examples",
        [
            ("weft metering compare main.json branch.json", "what a change costs, in total and by function"),
            ("weft metering compare main.json branch.json --fail-over 1", "fail if the total grew by more than 1 %"),
        ]),
        ["weft interrupts profile"] = ("Examples",
        [
            ("weft interrupts profile -- ./prog ARGS", "run it, then show how regular its interrupts were"),
            ("weft interrupts profile --interval 5000 --html p.html -- ./prog", "more often, and as a page"),
            ("weft interrupts profile --plain ./prog-plain -- ./prog", "also what interrupts cost"),
        ]),
        ["weft hotpatch apply"] = ("Examples",
        [
            ("weft hotpatch apply --pid server fix.patch", "the only process of that name gets a patch"),
            ("weft hotpatch apply --pid 4711 --wait 10 fix.patch", "and keeps it if no thread is inside old code within ten seconds"),
            ("weft hotpatch apply --pid 4711 one.patch two.patch", "two, or none"),
        ]),
        ["weft hotpatch key"] = ("Examples",
        [
            ("weft hotpatch key release.key", "make release.key and release.key.pub"),
            ("weft hotpatch build --key release.key --program server -o fix.patch fix.o", "sign a patch"),
            ("WEFT_HOTPATCH_KEY=release.key.pub ./server", "a program that takes no other"),
        ]),
        ["weft tracing"] = ("Examples",
        [
            ("weft tracing record ./prog ARGS", "run a program built --with tracing and record its calls"),
            ("weft tracing attach 4711 'on parse*' 'top 5' off", "look at a program that runs already"),
            ("weft tracing replay -F 'parse*' -t 10us", "what parse functions did, without calls shorter than 10 us"),
            ("weft tracing report --sort self", "where the time went, function by function"),
            ("weft tracing graph allocate", "who calls allocate(), and what it calls"),
            ("weft tracing diff before.weft-trace after.weft-trace", "what a change has changed"),
        ]),
        ["weft tracing record"] = ("Examples",
        [
            ("weft tracing record ./prog ARGS", "everything, into weft-out/"),
            ("weft tracing record -F 'parse*,lex*' -t 5us ./prog", "these functions and what they call, calls of 5 us or more"),
            ("weft tracing record --ring 16M --adaptive 3 ./server", "the latest events of a server, for 3 % of its time"),
        ]),
        ["weft tracing attach"] = ("Examples",
        [
            ("weft tracing attach server", "the only process of that name; 'help' lists the commands"),
            ("weft tracing attach 4711 'on parse*' 'top 5' off", "parse functions for five seconds"),
            ("weft tracing attach 4711 'snapshot slow.weft-trace'", "what has been recorded, as a trace of its own"),
        ]),
        ["weft tracing export"] = ("Examples",
        [
            ("weft tracing export --format html -o trace.html", "a flame graph and a timeline in one page"),
            ("weft tracing export --format perfetto -o trace.pftrace", "for ui.perfetto.dev"),
            ("weft tracing export run.weft-trace --format folded", "stacks for flamegraph.pl and its like"),
        ]),
        ["weft tracing replay"] = ("Examples",
        [
            ("weft tracing replay", "the newest trace, all of it"),
            ("weft tracing replay run.weft-trace -D 3 -N 'std::*'", "three levels, without the standard library"),
            ("weft tracing replay -C write -r 1.2s~1.3s", "how write() was come by in that tenth of a second"),
        ]),
        ["weft tracing report"] = ("Examples",
        [
            ("weft tracing report --sort p99 --top 10", "what is slow now and then"),
            ("weft tracing report -F 'request*' --csv > requests.csv", "for a spreadsheet"),
            ("weft tracing report --threads", "how busy each thread was"),
        ]),
        ["weft tracing graph"] = ("Examples",
        [
            ("weft tracing graph -t 1ms", "the whole program, without calls shorter than 1 ms"),
            ("weft tracing graph run.weft-trace 'cache::*'", "what calls these, and what they call"),
        ]),
        ["weft tracing diff"] = ("Examples",
        [
            ("weft tracing diff before.weft-trace after.weft-trace --top 20", "the twenty largest changes"),
        ]),
        ["weft coverage merge"] = ("Examples",
        [
            ("weft coverage merge -o all.profdata", "all runs in weft-out/coverage"),
            ("weft coverage merge ci/*.profraw -o all.profdata --indexed 13", "for llvm-cov of LLVM 22"),
            ("weft coverage merge nightly/ --fail-on-damage -o all.profdata", "fail rather than leave a damaged profile out"),
        ]),
        ["weft coverage tests"] = ("Examples",
        [
            ("weft coverage tests", "what each test of the last run reaches"),
            ("weft coverage tests --line src/lib.rs:12", "who reaches this line"),
            ("weft coverage tests --since origin/main --format cargo", "commands that run what the branch needs"),
            ("weft coverage tests --minimal --format names", "few tests that reach as much as all"),
        ]),
        ["weft coverage record-test"] = ("Examples",
        [
            ("weft coverage record-test parser/empty -- ./run-parser empty.txt", "a program built for coverage"),
            ("weft coverage record-test slow -- sh suite.sh --slow", "a script that starts some"),
        ]),
        ["weft coverage report"] = ("Examples",
        [
            ("weft coverage report --show-missing-lines", "the programs of the profiles in weft-out/coverage"),
            ("weft coverage report --text | less", "sources with counts"),
            ("weft coverage report --fail-under-lines 80", "fail if less than 80 % of lines ran"),
            ("weft coverage report --cobertura --output-path coverage.xml", "for other programs"),
        ]),
        ["weft coverage diff"] = ("Examples",
        [
            ("weft coverage diff origin/main", "what ran of the lines changed since main"),
            ("weft coverage diff origin/main --format github --fail-under-lines 90", "remarks in a pull request of GitHub, and a limit"),
            ("git diff HEAD~3 | weft coverage diff --patch -", "any patch"),
        ]),
        ["weft coverage compare"] = ("Examples",
        [
            ("weft coverage compare before/ after/", "two folders of profiles"),
            ("weft coverage compare main.profdata weft-out/coverage --fail-on-loss", "fail if what was covered no longer is"),
        ]),
        ["weft coverage html"] = ("Examples",
        [
            ("weft coverage html --open", "all runs in weft-out/coverage, in a browser"),
            ("weft coverage html ./prog lib/*.so --profile runs/ -o report/", "a program and its libraries, into report/coverage.html"),
            ("weft coverage html ./prog --ignore-filename-regex '^/usr/'", "without system headers"),
        ]),
        ["weft coverage export"] = ("Examples",
        [
            ("weft coverage export ./prog --format lcov -o lcov.info", "for genhtml and other programs that read lcov's traces"),
            ("weft coverage export ./prog lib/*.so --profile runs/ --format json", "a program and its libraries, from profiles of one's own"),
            ("weft coverage export ./prog --format lcov --ignore-filename-regex /usr/", "without system headers"),
        ]),
        ["weft hotpatch check"] = ("Examples",
        [
            ("weft hotpatch check prog", "every function of a program, whoever built it"),
            ("weft hotpatch check --woven prog libwork.so", "what Weft wove, without the C library's start files and the like"),
            ("weft hotpatch check --only 'app::*' target/release/app", "a part of a program"),
            ("weft hotpatch check --all --json libwork.a", "all that is known of every function, for programs"),
        ]),
        ["weft install"] = ("Examples",
        [
            ("weft install", "into ~/.local"),
            ("sudo weft install --prefix /usr/local", "for everyone"),
        ]),
        ["cargo-build-ci"] = ("Examples",
        [
            ("cargo build-ci", "build target/debug/NAME-ci for every binary"),
            ("cargo-build-ci --skip 'serde regex' -- --release", "an optimised build with two crates left as they are"),
        ]),
        ["cargo-run-ci"] = ("Examples",
        [
            ("cargo run-ci", "build and run the package's binary"),
            ("cargo-run-ci --bin server -- --port 80 -- --release", "one of several, with arguments, optimised"),
        ]),
        ["cargo-lib-ci config"] = ("Examples",
        [
            ("cargo-lib-ci config --library-args '-inst-gran=12 -commit-intv=500'", "count cycles, with at most 500 instructions between probes"),
        ]),
        ["weft completions"] = ("Examples",
        [
            ("eval \"$(weft completions bash)\"", "for this shell; 'weft install' sets them up for good"),
        ]),
    };

    private static readonly Dictionary<string, string> Usages = new()
    {
        ["weft cargo"] = "weft cargo COMMAND [OPTIONS] [CARGO OPTIONS] [-- PROGRAM ARGUMENTS]",
        ["weft cc"] = "weft cc [OPTIONS] [CLANG OPTIONS] FILES",
        ["weft c++"] = "weft c++ [OPTIONS] [CLANG OPTIONS] FILES",
        ["weft interrupts profile"] = "weft interrupts profile [OPTIONS] -- PROGRAM [ARGUMENTS]",
        ["cargo-build-ci"] = "cargo-build-ci [OPTIONS] [-- CARGO BUILD ARGUMENTS]",
        ["cargo-run-ci"] = "cargo-run-ci [OPTIONS] [-- ARGUMENTS] [-- CARGO RUN ARGUMENTS]",
        ["cargo-lib-ci"] = "cargo-lib-ci [OPTIONS] [COMMAND]",
    };

    public static string PathOf(Command command) => command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? $"{PathOf(parent)} {command.Name}" : command is RootCommand ? "weft" : command.Name;

    public static void Write(Command command, TextWriter output)
    {
        var path = PathOf(command);
        output.Write(command.Description + "\n\nUsage: " + (Usages.GetValueOrDefault(path) ?? Usage(command, path)) + "\n");
        if (Examples.TryGetValue(path, out var examples)) Section(output, examples.Title, examples.Lines);
        Section(output, "Commands", command.Subcommands.Where(c => !c.Hidden).Select(c => (c.Name, FirstLine(c.Description))));
        Section(output, "Arguments", command.Arguments.Where(a => !a.Hidden).Select(a => (Label(a), a.Description ?? "")));
        Section(output, "Options", Options(command).Select(o => (Label(o), o.Description ?? "")));
        if (command is RootCommand) output.Write("\nExit codes: those of the program that was run; 1 a check failed, 2 usage, 101 Weft's own failure.\n");
    }

    private static string Usage(Command command, string path) => command.Subcommands.Count > 0
        ? $"{path} COMMAND [ARGUMENTS]"
        : string.Concat(path, string.Concat(command.Arguments.Select(a => a.Arity.MinimumNumberOfValues > 0 ? $" {Label(a)}" : $" [{Label(a)}]")), Options(command).Any() ? " [OPTIONS]" : "");

    private static IEnumerable<Option> Options(Command command) =>
        command.Options.Concat(command.Parents.OfType<Command>().SelectMany(p => p.Options.Where(o => o.Recursive))).Where(o => !o.Hidden).Distinct();

    private static string Label(Argument argument) => argument.HelpName ?? argument.Name.ToUpperInvariant();

    private static string Label(Option option)
    {
        var names = string.Join(", ", option.Aliases.Append(option.Name).OrderBy(n => n.Length).ThenBy(n => n, StringComparer.Ordinal));
        return option.ValueType == typeof(bool) || option.ValueType == typeof(void) ? names : $"{names} {option.HelpName ?? "VALUE"}";
    }

    private static string FirstLine(string? text) => text?.Split('\n')[0] ?? "";

    private static void Section(TextWriter output, string title, IEnumerable<(string Left, string Right)> rows)
    {
        var list = rows.ToList();
        if (list.Count == 0) return;
        output.Write($"\n{title}:\n");
        var column = list.Select(r => r.Left.Length).Where(l => l <= 44).DefaultIfEmpty(0).Max() + 2;
        foreach (var (left, right) in list)
        {
            var lines = Wrap(right, Width - column - 2).ToList();
            if (left.Length + 2 > column) output.Write($"  {left}\n");
            else output.Write($"  {left.PadRight(column)}{lines[0]}".TrimEnd() + "\n");
            foreach (var line in left.Length + 2 > column ? lines : lines.Skip(1)) output.Write(new string(' ', column + 2) + line + "\n");
        }
    }

    private static IEnumerable<string> Wrap(string text, int width)
    {
        var line = "";
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = "";
            }
            line = line.Length == 0 ? word : $"{line} {word}";
        }
        yield return line;
    }
}
