using Weft.Core;

namespace Weft.Tests;

/// <summary>What patches of C and C++ hold, and what they share with the program.</summary>
public sealed class HotpatchPatchTests : PatchedPrograms
{
    private static readonly string Source = Fixture("steps.c");

    [Needs("clang-22")]
    public void A_patched_function_has_the_variables_thread_locals_and_constants_of_the_program()
    {
        Compile("steps.c", Source, "program", "-O2");
        var program = Start(Harness.Path("program"));
        var changed = Edit(Source, ("\"calls %d thread", "\"CALLS %d thread"), ("x = x * 1.5 + 0.25", "x = x * 2.5 + 0.25"), ("return \"two\"", "return \"TWO\""));
        string[] before = Plain("steps.c", Source, "2", "2", "2"), after = Plain("steps.c", changed, "2", "2");
        Assert.Equal(before[0], Ask(program, "2"));
        Assert.Equal("replaces  name_of\nreplaces  scale\nreplaces  step\n", BuildPatch("steps.c", changed, "one.patch", ["-O2"]).Output);
        Patch(program, "one.patch");
        Assert.Equal(after[1], Ask(program, "2"));
        Harness.Must(Harness.Weft, "hotpatch", "revert", "--pid", $"{program.Id}");
        Assert.Equal(before[2], Ask(program, "2"));
    }

