using System.Diagnostics;
using System.Globalization;
using System.Text;
using Weft.Core;
using Weft.RealPrograms;

namespace Weft.Bench;

/// <summary>What counting costs a program, and reports of a large code base; beside rustc's and clang's own coverage and LLVM's tools, in turn.</summary>
internal sealed class CoverageBench
{
    private const int Passes = 10, ReportFiles = 400, FunctionsEach = 100;

    private static readonly string[] Kernels = ["parse", "matmul", "sieve", "sort", "iterate", "hash"];
    private static readonly string Output = Path.Combine(DebianSource.Folder, "bench/coverage");
    private static readonly Dictionary<string, string?> Quiet = new() { ["LLVM_PROFILE_FILE"] = Path.Combine(Output, "kernel.profraw"), ["WEFT_CC"] = "clang-22" };

    private readonly string sources = Path.Combine(Measured.Repository, "bench/coverage");

    /// <summary>A build of the kernels; the first is the plain one.</summary>
    private sealed record Variant(string Name, string Program);

    public static void Run()
    {
        Directory.CreateDirectory(Output);
        var bench = new CoverageBench();
        foreach (var (language, variants) in (ReadOnlySpan<(string, Variant[])>)[("C", bench.C()), ("Rust", bench.Rust())])
        {
            foreach (var threads in (ReadOnlySpan<int>)[1, 2]) Times(language, variants, threads);
            Instructions(language, variants);
        }
        Reports();
    }

    // ---- Kernels ----

    private Variant[] C()
    {
        return [
            Build("plain", "clang-22"),
            Build("clang", "clang-22", "-fprofile-instr-generate", "-fcoverage-mapping"),
            Build("exact", Measured.Weft, "cc", "--with=coverage"),
            Build("atomic", Measured.Weft, "cc", "--with=coverage", "--coverage-counters=atomic"),
            Build("binary", Measured.Weft, "cc", "--with=coverage", "--coverage-counters=binary"),
        ];

        Variant Build(string name, params string[] compiler)
        {
            Terminal.Progress("building C, " + name);
            var program = Path.Combine(Output, "c-" + name);
            Measured.Run(compiler[0], [.. compiler[1..], "-O2", Path.Combine(sources, "kernels.c"), "-o", program, "-lpthread", "-lm"], Output, Quiet);
            return new Variant(name, program);
        }
    }

    private Variant[] Rust()
    {
        var package = Path.Combine(Output, "rust");
        Directory.CreateDirectory(Path.Combine(package, "src"));
        File.WriteAllText(Path.Combine(package, "Cargo.toml"), "[package]\nname = \"kernels\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n");
        File.Copy(Path.Combine(sources, "kernels.rs"), Path.Combine(package, "src/main.rs"), overwrite: true);
        return [
            Build("plain", "cargo", []),
            Build("rustc", "cargo", [], "-C instrument-coverage"),
            Build("exact", Measured.Weft, ["--with", "coverage"]),
            Build("atomic", Measured.Weft, ["--with", "coverage", "--coverage-counters", "atomic"]),
            Build("binary", Measured.Weft, ["--with", "coverage", "--coverage-counters", "binary"]),
        ];

        Variant Build(string name, string cargo, string[] options, string? flags = null)
        {
            Terminal.Progress("building Rust, " + name);
            var target = Path.Combine(Output, "rust-" + name);
            string[] build = ["build", "--release", "--target-dir", target, .. options];
            Measured.Run(cargo, cargo == "cargo" ? build : ["cargo", .. build], package, new Dictionary<string, string?> { ["RUSTFLAGS"] = flags });
            return new Variant(name, Directory.GetFiles(target, "kernels", SearchOption.AllDirectories).First(f => f.EndsWith("release/kernels", StringComparison.Ordinal)));
        }
    }

    private static void Times(string language, Variant[] variants, int threads)
    {
        Table($"{language}, {threads} {(threads == 1 ? "thread" : "threads")}, time", variants, kernel =>
        {
            Terminal.Progress($"{language}, {threads}: {kernel}");
            return Measured.BestInTurn([.. variants.Select<Variant, Func<double>>(v => () => Fastest(v, kernel, threads))]);
        });
    }

    private static void Instructions(string language, Variant[] variants) => Table($"{language}, instructions", variants, kernel =>
    {
        Terminal.Progress($"{language}, instructions: {kernel}");
        return [.. variants.Select(v => Executed(v, kernel))];
    });

    /// <summary>Ratios to the first, and their geometric means.</summary>
    private static void Table(string title, Variant[] variants, Func<string, double[]> measure)
    {
        var ratios = Kernels.Select(k => measure(k) is var costs ? costs.Select(c => c / costs[0]).ToArray() : []).ToList();
        Terminal.Progress("");
        Console.WriteLine($"\n| {title} | {string.Join(" | ", Kernels)} | geomean |\n|---|{string.Concat(Enumerable.Repeat("---|", Kernels.Length + 1))}");
        for (var i = 1; i < variants.Length; i++)
            Console.WriteLine($"| {variants[i].Name} | {string.Join(" | ", ratios.Select(r => r[i].ToString("F2", CultureInfo.InvariantCulture)))} | {Math.Exp(ratios.Average(r => Math.Log(r[i]))):F2} |");
    }

    /// <summary>Nanoseconds of the fastest pass.</summary>
    private static double Fastest(Variant variant, string kernel, int threads) => double.Parse(Must(variant.Program, kernel, $"{Passes}", $"{threads}").Split(' ')[0], CultureInfo.InvariantCulture);

