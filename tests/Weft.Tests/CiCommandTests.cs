using Weft.Core;

namespace Weft.Tests;

/// <summary>The commands of cargo-compiler-interrupts on a real workspace, in a folder whose name has a space.</summary>
public sealed class CiCommandTests : IDisposable
{
    private const string Runtime = "weft_(metering|interrupts)";

    private readonly Harness harness = new();

    public CiCommandTests()
    {
        Write("Cargo.toml", """
            [workspace]
            resolver = "2"
            members = ["tools", "work", "shared", "alone"]
            """);
        Write("tools/Cargo.toml", Manifest("tools", "[dependencies]\nthe-work = { path = \"../work\" }"));
        Write("tools/src/bin/one.rs", """
            use std::io::Read;
            fn main() {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).unwrap();
                let arguments: Vec<String> = std::env::args().skip(1).collect();
                println!("one {} {:?} {}", the_work::sum(100), arguments, text);
                match arguments.first().map(String::as_str) {
                    Some("exit") => std::process::exit(7),
                    Some("abort") => std::process::abort(),
                    _ => eprintln!("done"),
                }
            }
            """);
        Write("tools/src/bin/two.rs", "fn main() { println!(\"two {}\", the_work::sum(10)); }");
        Write("tools/examples/shown.rs", "fn main() { println!(\"shown {}\", the_work::sum(10)); }");
        Write("work/Cargo.toml", Manifest("the-work", "[lib]\ncrate-type = [\"lib\"]"));
        Write("work/src/lib.rs", "#[inline(never)] pub fn sum(n: u64) -> u64 { (0..n).filter(|i| i % 3 != 0).sum() }");
        Write("shared/Cargo.toml", Manifest("shared", "[lib]\ncrate-type = [\"cdylib\", \"staticlib\"]"));
        Write("shared/src/lib.rs", "#[no_mangle] pub extern \"C\" fn shared_work(n: u64) -> u64 { (0..n).filter(|i| i % 3 != 0).sum() }");
        Write("alone/Cargo.toml", Manifest("alone", ""));
        Write("alone/src/main.rs", "fn main() { println!(\"alone\"); }");
        harness.Environment["XDG_CONFIG_HOME"] = harness.Path("config");
    }

    public void Dispose() => harness.Dispose();

    [Needs("cargo", "nm")]
    public void Every_result_of_a_workspace_stands_woven_where_cargo_puts_its_own_after_one_compilation()
    {
        var outcome = Must("build-ci", "--", "--lib", "--bins", "--examples");
        foreach (var package in (string[])["tools", "the-work", "shared", "alone"]) Assert.Single(outcome.Errors.Split('\n'), l => l.Contains($"Compiling {package} v", StringComparison.Ordinal));
        Assert.Empty(outcome.Output);
        foreach (var file in (string[])["one-ci", "two-ci", "alone-ci", "examples/shown-ci", "libshared-ci.so", "libshared-ci.a"])
        {
            AssertWoven($"target/debug/{file}");
            AssertWoven($"target/debug/deps-ci/{file}");
        }
        AssertWoven(Collected("libthe_work"));
        Assert.StartsWith("two 27", harness.Must(Project("target/debug/two-ci")).Output, StringComparison.Ordinal);
        Assert.StartsWith("shown 27", harness.Must(Project("target/debug/examples/shown-ci")).Output, StringComparison.Ordinal);
        Assert.Equal(["deps-ci", "examples", "weft"], Directory.EnumerateDirectories(Project("target"), "*").Concat(Directory.EnumerateDirectories(Project("target/debug"))).Select(Path.GetFileName).Where(n => n != "debug").Order());
        Assert.Empty(Directory.EnumerateFiles(Project("target"), "*.weft-*", SearchOption.AllDirectories));
    }

    [Needs("cargo")]
    public void A_second_build_compiles_nothing_and_an_edit_reaches_the_published_program()
    {
        Must("build-ci", "--", "-p", "tools");
        Assert.DoesNotContain("Compiling", Must("build-ci", "--", "-p", "tools").Errors, StringComparison.Ordinal);
        Write("tools/src/bin/two.rs", "fn main() { println!(\"another {}\", the_work::sum(10)); }");
        Must("build-ci", "--", "-p", "tools");
        Assert.StartsWith("another 27", harness.Must(Project("target/debug/two-ci")).Output, StringComparison.Ordinal);
    }