    [Needs("clang-22")]
    public void Who_inlined_a_changed_function_is_replaced_with_it_and_nobody_else()
    {
        Compile("steps.c", Source, "program", "-O2");
        var program = Start(Harness.Path("program"));
        Ask(program, "1");
        Assert.Equal("replaces  first\nreplaces  second\n", BuildPatch("steps.c", Edit(Source, ("return x * 3", "return x * 100")), "one.patch", ["-O2"]).Output);
        Patch(program, "one.patch");
        Assert.Contains("first 103 second 104 unchanged 11", Ask(program, "1"), StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void Who_reads_a_constant_that_has_changed_is_replaced()
    {
        Compile("steps.c", Source, "program", "-O2");
        var program = Start(Harness.Path("program"));
        Ask(program, "1");
        Assert.Equal("replaces  first\nreplaces  second\n", BuildPatch("steps.c", Edit(Source, ("{1, 2, 3, 4}", "{1, 2000, 3, 4}")), "one.patch", ["-O2"]).Output.Replace("adds      table\n", "", StringComparison.Ordinal));
        Patch(program, "one.patch");
        Assert.Contains("first 2004 second 2005", Ask(program, "1"), StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void A_new_variable_keeps_its_value_when_the_next_patch_comes()
    {
        Compile("steps.c", Source, "program", "-O2");
        var program = Start(Harness.Path("program"));
        Ask(program, "1");
        var second = Edit(Source, ("return x + exported;", "return fresh(x) + exported;"), ("__attribute__((noinline)) int unchanged", "static int total;\nstatic __thread int mine;\n__attribute__((noinline)) static int fresh(int x) { mine++; return total += x + mine; }\n__attribute__((noinline)) int unchanged"));
        var built = BuildPatch("steps.c", second, "one.patch", ["-O2"]);
        Assert.True(built.Output == "replaces  unchanged\nadds      fresh\nadds      total\n", built.ToString());
        Patch(program, "one.patch");
        Assert.Contains("unchanged 12 ", Ask(program, "1"), StringComparison.Ordinal);
        Assert.Contains("unchanged 15 ", Ask(program, "1"), StringComparison.Ordinal);
        Assert.Equal("replaces  fresh\n", BuildPatch("steps.c", Edit(second, ("return total += x + mine;", "return total += x + 1000 + mine;")), "two.patch", ["-O2"], "--after", "one.patch").Output);
        Patch(program, "two.patch");
        Assert.Contains("unchanged 1019 ", Ask(program, "1"), StringComparison.Ordinal);
        Harness.Must(Harness.Weft, "hotpatch", "revert", "--pid", $"{program.Id}");
        Assert.Contains("unchanged 1024 ", Ask(program, "1"), StringComparison.Ordinal);
    }

    [TheoryNeeds("clang-22", "clang-19")]
    [InlineData("clang-22", "-O0")]
    [InlineData("clang-22", "-O1")]
    [InlineData("clang-22", "-O3")]
    [InlineData("clang-22", "-Os")]
    [InlineData("clang-22", "-Oz")]
    [InlineData("clang-22", "-O2 -fno-pie -no-pie")]
    [InlineData("clang-22", "-O2 -fcf-protection=full")]
    [InlineData("clang-22", "-O2 -g -fno-plt -fPIC")]
    [InlineData("clang-19", "-O0")]
    [InlineData("clang-19", "-O2")]
    public void At_every_level_the_new_code_runs(string compiler, string flags)
    {
        Harness.Environment["WEFT_CC"] = compiler;
        Compile("steps.c", Source, "program", flags.Split(' '));
        var program = Start(Harness.Path("program"));
        var changed = Edit(Source, ("return x * 3", "return x * 100"), ("\"calls %d", "\"CALLS %d"), ("return \"three\"", "return \"THREE\""), ("static int scaled;", "static int scaled; x += strtod(\"1.5\", 0);"));
        var after = Plain("steps.c", changed, "3", "3", "5");
        Assert.Equal(Plain("steps.c", Source, "3")[0], Ask(program, "3"));
        var built = BuildPatch("steps.c", changed, "one.patch", [.. flags.Split(' ').Where(f => f != "-no-pie")]);
        Assert.True(built.ExitCode == 0, built.ToString());
        Patch(program, "one.patch");
        Assert.Equal<string[]>(after[1..], [Ask(program, "3"), Ask(program, "5")]);
    }

    [TheoryNeeds("clang-22", "qemu-aarch64", "aarch64-linux-gnu-gcc")]
    [InlineData("-O0")]
    [InlineData("-O2")]
    [InlineData("-Os -mbranch-protection=standard")]
    [InlineData("-O2 -fno-pie -no-pie")]
    [InlineData("-O1 -fPIC -ftls-model=global-dynamic")]
    public void On_aarch64_the_new_code_runs_too(string flags)
    {
        string[] options = ["--target=aarch64-linux-gnu", .. flags.Split(' ')];
        Compile("steps.c", Source, "program", options);
        var program = Start("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", Harness.Path("program"));
        var changed = Edit(Source, ("return x * 3", "return x * 100"), ("\"calls %d", "\"CALLS %d"), ("return \"three\"", "return \"THREE\""), ("static int scaled;", "static int scaled; x += strtod(\"1.5\", 0);"));
        var after = Plain("steps.c", changed, "3", "3", "5");
        var before = Plain("steps.c", Source, "3", "3", "3", "3");
        Assert.Equal(before[0], Ask(program, "3"));
        var built = BuildPatch("steps.c", changed, "one.patch", [.. options.Where(f => f != "-no-pie")]);
        Assert.True(built.ExitCode == 0, built.ToString());
        Patch(program, "one.patch");
        Assert.Equal<string[]>(after[1..], [Ask(program, "3"), Ask(program, "5")]);
        Harness.Must(Harness.Weft, "hotpatch", "revert", "--pid", $"{program.Id}");
        Assert.Equal(before[3], Ask(program, "3"));
    }

    [Needs("clang-22")]
    public void Exceptions_go_through_patched_functions_and_virtual_functions_are_replaced()
    {
        var source = Fixture("steps.cpp");
        Compile("steps.cpp", source, "program", "-O2");
        var program = Start(Harness.Path("program"));
        var changed = Edit(source, ("side * side", "side * side * 100"), ("\"circle\"", "\"CIRCLE \" + std::to_string(radius)"), ("value + value", "value + value + 1"), ("\"odd \"", "\"ODD \""), ("return e.what();", "return std::string(\"caught: \") + e.what();"));
        var after = Plain("steps.cpp", changed, "3", "3", "4", "5");
        Assert.Equal(Plain("steps.cpp", source, "3")[0], Ask(program, "3"));
        var built = BuildPatch("steps.cpp", changed, "one.patch", ["-O2"]);
        Assert.True(built.ExitCode == 0, built.ToString());
        Patch(program, "one.patch");
        Assert.Equal<string[]>(after[1..], [Ask(program, "3"), Ask(program, "4"), Ask(program, "5")]);
    }

    [TheoryNeeds("clang-22")]
    [InlineData("int exported = 10;", "int exported = 11;", "the variable exported has another initial value")]
    [InlineData("int exported = 10;", "long exported = 10;", "the variable exported has 8 bytes and had 4")]
    [InlineData("in_thread = 5;", "in_thread = 6;", "the thread-local variable in_thread has another initial value")]
    [InlineData("static int calls;", "static int calls; static __thread int fresh = 3;#calls++;#calls++; in_thread += fresh++;", "begins with another value than zero")]
    public void What_running_state_contradicts_is_refused_with_the_reason(string old, string text, string reason)
    {
        Compile("steps.c", Source, "program", "-O2");
        var parts = text.Split('#');
        var edited = parts.Length == 1 ? Edit(Source, (old, text)) : Edit(Source, (old, parts[0]), (parts[1], parts[2]));
        Harness.AssertToldWell(BuildPatch("steps.c", edited, "one.patch", ["-O2"]), ExitCode.Failure, reason);
        Assert.False(File.Exists(Harness.Path("one.patch")));
    }

    [Needs("clang-22")]
    public void Variables_keep_their_values_if_that_is_asked_for()
    {
        Compile("steps.c", Source, "program", "-O2");
        var program = Start(Harness.Path("program"));
        Assert.Contains("unchanged 11 ", Ask(program, "1"), StringComparison.Ordinal);
        var built = BuildPatch("steps.c", Edit(Source, ("int exported = 10;", "int exported = 99;"), ("\"calls %d", "\"CALLS %d")), "one.patch", ["-O2"], "--keep-state");
        Assert.Equal("replaces  step\n", built.Output);
        Patch(program, "one.patch");
        Assert.StartsWith("CALLS 2 thread 7 first 6 second 7 unchanged 11 ", Ask(program, "1"), StringComparison.Ordinal);
    }

    [Needs("clang-22")]
    public void Source_that_has_not_changed_makes_no_patch()
    {
        Compile("steps.c", Source, "program", "-O2");
        Harness.AssertToldWell(BuildPatch("steps.c", "\n\n// a comment\n" + Source, "one.patch", ["-O2"]), ExitCode.Failure, "nothing has changed");
    }

    private const string Types = """
        #include <stdio.h>
        #include <stdlib.h>
        enum kind { SMALL, LARGE };
        struct item { int count; enum kind kind; struct item *next; };
        static struct item items[4];
        __attribute__((noinline)) int weigh(struct item *item) { return item->count * (item->kind == LARGE ? 10 : 1); }
        __attribute__((noinline)) int other(int x) { return weigh(&items[x & 3]) + 1; }
        __attribute__((noinline)) void step(int x) { items[x & 3].count++; items[x & 3].kind = x > 4 ? LARGE : SMALL; printf("%d %d\n", weigh(&items[x & 3]), other(x)); fflush(stdout); }
        int main(void) { char line[64]; while (fgets(line, sizeof line, stdin)) step(atoi(line)); return 0; }
        """;

    [TheoryNeeds("clang-22")]
    [InlineData("struct item { int count;", "struct item { long count;", "the type item lies in memory otherwise, and there may be one: 16 bytes (count@0:int kind@4:kind next@8:*item) became 24 bytes (count@0:long kind@8:kind next@16:*item)")]
    [InlineData("int count; enum kind kind;", "enum kind kind; int count;", "the type item lies in memory otherwise")]
    [InlineData("enum kind { SMALL, LARGE }", "enum kind { LARGE, SMALL }", "the type kind lies in memory otherwise, and there may be one: 4 bytes (SMALL=0 LARGE=1) became 4 bytes (LARGE=0 SMALL=1)")]
    public void A_type_that_objects_may_have_does_not_change_under_them(string old, string text, string reason)
    {
        Compile("types.c", Types, "program", "-O1");
        Harness.AssertToldWell(BuildPatch("types.c", Edit(Types, (old, text)), "one.patch", ["-O1"]), ExitCode.Failure, reason);
    }

    [Needs("clang-22")]
    public void A_type_may_get_another_name_for_a_number_and_a_new_type_may_come()
    {
        Compile("types.c", Types, "program", "-O1");
        var program = Start(Harness.Path("program"));
        Assert.Equal("1 2", Ask(program, "1"));
        var built = BuildPatch("types.c", Edit(Types, ("SMALL, LARGE }", "SMALL, LARGE, HUGE }"), ("item->count * (", "((struct { int a, b; }){0, item->count}).b * (item->kind == HUGE ? 100 : ")), "one.patch", ["-O1"]);
        Assert.True(built.ExitCode == 0, built.ToString());
        Patch(program, "one.patch");
        Assert.Equal("2 3", Ask(program, "1"));
    }

    [Needs("clang-22")]
    public void A_function_is_not_called_the_old_way_by_who_has_not_changed()
    {
        var main = Edit(Fixture("steps.c"), ("return x + exported;", "return x + exported + elsewhere(x);"), ("int exported = 10;", "int exported = 10; int elsewhere(int);"));
        Harness.Write("elsewhere.c", "int elsewhere(int x) { return x * 2; }");
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O1", "-c", "elsewhere.c", "-o", "elsewhere.o");
        Compile("steps.c", main, "program", "-O1", "elsewhere.o");
        Harness.Write("new/elsewhere.c", "int elsewhere(long x, int y) { return x * 2 + y; }");
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O1", "-c", "new/elsewhere.c", "-o", "new/elsewhere.o");
        Harness.Write("new/steps.c", main);
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O1", "-c", "new/steps.c", "-o", "new/steps.o");
        var refused = Harness.RunWeft("hotpatch", "build", "--program", "program", "-o", "one.patch", "new/elsewhere.o", "new/steps.o");
        Harness.AssertToldWell(refused, ExitCode.Failure, "elsewhere was int(int) and is int(long,int) now, and unchanged, which has not changed, knows it as it was");
    }
}
