using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>SQLite's shell, replaceable and not: run time, instructions, text and objects; beside what clang itself has.</summary>
internal sealed class HotpatchSqlite
{
    private const int Many = 400_000, Few = 20_000;
    private const double MostInstructions = 1.02, MostText = 1.03;
    private static readonly string[] OwnSections = ["-ffunction-sections", "-fdata-sections"], Windows = ["--target=x86_64-w64-windows-gnu"];

    private readonly string sources = Sources();

    private sealed record Way(string Name, string File, string[] Compiler)
    {
        public string Object(string variant = "") => HotpatchBench.Out($"sqlite-{File}{variant}.o");

        public string Program => HotpatchBench.Out("sqlite-" + File);
    }

    private static readonly Way Plain = new("plain", "plain", ["clang-22"]), Weft = new("weft", "weft", [Measured.Weft, "cc", "--with=hotpatch"]);

    private static readonly Way[] All =
    [
        Plain,
        Weft,
        new("-fms-hotpatch", "ms", ["clang-22", "-fms-hotpatch"]),
        new("-fpatchable-function-entry=16,14", "entry", ["clang-22", "-fpatchable-function-entry=16,14"]),
    ];

    /// <summary>Makes the amalgamation; the folder that it is in.</summary>
    public static string Sources() => Path.GetDirectoryName(new CPrograms("clang-22", "clang++-22", "clang").Sqlite())!;

    public void Run()
    {
        Objects();
        Programs();
        WindowsObjects();
    }

    // ---- Objects ----

    private void Objects()
    {
        Compile(All, "", []);
        Compile(All.Where(w => w != Weft), "-own", OwnSections);
        Compile([Plain, Weft], "-g", ["-g"]);
        Compile([Plain], "-own-g", [.. OwnSections, "-g"]);
        Console.WriteLine("\n| sqlite3.o, clang -O2 | bytes | / plain | with -ffunction-sections -fdata-sections | / plain with these |\n|---|---|---|---|---|");
        foreach (var way in All)
        {
            long bare = Size(way.Object()), own = way == Weft ? bare : Size(way.Object("-own"));
            Console.WriteLine($"| {way.Name} | {(way == Weft ? "" : $"{bare:N0}")} | {Of(bare, Size(Plain.Object()))} | {own:N0} | {Of(own, Size(Plain.Object("-own")))} |");
        }
        Console.WriteLine($"| weft, with -g | | {Of(Size(Weft.Object("-g")), Size(Plain.Object("-g")))} | {Size(Weft.Object("-g")):N0} | {Of(Size(Weft.Object("-g")), Size(Plain.Object("-own-g")))} |");
        Parts("", "sqlite3.o");
        Parts("-g", "sqlite3.o with -g");
    }

    private static void Parts(string debug, string title)
    {
        long[] plain = ObjectSize.Taken(Plain.Object(debug)), own = ObjectSize.Taken(Plain.Object("-own" + debug)), weft = ObjectSize.Taken(Weft.Object(debug));
        Console.WriteLine($"\n| {title}, bytes | plain | with sections of their own | weft | weft beyond sections of their own |\n|---|---|---|---|---|");
        for (var i = 0; i < plain.Length; i++)
            if (plain[i] + weft[i] > 0) Console.WriteLine($"| {ObjectSize.Parts[i]} | {plain[i]:N0} | {own[i]:N0} | {weft[i]:N0} | {weft[i] - own[i]:N0} |");
        Console.WriteLine($"| all | {plain.Sum():N0} | {own.Sum():N0} | {weft.Sum():N0} | {weft.Sum() - own.Sum():N0} |");
    }

