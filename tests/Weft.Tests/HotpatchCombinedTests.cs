using System.Globalization;
using System.Text.Json;

namespace Weft.Tests;

/// <summary>Patches of programs that another instrument is woven into, too.</summary>
public sealed class HotpatchCombinedTests : PatchedPrograms
{
    private const string Source = """
        #include <stdio.h>
        #include <stdlib.h>
        static __attribute__((noinline)) int leaf(int x) { return x * 3; }
        __attribute__((noinline)) int work(int x) { int s = 0; for (int i = 0; i < x; i++) s += leaf(i); return s; }
        int main(void) { char line[64]; while (fgets(line, sizeof line, stdin)) { printf("%d\n", work(atoi(line))); fflush(stdout); } return 0; }
        """;

    private static readonly string Changed = Edit(Source, ("return x * 3;", "int s = x; for (int i = 0; i < x; i++) s += i * x ^ s; return s;"));

    [TheoryNeeds("clang-22")]
    [InlineData("metering")]
    [InlineData("interrupts")]
    [InlineData("tracing")]
    [InlineData("coverage")]
    [InlineData("metering,interrupts,tracing,coverage")]
    public void New_code_runs_in_a_program_with_other_instruments(string instruments)
    {
        string[] options = ["-O2", $"--with=hotpatch,{instruments}"];
        var plain = Plain("a.c", Changed, "10", "10");
        Compile("a.c", Source, "program", options);
        var program = Start(Harness.Path("program"));
        Assert.Equal("135", Ask(program, "10"));
        var built = BuildPatch("a.c", Changed, "one.patch", options);
        Assert.True(built.ExitCode == 0, built.ToString());
        Patch(program, "one.patch");
        Assert.Equal(plain[1], Ask(program, "10"));
        Harness.Must(Harness.Weft, "hotpatch", "revert", "--pid", $"{program.Id}");
        Assert.Equal("135", Ask(program, "10"));
    }

    [TheoryNeeds("clang-22")]
    [InlineData("-O2")]
    [InlineData("-O2 --metering-limits=exact")]
    public void Work_in_a_patch_counts_as_much_as_in_a_program_of_its_source(string flags)
    {
        string[] options = [.. flags.Split(' '), "--with=hotpatch,metering"];
        Harness.Environment["WEFT_METERING_REPORT"] = Harness.Path("report.json");
        Compile("a.c", Changed, "changed", options);
        var (once, twice) = (Units("changed", "10\n"), Units("changed", "10\n10\n"));
        Compile("a.c", Source, "alone", [.. flags.Split(' '), "--with=metering"]);
        Compile("a.c", Source, "program", options);
        var before = Units("program", "10\n");
        Assert.Equal(Units("alone", "10\n"), before); // that functions are replaceable costs no unit
        var program = Start(Harness.Path("program"));
        Ask(program, "10");
        var built = BuildPatch("a.c", Changed, "one.patch", options);
        Assert.True(built.ExitCode == 0, built.ToString());
        Patch(program, "one.patch");
        Ask(program, "10");
        program.StandardInput.Close();
        program.WaitForExit();
        Assert.Equal(before + twice - once, Total());
    }

    private long Units(string program, string input)
    {
        Harness.Run(Harness.Path(program), [], System.Text.Encoding.ASCII.GetBytes(input));
        return Total();
    }

    private long Total()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Harness.Path("report.json")));
        return long.Parse(json.RootElement.GetProperty("total").ToString(), CultureInfo.InvariantCulture);
    }
}
