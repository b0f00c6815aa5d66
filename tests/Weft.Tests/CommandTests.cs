using System.Text.Json;
using Weft.Core;

namespace Weft.Tests;

public sealed class CommandTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [Fact]
    public void Help_pages_are_as_checked_in()
    {
        string[] commands = ["", "cargo", "cc", "c++", "lower", "metering", "metering report", "metering compare", "interrupts", "interrupts profile", "interrupts report", "tracing", "tracing record", "tracing attach", "tracing export", "tracing replay", "tracing report", "tracing graph", "tracing diff", "tracing functions", "coverage", "coverage merge", "coverage report", "coverage diff", "coverage compare", "coverage tests", "coverage record-test", "coverage html", "coverage export", "coverage show-profile", "hotpatch", "hotpatch build", "hotpatch apply", "hotpatch revert", "hotpatch list", "hotpatch watch", "hotpatch check", "hotpatch key", "demo", "doctor", "cache", "cache show", "cache clear", "cache path", "install", "uninstall", "completions",
            "cargo-build-ci", "cargo-run-ci", "cargo-lib-ci", "cargo-lib-ci install", "cargo-lib-ci uninstall", "cargo-lib-ci update", "cargo-lib-ci config"];
        var folder = Path.Combine(Harness.Root, "docs/help");
        var bless = Environment.GetEnvironmentVariable("BLESS") == "1";
        Directory.CreateDirectory(folder);
        var expected = new List<string>();
        foreach (var command in commands)
        {
            var words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            var isRole = words is [var role, ..] && role.StartsWith("cargo-", StringComparison.Ordinal);
            var page = isRole ? harness.Must(Path.Combine(Path.GetDirectoryName(Harness.Weft)!, words[0]), [.. words[1..], "--help"]).Output : harness.Must(Harness.Weft, ["help", .. words]).Output;
            Assert.All(page.Split('\n'), line => Assert.True(line.Length <= 100, $"longer than 100: {line}"));
            var file = Path.Combine(folder, (isRole ? command : $"weft {command}".Trim()).Replace(' ', '-') + ".txt");
            expected.Add(file);
            if (bless) File.WriteAllText(file, page);
            Assert.True(File.Exists(file) && File.ReadAllText(file) == page, $"{file} is not what the help of '{command}' prints; BLESS=1 ./test Help_pages rewrites it:\n{page}");
        }
        Assert.Equal(expected.Order(StringComparer.Ordinal), Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal)); // no page of a command that is gone
    }

    [Theory]
    [InlineData("lower", "--help")]
    [InlineData("lower", "-h")]
    [InlineData("help", "lower")]
    public void Help_is_found_in_every_way_people_ask(params string[] arguments) => Assert.Contains("weft lower IN", harness.Must(Harness.Weft, arguments).Output);

    [Fact]
    public void Weft_without_arguments_shows_what_it_can_do() => Assert.Contains("weft cargo run --with metering", harness.Must(Harness.Weft).Output);

    [Fact]
    public void The_cargo_page_is_Wefts_own_by_either_name()
    {
        var page = harness.Must(Harness.Weft, "cargo", "--help").Output;
        Assert.Contains("--with LIST", page);
        Assert.Equal(page, harness.Must(Harness.Weft.Replace("weft/weft", "weft/cargo-weft"), "weft", "--help").Output);
    }

    [Fact]
    public void Version_names_itself_and_every_LLVM()
    {
        var lines = harness.Must(Harness.Weft, "--version").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Matches(@"^weft \d+\.\d+\.\d+$", lines[0]);
        Assert.All(lines.Skip(1), line => Assert.Matches(@"^LLVM \d+: /", line));
    }

    [Theory]
    [InlineData("did you mean 'lower'?", "lowr")]
    [InlineData("did you mean '--json'?", "doctor", "--jsno")]
    [InlineData("no command 'frobnicate'", "frobnicate")]
    [InlineData("'extra'", "doctor", "extra")]
    [InlineData("--output", "lower", "a.bc")]
    [InlineData("IN", "lower", "-o", "a.o")]
    [InlineData("'jpg' is not one of obj, asm", "lower", "a.bc", "-o", "a.o", "--emit", "jpg")]
    [InlineData("-O1 and -O2", "lower", "a.bc", "-o", "a.o", "-O2", "-O1")]
    [InlineData("no instrument 'nonsense'", "lower", "a.bc", "-o", "a.o", "--with", "nonsense")]
    [InlineData("'0' is not a positive number", "metering", "report", "--top", "0")]
    [InlineData("--json and --csv", "metering", "report", "--json", "--csv")]
    [InlineData("tcsh", "completions", "tcsh")]
    [InlineData("command", "cache")]
    [InlineData("command", "metering")]
    [InlineData("command", "interrupts")]
    [InlineData("command", "tracing")]
    [InlineData("PROGRAM", "interrupts", "profile")]
    [InlineData("'sundial' is not one of cycles, instructions, flag", "interrupts", "profile", "--clock", "sundial", "--", "true")]
    [InlineData("'0' is not a number from 1 to", "interrupts", "profile", "--interval", "0", "--", "true")]
    [InlineData("'281474976710657' is not a number from 1 to", "interrupts", "profile", "--interval=281474976710657", "--", "true")]
    [InlineData("'-1' is not a positive number", "interrupts", "profile", "--top=-1", "--", "true")]
    public void A_wrong_command_line_is_told_and_exits_with_2(string mention, params string[] arguments)
    {
        var outcome = harness.RunWeft(arguments);
        Harness.AssertToldWell(outcome, ExitCode.Usage, mention);
        Assert.Empty(outcome.Output);
    }

    [Fact]
    public void Errors_have_colour_on_demand_only()
    {
        Assert.DoesNotContain("\u001b", harness.RunWeft("frobnicate").Errors);
        harness.Environment["CARGO_TERM_COLOR"] = "always";
        Assert.Contains("\u001b[1;31merror:\u001b[0m", harness.RunWeft("frobnicate").Errors);
        Assert.Contains("\u001b[1;31merror:\u001b[0m", harness.RunWeft("lower", "nowhere", "-o", "x").Errors); // told by the child process
        harness.Environment["NO_COLOR"] = "1";
        Assert.DoesNotContain("\u001b", harness.RunWeft("frobnicate").Errors);
        Assert.DoesNotContain("\u001b", harness.RunWeft("lower", "nowhere", "-o", "x").Errors);
    }

    [Fact]
    public void Where_it_happened_is_shown_on_demand_only()
    {
        Harness.AssertToldWell(harness.RunWeft("metering", "report", "nowhere"), ExitCode.Failure, "nowhere");
        harness.Environment["WEFT_BACKTRACE"] = "1";
        var outcome = harness.RunWeft("metering", "report", "nowhere");
        Assert.Contains("   at Weft.", outcome.Errors);
        Assert.Contains("error: there is no report 'nowhere'", outcome.Errors);
    }

    [Fact]
    public void The_launcher_works_from_anywhere_and_is_silent_when_nothing_is_to_be_built()
    {
        File.CreateSymbolicLink(harness.Path("link to weft"), Path.Combine(Harness.Root, "weft"));
        var outcome = harness.Must(harness.Path("link to weft"), "--version");
        Assert.Equal(harness.Must(Harness.Weft, "--version").Output, outcome.Output);
        Assert.Empty(outcome.Errors);
        harness.Environment["HOME"] = null;
        Assert.Equal((int)ExitCode.Usage, harness.Run(harness.Path("link to weft"), "frobnicate").ExitCode);
    }

    [Fact]
    public void A_reader_that_leaves_early_is_no_error()
    {
        var outcome = harness.Run("bash", "-c", $"set -o pipefail; for i in 1 2 3; do '{Harness.Weft}' help lower | true || exit 1; done");
        Assert.True(outcome is { ExitCode: 0, Errors: "" }, outcome.ToString());
    }

    [Fact]
    public void Doctor_prints_JSON_that_says_which_doors_work()
    {
        var outcome = harness.RunWeft("doctor", "--json");
        using var json = JsonDocument.Parse(outcome.Output);
        var doors = json.RootElement.GetProperty("doors");
        var works = doors.GetProperty("cargo").GetBoolean() || doors.GetProperty("clang").GetBoolean();
        Assert.Equal(works ? 0 : 1, outcome.ExitCode);
        var names = json.RootElement.GetProperty("checks").EnumerateArray().Select(c => c.GetProperty("name").GetString()).ToHashSet();
        foreach (var name in (string[])["libLLVM", "cargo", "rustc", "clang", "C compiler", "linker", "cache", "hotpatch"]) Assert.Contains(name, names);
        foreach (var check in json.RootElement.GetProperty("checks").EnumerateArray())
            if (check.GetProperty("verdict").GetString() == "missing") Assert.NotEmpty(check.GetProperty("fix").GetString()!);
    }

    [Fact]
    public void Doctor_fails_and_says_how_to_get_each_thing_when_nothing_is_there()
    {
        Directory.CreateDirectory(harness.Path("bin"));
        harness.Environment["PATH"] = harness.Path("bin");
        var outcome = harness.RunWeft("doctor");
        Assert.Equal((int)ExitCode.CheckFailed, outcome.ExitCode);
        foreach (var fix in (string[])["rustup", "apt-get install clang-22", "apt-get install gcc libc6-dev"]) Assert.Contains(fix, outcome.Output);
    }

    [Needs("cargo", "rustc", "clang-22")]
    public void Doctor_says_of_which_languages_coverage_works()
    {
        Assert.Equal(["ok", "ok"], Verdicts());
        var rustc = ChildProcess.Find("rustc")!;
        harness.Write("bin/rustc", $"#!/bin/sh\ncase \"$*\" in *target-libdir*) echo /usr/share ;; *) exec '{rustc}' \"$@\" ;; esac\n");
        File.SetUnixFileMode(harness.Path("bin/rustc"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        harness.Environment["PATH"] = harness.Path("bin") + ":" + Environment.GetEnvironmentVariable("PATH");
        Assert.Equal(["ok", "optional"], Verdicts());

        IEnumerable<string?> Verdicts()
        {
            using var json = JsonDocument.Parse(harness.Must(Harness.Weft, "doctor", "--json").Output);
            return [.. json.RootElement.GetProperty("checks").EnumerateArray().Where(c => c.GetProperty("name").GetString() == "coverage").Select(c => c.GetProperty("verdict").GetString())];
        }
    }

    [Fact]
    public void Doctor_survives_a_toolchain_that_does_not_run()
    {
        foreach (var name in (string[])["rustc", "cargo", "clang", "cc"])
        {
            harness.Write($"bin/{name}", "#!/no/such/interpreter\n");
            File.SetUnixFileMode(harness.Path($"bin/{name}"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }
        harness.Environment["PATH"] = harness.Path("bin");
        var outcome = harness.RunWeft("doctor", "--json");
        Assert.Equal((int)ExitCode.CheckFailed, outcome.ExitCode);
        JsonDocument.Parse(outcome.Output).Dispose();
    }

    [Fact]
    public void The_cache_is_shown_and_cleared()
    {
        harness.Environment["XDG_CACHE_HOME"] = harness.Path("xdg");
        harness.Write("a.ll", "target triple = \"x86_64-unknown-linux-gnu\"\ndefine void @f() { ret void }");
        harness.Must(Harness.Weft, "lower", "a.ll", "-o", "a.o");
        Assert.Equal(harness.Path("xdg/weft") + "\n", harness.Must(Harness.Weft, "cache", "path").Output);
        Assert.Contains("entries  1\n", harness.Must(Harness.Weft, "cache", "show").Output);
        harness.Must(Harness.Weft, "cache", "clear");
        Assert.Contains("entries  0\n", harness.Must(Harness.Weft, "cache", "show").Output);
        Assert.False(Directory.Exists(harness.Path("xdg/weft")));
    }

    [Fact]
    public void An_installed_Weft_runs_by_all_its_names_and_uninstalls_without_a_trace()
    {
        var prefix = harness.Path("a prefix");
        var outcome = harness.Must(Harness.Weft, "install", "--prefix", prefix);
        Assert.Contains("is not on PATH", outcome.Errors);
        foreach (var name in (string[])["weft", "cargo-weft", "weft-cc", "weft-c++", "cargo-build-ci", "cargo-run-ci", "cargo-lib-ci"]) Assert.True(File.Exists($"{prefix}/bin/{name}"), name);
        Assert.StartsWith("weft ", harness.Must($"{prefix}/bin/weft", "--version").Output, StringComparison.Ordinal);
        Assert.Contains("--with LIST", harness.Must($"{prefix}/bin/cargo-weft", "weft").Output);
        foreach (var (shell, file) in ((string, string)[])[("bash", "share/bash-completion/completions/weft"), ("zsh", "share/zsh/site-functions/_weft"), ("fish", "share/fish/vendor_completions.d/weft.fish")])
            Assert.Equal(harness.Must(Harness.Weft, "completions", shell).Output, File.ReadAllText($"{prefix}/{file}"));
        harness.Must(Harness.Weft, "install", "--prefix", prefix); // over itself
        Harness.AssertToldWell(harness.Run($"{prefix}/bin/weft", "install", "--prefix", prefix), ExitCode.Usage, prefix);
        harness.Must($"{prefix}/bin/weft", "uninstall", "--prefix", prefix);
        Assert.Empty(Directory.EnumerateFiles(prefix, "*", SearchOption.AllDirectories));
        Harness.AssertToldWell(harness.RunWeft("uninstall", "--prefix", prefix), ExitCode.Failure, prefix);
    }

    [Fact]
    public void Installing_leaves_what_belongs_to_others()
    {
        harness.Write("prefix/bin/other", "theirs");
        harness.Must(Harness.Weft, "install", "--prefix", "prefix");
        File.Delete(harness.Path("prefix/bin/weft-cc"));
        harness.Write("prefix/bin/weft-cc", "theirs");
        harness.Must(Harness.Weft, "uninstall", "--prefix", "prefix");
        Assert.Equal(["other", "weft-cc"], Directory.EnumerateFiles(harness.Path("prefix/bin")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Installing_where_nobody_may_write_is_told()
    {
        Harness.AssertToldWell(harness.RunWeft("install", "--prefix", "/proc/weft"), ExitCode.Failure, "/proc/weft", "--prefix");
        Harness.AssertToldWell(harness.RunWeft("install", "--prefix", harness.Write("file", "") + "/below"), ExitCode.Failure, "file/below");
    }

    [Needs("bash")]
    public void Bash_completes_commands_and_options()
    {
        harness.Must(Harness.Weft, "completions", "bash");
        string Complete(string line)
        {
            harness.Write("complete.sh", $$"""
                eval "$('{{Harness.Weft}}' completions bash)"
                COMP_LINE='weft {{line}}' COMP_WORDS=(weft {{line}}) COMP_CWORD={{line.Split(' ').Length}}
                COMP_POINT=${#COMP_LINE}
                weft() { '{{Harness.Weft}}' "$@"; }
                _weft
                printf '%s\n' "${COMPREPLY[@]}"
                """);
            return harness.Must("bash", "complete.sh").Output;
        }
        Assert.Equal("doctor\n", Complete("doc"));
        Assert.Equal("--json\n", Complete("doctor --j"));
        Assert.Contains("--emit\n", Complete("lower --e"));
        Assert.Equal("asm\n", Complete("lower --emit as"));
        Assert.Equal("metering\n", Complete("lower --with met"));
    }

    [Fact]
    public void Wrapper_roles_start_without_the_command_line_library()
    {
        // What starts once per source file must not load it; without its file it cannot.
        harness.Must("cp", "-rL", Path.GetDirectoryName(Harness.Weft)!, harness.Path("copy"));
        File.Delete(harness.Path("copy/System.CommandLine.dll"));
        foreach (var name in (string[])["weft-cc", "weft-c++", "weft-rustc", "weft-rustdoc", "weft-test-runner", "weft-linker"])
            Assert.DoesNotContain("System.CommandLine", harness.Run("sh", "-c", $"exec copy/{name} --version").Errors);
        Assert.DoesNotContain("System.CommandLine", harness.Run("sh", "-c", "exec copy/weft cc --version").Errors);
        Assert.Contains("System.CommandLine", harness.Run("sh", "-c", "exec copy/weft doctor").Errors); // the check can fail
    }
}
