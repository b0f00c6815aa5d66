using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Weft.Llvm;

/// <summary>
/// Runs work on a thread with a stack LLVM can recurse in, and turns LLVM's fatal errors into exceptions. LLVM calls its
/// handler and expects it never to return; no exception can cross LLVM's frames. So the handler hands the message to
/// whoever waits for the thread, and the thread sleeps for the rest of the process: a leak, once, on a path that ends the build.
/// </summary>
public static unsafe class FatalErrors
{
    private const int StackBytes = 512 << 20; // reserved, not committed; LLVM's DAG combiner recurses with block size

    [ThreadStatic] private static Call? current;

    /// <summary>Runs <paramref name="work"/>; rethrows what it threw, or <see cref="LlvmException"/> for LLVM's fatal error.</summary>
    public static T Guard<T>(Func<T> work)
    {
        var result = default(T)!;
        var call = new Call();
        var thread = new Thread(() =>
        {
            current = call;
            try { result = work(); }
            catch (Exception e) { call.Failure = ExceptionDispatchInfo.Capture(e); }
            call.Done.SetResult();
        }, StackBytes)
        { IsBackground = true };
        thread.Start();
        call.Done.Task.Wait();
        call.Failure?.Throw();
        return result;
    }

    internal static void Install() => Native.LLVMInstallFatalErrorHandler(&OnFatalError);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnFatalError(nint reason)
    {
        var call = current;
        if (call == null) return; // not one of ours: LLVM prints the message and exits
        call.Failure = ExceptionDispatchInfo.Capture(new LlvmException(LlvmLibrary.Text(reason)));
        call.Done.SetResult();
        Thread.Sleep(Timeout.Infinite);
    }

    private sealed class Call
    {
        public readonly TaskCompletionSource Done = new();
        public ExceptionDispatchInfo? Failure;
    }
}
