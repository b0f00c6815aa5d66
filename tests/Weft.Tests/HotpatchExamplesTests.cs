using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Weft.Tests;

/// <summary>The examples of the hotpatch instrument do what their READMEs say, and run without Weft.</summary>
public sealed partial class HotpatchExamplesTests : PatchedPrograms
{
    private const string Clang = "clang-22", Address = "prices.socket";

    private static readonly string Examples = Path.Combine(Harness.Root, "examples");
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public HotpatchExamplesTests()
    {
        Harness.Environment["WEFT_CC"] = Clang;
        Harness.Environment["PATH"] = Path.GetDirectoryName(Harness.Weft) + ":" + Environment.GetEnvironmentVariable("PATH");
    }

    // ---- The aquarium in Rust ----

    [Needs("cargo")]
    public void The_aquarium_has_each_change_that_can_be_patched_and_swims_on()
    {
        CopyAquarium();
        var watch = Start(Harness.Weft, ["hotpatch", "watch", "--offline"], out var messages);
        var states = Log.Of(watch.StandardOutput);
        var said = new Log(messages);
        said.Await("save a source file");
        Assert.Matches(@"^tick 1  patches 0  creatures 11  depth \d+\.\d$", states.Await("tick 1 "));

        // Fish breathe out at every tick, in a trait's method; the line for the log changes too.
        EditAquarium("creatures.rs", ("dice.roll() < 0.02", "dice.roll() < 2.0"));
        EditAquarium("tank.rs", ("  creatures {}", "  animals {}"));
        said.Await("Patched");
        states.Await(line => Aquarium().Match(line) is { Success: true } match && int.Parse(match.Groups["animals"].ValueSpan, CultureInfo.InvariantCulture) > 60);
        var patches = Aquarium().Match(states.Next()).Groups["patches"].Value;

        EditAquarium("creatures.rs", ("    speed: f32,", "    speed: f32,\n    hunger: u32,"), ("Fish { at,", "Fish { hunger: 0, at,"), ("self.at.x += self.speed;", "self.at.x += self.speed; self.hunger += 1;"));
        Assert.Contains("Fish lies in memory otherwise", said.Await("there may be one"), StringComparison.Ordinal);
        said.Await("the program goes on as it is");
        Assert.Equal(patches, Aquarium().Match(states.Next()).Groups["patches"].Value);

        EditAquarium("creatures.rs", ("    hunger: u32,", ""), ("hunger: 0, ", ""), ("self.speed; self.hunger += 1;", "self.sped;"));
        Assert.Contains("no field `sped` on type", said.Await("error"), StringComparison.Ordinal);
        said.Await("the program goes on as it is");
        Assert.Equal(patches, Aquarium().Match(states.Next()).Groups["patches"].Value);

        // What the README lets live there: a new type among those that are in the tank.
        var code = ReadmeCode();
        EditAquarium("creatures.rs", ("self.sped;", "self.speed;"), ("(dice.roll() < 2.0).then(|| Box::new(Bubble { at: self.at }) as _)", code[1]), ("/// Rises until", $"{code[0]}\n/// Rises until"));
        EditAquarium("tank.rs", ("  animals {}", "  inhabitants {}"));
        said.Await("Patched");
        states.Await("inhabitants");

        // Nothing was lost on the way: each tick is there once, from the first to the last.
        Assert.Equal(Enumerable.Range(1, states.Count).Select(n => $"tick {n}"), states.All().Select(line => line[..line.IndexOf("  ", StringComparison.Ordinal)]));
        Harness.Must("kill", $"{watch.Id}");
        Assert.True(watch.WaitForExit(Patience), "the watch goes on after its program was told to end");
    }

    [Needs("cargo")]
    public void The_aquarium_is_the_same_without_Weft()
    {
        CopyAquarium();
        Harness.Environment["RUSTFLAGS"] = "-D warnings";
        var plain = Harness.Must("cargo", "run", "--quiet", "--offline", "--", "12").Output;
        Assert.StartsWith("tick 1  patches 0  creatures 11  ", plain, StringComparison.Ordinal);
        Assert.Equal(12, plain.Count(c => c == '\n'));
        Assert.Equal(plain, Harness.Must(Harness.Weft, "cargo", "run", "--quiet", "--offline", "--with", "hotpatch", "--", "12").Output);
    }

    [GeneratedRegex(@"^tick \d+  patches (?<patches>\d+)  animals (?<animals>\d+)  depth -?\d+\.\d$", RegexOptions.ExplicitCapture)]
    private static partial Regex Aquarium();

    private void CopyAquarium()
    {
        foreach (var file in (string[])["Cargo.toml", "src/main.rs", "src/tank.rs", "src/creatures.rs"])
            Harness.Write(file, File.ReadAllText(Path.Combine(Examples, "hotpatch-rust", file)).Replace("../../crates", Path.Combine(Harness.Root, "crates"), StringComparison.Ordinal));
    }

    private static string[] ReadmeCode() =>
        [.. CodeBlock().Matches(File.ReadAllText(Path.Combine(Examples, "hotpatch-rust/README.md"))).Select(m => m.Groups["code"].Value)];

