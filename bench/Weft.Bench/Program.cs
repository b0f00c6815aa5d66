using Weft.Bench;
using Weft.Core;

// dotnet run -c Release --project bench/Weft.Bench -- [cargo] [clang] [interrupts] [interrupted-programs] [metering] [metered-programs] [tracing] [traced-programs] [coverage] [covered-programs] [hotpatch [kernels] [sqlite] [ripgrep] [save] [switch] [flips] [NUMBER]]: Markdown tables on stdout, progress on stderr.
try
{
    if (args.Length == 0 || args.Contains("cargo")) CargoBench.Run();
    if (args.Length == 0 || args.Contains("clang")) ClangBench.Run();
    if (args.Length == 0 || args.Contains("interrupts")) InterruptsBench.Run();
    if (args.Length == 0 || args.Contains("interrupted-programs")) InterruptedPrograms.Run();
    if (args.Length == 0 || args.Contains("metering")) MeteringBench.Run();
    if (args.Length == 0 || args.Contains("metered-programs")) MeteredPrograms.Run();
    if (args.Length == 0 || args.Contains("tracing")) TracingBench.Run();
    if (args.Length == 0 || args.Contains("traced-programs")) TracedPrograms.Run();
    if (args.Length == 0 || args.Contains("coverage")) CoverageBench.Run();
    if (args.Length == 0 || args.Contains("covered-programs")) CoveredPrograms.Run(args);
    if (args.Length == 0 || args.Contains("hotpatch")) HotpatchBench.Run(args);
    return 0;
}
catch (WeftException e)
{
    Terminal.Error(e.Message, e.Help);
    return (int)e.ExitCode;
}
