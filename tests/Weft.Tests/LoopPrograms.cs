using System.Globalization;
using System.Text;

namespace Weft.Tests;

/// <summary>
/// Random C programs of nested loops of every form, whose results depend on how often each body ran. The same seed gives
/// the same program. They have no undefined behaviour: all arithmetic but that of counters is unsigned, and every loop ends.
/// </summary>
internal sealed class LoopPrograms(int seed)
{
    private readonly Random random = new(seed);
    private readonly StringBuilder text = new();
    private int names, indent;

    /// <summary>A program that prints its result. It registers a handler if the build is woven.</summary>
    public static string Generate(int seed) => new LoopPrograms(seed).Program();

    private string Program()
    {
        text.Append("""
            #include <stdint.h>
            #include <stdio.h>
            #include <weft/interrupts.h>
            static uint64_t calls, h = 1;
            static uint32_t data[64], bound, fuel = 300;
            volatile int64_t opaque;
            static void handler(uint64_t count, void *argument) { (void)count; ++*(uint64_t *)argument; }
            static void mix(uint64_t x) { h = (h ^ x) * 1099511628211u; }
            __attribute__((noinline)) static uint64_t far(uint64_t x) { return x * 3 + (uint64_t)opaque; }

            """);
        var functions = random.Next(2, 5);
        for (var i = 0; i < functions; i++) Function(i);
        text.Append("int main(void) {\n    bound = (uint32_t)opaque + 11;\n    for (int i = 0; i < 64; i++) data[i] = (uint32_t)i * 2654435761u;\n    weft_interrupts_register(WEFT_INTERRUPTS_INSTRUCTIONS, 50, handler, &calls);\n");
        for (var i = 0; i < functions; i++)
            foreach (var n in (int[])[0, 1, random.Next(2, 9), random.Next(9, 70)])
                text.Append(CultureInfo.InvariantCulture, $"    mix(f{i}(opaque + {n}, (uint32_t)opaque + {random.Next(200)}u));\n");
        text.Append("    for (int i = 0; i < 640; i++) mix(data[i & 63]);\n    weft_interrupts_deregister();\n    printf(\"%016llx\\n\", (unsigned long long)h);\n    return weft_interrupts_active() && calls == 0 ? 9 : 0;\n}\n");
        return text.ToString();
    }

    private void Function(int number)
    {
        text.Append(CultureInfo.InvariantCulture, $"{(random.Next(2) == 0 ? "__attribute__((noinline)) " : "")}static uint64_t f{number}(int64_t n, uint32_t u) {{\n");
        indent = 1;
        Line($"uint64_t a = u, b = {random.Next(1, 100)};");
        Statements(3, number, ["a", "b", "(uint64_t)n", "u"]);
        Line("return a * 31 + b;");
        text.Append("}\n");
        indent = 0;
    }

    private void Statements(int depth, int function, string[] values)
    {
        for (var count = random.Next(1, 4); count > 0; count--)
        {
            if (depth > 0 && random.Next(5) < 3) LoopOf(depth, function, values);
            else Statement(depth, function, values);
        }
    }

    private void Statement(int depth, int function, string[] values)
    {
        var target = random.Next(2) == 0 ? "a" : "b";
        switch (random.Next(11))
        {
            case 0: Line($"data[{Value(values)} & 63] += (uint32_t){Value(values)};"); break;
            case 1: Line($"{target} += data[{Value(values)} & 63];"); break;
            case 2: Line($"{target} = far({Value(values)});"); break;
            case 3 when function > 0 && depth > 1: Line($"if (fuel && fuel--) {target} ^= f{random.Next(function)}(({Value(values)}) & 7, (uint32_t){Value(values)});"); break;
            case 4:
                Line($"switch ({Value(values)} & 7) {{ case 0: {target} += 5; break; case 1: {target} ^= {Value(values)}; /* fall */ case 3: {target}++; break; case 6: data[3]++; break; default: {target} += 2; }}");
                break;
            case 5: Line($"if ({Value(values)} % {random.Next(2, 9)} == {random.Next(3)}) {target} -= {Value(values)};"); break;
            case 6: Line("__asm__ volatile(\"\" : \"+r\"(a));"); break;
            case 7: Line($"mix({Value(values)});"); break;
            default: Line($"{target} = {target} * {random.Next(3, 40)} + {Value(values)};"); break;
        }
    }

