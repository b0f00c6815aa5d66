using System.Runtime.InteropServices;
using System.Text;
using Weft.Core;

namespace Weft.Toolchain;

/// <summary>What .NET has no call for.</summary>
public static unsafe partial class Posix
{
    /// <summary>Sends a signal by number; 0 or an errno value.</summary>
    public static int Signal(int process, int signal) => kill(process, signal) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <summary>Gives a file to a user; false when that is not allowed.</summary>
    public static bool TryChangeOwner(string path, uint user) => lchown(path, user, uint.MaxValue) == 0;

    public static uint EffectiveUser => geteuid();

    /// <summary>This process's command line as the kernel has it: argument 0 as called, bytes as given.</summary>
    public static IReadOnlyList<byte[]> CommandLine { get; } = ReadCommandLine();

    /// <summary>Becomes another program: its output, exit code and signals are its own. Returns only by exception.</summary>
    public static void Execute(string program, IReadOnlyList<string> arguments) =>
        Execute(program, [Encoding.UTF8.GetBytes(program), .. arguments.Select(Encoding.UTF8.GetBytes)]);

    /// <summary>As <see cref="Execute(string, IReadOnlyList{string})"/>, for arguments that need not be UTF-8; the first is argument 0.</summary>
    public static void Execute(string program, IReadOnlyList<byte[]> argumentBytes)
    {
        Terminal.Command(program, argumentBytes.Skip(1).Select(Encoding.UTF8.GetString));
        Execute(Encoding.UTF8.GetBytes(program), argumentBytes);
    }

    /// <summary>As the others, without a word even when verbose, for a program that starts itself again.</summary>
    public static void Execute(byte[] program, IReadOnlyList<byte[]> argumentBytes)
    {
        var vector = (byte**)NativeMemory.AllocZeroed((nuint)argumentBytes.Count + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < argumentBytes.Count; i++) vector[i] = Copy(argumentBytes[i]);
        Console.Out.Flush();
        _ = execvp(Copy(program), vector);
        throw new WeftException($"cannot run '{Encoding.UTF8.GetString(program)}': {Marshal.GetLastPInvokeErrorMessage()}", "check that it is installed and on PATH");
    }

    /// <summary>Sets a variable for the program this process becomes; .NET's own copy does not travel along.</summary>
    public static void SetVariable(string name, string value) => _ = setenv(name, value, 1);

    /// <summary>A second name for a file; false where the file system has none.</summary>
    public static bool TryHardLink(string existing, string name) => link(existing, name) == 0;

    /// <summary>Which file that is, whatever it is called; null if there is none.</summary>
    public static FileIdentity? IdentityOf(string path)
    {
        const int currentFolder = -100, basicStatistics = 0x7FF, inode = 32, size = 40, written = 112, device = 136;
        var status = stackalloc byte[256]; // struct statx is the same for all processors
        if (statx(currentFolder, path, 0, basicStatistics, status) != 0) return null;
        return new(*(ulong*)(status + device), *(ulong*)(status + inode), *(ulong*)(status + size), *(long*)(status + written), *(uint*)(status + written + 8));
    }

    /// <summary>Sends SIGTERM or SIGHUP to a process.</summary>
    public static void Send(int process, PosixSignal signal) => _ = kill(process, signal == PosixSignal.SIGHUP ? 1 : 15);

    /// <summary>User CPU time of all children that have ended, and of theirs.</summary>
    public static TimeSpan ChildrenUserTime()
    {
        const int children = -1;
        var usage = stackalloc long[32]; // begins with user seconds and microseconds
        return getrusage(children, usage) == 0 ? TimeSpan.FromSeconds(usage[0]) + TimeSpan.FromMicroseconds(usage[1]) : TimeSpan.Zero;
    }

    /// <summary>Throws when an argument is not UTF-8: .NET file names cannot carry such bytes.</summary>
    public static void RequireUtf8Arguments()
    {
        for (var i = 1; i < CommandLine.Count; i++)
            if (!System.Text.Unicode.Utf8.IsValid(CommandLine[i]))
                throw new WeftException($"argument {i} ('{Encoding.Latin1.GetString(CommandLine[i])}') is not valid UTF-8", "rename the file or folder, or set WEFT_DISABLE=1 to compile this without Weft");
    }

    private static byte* Copy(byte[] text)
    {
        var copy = (byte*)NativeMemory.AllocZeroed((nuint)text.Length + 1);
        text.CopyTo(new Span<byte>(copy, text.Length));
        return copy;
    }

    private static List<byte[]> ReadCommandLine()
    {
        var all = File.ReadAllBytes("/proc/self/cmdline");
        var arguments = new List<byte[]>();
        for (var start = 0; start < all.Length;)
        {
            var end = Array.IndexOf(all, (byte)0, start);
            if (end < 0) end = all.Length;
            arguments.Add(all[start..end]);
            start = end + 1;
        }
        return arguments;
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string existing, string name);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int folder, string path, int flags, uint wanted, byte* status);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int lchown(string path, uint user, uint group);

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc")]
    private static partial int getrusage(int who, long* usage);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int execvp(byte* file, byte** arguments);
}

/// <summary>A file with one content: whoever writes it again changes some of this.</summary>
/// <param name="Device">Its file system.</param>
/// <param name="Inode">Its number there.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Seconds">Since 1970, when it was written last.</param>
/// <param name="Nanoseconds">And of the second.</param>
public readonly record struct FileIdentity(ulong Device, ulong Inode, ulong Size, long Seconds, uint Nanoseconds);
