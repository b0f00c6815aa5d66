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

    private const string Detailed = """
        {"format":"weft-metering","version":2,"program":"/tmp/prog","pid":12,"total":100,
        "threads":[{"index":0,"name":"main","units":100,"ended":false}],
        "functions":[
        {"name":"main","module":"a.c","units":30,"file":"/src/a.c","line":1},
        {"name":"_Z4workii","module":"a.c","units":50,"file":"/src/a.c","line":10},
        {"name":"<script>alert(1)</script>;\u0007\u202e","module":"a.c","units":20}],
        "lines":[
        {"function":0,"file":"/src/a.c","line":2,"units":25},
        {"function":1,"file":"/src/b.h","line":7,"units":50}],
        "contexts":[
        {"calls":1,"units":30,"function":0},
        {"calls":2,"units":20,"function":1,"parent":0,"line":2},
        {"calls":3,"units":30,"function":1,"parent":1},
        {"calls":4,"units":15,"function":2,"parent":0,"line":3}]}
        """;

    [Fact]
    public void Inclusive_units_count_recursion_once()
    {
        var file = harness.Write("r.json", Detailed);
        var lines = harness.Must(Harness.Weft, "metering", "report", file, "--functions").Output.Split('\n');
        Assert.Contains("     50   50.0%         50      5  work(int, int)  [a.c]", lines);
        Assert.Contains("     30   30.0%         95      1  main  [a.c]", lines);
        Assert.StartsWith("function,symbol,module,units,inclusive,calls\n\"work(int, int)\",_Z4workii,a.c,50,50,5\n", harness.Must(Harness.Weft, "metering", "report", file, "--csv").Output);
    }

    [Fact]
    public void Lines_come_with_their_text_and_what_a_function_did_elsewhere_where_it_begins()
    {
        var source = harness.Write("a.c", "int main(void)\n{\n    work();\n}\n");
        var file = harness.Write("r.json", Detailed.Replace("/src/a.c", source).Replace("\"line\":2,\"units\"", "\"line\":3,\"units\""));
        var lines = harness.Must(Harness.Weft, "metering", "report", file, "--lines").Output.Split('\n');
        Assert.Contains("     50   50.0%  /src/b.h:7", lines);
        Assert.Contains($"     25   25.0%  {source}:3  work();", lines);
        Assert.Contains($"      5    5.0%  {source}:1  int main(void)", lines);
        Assert.Contains($"{source},1,main,main,5\n", harness.Must(Harness.Weft, "metering", "report", file, "--lines", "--csv").Output);
    }

    [Fact]
    public void Folded_stacks_are_one_line_each_and_add_up_to_the_total()
    {
        var file = harness.Write("r.json", Detailed);
        Assert.Equal("(unattributed) 5\nmain 30\nmain;<script>alert(1)</script>: \u202e 15\nmain;work(int, int) 20\nmain;work(int, int);work(int, int) 30\n",
            harness.Must(Harness.Weft, "metering", "report", file, "--format", "folded").Output);
        Harness.AssertToldWell(harness.RunWeft("metering", "report", harness.Write("flat.json", Report), "--format", "folded"), ExitCode.Failure, "--metering-detail calls");
    }

    [Fact]
    public void What_details_JSON_has_it_reads_again()
    {
        harness.Write("r.json", Detailed);
        var json = harness.Must(Harness.Weft, "metering", "report", "r.json", "--format", "json").Output;
        harness.Write("again.json", json);
        foreach (var format in (string[])["folded", "callgrind"])
            Assert.Equal(harness.Must(Harness.Weft, "metering", "report", "r.json", "--format", format).Output.Split('\n').Order(), harness.Must(Harness.Weft, "metering", "report", "again.json", "--format", format).Output.Split('\n').Order());
    }

    [Fact]
    public void A_page_keeps_the_reports_text_apart_from_its_own()
    {
        harness.Write("r.json", Detailed);
        harness.Must(Harness.Weft, "metering", "report", "r.json", "--format", "html", "-o", "page.html");
        var page = File.ReadAllText(harness.Path("page.html"));
        Assert.DoesNotContain("alert(1)", page);
        Assert.Contains("default-src 'none'", page);
        Assert.DoesNotContain("http", page.Replace("http-equiv", ""));
        const string begin = "application/octet-stream\">";
        var packed = page[(page.IndexOf(begin, StringComparison.Ordinal) + begin.Length)..];
        using var data = new System.IO.Compression.DeflateStream(new MemoryStream(Convert.FromBase64String(packed[..packed.IndexOf('<', StringComparison.Ordinal)])), System.IO.Compression.CompressionMode.Decompress);
        using var json = JsonDocument.Parse(data);
        Assert.Equal("<script>alert(1)</script>;\ufffd\ufffd", json.RootElement.GetProperty("functions")[2][0].GetString());
        Assert.Equal(5, json.RootElement.GetProperty("stacks").GetArrayLength());
    }

    [Theory]
    [InlineData("\"parent\":1", "\"parent\":2")] // itself
    [InlineData("\"parent\":1", "\"parent\":3")] // a circle, if it could be
    [InlineData("\"parent\":1", "\"parent\":-1")]
    [InlineData("\"parent\":1", "\"parent\":1e99")]
    [InlineData("\"parent\":1", "\"parent\":\"1\"")]
    [InlineData("\"function\":2", "\"function\":3")]
    [InlineData("\"function\":1,\"file\"", "\"function\":-1,\"file\"")]
    [InlineData("\"function\":1,\"file\"", "\"file\"")]
    [InlineData("\"line\":7", "\"line\":-7")]
    [InlineData("\"calls\":4", "\"calls\":-4")]
    [InlineData("\"calls\":4", "\"calls\":18446744073709551616")]
    [InlineData("\"lines\":[", "\"lines\":{},\"line\":[")]
    [InlineData("\"contexts\":[", "\"contexts\":[7,")]
    public void Details_that_make_no_sense_are_refused(string sense, string none)
    {
        Assert.Contains(sense, Detailed);
        Harness.AssertToldWell(harness.RunWeft("metering", "report", harness.Write("r.json", Detailed.Replace(sense, none)), "--format", "folded"), ExitCode.Failure, "r.json", "field");
    }

    [Fact]
    public void Stacks_as_deep_as_no_runtime_writes_them_are_refused()
    {
        var deep = string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"{{\"calls\":1,\"units\":1,\"function\":0{(i == 0 ? "" : $",\"parent\":{i - 1}")}}}"));
        var text = Detailed[..Detailed.IndexOf("\"contexts\"", StringComparison.Ordinal)] + "\"contexts\":[" + deep + "]}";
        Harness.AssertToldWell(harness.RunWeft("metering", "report", harness.Write("r.json", text)), ExitCode.Failure, "r.json");
    }

    [Fact]
    public void A_comparison_has_the_largest_change_first_and_says_what_is_new()
    {
        harness.Write("old.json", Report);
        harness.Write("new.json", Report.Replace("\"total\":1000", "\"total\":1500").Replace("\"units\":650", "\"units\":1150").Replace("_ZN3foo3barEi", "_ZN3foo3bazEi"));
        var lines = harness.Must(Harness.Weft, "metering", "compare", "old.json", "new.json").Output.Split('\n');
        Assert.Equal("1,000 units before, 1,500 now: +500 (+50.0%)", lines[0]);
        Assert.Equal(["  650  1,150    +500   +76.9%  main", "  100      0    -100  -100.0%  foo::bar(int)  (gone)", "    0    100    +100           foo::baz(int)  (new)"], lines[3..6]);
        using var json = JsonDocument.Parse(harness.Must(Harness.Weft, "metering", "compare", "old.json", "new.json", "--format", "json").Output);
        Assert.Equal(500, json.RootElement.GetProperty("total")[0].GetProperty("units_change").GetInt32());
        Assert.Equal("main", json.RootElement.GetProperty("functions")[0].GetProperty("function").GetString());
    }

    [Theory]
    [InlineData("50", 0)]
    [InlineData("49.99", 1)]
    [InlineData("0", 1)]
    public void Growth_beyond_the_limit_fails(string percent, int expected)
    {
        harness.Write("old.json", Report);
        harness.Write("new.json", Report.Replace("\"total\":1000", "\"total\":1500"));
        Assert.Equal(expected, harness.RunWeft("metering", "compare", "old.json", "new.json", "--fail-over", percent).ExitCode);
        Assert.Equal(0, harness.RunWeft("metering", "compare", "new.json", "old.json", "--fail-over", percent).ExitCode);
    }

    [Fact]
    public void Reports_of_different_units_are_not_compared()
    {
        harness.Write("old.json", Report);
        harness.Write("same.json", Report.Replace("\"pid\"", "\"costs\":\"canonical\",\"pid\""));
        harness.Write("new.json", Report.Replace("\"pid\"", "\"costs\":\"mine\",\"pid\""));
        harness.Must(Harness.Weft, "metering", "compare", "old.json", "same.json");
        Harness.AssertToldWell(harness.RunWeft("metering", "compare", "old.json", "new.json"), ExitCode.Failure, "canonical", "mine");
        Harness.AssertToldWell(harness.RunWeft("metering", "compare", "old.json", "new.json", "--fail-over", "much"), ExitCode.Usage, "--fail-over");
    }
}
