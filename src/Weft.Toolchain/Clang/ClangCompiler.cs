using Weft.Core;
using Weft.Llvm;

namespace Weft.Toolchain.Clang;

/// <summary>The clang driver that a build goes through, with the words that come before the user's arguments.</summary>
/// <param name="Program">A path, or a name to be looked up on PATH.</param>
/// <param name="Prefix">As in <c>WEFT_CC="ccache clang-22"</c>.</param>
internal sealed record ClangCompiler(string Program, IReadOnlyList<string> Prefix)
{
    private const string CplusplusMode = "--driver-mode=g++";

    /// <summary>Arguments that make a C++ driver compile C, for Weft's runtime.</summary>
    public const string CMode = "--driver-mode=gcc";

    /// <summary>
    /// <c>WEFT_CXX</c> for C++, <c>WEFT_CC</c> for both, else <c>clang</c> when its release is supported, else the newest
    /// supported <c>clang-N</c>.
    /// </summary>
    /// <param name="cplusplus">Ask for the C++ driver.</param>
    /// <param name="anyRelease">Settle for an unsupported release: nothing is going to be woven.</param>
    public static ClangCompiler Choose(bool cplusplus, bool anyRelease)
    {
        if (cplusplus && Variable("WEFT_CXX") is { } cxx) return FromVariable("WEFT_CXX", cxx);
        var compiler = Variable("WEFT_CC") is { } cc ? FromVariable("WEFT_CC", cc) : FromPath(anyRelease);
        return cplusplus ? compiler with { Prefix = [.. compiler.Prefix, CplusplusMode] } : compiler;
    }

    /// <summary>Throws unless the release is one that Weft weaves with.</summary>
    public static void RequireSupported(int major)
    {
        if (major is >= LlvmLibrary.OldestMajor and <= LlvmLibrary.NewestMajor) return;
        throw new WeftException($"clang {major} is too {(major < LlvmLibrary.OldestMajor ? "old" : "new")}: Weft weaves with clang {LlvmLibrary.OldestMajor} to {LlvmLibrary.NewestMajor}", InstallHelp);
    }

    /// <summary>Throws when the program is something else, which would go on to compile without a word.</summary>
    public void RequireClang()
    {
        if (!ChildProcess.Capture(Program, [.. Prefix, "--version"]).Output.Contains("clang version ", StringComparison.Ordinal)) throw NotClang(Program);
    }

    private static WeftException NotClang(string program) =>
        new($"'{program}' is not clang: Weft edits LLVM bitcode, which only clang writes", InstallHelp);

    private static string InstallHelp => $"install clang-{LlvmLibrary.NewestMajor} or set WEFT_CC; WEFT_DISABLE=1 compiles without Weft";

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    // A path may contain spaces; anything else is a program with arguments, as make and configure write CC.
    private static ClangCompiler FromVariable(string name, string value)
    {
        if (ChildProcess.Find(value) != null) return new(value, []);
        var words = value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0 || ChildProcess.Find(words[0]) == null) throw new WeftException($"{name}: there is no program '{value}'", "give the name or path of a clang");
        return new(words[0], words[1..]);
    }

    private static ClangCompiler FromPath(bool anyRelease)
    {
        var plain = ChildProcess.Find("clang");
        var release = plain == null ? null : Release(plain);
        if (release is >= LlvmLibrary.OldestMajor and <= LlvmLibrary.NewestMajor) return new(plain!, []);
        for (var major = LlvmLibrary.NewestMajor; major >= LlvmLibrary.OldestMajor; major--)
            if (ChildProcess.Find($"clang-{major}") is { } file)
                return new(file, []);
        if (plain != null && anyRelease) return new(plain, []);
        if (release is { } unsupported) RequireSupported(unsupported);
        throw plain != null ? NotClang(plain) : new WeftException("no clang was found on PATH", InstallHelp);
    }

    // Where the program really lives mostly tells (/usr/lib/llvm-22/bin/clang); that saves starting it.
    private static int? Release(string file)
    {
        var real = File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file;
        foreach (var part in real.Split('/').Reverse())
            if (part.StartsWith("clang-", StringComparison.Ordinal) || part.StartsWith("llvm-", StringComparison.Ordinal))
                if (LeadingNumber(part[(part.IndexOf('-') + 1)..]) is { } major)
                    return major;
        return LlvmLocator.MajorIn(ChildProcess.Capture(file, ["--version"]).Output);
    }

    private static int? LeadingNumber(string text) =>
        int.TryParse(text.AsSpan(0, text.AsSpan().IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? end : text.Length), out var number) ? number : null;
}
