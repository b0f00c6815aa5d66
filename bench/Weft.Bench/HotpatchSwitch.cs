using System.Globalization;
using System.Text;
using System.Text.Json;
using Weft.Core;

namespace Weft.Bench;

/// <summary>
/// A thousand functions are replaced at once: the first time their code is changed, with a second patch on top only the slots that it leads
/// through. The switch is what the runtime says that it took; all that is within a call of its interface, the program itself measures.
/// </summary>
internal static class HotpatchSwitch
{
    private const int Functions = 1000, Rounds = 9;

    private static readonly string[] Steps = ["the first patch, which changes code", "the second on top of it, which changes slots", "the second taken back (slots)", "the first taken back (code)"];

    public static void Run()
    {
        Terminal.Status("Building", $"{Functions:N0} functions");
        var source = HotpatchBench.Out("switch.c");
        File.WriteAllText(source, Source());
        HotpatchBench.Woven(source, "-o", HotpatchBench.Out("switch"));
        Patch(source, 2);
        Patch(source, 3, "--after", HotpatchBench.Out("switch-2.patch"));
        var told = Enumerable.Range(0, Rounds).Select(_ => Told()).ToList();
        var whole = Enumerable.Range(0, Rounds).Select(_ => Whole()).ToList();
        Console.WriteLine($"\n| {Functions:N0} functions | the switch, as the runtime reports it | target | all of the call |\n|---|---|---|---|");
        for (var i = 0; i < Steps.Length; i++) Console.WriteLine($"| {Steps[i]} | {Microseconds(told, i)} | 1 ms | {Microseconds(whole, i)} |");
    }

    private static string Microseconds(List<double[]> rounds, int step) =>
        string.Create(CultureInfo.InvariantCulture, $"{Measured.Median(rounds.Select(r => r[step])):N1} µs ({rounds.Min(r => r[step]):N1} to {rounds.Max(r => r[step]):N1})");

    private static void Patch(string source, int version, params string[] options)
    {
        HotpatchBench.Woven($"-DVERSION={version}", "-c", source, "-o", HotpatchBench.Out($"switch-{version}.o"));
        HotpatchBench.Must(Measured.Weft, ["hotpatch", "build", "--program", HotpatchBench.Out("switch"), .. options, "-o", HotpatchBench.Out($"switch-{version}.patch"), HotpatchBench.Out($"switch-{version}.o")]);
    }

    /// <summary>What the runtime says of the four steps, each asked for from outside.</summary>
    private static double[] Told()
    {
        using var program = new SpokenProgram(HotpatchBench.Out("switch"), [], HotpatchBench.Output);
        AssertVersion(program, 1);
        string who = $"{program.Id}";
        double Step(int version, int patch, params string[] command)
        {
            HotpatchBench.Must(Measured.Weft, ["hotpatch", command[0], "--pid", who, .. command[1..]]);
            AssertVersion(program, version);
            using var list = JsonDocument.Parse(HotpatchBench.Must(Measured.Weft, "hotpatch", "list", "--json", "--pid", who));
            var rows = list.RootElement.ValueKind == JsonValueKind.Array ? list.RootElement : list.RootElement.GetProperty("patches");
            var row = rows.EnumerateArray().Single(p => p.GetProperty("number").GetInt32() == patch);
            if (row.GetProperty("functionCount").GetInt32() != Functions) throw new WeftException($"patch {patch} replaces {row.GetProperty("functionCount")} functions of {Functions}");
            return row.GetProperty("switchNanoseconds").GetInt64() / 1e3;
        }
        return [Step(2, 1, "apply", HotpatchBench.Out("switch-2.patch")), Step(3, 2, "apply", HotpatchBench.Out("switch-3.patch")), Step(2, 2, "revert", "--keep", "1"), Step(1, 1, "revert", "--keep", "0")];
    }

    private static void AssertVersion(SpokenProgram program, int version)
    {
        program.Say("");
        if (program.Next().Line is var said && said != $"{version * Functions}") throw new WeftException($"{Functions} functions of version {version} say {said}");
    }

    /// <summary>Loading and checking a patch included, by the program's own clock.</summary>
    private static double[] Whole() =>
        [.. HotpatchBench.Must(HotpatchBench.Out("switch"), HotpatchBench.Out("switch-2.patch"), HotpatchBench.Out("switch-3.patch")).Split(' ').Select(n => double.Parse(n, CultureInfo.InvariantCulture))];

    private static string Source()
    {
        var numbers = Enumerable.Range(0, Functions).ToList();
        var text = new StringBuilder("#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n#include <weft/hotpatch.h>\n#ifndef VERSION\n#define VERSION 1\n#endif\n");
        foreach (var i in numbers) text.Append(CultureInfo.InvariantCulture, $"__attribute__((noinline)) int f{i}(int n) {{ __asm__ volatile(\"\" : \"+r\"(n)); return n * {i + 1} + VERSION; }}\n");
        text.Append("static int all(int n)\n{\n    int sum = 0;\n");
        foreach (var i in numbers) text.Append(CultureInfo.InvariantCulture, $"    sum += f{i}(n);\n");
        return text.Append("""
                return sum;
            }

            static double now(void)
            {
                struct timespec time;
                clock_gettime(CLOCK_MONOTONIC, &time);
                return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
            }

            static void print(double from, int failed)
            {
                double took = now() - from;
                if (failed)
                    exit(1);
                printf("%.3f ", took);
            }

            static void step(const char *path)
            {
                double from = now();
                print(from, weft_hotpatch_apply(path, NULL, 0));
            }

            static void back(unsigned keep)
            {
                double from = now();
                print(from, weft_hotpatch_revert_to(keep));
            }

            int main(int count, char **words)
            {
                if (count == 3) {
                    step(words[1]);
                    step(words[2]);
                    back(1);
                    double from = now();
                    int failed = weft_hotpatch_revert_to(0);
                    printf("%.3f", now() - from);
                    return failed;
                }
                for (int next; (next = getchar()) != EOF;)
                    if (next == '\n') {
                        printf("%d\n", all(0));
                        fflush(stdout);
                    }
                return 0;
            }

            """).ToString();
    }
}
