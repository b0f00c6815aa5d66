using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Weft.Core;
using Weft.Llvm;
using Weft.Metering;
using Weft.Metering.Costs;
using Weft.Toolchain;

namespace Weft.Tests;

/// <summary>What a unit costs: files that say so, and each of their rules on a few instructions of IR.</summary>
public sealed partial class MeteringCostTests
{
    private const string Head = """ "format": "weft-costs", "version": 1 """;

    // One of each opcode that a program may have and LLVM 19 knows, but for those of Windows' exceptions.
    private const string Everything = """
        declare i32 @personality(...)
        declare i64 @outside(i64)
        define i64 @f(i64 %n, double %d, ptr %p, ptr addrspace(1) %a, <2 x i64> %v, ptr %list) personality ptr @personality {
        entry:
          %slot = alloca i64
          br label %work
        work:
          %1 = add i64 %n, 1
          %2 = sub i64 %1, 2
          %3 = mul i64 %2, 3
          %4 = udiv i64 %3, 4
          %5 = sdiv i64 %4, 5
          %6 = urem i64 %5, 6
          %7 = srem i64 %6, 7
          %8 = shl i64 %7, 1
          %9 = lshr i64 %8, 1
          %10 = ashr i64 %9, 1
          %11 = and i64 %10, 255
          %12 = or i64 %11, 1
          %13 = xor i64 %12, 1
          %14 = fadd double %d, 1.0
          %15 = fsub double %14, 1.0
          %16 = fmul double %15, 2.0
          %17 = fdiv double %16, 2.0
          %18 = frem double %17, 2.0
          %19 = fneg double %18
          %20 = trunc i64 %13 to i32
          %21 = zext i32 %20 to i64
          %22 = sext i32 %20 to i64
          %23 = fptoui double %19 to i64
          %24 = fptosi double %19 to i64
          %25 = uitofp i64 %23 to double
          %26 = sitofp i64 %24 to double
          %27 = fptrunc double %25 to float
          %28 = fpext float %27 to double
          %29 = ptrtoint ptr %p to i64
          %30 = inttoptr i64 %29 to ptr
          %31 = bitcast double %28 to i64
          %32 = addrspacecast ptr addrspace(1) %a to ptr
          %33 = freeze i64 %31
          %34 = load i64, ptr %p
          store i64 %34, ptr %slot
          %35 = getelementptr i64, ptr %p, i64 1
          fence seq_cst
          %36 = cmpxchg ptr %p, i64 0, i64 1 seq_cst seq_cst
          %37 = atomicrmw add ptr %p, i64 1 seq_cst
          %38 = va_arg ptr %list, i64
          %39 = extractelement <2 x i64> %v, i32 0
          %40 = insertelement <2 x i64> %v, i64 %39, i32 1
          %41 = shufflevector <2 x i64> %40, <2 x i64> %v, <2 x i32> <i32 0, i32 3>
          %42 = extractvalue { i64, i1 } %36, 0
          %43 = insertvalue { i64, i1 } %36, i64 %42, 0
          %44 = icmp eq i64 %42, 0
          %45 = fcmp oeq double %28, 1.0
          %46 = select i1 %44, i64 1, i64 2
          %47 = call i64 @outside(i64 %46)
          br i1 %45, label %choose, label %throwing
        choose:
          switch i64 %47, label %jump [ i64 1, label %end ]
        jump:
          indirectbr ptr %p, [label %end, label %asm]
        asm:
          callbr void asm "", "!i"() to label %end [label %dead]
        dead:
          unreachable
        throwing:
          %48 = invoke i64 @outside(i64 1) to label %end unwind label %pad
        pad:
          %49 = landingpad { ptr, i32 } cleanup
          resume { ptr, i32 } %49
        end:
          %50 = phi i64 [ 0, %choose ], [ 1, %jump ], [ 2, %asm ], [ 3, %throwing ]
          ret i64 %50
        }
        """;

    // ---- Files ----

