using System.Text.Json;
using Weft.RealPrograms;

namespace Weft.Tests;

/// <summary>Debian's programs do the same work, to the unit, as metering weaves them and in its reference mode.</summary>
[Trait("Category", "Slow"), Collection("real programs")]
public sealed class RealMeteringTests : IDisposable
{
    private const string Sql = """
        CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) INSERT INTO t SELECT i, 'row '||i, i*1.5 FROM n;
        CREATE INDEX tb ON t(b); SELECT count(*), sum(c), max(b) FROM t WHERE b LIKE '%7%'; UPDATE t SET c=c+1 WHERE a%3=0;
        SELECT sum(x.c*y.c) FROM t x JOIN t y ON y.a=x.a+1 WHERE x.b<'row 2'; SELECT json_group_array(a) FROM (SELECT a FROM t LIMIT 20);
        """;

    private const string LuaProgram = """
        local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
        local t = {} for i = 1, 20000 do t[i] = (i * 7919) % 10007 end table.sort(t)
        print(fib(20), t[1], pcall(error, "caught")) local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) print(co(), co())
        for w in string.gmatch("one two three", "%a+") do io.write(w:upper(), " ") end
        """;

    private static readonly string[][] Ways = [["--metering-mode=reference"], [], ["--metering-limits=off"], ["--metering-limits=exact"]];

    private readonly Harness harness = new();

    public RealMeteringTests() => Environment.SetEnvironmentVariable("WEFT_CC", "clang-22");

    public void Dispose() => harness.Dispose();

    [TheoryNeeds("clang-22", "apt-get")]
    [InlineData("sqlite")]
    [InlineData("lua")]
    public void A_program_in_C_does_to_the_unit_what_the_reference_says(string name) => AssertSame(way =>
    {
        // Lua hashes by the time and by where it and its strings lie, if nobody tells it otherwise.
        var compiler = $"{Harness.Weft} cc --with=metering {string.Join(' ', way)}{(name == "lua" ? " '-Dluai_makeseed(L)=1u' -DSTRCACHE_N=1 -DSTRCACHE_M=2" : "")}";
        var programs = new CPrograms(compiler, "false", $"metering{string.Concat(way)}");
        return name == "lua" ? Run(programs.Lua(), "-e", LuaProgram) : Run(programs.Sqlite(), ":memory:", Sql);
    });

    [TheoryNeeds("cargo", "apt-get", "cc")]
    [InlineData(@"\b(\w+)e(r|d)\s+(\w+)\b")]
    [InlineData("fn|let|struct")]
    public void Ripgrep_does_to_the_unit_what_the_reference_says(string pattern)
    {
        var folder = RustPrograms.Ripgrep();
        // Rust's hash maps are seeded by the kernel.
        harness.Write("zero.c", "#include <string.h>\n#include <sys/types.h>\nssize_t getrandom(void *to, size_t size, unsigned flags) { (void)flags; memset(to, 0, size); return (ssize_t)size; }\n");
        harness.Must("cc", "-shared", "-fPIC", "zero.c", "-o", "zero.so");
        harness.Environment["LD_PRELOAD"] = harness.Path("zero.so");
        AssertSame(way =>
        {
            var target = Path.Combine(folder, $"target/counts{string.Concat(way)}");
            DebianSource.Must(Harness.Weft, ["cargo", "build", "--offline", "--release", "--target-dir", target, "--with", "metering", .. way], folder);
            var built = Directory.EnumerateFiles(Path.Combine(target, "weft"), "rg", SearchOption.AllDirectories).First(f => f.EndsWith("/release/rg", StringComparison.Ordinal));
            return Run(built, "--no-config", "-j1", "--sort", "path", pattern, Path.Combine(folder, "crates"));
        });
    }

    private static void AssertSame(Func<string[], (ulong Units, string Output)> run)
    {
        var expected = run(Ways[0]);
        Assert.True(expected.Units > 10_000_000, $"only {expected.Units} units");
        foreach (var way in Ways[1..]) Assert.Equal((string.Concat(way), expected), (string.Concat(way), run(way)));
    }

    // Under the same name, which programs look at.
    private (ulong Units, string Output) Run(string built, params string[] arguments)
    {
        var program = harness.Path("program");
        File.Copy(built, program, overwrite: true);
        harness.Environment["WEFT_METERING_REPORT"] = harness.Path("report");
        var output = harness.Must(program, arguments).Output;
        return (JsonDocument.Parse(File.ReadAllText(harness.Path("report"))).RootElement.GetProperty("total").GetUInt64(), output);
    }
}