    private void LoopOf(int depth, int function, string[] values)
    {
        var i = $"i{names++}";
        var type = Pick("int8_t", "uint8_t", "int16_t", "uint16_t", "int", "unsigned", "int64_t", "uint64_t", "size_t");
        var signed = type.StartsWith("int", StringComparison.Ordinal);
        var step = random.Next(4) == 0 ? random.Next(2, 8) : random.Next(5) == 0 ? 8 : 1;
        var limit = Pick("(n & 15)", "(int64_t)(u & 15)", "(opaque + 13)", random.Next(1, 20).ToString(CultureInfo.InvariantCulture), "(int64_t)(bound & 15)", "(opaque + 9)");
        var low = signed ? -random.Next(0, 12) : random.Next(0, 3);
        string close = "}", value = $"(uint64_t){i}";
        switch (random.Next(14))
        {
            case 0: Line($"for ({type} {i} = {low}; {i} < ({type}){limit}; {i} += {step}) {{"); break;
            case 1: Line($"for ({type} {i} = {low}; {i} <= ({type}){limit}; {i} += {step}) {{"); break;
            case 2: Line($"for ({type} {i} = ({type}){limit}; {i} > {low}; {i} -= 1) {{"); break;
            case 3: Line($"for (int64_t {i} = {limit}; {i} >= {low}; {i} -= {step}) {{"); break;
            case 4: Line($"for ({type} {i} = 0; {i} != ({type})({limit} * {step}); {i} += {step}) {{"); break;
            case 5: Line($"for ({type} {i} = ({type})({limit} * {step} % 120 / {step} * {step}); {i} != 0; {i} -= {step}) {{"); break;
            case 6: // passes 0 without meeting it, all around the type
                Line($"for ({(depth == 3 ? Pick("uint8_t", "uint16_t") : "uint8_t")} {i} = (uint8_t){limit}; {i} != 0; {i} -= 3) {{");
                depth = 1;
                break;
            case 7: // a pointer
                Line($"for (const uint32_t *{i} = data + {random.Next(3)}, *e{i} = data + {random.Next(3)} + (({limit}) & 31); {i} {Pick("<", "!=")} e{i} && {i} < data + 63; {i}++) {{");
                value = $"(*{i} + (uint64_t)({i} - data))";
                break;
            case 8:
                Line($"const uint32_t *{i} = data, *e{i} = data + 1 + (({limit}) & 31);");
                Line("do {");
                value = $"(*{i} + 1ull)";
                close = $"}} while (++{i} != e{i});";
                break;
            case 9:
                Line($"{type} {i} = {low};");
                Line($"while ({i} < ({type}){limit}) {{");
                Line($"    {i} += {step};");
                break;
            case 10:
                Line($"int {i} = {low};");
                Line("do {");
                close = $"}} while ((int64_t)({i} += {step}) {Pick("<", "<=")} {limit});";
                break;
            case 11: // a step that varies
                Line($"for (uint64_t {i} = {random.Next(4)}, s{i} = 1 + (u & 3); {i} < (uint64_t)({limit} * 4); {i} += s{i}) {{");
                break;
            case 12: // a halving
                Line($"for (uint64_t {i} = (uint64_t){limit} * 977; {i} != 0; {i} /= 2) {{");
                break;
            default:
                Line($"for (int64_t {i} = 0;; {i}++) {{");
                Line($"    if ({i} >= {limit}) break;");
                break;
        }
        indent++;
        if (random.Next(6) == 0) Line($"if ((a ^ {value}) % {random.Next(5, 30)} == 3) {Pick("break", "break", "return a - b")};");
        Statements(depth - 1, function, [.. values, value, value]);
        if (!close.Contains("while", StringComparison.Ordinal) && random.Next(8) == 0) Line($"if (({value} & 3) == 2) continue;");
        if (random.Next(3) > 0) Line($"a += {value};");
        indent--;
        Line(close);
    }

    private string Value(string[] values) => Pick(values);

    private T Pick<T>(params T[] choices) => choices[random.Next(choices.Length)];

    private void Line(string line) => text.Append(' ', 4 * indent).Append(line).Append('\n');
}
