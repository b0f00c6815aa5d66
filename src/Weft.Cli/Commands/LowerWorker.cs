using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Weft.Core;
using Weft.Llvm;
using Weft.Toolchain;

namespace Weft.Cli.Commands;

/// <summary>The half of <c>weft lower</c> that may be killed by what it reads.</summary>
internal static partial class LowerWorker
{
    /// <summary>The command by which Weft calls itself; not for people.</summary>
    public const string Verb = "__lower";

    public static int Run(string[] arguments)
    {
        WriteNoCoreFile();
        var left = new List<string>(arguments);
        var build = BuildOptions.Parse(left, Roles.Instruments);
        var flags = new FlagReader(left);
        var input = flags.TakeValue("--input")!;
        var output = flags.TakeValue("--output")!;
        var settings = Settings(flags);
        LlvmLocator.LoadNewest();

        var name = input == "-" ? "standard input" : input;
        var queue = new LoweringQueue(settings, Roles.Instruments.Weaving(build), new LoweringCache(), build.Repro);
        Write(output, Lower(queue, name, Read(input)));
        if (build.Timings) Report(queue.Timings);
        return 0;
    }

    private static LoweringSettings Settings(FlagReader flags) => new()
    {
        Level = flags.TakeValue("--level") is { } level ? LoweringSettings.ParseLevel(level)!.Value : OptLevel.O2,
        Emit = flags.TakeValue("--emit") == "asm" ? EmitKind.Assembly : EmitKind.Object,
        Triple = flags.TakeValue("--target"),
        Cpu = flags.TakeValue("--cpu"),
        Features = flags.TakeValue("--features"),
        Relocation = flags.TakeValue("--relocation-model") switch { "static" => RelocationModel.Static, "pic" => RelocationModel.Pic, _ => null },
        CodeModel = flags.TakeValue("--code-model") is { } model ? Enum.Parse<CodeModel>(model, ignoreCase: true) : CodeModel.Default,
        Sections = !flags.TakeSwitch("--no-sections"),
    };

    private static byte[] Lower(LoweringQueue queue, string name, byte[] content)
    {
        try
        {
            return queue.LowerOne(new LoweringInput(name, Bitcode.Is(content) ? content : Assemble(name, content)));
        }
        catch (WeftException e) when (Versions().Match(e.Message) is { Success: true } versions && int.Parse(versions.Groups[1].ValueSpan) > LlvmLibrary.Version.Major)
        {
            throw new WeftException($"'{name}' was written by LLVM {versions.Groups[1].Value}, which LLVM {LlvmLibrary.Version} at '{LlvmLibrary.Path}' cannot read",
                $"set WEFT_LLVM to the file of an LLVM library of release {versions.Groups[1].Value} or newer, or unset it to use the newest installed", ExitCode.Failure, e);
        }
    }

    private static byte[] Assemble(string name, byte[] text)
    {
        if (text.Length == 0) throw new WeftException($"'{name}' is empty", "give LLVM bitcode (clang -emit-llvm -c) or textual IR (clang -emit-llvm -S)");
        try
        {
            return FatalErrors.Guard(() =>
            {
                using var context = new LlvmContext();
                using var module = context.ParseAssembly(text);
                return module.ToBitcode();
            });
        }
        catch (LlvmException e)
        {
            throw new WeftException($"'{name}' is neither LLVM bitcode nor textual IR that LLVM {LlvmLibrary.Version} reads: {Printable(e.Message)}", null, ExitCode.Failure, e);
        }
    }

    private static byte[] Read(string input)
    {
        if (input != "-") return AtomicFile.Read(input);
        using var content = new MemoryStream();
        using var stream = Console.OpenStandardInput();
        stream.CopyTo(content);
        return content.ToArray();
    }

    private static void Write(string output, byte[] content)
    {
        if (output != "-")
        {
            AtomicFile.Write(output, content);
            return;
        }
        using var stream = Console.OpenStandardOutput();
        stream.Write(content);
    }

    private static void Report(Timings timings)
    {
        foreach (var (stage, time) in timings.Stages) Terminal.Status(stage, $"{time,9:F1} ms");
    }

    /// <summary>LLVM quotes the line it cannot read, which may be anything at all: the first one, as a terminal can show it.</summary>
    private static string Printable(string message) => string.Concat(message.Split('\n')[0].Take(200).Select(c => char.IsControl(c) ? '?' : c));

    // A crash is expected here, and a gigabyte of core file in the user's folder is not.
    private static void WriteNoCoreFile()
    {
        const int core = 4;
        var none = default(ResourceLimit);
        _ = setrlimit(core, in none);
    }

    [StructLayout(LayoutKind.Sequential)]
    private readonly struct ResourceLimit
    {
        public readonly nuint Current, Maximum;
    }

    [LibraryImport("libc")]
    private static partial int setrlimit(int resource, in ResourceLimit limit);

    // "Unknown attribute kind (98) (Producer: 'LLVM22.1.2' Reader: 'LLVM 19.1.7')"
    [GeneratedRegex(@"Producer: 'LLVM ?(\d+)\.")]
    private static partial Regex Versions();
}
