using Weft.Core;

namespace Weft.Tests;

/// <summary><c>weft hotpatch watch --program</c>: projects of C and C++ with a compilation database.</summary>
public sealed class HotpatchDatabaseTests : PatchedPrograms
{
    private const string Main = """
        #include <stdio.h>
        #include <stdlib.h>
        #include "part.h"
        int main(void) { char line[64]; while (fgets(line, sizeof line, stdin)) { printf("%s %d\n", name(), value(atoi(line))); fflush(stdout); } return 0; }
        """;

    private const string Part = """
        #include "part.h"
        static int calls;
        const char *name(void) { return TEXT; }
        int value(int i) { return scale(i) + calls++; }
        """;

    private const string Header = "const char *name(void);\nint value(int i);\nstatic inline int scale(int i) { return i * 10; }\n";

    [TheoryNeeds("clang-22", "cmake", "ninja")]
    [InlineData("Ninja")]
    [InlineData("Unix Makefiles")]
    public void A_project_of_cmake_is_patched_file_by_file_and_header_by_header(string generator)
    {
        WriteSources();
        Harness.Write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.20)\nproject(parts C)\nset(CMAKE_EXPORT_COMPILE_COMMANDS ON)\nadd_compile_definitions(TEXT=\"a name\")\nadd_library(part STATIC src/part.c)\nadd_executable(app src/main.c)\ntarget_link_libraries(app part)\nadd_executable(other src/other.c)\n");
        Harness.Environment["WEFT_WITH"] = "hotpatch";
        Harness.Environment["WEFT_CC"] = "clang-22";
        Harness.Must("cmake", "-G", generator, "-DCMAKE_BUILD_TYPE=Release", $"-DCMAKE_C_COMPILER={WeftCc}", "-B", "build");
        Harness.Must("cmake", "--build", "build");
        Edits(Watched("--program", "build/app"), "a name");
        Assert.Equal("a name 30\n", Harness.Run(Build(), [], "3\n"u8.ToArray()).Output); // of the project's own build, everything is up to date but the link
    }

    [Needs("clang-22")]
    public void A_project_that_knows_nothing_of_Weft_is_patched_if_its_program_was_built_with_it()
    {
        WriteSources();
        foreach (var name in (string[])["main", "part"]) Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "-O1", "-DTEXT=\"a name\"", "-c", $"src/{name}.c", "-o", $"{name}.o");
        Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "main.o", "part.o", "-o", "app");
        File.Delete(Harness.Path("part.o"));
        var entries = ((string[])["main", "part", "other"]).Select(n => $$"""{"directory": "{{Harness.Folder}}", "file": "src/{{n}}.c", "command": "clang-22 -O1 '-DTEXT=\"a name\"' -o {{n}}.o -c src/{{n}}.c"}""");
        Harness.Write("database.json", $"[{string.Join(',', entries)}]");
        Edits(Watched("--program", "app", "--compile-commands", "database.json"), "a name");
        Assert.False(File.Exists(Harness.Path("part.o")), "the project's own object was written");
    }

    [Needs("clang-22")]
    public void What_is_no_database_or_no_program_is_told_well()
    {
        Harness.Write("plain.c", "int main(void) { return 0; }");
        Harness.Must("clang-22", "plain.c", "-o", "plain");
        Harness.AssertToldWell(Harness.RunWeft("hotpatch", "watch", "--program", "plain"), ExitCode.Failure, "there is no compile_commands.json here, in build or beside the program", "--compile-commands");
        foreach (var text in (string[])["", "[", "{}", "[{}]", "[{\"directory\":1}]", "[[]]", "[{\"directory\":\"/\",\"file\":\"x.c\"}]"])
        {
            Harness.Write("compile_commands.json", text);
            Harness.Must(Harness.Weft, "cc", "--with=hotpatch", "plain.c", "-o", "woven");
            Harness.AssertToldWell(Harness.RunWeft("hotpatch", "watch", "--program", "woven"), ExitCode.Failure, "is no compilation database");
        }
        Harness.Write("compile_commands.json", "[]");
        Harness.AssertToldWell(Harness.RunWeft("hotpatch", "watch", "--program", "plain"), ExitCode.Failure, "does not say what it is made of", "build it with --with hotpatch");
        Harness.AssertToldWell(Harness.RunWeft("hotpatch", "watch", "--program", "missing"), ExitCode.Failure, "missing");
    }

    private static string WeftCc => Harness.Weft + "-cc";

    private void WriteSources()
    {
        Harness.Write("src/main.c", Main);
        Harness.Write("src/part.c", Part);
        Harness.Write("src/part.h", Header);
        Harness.Write("src/other.c", "int value(int i) { return -1; } int main(void) { return value(0); }"); // of another program
    }

    private void Edits(WatchedProject watch, string name)
    {
        Assert.Equal($"{name} 30", Ask(watch.Process, "3"));
        Save(watch, "src/part.c", "Patched 1 function", ("return TEXT;", "return \"changed\";"));
        Assert.Equal("changed 31", Ask(watch.Process, "3"));
        Save(watch, "src/part.h", "Patched 1 function", ("i * 10", "i * 1000"));
        Assert.Equal("changed 3002", Ask(watch.Process, "3"));
        Save(watch, "src/part.c", "goes on as it is", ("return \"changed\";", "return \"changed\""));
        Save(watch, "src/part.h", "goes on as it is", ("i * 1000", "i * 10"));
        Assert.Equal("changed 3003", Ask(watch.Process, "3"));
        Save(watch, "src/part.c", "Patched 2 functions", ("return \"changed\"", "return TEXT;"));
        Assert.Equal($"{name} 34", Ask(watch.Process, "3"));
        watch.Process.StandardInput.Close();
        Assert.True(watch.Process.WaitForExit(10_000), "the watch goes on after its program has ended");
    }

    private void Save(WatchedProject watch, string file, string awaited, params (string Old, string New)[] edits)
    {
        Harness.Write(file, Edit(File.ReadAllText(Harness.Path(file)), edits));
        watch.Await(awaited);
    }

    private string Build()
    {
        Harness.Must("cmake", "--build", "build");
        return Harness.Path("build/app");
    }
}