    [GeneratedRegex("```rust\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex CodeBlock();

    private void EditAquarium(string file, params (string Old, string New)[] edits)
    {
        var path = Harness.Path($"src/{file}");
        File.WriteAllText(path, Edit(File.ReadAllText(path), edits));
    }

    // ---- The price server in C ----

    [Needs(Clang, "make")]
    public void The_servers_fault_is_mended_under_load_and_no_request_is_lost()
    {
        MakeServer();
        var server = StartServer();
        var load = Log.Of(Start(Harness.Path("load"), Address).StandardOutput);
        load.Await(AllWrong().IsMatch);
        using var connections = new Connections(Harness.Path(Address), 3);
        connections.AssertAll(10_000);
        var quotes = connections.Quotes();

        Assert.Contains("replaces  answer\n", Harness.Must("make", "fix.patch").Output, StringComparison.Ordinal);
        Hotpatch(server, "apply", "--wait", "60", "fix.patch");
        connections.AssertAll(9_000); // these began before the patch came
        load.Await(AllRight().IsMatch);
        Assert.Matches(@"^   1  applied       1 function .* fix\n      answer\n$", Hotpatch(server, "list", "--functions"));
        Assert.True(connections.Quotes() > quotes, "the count of quotes has begun anew");

        Assert.Equal("1 taken back, 0 applied\n", Hotpatch(server, "revert", "--wait", "60"));
        connections.AssertAll(10_000);
        load.Await(AllWrong().IsMatch);
        Assert.All(load.All(), line => Assert.EndsWith("  failed 0", line, StringComparison.Ordinal));
    }

    [Needs(Clang, "make")]
    public void The_server_quotes_the_same_prices_without_Weft()
    {
        MakeServer($"CC={Clang}", "CFLAGS=-O2 -Wall -Wextra -Werror");
        StartServer();
        using var connections = new Connections(Harness.Path(Address), 2);
        connections.AssertAll(10_000);
        Assert.Matches("^right 0  wrong [0-9]+  failed 0\n$", Harness.Must(Harness.Path("load"), Address, "1").Output);
        Assert.DoesNotContain("weft", Harness.Must("nm", "server").Output, StringComparison.Ordinal);
    }

    [GeneratedRegex("^right 0  wrong [1-9][0-9]*  failed 0$")]
    private static partial Regex AllWrong();

    [GeneratedRegex("^right [1-9][0-9]*  wrong 0  failed 0$")]
    private static partial Regex AllRight();

    private void MakeServer(params string[] settings)
    {
        foreach (var file in (string[])["Makefile", "prices.h", "prices.c", "fixed/prices.c", "server.c", "load.c"])
            Harness.Write(file, File.ReadAllText(Path.Combine(Examples, "hotpatch-server", file)));
        Harness.Must("make", settings);
    }

    private Process StartServer()
    {
        var server = Start(Harness.Path("server"), Address);
        Assert.Equal($"process {server.Id} quotes prices at {Address}", server.StandardOutput.ReadLine());
        return server;
    }

    private string Hotpatch(Process process, string command, params string[] arguments) =>
        Harness.Must(Harness.Weft, ["hotpatch", command, "--pid", $"{process.Id}", .. arguments]).Output;

    /// <summary>To the server, which stay open while it is patched.</summary>
    private sealed class Connections : IDisposable
    {
        private readonly List<(Socket Socket, StreamReader Answers)> all = [];

        public Connections(string path, int count)
        {
            for (var i = 0; i < count; i++)
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                socket.Connect(new UnixDomainSocketEndPoint(path));
                all.Add((socket, new StreamReader(new NetworkStream(socket))));
            }
        }

        /// <summary>Each asks a hundred times what ten lamps cost, in turns.</summary>
        public void AssertAll(int cents)
        {
            for (var i = 0; i < 100; i++)
                foreach (var connection in all) Assert.Matches($"^quote [0-9]+: {cents} cents$", Ask(connection, "lamp 10"));
        }

        public long Quotes() => long.Parse(Ask(all[0], "stats").Split(' ')[0], CultureInfo.InvariantCulture);

        public void Dispose()
        {
            foreach (var (socket, answers) in all)
            {
                answers.Dispose();
                socket.Dispose();
            }
        }

        private static string Ask((Socket Socket, StreamReader Answers) connection, string request)
        {
            connection.Socket.Send(System.Text.Encoding.ASCII.GetBytes(request + "\n"));
            return connection.Answers.ReadLine() ?? "(the server has hung up)";
        }
    }

    /// <summary>Lines that somebody adds to; each is waited for behind those that have been waited for.</summary>
    private sealed class Log(List<string> lines)
    {
        private int seen;

        public int Count
        {
            get
            {
                lock (lines) return lines.Count;
            }
        }

        public static Log Of(StreamReader output)
        {
            var lines = new List<string>();
            new Thread(() =>
            {
                while (output.ReadLine() is { } line)
                    lock (lines) lines.Add(line);
            })
            { IsBackground = true }.Start();
            return new Log(lines);
        }

        public List<string> All()
        {
            lock (lines) return [.. lines];
        }

        /// <summary>The first line that comes from now on.</summary>
        public string Next()
        {
            lock (lines) seen = lines.Count;
            return Await(_ => true);
        }

        public string Await(string text) => Await(line => line.Contains(text, StringComparison.Ordinal), text);

        public string Await(Func<string, bool> wanted, string what = "such a line")
        {
            for (var clock = Stopwatch.StartNew(); clock.Elapsed < Patience; Thread.Sleep(5))
                lock (lines)
                    while (seen < lines.Count)
                        if (wanted(lines[seen++])) return lines[seen - 1];
            Assert.Fail($"no {what} in\n{string.Join('\n', All())}");
            return "";
        }
    }
}
