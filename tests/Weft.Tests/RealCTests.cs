using Weft.RealPrograms;

namespace Weft.Tests;

/// <summary>Debian's C and C++ programs through their own build systems with <c>weft cc</c> for CC: their own tests pass, and they print what a plain build prints.</summary>
[Trait("Category", "Slow"), Collection("real programs")]
public sealed class RealCTests
{
    private const string LuaProgram = """
        local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
        local t = {} for i = 1, 20000 do t[i] = (i * 7919) % 10007 end table.sort(t)
        print(fib(24), t[1], t[20000], #string.rep("weft", 1000):gsub("e", "oo"))
        print(pcall(error, "caught"))
        local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) print(co(), co(), co())
        for w in string.gmatch("one two three", "%a+") do io.write(w:upper(), " ") end print(string.format("%5.2f %x", math.pi, 255))
        """;

    private const string Sql = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) INSERT INTO t SELECT i, hex(i*7919), i/7.0 FROM n; CREATE INDEX tb ON t(b); SELECT count(*), sum(a), min(b), max(b), round(avg(c),3) FROM t WHERE b LIKE '3%'; SELECT a, b FROM t ORDER BY b DESC LIMIT 5; PRAGMA integrity_check;";

    [TheoryNeeds("clang-22", "apt-get")]
    [InlineData("")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    public void Lua_runs_as_a_plain_build_does(string with) =>
        Assert.Equal(DebianSource.Must(Plain.Lua(), ["-e", LuaProgram], "/tmp"), DebianSource.Must(Woven(with).Lua(), ["-e", LuaProgram], "/tmp"));

    [TheoryNeeds("clang-22", "apt-get")]
    [InlineData("")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    public void Zlib_passes_its_check_static_and_shared(string with)
    {
        var output = Woven(with).ZlibCheck();
        Assert.Contains("*** zlib test OK ***", output, StringComparison.Ordinal);
        Assert.Contains("*** zlib shared test OK ***", output, StringComparison.Ordinal);
        Assert.DoesNotContain("FAILED", output, StringComparison.Ordinal);
    }

    [TheoryNeeds("clang-22", "apt-get")]
    [InlineData("")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    public void Sqlite_answers_as_a_plain_build_does(string with) =>
        Assert.Equal(DebianSource.Must(Plain.Sqlite(), [":memory:", Sql], "/tmp"), DebianSource.Must(Woven(with).Sqlite(), [":memory:", Sql], "/tmp"));

    [TheoryNeeds("clang-22", "apt-get")]
    [InlineData("")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    public void Sqlite_passes_its_quick_tests(string with) => Assert.Matches(@"(?m)^0 errors out of \d{6} tests", Woven(with).SqliteTests());

    [TheoryNeeds("clang-22", "apt-get")]
    [InlineData("")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    public void Fmt_with_templates_and_exceptions_passes_its_tests(string with) =>
        Assert.Contains("100% tests passed", Woven(with).FmtTests(), StringComparison.Ordinal);

    private static CPrograms Plain => new("clang-22", "clang++-22", "clang");

    private static CPrograms Woven(string with)
    {
        // Without an instrument there is nothing to weave; make it take the long way all the same.
        Environment.SetEnvironmentVariable("WEFT_FORCE_LOWER", "1");
        Environment.SetEnvironmentVariable("WEFT_CC", "clang-22");
        Environment.SetEnvironmentVariable("WEFT_WITH", with);
        foreach (var (name, value) in Everything.Of(with)) Environment.SetEnvironmentVariable(name, value);
        var folder = Path.GetDirectoryName(Harness.Weft)!;
        return new(Path.Combine(folder, "weft-cc"), Path.Combine(folder, "weft-c++"), with.Length == 0 ? "weft" : with);
    }
}
