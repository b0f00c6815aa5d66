namespace Weft.Llvm;

/// <summary>LLVM refused or failed; the message is LLVM's own.</summary>
public sealed class LlvmException : Exception
{
    public LlvmException(string message) : base(message) { }

    public LlvmException(string message, Exception inner) : base(message, inner) { }

    public LlvmException() { }
}