    [Fact]
    public void A_file_may_have_comments_trailing_commas_and_a_byte_order_mark()
    {
        var model = Model($$"""{ {{Head}}, /* c */ "opcodes": { "mul": 3, "phi": 7, }, // d{{'\n'}} }""", "\ufeff");
        Assert.Equal((3ul, 7ul, 1ul, 0ul), (model.WeightOf("mul"), model.WeightOf("phi"), model.WeightOf("add"), model.WeightOf("freeze")));
        Assert.Matches("^costs.json sha256:[0-9a-f]{16}$", model.Name);
    }

    [Fact]
    public void What_a_file_does_not_say_is_as_its_base_has_it()
    {
        Assert.All(CostModel.OpcodeNames, o => Assert.Equal(CostModel.Canonical.WeightOf(o), Model($$"""{ {{Head}} }""").WeightOf(o)));
        Assert.All(CostModel.OpcodeNames, o => Assert.Equal(1ul, Model($$"""{ {{Head}}, "base": "instructions" }""").WeightOf(o)));
        Assert.All(CostModel.OpcodeNames, o => Assert.Equal(1ul, CostModel.Instructions.WeightOf(o)));
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("{", "line 1")]
    [InlineData("{\n\"format\": \"weft-costs\",\n\"version\" 1 }", "line 3")]
    [InlineData("[]", "weft-costs")]
    [InlineData("{}", "weft-costs")]
    [InlineData("""{ "format": 1 }""", "weft-costs")]
    [InlineData("""{ "format": "weft-costs" }""", "\"version\": 1")]
    [InlineData("""{ "format": "weft-costs", "version": 2 }""", "\"version\": 1")]
    [InlineData("""{ HEAD, "opcode": {} }""", "there is no \"opcode\"", "\"opcodes\"")]
    [InlineData("""{ HEAD, "colour": 1 }""", "there is no \"colour\"", "functions")]
    [InlineData("""{ HEAD, "base": "exact" }""", "base", "instructions")]
    [InlineData("""{ HEAD, "opcodes": [] }""", "opcodes: it is not an object")]
    [InlineData("""{ HEAD, "opcodes": { "mull": 1 } }""", "opcodes: there is no \"mull\"", "did you mean \"mul\"?")]
    [InlineData("""{ HEAD, "opcodes": { "catchswitch": 1 } }""", "there is no \"catchswitch\"", "metering-costs.md")]
    [InlineData("""{ HEAD, "opcodes": { "mul": -1 } }""", "opcodes.mul: -1", "0 to 1,000,000")]
    [InlineData("""{ HEAD, "opcodes": { "mul": 1.5 } }""", "opcodes.mul: 1.5")]
    [InlineData("""{ HEAD, "opcodes": { "mul": 1000001 } }""", "opcodes.mul: 1000001")]
    [InlineData("""{ HEAD, "opcodes": { "mul": "3" } }""", "opcodes.mul: \"3\"")]
    [InlineData("""{ HEAD, "opcodes": { "mul": 1, "mul": 2 } }""", "mul")]
    [InlineData("""{ HEAD, "functions": { "f": true } }""", "functions.f: true", "free")]
    [InlineData("""{ HEAD, "functions": { "f": "Free" } }""", "functions.f")]
    [InlineData("""{ HEAD, "functions": { "f": { "argument": 1 } } }""", "functions.f: \"cost\" is missing")]
    [InlineData("""{ HEAD, "functions": { "f": { "cost": 1, "per": 2 } } }""", "functions.f: \"argument\" is missing")]
    [InlineData("""{ HEAD, "functions": { "f": { "cost": 1, "argument": 0, "per": 0 } } }""", "functions.f.per: 0", "from 1 to 1,000,000,000")]
    [InlineData("""{ HEAD, "functions": { "f": { "cost": 1, "argument": 0, "units": 0 } } }""", "functions.f.units: 0")]
    [InlineData("""{ HEAD, "functions": { "f": { "cost": 1, "argument": -1 } } }""", "functions.f.argument: -1")]
    [InlineData("""{ HEAD, "functions": { "f": { "cost": 1, "arg": 0 } } }""", "functions.f: there is no \"arg\"")]
    [InlineData("""{ HEAD, "functions": { "llvm.memcpy": 1 } }""", "functions.llvm.memcpy", "intrinsics")]
    [InlineData("""{ HEAD, "intrinsics": { "sqrt": 1 } }""", "intrinsics.sqrt", "llvm.")]
    [InlineData("""{ HEAD, "intrinsics": { "llvm.sqrt": "free" } }""", "intrinsics.llvm.sqrt")]
    public void What_cannot_be_meant_is_refused_by_file_and_key(string text, params string[] mentions)
    {
        var error = Assert.Throws<WeftException>(() => Model(text.Replace("HEAD", Head, StringComparison.Ordinal)));
        Assert.Equal(ExitCode.Usage, error.ExitCode);
        Assert.StartsWith("costs.json: ", error.Message, StringComparison.Ordinal);
        Assert.All(mentions, m => Assert.Contains(m, error.Message + "\n" + error.Help, StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_that_does_not_fit_into_a_variable_is_refused() =>
        Assert.Contains("64 KiB", Assert.Throws<WeftException>(() => Model($$"""{ {{Head}} {{new string(' ', 65536)}} }""")).Message, StringComparison.Ordinal);

    // ---- Opcodes ----

    [Fact]
    public void The_table_in_the_guide_is_what_the_code_does()
    {
        var rows = File.ReadLines(Path.Combine(Harness.Root, "docs/metering-costs.md")).Select(l => Row().Match(l)).Where(m => m.Success)
            .SelectMany(m => Quoted().Matches(m.Groups["opcodes"].Value).Select(o => (Opcode: o.Groups["name"].Value, Canonical: m.Groups["canonical"].Value, Instructions: m.Groups["instructions"].Value)));
        var expected = CostModel.OpcodeNames.Select(o => (o, $"{CostModel.Canonical.WeightOf(o)}", $"{CostModel.Instructions.WeightOf(o)}"));
        Assert.Equal(expected.Order(), rows.Order());
    }

    [Needs("clang-22")]
    public void Each_opcode_weighs_what_it_weighs()
    {
        var (canonical, instructions) = (Units(Everything, "canonical"), Units(Everything, "instructions"));
        Assert.Equal((ulong)Everything.Split('\n').Count(l => l.StartsWith("  ", StringComparison.Ordinal)), instructions);
        foreach (var opcode in CostModel.OpcodeNames.Except(["ptrtoaddr", "catchret", "catchpad", "cleanuppad", "cleanupret"]))
        {
            Assert.Equal((opcode, canonical - CostModel.Canonical.WeightOf(opcode) + 1000), (opcode, Units(Everything, Opcodes("canonical", opcode))));
            Assert.Equal((opcode, instructions - 1 + 1000), (opcode, Units(Everything, Opcodes("instructions", opcode))));
        }
    }

    private static string Opcodes(string @base, string opcode) => $$"""{ {{Head}}, "base": "{{@base}}", "opcodes": { "{{opcode}}": 1000 } }""";

    // ---- Calls ----

    private const string Calls = """
        declare i64 @outside(i64, i32)
        declare double @llvm.sqrt.f64(double)
        declare void @llvm.sideeffect()
        declare void @llvm.dbg.value(metadata, metadata, metadata)
        declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
        define void @_ZN4game5trace3logEi(i32 %n) {
          ret void
        }
        define void @f(i64 %n, i32 %m, double %d, ptr %p) {
          %1 = call i64 @outside(i64 %n, i32 %m)
          %2 = call double @llvm.sqrt.f64(double %d)
          call void @llvm.sideeffect()
          call void @_ZN4game5trace3logEi(i32 1)
          call void %p(i32 1)
          call void @llvm.memcpy.p0.p0.i64(ptr %p, ptr %p, i64 %n, i1 false)
          call void @llvm.memcpy.p0.p0.i64(ptr %p, ptr %p, i64 24, i1 false)
          ret void
        }
        """; // by canonical: 7 in f, 1 in log

    [TheoryNeeds("clang-22")]
    [InlineData("", 8)]
    [InlineData(""" "opcodes": { "call": 10 } """, 8 + 6 * 9)] // not the intrinsic that is free
    [InlineData(""" "base": "instructions" """, 9)]
    [InlineData(""" "intrinsics": { "llvm.sqrt.f64": 15 } """, 8 + 14)]
    [InlineData(""" "intrinsics": { "llvm.sqrt.*": 15 } """, 8 + 14)]
    [InlineData(""" "intrinsics": { "llvm.sqrt": 15 } """, 8 + 14)]
    [InlineData(""" "intrinsics": { "llvm.sqrt.f32": 15 } """, 8)]
    [InlineData(""" "intrinsics": { "llvm.side*": 5 } """, 8 + 5)]
    [InlineData(""" "intrinsics": { "llvm.*": 2 } """, 8 + 3 + 2)]
    [InlineData(""" "functions": { "outside": 40 } """, 8 + 39)]
    [InlineData(""" "functions": { "out*": 40, "outside": 2 } """, 8 + 1)] // a name goes before patterns
    [InlineData(""" "functions": { "o?tside": 3, "out*": 40 } """, 8 + 2)] // of patterns the first
    [InlineData(""" "functions": { "_ZN4game5trace3logEi": 0 } """, 7)]
    [InlineData(""" "functions": { "game::trace::log(int)": 0 } """, 7)]
    [InlineData(""" "functions": { "game::trace::log": 0 } """, 7)]
    [InlineData(""" "functions": { "game::*": 0 } """, 7)]
    [InlineData(""" "functions": { "game::*": "free" } """, 6)]
    [InlineData(""" "functions": { "f": "free" } """, 1)]
    [InlineData(""" "functions": { "memcpy": 9 } """, 8 + 16)]
    [InlineData(""" "functions": { "memcpy": 9 }, "intrinsics": { "llvm.memcpy": 3 } """, 8 + 4)]
    [InlineData(""" "functions": { "memcpy": { "cost": 1, "argument": 2, "units": 2, "per": 8 } } """, 8 + 6, "%n per 8 units 2")]
    [InlineData(""" "functions": { "outside": { "cost": 0, "argument": 1, "units": 7 } } """, 7, "%m per 1 units 7")]
    [InlineData(""" "functions": { "memcpy": { "cost": 1, "argument": 2, "units": 1000000 } } """, 8, "%n per 1 units 1000000", "24 per 1 units 1000000")] // not charged unseen
    public void Calls_cost_what_their_rules_say(string rules, ulong units, params string[] linear)
    {
        var marks = Marks(Calls, rules.Length == 0 ? "canonical" : $$"""{ {{Head}}, {{rules}} }""");
        Assert.Equal(units, Sum(marks));
        Assert.Equal(linear, marks.Select(m => Linear().Match(m)).Where(m => m.Success).Select(m => $"{m.Groups["argument"].Value} per {m.Groups["per"].Value} units {m.Groups["units"].Value}").ToArray());
    }

    [Needs("clang-22")]
    public void What_an_argument_adds_is_charged_right_before_the_call()
    {
        var lines = Woven(Calls, $$"""{ {{Head}}, "functions": { "outside": { "cost": 0, "argument": 1 } } }""").Split('\n').Select(l => l.Trim()).ToList();
        Assert.Equal(1, lines.FindIndex(l => l.Contains("call i64 @outside")) - lines.FindIndex(l => l.Contains("inttoptr (i64 1 to ptr)")));
    }

    [TheoryNeeds("clang-22")]
    [InlineData(""" "intrinsics": { "llvm.sqtr.*": 1 } """, "intrinsics.llvm.sqtr.*", "knows no such intrinsic")]
    [InlineData(""" "intrinsics": { "llvm.sqtr": 1 } """, "did you mean \"llvm.sqrt\"?")]
    [InlineData(""" "functions": { "outside": { "cost": 1, "argument": 2 } } """, "functions.outside", "called with 2 arguments in 'game.c'", "from 0")]
    [InlineData(""" "functions": { "mem*": { "cost": 1, "argument": 0 } } """, "functions.mem*", "argument 0 of 'llvm.memcpy.p0.p0.i64' is not an integer")]
    [InlineData(""" "intrinsics": { "llvm.sqrt": { "cost": 1, "argument": 0 } } """, "intrinsics.llvm.sqrt", "argument 0 of 'llvm.sqrt.f64' is not an integer")]
    public void Rules_that_a_module_shows_to_be_mistakes_are_refused(string rules, params string[] mentions)
    {
        var error = Assert.Throws<WeftException>(() => Woven("source_filename = \"game.c\"\n" + Calls, $$"""{ {{Head}}, {{rules}} }"""));
        Assert.Equal(ExitCode.Usage, error.ExitCode);
        Assert.All(mentions, m => Assert.Contains(m, error.Message + "\n" + error.Help, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0, 1, 16, 0)]
    [InlineData(15, 1, 16, 0)]
    [InlineData(16, 3, 16, 3)]
    [InlineData(ulong.MaxValue, 1, 1, 1ul << 48)]
    [InlineData(ulong.MaxValue, 1_000_000, 1, (1ul << 48) / 1_000_000 * 1_000_000)]
    [InlineData(1ul << 63, 1000, 1_000_000_000, 9_223_372_036_000)]
    public void An_argument_adds_whole_multiples_and_never_too_much(ulong argument, ulong units, ulong per, ulong expected) =>
        Assert.Equal(expected, new LinearCost(0, units, per).Of(argument));

    private static CostModel Model(string text, string mark = "") => CostModel.Of(CostFile.Read("costs.json", Encoding.UTF8.GetBytes(mark + text)));

    private static ulong Units(string assembly, string costs) => Sum(Marks(assembly, costs));

    private static ulong Sum(IEnumerable<string> marks) => marks.Select(m => Constant().Match(m)).Where(m => m.Success).Aggregate(0ul, (sum, m) => sum + ulong.Parse(m.Groups["units"].Value, CultureInfo.InvariantCulture));

    private static List<string> Marks(string assembly, string costs)
    {
        var arguments = new Dictionary<string, string>();
        var marks = new List<string>();
        foreach (var line in Woven(assembly, costs).Split('\n').Select(l => l.Trim()))
        {
            if (Converted().Match(line) is { Success: true } m) arguments[m.Groups["to"].Value] = arguments.GetValueOrDefault(m.Groups["from"].Value, m.Groups["from"].Value);
            if (line.Contains("@weft.metering.work)", StringComparison.Ordinal)) marks.Add(Converts().Replace(line, n => arguments.GetValueOrDefault(n.Value, n.Value)));
        }
        return marks;
    }

    /// <summary>Assembly after FRONT.</summary>
    private static string Woven(string assembly, string costs)
    {
        Library.Value.ToString();
        using var context = new LlvmContext();
        using var module = context.ParseAssembly(Encoding.UTF8.GetBytes(assembly));
        var option = costs.StartsWith('{') ? CostFile.Read("costs.json", Encoding.UTF8.GetBytes(costs)) : costs;
        var instrument = new MeteringInstrument();
        var settings = new InstrumentSettings(name => name == "costs" ? option : instrument.Options.First(o => o.Name == name).Default, _ => false);
        instrument.Weave(module, new WeaveContext(Stage.Front, OptLevel.O2, settings));
        module.Verify();
        return module.ToAssembly();
    }

    private static readonly Lazy<bool> Library = new(() =>
    {
        LlvmLocator.LoadNewest();
        return true;
    });

    [GeneratedRegex(@"^\| (?<opcodes>`.*`) \| (?<canonical>\d+) \| (?<instructions>\d+) \|$", RegexOptions.ExplicitCapture)]
    private static partial Regex Row();

    [GeneratedRegex("`(?<name>[^`]+)`", RegexOptions.ExplicitCapture)]
    private static partial Regex Quoted();

    [GeneratedRegex(@"ptr null, ptr null, i32 (?<units>\d+), ptr @weft", RegexOptions.ExplicitCapture)]
    private static partial Regex Constant();

    [GeneratedRegex(@"ptr (inttoptr \(i64 )?(?<argument>[%\w.]+)( to ptr\))?, ptr inttoptr \(i64 (?<per>\d+) to ptr\), i32 (?<units>\d+),", RegexOptions.ExplicitCapture)]
    private static partial Regex Linear();

    [GeneratedRegex(@"^(?<to>%\d+) = (zext|inttoptr) \w+ (?<from>%\w+) to", RegexOptions.ExplicitCapture)]
    private static partial Regex Converted();

    [GeneratedRegex(@"%\d+")]
    private static partial Regex Converts();
}