    /// <summary>Instructions of one pass, start and end of the program included.</summary>
    private static double Executed(Variant variant, string kernel) => Measured.Instructions(variant.Program, [kernel, "1", "1"], Output, Quiet);

    private static string Must(string program, params IReadOnlyList<string> arguments)
    {
        var result = ChildProcess.Capture(program, arguments, Quiet, Output);
        return result.ExitCode == 0 ? result.Output : throw new WeftException($"{program} failed with {result.ExitCode}:\n{result.Errors}");
    }

    // ---- Reports ----

    private static void Reports()
    {
        var lines = Generate();
        string program = Path.Combine(Output, "large"), raw = Path.Combine(Output, "large.profraw"), indexed = Path.Combine(Output, "large.profdata");
        Terminal.Progress("building a large program");
        Measured.Run("sh", ["-c", "ls large.d/*.c | xargs -P 2 -n 25 clang-22 -fprofile-instr-generate -fcoverage-mapping -c && clang-22 -fprofile-instr-generate *.o -o large && rm *.o"], Output);
        Measured.Run(program, [], Output, new Dictionary<string, string?> { ["LLVM_PROFILE_FILE"] = raw });
        Console.WriteLine($"\n| {lines:N0} lines in {ReportFiles} files | LLVM, s of CPU | MB | Weft, s of CPU | MB |\n|---|---|---|---|---|");
        (string Name, string[] Theirs, string[] Ours)[] rows =
        [
            ("merge", ["llvm-profdata-22", "merge", "-sparse", raw, "-o", indexed], ["merge", raw, "-o", indexed + "2"]),
            ("summary", ["llvm-cov-22", "report", program, "-instr-profile", indexed], ["report", program, "--profile", indexed]),
            ("lcov", ["llvm-cov-22", "export", "-format=lcov", program, "-instr-profile", indexed], ["export", program, "--format", "lcov", "--profile", indexed]),
            ("JSON", ["llvm-cov-22", "export", program, "-instr-profile", indexed], ["export", program, "--format", "json", "--profile", indexed]),
            ("HTML", ["llvm-cov-22", "show", "-format=html", "-output-dir", Path.Combine(Output, "html"), program, "-instr-profile", indexed], ["html", program, "--profile", indexed, "-o", Path.Combine(Output, "large.html")]),
        ];
        foreach (var (name, theirs, ours) in rows)
        {
            Terminal.Progress("reports: " + name);
            var (llvm, weft) = (Peak(theirs), Peak([Measured.Weft, "coverage", .. ours]));
            Terminal.Progress("");
            Console.WriteLine($"| {name} | {llvm.Cpu:F2} | {llvm.Megabytes} | {weft.Cpu:F2} | {weft.Megabytes} |");
        }
    }

    /// <summary>A program of a given size, the same on every machine; how many lines it has.</summary>
    private static int Generate()
    {
        var folder = Path.Combine(Output, "large.d");
        Directory.CreateDirectory(folder);
        var lines = 0;
        var main = new StringBuilder();
        for (var file = 0; file < ReportFiles; file++)
        {
            var text = new StringBuilder();
            for (var i = 0; i < FunctionsEach; i++)
                text.Append(CultureInfo.InvariantCulture, $"int f{file}_{i}(int n)\n{{\n    int sum = {i};\n    for (int k = 0; k < n % 7; k++) {{\n        if (k % 2 && n > {i % 9}) sum += k;\n        else sum -= n > 4 ? k : 1;\n    }}\n    switch (n % 4) {{\n    case 0: return sum;\n    case 1: return sum * 2;\n    }}\n    return sum || n;\n}}\n");
            // As many are never called.
            text.Append(CultureInfo.InvariantCulture, $"int all{file}(int n)\n{{\n    int sum = 0;\n");
            for (var i = 0; i < FunctionsEach; i += 2) text.Append(CultureInfo.InvariantCulture, $"    sum += f{file}_{i}(n);\n");
            text.Append("    return sum;\n}\n");
            main.Append(CultureInfo.InvariantCulture, $"int all{file}(int);\n");
            lines += text.ToString().Count(c => c == '\n');
            File.WriteAllText(Path.Combine(folder, $"f{file}.c"), text.ToString());
        }
        main.Append("int main(void)\n{\n    int sum = 0;\n");
        for (var file = 0; file < ReportFiles; file++) main.Append(CultureInfo.InvariantCulture, $"    sum += all{file}({file});\n");
        File.WriteAllText(Path.Combine(folder, "main.c"), main.Append("    return sum == 1;\n}\n").ToString());
        return lines;
    }

    /// <summary>CPU time and the most memory of a command whose output is thrown away.</summary>
    private static (double Cpu, long Megabytes) Peak(string[] command)
    {
        var before = Measured.ChildrenUsage().Cpu;
        using var process = Process.Start(new ProcessStartInfo(command[0], command.Skip(1)) { WorkingDirectory = Output, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.OutputDataReceived += (_, _) => { };
        var errors = process.StandardError.ReadToEndAsync();
        process.BeginOutputReadLine();
        long peak = 0;
        while (!process.WaitForExit(5))
            if (Resident(process.Id) is { } now) peak = Math.Max(peak, now);
        if (process.ExitCode != 0) throw new WeftException($"{string.Join(' ', command)} failed with {process.ExitCode}:\n{errors.Result}");
        return (Measured.ChildrenUsage().Cpu - before, peak / 1024);
    }

    // The most so far, in kilobytes, as the kernel keeps it.
    private static long? Resident(int process)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            return line == null ? null : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
