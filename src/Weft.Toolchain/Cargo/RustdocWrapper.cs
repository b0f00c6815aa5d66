using Weft.Core;

namespace Weft.Toolchain.Cargo;

/// <summary>
/// The role cargo starts for documentation and its tests. Tests in documentation are compiled by rustdoc itself, in one go
/// with running them, so their own code stays plain; the crate they call is woven and needs its runtime at the link.
/// </summary>
public static class RustdocWrapper
{
    public static int Run(IReadOnlyList<string> arguments, InstrumentSet instruments)
    {
        var plan = BuildPlan.Read();
        var rustdoc = plan.Rustdoc ?? Path.Combine(plan.Sysroot, "bin", "rustdoc");
        if (!arguments.Contains("--test") || plan.Build.With.Count == 0)
        {
            Posix.Execute(rustdoc, arguments);
            return (int)ExitCode.Failure;
        }
        Terminal.Note("tests in documentation are not instrumented themselves; the crates they call are");
        var rustc = new RustcArguments(arguments);
        var link = new LinkPlan { Linker = rustc.Codegen("linker") ?? "cc", Settings = new LoweringSettings(), Weave = false };
        rustc.RemoveCodegen("linker");
        rustc.AddCodegen("linker", WeftFiles.Role("weft-linker"));
        return ChildProcess.Run(rustdoc, rustc.All, new Dictionary<string, string?> { [LinkPlan.Variable] = link.Encode() });
    }
}
