namespace Weft.Cli.Commands.Tracing;

/// <summary>The tracing runtime of a running program (runtime/tracing_control.c).</summary>
internal static class LiveTracing
{
    public static LiveProcess Attach(int id) =>
        LiveProcess.Attach(id, "tracing", "build it with 'weft cargo build --with tracing' or 'weft cc --with=tracing'; WEFT_TRACING=off at its start also makes it deaf");
}
