namespace Weft.Core;

/// <summary>Exit codes of every Weft command. A command that runs another program forwards that program's code instead.</summary>
public enum ExitCode
{
    Success = 0,

    /// <summary>A check the user asked for did not hold (<c>doctor</c> found something missing, a <c>--fail-*</c> limit).</summary>
    CheckFailed = 1,

    /// <summary>The command line does not say something Weft can do.</summary>
    Usage = 2,

    /// <summary>Weft itself could not do its work; cargo uses the same number for its own failures.</summary>
    Failure = 101,
}

/// <summary>
/// What a person is told when something fails: <see cref="Exception.Message"/> says what is wrong and where,
/// <see cref="Help"/> what to do about it.
/// </summary>
public sealed class WeftException : Exception
{
    public WeftException(string message, string? help, ExitCode exitCode = ExitCode.Failure, Exception? inner = null) : base(message, inner)
    {
        Help = help;
        ExitCode = exitCode;
    }

    public WeftException() : this("unknown failure") { }

    public WeftException(string message) : this(message, help: null) { }

    public WeftException(string message, Exception inner) : this(message, null, ExitCode.Failure, inner) { }

    public string? Help { get; }

    public ExitCode ExitCode { get; }

    public static WeftException Usage(string message, string? help = null) => new(message, help, ExitCode.Usage);
}
