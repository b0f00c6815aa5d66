using Weft.Core;

namespace Weft.Tests;

/// <summary>What people type: <c>weft coverage</c>.</summary>
public sealed class CoverageCommandTests : IDisposable
{
    private readonly Harness harness = new();

    public void Dispose() => harness.Dispose();

    [Needs("clang-22", "llvm-cov-22", "llvm-profdata-22")]
    public void Profiles_of_the_working_folder_are_merged_and_exported_without_being_named()
    {
        var sample = CoveragePrograms.Get("c 22");
        Directory.CreateDirectory(harness.Path("weft-out/coverage/deeper"));
        File.Copy(sample.RawProfiles[0], harness.Path("weft-out/coverage/a.profraw"));
        File.Copy(sample.RawProfiles[0], harness.Path("weft-out/coverage/deeper/b.profraw"));
        harness.Must(Harness.Weft, "coverage", "merge", "-o", "ours.profdata", "--indexed", "13");
        harness.Must("llvm-profdata-22", "merge", sample.RawProfiles[0], sample.RawProfiles[0], "-o", "theirs.profdata");
        Assert.Equal(File.ReadAllBytes(harness.Path("theirs.profdata")), File.ReadAllBytes(harness.Path("ours.profdata")));

        var expected = harness.Must("llvm-cov-22", "export", "-instr-profile=theirs.profdata", "-ignore-filename-regex=helper", "-ignore-filename-regex=inc$", "-summary-only", sample.Binaries[0]).Output;
        Assert.Equal(expected, harness.Must(Harness.Weft, "coverage", "export", sample.Binaries[0], "--format", "json", "--ignore-filename-regex", "helper", "--ignore-filename-regex", "inc$", "--summary-only").Output);
        harness.Must(Harness.Weft, "coverage", "export", sample.Binaries[0], "--format", "lcov", "-o", "out.info");
        Assert.Equal(harness.Must("llvm-cov-22", "export", "-format=lcov", "-instr-profile=theirs.profdata", sample.Binaries[0]).Output, File.ReadAllText(harness.Path("out.info")));
    }

    [Needs("clang-22", "llvm-profdata-22", "llvm-profdata-19")]
    public void What_is_merged_by_default_is_read_by_both_generations_of_llvm_profdata()
    {
        var sample = CoveragePrograms.Get("c 22");
        harness.Must(Harness.Weft, "coverage", "merge", sample.RawProfiles[0], "-o", "ours");
        var listing = harness.Must(Harness.Weft, "coverage", "show-profile", "ours").Output;
        Assert.Equal(listing, harness.Must("llvm-profdata-22", "show", "--all-functions", "--counts", "ours").Output);
        Assert.StartsWith(harness.Must("llvm-profdata-19", "show", "--all-functions", "--counts", "ours").Output, listing, StringComparison.Ordinal);
        harness.Must(Harness.Weft, "coverage", "merge", "ours", "--text", "-o", "ours.proftext");
        Assert.Equal(harness.Must("llvm-profdata-22", "merge", "-text", sample.Indexed, "-o", "-").Output, File.ReadAllText(harness.Path("ours.proftext")));
    }

    [Needs("clang-22", "llvm-profdata-22")]
    public void A_damaged_profile_is_a_warning_or_an_error_as_one_wishes()
    {
        var sample = CoveragePrograms.Get("c 22");
        harness.Write("bad.profraw", "");
        var lenient = harness.Must(Harness.Weft, "coverage", "merge", "bad.profraw", sample.RawProfiles[0], "-o", "out");
        Assert.Contains("warning: cannot read profile 'bad.profraw': it is empty; it is left out", lenient.Errors, StringComparison.Ordinal);
        File.Delete(harness.Path("out"));
        Harness.AssertToldWell(harness.RunWeft("coverage", "merge", "bad.profraw", sample.RawProfiles[0], "-o", "out", "--fail-on-damage"), ExitCode.Failure, "bad.profraw", "help: ");
        Assert.False(File.Exists(harness.Path("out")));
        var none = harness.RunWeft("coverage", "merge", "bad.profraw", "-o", "out");
        Assert.Equal((int)ExitCode.Failure, none.ExitCode);
        Assert.Contains("error: the profile 'bad.profraw' cannot be read", none.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_done_is_said_in_a_sentence()
    {
        harness.Write("f.proftext", "f\n1\n1\n1\n");
        harness.Write("program", "no program\n");
        Directory.CreateDirectory(harness.Path("empty"));
        Told(ExitCode.Usage, "which profiles?", "merge", "-o", "out");
        Told(ExitCode.Usage, "'14' is not a version", "merge", "f.proftext", "-o", "out", "--indexed", "14");
        Told(ExitCode.Usage, "--text and --indexed", "merge", "f.proftext", "-o", "out", "--indexed", "12", "--text");
        Told(ExitCode.Usage, "--output", "merge", "f.proftext");
        Told(ExitCode.Failure, "no *.profraw below 'empty'", "merge", "empty", "-o", "out");
        Told(ExitCode.Usage, "'xml' is not one of json, lcov", "export", "program", "--format", "xml", "--profile", "f.proftext");
        Told(ExitCode.Usage, "'(' is not a regular expression", "export", "program", "--format", "json", "--profile", "f.proftext", "--ignore-filename-regex", "(");
        Told(ExitCode.Failure, "'program'", "export", "program", "--format", "json", "--profile", "f.proftext");
        Told(ExitCode.Failure, "'absent'", "export", "absent", "--format", "json", "--profile", "f.proftext");
        Told(ExitCode.Failure, "'absent'", "show-profile", "absent");
        Told(ExitCode.Failure, "cannot write", "merge", "f.proftext", "-o", "absent/out");
    }

    private void Told(ExitCode expected, string mention, params string[] arguments) => Harness.AssertToldWell(harness.RunWeft(["coverage", .. arguments]), expected, mention);
}
