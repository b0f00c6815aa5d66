using System.Text;
using Weft.Cli.Commands.Tracing;
using Weft.Core;
using Weft.Coverage.Export;
using Weft.Coverage.Model;

namespace Weft.Cli.Commands.Coverage;

/// <summary>A format that other programs, or web sites, read.</summary>
/// <param name="Name">For <c>--format</c>.</param>
/// <param name="What">What it is, in a few words.</param>
/// <param name="Write">Writes it.</param>
internal sealed record ExportFormat(string Name, string What, Action<Stream, CoverageData, IReadOnlyList<string>, ExportOptions> Write)
{
    // A new format: one line here.
    public static IReadOnlyList<ExportFormat> All { get; } =
    [
        new("json", "llvm-cov's JSON", LlvmJson.Write),
        new("lcov", "a trace file of lcov", WriteLcov),
        new("cobertura", "XML of Cobertura", Cobertura.Write),
        new("codecov", "JSON of Codecov", Codecov.Write),
        new("markdown", "a comment for a pull request", Markdown.Write),
    ];

    /// <param name="input">What ran.</param>
    /// <param name="options">What to leave out.</param>
    /// <param name="path">The file; null for standard output.</param>
    public void Save(CoverageInput input, ExportOptions options, string? path)
    {
        void To(Stream stream) => Write(stream, input.Data, input.Files, options with { Root = input.Root });
        if (path == null) StandardOutput.Bytes(To);
        else AtomicFile.Write(path, To);
    }

    private static void WriteLcov(Stream stream, CoverageData data, IReadOnlyList<string> files, ExportOptions options)
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), 1 << 16, leaveOpen: true);
        Lcov.Write(writer, data, files, options);
    }
}