    // Patches are not made for Windows, and so the driver refuses it; the objects have the room.
    private void WindowsObjects()
    {
        Way[] ways = [Plain, Weft, All[2]];
        Compile(ways.Where(w => w != Weft), "-windows", Windows);
        Compile(ways.Where(w => w != Weft), "-windows-own", [.. Windows, .. OwnSections]);
        var bitcode = HotpatchBench.Out("sqlite-windows.bc");
        Measured.Run("clang-22", [.. Windows, "-O2", "-w", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c", "sqlite3.c", "-o", bitcode], sources);
        HotpatchBench.Must(Measured.Weft, "lower", bitcode, "-O2", "--with", "hotpatch", "-o", Weft.Object("-windows"));
        Console.WriteLine("\n| sqlite3.obj for Windows, clang -O2 | / plain | / plain with -ffunction-sections -fdata-sections |\n|---|---|---|");
        foreach (var way in ways.Skip(1))
        {
            long bare = Size(way.Object("-windows")), own = way == Weft ? bare : Size(way.Object("-windows-own"));
            Console.WriteLine($"| {way.Name} | {Of(bare, Size(Plain.Object("-windows")))} | {Of(own, Size(Plain.Object("-windows-own")))} |");
        }
    }

    private void Compile(IEnumerable<Way> ways, string variant, string[] options)
    {
        Terminal.Status("Building", $"sqlite3.o{(options.Length > 0 ? ", " : "")}{string.Join(' ', options)}");
        foreach (var way in ways) Measured.Run(way.Compiler[0], [.. way.Compiler[1..], "-O2", "-w", .. options, "-c", "sqlite3.c", "-o", way.Object(variant)], sources, HotpatchBench.Clang22);
    }

    // ---- Programs ----

    private void Programs()
    {
        foreach (var way in All) Measured.Run(way.Compiler[0], [.. way.Compiler[1..], "-O2", "-w", "shell.c", way.Object(), "-lpthread", "-ldl", "-lm", "-o", way.Program], sources, HotpatchBench.Clang22);
        Console.WriteLine($"\n| SQLite's shell / plain | {string.Join(" | ", All.Skip(1).Select(w => w.Name))} | target | plain |\n|---|{string.Concat(All.Select(_ => "---|"))}---|");
        Row($"{Many:N0} rows, CPU", Measured.BestInTurn([.. All.Select<Way, Func<double>>(w => () => Measured.Run(w.Program, CoveredSqlite.Statements(Many), HotpatchBench.Output).Cpu)]), "1.005", "s");
        var instructions = Row($"{Few:N0} rows, instructions", [.. All.Select(w => Measured.Instructions(w.Program, CoveredSqlite.Statements(Few), HotpatchBench.Output))]);
        HotpatchBench.Bound("instructions of SQLite's shell", instructions, MostInstructions);
        var runtime = HotpatchRuntime.Code();
        var text = Row("text without the runtime", [.. All.Select(w => (double)ObjectSize.Code(w.Program) - (w == Weft ? runtime : 0))], "1.03", "bytes");
        HotpatchBench.Bound("text of SQLite's shell", text, MostText);
        Row("text", [.. All.Select(w => (double)ObjectSize.Code(w.Program))], "", "bytes");
    }

    private static double Row(string name, double[] values, string target = "", string unit = "")
    {
        Console.WriteLine($"| {name} | {string.Join(" | ", values.Skip(1).Select(v => HotpatchBench.Ratio(v / values[0])))} | {target} | {(unit == "s" ? $"{values[0]:F2}" : $"{values[0]:N0}")} {unit} |");
        return values[1] / values[0];
    }

    private static long Size(string file) => new FileInfo(file).Length;

    private static string Of(long one, long other) => HotpatchBench.Ratio((double)one / other);
}

/// <summary>What every program that is built with hotpatch has once.</summary>
internal static class HotpatchRuntime
{
    /// <summary>Bytes of its code.</summary>
    public static long Code()
    {
        var source = HotpatchBench.Out("empty.c");
        File.WriteAllText(source, "int main(void) { return 0; }\n");
        string plain = HotpatchBench.Out("empty-plain"), woven = HotpatchBench.Out("empty-woven");
        Measured.Run("clang-22", ["-O2", source, "-o", plain], HotpatchBench.Output);
        HotpatchBench.Woven(source, "-o", woven);
        return ObjectSize.Code(woven) - ObjectSize.Code(plain);
    }
}
