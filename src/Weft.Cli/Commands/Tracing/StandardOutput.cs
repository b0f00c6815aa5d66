using System.Runtime.InteropServices;
using Weft.Core;

namespace Weft.Cli.Commands.Tracing;

/// <summary>The reader of standard output has gone, as <c>head</c> does: nothing more is wanted.</summary>
internal sealed class BrokenPipeException() : IOException("nobody reads standard output any more");

/// <summary>
/// Standard output for much data. .NET's own stream does not tell that nobody reads it any more, and a command would go through
/// gigabytes for nothing; a FileStream would not share its place in the file with standard error.
/// </summary>
internal sealed unsafe partial class StandardOutput : Stream
{
    private const int Interrupted = 4, TryAgain = 11, BrokenPipe = 32;

    private bool isBroken;

    /// <summary>Whether a person looks at it who likes colours.</summary>
    public static bool Colour { get; } = !Terminal.IsSet("NO_COLOR")
        && Environment.GetEnvironmentVariable("CARGO_TERM_COLOR") is var wish && (wish == "always" || (wish != "never" && !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb"));

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Writes text; returns quietly when nobody reads it any more.</summary>
    public static void Text(Action<TextWriter> write) => Bytes(stream =>
    {
        using var writer = new StreamWriter(stream, bufferSize: 1 << 16);
        write(writer);
    });

    public static void Bytes(Action<Stream> write)
    {
        using var stream = new StandardOutput();
        try { write(stream); }
        catch (BrokenPipeException) { /* they have seen enough */ }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0 && !isBroken)
        {
            nint written;
            fixed (byte* bytes = buffer) written = write(1, bytes, (nuint)buffer.Length);
            if (written >= 0) buffer = buffer[(int)written..];
            else Explain(Marshal.GetLastPInvokeError());
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() { }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private void Explain(int error)
    {
        if (error == TryAgain) Thread.Sleep(1);
        if (error is TryAgain or Interrupted) return;
        isBroken = true; // what is still in buffers has nowhere to go
        throw error == BrokenPipe ? new BrokenPipeException() : new WeftException($"cannot write to standard output: {Marshal.GetPInvokeErrorMessage(error)}", "check free space where it goes");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, byte* bytes, nuint count);
}
