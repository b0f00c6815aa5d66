using Weft.Core;

namespace Weft.Cli;

internal static class Program
{
    private static int Main(string[] arguments)
    {
        try
        {
            return Roles.Run(arguments);
        }
        catch (Exception e)
        {
            return (int)Failure.Report(e);
        }
    }
}

/// <summary>The last resort for whatever went wrong: a sentence for the user and an exit code, never a stack trace.</summary>
internal static class Failure
{
    public static ExitCode Report(Exception e)
    {
        if (Terminal.IsSet("WEFT_BACKTRACE")) Console.Error.WriteLine(e);
        return Tell(e);
    }

    private static ExitCode Tell(Exception e)
    {
        switch (e)
        {
            case AggregateException or TypeInitializationException or System.Reflection.TargetInvocationException when e.InnerException is { } inner:
                return Tell(inner);
            case WeftException weft:
                Terminal.Error(weft.Message, weft.Help);
                return weft.ExitCode;
            case Llvm.LlvmException or IOException or UnauthorizedAccessException:
                Terminal.Error(e.Message);
                return ExitCode.Failure;
            default:
                Terminal.Error($"internal error: {e.GetType().Name}: {e.Message}", "this is a bug in Weft; run the command again with WEFT_BACKTRACE=1 to see where it happened");
                return ExitCode.Failure;
        }
    }
}