    [Needs("cargo")]
    public void Results_are_where_target_folder_profile_and_target_say()
    {
        harness.Environment["CARGO_TARGET_DIR"] = harness.Path("else where");
        Must("build-ci", "--", "--release", "-p", "alone", "--target", "x86_64-unknown-linux-gnu");
        AssertWoven(harness.Path("else where/x86_64-unknown-linux-gnu/release/alone-ci"));
        AssertWoven(harness.Path("else where/x86_64-unknown-linux-gnu/release/deps-ci/alone-ci"));
        Must("build-ci", "--", "-p", "alone", "--target-dir", "given");
        AssertWoven("given/debug/alone-ci");
        Assert.False(Directory.Exists(Project("target")));
    }

    [Needs("cargo")]
    public void A_file_system_without_links_gets_copies()
    {
        // Nothing here lacks them, but no link leads from one file system to another.
        if (!Directory.Exists("/dev/shm")) return;
        var folder = Directory.CreateDirectory($"/dev/shm/weft-ci-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(Project("target/debug"));
            Directory.CreateSymbolicLink(Project("target/debug/deps-ci"), folder.FullName);
            Must("build-ci", "--", "-p", "alone");
            Assert.Equal("alone\n", harness.Must(Path.Combine(folder.FullName, "alone-ci")).Output);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Needs("cargo", "nm")]
    public void A_skipped_crate_is_not_woven_by_whatever_name_it_goes()
    {
        Must("build-ci", "--", "-p", "tools");
        var woven = Collected("libthe_work");
        foreach (var spelling in (string[][])[["--skip", "the_work"], ["--skip", "the-work alone"], ["--skip", "alone", "--skip", "the-work,shared"], ["--skip", "alone", "the_work", "--log", "warn"]])
        {
            Must("build-ci", [.. spelling, "--", "-p", "tools"]);
            Assert.False(File.Exists(woven), "what an earlier build wove is still there");
            AssertWoven("target/debug/one-ci");
            var library = Directory.EnumerateFiles(Project("target/weft"), "libthe_work*.rlib", SearchOption.AllDirectories).OrderBy(File.GetLastWriteTimeUtc).Last();
            Assert.DoesNotMatch(Runtime, harness.Must("nm", library).Output);
        }
    }

    [Needs("cargo")]
    public void A_crate_to_skip_that_does_not_exist_is_told_before_anything_is_built()
    {
        var outcome = Run("build-ci", "--skip", "the-work thework");
        Harness.AssertToldWell(outcome, ExitCode.Usage, "no crate 'thework'", "the-work, thework", "cargo tree");
        Assert.False(Directory.Exists(Project("target/weft")));
    }

    [Needs("cargo")]
    public void Messages_for_programs_reach_those_who_ask_for_them_and_nobody_else()
    {
        Write("alone/src/main.rs", "fn main() { let unused = 1; println!(\"alone\"); }");
        var human = Must("build-ci", "--", "-p", "alone");
        Assert.Contains("--> alone/src/main.rs:1:17", human.Errors, StringComparison.Ordinal);
        Touch();
        Assert.Contains("alone/src/main.rs:1:17: warning: unused", Must("build-ci", "--", "-p", "alone", "--message-format", "short").Errors, StringComparison.Ordinal);
        Touch();
        var json = Must("build-ci", "--", "-p", "alone", "--message-format=json");
        Assert.All(json.Output.TrimEnd('\n').Split('\n'), line => Assert.StartsWith("{\"reason\":", line, StringComparison.Ordinal));
        Assert.Contains("\"compiler-message\"", json.Output, StringComparison.Ordinal);
        AssertWoven("target/debug/alone-ci");

        void Touch() => File.SetLastWriteTimeUtc(Project("alone/src/main.rs"), DateTime.UtcNow.AddSeconds(2));
    }

    [Needs("cargo")]
    public void A_failed_build_has_cargos_words_and_exit_code_and_publishes_nothing()
    {
        Write("alone/src/main.rs", "fn main() { nothing }");
        var outcome = Run("build-ci", "--", "-p", "alone");
        Assert.Equal(101, outcome.ExitCode);
        Assert.Contains("cannot find value `nothing`", outcome.Errors, StringComparison.Ordinal);
        Assert.False(File.Exists(Project("target/debug/alone-ci")));
        Assert.Equal(101, Run("run-ci", "--", "--", "-p", "alone").ExitCode);
    }

    [Needs("cargo")]
    public void More_is_said_only_when_asked()
    {
        string Said(params string[] options) => Must("build-ci", [.. options, "--", "-p", "alone"]).Errors;
        Said();
        Assert.DoesNotContain("Created", Said(), StringComparison.Ordinal);
        Assert.Contains($"Created {Project("target/debug/alone-ci")}", Said("--log", "info"), StringComparison.Ordinal);
        Assert.Contains("Running `cargo build", Said("--log", "debug"), StringComparison.Ordinal);
    }

    [Needs("cargo")]
    public void The_program_gets_its_arguments_and_input_and_its_end_is_ours()
    {
        var outcome = harness.Run("sh", ["-c", $"cd \"$1\" && echo hello | '{Command("run-ci")}' --bin one -- 'a b' --release -- -q", "sh", Project("")], input: null);
        Assert.True(outcome is { ExitCode: 0, Output: "one 3267 [\"a b\", \"--release\"] hello\n\n", Errors: "done\n" }, outcome.ToString());
        Assert.Equal(7, Run("run-ci", "--bin", "one", "--", "exit").ExitCode);
        Assert.Equal(128 + 6, Run("run-ci", "--bin", "one", "--", "abort").ExitCode);
        Assert.True(File.Exists(Project("target/debug/one-ci")));
        Assert.False(File.Exists(Project("target/debug/two-ci"))); // nobody wants it
    }

    [Needs("cargo")]
    public void A_signal_sent_to_the_command_ends_the_program()
    {
        Write("alone/src/main.rs", "fn main() { println!(\"started\"); loop { std::thread::sleep(std::time::Duration::from_secs(1)); std::fs::metadata(\"../stop\").map(|_| std::process::exit(9)).ok(); } }");
        var outcome = harness.Run("sh", "-c", """
            cd "$0" && mkfifo started && { "$1" --bin alone > started & } && read line < started && kill -TERM $! && wait $!
            echo "$line $?"
            touch ../stop
            """, Project(""), Command("run-ci"));
        Assert.Equal("started 143\n", outcome.Output);
        Assert.DoesNotContain(Directory.EnumerateDirectories("/proc"), p => File.Exists($"{p}/cmdline") && Holds(p, Project("target/debug/alone-ci")));

        static bool Holds(string process, string name)
        {
            try { return File.ReadAllText($"{process}/cmdline").Contains(name, StringComparison.Ordinal); }
            catch (IOException) { return false; }
        }
    }

    [Needs("cargo")]
    public void The_program_is_chosen_as_cargo_run_chooses_it()
    {
        Harness.AssertToldWell(Run("run-ci", "--", "--", "-p", "tools"), ExitCode.Usage, "several binaries: one, two", "--bin one");
        Harness.AssertToldWell(Run("run-ci"), ExitCode.Usage, "alone", "one", "two");
        Harness.AssertToldWell(Run("run-ci", "--bin", "three"), ExitCode.Usage, "'three'", "one, two");
        Harness.AssertToldWell(Run("run-ci", "--", "--", "-p", "the-work"), ExitCode.Failure, "no binary", "the-work");
        Harness.AssertToldWell(Run("run-ci", "--", "--", "-p", "nowhere"), ExitCode.Usage, "'nowhere'");
        Assert.False(Directory.Exists(Project("target/weft")));
        Assert.Equal("alone\n", Must("run-ci", "--", "--", "-p", "alone").Output);
        Assert.Equal("shown 27\n", Must("run-ci", "--", "--", "-p", "tools", "--example", "shown").Output);
        Write("tools/Cargo.toml", Manifest("tools", "default-run = \"two\"\n[dependencies]\nthe-work = { path = \"../work\" }"));
        Assert.Equal("two 27\n", Must("run-ci", "--", "--", "-p", "tools").Output);
    }

    [Needs("cargo")]
    public void A_runner_of_the_users_runs_the_program()
    {
        harness.Environment["CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER"] = "echo ran";
        Assert.Equal($"ran {Project("target/debug/alone-ci")} x\n", Must("run-ci", "--bin", "alone", "--", "x").Output);
    }

    [Needs("cargo")]
    public void Cargo_finds_the_commands_as_its_own()
    {
        harness.Environment["PATH"] = $"{Path.GetDirectoryName(Harness.Weft)}:{Environment.GetEnvironmentVariable("PATH")}";
        Assert.Equal("alone\n", harness.Must("cargo", "run-ci", "--bin", "alone", "--", "--", "-q", "--manifest-path", Project("Cargo.toml")).Output);
        Assert.Contains("Usage: cargo-build-ci", harness.Must("cargo", "build-ci", "--help").Output, StringComparison.Ordinal);
        Assert.Matches(@"^cargo-lib-ci \d+\.\d+\.\d+\n$", harness.Must("cargo", "lib-ci", "--version").Output);
    }

    [Theory]
    [InlineData("follow '--'", "build-ci", "--release")]
    [InlineData("takes '--' once", "build-ci", "--", "a", "--", "b")]
    [InlineData("takes '--' twice", "run-ci", "--", "--", "--")]
    [InlineData("'loud' is not one of trace, debug, info, warn, error", "build-ci", "--log", "loud")]
    [InlineData("no command 'remove'", "lib-ci", "remove")]
    [InlineData("did you mean '--library-args'?", "lib-ci", "config", "--library-arg", "x")]
    public void A_wrong_command_line_is_told_and_exits_with_2(string mention, string command, params string[] arguments) =>
        Harness.AssertToldWell(Run(command, arguments), ExitCode.Usage, mention);

    [Needs("cargo", "cc")]
    public void The_configuration_is_made_changed_kept_and_removed()
    {
        const string arguments = "-inst-gran=2 -commit-intv=100 -all-dev=100";
        var file = harness.Path("config/cargo-compiler-interrupts/default.cfg");
        Assert.Contains("(not there: defaults)", Must("lib-ci").Output, StringComparison.Ordinal);
        var installed = Must("lib-ci", "install", "--path", "/old/library.so", "--url", "https://example.com/pass.cpp");
        foreach (var mention in (string[])["/old/library.so", "https://example.com/pass.cpp", "needs no library"]) Assert.Contains(mention, installed.Errors, StringComparison.Ordinal);
        Assert.True(File.Exists(file));
        Assert.Contains("-all-dev=100", Must("lib-ci", "config", "--library-args", arguments).Errors, StringComparison.Ordinal);
        Must("lib-ci", "install");
        Must("lib-ci", "update");
        var values = Must("lib-ci", "config").Output;
        Assert.Matches($@"library_args +{arguments}\n", values);
        Assert.Matches(@"-clock instructions --\w+-max-gap 100\n", values);
        Assert.Matches(@"ignored +-all-dev=100\n", values);
        Assert.Contains(file, Must("lib-ci").Output, StringComparison.Ordinal);
        Must("lib-ci", "uninstall");
        Assert.False(Directory.Exists(Path.GetDirectoryName(file)));
        Assert.Contains("there is no", Must("lib-ci", "uninstall").Errors, StringComparison.Ordinal);
        Harness.AssertToldWell(Run("lib-ci", "update"), ExitCode.Failure, file, "cargo-lib-ci install");
    }

    [Theory]
    [InlineData("-inst-gran=12", "-clock cycles", "")]
    [InlineData("-inst-gran=2 -inst-gran=12 -commit-intv=70", "-clock cycles .*-max-gap 70", "")]
    [InlineData("-inst-gran=4 -commit-intv=0 -commit-intv=31 -commit-intv=x -defclock", "", "-inst-gran=4 -commit-intv=0 -commit-intv=31 -commit-intv=x -defclock")]
    [InlineData("-commit-intv=100 \"quoted\\", "-max-gap 100", "\"quoted\\")]
    public void Library_arguments_are_translated_or_named(string arguments, string flags, string ignored)
    {
        var warned = Must("lib-ci", "config", "--library-args", arguments).Errors;
        var values = Must("lib-ci", "config").Output;
        Assert.Contains($"library_args   {arguments}\n", values, StringComparison.Ordinal);
        Assert.Matches($"builds with .*{flags}\n", values);
        Assert.Equal(ignored.Length > 0, values.Contains("ignored", StringComparison.Ordinal));
        if (ignored.Length > 0) Assert.Contains(ignored, warned, StringComparison.Ordinal);
    }

    [Needs("cargo")]
    public void The_configuration_reaches_the_build_below_metadata_variables_and_flags()
    {
        // Each set of settings has a folder of its own: which one is built in tells the settings.
        int Folders() => Directory.GetDirectories(Project("target/weft")).Length;
        Must("build-ci", "--", "-p", "alone", "--interrupts-max-gap", "777");
        Must("lib-ci", "config", "--library-args", "-commit-intv=777");
        Must("build-ci", "--", "-p", "alone");
        Assert.Equal(1, Folders());
        Must("lib-ci", "config", "--library-args", "-commit-intv=888");
        Must("build-ci", "--", "-p", "alone", "--interrupts-max-gap", "777");
        harness.Environment["WEFT_INTERRUPTS_MAX_GAP"] = "777";
        Must("build-ci", "--", "-p", "alone");
        harness.Environment.Remove("WEFT_INTERRUPTS_MAX_GAP");
        Assert.Equal(1, Folders());
        Must("build-ci", "--", "-p", "alone");
        Assert.Equal(2, Folders());
        Write("alone/Cargo.toml", Manifest("alone", "[package.metadata.weft]\ninterrupts-max-gap = 777"));
        Assert.Equal(0, harness.Run("sh", "-c", "cd \"$0/alone\" && exec \"$1\"", Project(""), Command("build-ci")).ExitCode);
        Assert.Equal(2, Folders());
    }

    [Needs("cargo")]
    public void The_debug_report_names_functions_and_only_when_asked()
    {
        Assert.DoesNotContain("the_work", Must("build-ci", "--", "-q", "-p", "the-work").Errors, StringComparison.Ordinal);
        Assert.Contains("the_work", Must("build-ci", "--debug", "--", "-q", "-p", "the-work").Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void The_originals_own_configuration_is_understood_and_rewritten()
    {
        harness.Write("config/cargo-compiler-interrupts/default.cfg", """
            library_path = '/home/me/.config/lib.so'
            library_args = [
                '-inst-gran=12',
                '-commit-intv=200', # the pretty printer leaves a comma
            ]
            llvm_version = "14.0"
            checksum = ''
            url = ''
            """);
        var values = Must("lib-ci", "config").Output;
        Assert.Contains("-inst-gran=12 -commit-intv=200\n", values, StringComparison.Ordinal);
        Assert.Contains("library_path", Must("lib-ci", "update").Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("library_path", File.ReadAllText(harness.Path("config/cargo-compiler-interrupts/default.cfg")), StringComparison.Ordinal);
        Assert.Contains("-inst-gran=12 -commit-intv=200\n", Must("lib-ci", "config").Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("line 2", "# mine\nlibrary_args = -inst-gran=2\n")]
    [InlineData("line 1: the value has no closing quote", "library_args = \"-inst-gran=2\nx = \"\"\n")]
    [InlineData("line 1: '=' after 'library_args'", "library_args\n")]
    [InlineData("line 3: 'llvm_version' is there twice", "llvm_version = \"1\"\n\nllvm_version = \"2\"\n")]
    [InlineData("line 1", "[section]\n")]
    [InlineData("line 1: '\\x' is no escape", "library_args = \"\\x41\"\n")]
    [InlineData("line 1", "library_args = \"a\" b\n")]
    [InlineData("no setting 'libary_args'", "libary_args = \"\"\n")]
    [InlineData("config_version 2", "config_version = \"2\"\n")]
    public void A_corrupt_configuration_is_told_with_its_line_and_left_alone(string mention, string text)
    {
        var file = harness.Write("config/cargo-compiler-interrupts/default.cfg", text);
        foreach (var command in (string[][])[["lib-ci"], ["lib-ci", "config", "--library-args", "x"], ["lib-ci", "update"], ["build-ci"]])
            Harness.AssertToldWell(Run(command[0], command[1..]), ExitCode.Failure, file, mention, "cargo-lib-ci uninstall");
        Assert.Equal(text, File.ReadAllText(file));
        Must("lib-ci", "uninstall");
        Must("lib-ci");
    }

    [Fact]
    public void A_configuration_that_cannot_be_read_or_written_is_told()
    {
        Directory.CreateDirectory(harness.Path("config/cargo-compiler-interrupts/default.cfg"));
        foreach (var command in (string[][])[["lib-ci"], ["lib-ci", "config", "--library-args", "-commit-intv=100"], ["build-ci"]])
            Harness.AssertToldWell(Run(command[0], command[1..]), ExitCode.Failure, "default.cfg", "is a folder");
        harness.Environment["XDG_CONFIG_HOME"] = "/proc/nowhere";
        Harness.AssertToldWell(Run("lib-ci", "config", "--library-args", "-commit-intv=100"), ExitCode.Failure, "/proc/nowhere", "XDG_CONFIG_HOME");
        harness.Environment["XDG_CONFIG_HOME"] = "";
        harness.Environment["HOME"] = null;
        Harness.AssertToldWell(Run("lib-ci"), ExitCode.Failure, "XDG_CONFIG_HOME");
    }

    [Needs("can-mount")]
    public void A_full_disk_leaves_the_configuration_as_it_was()
    {
        Directory.CreateDirectory(harness.Path("config"));
        harness.Must("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", "config");
        try
        {
            Must("lib-ci", "config", "--library-args", "-commit-intv=50");
            harness.Run("sh", "-c", "head -c 1M /dev/zero > config/filler");
            Harness.AssertToldWell(Run("lib-ci", "config", "--library-args", "-commit-intv=60"), ExitCode.Failure, "default.cfg");
            Assert.Contains("-max-gap 50\n", Must("lib-ci", "config").Output, StringComparison.Ordinal);
            Assert.Single(Directory.EnumerateFiles(harness.Path("config/cargo-compiler-interrupts")));
        }
        finally
        {
            harness.Must("umount", "config");
        }
    }

    [Needs("cargo", "can-mount")]
    public void A_full_target_folder_leaves_no_half_of_a_program()
    {
        Must("build-ci", "--", "-p", "alone");
        File.Delete(Project("target/debug/deps-ci/alone-ci"));
        harness.Must("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", Project("target/debug/deps-ci"));
        try
        {
            var outcome = Run("build-ci", "--", "-q", "-p", "alone");
            Harness.AssertToldWell(outcome, ExitCode.Failure, "deps-ci/alone-ci", "free space");
            Assert.Empty(Directory.EnumerateFiles(Project("target/debug/deps-ci")));
        }
        finally
        {
            harness.Must("umount", Project("target/debug/deps-ci"));
        }
    }

    [Needs("cargo")]
    public void A_disabled_Weft_does_not_pass_plain_programs_off_as_woven()
    {
        harness.Environment["WEFT_DISABLE"] = "1";
        Harness.AssertToldWell(Run("build-ci"), ExitCode.Usage, "WEFT_DISABLE");
    }

    private static string Manifest(string name, string more) => $"[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{more}\n";

    private void Write(string name, string text) => harness.Write($"a project/{name}", text);

    private string Project(string name) => harness.Path($"a project/{name}");

    private static string Command(string command) => Path.Combine(Path.GetDirectoryName(Harness.Weft)!, $"cargo-{command}");

    // From within the project, as people work.
    private Outcome Run(string command, params string[] arguments) => harness.Run("sh", ["-c", "cd \"$0\" && exec \"$@\"", Project(""), Command(command), .. arguments]);

    private Outcome Must(string command, params string[] arguments)
    {
        var outcome = Run(command, arguments);
        Assert.True(outcome.ExitCode == 0, $"{command} {string.Join(' ', arguments)}: {outcome}");
        return outcome;
    }

    private void AssertWoven(string file) => Assert.Matches(Runtime, harness.Must("nm", Path.Combine(Project(""), file)).Output);

    private string Collected(string prefix) => Directory.EnumerateFiles(Project("target/debug/deps-ci"), $"{prefix}*-ci.rlib").Single();
}
