using System.Text.Json;
using Weft.Core;

namespace Weft.Tests;

public sealed class MeteringReportTests : IDisposable
{
    private const string Report = """
        {"format":"weft-metering","version":2,"program":"/tmp/prog","pid":12,"total":1000,
        "threads":[
        {"index":0,"name":"main","units":900,"ended":false},
        {"index":1,"name":"worker","units":100,"ended":true}],
        "functions":[
        {"name":"_ZN3foo3barEi","module":"a.cc","units":100},
        {"name":"main","module":"a.cc","units":650},
        {"name":"_RNvNtCs1234_7mycrate3sub3baz","module":"mycrate.1234","units":200},
        {"name":"_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE","module":"core","units":40},
        {"name":"_ZN36_$LT$T$u20$as$u20$core..any..Any$GT$7type_id17h0123456789abcdefE.llvm.77","module":"","units":10}]}
        """;

    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [Fact]
    public void The_table_has_total_threads_and_functions_largest_first()
    {
        harness.Write("counts.json", Report);
        var lines = harness.Must(Harness.Weft, "metering", "report", "counts.json").Output.Split('\n');
        Assert.Equal("/tmp/prog (process 12): 1,000 units", lines[0]);
        Assert.Contains("    900   90.0%  0 main (running)", lines);
        Assert.Contains("    100   10.0%  1 worker", lines);
        var functions = lines.SkipWhile(l => !l.EndsWith("function", StringComparison.Ordinal)).Skip(1).TakeWhile(l => l.Length > 0).ToArray();
        Assert.Equal(
        [
            "    650   65.0%  main  [a.cc]",
            "    200   20.0%  mycrate::sub::baz  [mycrate.1234]",
            "    100   10.0%  foo::bar(int)  [a.cc]",
            "     40    4.0%  core::fmt::Formatter::write_str  [core]",
            "     10    1.0%  <T as core::any::Any>::type_id",
        ], functions);
    }

    [Fact]
    public void Top_sums_up_what_it_leaves_out()
    {
        var file = harness.Write("r.json", Report);
        var output = harness.Must(Harness.Weft, "metering", "report", file, "--top", "2", "--functions").Output;
        Assert.DoesNotContain("thread", output);
        Assert.DoesNotContain("foo::bar", output);
        Assert.Contains("    150   15.0%  (3 more)", output);
    }

    [Fact]
    public void CSV_has_a_header_and_quotes_what_needs_it()
    {
        var file = harness.Write("r.json", Report.Replace("foo3barEi", "foo3barEii"));
        var lines = harness.Must(Harness.Weft, "metering", "report", file, "--csv").Output.Split('\n');
        Assert.Equal("function,symbol,module,units", lines[0]);
        Assert.Equal("main,main,a.cc,650", lines[1]);
        Assert.Contains("\"foo::bar(int, int)\",_ZN3foo3barEii,a.cc,100", lines);
        Assert.Equal("thread,name,units,ended\n0,main,900,false\n1,worker,100,true\n", harness.Must(Harness.Weft, "metering", "report", file, "--csv", "--threads").Output);
    }

    [Fact]
    public void JSON_is_the_report_again_with_demangled_names()
    {
        var file = harness.Write("r.json", Report);
        using var json = JsonDocument.Parse(harness.Must(Harness.Weft, "metering", "report", file, "--json").Output);
        Assert.Equal(1000u, json.RootElement.GetProperty("total").GetUInt64());
        Assert.Equal(5, json.RootElement.GetProperty("functions").GetArrayLength());
        Assert.Equal("mycrate::sub::baz", json.RootElement.GetProperty("functions")[1].GetProperty("demangled").GetString());
        harness.Write("again.json", json.RootElement.GetRawText());
        harness.Must(Harness.Weft, "metering", "report", "again.json"); // what it writes, it reads
    }

    [Fact]
    public void The_largest_counts_there_are_survive()
    {
        var file = harness.Write("r.json", Report.Replace("\"total\":1000", "\"total\":18446744073709551615"));
        Assert.Contains("18,446,744,073,709,551,615 units", harness.Must(Harness.Weft, "metering", "report", file).Output);
    }

    [Fact]
    public void Without_a_file_it_is_what_the_variable_names()
    {
        harness.Write("elsewhere/metering.json", Report);
        harness.Environment["WEFT_METERING_REPORT"] = "elsewhere/metering.json";
        Assert.Contains("1,000 units", harness.Must(Harness.Weft, "metering", "report").Output);
    }

    [Fact]
    public void A_missing_report_says_how_one_is_made() =>
        Harness.AssertToldWell(harness.RunWeft("metering", "report", "counts.json"), ExitCode.Failure, "counts.json", "--with metering");

    [Fact]
    public void Without_a_file_and_a_variable_it_asks_for_one() =>
        Harness.AssertToldWell(harness.RunWeft("metering", "report"), ExitCode.Usage, "WEFT_METERING_REPORT");

    [Fact]
    public void Cut_short_anywhere_it_is_told_with_its_name()
    {
        for (var length = 0; length < Report.Length - 1; length += 61)
            Harness.AssertToldWell(harness.RunWeft("metering", "report", harness.Write($"cut-{length}.json", Report[..length])), ExitCode.Failure, $"cut-{length}.json");
    }

    [Theory]
    [InlineData("[]", "not a metering report")]
    [InlineData("{}", "not a metering report")]
    [InlineData("""{"format":"weft-coverage","version":2}""", "not a metering report")]
    [InlineData("""{"format":1}""", "not a metering report")]
    [InlineData("""{"format":"weft-metering","version":3}""", "version 3")]
    [InlineData("""{"format":"weft-metering","version":2}""", "field")]
    [InlineData("""{"format":"weft-metering","version":2,"program":7,"pid":1,"total":1,"threads":[],"functions":[]}""", "field")]
    [InlineData("""{"format":"weft-metering","version":2,"program":"p","pid":1,"total":-1,"threads":[],"functions":[]}""", "field")]
    [InlineData("""{"format":"weft-metering","version":2,"program":"p","pid":1,"total":1,"threads":{},"functions":[]}""", "field")]
    [InlineData("\u007fELF", "whole")]
    public void What_is_no_report_is_refused(string content, string mention) =>
        Harness.AssertToldWell(harness.RunWeft("metering", "report", harness.Write("r.json", content)), ExitCode.Failure, "r.json", mention);

    [Fact]
    public void A_program_that_counted_nothing_divides_by_nothing()
    {
        var file = harness.Write("r.json", """{"format":"weft-metering","version":2,"program":"p","pid":1,"total":0,"threads":[{"index":0,"name":"","units":0,"ended":true}],"functions":[]}""");
        Assert.Contains("0.0%", harness.Must(Harness.Weft, "metering", "report", file).Output);
    }
}
